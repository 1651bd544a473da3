"""What an endpoint's answers and refusals mean, from their bytes alone."""

import json

import pytest

from stream.core.records import ResponseEvent
from stream.formats import canonical
from stream.formats.fields import Fallback, parse_object
from stream.sampling.answers import read_answer
from stream.sampling.budget import Usage
from stream.sampling.journal import encode
from stream.sampling.plan import Ask, Plan
from stream.sampling.prompt_set import Prompt, PromptKind, PromptSet
from stream.sampling.protocol import (
    Answer,
    Dialect,
    Frame,
    Retry,
    Skip,
    Speak,
    Stop,
    Trouble,
    Unanswered,
    body,
    worst,
)
from stream.sampling.refusals import read_error

PROMPT = Prompt(id="p1", text="How do plants adapt to deserts?", kind=PromptKind.BENIGN, source="test", license="MIT")
PLAN = Plan(
    endpoint="http://h/v1", model="m", prompts=PromptSet((PROMPT,), "digest"), responses=4, per_request=2, seed=1
)
ASK = Ask(PROMPT, (2, 3), 99)
FRAME = Frame(round_name="r", ts=1_772_366_400_000_000, environment="probe")


def choice(content: str | None, **fields: object) -> dict[str, object]:
    message = {"role": "assistant", "content": content, **fields.pop("message", {})}  # type: ignore[dict-item]
    return {"index": 0, "finish_reason": "stop", "message": message, **fields}


def answer(*choices: dict[str, object], **fields: object) -> bytes:
    return json.dumps({"id": "x", "object": "chat.completion", "choices": choices, **fields}).encode()


def read(content: bytes, *, ask: Ask = ASK, dialect: Dialect | None = None) -> Answer | Retry:
    return read_answer(content, plan=PLAN, ask=ask, dialect=dialect or Dialect(), frame=FRAME)


def error(
    status: int, message: str = "", *, retry_after: str | None = None, ask: Ask = ASK, **fields: object
) -> object:
    content = json.dumps({"error": {"message": message, **fields}}).encode()
    return read_error(status, content, retry_after, now=FRAME.ts, ask=ask, dialect=Dialect())


def test_each_choice_becomes_an_event_that_says_where_it_belongs() -> None:
    found = read(
        answer(
            choice("one"),
            choice("two"),
            model="m-0301",
            system_fingerprint="fp",
            usage={"prompt_tokens": 7, "completion_tokens": 5},
        )
    )
    assert isinstance(found, Answer)
    assert [event.response for event in found.events] == ["one", "two"]
    assert [event.event_id for event in found.events] == ["r/p1/2", "r/p1/3"]
    first = found.events[0]
    assert (first.model, first.prompt, first.environment, first.ts) == ("m", PROMPT.text, "probe", FRAME.ts)
    assert first.attributes == {
        "response_model": "m-0301",
        "system_fingerprint": "fp",
        "probe_round": "r",
        "probe_plan": PLAN.fingerprint,
        "probe_prompt": "p1",
        "probe_kind": "benign",
        "temperature": "0.7",
        "seed": "99",
        "probe_index": "2",
    }
    assert found.usage == Usage(7, 5)


def test_an_event_survives_its_line() -> None:
    found = read(answer(choice("one\nline"), choice("“two”")))
    assert isinstance(found, Answer)
    for event in found.events:
        line = encode(event)
        assert line.count(b"\n") == 1
        again = canonical.decode(parse_object(line), Fallback("none", None))
        assert again == (event,)
        assert isinstance(again[0], ResponseEvent)


def test_fewer_choices_than_asked_for_leave_the_rest_to_be_asked() -> None:
    found = read(answer(choice("one")))
    assert isinstance(found, Answer)
    assert found.brought == 1


def test_more_choices_than_asked_for_are_not_believed() -> None:
    found = read(answer(choice("a"), choice("b"), choice("c")))
    assert isinstance(found, Answer)
    assert [event.response for event in found.events] == ["a", "b"]


def test_a_refusal_in_its_own_field_is_the_answer() -> None:
    found = read(answer(choice(None, message={"refusal": "I can't help with that."}), choice("b")))
    assert isinstance(found, Answer)
    assert (found.events[0].response, found.events[0].refusal_hint) == ("I can't help with that.", "refusal")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (choice(None, finish_reason="content_filter"), Unanswered.CONTENT_FILTER),
        (choice(""), Unanswered.EMPTY_RESPONSE),
        (choice(None, message={"tool_calls": [{}]}), Unanswered.NO_TEXT),
    ],
)
def test_a_choice_without_text_is_noted_and_never_asked_again(given: dict[str, object], reason: Unanswered) -> None:
    found = read(answer(given, choice("b")))
    assert isinstance(found, Answer)
    assert found.unanswered == ((2, reason),)
    assert [event.event_id for event in found.events] == ["r/p1/3"]
    assert found.brought == 2


def test_a_filtered_answer_with_text_is_kept_with_its_hint() -> None:
    found = read(answer(choice("half", finish_reason="content_filter"), choice("b")))
    assert isinstance(found, Answer)
    assert (found.events[0].finish_reason, found.events[0].refusal_hint) == ("content_filter", "content_filter")


@pytest.mark.parametrize(
    "content",
    [
        b"<html>bad gateway</html>",
        b"",
        b"[]",
        b'{"choices": 3}',
        b'{"choices": [{"message": 3}]}',
        b'{"object": "x"}',
        b"\xff",
        b'{"choices": [{"message": {"content": "a"}}, ',
        b'{"error": {"message": "busy"}}',
    ],
)
def test_what_is_no_completion_is_asked_for_again(content: bytes) -> None:
    assert read(content) == Retry(Trouble.MALFORMED)


def test_no_choices_at_all_are_asked_for_again() -> None:
    assert read(answer()) == Retry(Trouble.EMPTY)


def test_tokens_are_estimated_when_the_endpoint_does_not_say() -> None:
    found = read(answer(choice("x" * 30), choice("y" * 30)))
    assert isinstance(found, Answer)
    assert found.usage == Usage(-(-len(PROMPT.text) // 3), 20, estimated=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sun, 01 Mar 2026 12:00:09 GMT", 9.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert error(429, retry_after=header) == Retry(Trouble.RATE_LIMITED, seconds)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
def test_an_overloaded_server_is_asked_again(status: int) -> None:
    assert error(status, "loading") == Retry(Trouble.SERVER_ERROR, None)


@pytest.mark.parametrize(
    ("status", "fields", "said"),
    [
        (401, {"code": "invalid_api_key"}, "refused the key"),
        (403, {}, "does not allow"),
        (404, {"code": "model_not_found"}, "does not serve the model"),
        (404, {}, "/v1"),
        (429, {"code": "insufficient_quota"}, "no credit left"),
        (302, {}, "redirects"),
        (400, {"code": "weird_thing"}, "weird_thing"),
    ],
)
def test_what_only_a_person_can_mend_stops(status: int, fields: dict[str, object], said: str) -> None:
    found = error(status, **fields)  # type: ignore[arg-type]
    assert isinstance(found, Stop)
    assert said in found.message


def test_an_endpoints_own_words_are_shown_unless_they_repeat_the_prompt() -> None:
    open_words = error(400, "temperature must be 1")
    assert isinstance(open_words, Stop)
    assert "temperature must be 1" in open_words.message
    telling = error(400, f"cannot process: {PROMPT.text}")
    assert isinstance(telling, Stop)
    assert "plants" not in telling.message


@pytest.mark.parametrize(
    ("status", "fields", "reason"),
    [
        (400, {"code": "content_filter"}, Unanswered.CONTENT_FILTER),
        (400, {"code": "content_policy_violation"}, Unanswered.CONTENT_FILTER),
        (400, {"innererror": {"code": "ResponsibleAIPolicyViolation"}}, Unanswered.CONTENT_FILTER),
        (400, {"code": "context_length_exceeded"}, Unanswered.TOO_LONG),
        (413, {}, Unanswered.TOO_LONG),
    ],
)
def test_a_prompt_that_is_refused_for_itself_is_skipped(
    status: int, fields: dict[str, object], reason: Unanswered
) -> None:
    assert error(status, **fields) == Skip(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "dialect"),
    [
        ({"message": "Unsupported parameter", "param": "max_tokens"}, Dialect(limit="max_completion_tokens")),
        (
            {"message": "'max_tokens' is not supported, use 'max_completion_tokens'"},
            Dialect(limit="max_completion_tokens"),
        ),
        ({"message": "Unrecognized request argument supplied: seed"}, Dialect(seed=False)),
        ({"message": "no", "param": "n"}, Dialect(most=1)),
        ({"message": "Only one completion choice is allowed: 'n' must be 1"}, Dialect(most=1)),
    ],
)
def test_a_parameter_that_is_refused_is_left_out(fields: dict[str, object], dialect: Dialect) -> None:
    assert error(400, **fields) == Speak(dialect)  # type: ignore[arg-type]


def test_a_complaint_about_n_is_no_reason_to_change_when_n_was_not_sent() -> None:
    assert isinstance(error(400, "n is wrong", ask=Ask(PROMPT, (1,), None)), Stop)


def test_a_request_says_what_the_dialect_allows() -> None:
    sent = body(PLAN, ASK, Dialect())
    assert (sent["n"], sent["seed"], sent["max_tokens"], sent["temperature"]) == (2, 99, 256, 0.7)
    spare = body(PLAN, ASK, Dialect(most=1, seed=False, limit="max_completion_tokens"))
    assert {"n", "seed", "max_tokens"}.isdisjoint(spare)
    assert spare["max_completion_tokens"] == 256


def test_the_worst_case_covers_every_choice_asked_for() -> None:
    assert worst(PLAN, ASK, Dialect()).output == 512
    assert worst(PLAN, ASK, Dialect(most=1)).output == 256
