"""Compiled code that is kept on disk is never older than what it was made from."""

import ast
from pathlib import Path

import pytest

import stream.core.kernel

FILES = sorted(Path(stream.core.kernel.__file__).parent.glob("*.py"))


def compiled_functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(mark, ast.Name) and mark.id == "compiled" for mark in node.decorator_list)
    ]


def test_there_are_compiled_functions_to_check() -> None:
    assert sum(len(compiled_functions(ast.parse(path.read_text()))) for path in FILES) > 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_compiled_function_uses_only_what_stands_in_its_own_file(path: Path) -> None:
    """The cache on disk is thrown away when the function's own file changes, and not when another one does."""
    tree = ast.parse(path.read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stream")
        for alias in node.names
    }
    for function in compiled_functions(tree):
        used = {node.id for line in function.body for node in ast.walk(line) if isinstance(node, ast.Name)}
        assert not used & imported, f"{function.name} uses {', '.join(sorted(used & imported))} of another file"
