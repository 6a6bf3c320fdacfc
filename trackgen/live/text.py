"""Answers as JSON: arrays of float32 as numbers that read back exactly, NaN as null."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["json_pieces"]

PIECE = 8192
"""Values written at a time: the interpreter does nothing else meanwhile."""


def json_pieces(answer: Mapping[str, Any] | Sequence[Any], check: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """The text of an answer, piece by piece.

    Args:
        answer: objects and lists that may hold float32 arrays of one dimension.
        check: called between pieces; what it raises ends the work.
    """
    for piece in _pieces(answer):
        check()
        yield piece.encode("utf-8")


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, np.ndarray):
        yield "["
        for start in range(0, len(value), PIECE):
            yield ("," if start else "") + _numbers(value[start : start + PIECE])
        yield "]"
    elif isinstance(value, Mapping):
        yield "{"
        for number, (name, entry) in enumerate(value.items()):
            yield f"{',' if number else ''}{json.dumps(name)}:"
            yield from _pieces(entry)
        yield "}"
    elif isinstance(value, list | tuple) and any(isinstance(entry, Mapping) for entry in value[:1]):
        yield "["
        for number, entry in enumerate(value):
            if number:
                yield ","
            yield from _pieces(entry)
        yield "]"
    else:
        yield json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _numbers(values: NDArray[np.float32]) -> str:
    """Nine digits tell every float32 from its neighbours."""
    text = ",".join(["%.9g"] * len(values)) % tuple(values.tolist())
    return text.replace("nan", "null")
