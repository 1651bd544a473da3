"""What receivers keep secret: read from where the settings say, once, at the start."""

from collections.abc import Callable

from stream.environment import environment_secret
from stream.errors import SettingsError
from stream.sinks.settings import AnyReceiver

ReadSecret = Callable[[AnyReceiver, str], str]
"""Returns the secret of a receiver that the settings name as `<secret>_env` or `<secret>_file`."""

_PLACEHOLDER = "placeholder" + "0" * 21
_PLACEHOLDERS = {"url": "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"}


def read_secret(receiver: AnyReceiver, secret: str) -> str:
    """The secret, without the white space around it.

    Raises:
        SettingsError: the variable or the file is missing or empty; the message names it and never quotes what it holds.
    """
    variable = getattr(receiver, f"{secret}_env")
    if variable is not None:
        value = environment_secret(variable)
        if value is None:
            raise SettingsError(
                f"receiver {receiver.name}: the environment variable {variable} is not set; it must hold the {_words(secret)}"
            )
        return value.get_secret_value()
    file = getattr(receiver, f"{secret}_file")
    try:
        content: str = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"receiver {receiver.name}: cannot read {file}: {reason}") from None
    if not content:
        raise SettingsError(f"receiver {receiver.name}: {file} is empty; it must hold the {_words(secret)}")
    return content


def placeholder(_receiver: AnyReceiver, secret: str) -> str:
    """Stands in for a secret where nothing is sent; it is masked as the real one would be."""
    return _PLACEHOLDERS.get(secret, _PLACEHOLDER)


def _words(secret: str) -> str:
    return secret.replace("_", " ")
