"""What the commands around training need, and what they say when it is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import SettingsError

_EXTRA = {"torch", "transformers", "optimum", "onnx", "safetensors"}


@contextmanager
def export_extra() -> Iterator[None]:
    """Turns a missing package of the export extra into a sentence that names it; import inside the block."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        raise SettingsError(
            f"this needs {error.name}, which is not installed; run: pip install 'valuedrift[export]'"
        ) from error


def settings_are_sound(config: Path | None) -> None:
    """Reads the settings, so that an unknown key is an error here as it is everywhere."""
    from stream.config import load

    load(config)
