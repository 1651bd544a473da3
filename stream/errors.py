"""Errors that stop the program: one root, few leaves; each message tells the operator what to do."""


class ValueDriftError(Exception):
    """A system that is not as it must be; the message says what is wrong and what to do next."""


class SettingsError(ValueDriftError):
    """A setting is missing, unknown or out of range."""


class BrokerError(ValueDriftError):
    """Kafka cannot be started, reached or used."""


class TopicError(ValueDriftError):
    """A topic is missing or differs from the configuration in a way that would lose data."""


class InputError(ValueDriftError):
    """A file or topic that was named cannot be read, or lacks what the command needs."""


class OutputError(ValueDriftError):
    """A result cannot be written."""


class StateError(ValueDriftError):
    """Stored state was written by another version or under other settings."""


class WorkerError(ValueDriftError):
    """The stream processor stopped because going on would have lost or doubled data."""


class BacktestError(ValueDriftError):
    """A backtest cannot be finished on this machine."""


class RecordError(ValueDriftError):
    """A record of one of ValueDrift's own topics or files cannot be read."""


class UnknownSchemaError(RecordError):
    """A record has another kind or version than the one that was expected; `schema` is what it names, None if nothing."""

    def __init__(self, message: str, *, schema: str | None) -> None:
        super().__init__(message)
        self.schema = schema


class EndpointError(ValueDriftError):
    """An endpoint that is to be sampled cannot be used."""
