"""`valuedrift notify` against a real Kafka, and receivers that check what they are sent and fail as receivers do."""

from dataclasses import replace
from itertools import pairwise

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from stream.codec.alert import encode_alert
from stream.config import KafkaSettings
from stream.core.events import Rule, Severity
from stream.kafka.read import read_topic
from tests.integration.conftest import MakeTopic
from tests.integration.notifying import (
    FIRING,
    KEY,
    PAGERDUTY,
    RESOLVED,
    SLACK,
    STDOUT,
    WEBHOOK,
    configure,
    once,
    prepare,
    send,
    undelivered,
)
from tests.integration.processes import valuedrift
from tests.integration.receivers import ROUTING_KEY, SLACK_PATH, WEBHOOK_SECRET, Tools, reset, slow, status
from tests.unit.histories import alert


@pytest.fixture
def env(environment: dict[str, str], kafka: KafkaSettings, tools: Tools) -> dict[str, str]:
    return prepare(kafka, environment, tools)


def test_one_incident_opens_and_closes_everywhere_and_running_again_tells_nothing_again(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY + SLACK + WEBHOOK + STDOUT, tools)
    send(kafka, FIRING)
    done = once(env)
    assert done.returncode == 0, done.stderr
    assert (tools.opened, tools.open_now) == ({KEY: 1}, {KEY})
    assert b"warning  support-bot: refusals of benign requests grew from 10 % to 35 %" in done.stdout
    assert once(env).stdout == b""
    send(kafka, RESOLVED, RESOLVED)  # the worker may write a record twice
    assert once(env).returncode == 0
    assert (tools.opened, tools.open_now) == ({KEY: 1}, set())
    paths = sorted(request.path for request in tools.requests)
    assert paths == ["/hook", "/hook", SLACK_PATH, SLACK_PATH, "/v2/enqueue", "/v2/enqueue"]
    for secret in (ROUTING_KEY, SLACK_PATH, WEBHOOK_SECRET):
        assert secret.encode() not in done.stderr + done.stdout


def test_errors_resets_and_silence_are_retried_until_the_one_page_is_there(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY, tools)
    send(kafka, FIRING)
    tools.faults.extend([status(500), reset, slow, status(429, retry_after="2")])
    done = once(env)
    assert done.returncode == 0, done.stderr
    assert tools.opened == {KEY: 1}
    assert len(tools.requests) == 5
    assert tools.requests[4].at - tools.requests[3].at >= 2
    assert undelivered(kafka, env) == []


def test_a_receiver_that_is_down_holds_up_no_other(kafka: KafkaSettings, env: dict[str, str], tools: Tools) -> None:
    down = PAGERDUTY.replace("{url}", "http://127.0.0.1:1") + "give_up_after_s = 4\n"
    configure(down + SLACK, tools)
    send(kafka, FIRING)
    done = once(env)
    assert [request.path for request in tools.accepted] == [SLACK_PATH]
    assert done.returncode == 1
    [record] = undelivered(kafka, env)
    assert dict(record.headers)["valuedrift.receiver"] == b"oncall"
    assert b"the connection failed" in dict(record.headers)["valuedrift.why"]


def test_what_was_refused_lies_among_the_undelivered_and_is_told_after_the_repair_if_it_is_still_open(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY, tools)
    over = alert("sales-bot")
    send(kafka, FIRING, over, replace(RESOLVED, monitor="sales-bot", dedup_key=over.dedup_key, alert_id="b" * 16))
    wrong = "0" * 32
    done = once(env | {"PAGERDUTY_KEY": wrong})
    assert done.returncode == 1
    assert wrong.encode() not in done.stderr
    buried = undelivered(kafka, env)
    assert {record.key for record in buried} == {b"support-bot"}  # a new receiver is told what is open, not the past
    assert [record.value for record in buried] == [encode_alert(FIRING)]
    assert dict(buried[0].headers)["valuedrift.why"].startswith(b"answered 400")
    assert once(env).returncode == 0
    assert tools.opened == {KEY: 1}


def test_a_redirect_is_not_followed(kafka: KafkaSettings, env: dict[str, str], tools: Tools) -> None:
    configure(WEBHOOK, tools)
    send(kafka, FIRING)
    tools.faults.append(status(307, location=f"{tools.url}/sink"))
    assert once(env).returncode == 1
    assert [request.path for request in tools.requests] == ["/hook"]
    assert b"redirect" in dict(undelivered(kafka, env)[0].headers)["valuedrift.why"]


def test_a_replay_pages_nobody_unless_asked(kafka: KafkaSettings, env: dict[str, str], tools: Tools) -> None:
    configure(PAGERDUTY + SLACK + WEBHOOK + STDOUT, tools)
    send(kafka, replace(FIRING, replay=True))
    done = once(env)
    assert (done.returncode, done.stdout, tools.requests) == (0, b"", [])
    send(kafka, replace(FIRING, replay=True), FIRING)
    assert once(env, "--page-replays").returncode == 0
    assert tools.opened == {KEY: 1, f"replay:{KEY}": 1}


def test_what_is_for_this_machine_goes_past_a_proxy_and_messages_keep_their_distance(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(SLACK, tools)
    send(kafka, alert("a"), alert("b"), alert("c"))
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
    assert once({**env, **proxies, "NO_PROXY": "", "no_proxy": ""}).returncode == 0
    times = [request.at for request in tools.accepted]
    assert len(times) == 3
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.95  # Slack takes one a second


def test_a_receiver_hears_only_what_is_routed_to_it_and_the_end_of_it(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY + 'monitors = ["support-*"]\nrules = ["drift"]\nseverities = ["critical"]\n', tools)
    page = replace(alert("support-eu"), severity=Severity.CRITICAL)
    send(
        kafka,
        alert("support-us"),
        replace(alert("sales-bot"), severity=Severity.CRITICAL),
        replace(alert("support-x"), severity=Severity.CRITICAL, rule=Rule.TRAFFIC_MIX),
        page,
    )
    once(env)
    assert tools.opened == {page.dedup_key: 1}
    end = replace(RESOLVED, monitor="support-eu", dedup_key=page.dedup_key, severity=Severity.INFO)
    send(kafka, end)
    once(env)
    assert tools.open_now == set()


def test_an_unreadable_record_is_set_aside_and_the_next_alert_is_told(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY, tools)
    assert once(env).returncode == 0  # the receiver is known from now on
    send(kafka, b"{", b'{"schema":"valuedrift.alert/2"}', FIRING)
    done = once(env)
    assert done.returncode == 1
    assert tools.opened == {KEY: 1}
    assert sorted(record.value or b"" for record in undelivered(kafka, env)) == [
        b"{",
        b'{"schema":"valuedrift.alert/2"}',
    ]


def test_hostile_names_neither_ping_a_channel_nor_exceed_a_limit(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY + SLACK + WEBHOOK, tools)
    name = "<!channel> *x* <https://evil.example|click> \u202e" + "😀" * 2000
    hostile = replace(FIRING, monitor=name, dedup_key=f"vd:{name}:drift", examples=("e" * 5000,) * 100)
    send(kafka, hostile)
    done = once(env)
    assert done.returncode == 0, done.stderr
    assert len(tools.accepted) == 3
    [message] = tools.bodies(SLACK_PATH)
    assert "&lt;!channel&gt;" in str(message["text"])
    assert "<" not in str(message["text"])
    [event] = tools.bodies("/v2/enqueue")
    assert len(str(event["dedup_key"])) <= 255


def test_a_webhook_carries_the_whole_record_and_a_signature_that_the_standard_library_verifies(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure("[notify]\nrunbooks = 'https://docs.example/runbooks/'\n" + WEBHOOK, tools)
    send(kafka, FIRING)
    assert once(env).returncode == 0
    [request] = tools.accepted  # the server verifies with the standardwebhooks package
    assert request.headers["webhook-id"] == FIRING.alert_id
    body = tools.bodies("/hook")[0]
    assert (body["type"], body["runbook"]) == ("valuedrift.alert.firing", "https://docs.example/runbooks/drift.md")
    assert encode_alert(FIRING) in request.body
    tools.accepted.clear()
    send(kafka, RESOLVED)
    once(env | {"HOOK_SECRET": "whsec_" + "A" * 32})
    assert tools.accepted == []


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_cloudevents_sdk_reads_what_is_written(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools, make_topic: MakeTopic, mode: str
) -> None:
    topic = make_topic(2)
    text = f'[[notify.receivers]]\nname = "bus"\ntype = "cloudevents"\ntopic = "{topic}"\nmode = "{mode}"\n'
    configure(text + 'source = "/prod/valuedrift"\n', tools)
    send(kafka, FIRING)
    assert once(env).returncode == 0
    [record] = read_topic(kafka, topic)
    assert record.value is not None
    event = from_kafka_event(KafkaMessage(dict(record.headers), record.key, record.value))
    assert (event.get_id(), event.get_source()) == (FIRING.alert_id, "/prod/valuedrift")
    assert (event.get_type(), event.get_specversion()) == ("valuedrift.alert.firing", "1.0")
    assert (event.get_subject(), record.key) == ("support-bot", b"support-bot")
    assert event.get_datacontenttype() == "application/json"
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["alert_id"] == FIRING.alert_id
    if mode == "binary":
        assert record.value == encode_alert(FIRING)


def test_a_dry_run_shows_every_request_masks_secrets_and_sends_and_remembers_nothing(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools
) -> None:
    configure(PAGERDUTY + SLACK + WEBHOOK + STDOUT, tools)
    send(kafka, FIRING, RESOLVED)
    bare = {name: value for name, value in env.items() if name not in ("PAGERDUTY_KEY", "SLACK_URL", "HOOK_SECRET")}
    done = valuedrift("notify", "--dry-run", environment=bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": to oncall (pagerduty)") == 2
    assert b'"routing_key": "***"' in done.stdout
    assert b"POST ***" in done.stdout
    assert tools.requests == []
    assert once(env | {"VALUEDRIFT_NOTIFY__RECEIVERS": "[]"}).returncode == 1
    send(kafka, alert("support-bot", seq=950))
    assert once(env).returncode == 0
    assert tools.opened == {KEY: 1}


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("PAGERDUTY_KEY", b"receiver oncall: the environment variable PAGERDUTY_KEY is not set"),
        ("", b"nobody is to be told"),
    ],
)
def test_a_missing_secret_or_receiver_stops_the_start_and_says_what_to_do(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools, missing: str, named: bytes
) -> None:
    configure(PAGERDUTY if missing else "", tools)
    done = once({name: value for name, value in env.items() if name != missing})
    assert done.returncode == 1
    assert named in done.stderr
