"""Downloading the jars, from a Maven repository on this machine."""

import functools
import gc
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stream.errors import BrokerError
from stream.kafka.distribution import Jar, class_path

# jgo leaves the connection of a "404" to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

CONTENTS = {f"part-{number}": bytes([number]) * 1000 for number in range(5)}
JARS = tuple(
    Jar(hashlib.sha256(content).hexdigest(), len(content), "org.example", name, "1.0")
    for name, content in CONTENTS.items()
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that a Maven repository serves, which jgo is told to use."""
    folder = tmp_path / "repository"
    for jar in JARS:
        (folder / jar.path).parent.mkdir(parents=True)
        (folder / jar.path).write_bytes(CONTENTS[jar.artifact])
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "jgo.conf").write_text(f"[repositories]\nlocal = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
        yield folder
        server.shutdown()
    gc.collect()


def files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def test_missing_jars_are_fetched_once_and_verified(
    repository: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    found = class_path(cache, jars=JARS)
    assert [file.read_bytes() for file in found] == list(CONTENTS.values())
    assert files(cache) == sorted(found), "nothing else is left in the cache"
    said = capfd.readouterr()
    assert said.err.count("\n") == 2, "outside a terminal, two plain lines: it begins, it is done"
    assert not said.out
    for jar in JARS:
        (repository / jar.path).unlink()
    assert class_path(cache, jars=JARS) == found
    assert not capfd.readouterr().err


def test_a_file_that_differs_is_refused_and_not_kept(repository: Path, tmp_path: Path) -> None:
    (repository / JARS[3].path).write_bytes(b"something else")
    cache = tmp_path / "cache"
    with pytest.raises(BrokerError, match=r"part-3-1\.0\.jar.*SHA-256 differs.*not kept"):
        class_path(cache, jars=JARS)
    assert cache / JARS[3].path not in files(cache)
    assert not list(cache.glob(".partial-*"))


def test_a_repository_that_lacks_a_file_is_an_error_with_what_to_do(repository: Path, tmp_path: Path) -> None:
    (repository / JARS[0].path).unlink()
    with pytest.raises(BrokerError, match=r"cannot download.*part-0.*--bootstrap-servers"):
        class_path(tmp_path / "cache", jars=JARS)


def test_a_download_that_failed_goes_on_where_it_stopped(repository: Path, tmp_path: Path) -> None:
    missing = repository / JARS[0].path
    missing.rename(missing.with_suffix(".away"))
    cache = tmp_path / "cache"
    with pytest.raises(BrokerError):
        class_path(cache, jars=JARS)
    missing.with_suffix(".away").rename(missing)
    for jar in JARS[1:]:
        if (cache / jar.path).exists():
            (repository / jar.path).unlink()
    assert len(class_path(cache, jars=JARS)) == len(JARS)
