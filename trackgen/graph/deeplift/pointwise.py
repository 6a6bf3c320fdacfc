"""Functions of one element at a time: Rescale, or the slope.

Algebra. y = f(x): what reaches y goes to x times (y - y0) / (x - x0). Where x is near x0 that quotient has no digits
left: a smooth function takes its slope half-way between, one with corners its slope where x and x0 have the same.
A group of nodes that depends on one tensor alone, element by element, is one function: exporters write Gelu as Div,
Erf, Add, Mul, Mul. Other products of activations belong to none of the rules: refused, but for gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from trackgen.graph.deeplift.evaluate import evaluate
from trackgen.graph.deeplift.moving import RULES as MOVING
from trackgen.graph.deeplift.slopes import POINTWISE, Number, grid_of, write_dual
from trackgen.graph.deeplift.tape import Rule, Tape
from trackgen.graph.dense.builder import TileBuilder
from trackgen.graph.nodes import Array, Node, constant_tensors, read_node

__all__ = ["RULES", "common_root", "pointwise"]

Parts = Iterator[tuple[str, str]]
NEAR = 1e-2
"""Below this distance from the reference float32 quotients have too few digits."""
SMOOTH = 1e-4
"""A function is smooth where its slope half-way is that of the chord up to this, over a distance of NEAR."""
SMALLEST = 1e-30
STRAIGHT = ("Abs", "Clip", "HardSigmoid", "LeakyRelu", "PRelu", "Relu", "Shrink", "ThresholdedRelu")
"""Functions whose pieces are lines: their slopes on one piece are equal."""


def pointwise(tape: Tape, node: Node, part: str) -> Parts:
    """Any operator on single elements."""
    given = tape.forward.data_inputs(node)
    if _is_linear(tape, node, given):
        yield from _linear(tape, node, part)
        return
    root = common_root(tape, given)
    if root is None or tape.shape(root) != tape.shape(node.outputs[0]):
        if len(given) == 1 and tape.is_float(given[0]) and tape.attribution == "deeplift":
            raise tape.refuse(node, "it changes the shape of what it works on")
        yield from _partial_slopes(tape, node, given, part)
        return
    if tape.wants(root):
        yield root, tape.build.emit("Mul", [part, _multiplier(tape, node, root)])


def _is_linear(tape: Tape, node: Node, given: Sequence[str]) -> bool:
    if node.op == "Mul":
        return len(given) == 1 and node.inputs[0] != node.inputs[1]
    if node.op == "Div":
        return list(given) == [node.inputs[0]] and node.inputs[0] != node.inputs[1]
    return node.op == "Where" and node.inputs[0] not in given and len(given) >= 1


def _linear(tape: Tape, node: Node, part: str) -> Parts:
    """Products with constants, and choices by a constant."""
    made, build = tape.shape(node.outputs[0]), tape.build
    if node.op == "Where":
        zero = build.constant(np.zeros((), np.float32))
        condition = tape.value(node.inputs[0])
        for number, name in enumerate(node.inputs[1:]):
            if tape.wants(name):
                sides = [zero, part] if number else [part, zero]
                yield name, tape.to_shape_of(build.emit("Where", [condition, *sides]), made, name)
        return
    (name,) = tape.forward.data_inputs(node)
    other = next(entry for entry in node.inputs if entry != name)
    if tape.wants(name):
        yield name, tape.to_shape_of(build.emit(node.op, [part, tape.value(other)]), made, name)


def _ancestors(tape: Tape, name: str) -> list[str]:
    """A tensor and those that it depends on alone, element by element, nearest first."""
    known = tape.kept.setdefault("ancestors", {})
    if name not in known:
        known[name] = [name]
        node = tape.producers.get(name)
        if node is not None and node.op in POINTWISE and not node.domain:
            root = common_root(tape, tape.forward.data_inputs(node), floats=False)
            if root is not None and tape.shape(root) == tape.shape(name):
                known[name] = [name, *_ancestors(tape, root)]
    found: list[str] = known[name]
    return found


def common_root(tape: Tape, names: Sequence[str], *, floats: bool = True) -> str | None:
    """The nearest tensor that all of `names` depend on alone, element by element."""
    if not names:
        return None
    lists = [_ancestors(tape, name) for name in names]
    for candidate in lists[0]:
        if all(candidate in others for others in lists) and (not floats or tape.is_float(candidate)):
            return candidate
    return None


def _group(tape: Tape, node: Node, root: str) -> list[Node]:
    """The nodes between a tensor and the result of `node`, in order."""
    wanted, found = {node.outputs[0]}, set()
    stack = [node.outputs[0]]
    while stack:
        name = stack.pop()
        if name == root or name in found or name not in tape.producers:
            continue
        found.add(name)
        producer = tape.producers[name]
        wanted.update(producer.inputs)
        stack.extend(entry for entry in producer.inputs if entry in tape.forward.data)
    return [entry for entry in tape.forward.nodes if entry.outputs[0] in found]


def _multiplier(tape: Tape, node: Node, root: str) -> str:
    """Written once, whatever the number of classes that are explained."""
    key = ("multiplier", node.outputs[0])
    known = tape.kept.setdefault("multipliers", {})
    if key not in known:
        nodes = _group(tape, node, root)
        if tape.attribution == "gradient":
            known[key] = _slope_at(tape, nodes, root, tape.value(root))
        elif len(nodes) == 1 and node.op == "Relu" and not tape.live:
            known[key] = _relu(tape, node, root)
        else:
            known[key] = _rescale(tape, nodes, root)
    found: str = known[key]
    return found


def _slope_at(tape: Tape, nodes: Sequence[Node], root: str, place: str) -> str:
    _, slope = write_dual(tape.build, nodes, {root: (place, True)}, tape.value)
    return slope if slope is not None else tape.build.constant(np.zeros((), np.float32))


def _relu(tape: Tape, node: Node, root: str) -> str:
    """Its quotient without a difference of numbers that may be close: u / (u + a) with a = |x0|.

    Where x0 <= 0: u = max(x, 0), and the multiplier is u / (u + a). Where x0 > 0: u = max(-x, 0), and it is that less
    than 1.
    """
    values = tape.reference_value(root)
    assert values is not None
    build = tape.build
    positive = values > 0
    distance = Number(build, build.constant(np.maximum(np.abs(values), SMALLEST).astype(np.float32)))
    if not positive.any():
        reached = Number(build, tape.value(node.outputs[0]))
        return (reached / (reached + distance)).name
    sign = build.constant(np.where(positive, -1.0, 1.0).astype(np.float32))
    turned = Number(build, tape.value(root)).of("Mul", Number(build, sign)).of("Relu")
    share = turned / (turned + distance)
    if positive.all():
        return (1.0 - share).name
    offset = Number(build, build.constant(positive.astype(np.float32)))
    return (share * Number(build, sign) + offset).name


def _rescale(tape: Tape, nodes: Sequence[Node], root: str) -> str:
    """(y - y0) / (x - x0), and what stands for it where x is near x0."""
    build = tape.build
    x, x0, y, y0 = (
        Number(build, name)
        for name in (
            tape.value(root),
            tape.reference(root),
            tape.value(nodes[-1].outputs[0]),
            tape.reference(nodes[-1].outputs[0]),
        )
    )
    difference = x - x0
    if _is_smooth(tape, nodes, root):
        half_way = (x0 + difference * 0.5).name
        slope = Number(build, _slope_at(tape, nodes, root, half_way))
        far = difference.of("Abs").above(NEAR)
        return far.where((y - y0) / far.where(difference, 1.0), slope).name
    here, there = (Number(build, _slope_at(tape, nodes, root, place.name)) for place in (x, x0))
    same = difference.of("Equal", 0.0)
    quotient = same.where(here, (y - y0) / same.where(1.0, difference))
    near = (NEAR - difference.of("Abs")).above(0.0)
    if len(nodes) == 1 and nodes[0].op in STRAIGHT:
        return near.of("And", here.of("Equal", there)).where(here, quotient).name
    # Curved on either side of a corner, as Elu is: Simpson's rule where no corner shows between.
    middle = Number(build, _slope_at(tape, nodes, root, (x0 + difference * 0.5).name))
    mean = (here + there) * 0.5
    bent = ((mean - middle).of("Abs") - middle.of("Abs") * SMOOTH).above(SMOOTH)
    return near.of("And", bent.of("Not")).where((mean + middle * 2.0) / 3.0, quotient).name


def _is_smooth(tape: Tape, nodes: Sequence[Node], root: str) -> bool:
    """Whether the slope half-way is the chord's, on a grid and around the reference's own values."""
    build = TileBuilder(tuned=False)
    constants = {name: held for node in nodes for name in node.inputs if (held := tape.constant(name)) is not None}
    build.input("x", 1, ["points"])
    value, slope = write_dual(build, nodes, {root: ("x", True)}, lambda name: build.constant(constants[name]))
    if slope is None:
        return False
    build.output(value, "y", [])
    build.output(slope, "slope", [])
    model = build.model(tape.forward.opset)
    protos, weights = [read_node(proto) for proto in model.graph.node], constant_tensors(model.graph)

    def run(points: Array) -> tuple[Array, Array]:
        found = evaluate(protos, weights, {"x": points}, tape.forward.opset)
        return found["y"], found["slope"]

    for middle in _middles(tape, root, list(constants.values())):
        low, high = (run(middle + side * NEAR / 2)[0] for side in (-1.0, 1.0))
        slopes = np.broadcast_to(run(middle)[1], low.shape)
        known = np.isfinite(low) & np.isfinite(high) & np.isfinite(slopes)
        apart = np.abs((high - low) / NEAR - slopes)[known]
        if (apart > SMOOTH * (1.0 + np.abs(slopes[known]))).any():
            return False
    return True


def _middles(tape: Tape, root: str, constants: Sequence[Array]) -> Iterator[Array]:
    """Places to compare slopes at: a grid, and where the reference stands."""
    grid = grid_of(constants)
    yield grid
    values = tape.reference_value(root)
    if values is not None:
        yield values.astype(np.float64)[None] + np.linspace(-NEAR, NEAR, 9).reshape(-1, *[1] * values.ndim)


def _partial_slopes(tape: Tape, node: Node, given: Sequence[str], part: str) -> Parts:
    """A function of several activations: for gradients, the slope by each."""
    if tape.attribution != "gradient":
        raise tape.refuse(node, "a product of two activations (gating, attention)")
    made = tape.shape(node.outputs[0])
    for name in given:
        if not tape.wants(name) or not tape.is_float(name):
            continue
        places = {entry: (tape.value(entry), entry == name) for entry in given}
        _, slope = write_dual(tape.build, [node], places, tape.value)
        if slope is not None:
            yield name, tape.to_shape_of(tape.build.emit("Mul", [part, slope]), made, name)


RULES: dict[str, Rule] = {op: pointwise for op in sorted(POINTWISE) if op not in MOVING and op != "Max"}
