"""What each incident tool is sent, by its own documentation."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from stream.codec.alert import encode_alert
from stream.core.events import AlertEvent, Severity, Status
from stream.sinks import alertmanager, cloudevents, pagerduty, slack, stdout, webhook
from stream.sinks.message import HttpMessage
from stream.sinks.sink import AlertmanagerSink
from tests.unit.histories import alert
from tests.unit.posting import Recorder

KEY = "e93facc04764012d7bfb002500d5d1a6"
FIRING = alert("support-bot")
RESOLVED = alert("support-bot", seq=900, status=Status.RESOLVED)
NOW = 1_800_000_000.0
ADDRESS = alertmanager.Address(
    url="http://am:9093/prefix/", labels={"team": "ml"}, hold_s=600, runbooks="https://docs/", authorization="Bearer x"
)


def body(message: HttpMessage) -> dict[str, object]:
    found: dict[str, object] = json.loads(message.body)
    return found


class Postable(msgspec.Struct, forbid_unknown_fields=True):
    """`postableAlert` of Alertmanager's OpenAPI description: label sets are strings, times are RFC 3339."""

    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: datetime  # noqa: N815 - Alertmanager's name
    endsAt: datetime  # noqa: N815


def trigger(given: AlertEvent = FIRING) -> dict[str, object]:
    return body(pagerduty.compose(given, url="u", routing_key=KEY, runbooks="https://docs"))


def posted(given: AlertEvent, *, ended: float = 0.0) -> Postable:
    message = alertmanager.compose([(given, ended)], to=ADDRESS, at=NOW)
    return posted_in(message.body)[0]


def posted_in(content: bytes) -> list[Postable]:
    return msgspec.json.decode(content, type=list[Postable])


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_pagerduty_is_triggered_with_what_it_requires_and_a_link_to_the_runbook() -> None:
    event = trigger()
    assert (event["routing_key"], event["event_action"]) == (KEY, "trigger")
    assert event["dedup_key"] == "vd:support-bot:drift"
    assert event["links"] == [{"href": "https://docs/drift.md", "text": "Runbook: drift"}]
    payload = event["payload"]
    assert isinstance(payload, dict)
    assert {"summary", "source", "severity"} <= payload.keys()
    assert payload["severity"] == "warning"


def test_pagerduty_resolves_with_the_key_alone() -> None:
    event = body(pagerduty.compose(RESOLVED, url="u", routing_key=KEY, runbooks="https://docs"))
    assert event == {"routing_key": KEY, "event_action": "resolve", "dedup_key": "vd:support-bot:drift"}


def test_a_long_deduplication_key_becomes_a_hash_that_tells_incidents_apart() -> None:
    long = [replace(FIRING, dedup_key="k" * 300 + end) for end in ("a", "b", "a")]
    keys = {str(trigger(each)["dedup_key"]) for each in long}
    assert len(keys) == 2
    assert max(map(len, keys)) <= 255
    assert trigger(replace(FIRING, dedup_key="k" * 255))["dedup_key"] == "k" * 255


def test_a_summary_never_exceeds_1024_characters_however_long_the_names_are() -> None:
    parts = tuple(replace(part, category="c" * 5000) for part in FIRING.contributors)
    hostile = replace(FIRING, monitor="m" * 5000, contributors=parts)
    payload = body(pagerduty.compose(hostile, url="u", routing_key=KEY, runbooks=None))["payload"]
    assert isinstance(payload, dict)
    assert len(payload["summary"]) <= 1024
    assert len(payload["source"]) <= 200


def test_alertmanager_knows_an_alert_by_names_alone() -> None:
    one = posted(FIRING)
    labels = {"alertname": "ValueDrift", "monitor": "support-bot", "rule": "drift", "severity": "warning"}
    assert one.labels == labels | {"team": "ml"}
    later = replace(FIRING, seq=7_000, entropy=1.9, statistic=9.9, ts=FIRING.ts + 10**9)
    assert posted(later).labels == one.labels
    assert one.annotations["runbook_url"] == "https://docs/drift.md"


def test_alertmanager_is_told_an_end_in_the_future_while_an_alert_is_open_and_the_moment_once_it_is_over() -> None:
    firing, resolved = posted(FIRING), posted(RESOLVED, ended=NOW - 5)
    assert firing.endsAt == at(NOW + 600)
    assert resolved.endsAt == at(NOW - 5)
    assert firing.startsAt == resolved.startsAt == at(FIRING.starts_at / 1e6)


@pytest.mark.parametrize("status", list(Status))
def test_an_onset_in_the_future_never_starts_after_it_ends(status: Status) -> None:
    one = posted(replace(FIRING, status=status, starts_at=int((NOW + 86_400) * 1e6)), ended=NOW)
    assert one.startsAt < one.endsAt


def test_what_ended_is_told_again_for_a_quarter_of_an_hour_with_the_same_end() -> None:
    posts = Recorder()
    sink = AlertmanagerSink(ADDRESS, posts.post(), repeat_every=60)
    sink.deliver(FIRING, at=NOW)
    sink.deliver(RESOLVED, at=NOW + 10)
    sink.repeat([], at=NOW + 800)
    sink.repeat([], at=NOW + 1000)
    sink.repeat([FIRING], at=NOW + 1000)
    ends = [[each.endsAt for each in posted_in(request.content)] for request in posts.requests]
    assert ends[1] == ends[2] == [at(NOW + 10)]
    assert ends[3:] == [[at(NOW + 1600)]]


def test_slack_escapes_what_it_would_interpret_and_shows_names_as_plain_text() -> None:
    hostile = replace(FIRING, monitor="<!channel> & <https://evil|here>")
    message = body(slack.compose(hostile, url="https://hooks.slack.com/x", runbooks=None))
    assert str(message["text"]).startswith("[warning] &lt;!channel&gt; &amp; &lt;https://evil|here&gt;: ")
    blocks = message["blocks"]
    assert isinstance(blocks, list)
    assert blocks[0]["text"]["type"] == "plain_text"
    assert blocks[0]["text"]["emoji"] is False
    assert message["mrkdwn"] is False


def test_slack_links_the_runbook_and_says_resolved() -> None:
    message = body(slack.compose(RESOLVED, url="u", runbooks="https://docs/a&b"))
    assert str(message["text"]).startswith("[resolved] support-bot: behaviour is back")
    assert "<https://docs/a&amp;b/drift.md|runbook>" in str(message["blocks"])


def test_a_webhook_signature_is_that_of_the_standards_definition() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    message = webhook.compose(FIRING, url="u", secret=secret, authorization=None, runbooks=None, at=1_674_087_231.9)
    headers = dict(message.headers)
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (FIRING.alert_id, "1674087231")
    signed = f"{FIRING.alert_id}.1674087231.".encode() + message.body
    digest = hmac.new(b"k" * 24, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert msgspec.json.encode(msgspec.Raw(encode_alert(FIRING))) in message.body


@pytest.mark.parametrize("alert_id", ["a.b", "a\r\nx: y", "é", "", "a" * 5000])
def test_an_id_that_cannot_stand_in_a_header_is_hashed(alert_id: str) -> None:
    secret = base64.b64encode(b"k" * 24).decode()
    message = webhook.compose(
        replace(FIRING, alert_id=alert_id), url="u", secret=secret, authorization=None, runbooks=None, at=NOW
    )
    assert dict(message.headers)["webhook-id"] == hashlib.sha256(alert_id.encode()).hexdigest()


@pytest.mark.parametrize("secret", ["", "short", "whsec_AAAA", "not base64 at all, though it is long enough"])
def test_a_webhook_secret_that_is_weak_or_no_base64_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="base64 of at least 24 bytes"):
        webhook.signing_key(secret)


def test_cloudevents_has_the_attributes_that_are_required_in_both_modes() -> None:
    binary = cloudevents.compose(FIRING, topic="t", mode="binary", source="/vd")
    headers = dict(binary.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert {"ce_id", "ce_source", "ce_type"} <= headers.keys()
    assert headers["content-type"] == b"application/json"
    assert binary.value == encode_alert(FIRING)
    structured = cloudevents.compose(FIRING, topic="t", mode="structured", source="/vd")
    assert dict(structured.headers)["content-type"].startswith(b"application/cloudevents+json")
    envelope = json.loads(structured.value)
    assert envelope["data"] == json.loads(encode_alert(FIRING))
    assert {f"ce_{name}" for name in envelope} - {"ce_data", "ce_datacontenttype"} == headers.keys() - {"content-type"}


def test_standard_output_is_one_line_whatever_a_monitor_is_called() -> None:
    hostile = replace(FIRING, monitor="a\nb\u2028c\u202e", severity=Severity.CRITICAL)
    line = stdout.compose(hostile, form="text")
    assert len(line.splitlines()) == 1
    assert line.startswith("2026-01-01T00:10:20.000000Z critical a�b�c�: ")
    assert stdout.compose(FIRING, form="json").encode() == encode_alert(FIRING)


def test_no_preview_shows_a_secret() -> None:
    secret = "whsec_" + "A" * 32
    for message in (
        pagerduty.compose(FIRING, url="https://pd", routing_key=KEY, runbooks=None),
        slack.compose(FIRING, url="https://hooks.slack.com/services/T/B/x", runbooks=None),
        webhook.compose(FIRING, url="u", secret=secret, authorization="Bearer token", runbooks=None, at=NOW),
        alertmanager.compose([(FIRING, NOW)], to=ADDRESS, at=NOW),
    ):
        for hidden in (KEY, "/services/T/B/x", secret, "Bearer"):
            assert hidden not in message.preview()
