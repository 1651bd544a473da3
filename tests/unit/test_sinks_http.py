"""An answer decides: delivered, later, or never; nothing that is said shows a secret."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest

from stream.sinks.http import retry_after
from stream.sinks.message import HttpMessage
from stream.sinks.outcome import Delivered, Later, Outcome, Refused
from tests.unit.posting import Answer, Recorder

MESSAGE = HttpMessage("https://example.com/secret-path", b"{}", secrets=("secret-path",))


def outcome(answer: Answer) -> Outcome:
    return Recorder(answer).post().send(MESSAGE)


@pytest.mark.parametrize("code", [200, 202, 204])
def test_any_success_is_delivered(code: int) -> None:
    assert outcome(lambda _: httpx.Response(code)) == Delivered()


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_for_later(code: int) -> None:
    assert isinstance(outcome(lambda _: httpx.Response(code)), Later)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 413, 422])
def test_what_will_not_pass_is_refused(code: int) -> None:
    assert isinstance(outcome(lambda _: httpx.Response(code)), Refused)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(code: int) -> None:
    recorder = Recorder(lambda _: httpx.Response(code, headers={"location": "http://169.254.169.254/"}))
    found = recorder.post().send(MESSAGE)
    assert isinstance(found, Refused)
    assert "redirect" in found.why
    assert len(recorder.requests) == 1


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("x"), httpx.ConnectError("secret-path"), httpx.RemoteProtocolError("reset")]
)
def test_network_errors_are_for_later_and_quote_no_secret(error: httpx.TransportError) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    found = outcome(fail)
    assert isinstance(found, Later)
    assert "secret-path" not in found.why


def test_what_is_quoted_of_an_answer_is_short_on_one_line_and_shows_no_secret() -> None:
    found = outcome(lambda _: httpx.Response(400, text="no\n\x1b[31m secret-path " + "x" * 10_000))
    assert isinstance(found, Refused)
    assert found.why.startswith("answered 400: no [31m *** xxx")
    assert found.why.isprintable()
    assert len(found.why) < 400


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 1000

    assert isinstance(outcome(lambda _: httpx.Response(500, content=endless())), Later)
    assert read < 10


def test_retry_after_is_honoured_as_seconds_and_as_a_date_but_not_for_ever() -> None:
    at = datetime(2027, 1, 15, 8, tzinfo=UTC)
    date = format_datetime(at.replace(minute=2), usegmt=True)
    assert retry_after("30", now=at.timestamp()) == 30
    assert retry_after(date, now=at.timestamp()) == 120
    assert retry_after(date, now=at.timestamp() + 600) == 0
    assert retry_after("999999999", now=0) == 900
    assert [retry_after(each, now=0) for each in (None, "", "-5", "soon")] == [None] * 4
    asked = outcome(lambda _: httpx.Response(429, headers={"retry-after": "7"}))
    assert isinstance(asked, Later)
    assert asked.wait == 7
