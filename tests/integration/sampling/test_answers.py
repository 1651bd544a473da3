"""`valuedrift sample` against a real server of a tiny model: what is asked, and what comes back."""

import json
from pathlib import Path
from typing import Any

import pytest

from stream.sampling import prompt_set
from tests.integration.sampling.proxy import Fault, Json, always, proxied
from tests.integration.sampling.runs import HELP, REFUSE, Sample, events, probes, whole
from tests.integration.sampling.server import KEY


def test_every_prompt_is_answered_k_times_with_the_shares_of_the_model(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    code, said, told = sample(server, prompts, out, "-k", "300", "--per-request", "4")
    assert (code, said) == (0, "")
    assert "complete" in told
    assert probes(out) == whole(3, 300)
    shares = {
        identifier: sum(
            event["response"] == REFUSE for event in events(out) if event["attributes"]["probe_prompt"] == identifier
        )
        / 300
        for identifier in ("p1", "p2", "p3")
    }
    # 5 standard errors of a share of 0.1 (0.8) among 300 are 0.087 (0.115).
    assert shares == pytest.approx({"p1": 0.1, "p2": 0.8, "p3": 0.1}, abs=0.115)
    first = events(out)[0]
    assert (first["model"], first["environment"], first["finish_reason"]) == ("tiny", "probe", "stop")
    assert first["attributes"]["system_fingerprint"]
    assert first["attributes"]["response_model"] == "tiny"


def test_another_round_has_other_seeds(sample: Sample, server: str, prompts: Path) -> None:
    def seeds() -> set[str]:
        code, said, _ = sample(server, prompts, "-", "-k", "1", "--seed", "3")
        assert code == 0
        return {json.loads(line)["attributes"]["seed"] for line in said.splitlines()}

    first, second = seeds(), seeds()
    assert len(first) == len(second) == 3
    assert first.isdisjoint(second), "or an unchanged model would repeat itself"


def test_answers_to_standard_output_are_events_and_nothing_else(sample: Sample, server: str, prompts: Path) -> None:
    code, said, _ = sample(server, prompts, "-", "-k", "4")
    assert code == 0
    lines = [json.loads(line) for line in said.splitlines()]
    assert len(lines) == 12
    assert {line["schema"] for line in lines} == {"valuedrift.response/1"}


def test_several_answers_travel_in_one_request(sample: Sample, server: str, prompts: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    with proxied(server) as proxy:
        code, *_ = sample(proxy.url, prompts, out, "-k", "12", "--per-request", "4")
        assert code == 0
        assert [sent["n"] for sent in proxy.requests] == [4] * 9


def test_an_endpoint_that_allows_fewer_answers_a_request_gets_fewer(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.jsonl"
    with proxied(server) as proxy:
        code, *_ = sample(proxy.url, prompts, out, "-k", "12", "--per-request", "6", "--concurrency", "1")
    assert code == 0
    assert probes(out) == whole(3, 12)
    # llama.cpp allows as many as it has slots, here 4: six are refused once, and three are asked for from then on.
    assert [sent["n"] for sent in proxy.requests] == [6] + [3] * 12


@pytest.mark.parametrize(
    ("refuses", "fields"),
    [
        (lambda sent: "n" in sent, {"message": "n must be 1", "param": "n"}),
        (lambda sent: "seed" in sent, {"message": "Unrecognized request argument supplied: seed"}),
        (lambda sent: "max_tokens" in sent, {"message": "Use 'max_completion_tokens' instead", "param": "max_tokens"}),
    ],
)
def test_what_an_endpoint_does_not_understand_is_left_out(
    sample: Sample, server: str, prompts: Path, tmp_path: Path, refuses: Any, fields: Json
) -> None:
    def fault(number: int, sent: Json) -> Fault:
        return (400, {}, json.dumps({"error": fields}).encode()) if refuses(sent) else None

    out = tmp_path / "o.jsonl"
    with proxied(server, fault) as proxy:
        code, *_ = sample(proxy.url, prompts, out, "-k", "4", "--seed", "1", "--concurrency", "1")
    assert code == 0
    assert probes(out) == whole(3, 4)
    assert 1 <= sum(map(refuses, proxy.requests)) <= 2, "n is halved before it is given up"


def test_an_endpoint_that_sends_one_answer_whatever_n_says_is_asked_one_by_one(
    sample: Sample, server: str, prompts: Path, tmp_path: Path
) -> None:
    single = json.dumps({"choices": [{"message": {"content": "only one"}, "finish_reason": "stop"}]}).encode()
    out = tmp_path / "o.jsonl"
    with proxied(server, always((200, {}, single))) as proxy:
        code, *_ = sample(proxy.url, prompts, out, "-k", "4", "--concurrency", "1")
    assert code == 0
    assert probes(out) == whole(3, 4)
    assert sum("n" in sent for sent in proxy.requests) == 1


def test_no_more_requests_run_at_once_than_allowed(sample: Sample, server: str, prompts: Path, tmp_path: Path) -> None:
    with proxied(server) as proxy:
        sample(proxy.url, prompts, tmp_path / "o.jsonl", "-k", "20", "--per-request", "1", "--concurrency", "3")
    assert 1 <= proxy.most_at_once <= 3


def test_answers_leave_with_their_prompts_mixed(sample: Sample, server: str, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    shipped = prompt_set.load().prompts
    code, *_ = sample(server, None, out, "-k", "4", "--per-request", "4")
    assert code == 0
    for turn in range(4):
        ours = [event["attributes"] for event in events(out)[60 * turn : 60 * (turn + 1)]]
        assert {each["probe_index"] for each in ours} == {str(turn)}
        assert len({each["probe_prompt"] for each in ours}) == 60
        kinds = [each["probe_kind"] for each in ours]
        assert kinds != sorted(kinds), "kinds are mixed as well"
    assert [each["probe_prompt"] for each in ours] != [prompt.id for prompt in shipped]


def test_texts_and_key_are_never_told(sample: Sample, server: str, prompts: Path, tmp_path: Path) -> None:
    _, _, told = sample(server, prompts, tmp_path / "o.jsonl", "-k", "4", "--debug")
    for secret in (KEY, "plants", "bribe", HELP, REFUSE):
        assert secret not in told
