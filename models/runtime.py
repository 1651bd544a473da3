"""ONNX Runtime, loaded so that it does not report its use to its maker: import `ort` from here and nowhere else."""

import os

# It is read when the library is loaded; whoever watches a model wants no such traffic.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["ort"]
