"""Why a model can't be compiled."""

from __future__ import annotations

from trackgen.errors import ModelError

__all__ = ["CompilerFault", "NotDense", "NotExplained"]


class NotDense(ModelError):
    """A model that no dense graph can stand for; it still runs window by window.

    Args:
        node: name of the node that can't be, or of its first output where it has none.
        op: its operator.
        reason: why, one clause.

    Attributes:
        node, op, reason: as given.
    """

    def __init__(self, node: str, op: str, reason: str) -> None:
        self.node, self.op, self.reason = node, op, reason
        super().__init__(
            f"the model can't run densely: {reason}",
            place=f"node {node} ({op})",
            remedy="leave out `--mode dense`: windows run one by one give the same track, only slower",
        )

    @property
    def why(self) -> str:
        """The reason with its place, for the user whose windows are run one by one."""
        return f"node {self.node} ({self.op}): {self.reason}"


class CompilerFault(ModelError):
    """A pass of the compiler made a wrong graph: a fault of trackgen's, for which no model is to be refused.

    Args:
        made_by: the pass.
        found, wanted: what is wrong with the graph.
    """

    def __init__(self, made_by: str, found: str, wanted: str) -> None:
        self.made_by = made_by
        super().__init__(
            f"the compiler's pass {made_by!r} made a wrong graph, which is a fault of trackgen",
            found=found,
            wanted=wanted,
            remedy="report it with the model; until then `--mode window` runs the model as it is",
        )

    @property
    def why(self) -> str:
        """The reason, for the user whose windows are run one by one."""
        return f"the compiler's pass {self.made_by!r} failed on it; please report that with the model"


class NotExplained(ModelError):
    """A model that an attribution has no rule for.

    Args:
        node: name of the node without a rule, or of its first output where it has none.
        op: its operator.
        reason: why, one clause.
        attribution: ``deeplift`` or ``gradient``.
        has_gradient: whether the node has a gradient, which is a remedy then.

    Attributes:
        node, op, reason: as given.
    """

    def __init__(self, node: str, op: str, reason: str, attribution: str, *, has_gradient: bool = True) -> None:
        self.node, self.op, self.reason = node, op, reason
        others = "`--attribution gradient`, or " if attribution == "deeplift" and has_gradient else ""
        super().__init__(
            f"the model has no {'DeepLIFT' if attribution == 'deeplift' else 'gradient'} contributions: {reason}",
            place=f"node {node} ({op})",
            remedy=f"use {others}`--attribution occlusion` with --regions, which any model allows",
        )
