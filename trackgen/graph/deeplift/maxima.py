"""Maxima: pools, reductions, and the larger of several tensors.

Algebra. Where the reference is equal over what is compared, all that reaches a maximum goes to the first of the largest
elements. Elsewhere (near padding, or where the reference is a sequence), with out and ref the maxima of input and
reference: max(out, ref) - ref goes to the input's place, out - max(out, ref) to the reference's, each over the
difference x - x0 there.

A maximum over k elements is written by doubling: of 2, of 4, ... as a tensor and itself moved, the last overlapping.
Each pair keeps which side was larger (the lower on a tie), and hands back what reaches it to that side: log2(k) steps
both ways, no index and no scatter. With a small stride of t that divides k, blocks of t neighbours are compared first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from trackgen.graph.deeplift.linear import kernel_pads
from trackgen.graph.deeplift.pointwise import common_root, pointwise
from trackgen.graph.deeplift.slopes import Number
from trackgen.graph.deeplift.spelling import reduction_axes
from trackgen.graph.deeplift.tape import END, Rule, Tape, Writer
from trackgen.graph.nodes import Node

__all__ = ["RULES", "WRITERS"]

Parts = Iterator[tuple[str, str]]
LOWEST = float(np.finfo(np.float32).min)
MOST_NEIGHBOURS = 32
"""Of a block: each is three nodes there and two back. A pool over all 278 positions of a window was a graph of 5,000
nodes, which took ONNX Runtime 10 s to load; by doubling it is one of 400."""


@dataclass(frozen=True)
class _Slide:
    """A kernel along one axis; `behind` counts what a partial pool needs beyond the padding."""

    axis: int
    taps: int
    step: int = 1
    dilation: int = 1
    before: int = 0
    behind: int = 0

    @property
    def in_blocks(self) -> bool:
        """Whether the kernel is made of whole blocks of `step` neighbours, which are compared once."""
        return 1 < self.step <= MOST_NEIGHBOURS and self.dilation == 1 and self.taps % self.step == 0

    @property
    def missing(self) -> int:
        """How many elements at the end begin no whole kernel; blocks, where neighbours are compared in blocks."""
        return self.taps // self.step - 1 if self.in_blocks else (self.taps - 1) * self.dilation


@dataclass
class _Steps:
    """The way from a tensor to its maxima along one axis.

    Attributes:
        source: the tensor, padding included.
        blocks: where neighbours were first compared within blocks: for each element but the first, whether those
            before it were at least as large.
        pairs: then, of each pair of shifted tensors, the shift and whether the lower side was at least as large.
    """

    source: str
    blocks: list[str] = field(default_factory=list)
    pairs: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    """What the way back needs.

    Attributes:
        slides: the kernels, in order; empty for the larger of several tensors.
        steps: per kernel, of the input.
        mirror_steps: the same of the reference; empty where everything goes to the input's place.
        shares: what the input's and the reference's place get of what reaches the maximum; None for all and nothing.
    """

    slides: tuple[_Slide, ...]
    steps: tuple[_Steps, ...]
    mirror_steps: tuple[_Steps, ...] = ()
    shares: tuple[str, str] | None = None


def _slides_of(tape: Tape, node: Node) -> tuple[_Slide, ...]:
    rank = tape.rank(node.inputs[0])
    shape, made = tape.shape(node.inputs[0]), tape.shape(node.outputs[0])
    if node.op == "ReduceMax":
        axes = reduction_axes(node, rank, tape.constant)
        sizes = [shape[axis] for axis in axes]
        if any(size is None for size in sizes):
            raise tape.refuse(node, "it mixes windows of a batch")
        return tuple(_Slide(axis, size or 1) for axis, size in zip(axes[::-1], sizes[::-1], strict=True))
    kernel = node.integers("kernel_shape", ())
    spatial = len(kernel)
    pads = kernel_pads(tape, node, kernel)
    strides, dilations = (node.integers(name, (1,) * spatial) for name in ("strides", "dilations"))
    slides = []
    for number in reversed(range(spatial)):
        size, out = shape[number + 2], made[number + 2]
        before, behind = pads[number], pads[number + spatial]
        if size is not None and out is not None:
            reach = (out - 1) * strides[number] + (kernel[number] - 1) * dilations[number] + 1
            behind = max(0, reach - size - before)
        slides.append(_Slide(number + 2, kernel[number], strides[number], dilations[number], before, behind))
    return tuple(slides)


def write_maximum(tape: Tape, node: Node) -> None:
    """MaxPool and ReduceMax."""
    slides = _slides_of(tape, node)
    alike = None if tape.live else tape.known.alike[node.outputs[0]]
    keep = node.op == "MaxPool" or bool(node.attributes.get("keepdims", 1))
    axes = [slide.axis for slide in slides]

    def finish(name: str) -> str:
        return name if keep else tape.build.emit("Squeeze", [name, tape.number(*sorted(axes))])

    x = tape.value(node.inputs[0])
    if alike is not None and (alike.all() or tape.attribution == "gradient"):
        largest, _, steps = _slide_all(tape, node, slides, x, None)
        tape.names[node.outputs[0]] = finish(largest)
        tape.kept[node.outputs[0]] = _Kept(slides, steps)
        return
    x0 = tape.reference(node.inputs[0])
    out, reference_there, steps = _slide_all(tape, node, slides, x, x0)
    ref, input_there, mirror_steps = _slide_all(tape, node, slides, x0, x)
    tape.names[node.outputs[0]] = finish(out)
    if tape.live:
        tape.mirrored[node.outputs[0]] = finish(ref)
    if tape.attribution == "gradient":
        tape.kept[node.outputs[0]] = _Kept(slides, steps)
        return
    assert reference_there is not None
    assert input_there is not None
    shares = _shares(tape, out, ref, reference_there, input_there)
    if alike is not None:
        if not keep:
            alike = np.expand_dims(alike, tuple(sorted(axes)))
        condition = Number(tape.build, tape.build.constant(alike))
        shares = (
            condition.where(1.0, Number(tape.build, shares[0])).name,
            condition.where(0.0, Number(tape.build, shares[1])).name,
        )
    tape.kept[node.outputs[0]] = _Kept(slides, steps, mirror_steps, shares)


def _shares(tape: Tape, out: str, ref: str, reference_there: str, input_there: str) -> tuple[str, str]:
    """What the input's place and the reference's place get, over the difference x - x0 there."""
    build = tape.build
    largest, base = Number(build, out), Number(build, ref)
    gain, loss = (largest - base).of("Relu"), (base - largest).of("Relu")
    up, down = gain.above(0.0), loss.above(0.0)
    to_input = gain / up.where(largest - Number(build, reference_there), 1.0)
    to_reference = loss / down.where(base - Number(build, input_there), 1.0)
    return to_input.name, to_reference.name


def _slide_all(
    tape: Tape, node: Node, slides: Sequence[_Slide], name: str, partner: str | None
) -> tuple[str, str | None, tuple[_Steps, ...]]:
    """Maxima of a tensor, the partner's value where each was found, and the way."""
    steps = []
    for slide in slides:
        name, partner, way = _slide(tape, tape.rank(node.inputs[0]), slide, name, partner)
        steps.append(way)
    return name, partner, tuple(steps)


def _slide(tape: Tape, rank: int, slide: _Slide, name: str, partner: str | None) -> tuple[str, str | None, _Steps]:
    build = tape.build
    if slide.before or slide.behind:
        pads = [0] * (2 * rank)
        pads[slide.axis], pads[rank + slide.axis] = slide.before, slide.behind
        lowest = build.constant(np.array(LOWEST, np.float32))
        name = build.emit("Pad", [name, tape.number(*pads), lowest])
        partner = partner and build.emit("Pad", [partner, tape.number(*pads), lowest])
    way, taps = _Steps(name), slide.taps
    if slide.in_blocks:
        name, partner = _compare_in_blocks(tape, slide, name, partner, way)
        taps //= slide.step
    size = 1
    while size < taps:
        shift = min(size, taps - size)
        moved = shift * slide.dilation
        upper = _moved(tape, name, rank, slide.axis, -moved, LOWEST)
        mask = build.emit("GreaterOrEqual", [name, upper])
        way.pairs.append((moved, mask))
        name = build.emit("Max", [name, upper])
        if partner is not None:
            partner = build.emit("Where", [mask, partner, _moved(tape, partner, rank, slide.axis, -moved, LOWEST)])
        size += shift
    return _whole(tape, name, slide), partner and _whole(tape, partner, slide), way


def _compare_in_blocks(
    tape: Tape, slide: _Slide, name: str, partner: str | None, way: _Steps
) -> tuple[str, str | None]:
    """Maxima of blocks of `step` neighbours: what a pool whose kernel is so many blocks then goes on with."""
    build, step = tape.build, slide.step
    size = build.emit("Slice", [build.emit("Shape", [name]), tape.number(slide.axis), tape.number(slide.axis + 1)])
    stop = build.emit("Mul", [build.emit("Div", [size, tape.number(step)]), tape.number(step)])

    def every(tensor: str, first: int) -> str:
        return build.emit("Slice", [tensor, tape.number(first), stop, tape.number(slide.axis), tape.number(step)])

    largest, there = every(name, 0), partner and every(partner, 0)
    for first in range(1, step):
        other = every(name, first)
        way.blocks.append(build.emit("GreaterOrEqual", [largest, other]))
        largest = build.emit("Max", [largest, other])
        if partner is not None and there is not None:
            there = build.emit("Where", [way.blocks[-1], there, every(partner, first)])
    return largest, there


def _out_of_blocks(tape: Tape, rank: int, slide: _Slide, way: _Steps, part: str) -> str:
    """What reaches the maxima of blocks, at the elements that it goes to."""
    build, zero = tape.build, tape.build.constant(np.zeros((), np.float32))
    columns = []
    for mask in reversed(way.blocks):
        first = build.emit("Where", [mask, part, zero])
        columns.append(build.emit("Sub", [part, first]))
        part = first
    joined = tape.in_turn([part, *reversed(columns)], rank, slide.axis)
    return _fit_to(tape, joined, rank, slide.axis, way.source)


def _moved(tape: Tape, name: str, rank: int, axis: int, by: int, filling: float = 0.0) -> str:
    """A tensor moved along an axis, as long as before: one operator, where two slices would be two copies."""
    pads = [0] * (2 * rank)
    pads[axis], pads[rank + axis] = by, -by
    fillings = [tape.build.constant(np.array(filling, np.float32))] if filling else []
    return tape.build.emit("Pad", [name, tape.number(*pads), *fillings])


def _whole(tape: Tape, name: str, slide: _Slide) -> str:
    """The maxima over all of a kernel's elements, `step` apart: those at the end lack some."""
    missing, step = slide.missing, 1 if slide.in_blocks else slide.step
    if not missing and step == 1:
        return name
    bounds = [tape.number(value) for value in (0, -missing if missing else END, slide.axis, step)]
    return tape.build.emit("Slice", [name, *bounds])


def maximum(tape: Tape, node: Node, part: str) -> Parts:
    """What reaches a maximum, handed back pair by pair."""
    kept: _Kept = tape.kept[node.outputs[0]]
    if node.op == "ReduceMax" and not node.attributes.get("keepdims", 1) and kept.slides:
        part = tape.build.emit("Unsqueeze", [part, tape.number(*sorted(slide.axis for slide in kept.slides))])
    name = node.inputs[0]
    if kept.shares is None:
        yield name, _back(tape, node, kept.slides, kept.steps, part)
        return
    for steps, share in zip((kept.steps, kept.mirror_steps), kept.shares, strict=True):
        yield name, _back(tape, node, kept.slides, steps, tape.build.emit("Mul", [part, share]))


def _back(tape: Tape, node: Node, slides: Sequence[_Slide], steps: Sequence[_Steps], part: str) -> str:
    rank, build = tape.rank(node.inputs[0]), tape.build
    zero = build.constant(np.zeros((), np.float32))
    for slide, way in zip(reversed(slides), reversed(steps), strict=True):
        if slide.step > 1 and not slide.in_blocks:
            part = tape.spread(part, rank, slide.axis, slide.step)
            part = _fit_to(tape, part, rank, slide.axis, way.source)
        elif slide.missing:
            pads = [0] * (2 * rank)
            pads[rank + slide.axis] = slide.missing
            part = build.emit("Pad", [part, tape.number(*pads)])
        for moved, mask in reversed(way.pairs):
            lower = build.emit("Where", [mask, part, zero])
            upper = build.emit("Sub", [part, lower])
            part = build.emit("Add", [lower, _moved(tape, upper, rank, slide.axis, moved)])
        if slide.in_blocks:
            part = _out_of_blocks(tape, rank, slide, way, part)
        if slide.before or slide.behind:
            bounds = (slide.before, -slide.behind if slide.behind else END, slide.axis)
            part = build.emit("Slice", [part, *(tape.number(value) for value in bounds)])
    return part


def _fit_to(tape: Tape, part: str, rank: int, axis: int, like: str) -> str:
    """Zeros behind, up to the length of another tensor of the new graph."""
    build = tape.build
    lengths = [
        build.emit("Slice", [build.emit("Shape", [name]), tape.number(axis), tape.number(axis + 1)])
        for name in (like, part)
    ]
    behind = build.emit("Sub", lengths)
    rest = rank - axis - 1
    lists = [tape.number(*[0] * (rank + axis)), behind, *([tape.number(*[0] * rest)] if rest else [])]
    return build.emit("Pad", [part, build.emit("Concat", lists, axis=0)])


def write_larger(tape: Tape, node: Node) -> None:
    """The larger of several tensors, two at a time."""
    if _is_pointwise(tape, node):
        tape.names[node.outputs[0]] = tape.write(node, tape.value)
        if tape.live:
            tape.mirrored[node.outputs[0]] = tape.write(node, tape.reference)
        return
    names = [tape.value(name) for name in node.inputs]
    mirrors = [tape.reference(name) for name in node.inputs]
    out, masks, there = _larger(tape, names, mirrors)
    ref, mirror_masks, input_there = _larger(tape, mirrors, names)
    tape.names[node.outputs[0]] = out
    if tape.live:
        tape.mirrored[node.outputs[0]] = ref
    alike = None if tape.live else tape.known.alike[node.outputs[0]]
    if tape.attribution == "deeplift" and not (alike is not None and alike.all()):
        shares = [Number(tape.build, name) for name in _shares(tape, out, ref, there, input_there)]
        if alike is not None:
            condition = Number(tape.build, tape.build.constant(alike))
            shares = [condition.where(1.0, shares[0]), condition.where(0.0, shares[1])]
        tape.kept[node.outputs[0]] = (masks, mirror_masks, shares[0].name, shares[1].name)
    else:
        tape.kept[node.outputs[0]] = (masks, None, None, None)


def _is_pointwise(tape: Tape, node: Node) -> bool:
    """Whether it is a function of one tensor, as a Relu written with a constant is."""
    root = common_root(tape, tape.forward.data_inputs(node))
    return root is not None and tape.shape(root) == tape.shape(node.outputs[0])


def _larger(tape: Tape, names: Sequence[str], partners: Sequence[str]) -> tuple[str, list[str], str]:
    """The largest, for each step whether the first were at least as large, and the partner's value there."""
    largest, partner = names[0], partners[0]
    masks = []
    for name, other in zip(names[1:], partners[1:], strict=True):
        masks.append(tape.build.emit("GreaterOrEqual", [largest, name]))
        largest = tape.build.emit("Max", [largest, name])
        partner = tape.build.emit("Where", [masks[-1], partner, other])
    return largest, masks, partner


def larger(tape: Tape, node: Node, part: str) -> Parts:
    if _is_pointwise(tape, node):
        yield from pointwise(tape, node, part)
        return
    masks, mirror_masks, to_input, to_reference = tape.kept[node.outputs[0]]
    if to_input is None:
        yield from _hand_back(tape, node, masks, part)
        return
    for steps, share in ((masks, to_input), (mirror_masks, to_reference)):
        yield from _hand_back(tape, node, steps, tape.build.emit("Mul", [part, share]))


def _hand_back(tape: Tape, node: Node, masks: Sequence[str], part: str) -> Parts:
    zero, made = tape.build.constant(np.zeros((), np.float32)), tape.shape(node.outputs[0])
    for name, mask in zip(reversed(node.inputs[1:]), reversed(masks), strict=True):
        first = tape.build.emit("Where", [mask, part, zero])
        if tape.wants(name):
            yield name, tape.to_shape_of(tape.build.emit("Sub", [part, first]), made, name)
        part = first
    if tape.wants(node.inputs[0]):
        yield node.inputs[0], tape.to_shape_of(part, made, node.inputs[0])


WRITERS: dict[str, Writer] = {"MaxPool": write_maximum, "ReduceMax": write_maximum, "Max": write_larger}
RULES: dict[str, Rule] = {"MaxPool": maximum, "ReduceMax": maximum, "Max": larger}
