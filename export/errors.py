"""What can go wrong while a classifier is trained, judged or exported; every message says what to do."""

from models.errors import ModelError


class ExportError(ModelError):
    """Training, evaluation or export cannot go on."""


class DataError(ExportError):
    """A file of labelled rows cannot be used as it is."""


class CheckpointError(ExportError):
    """A folder is not a T5 checkpoint that can sort pairs into the labels."""


class ParityError(ExportError):
    """An exported artefact does not agree with the PyTorch model; no bundle was written."""
