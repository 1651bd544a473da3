"""Light modules stay light: what a fresh interpreter loads is the proof, since a linter cannot see a re-export."""

import os
import subprocess
import sys

import pytest

HEAVY = ("faust", "onnxruntime", "kafka", "aiokafka", "torch", "transformers", "matplotlib", "pydantic", "river")


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_core_loads_neither_faust_nor_onnxruntime_nor_anything_else_heavy() -> None:
    loaded = loaded_by("import stream.core.engine, stream.core.monitor")
    assert "stream" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_help_loads_no_command_and_nothing_heavy() -> None:
    loaded = loaded_by("import stream.cli")
    assert loaded.isdisjoint((*HEAVY, "numpy"))


@pytest.mark.parametrize("module", ["stream.replay", "stream.codec", "stream.pipeline"])
def test_history_is_read_without_faust(module: str) -> None:
    assert loaded_by(f"import {module}").isdisjoint(("faust", "mode", "torch"))


def test_onnx_runtime_is_told_not_to_report_its_use_before_it_is_loaded() -> None:
    code = """
import os, sys

class Watch:
    def find_spec(self, name, path, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Watch())
import models.onnx_t5
"""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
