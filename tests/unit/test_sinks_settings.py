"""Receivers in the settings: what is wrong is refused at the start, and no secret stands in them or in an error."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from stream.config import Settings, load
from stream.core.events import Rule
from stream.errors import SettingsError
from stream.sinks.build import build
from stream.sinks.secrets import read_secret
from stream.sinks.settings import AnyReceiver

DOCS = Path(__file__).parents[2] / "docs"
PAGERDUTY = 'name = "p"\ntype = "pagerduty"\nrouting_key_env = "PD"\n'


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def settings_of(text: str) -> Settings:
    Path("valuedrift.toml").write_text(text)
    return load()


def settings(*tables: str) -> Settings:
    return settings_of("".join(f"[[notify.receivers]]\n{table}" for table in tables))


def receiver(table: str) -> AnyReceiver:
    return settings(table).notify.receivers[0]


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('name = "p"\ntype = "pager"\n', "notify.receivers"),
        (PAGERDUTY + 'severities = ["warn"]\n', "severities"),
        (PAGERDUTY + 'routing_key = "abc"\n', "routing_key"),
        (PAGERDUTY + 'routing_key_file = "key"\n', "say where the secret is"),
        ('name = "p"\ntype = "pagerduty"\n', "say where the secret is"),
        (PAGERDUTY.replace("PD", "VALUEDRIFT_PD"), "must not begin with VALUEDRIFT_"),
        (PAGERDUTY + 'url = "http://events.pagerduty.com/v2/enqueue"\n', "unencrypted"),
        (PAGERDUTY + 'url = "file:///etc/passwd"\n', "https://"),
        ('name = "a"\ntype = "alertmanager"\nurl = "http://user:pw@am:9093"\n', "no user name or password"),
        ('name = "a"\ntype = "alertmanager"\nurl = "http://am:9093"\nauthorization_env = "X"\n', "unencrypted"),
        ('name = "a"\ntype = "alertmanager"\nurl = "http://am:9093"\nhold_s = 60\n', "twice resend_s"),
        ('name = "a"\ntype = "alertmanager"\nurl = "http://am:9093"\nlabels = { severity = "x" }\n', "own"),
        ('name = "c"\ntype = "cloudevents"\ntopic = "../x"\n', "topic"),
    ],
)
def test_a_wrong_receiver_is_refused_and_the_reason_named(table: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        settings(table)


def test_every_block_of_the_documentation_is_accepted() -> None:
    text = (DOCS / "route-alerts.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    types = [settings_of(block).notify.receivers[0].type for block in blocks]
    assert set(types) == {"pagerduty", "alertmanager", "slack", "webhook", "cloudevents", "stdout"}


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_has_a_runbook(rule: Rule) -> None:
    page = (DOCS / "runbooks" / f"{rule.value}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# Runbook: {rule.value}\n")


def test_two_receivers_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="distinct names; p is there more than once"):
        settings(PAGERDUTY, PAGERDUTY)


def test_receivers_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEDRIFT_NOTIFY__RECEIVERS", '[{"name": "screen", "type": "stdout"}]')
    assert [each.type for each in load().notify.receivers] == ["stdout"]


def test_pagerduty_is_not_paged_for_information_unless_told() -> None:
    assert [severity.value for severity in receiver(PAGERDUTY).severities] == ["warning", "critical"]
    assert len(receiver('name = "s"\ntype = "stdout"\n').severities) == 3


def test_a_secret_is_read_from_its_variable_or_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PD", "from the variable")
    assert read_secret(receiver(PAGERDUTY), "routing_key") == "from the variable"
    Path("key").write_text("from the file\n")
    from_file = PAGERDUTY.replace("routing_key_env", "routing_key_file").replace("PD", "key")
    assert read_secret(receiver(from_file), "routing_key") == "from the file"
    Path("key").write_text("\n")
    with pytest.raises(SettingsError, match="key is empty"):
        read_secret(receiver(from_file), "routing_key")
    Path("key").unlink()
    with pytest.raises(SettingsError, match="cannot read key: No such file"):
        read_secret(receiver(from_file), "routing_key")


def test_the_settings_can_be_printed_and_name_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PD", "hunter2")
    assert "hunter2" not in settings(PAGERDUTY).toml()
    assert 'routing_key_env = "PD"' in settings(PAGERDUTY).toml()


@pytest.mark.parametrize(
    ("table", "secret", "said"),
    [
        (PAGERDUTY, "hunter2", "32 characters, this one 7"),
        ('name = "p"\ntype = "slack"\nurl_env = "PD"\n', "http://hooks.example/hunter2", "unencrypted"),
        ('name = "p"\ntype = "webhook"\nurl = "https://x"\nsecret_env = "PD"\n', "hunter2", "base64"),
        (
            'name = "p"\ntype = "alertmanager"\nurl = "https://x"\nauthorization_env = "PD"\n',
            "Bearer hunter2\nX-Evil: 1",
            "one line",
        ),
    ],
)
def test_a_secret_that_cannot_be_one_stops_the_start_without_being_quoted(
    monkeypatch: pytest.MonkeyPatch, table: str, secret: str, said: str
) -> None:
    monkeypatch.setenv("PD", secret)
    with ExitStack() as stack, pytest.raises(SettingsError, match=said) as caught:
        build(receiver(table), runbooks=None, read_secret=read_secret, producer=None, stack=stack)
    assert "receiver p: " in str(caught.value)
    assert "hunter2" not in str(caught.value)
