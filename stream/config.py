"""Settings: one frozen value, read once from `valuedrift.toml` and `VALUEDRIFT_*`; only `stream.environment` reads more of it.

The environment wins over the file: `VALUEDRIFT_KAFKA__BOOTSTRAP_SERVERS` overrides `bootstrap_servers` of `[kafka]`. An unknown
key in either is an error, because a misspelt setting that is ignored is worse than one that stops the program.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stream.codec.baseline import read_baseline
from stream.core.settings import EngineSettings
from stream.core.taxonomy import Taxonomy
from stream.errors import SettingsError
from stream.rule_settings import Rules
from stream.sampling.schedule import seconds
from stream.section import Section
from stream.sinks.settings import NotifySettings

DEFAULT_FILE = Path("valuedrift.toml")
PREFIX = "VALUEDRIFT_"

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
Port = Annotated[int, Field(ge=0, le=65535)]


class Topics(Section):
    """Names of the topics: one that is read, four that are written."""

    input: Name = "llm.responses"
    scored: Name = "valuedrift.scored"
    drift: Name = "valuedrift.drift"
    alerts: Name = "valuedrift.alerts"
    deadletter: Name = "valuedrift.deadletter"


class KafkaSettings(Section):
    """How to reach Kafka, and how its topics are made.

    To `evaluation_topic`, if it is set, each label goes as an OpenTelemetry event too.
    """

    bootstrap_servers: Annotated[str, Field(min_length=1)] = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"] = "PLAINTEXT"
    allow_plaintext: bool = False
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    topics: Topics = Topics()
    evaluation_topic: Name | None = None
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 8
    replication_factor: Annotated[int, Field(ge=1, le=100)] = 1
    input_retention_days: Annotated[float, Field(gt=0)] = 7

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, given: Any) -> Any:
        """Puts the content of the file in the password's place; whoever prints the settings sees the file's name and a masked value."""
        file = given.get("sasl_password_file") if isinstance(given, dict) else None
        if not file:
            return given
        try:
            return {**given, "sasl_password": Path(file).read_text(encoding="utf-8").strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"sasl_password_file {file} cannot be read: {type(error).__name__}") from None

    @model_validator(mode="after")
    def _secure(self) -> Self:
        if self.security_protocol == "SASL_PLAINTEXT" and not self.allow_plaintext:
            raise ValueError(
                "security_protocol SASL_PLAINTEXT sends the password unencrypted; use SASL_SSL, or set allow_plaintext = true"
            )
        if self.security_protocol.startswith("SASL") and not (
            self.sasl_mechanism and self.sasl_username and self.sasl_password
        ):
            raise ValueError("SASL needs sasl_mechanism, sasl_username and sasl_password (or sasl_password_file)")
        return self


class ClassifierSettings(Section):
    """Which model sorts the responses, where it runs, and how large a micro-batch grows (in responses and milliseconds)."""

    bundle: Path | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    threads: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 64
    max_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = 200


class WorkerSettings(Section):
    """The process: the consumer group and changelog it owns (`app_id`), and where it answers health checks.

    `format` forces the format of the input topic's records, which are recognised otherwise. It stops when so many records of a
    partition in a row, or more than this share of the last 500, cannot be used; 0 and 1 are no limit. A partition of the scored topic
    holds at most `max_monitors`; records of further ones become dead letters. It is unhealthy when records wait and none was
    committed for `stuck_after_s` seconds.
    """

    app_id: Name = "valuedrift"
    health_host: str = "127.0.0.1"
    health_port: Port = 0
    dead_letter_values: bool = True
    stuck_after_s: Annotated[float, Field(gt=0)] = 120.0
    unusable_in_a_row: Annotated[int, Field(ge=0)] = 100
    unusable_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    max_monitors: Annotated[int, Field(ge=1)] = 25_000
    format: str | None = None

    @field_validator("format")
    @classmethod
    def _known(cls, format: str | None) -> str | None:  # noqa: A002 - the setting's name
        from stream.formats.recognise import FORMATS  # noqa: PLC0415 - settings load without every decoder

        if format is not None and format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}")
        return format


class MonitorSettings(Section):
    """What is watched on its own, and the window of its entropy (in responses).

    With `sigma` (nats per stride, the rate of a base model) drift events carry γ_eff = σ - dS/dt. Scored records carry `attributes`;
    alerts say on which value of those in `contrast` a change sits. With `window_age` (such as "1h") S(t) goes by event time.
    """

    monitor_by: Annotated[tuple[str, ...], Field(min_length=1)] = ("model",)
    window: int = 500
    stride: int = 50
    sigma: float | None = None
    attributes: tuple[str, ...] = ()
    contrast: tuple[str, ...] = ()
    window_age: str | None = None

    @field_validator("window_age")
    @classmethod
    def _length(cls, window_age: str | None) -> str | None:
        if window_age is not None:
            seconds(window_age)
        return window_age

    @model_validator(mode="after")
    def _carried(self) -> Self:
        absent = [name for name in self.contrast if name not in self.attributes]
        if absent:
            raise ValueError(
                f"contrast names {', '.join(absent)}, which scored records do not carry: add it to attributes, too"
            )
        return self


class ReferenceSettings(Section):
    """What normal is: the first `learn_from` responses of each monitor, or what a `file` of `valuedrift baseline learn` says."""

    learn_from: int = 1000
    file: Path | None = None


class Settings(BaseSettings):
    """Everything that can be set, with its defaults."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__")

    kafka: KafkaSettings = KafkaSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    worker: WorkerSettings = WorkerSettings()
    monitor: MonitorSettings = MonitorSettings()
    reference: ReferenceSettings = ReferenceSettings()
    rules: Rules = Rules()
    notify: NotifySettings = NotifySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings calls by keyword
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file, and nothing else."""
        return env_settings, init_settings

    def engine(self, taxonomy: Taxonomy) -> EngineSettings:
        """What the core needs of these settings, for the behaviours of `taxonomy`. Reads the file of the reference, if one is set.

        Raises:
            SettingsError: a value is out of range, or the reference's file cannot be used.
        """
        given = None if self.reference.file is None else read_baseline(self.reference.file, taxonomy).counts
        try:
            return EngineSettings(
                taxonomy=taxonomy,
                window=self.monitor.window,
                stride=self.monitor.stride,
                learn_from=self.reference.learn_from,
                false_alarm_interval=self.rules.drift.false_alarm_interval,
                watch=self.rules.drift.watch,
                scenarios=self.rules.drift.scenarios,
                guarantee=self.rules.drift.guarantee,
                traffic_mix=self.rules.traffic_mix.enabled,
                epsilon=self.rules.entropy_rate.epsilon if self.rules.entropy_rate.enabled else None,
                sigma=self.monitor.sigma,
                reference=given,
                limits=self.rules.limits(taxonomy),
                confident_from=self.rules.low_confidence.threshold if self.rules.low_confidence.enabled else None,
                no_data=self.rules.no_data.silence(),
                contrast=self.monitor.contrast,
                watchers=self.rules.watchers(taxonomy),
                window_age=None if self.monitor.window_age is None else round(seconds(self.monitor.window_age) * 1e6),
            )
        except ValueError as error:
            raise SettingsError(f"{error}; change it in valuedrift.toml or the environment") from None

    def toml(self) -> str:
        """The settings in force as TOML, secrets masked, unset keys left out."""
        return tomli_w.dumps(json.loads(self.model_dump_json(exclude_none=True)))


def load(file: Path | None = None, *, bootstrap_servers: str | None = None) -> Settings:
    """The settings in force: defaults, then the file, then the environment, then what the command line says.

    Without `file`, `valuedrift.toml` of the working directory is read if it exists.

    Raises:
        SettingsError: the file cannot be read, a key is unknown, or a value is out of range; the message names the key.
    """
    path = file if file is not None else DEFAULT_FILE
    content: dict[str, Any] = {}
    if file is not None or path.exists():
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"cannot read the settings file {path}: {error}") from None
    _refuse_unknown_variables()
    try:
        settings = Settings(**content)
        if bootstrap_servers is not None:
            kafka = KafkaSettings.model_validate(
                {**settings.kafka.model_dump(), "bootstrap_servers": bootstrap_servers}
            )
            settings = settings.model_copy(update={"kafka": kafka})
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(
            "the settings are not valid:\n" + "\n".join(lines) + "\nCorrect them in valuedrift.toml or in VALUEDRIFT_*."
        ) from None
    return settings


def _refuse_unknown_variables() -> None:
    """Pydantic ignores a variable whose section it does not know; a misspelt section must not pass."""
    known = {f"{PREFIX}{section}".upper() for section in Settings.model_fields}
    for name in os.environ:
        if name.startswith(PREFIX) and name.split("__", 1)[0] not in known:
            raise SettingsError(
                f"{name} is no setting; sections are {', '.join(sorted(known))} (for example {PREFIX}KAFKA__BOOTSTRAP_SERVERS)"
            )
