"""Window model -> dense tile graph; one file a family of operators, its algebra in the file's docstring."""

from __future__ import annotations

from trackgen.graph.dense.compile import DenseModel, Form, Layer, compile_dense
from trackgen.graph.dense.inputs import TileInput

__all__ = ["DenseModel", "Form", "Layer", "TileInput", "compile_dense"]
