"""Asking a worker's health endpoint; what it answers is read strictly, because anything may answer at an address."""

from typing import TypeVar

import httpx
import msgspec

from stream.errors import InputError

WITHIN = 10.0
"""Seconds for an answer: ten thousand monitors take a while."""

Answer = TypeVar("Answer")


def ask(url: str, form: type[Answer]) -> Answer:
    """What is answered at the URL, as `form`.

    Raises:
        InputError: nothing answers, or something else than a worker does.
    """
    try:
        response = httpx.get(url, timeout=WITHIN)
        response.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(
            f"no worker answers at {url} ({type(error).__name__}); it prints its address when it starts (health: …)"
        ) from None
    try:
        return msgspec.json.decode(response.content, type=form)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise InputError(f"what answers at {url} is no worker of this version") from None
