"""What is about to be sent, before anything is sent: the same value is posted, shown by a dry run, and looked at by tests."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """One POST. `secrets` must never be shown; they may stand in the url, the headers or the body."""

    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def preview(self) -> str:
        """The request as text, secrets masked."""
        lines = [f"POST {self.url}", *(f"{name}: {value}" for name, value in self.headers), self.body.decode()]
        return mask("\n".join(lines), self.secrets)


@dataclass(frozen=True, slots=True)
class KafkaMessage:
    """One Kafka record."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    def preview(self) -> str:
        """The record as text."""
        lines = [f"Kafka {self.topic} key {self.key.decode()}"]
        lines += [f"{name}: {value.decode()}" for name, value in self.headers]
        return "\n".join([*lines, self.value.decode()])


def mask(text: str, secrets: tuple[str, ...]) -> str:
    """The text with each secret replaced by `***`.

    Examples:
        >>> mask("key=abc", ("abc", ""))
        'key=***'
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
