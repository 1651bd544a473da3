"""The pinned jars: what the manifest promises, and what happens to a file that differs."""

import hashlib
import re
from pathlib import Path

import pytest

from stream.environment import cache_folder
from stream.errors import BrokerError
from stream.kafka import distribution, maven
from stream.kafka.distribution import ROOTS, Jar, class_path, pinned

CONTENT = b"a jar"
JAR = Jar(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "org.example", "thing", "1.2")


def put(folder: Path, content: bytes) -> Path:
    file = folder / "org/example/thing/1.2/thing-1.2.jar"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


def test_every_jar_is_pinned_by_sha256_size_and_exact_version() -> None:
    for jar in pinned():
        assert re.fullmatch(r"[0-9a-f]{64}", jar.sha256)
        assert jar.size > 0
        assert re.match(r"\d", jar.version)
        assert "SNAPSHOT" not in jar.version
    assert len({jar.path for jar in pinned()}) == len(pinned())


def test_the_manifest_holds_its_roots() -> None:
    coordinates = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in pinned()}
    assert coordinates >= set(ROOTS)


def test_a_jar_stands_where_a_maven_repository_has_it() -> None:
    assert JAR.path == Path("org/example/thing/1.2/thing-1.2.jar")


def test_verified_jars_make_the_class_path_without_the_network(tmp_path: Path) -> None:
    file = put(tmp_path, CONTENT)
    assert class_path(tmp_path, jars=(JAR,)) == (file,)


def test_a_jar_that_differs_is_refused_and_named(tmp_path: Path) -> None:
    file = put(tmp_path, CONTENT + b"!")
    with pytest.raises(BrokerError, match="SHA-256 differs") as refusal:
        class_path(tmp_path, jars=(JAR,))
    assert str(file) in str(refusal.value)
    assert file.exists(), "what an operator must look at is not removed behind their back"


def test_downloads_are_kept_below_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert distribution.default_folder() == tmp_path / "valuedrift" / "kafka"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "valuedrift"


SETTINGS = """<?xml version="1.0"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>
  <mirror><id>other</id><mirrorOf>elsewhere</mirrorOf><url>https://other.example/</url></mirror>
  <mirror><id>company</id><mirrorOf>external:*,!secret</mirrorOf><url> https://maven.example/repository/ </url></mirror>
</mirrors></settings>
"""


def test_a_mirror_of_maven_central_is_taken_from_mavens_settings(tmp_path: Path) -> None:
    file = tmp_path / "settings.xml"
    file.write_text(SETTINGS)
    assert maven.mirror(file) == {"company": "https://maven.example/repository"}
    assert maven.mirror(tmp_path / "none.xml") == {}


def test_mavens_settings_that_are_no_xml_are_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.xml"
    file.write_text("<settings>")
    with pytest.raises(BrokerError, match=re.escape(str(file))):
        maven.mirror(file)


def test_jgos_own_repositories_come_before_mavens_mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "settings.xml").write_text(SETTINGS)
    (tmp_path / "jgo.conf").write_text("[repositories]\nmine = https://mine.example/maven\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "absent.conf"))
    context = maven.context(tmp_path, settings=tmp_path / "settings.xml")
    assert context.remote_repos == {"company": "https://maven.example/repository"}
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    context = maven.context(tmp_path, settings=tmp_path / "settings.xml")
    assert context.remote_repos == {"mine": "https://mine.example/maven"}
