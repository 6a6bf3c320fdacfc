"""Compilers from ONNX to ONNX: pure functions, no session, no file, the input never changed."""

from __future__ import annotations

from trackgen.graph.dense import DenseModel, Form, Layer, TileInput, compile_dense
from trackgen.graph.explain import explain
from trackgen.graph.operations import Operations
from trackgen.graph.refusals import CompilerFault, NotDense

__all__ = [
    "CompilerFault",
    "DenseModel",
    "Form",
    "Layer",
    "NotDense",
    "Operations",
    "TileInput",
    "compile_dense",
    "explain",
]
