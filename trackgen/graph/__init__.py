"""Compilers from ONNX to ONNX: pure functions, no session, no file, the input never changed."""

from __future__ import annotations

from trackgen.graph.deeplift import (
    Attribution,
    ContributionGraph,
    compile_dense_contributions,
    compile_window_contributions,
)
from trackgen.graph.dense import DenseModel, Form, Layer, TileInput, compile_dense
from trackgen.graph.ensemble import SPREAD, ensemble_card, join_models, spread_of
from trackgen.graph.explain import explain
from trackgen.graph.operations import Operations
from trackgen.graph.refusals import CompilerFault, NotDense, NotExplained

__all__ = [
    "SPREAD",
    "Attribution",
    "CompilerFault",
    "ContributionGraph",
    "DenseModel",
    "Form",
    "Layer",
    "NotDense",
    "NotExplained",
    "Operations",
    "TileInput",
    "compile_dense",
    "compile_dense_contributions",
    "compile_window_contributions",
    "ensemble_card",
    "explain",
    "join_models",
    "spread_of",
]
