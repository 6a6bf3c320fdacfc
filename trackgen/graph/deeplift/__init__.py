"""Window model -> graph of contributions; one file a family of operators, its algebra in the file's docstring."""

from __future__ import annotations

from trackgen.graph.deeplift.compile import (
    ContributionGraph,
    compile_dense_contributions,
    compile_window_contributions,
)
from trackgen.graph.deeplift.tape import Attribution

__all__ = ["Attribution", "ContributionGraph", "compile_dense_contributions", "compile_window_contributions"]
