"""What the environment says beside the settings: secrets by the name of their variable, and where this user's files are kept."""

import os
from pathlib import Path

from pydantic import SecretStr


def environment_secret(name: str) -> SecretStr | None:
    """The secret that the variable holds, None where it is unset or empty; it is masked wherever it is printed."""
    value = os.environ.get(name, "").strip()
    return SecretStr(value) if value else None


def cache_folder() -> Path:
    """Where downloads are kept between runs: `valuedrift` below `XDG_CACHE_HOME`, or below `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "valuedrift"


def state_folder() -> Path:
    """Where positions are kept that must survive a restart: `valuedrift` below `XDG_STATE_HOME`, or below `~/.local/state`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "valuedrift"
