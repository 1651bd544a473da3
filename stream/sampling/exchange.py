"""Small questions about addresses, bodies and lists of models that an endpoint's client has."""

import os
from urllib.parse import urlsplit

import aiohttp
import msgspec

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of a response that are read."""


def normalise(url: str) -> str:
    """Returns the address that `/chat/completions` is added to: without a slash at its end, or that path if it was given.

    Raises:
        ValueError: it is no http or https address, or has a user, a password, a query or a fragment in it.

    Examples:
        >>> normalise("http://127.0.0.1:8000/v1/"), normalise("https://api.openai.com/v1/chat/completions")
        ('http://127.0.0.1:8000/v1', 'https://api.openai.com/v1')
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the endpoint must be an http or https address, for example http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "the endpoint must be a plain address; a key comes from the environment, never from the address"
        )
    return url.rstrip("/").removesuffix("/chat/completions")


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Returns the body, or as much of it as anyone will read: what is cut is no JSON and counts as malformed."""
    chunks = bytearray()
    async for chunk in response.content.iter_any():
        chunks += chunk
        if len(chunks) > LARGEST_ANSWER:
            response.close()
            break
    return bytes(chunks)


def reason_of(error: aiohttp.ClientError) -> str:
    """Returns why a connection failed, in the words of the system."""
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number) if number and number > 0 else str(error.os_error)
    return str(error) or type(error).__name__


class _Model(msgspec.Struct):
    id: str
    aliases: list[str] = []


class _Models(msgspec.Struct):
    data: list[_Model] = []


def model_names(content: bytes) -> set[str]:
    """Returns names and aliases of the models that a response to `GET /models` lists; none where it is no such list."""
    try:
        listed = msgspec.json.decode(content, type=_Models).data
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return set()
    return {name for model in listed for name in (model.id, *model.aliases)}
