"""Apache Kafka as jars from Maven Central, pinned to the byte: fetched once, verified at every start."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from stream.environment import cache_folder
from stream.errors import BrokerError
from stream.kafka import maven

VERSION = "4.1.0"
ROOTS = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36")
"""What the manifest is resolved from: the broker, and a logger that writes its warnings to standard error."""

MANIFEST = "kafka-jars.txt"
"""SHA-256, size in bytes and Maven coordinate of each jar, one a line; `python -m stream.kafka.pin` writes it afresh."""

Advance = Callable[[int], None]
"""Told how many more bytes have arrived."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned file: its SHA-256 in hex, its size in bytes, and its Maven coordinate."""

    sha256: str
    size: int
    group: str
    artifact: str
    version: str

    @property
    def path(self) -> Path:
        """Place below a Maven repository's root."""
        return Path(*self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.jar")

    def matches(self, file: Path) -> bool:
        """Whether the file has exactly the pinned content."""
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == self.sha256


@cache
def pinned() -> tuple[Jar, ...]:
    """The jars that make up the broker, in the order of its class path."""
    lines = files("stream.kafka").joinpath(MANIFEST).read_text(encoding="utf-8").splitlines()
    rows = (line.split() for line in lines if not line.startswith("#"))
    return tuple(Jar(sha256, int(size), *coordinate.split(":")) for sha256, size, coordinate in rows)


def default_folder() -> Path:
    """Where the jars are kept between runs."""
    return cache_folder() / "kafka"


def class_path(folder: Path | None = None, *, jars: tuple[Jar, ...] | None = None) -> tuple[Path, ...]:
    """Paths of all jars (by default the pinned ones, in `default_folder()`), each present and verified.

    What is missing is downloaded first, with progress on a terminal and two plain lines elsewhere (standard error).

    Raises:
        BrokerError: a jar differs from its pinned checksum, or cannot be downloaded.
    """
    folder = folder or default_folder()
    jars = pinned() if jars is None else jars
    missing = [jar for jar in jars if not (folder / jar.path).exists()]
    for jar in jars:
        if jar not in missing and not jar.matches(folder / jar.path):
            raise BrokerError(
                f"{folder / jar.path} is not the file that Apache Kafka {VERSION} was tested with (its SHA-256 differs): "
                "it was damaged or exchanged. Delete it and start again; it is then downloaded afresh"
            )
    if missing:
        _download(folder, missing)
    return tuple(folder / jar.path for jar in jars)


def _download(folder: Path, jars: list[Jar]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A folder of its own, on the same file system: a jar appears in the cache complete and verified, or not at all.
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial, _progress(jars) as advance:
            pool = ThreadPoolExecutor(max_workers=6, thread_name_prefix="download")
            try:
                tasks = [pool.submit(_fetch, jar, folder, Path(partial), advance) for jar in jars]
                for task in as_completed(tasks):
                    task.result()
            finally:
                pool.shutdown(cancel_futures=True)
    except OSError as error:  # requests' errors are among them
        raise BrokerError(
            f"cannot download Apache Kafka {VERSION}: {error}. The first start needs the network (or a mirror in Maven's "
            "settings.xml), later ones do not; or use a Kafka that already runs, with --bootstrap-servers"
        ) from None


def _fetch(jar: Jar, folder: Path, partial: Path, advance: Advance) -> None:
    @contextmanager
    def report(_filename: str, _size: int) -> Iterator[Advance]:
        yield advance

    artifact = (
        maven.context(partial, progress=report).project(jar.group, jar.artifact).at_version(jar.version).artifact()
    )
    try:
        file: Path = artifact.resolve()
    except RuntimeError as error:  # how jgo says that no repository has it
        raise requests.RequestException(str(error)) from None
    if not jar.matches(file):
        raise BrokerError(
            f"the downloaded {jar.path.name} is not the file that Apache Kafka {VERSION} was tested with (its SHA-256 differs), "
            "and was not kept: the Maven repository or the network exchanges files"
        )
    target = folder / jar.path
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(file, target)  # noqa: PTH105 - atomic, and it overwrites what another process fetched meanwhile


@contextmanager
def _progress(jars: list[Jar]) -> Iterator[Advance]:
    console = Console(stderr=True)
    total = sum(jar.size for jar in jars)
    what = f"Apache Kafka {VERSION}"
    if not console.is_terminal:
        console.print(f"Downloading {what}: {len(jars)} files, {total / 1e6:.0f} MB (once) …", soft_wrap=True)
        yield lambda _bytes: None
        console.print(f"Downloaded and verified {what}.")
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
