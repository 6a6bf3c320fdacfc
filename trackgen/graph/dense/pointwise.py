"""Operators on one element at a time, with any number of operands.

Algebra. f(x)[i, j] depends on x[i, j] alone, so it is the same f on the tile. Operands broadcast as in NumPy; on the
tile each is brought to the same order of channels and the same positions. A constant may differ by channel. One that
differs by position depends on where a window begins: an affine map by it (Add, Sub, Mul, Div) is carried along until a
dense layer takes it up, anything else is refused. A value of the whole window (a global mean) that meets single
positions (squeeze-and-excitation) would need every window's positions anew: refused.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from trackgen.graph.dense.layout import Atom, Joined, Value, regroup
from trackgen.graph.dense.lowering import Lowering, Operand, Tensor
from trackgen.graph.nodes import Array, Node

__all__ = ["RULES", "combine"]

UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf",
    "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not",
    "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt",
    "Swish", "Tan", "Tanh", "ThresholdedRelu",
)  # fmt: skip
SEVERAL = (
    "Add", "And", "Clip", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod", "Mul", "Or",
    "PRelu", "Pow", "Sub", "Where", "Xor",
)  # fmt: skip
FOLDED = ("Max", "Mean", "Min", "Sum")
"""Operators of any number of operands, taken two at a time."""
AFFINE = ("Add", "Sub", "Mul", "Div")
SCALARS_ONLY = ("Clip",)


def pointwise(lowering: Lowering, node: Node) -> Tensor:
    operands = [lowering.operand(node, index) for index in range(len(node.inputs))]
    if node.op in FOLDED:
        return _fold(lowering, node, [entry for entry in operands if entry is not None])
    return combine(lowering, node, node.op, operands, dict(node.attributes))


def _fold(lowering: Lowering, node: Node, operands: Sequence[Operand]) -> Tensor:
    """Max, Min, Sum and Mean of any number of operands."""
    op = {"Sum": "Add", "Mean": "Add"}.get(node.op, node.op)
    # Data first: a constant can be added to it, but not to another constant.
    result, *rest = sorted(operands, key=lambda operand: isinstance(operand, np.ndarray))
    for operand in rest:
        result = combine(lowering, node, op, [result, operand], {})
    if isinstance(result, np.ndarray):
        raise node.refuse("its input is a constant")
    if node.op == "Mean":
        result = combine(lowering, node, "Div", [result, np.array(len(operands), np.float32)], {})
    return result


def combine(
    lowering: Lowering, node: Node, op: str, operands: Sequence[Operand | None], attributes: dict[str, object]
) -> Tensor:
    """Run `op` on operands that broadcast; at least one of them is no constant."""
    tensors = [entry for entry in operands if isinstance(entry, Value | Joined)]
    if any(isinstance(entry, Joined) for entry in tensors):
        return _combine_joined(lowering, node, op, operands, attributes)
    values = [entry for entry in tensors if isinstance(entry, Value)]
    if len(values) == 1 and op in AFFINE:
        mapped = _affine(lowering, node, op, operands)
        if mapped is not None:
            return mapped
    for value in values:
        lowering.refuse_pending(node, value)
    values = _aligned(lowering, node, operands)
    remaining = iter(values)
    names, like = [], next((value for value in values if value.positions is not None), values[0])
    like = next((value for value in values if not value.spread), like)
    for entry in operands:
        if entry is None:
            names.append("")
        elif isinstance(entry, np.ndarray):
            names.append(_constant_name(lowering, node, op, values[0], entry))
        else:
            names.append(next(remaining).name)
    dims = _joint_dims(values, like)
    name = lowering.build.emit(op, names, **attributes)
    return replace(like, name=name, dims=dims, stored=_longest(values))


def _longest(values: Sequence[Value]) -> tuple[Atom, ...]:
    return max((value.stored for value in values), key=len)


def _joint_dims(values: Sequence[Value], like: Value) -> tuple[tuple[Atom, ...], ...]:
    """On each axis the atoms of an operand that has any; the positions are those of `like`."""
    position = like.atom("position")
    dims = []
    for axes in zip(*(value.dims for value in values), strict=True):
        atoms = next((axis for axis in axes if axis), ())
        dims.append(tuple(position if position and atom.role == "position" else atom for atom in atoms))
    return tuple(dims)


def _aligned(lowering: Lowering, node: Node, operands: Sequence[Operand | None]) -> list[Value]:
    """The operands that are values, with equal ranks, channels in one order, and the positions they share."""
    given = [entry for entry in operands if isinstance(entry, Value)]
    rank = max(entry.ndim if isinstance(entry, np.ndarray) else entry.rank for entry in operands if entry is not None)
    if any(value.rank < rank and value.axis_of("batch") is not None for value in given):
        raise node.refuse("it broadcasts the windows of a batch against another axis")
    shape = _broadcast_shape(node, operands, rank)
    values = [_filled(lowering, node, value, shape, given) for value in given]
    values = _cut_alike(node, lowering.in_step(node, values))
    first = max(values, key=lambda value: len(value.stored))
    return [_in_order_of(lowering, value, first) for value in values]


def _broadcast_shape(node: Node, operands: Sequence[Operand | None], rank: int) -> tuple[int, ...]:
    shapes = [(1,) * (rank - len(entry.shape)) + tuple(entry.shape) for entry in operands if entry is not None]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise node.refuse(f"its operands of shapes {shapes} don't broadcast") from None


def _filled(lowering: Lowering, node: Node, value: Value, shape: tuple[int, ...], others: Sequence[Value]) -> Value:
    """With axes of size 1 repeated where the result has channels there; one lone channel broadcasts by itself."""
    for axis, size in enumerate(shape):
        if value.shape[axis] != 1 or size == 1:
            continue
        meets = [other for other in others if other.shape[axis] == size]
        if any(atom.role == "position" for other in meets for atom in other.dims[axis]):
            if value.positions is None and not value.spread:
                raise node.refuse("a value of the whole window meets single positions of it")
            continue
        alone = value.channels == 1 and meets
        if not alone:
            value = lowering.replicate(value, axis, size)
    return value


def _cut_alike(node: Node, values: Sequence[Value]) -> list[Value]:
    """The values with their channels cut into atoms of equal sizes, axis by axis."""
    cut = list(values)
    for axis in range(cut[0].rank):
        kinds = {tuple(atom.role == "position" for atom in value.dims[axis]) for value in cut if value.dims[axis]}
        if len(kinds) > 1 and any(any(kind) for kind in kinds):
            raise node.refuse("values that differ by position of the window meet positions of the genome")
        sizes = _common_sizes(node, [[atom.size for atom in value.dims[axis]] for value in cut if value.dims[axis]])
        for number, value in enumerate(cut):
            if value.dims[axis] and [atom.size for atom in value.dims[axis]] != sizes:
                finer = regroup(value, [*value.shape[:axis], *sizes, *value.shape[axis + 1 :]])
                if finer is None:
                    raise node.refuse("its operands have channels in different orders")
                atoms = tuple(atom for part in finer.dims[axis : axis + len(sizes)] for atom in part)
                dims = (*finer.dims[:axis], atoms, *finer.dims[axis + len(sizes) :])
                cut[number] = replace(finer, dims=dims)
    return cut


def _common_sizes(node: Node, factorings: list[list[int]]) -> list[int]:
    """The coarsest factoring of an axis that refines all of those given, outermost first."""
    inner: set[int] = set()  # products of the innermost factors: where one atom ends and the next begins
    for sizes in factorings:
        inner.update(math.prod(sizes[number:]) for number in range(len(sizes)))
    borders = [1, *sorted(inner)]
    if any(high % low for low, high in itertools.pairwise(borders)):
        raise node.refuse("its operands have channels in different orders")
    return [high // low for low, high in itertools.pairwise(borders)][::-1]


def _in_order_of(lowering: Lowering, value: Value, first: Value) -> Value:
    """`value` with its channels ordered as those of `first`, which is cut alike."""
    if value is first or not value.stored:
        return value
    partner = {
        id(theirs): ours
        for their_axis, our_axis in zip(first.dims, value.dims, strict=True)
        if their_axis and our_axis
        for theirs, ours in zip(their_axis, our_axis, strict=True)
    }
    return lowering.arrange(value, [partner[id(atom)] for atom in first.stored])


def _constant_name(lowering: Lowering, node: Node, op: str, value: Value, constant: Array) -> str:
    held = lowering.channel_constant(value, constant)
    if held is None:
        raise node.refuse("its constants differ by position, so that it depends on where a window begins")
    if held.ndim and op in SCALARS_ONLY:
        raise node.refuse("its bounds are not single numbers")
    return lowering.build.constant(held)


def _affine(lowering: Lowering, node: Node, op: str, operands: Sequence[Operand | None]) -> Value | None:
    """The map of a value by a constant that differs by position, carried along; None where it need not be."""
    value = next(entry for entry in operands if isinstance(entry, Value))
    constant = next(entry for entry in operands if isinstance(entry, np.ndarray))
    reversed_ = isinstance(operands[0], np.ndarray)
    if constant.ndim > value.rank or not np.issubdtype(constant.dtype, np.floating):
        return None
    fits = np.broadcast_shapes(constant.shape, value.shape) == value.shape
    if not fits or not (value.pending or lowering.channel_constant(value, constant) is None):
        return None
    shape = tuple(math.prod(atom.size for atom in axis if atom.role != "batch") for axis in value.dims)
    full = np.broadcast_to(constant.astype(np.float64), shape)
    scale = np.ones(shape) if value.scale is None else value.scale
    shift = np.zeros(shape) if value.shift is None else value.shift
    if op in ("Add", "Sub"):
        sign = -1.0 if op == "Sub" else 1.0
        if op == "Sub" and reversed_:
            return replace(value, scale=-scale, shift=full - shift)
        return replace(value, scale=scale, shift=shift + sign * full)
    if op == "Div" and reversed_:
        raise node.refuse("its constants differ by position, so that it depends on where a window begins")
    factor = 1.0 / full if op == "Div" else full
    return replace(value, scale=scale * factor, shift=shift * factor)


def _combine_joined(
    lowering: Lowering, node: Node, op: str, operands: Sequence[Operand | None], attributes: dict[str, object]
) -> Joined:
    """Part by part: constants are cut where the parts meet."""
    first = next(entry for entry in operands if isinstance(entry, Joined))
    borders = np.cumsum(first.sizes)[:-1]
    columns: list[list[Operand | None]] = []
    for entry in operands:
        if isinstance(entry, Joined):
            if entry.sizes != first.sizes or entry.axis != first.axis:
                raise node.refuse("it combines branches that are joined in different ways")
            columns.append(list(entry.parts))
        elif isinstance(entry, Value):
            raise node.refuse("it combines joined branches, some of which have positions, with one tensor")
        elif entry is None or entry.size == 1:
            columns.append([entry] * len(first.parts))
        else:
            axis = entry.ndim - first.rank + first.axis
            split = axis >= 0 and entry.shape[axis] > 1
            columns.append(list(np.split(entry, borders, axis)) if split else [entry] * len(first.parts))
    parts = [combine(lowering, node, op, row, attributes) for row in zip(*columns, strict=True)]
    return Joined(tuple(part for part in parts if isinstance(part, Value)), first.axis)


RULES: dict[str, Callable[[Lowering, Node], Tensor]] = dict.fromkeys((*UNARY, *SEVERAL, *FOLDED), pointwise)
