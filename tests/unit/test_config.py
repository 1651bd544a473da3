"""Settings come from defaults, file, environment and command line, in that order, and nothing misspelt passes."""

import re
import tomllib
from pathlib import Path

import pytest

from stream.config import Settings, load
from stream.core.events import Rule, Severity
from stream.core.limits import NoData, Silence
from stream.core.taxonomy import PAPER
from stream.errors import SettingsError
from stream.rule_settings import EntropyLevelRule, LimitRule, LowConfidenceRule, NoDataRule, Rules


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_file_the_documented_defaults_hold() -> None:
    settings = load()
    assert settings.kafka.topics.input == "llm.responses"
    assert (settings.monitor.monitor_by, settings.monitor.window, settings.monitor.stride) == (("model",), 500, 50)
    assert settings.reference.learn_from == 1000
    assert settings.rules.drift.false_alarm_interval == 10_000
    assert settings.rules.drift.watch == "behaviour"
    assert settings.worker.health_host == "127.0.0.1"
    assert not settings.rules.entropy_rate.enabled
    assert settings.rules.entropy_rate.epsilon == 0.001


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("valuedrift.toml").write_text('[kafka]\nbootstrap_servers = "file:1"\n[monitor]\nwindow = 200\nstride = 20\n')
    monkeypatch.setenv("VALUEDRIFT_MONITOR__WINDOW", "400")
    monkeypatch.setenv("VALUEDRIFT_KAFKA__BOOTSTRAP_SERVERS", "environment:2")
    assert load().monitor.window == 400
    assert load().monitor.stride == 20
    assert load().kafka.bootstrap_servers == "environment:2"
    assert load(bootstrap_servers="line:3").kafka.bootstrap_servers == "line:3"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[kafka]\nbootstrap = 'x'\n", "kafka.bootstrap"),
        ("[kafkaa]\n", "kafkaa"),
        ("[classifier]\ndevice = 'gpu'\n", "classifier.device"),
        ("[worker]\nhealth_port = 70000\n", "worker.health_port"),
        ("[kafka.topics]\ninput = '../x'\n", "kafka.topics.input"),
        ("[monitor]\ncontrast = ['prompt_version']\n", "contrast names prompt_version"),
        ("[monitor]\nwindow_age = 'an hour'\n", "monitor.window_age: 'an hour' is no length of time"),
        ("not toml", "valuedrift.toml"),
    ],
)
def test_a_wrong_file_is_refused_and_the_key_is_named(content: str, named: str) -> None:
    Path("valuedrift.toml").write_text(content)
    with pytest.raises(SettingsError, match=re.escape(named)):
        load()


@pytest.mark.parametrize("name", ["VALUEDRIFT_KAFKA__TYPO", "VALUEDRIFT_TYPO__X", "VALUEDRIFT_TYPO"])
def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=r"(?i)typo"):
        load()


def test_a_named_file_that_is_missing_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"elsewhere\.toml"):
        load(Path("elsewhere.toml"))


def test_what_is_printed_can_be_read_again_and_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEDRIFT_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("VALUEDRIFT_KAFKA__SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("VALUEDRIFT_KAFKA__SASL_USERNAME", "worker")
    monkeypatch.setenv("VALUEDRIFT_KAFKA__SASL_PASSWORD", "hunter2-secret")
    text = load().toml()
    assert "hunter2" not in text
    assert tomllib.loads(text)["kafka"]["sasl_password"] == "**********"
    assert "hunter2" not in repr(load())


def test_a_password_over_an_unencrypted_connection_must_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEDRIFT_KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    with pytest.raises(SettingsError, match="allow_plaintext"):
        load()


def test_a_password_may_lie_in_a_file_and_is_masked_like_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("horse\n")
    chosen = {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "PLAIN",
        "SASL_USERNAME": "a",
        "SASL_PASSWORD_FILE": str(file),
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"VALUEDRIFT_KAFKA__{name}", value)
    settings = load()
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "horse"
    assert "horse" not in settings.toml() + repr(settings)
    again = load(bootstrap_servers="other:9092").kafka.sasl_password
    assert again is not None
    assert again.get_secret_value() == "horse"


def test_a_password_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEDRIFT_KAFKA__SASL_PASSWORD_FILE", "/none/password")
    with pytest.raises(SettingsError, match=r"sasl_password_file /none/password cannot be read"):
        load()


def test_an_error_never_quotes_the_value_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("valuedrift.toml").write_text('[kafka]\nsasl_password = ["hunter2-secret"]\n')
    with pytest.raises(SettingsError) as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_engine_settings_out_of_range_name_the_setting() -> None:
    settings = Settings.model_validate({"monitor": {"window": 120, "stride": 50}})
    with pytest.raises(SettingsError, match="window must be a multiple of stride"):
        settings.engine(PAPER)


def test_declared_changes_and_the_guarantee_come_from_the_file_or_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("valuedrift.toml").write_text('[rules.drift]\nscenarios = ["helpful_misaligned=3%"]\nguarantee = true\n')
    assert load().engine(PAPER).scenarios == ("helpful_misaligned=3%",)
    assert load().engine(PAPER).guarantee
    monkeypatch.setenv("VALUEDRIFT_RULES__DRIFT__SCENARIOS", '["off_topic=x2", "swap=off_topic/refusal_excessive"]')
    assert load().engine(PAPER).scenarios == ("off_topic=x2", "swap=off_topic/refusal_excessive")
    monkeypatch.setenv("VALUEDRIFT_RULES__DRIFT__SCENARIOS", '["harmful=3%"]')
    with pytest.raises(SettingsError, match=r"scenarios: category must be one of helpful_aligned, .*, got 'harmful'"):
        load().engine(PAPER)


def test_the_entropy_rate_rule_reaches_the_engine_only_when_enabled() -> None:
    assert load().engine(PAPER).epsilon is None
    assert Settings.model_validate({"rules": {"entropy_rate": {"enabled": True}}}).engine(PAPER).epsilon == 0.001


def test_limits_come_from_their_sections_and_are_off_without_one() -> None:
    assert Settings().engine(PAPER).limits == ()
    assert Settings().engine(PAPER).no_data is None
    rules = Rules(
        category_share={"off_topic": LimitRule(above=0.3)},
        low_confidence=LowConfidenceRule(enabled=True, threshold=0.4),
        no_data=NoDataRule(policy="resolve", after_s=60),
    )
    engine = Settings(rules=rules).engine(PAPER)
    assert [(limit.rule, limit.category, limit.above) for limit in engine.limits] == [
        (Rule.CATEGORY_SHARE, 4, 0.3),
        (Rule.LOW_CONFIDENCE, None, 0.2),
    ]
    assert engine.confident_from == 0.4
    assert engine.no_data == NoData(after=60_000_000, policy=Silence.RESOLVE)


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (
            Rules(category_share={"lies": LimitRule(above=0.1)}),
            r"\[rules.category_share.lies\] category must be one of",
        ),
        (Rules(category_share={"off_topic": LimitRule(above=2)}), r"\[rules.category_share.off_topic\] above, below"),
        (Rules(entropy_level=EntropyLevelRule(enabled=True)), r"\[rules.entropy_level\] above or below must be set"),
        (Rules(entropy_level=EntropyLevelRule(enabled=True, above=1, min_n=900)), "min_n must be at most the window"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_its_section(rules: Rules, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Settings(rules=rules).engine(PAPER)


def test_detectors_of_river_are_rules_by_name() -> None:
    Path("valuedrift.toml").write_text(
        "[rules.river.adwin]\ndetector = 'ADWIN'\nparameters = { delta = 0.01 }\n"
        "[rules.river.refusals]\ndetector = 'PageHinkley'\nwatch = 'refusal_excessive'\nmemory = 40\nseverity = 'critical'\n"
    )
    adwin, refusals = load().engine(PAPER).watchers
    assert (adwin.name, adwin.category, adwin.memory, adwin.severity) == ("adwin", None, 256, Severity.WARNING)
    assert (refusals.name, refusals.category, refusals.severity) == ("refusals", 3, Severity.CRITICAL)
    assert "('delta', 0.01)" in repr(adwin.detector)
    assert load().engine(PAPER).fingerprint != Settings().engine(PAPER).fingerprint


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("detector = 'DDM'", "[rules.river.r] detector must be one of ADWIN, KSWIN, PageHinkley"),
        ("detector = 'ADWIN'\nwatch = 'off'", "[rules.river.r] watch must be entropy or one of helpful_aligned"),
        ("detector = 'ADWIN'\nparameters = { delte = 1 }", "[rules.river.r] ADWIN cannot be made with"),
        ("detector = 'ADWIN'\nmemory = 9", "memory must be at least ADWIN's grace_period of 10"),
    ],
)
def test_a_detector_of_river_that_cannot_be_a_rule_is_refused_with_its_section(rule: str, message: str) -> None:
    Path("valuedrift.toml").write_text(f"[rules.river.r]\n{rule}\n")
    with pytest.raises(SettingsError, match=re.escape(message)):
        load().engine(PAPER)


@pytest.mark.parametrize(("text", "micros"), [("1h", 3_600_000_000), ("90s", 90_000_000), ("1.5d", 129_600_000_000)])
def test_a_window_may_be_set_by_age(monkeypatch: pytest.MonkeyPatch, text: str, micros: int) -> None:
    assert load().engine(PAPER).window_age is None
    monkeypatch.setenv("VALUEDRIFT_MONITOR__WINDOW_AGE", text)
    assert load().engine(PAPER).window_age == micros


def test_an_age_out_of_range_is_refused_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEDRIFT_MONITOR__WINDOW_AGE", "10ms")
    with pytest.raises(SettingsError, match=r"window_age must be 1 second to 366 days, got 0\.01 s"):
        load().engine(PAPER)
