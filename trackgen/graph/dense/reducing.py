"""Reductions over positions or channels, and global pools.

Algebra. Over positions: a kernel as long as they are (dilation S/g, stride s/g), after which points are windows. Over
channels, at each position: the same on the tile's channel axis, since nothing moves along T. Over both: one after the
other, channels first, which is exact for maxima and (divided at the end) for means.
"""

from __future__ import annotations

from dataclasses import replace

from trackgen.graph.dense.layout import Value
from trackgen.graph.dense.lowering import Lowering
from trackgen.graph.dense.sliding import slide_all, sum_weighted
from trackgen.graph.nodes import Node

__all__ = ["RULES"]

KINDS = {"ReduceMax": "max", "ReduceMin": "min", "ReduceMean": "mean", "ReduceSum": "sum"}
SUMS_OF = {"ReduceL1": ("Abs", ""), "ReduceL2": ("Square", "Sqrt"), "ReduceSumSquare": ("Square", "")}
"""Reduction -> what is done to each element before they are summed, and to the sum."""


def global_pool(lowering: Lowering, node: Node) -> Value:
    value = lowering.value(node, 0)
    kind = "max" if node.op == "GlobalMaxPool" else "mean"
    return _reduced(lowering, node, value, tuple(range(2, value.rank)), kind, keep=True)


def reduce_(lowering: Lowering, node: Node) -> Value:
    value = lowering.operand(node, 0)
    if not isinstance(value, Value) or not value.pending or KINDS.get(node.op) not in ("mean", "sum"):
        value = lowering.value(node, 0)
    held = lowering.constant(node, 1)
    axes = node.integers("axes", ()) if held is None else tuple(int(axis) for axis in held.reshape(-1))
    if not axes:
        if node.attributes.get("noop_with_empty_axes"):
            return value
        axes = tuple(range(value.rank))
    keep = bool(node.attributes.get("keepdims", 1))
    axes = tuple(axis % value.rank for axis in axes)
    if node.op in SUMS_OF:
        before, after = SUMS_OF[node.op]
        build = lowering.build
        inner = build.emit("Mul", [value.name, value.name]) if before == "Square" else build.emit(before, [value.name])
        total = _reduced(lowering, node, replace(value, name=inner, source=""), axes, "sum", keep=keep)
        return replace(total, name=build.emit(after, [total.name])) if after else total
    kind = KINDS.get(node.op)
    if kind is None:  # ReduceProd, and ReduceLogSumExp, which would need each window's own maximum
        raise node.refuse("there is no dense form of this reduction")
    return _reduced(lowering, node, value, axes, kind, keep=keep)


def _reduced(lowering: Lowering, node: Node, value: Value, axes: tuple[int, ...], kind: str, *, keep: bool) -> Value:
    if any(atom.role == "batch" for axis in axes for atom in value.dims[axis]):
        raise node.refuse("it mixes windows of a batch")
    if kind == "min":
        negative = replace(value, name=lowering.build.emit("Neg", [value.name]), source="")
        result = _reduced(lowering, node, negative, axes, "max", keep=keep)
        return replace(result, name=lowering.build.emit("Neg", [result.name]))
    inside = [atom for axis in axes for atom in value.dims[axis]]
    if value.pending:
        if [atom.role for atom in inside] != ["position"]:
            lowering.refuse_pending(node, value)
        value = sum_weighted(lowering, node, value, kind)
        inside = []
    if any(atom.role == "channel" for atom in inside):
        value = _over_channels(lowering, node, value, axes, kind)
    if any(atom.role == "position" for atom in inside):
        if value.spread:
            raise node.refuse("it reduces a vector that was spread over positions")
        value = slide_all(lowering, node, value, kind)
    dims = [() if number in axes else dim for number, dim in enumerate(value.dims)]
    if not keep:
        dims = [dim for number, dim in enumerate(dims) if number not in axes]
    return replace(value, dims=tuple(dims))


def _over_channels(lowering: Lowering, node: Node, value: Value, axes: tuple[int, ...], kind: str) -> Value:
    """Reduce all channel atoms on `axes`; others stay as they are, each group by itself."""
    inner = tuple(atom for atom in value.stored if any(atom in value.dims[axis] for axis in axes))
    outer = tuple(atom for atom in value.stored if atom not in inner)
    value = lowering.arrange(value, outer + inner)
    build, op = lowering.build, {"max": "ReduceMax", "mean": "ReduceMean", "sum": "ReduceSum"}[kind]
    groups = replace(value, stored=outer).channels
    if groups > 1:
        lowering.refuse_apart(node, value)
    name = value.name if groups == 1 else build.reshape(value.name, [groups, value.channels // groups, 1, -1])
    name = build.reduce(op, name, 1, lowering.graph.opset)
    if groups > 1:
        name = build.reshape(name, [1, groups, 1, -1])
    dims = tuple(tuple(atom for atom in axis if atom not in inner) for axis in value.dims)
    return replace(value, name=name, dims=dims, stored=outer, source="")


RULES = {
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool"), global_pool),
    **dict.fromkeys((*KINDS, "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceProd", "ReduceSumSquare"), reduce_),
}
