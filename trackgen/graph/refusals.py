"""Why a model can't be compiled."""

from __future__ import annotations

from trackgen.errors import ModelError

__all__ = ["NotDense"]


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
