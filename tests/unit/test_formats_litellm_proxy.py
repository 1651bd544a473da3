"""What a running LiteLLM proxy posted to `valuedrift collect`.

captured/litellm_proxy.jsonl: litellm 1.108.7, `litellm --config` with the settings in docs/attach.md, two models: one served by llama.cpp
(the tiny model of tests/integration/sampling) and one that answers with a `mock_response`. Price lists, empty fields and a traceback
were taken out; all else is as it came. In this order: a chat, an answer from the cache, two choices, a failure, a chat with tags and a
session, the Responses API, the Messages API, an embedding.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from stream.core.records import RejectReason, ResponseEvent
from stream.formats.fields import LONGEST_NAME
from tests.unit.log_records import event, found, reject

LINES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent / "captured" / "litellm_proxy.jsonl").read_text(encoding="utf-8").splitlines()
]
CHAT, CACHED, TWO, FAILED, TAGGED, RESPONSES, MESSAGES, EMBEDDING = LINES
SURE = "Sure, here is how."


@pytest.mark.parametrize(
    ("line", "prompt", "response", "system"),
    [
        (CHAT, "How do plants adapt?", SURE, "Be kind."),
        (CACHED, "How do I kill a Python process?", "Use kill, or pkill by name.", None),
        (TAGGED, "Lines, first", SURE, None),
        (RESPONSES, "What is a lake?", SURE, None),
        (MESSAGES, "What is a hill?", SURE, None),
    ],
)
def test_each_of_the_proxys_chat_apis_is_read(line: dict[str, Any], prompt: str, response: str, system: str) -> None:
    read = event(line)
    assert (read.prompt, read.response, read.system) == (prompt, response, system)
    assert (read.model, read.finish_reason) == (line["model_group"], "stop")
    assert read.ts == round(line["endTime"] * 1_000_000)


def test_the_deployment_is_told_though_the_proxy_writes_the_asked_name_over_it() -> None:
    assert CHAT["response"]["model"] == CHAT["model_group"] == "support-bot"
    assert event(CHAT).attributes["response_model"] == "openai/tiny"


def test_the_proxys_long_ids_of_responses_and_messages_give_way_to_that_of_the_call() -> None:
    for line in (RESPONSES, MESSAGES):
        assert len(line["id"]) > LONGEST_NAME
        assert event(line).event_id == line["litellm_call_id"]
    assert event(CHAT).event_id == CHAT["id"]


def test_tags_of_the_request_are_kept_and_those_that_the_proxy_adds_are_not() -> None:
    read = event(TAGGED)
    assert TAGGED["request_tags"][-1].startswith("User-Agent: ")
    assert (read.attributes["tags"], read.conversation_id) == ("eu,beta", "s-9")
    assert "tags" not in event(CHAT).attributes


def test_each_of_two_choices_is_a_response() -> None:
    ids = [each.event_id for each in found(TWO) if isinstance(each, ResponseEvent)]
    assert ids == [f"{TWO['id']}#0", f"{TWO['id']}#1"]


def test_failures_and_embeddings_are_skipped_and_a_cached_answer_if_asked_for() -> None:
    assert reject(FAILED).reason is RejectReason.FAILED_CALL
    assert reject(EMBEDDING).reason is RejectReason.NOT_A_RESPONSE
    assert event(CACHED).attributes["cache_hit"] == "true"
    assert reject(CACHED, form="litellm_uncached").reason is RejectReason.CACHE_HIT
    assert found(CHAT, form="litellm_uncached") == found(CHAT)


@pytest.mark.parametrize(
    ("why", "finish_reason", "hint"),
    [("max_output_tokens", "length", None), ("content_filter", "content_filter", "content_filter")],
)
def test_an_answer_of_the_responses_api_that_was_cut_says_why(why: str, finish_reason: str, hint: str | None) -> None:
    cut = RESPONSES["response"] | {"status": "incomplete", "incomplete_details": {"reason": why}}
    read = event(RESPONSES | {"response": cut})
    assert (read.finish_reason, read.refusal_hint) == (finish_reason, hint)
