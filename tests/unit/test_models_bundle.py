"""A bundle is used only if every byte of it is what was exported."""

import hashlib
import json
from pathlib import Path

import pytest

from models.bundle import MANIFEST, SCHEMA, load_manifest, verify
from models.errors import BundleError

EMPTY_GRAPH = b"\x3a\x00"
"""A ModelProto with field 7, the graph, of length 0."""


def entry(raw: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}


def manifest(**changes: object) -> dict[str, object]:
    layout = {
        "prompt_tokens": 8, "prompt_tail": 2, "response_tokens": 8, "response_tail": 2,
        "prefix": [1], "between": [2], "suffix": [2], "gap": [3], "pad": 0,
    }  # fmt: skip
    plain: dict[str, object] = {
        "schema": SCHEMA,
        "name": "tiny",
        "labels": ["a", "b"],
        "request_kinds": ["benign", None],
        "layout": layout,
        "model": "model.onnx",
        "tokenizer": "tokenizer.json",
        "artefact": "fp32",
        "opset": 17,
        "temperature": 1.0,
        "logit_bound": 0.001,
        "files": {"model.onnx": entry(EMPTY_GRAPH), "tokenizer.json": entry(b"{}")},
    }
    return plain | changes


def write(folder: Path, **changes: object) -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(EMPTY_GRAPH)
    (folder / "tokenizer.json").write_bytes(b"{}")
    (folder / MANIFEST).write_text(json.dumps(manifest(**changes)))
    return folder


def test_a_sound_bundle_is_named_by_its_content(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle")
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert verify(folder).identity == f"tiny@{digest[:12]}"
    assert load_manifest(folder).labels == ("a", "b")


def test_two_bundles_that_differ_in_one_weight_have_different_names(tmp_path: Path) -> None:
    other = b"\x3a\x02\x12\x00"
    one = write(tmp_path / "one")
    two = write(tmp_path / "two", files={"model.onnx": entry(other), "tokenizer.json": entry(b"{}")})
    (two / "model.onnx").write_bytes(other)
    assert verify(one).identity != verify(two).identity


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_changed_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "bundle")
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(BundleError, match=f"{name} is not the file that was exported"):
        verify(folder)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer\.json is missing"):
        verify(folder)


def test_a_file_that_the_manifest_does_not_list_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle")
    (folder / "extra.txt").write_text("hello")
    with pytest.raises(BundleError, match=r"extra\.txt is not in the manifest"):
        verify(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/model.onnx", "..", "a\\b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"{}")
    files = {"model.onnx": entry(EMPTY_GRAPH), "tokenizer.json": entry(b"{}"), name: entry(b"{}")}
    folder = write(tmp_path / "bundle", files=files)
    with pytest.raises(BundleError, match="not a plain file name"):
        verify(folder)


def test_a_link_is_refused_even_when_its_target_has_the_right_content(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle")
    (folder / "tokenizer.json").rename(tmp_path / "elsewhere.json")
    (folder / "tokenizer.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BundleError, match="not a plain file"):
        verify(folder)


def test_a_subfolder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle")
    (folder / "deeper").mkdir()
    with pytest.raises(BundleError, match="deeper is not a plain file"):
        verify(folder)


@pytest.mark.parametrize("name", ["weights.pkl", "model.pt", "pytorch_model.BIN"])
def test_a_pickle_is_refused_even_when_it_is_listed(tmp_path: Path, name: str) -> None:
    files = {"model.onnx": entry(EMPTY_GRAPH), "tokenizer.json": entry(b"{}"), name: entry(b"x")}
    folder = write(tmp_path / "bundle", files=files)
    (folder / name).write_bytes(b"x")
    with pytest.raises(BundleError, match="pickle"):
        verify(folder)


def test_a_schema_of_another_version_is_refused_before_anything_else_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle", schema="valuedrift.bundle/2", files="not even a table")
    with pytest.raises(BundleError, match=r"valuedrift\.bundle/2"):
        verify(folder)


def test_a_damaged_manifest_is_refused_with_its_place(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle")
    raw = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(raw[: len(raw) // 2])
    with pytest.raises(BundleError, match="damaged"):
        verify(folder)


def test_an_unknown_key_in_the_manifest_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle", hook="run me")
    with pytest.raises(BundleError, match="hook"):
        verify(folder)


def test_a_folder_without_a_manifest_says_what_to_name_instead(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="made by valuedrift export"):
        verify(tmp_path)


@pytest.mark.parametrize(("labels", "kinds"), [(["a"], [None]), (["a", "a"], [None, None]), (["a", "b"], [None])])
def test_labels_that_are_too_few_repeated_or_without_a_kind_are_refused(
    tmp_path: Path, labels: list[str], kinds: list[None]
) -> None:
    folder = write(tmp_path / "bundle", labels=labels, request_kinds=kinds)
    with pytest.raises(BundleError, match="distinct labels"):
        verify(folder)


def test_a_model_that_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    raw = b"\x80\x04not a model"
    folder = write(tmp_path / "bundle", files={"model.onnx": entry(raw), "tokenizer.json": entry(b"{}")})
    (folder / "model.onnx").write_bytes(raw)
    with pytest.raises(BundleError, match="not an ONNX model"):
        verify(folder)


def delimited(field: int, content: bytes) -> bytes:
    """One length-delimited protocol-buffer field shorter than 128 bytes."""
    assert len(content) < 128
    key = field << 3 | 2
    head = bytes([key]) if key < 128 else bytes([key & 0x7F | 0x80, key >> 7])
    return head + bytes([len(content)]) + content


def external_tensor(location: str) -> bytes:
    return delimited(13, delimited(1, b"location") + delimited(2, location.encode()))


@pytest.mark.parametrize("location", ["../../weights", "/etc/passwd", "unlisted.data"])
def test_weights_outside_the_bundle_are_refused_wherever_the_graph_hides_them(tmp_path: Path, location: str) -> None:
    tensor = external_tensor(location)
    in_branch = delimited(1, delimited(5, delimited(6, delimited(5, tensor))))
    for number, graph in enumerate((delimited(5, tensor), delimited(1, delimited(5, delimited(5, tensor))), in_branch)):
        model = delimited(7, graph)
        files = {"model.onnx": entry(model), "tokenizer.json": entry(b"{}")}
        folder = write(tmp_path / f"bundle{number}", files=files)
        (folder / "model.onnx").write_bytes(model)
        with pytest.raises(BundleError, match="outside the bundle"):
            verify(folder)


def test_weights_in_a_listed_file_of_the_bundle_are_accepted(tmp_path: Path) -> None:
    model = delimited(7, delimited(5, external_tensor("weights.data")))
    files = {"model.onnx": entry(model), "tokenizer.json": entry(b"{}"), "weights.data": entry(b"w")}
    folder = write(tmp_path / "bundle", files=files)
    (folder / "model.onnx").write_bytes(model)
    (folder / "weights.data").write_bytes(b"w")
    assert verify(folder).manifest.files["weights.data"].bytes == 1
