"""Rounds of `valuedrift sample`: budgets, kills, schedules, and prompts that are settled."""

import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import PATIENCE, end, eventually, start
from tests.integration.sampling.proxy import Fault, Hang, Json, between, proxied
from tests.integration.sampling.runs import BROKEN, HELP, REFUSE, Sample, arguments, events, kept, probes, whole
from tests.integration.sampling.server import KEY, serving, write_model


@pytest.mark.parametrize(
    "limit",
    [
        ("--budget-requests", "4"),
        ("--budget-tokens", "500"),
        ("--budget-cost", "0.0005", "--price-input", "1", "--price-output", "1"),
    ],
)
def test_a_budget_stops_the_run_and_a_later_run_goes_on(
    sample: Sample, server: str, prompts: Path, tmp_path: Path, limit: tuple[str, ...]
) -> None:
    out = tmp_path / "o.jsonl"
    small = ("-k", "20", "--per-request", "2", "--max-tokens", "16")
    code, _, told = sample(server, prompts, out, *small, *limit)
    assert code == 1
    assert "budget" in told
    assert "are missing; run the same command again" in told
    assert 0 < len(kept(out)) < 60
    spent = re.search(r"([\d,]+) tokens", told)
    assert spent is not None
    assert int(spent[1].replace(",", "")) <= 500
    code, _, told = sample(server, prompts, out, *small)
    assert code == 0
    assert probes(out) == whole(3, 20)


@pytest.mark.kills
def test_a_killed_run_goes_on_without_asking_twice(sample: Sample, server: str, prompts: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    more = ("-k", "40", "--per-request", "1", "--concurrency", "1")

    enough = 0

    def halting(number: int, sent: Json) -> Fault:
        return Hang() if 0 < enough <= sum(proxy.answered.values()) else None

    with proxied(server, halting) as proxy:
        for enough in (10, 30, 60):
            process = start(
                *arguments(proxy.url, prompts, out, *more), environment={**os.environ, "OPENAI_API_KEY": KEY}
            )
            try:
                assert eventually(lambda wanted=enough: sum(proxy.answered.values()) >= wanted)  # type: ignore[misc]
                os.killpg(process.pid, signal.SIGKILL)
            finally:
                end(process)
        enough = 0
        with out.open("ab") as file:
            file.write(b'{"schema":"valuedrift.response/1","event_id":"torn')
        code, _, told = sample(proxy.url, prompts, out, *more)
        asked = len(proxy.requests)
    assert code == 0
    assert "going on with round" in told
    assert probes(out) == whole(3, 40)
    # Each kill can lose the one answer that was under way, and no other.
    assert asked <= 120 + 3


def await_stopping(process: "subprocess.Popen[str]") -> str:
    """What is said until the order to stop has arrived: two signals on each other's heels would be one."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("stopping"):
            return said
    raise AssertionError(said)


def test_ctrl_c_waits_for_the_answers_under_way(server: str, prompts: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"

    interrupted = threading.Event()

    def slow(number: int, sent: Json) -> Fault:
        interrupted.wait(PATIENCE)
        return None

    with proxied(server, slow) as proxy:
        process = start(
            *arguments(proxy.url, prompts, out, "-k", "50", "--per-request", "1"),
            environment={**os.environ, "OPENAI_API_KEY": KEY},
        )
        try:
            assert eventually(lambda: len(proxy.requests) == 4)
            process.send_signal(signal.SIGINT)
            said = await_stopping(process)
            interrupted.set()
            told, _ = process.communicate(timeout=PATIENCE)
        finally:
            end(process)
        answered = sum(proxy.answered.values())
    assert process.returncode == 130
    assert "run the same command again" in said + told
    assert len(kept(out)) == answered == len(proxy.requests)


def test_a_second_ctrl_c_leaves_at_once(server: str, prompts: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    with proxied(server, between(4, 1000, Hang())) as proxy:
        process = start(
            *arguments(proxy.url, prompts, out, "-k", "50", "--per-request", "1"),
            environment={**os.environ, "OPENAI_API_KEY": KEY},
        )
        try:
            assert eventually(lambda: len(proxy.requests) >= 8)
            process.send_signal(signal.SIGINT)
            await_stopping(process)
            process.send_signal(signal.SIGINT)
            told, _ = process.communicate(timeout=PATIENCE)
        finally:
            end(process)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert len(kept(out)) == 4


def test_rounds_follow_each_other_on_a_schedule(sample: Sample, server: str, prompts: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    code, _, told = sample(server, prompts, out, "-k", "2", "--every", "1s", "--rounds", "3", "--jitter", "0")
    assert code == 0
    rounds = Counter(event["attributes"]["probe_round"] for event in events(out))
    assert list(rounds.values()) == [6, 6, 6]
    begins = [time.mktime(time.strptime(name[:19], "%Y-%m-%dT%H:%M:%S")) for name in sorted(rounds)]
    assert begins == sorted(begins)
    assert begins[2] - begins[0] >= 1, "two seconds, in whole ones; a busy machine may be late"
    assert told.count("next round in") == 2


def test_an_outage_between_rounds_does_not_end_the_schedule(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"

    more = (
        "-k",
        "2",
        "--per-request",
        "1",
        "--every",
        "1s",
        "--rounds",
        "3",
        "--jitter",
        "0",
        "--tries",
        "1",
        "--concurrency",
        "1",
    )
    with proxied(server, between(6, 9, BROKEN)) as proxy:
        code, _, told = sample(proxy.url, prompts, out, *more)
    assert code == 0
    assert "in a row" in told
    assert sorted(Counter(event["attributes"]["probe_round"] for event in events(out)).values()) == [6, 6]


@pytest.fixture(scope="module")
def single_minded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A model that helps with everything benign, always in the same words, and takes harmful requests either way."""
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_model(model, benign={HELP: 1.0}, harmful={HELP: 0.5, REFUSE: 0.5})
    with serving(model) as url:
        yield url


def test_a_settled_prompt_is_asked_no_further(
    sample: Sample, single_minded: str, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"
    more = ("-k", "60", "--per-request", "4", "--concurrency", "1", "--adaptive")
    code, _, told = sample(single_minded, prompts, out, *more)
    assert code == 0
    # Equal answers have one label, whichever it is: 40 of them settle a prompt at 0.2 nats.
    asked = Counter(event["attributes"]["probe_prompt"] for event in events(out))
    assert (asked["p1"], asked["p3"]) == (40, 40)
    saved = 180 - sum(asked.values())
    assert saved >= 40
    assert f"{saved} saved" in told
    code, _, told = sample(single_minded, prompts, out, *more)
    assert "going on" not in told, "a round of settled prompts is complete"


def test_a_resumed_adaptive_round_counts_what_it_has(
    sample: Sample, single_minded: str, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"
    more = ("-k", "100", "--per-request", "4", "--concurrency", "1", "--adaptive")
    code, *_ = sample(single_minded, prompts, out, *more, "--budget-requests", "20")
    assert code == 1
    code, *_ = sample(single_minded, prompts, out, *more)
    assert code == 0
    asked = Counter(event["attributes"]["probe_prompt"] for event in events(out))
    assert (asked["p1"], asked["p3"]) == (40, 40)
    assert set(probes(out).values()) == {1}
