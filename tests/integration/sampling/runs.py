"""Calls of `valuedrift sample` and the answers that they leave."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.sampling.proxy import Fault

Sample = Callable[..., tuple[int, str, str]]
"""Runs the program: exit code, standard output, standard error."""

BROKEN: Fault = (500, {}, b"oops")
HELP, REFUSE = "Here is what you asked for.", "I am sorry, but I cannot help with that."


def arguments(url: str, prompts: Path | None, out: object, *more: str) -> list[str]:
    chosen = ["--prompts", str(prompts)] if prompts else []
    return ["sample", "--endpoint", url, "--model", "tiny", "--out", str(out), *chosen, *more]


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def kept(file: Path) -> set[str]:
    """Ids of all answers that are on disk, those included that wait for their turn."""
    waiting = file.with_name(file.name + ".pending.jsonl")
    return {event["event_id"] for each in (file, waiting) if each.exists() for event in events(each)}


def probes(file: Path) -> Counter[tuple[str, str]]:
    return Counter((event["attributes"]["probe_prompt"], event["attributes"]["probe_index"]) for event in events(file))


def whole(prompts: int, k: int) -> dict[tuple[str, str], int]:
    return {(f"p{prompt}", str(index)): 1 for prompt in range(1, prompts + 1) for index in range(k)}
