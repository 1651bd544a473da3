"""A bundle is a folder with a model, its tokenizer and a manifest that vouches for every file by its SHA-256."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from models.errors import BundleError
from models.onnx_file import external_locations
from models.pairs import Layout

MANIFEST: Final = "manifest.json"
SCHEMA: Final = "valuedrift.bundle/1"
DEFAULT_BUNDLE: Final = Path(__file__).parent / "default"
"""The int8 bundle that ships inside the package."""

_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib")
_CHUNK = 1 << 20


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the manifest says of one file."""

    sha256: str
    bytes: int


class OutOfTaxonomy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marks where a response begins to look like nothing that the labels were made for, by `rows` rows that training left out.

    1 % of them were judged with a confidence below `confidence_1`, 5 % below `confidence_5`; 1 % have an energy above
    `energy_1`, 5 % above `energy_5`. Traffic of which far more lies beyond is unlike what the model was measured on.
    """

    rows: int
    confidence_1: float
    confidence_5: float
    energy_1: float
    energy_5: float


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describes a bundle: what it sorts into, how pairs are laid out, and which files belong to it.

    `temperature` is already inside the graph. `logit_bound` is the largest difference from the PyTorch model's logits
    that the parity gate saw. `artefact` is fp32, int8 (for CPU) or fp16 (mixed, for CUDA). `out_of_taxonomy` is null in
    bundles that were exported before it was measured.
    """

    schema: str
    name: str
    labels: tuple[str, ...]
    request_kinds: tuple[Literal["benign", "harmful"] | None, ...]
    layout: Layout
    model: str
    tokenizer: str
    artefact: Literal["fp32", "int8", "fp16"]
    opset: int
    temperature: float
    logit_bound: float
    files: dict[str, FileEntry]
    out_of_taxonomy: OutOfTaxonomy | None = None


class Bundle(msgspec.Struct, frozen=True):
    """A verified bundle: where it lies, its manifest, and the SHA-256 of the manifest itself."""

    folder: Path
    manifest: Manifest
    sha256: str

    @property
    def identity(self) -> str:
        """Names the bundle and its exact content, as `name@sha12`."""
        return f"{self.manifest.name}@{self.sha256[:12]}"

    @property
    def model_path(self) -> Path:
        """Where the ONNX graph lies."""
        return self.folder / self.manifest.model

    @property
    def tokenizer_path(self) -> Path:
        """Where the tokenizer lies."""
        return self.folder / self.manifest.tokenizer


def load_manifest(folder: Path) -> Manifest:
    """Reads the manifest of the bundle in `folder` without looking at its other files; see `verify` for those."""
    return _parse(folder, _manifest_bytes(folder))


def verify(folder: Path) -> Bundle:
    """Returns the bundle in `folder` after checking every byte of it.

    Raises BundleError for a changed, missing or unlisted file, a link, a name that leaves the folder, a pickle, external
    data outside the bundle, or a schema that this version does not know.
    """
    raw = _manifest_bytes(folder)
    manifest = _parse(folder, raw)
    present = set(_present(folder))
    _check_names(folder, manifest, present)
    for name, entry in manifest.files.items():
        if _sha256(folder / name) != entry.sha256:
            raise BundleError(f"{folder}: {name} is not the file that was exported; install or export it again")
    try:
        locations = external_locations((folder / manifest.model).read_bytes())
    except ValueError as error:
        raise BundleError(f"{folder}: {manifest.model} is not an ONNX model ({error}); export it again") from error
    if outside := sorted(locations - manifest.files.keys()):
        raise BundleError(f"{folder}: the model takes weights from {outside[0]!r}, outside the bundle; do not use it")
    return Bundle(folder, manifest, hashlib.sha256(raw).hexdigest())


def _check_names(folder: Path, manifest: Manifest, present: set[str]) -> None:
    """Refuses a manifest and a folder that do not name exactly the same plain, harmless files."""
    for name in sorted({*manifest.files, manifest.model, manifest.tokenizer}):
        if Path(name).name != name or name in {"", ".", ".."} or "\\" in name:
            raise BundleError(
                f"{folder}: the manifest names {name!r}, which is not a plain file name; do not use this bundle"
            )
        if name.lower().endswith(_PICKLES):
            raise BundleError(f"{folder}: {name} may hold a pickle, which can run code; export the model again")
        if name not in manifest.files:
            raise BundleError(f"{folder}: {name} has no checksum in the manifest; export the model again")
        if name not in present:
            raise BundleError(f"{folder}: {name} is missing; install the package again, or export the model again")
    if extra := sorted(present - manifest.files.keys()):
        raise BundleError(f"{folder}: {extra[0]} is not in the manifest; move it out of the bundle")


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} holds no {MANIFEST}; name the folder of a bundle made by valuedrift export"
        ) from error
    except OSError as error:
        raise BundleError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error


def _parse(folder: Path, raw: bytes) -> Manifest:
    try:
        schema = msgspec.json.decode(raw, type=_SchemaOnly).schema
        if schema != SCHEMA:
            raise BundleError(
                f"{folder}: schema {schema!r} is unknown to this version, which reads {SCHEMA}; upgrade valuedrift"
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise BundleError(f"{folder / MANIFEST} is damaged ({error}); install or export the bundle again") from error
    if len(manifest.labels) != len(manifest.request_kinds) or not 2 <= len(set(manifest.labels)) == len(
        manifest.labels
    ):
        raise BundleError(f"{folder}: the manifest needs two or more distinct labels and one request kind for each")
    return manifest


class _SchemaOnly(msgspec.Struct, frozen=True):
    schema: str


def _present(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name == MANIFEST and path.is_file() and not path.is_symlink():
            continue
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{folder}: {path.name} is not a plain file; a bundle holds plain files only")
        yield path.name


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
