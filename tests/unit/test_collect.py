"""The HTTP collector: what it takes, what it refuses, and that it answers only when its sender is done."""

import asyncio
import gzip
import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from stream import collect
from stream.collect import Posted, TooLargeError, application, require_token
from stream.errors import BrokerError, SettingsError
from tests.unit.test_formats_litellm import PAYLOAD

CHAT = {"prompt": "Hello!", "response": "Hi.", "model": "m"}
FAILURE = PAYLOAD | {"status": "failure"}


class Kafka:
    """Takes what is sent, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.taken: list[Posted] = []
        self.error = error

    def __call__(self, records: Sequence[Posted]) -> None:
        if self.error:
            raise self.error
        self.taken += records


def post(kafka: Kafka, body: object, *, token: str | None = None, path: str = "/", **headers: str) -> tuple[int, Any]:
    """Posts to a collector; the status and the answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"Content-Type": "application/json"} | named

    async def run() -> tuple[int, Any]:
        app = application(kafka, monitor_by=("model",), token=SecretStr(token) if token else None)
        async with TestClient(TestServer(app)) as client, client.post(path, data=content, headers=sent) as answer:
            return answer.status, json.loads(await answer.text())

    return asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/v1/logs", "/litellm"])
def test_one_object_is_taken_as_it_is_keyed_by_monitor(path: str) -> None:
    kafka = Kafka()
    assert post(kafka, CHAT, path=path) == (200, {"accepted": 1, "unreadable": 0})
    assert kafka.taken == [Posted(b"m", json.dumps(CHAT).encode(), ())]


def test_litellm_posts_arrays_and_may_post_lines() -> None:
    kafka = Kafka()
    assert post(kafka, [PAYLOAD, FAILURE])[1] == {"accepted": 2, "unreadable": 0}
    lines = "\n".join(map(json.dumps, [PAYLOAD, {"what": "?"}])).encode()
    assert post(kafka, lines, Content_Type="application/x-ndjson")[1] == {"accepted": 2, "unreadable": 1}
    assert post(kafka, lines)[1] == {"accepted": 2, "unreadable": 1}  # as LiteLLM calls them with log_format ndjson
    assert [each.key for each in kafka.taken] == [b"gpt-4o", None] * 3
    assert json.loads(kafka.taken[1].value) == FAILURE


def test_cloud_events_keep_their_attributes() -> None:
    kafka = Kafka()
    status, _ = post(kafka, CHAT, Ce_Specversion="1.0", Ce_Id="e-1", Ce_Source="/s", Ce_Type="t")
    assert status == 200
    assert ("ce_id", b"e-1") in kafka.taken[0].headers
    assert ("ce_specversion", b"1.0") in kafka.taken[0].headers


def test_a_packed_body_is_unpacked() -> None:
    kafka = Kafka()
    body = gzip.compress(json.dumps(CHAT).encode())
    assert post(kafka, body, Content_Encoding="gzip")[0] == 200
    assert json.loads(kafka.taken[0].value) == CHAT


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{", {}, 400, "no JSON"),
        (b"", {}, 400, "no JSON"),
        ([], {}, 400, "no record"),
        (b'{"a": 1}\n{', {"Content_Type": "application/x-ndjson"}, 400, "no JSON"),
        (b'{"a": 1}\n{', {}, 400, "no JSON"),
        (b'{"a": 1} {"a": 2}', {}, 400, "no JSON"),
        ({"message": "started"}, {}, 422, "nothing was taken"),
        (CHAT, {"Content_Type": "text/plain"}, 415, "send JSON"),
        (CHAT, {"Host": "evil.example"}, 403, "only this machine"),
    ],
)
def test_what_is_refused_says_why_and_sends_nothing(
    body: object, headers: dict[str, str], status: int, words: str
) -> None:
    kafka = Kafka()
    code, answer = post(kafka, body, **headers)
    assert code == status
    assert words in answer["error"]
    assert kafka.taken == []


def test_what_cannot_be_read_is_told_with_its_reasons() -> None:
    _, answer = post(Kafka(), {"prompt": "p", "model": "m"})
    assert answer["reasons"] == ["missing_field: response"]


def test_a_token_is_demanded_where_there_is_one() -> None:
    kafka = Kafka()
    assert post(kafka, CHAT, token="s3cret")[0] == 401
    assert post(kafka, CHAT, token="s3cret", Authorization="Bearer wrong")[0] == 401
    assert kafka.taken == []
    assert post(kafka, CHAT, token="s3cret", Authorization="Bearer s3cret", Host="any.example")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "collector.example"])  # noqa: S104 - that is the point
def test_others_may_post_only_with_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="set a token"):
        require_token(host, None)
    require_token(host, SecretStr("s3cret"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_needs_no_token(host: str) -> None:
    require_token(host, None)


def test_kafkas_refusals_are_told() -> None:
    assert post(Kafka(BrokerError("Kafka is away")), CHAT) == (503, {"error": "Kafka is away"})
    assert post(Kafka(TooLargeError()), CHAT)[0] == 413


def test_a_body_above_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_BODY", 1000)

    async def run() -> int:
        app = application(Kafka(), monitor_by=("model",), token=None)
        async with (
            TestClient(TestServer(app)) as client,
            client.post("/", json=CHAT | {"response": "x" * 2000}) as answer,
        ):
            return answer.status

    assert asyncio.run(run()) == 413


def test_the_answer_waits_for_kafka_and_too_many_posts_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_AT_ONCE", 1)
    held, entered = threading.Event(), threading.Event()

    def send(_: Sequence[Posted]) -> None:
        entered.set()
        assert held.wait(10)

    async def run() -> tuple[bool, int, int]:
        app = application(send, monitor_by=("model",), token=None)
        async with TestClient(TestServer(app)) as client:
            first = asyncio.ensure_future(client.post("/", json=CHAT))
            await asyncio.to_thread(entered.wait, 10)
            async with client.post("/", json=CHAT) as second:
                waiting, status = first.done(), second.status
            held.set()
            async with await first as answer:
                return waiting, status, answer.status

    assert asyncio.run(run()) == (False, 503, 200)
