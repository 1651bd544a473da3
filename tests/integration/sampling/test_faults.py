"""`valuedrift sample` through a proxy that misbehaves in front of a real server: what passes is waited for, the rest is told."""

import json
import time
from pathlib import Path

import pytest

from tests.integration.sampling.proxy import Fault, Hang, Json, Reset, always, between, nothing, proxied
from tests.integration.sampling.runs import BROKEN, Sample, kept, probes, whole
from tests.integration.sampling.server import KEY

RATE_LIMITED = (429, {"Retry-After": "1"}, b'{"error": {"message": "slow down"}}')
OPENAI_NO_MODEL = json.dumps(
    {"error": {"message": "The model `x` does not exist", "type": "invalid_request_error", "code": "model_not_found"}}
).encode()


@pytest.mark.parametrize(
    "fault",
    [
        RATE_LIMITED,
        BROKEN,
        (502, {}, b"<html>"),
        (200, {}, b"{not json"),
        (200, {}, b'{"choices": []}'),
        Reset(),
    ],
    ids=["429", "500", "502", "malformed", "empty", "reset"],
)
def test_what_passes_is_tried_again_until_nothing_is_missing(
    sample: Sample, server: str, prompts: Path, tmp_path: Path, fault: Fault
) -> None:
    out = tmp_path / "o.jsonl"
    with proxied(server, between(0, 2, fault)) as proxy:
        code, _, told = sample(proxy.url, prompts, out, "-k", "6", "--per-request", "2", "--concurrency", "2")
    assert code == 0, told
    assert probes(out) == whole(3, 6)
    assert set(proxy.answered.values()) == {6}, "nothing that was answered is asked for again"
    assert "2 retries" in told


def test_a_rate_limit_holds_all_requests_back_for_as_long_as_it_says(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    times: list[float] = []

    def fault(number: int, sent: Json) -> Fault:
        times.append(time.monotonic())
        return (429, {"Retry-After": "2"}, b"") if number == 0 else None

    with proxied(server, fault) as proxy:
        code, *_ = sample(
            proxy.url, prompts, tmp_path / "o.jsonl", "-k", "3", "--per-request", "1", "--concurrency", "1"
        )
    assert code == 0
    assert times[1] - times[0] >= 2
    assert proxy.most_at_once == 1


def test_an_endpoint_that_hangs_is_given_up_and_nothing_is_lost(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"
    patience = ("--timeout", "2", "--tries", "1", "--concurrency", "1", "-k", "4", "--per-request", "1")
    with proxied(server, between(5, 1000, Hang())) as proxy:
        code, _, told = sample(proxy.url, prompts, out, *patience)
        assert code == 1
        assert "3 requests in a row" in told
        assert "timed_out" in told
        assert len(kept(out)) == 5
        proxy.fault = nothing
        code, _, told = sample(proxy.url, prompts, out, *patience)
    assert code == 0
    assert "5 answers are there already" in told
    assert probes(out) == whole(3, 4)
    assert set(proxy.answered.values()) == {4}


def test_a_content_filter_is_noted_and_not_asked_again(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    filtered: Fault = (400, {}, b'{"error": {"code": "content_filter", "message": "The response was filtered"}}')

    def fault(number: int, sent: Json) -> Fault:
        return filtered if "bribe" in sent["messages"][-1]["content"] else None

    out = tmp_path / "o.jsonl"
    with proxied(server, fault) as proxy:
        code, _, told = sample(proxy.url, prompts, out, "-k", "4")
        assert code == 0
        assert "4 without text" in told
        asked = len(proxy.requests)
    notes = [json.loads(line) for line in (tmp_path / "o.jsonl.rounds.jsonl").read_text().splitlines()]
    assert [(note["prompt"], note["index"], note["reason"]) for note in notes[:-1]] == [
        ("p2", index, "content_filter") for index in range(4)
    ]
    assert asked == 3


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            (401, {}, b'{"error": {"code": "invalid_api_key", "message": "Incorrect API key provided: sk-of-th***"}}'),
            "refused the key",
        ),
        ((403, {}, b"{}"), "does not allow"),
        ((404, {}, OPENAI_NO_MODEL), "does not serve the model"),
        ((404, {}, b"not found"), "/v1"),
        ((429, {}, b'{"error": {"code": "insufficient_quota"}}'), "no credit left"),
        ((307, {"Location": "http://elsewhere/"}, b""), "redirects"),
        ((429, {"Retry-After": "86400"}, b""), "asks to wait 86,400 s"),
    ],
)
def test_what_only_a_person_can_mend_ends_the_run_at_once(
    sample: Sample, server: str, prompts: Path, tmp_path: Path, reply: Fault, said: str
) -> None:
    with proxied(server, always(reply)) as proxy:
        code, _, told = sample(proxy.url, prompts, tmp_path / "o.jsonl", "--concurrency", "1")
    assert code == 1
    assert said in told
    assert "Traceback" not in told
    assert KEY not in told
    assert len(proxy.requests) == 1


def test_a_wrong_key_is_refused_by_the_real_server(sample: Sample, server: str, prompts: Path, tmp_path: Path) -> None:
    code, _, told = sample(server, prompts, tmp_path / "o.jsonl", key="sk-wrong-but-secret")
    assert code == 1
    assert "refused the key" in told
    assert "sk-wrong" not in told
    assert not (tmp_path / "o.jsonl").exists()


def test_a_model_that_is_not_served_is_refused_before_anything_is_asked(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    code, _, told = sample(server, prompts, tmp_path / "o.jsonl", "--model", "gpt-9")
    assert code == 1
    assert "does not list the model 'gpt-9'; it lists tiny" in told


def test_a_refused_connection_is_told_with_its_address(sample: Sample, prompts: Path, tmp_path: Path) -> None:
    code, _, told = sample("http://127.0.0.1:9/v1", prompts, tmp_path / "o.jsonl")
    assert code == 1
    assert "http://127.0.0.1:9/v1 cannot be reached (Connection refused)" in told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--topic", "t"), "either --out FILE"),
        (("-k", "0"), "responses must be at least 1"),
        (("--temperature", "3"), "temperature"),
        (("--budget-cost", "1"), "price"),
        (("--rounds", "2"), "--rounds needs --every"),
        (("--every", "soon"), "length of time"),
        (("--endpoint", "ftp://x"), "http or https"),
        (("--endpoint", "http://user:pass@x/v1"), "plain address"),
    ],
)
def test_wrong_use_is_told_before_anything_happens(
    sample: Sample, prompts: Path, tmp_path: Path, more: tuple[str, ...], said: str
) -> None:
    code, _, told = sample("http://127.0.0.1:9/v1", prompts, tmp_path / "o.jsonl", *more)
    assert code == 2
    assert said in told
