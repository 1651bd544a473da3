"""Reads just enough of an ONNX file to say which other files it would open."""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _FUNCTION = 7, 25  # of ModelProto
_NODE, _INITIALIZER, _SPARSE = 1, 5, 15  # of GraphProto; a FunctionProto keeps its nodes in field 7
_ATTRIBUTE = 5  # of NodeProto
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE_TENSOR, _SPARSE_TENSORS = 5, 6, 10, 11, 22, 23  # of AttributeProto
_EXTERNAL = 13  # of TensorProto
_FUNCTION_NODE = 7


def external_locations(model: bytes) -> set[str]:
    """Returns the paths of the external data files that the tensors of an ONNX model name.

    Raises ValueError when the bytes are not a well-formed protocol buffer with a graph.
    """
    found: set[str] = set()
    view = memoryview(model)
    graphs = 0
    for field, value in _fields(view):
        if field == _GRAPH:
            graphs += 1
            _graph(value, found)
        elif field == _FUNCTION:
            for inner, node in _fields(value):
                if inner == _FUNCTION_NODE:
                    _node(node, found)
    if graphs != 1:
        raise ValueError("no graph")
    return found


def _graph(view: memoryview, found: set[str]) -> None:
    for field, value in _fields(view):
        if field == _INITIALIZER:
            _tensor(value, found)
        elif field == _SPARSE:
            _sparse(value, found)
        elif field == _NODE:
            _node(value, found)


def _node(view: memoryview, found: set[str]) -> None:
    for field, attribute in _fields(view):
        if field != _ATTRIBUTE:
            continue
        for inner, value in _fields(attribute):
            if inner in {_TENSOR, _TENSORS}:
                _tensor(value, found)
            elif inner in {_SUBGRAPH, _SUBGRAPHS}:
                _graph(value, found)
            elif inner in {_SPARSE_TENSOR, _SPARSE_TENSORS}:
                _sparse(value, found)


def _sparse(view: memoryview, found: set[str]) -> None:
    for _, tensor in _fields(view):
        _tensor(tensor, found)


def _tensor(view: memoryview, found: set[str]) -> None:
    for field, entry in _fields(view):
        if field == _EXTERNAL:
            parts = {inner: bytes(value).decode("utf-8", "replace") for inner, value in _fields(entry)}
            if parts.get(1) == "location":
                found.add(parts.get(2, ""))


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields the number and the content of each length-delimited field, and steps over the others."""
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        wire = key & 7
        if wire == _VARINT:
            _, at = _varint(view, at)
        elif wire == _BYTES:
            size, at = _varint(view, at)
            if at + size > end:
                raise ValueError("truncated")
            yield key >> 3, view[at : at + size]
            at += size
        elif wire in {_FIXED64, _FIXED32}:
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("not a protocol buffer")
    if at != end:
        raise ValueError("truncated")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(view):
            raise ValueError("truncated")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not a protocol buffer")
