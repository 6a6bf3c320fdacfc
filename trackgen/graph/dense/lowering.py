"""What every rule works with: the values so far, the tile graph being written, and the moves that rules share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from trackgen.graph.dense.builder import TileBuilder
from trackgen.graph.dense.layout import Atom, Joined, Positions, Value, channel
from trackgen.graph.fold import WindowGraph
from trackgen.graph.nodes import Array, Node

__all__ = ["Edge", "Lowering", "Operand", "Rule", "Tensor"]

Tensor = Value | Joined
Operand = Tensor | Array
Rule = Callable[["Lowering", Node], Tensor | Sequence[Tensor]]


@dataclass(frozen=True)
class Edge:
    """One end of all windows, run window by window since padding inside the window reaches it.

    Attributes:
        node: whose padding it is.
        side: ``front`` or ``back`` of the window, as the model reads it.
        bases: of each window that it takes.
        floats: of its widest tensor, for one window.
    """

    node: str
    side: Literal["front", "back"]
    bases: int
    floats: int


class Lowering:
    """The tile graph as far as it is written.

    Attributes:
        graph: the window graph.
        stride: s, bp between windows.
        rules: by operator.
        build: writes the tile graph.
        values: window tensor -> where it lies.
        inputs: the same of the graph's inputs.
        sources: input of the card -> its tile tensor, (1, C, 1, T).
        whole_maxima: write every maximum as one node, however many elements it is over.
    """

    def __init__(
        self,
        graph: WindowGraph,
        stride: int,
        rules: Mapping[str, Rule],
        *,
        tuned: bool = True,
        whole_maxima: bool = False,
    ) -> None:
        self.graph = graph
        self.rules = rules
        self.stride = stride
        self.build = TileBuilder(tuned=tuned)
        self.values: dict[str, Tensor] = {}
        self.inputs: dict[str, Value] = {}
        self.sources: dict[str, str] = {}
        self.whole_maxima = whole_maxima
        self.edges: dict[tuple[str, str], Edge] = {}
        """(Window tensor, side) -> the end of padded windows that is run window by window."""
        self.replayed: dict[tuple[str, str, int], Lowering] = {}
        """(Window tensor, side, first or last base) -> all layers up to it, on that end of the windows."""
        self.batch = Atom(graph.batch, "batch")
        self.padding: Node | None = None
        """The first node whose padding (or partial pool) made elements that are not computed: to be blamed."""

    def operand(self, node: Node, index: int) -> Operand | None:
        """Input `index` of a node: a value, a constant, or None where it is left out."""
        if index >= len(node.inputs) or not node.inputs[index]:
            return None
        name = node.inputs[index]
        if name in self.graph.constants:
            return self.graph.constants[name]
        if name not in self.values:
            raise node.refuse(f"its input {name} comes from an output that has no dense form")
        return self.values[name]

    def constant(self, node: Node, index: int) -> Array | None:
        """Input `index`, which must be a constant."""
        found = self.operand(node, index)
        if isinstance(found, Value | Joined):
            raise node.refuse(f"its input {node.inputs[index]} depends on the data, where a constant is needed")
        return found

    def value(self, node: Node, index: int) -> Value:
        """Input `index`, which must be one tensor of the tile graph with nothing left to apply."""
        found = self.operand(node, index)
        if isinstance(found, Joined):
            raise node.refuse("it works on joined branches, some of which have positions: only a dense layer may")
        if not isinstance(found, Value):
            raise node.refuse("its input is a constant")
        self.refuse_pending(node, found)
        return found

    def refuse_pending(self, node: Node, value: Tensor) -> None:
        """A map that differs by position may be followed by a dense layer only."""
        parts = value.parts if isinstance(value, Joined) else (value,)
        if any(part.pending for part in parts):
            raise node.refuse("constants that differ by position reach it, so that it depends on where a window begins")

    def whole(self, node: Node, value: Value) -> Positions | None:
        """The positions of a value all of whose elements are about to be used."""
        if value.positions is not None and (value.positions.apart or not value.positions.whole):
            raise self.blame(node)
        return value.positions

    def refuse_precision(self, node: Node, weight: Array) -> None:
        """Sums are written in float32."""
        if weight.dtype != np.float32:
            raise node.refuse(f"its weights are {weight.dtype}, and sums are taken in float32 alone")

    def refuse_apart(self, node: Node, value: Value) -> None:
        """Refuse windows by themselves where a layer is written for tiles only."""
        if value.positions is not None and value.positions.apart:
            raise self.blame(node)

    def blame(self, node: Node) -> Exception:
        """The refusal for a padding that reaches an output."""
        culprit = self.padding or node
        if "Pool" in culprit.op and culprit.attributes.get("ceil_mode"):
            return culprit.refuse("its last pool is partial (ceil_mode), and that reaches an output")
        return culprit.refuse("its padding inside the window reaches an output, so that values depend on the window")

    def cut(self, value: Value, skip: int, drop: int) -> Value:
        """Less `skip` tile points in front and `drop` behind; says nothing of positions."""
        return replace(value, name=self.build.crop(value.name, skip, drop))

    def trimmed(self, value: Value, surplus: int = 0) -> Value:
        """One value a window, with so many windows too many."""
        return replace(self.cut(value, 0, value.surplus - surplus), surplus=surplus)

    def arrange(self, value: Value, order: Sequence[Atom]) -> Value:
        """With its channels stored in another order."""
        order = tuple(order)
        if order == value.stored or value.channels == 1:
            return replace(value, stored=order)
        sizes = [atom.size for atom in value.stored]
        axes = [value.stored.index(atom) for atom in order]
        indices = np.arange(value.channels).reshape(sizes).transpose(axes).ravel()
        return replace(value, name=self.build.pick_channels(value.name, indices), stored=order)

    def arrange_as_written(self, value: Value, axis: int) -> Value:
        """With the channels of `axis` innermost, in the window tensor's order."""
        inner = value.channel_atoms(axis)
        outer = tuple(atom for atom in value.stored if atom not in inner)
        return self.arrange(value, outer + inner)

    def collapsed(self, value: Value, surplus: int) -> Value:
        """A value that came to one point a window, `surplus` of them too many, its position atom gone."""
        position = value.atom("position")
        dims = tuple(tuple(atom for atom in axis if atom is not position) for axis in value.dims)
        return replace(value, dims=dims, positions=None, surplus=surplus)

    def in_step(self, node: Node, values: Sequence[Value]) -> list[Value]:
        """Values with equal positions, cut to the elements and tile points that all of them have.

        Raises:
            NotDense: their positions differ, or a value of the whole window meets single positions.
        """
        located = [value.positions for value in values if value.positions is not None]
        if not located:
            least = min((value.surplus for value in values if not value.spread), default=0)
            return [value if value.spread else self.trimmed(value, least) for value in values]
        if any(value.positions is None and not value.spread for value in values):
            raise node.refuse("a value of the whole window meets single positions of it")
        if len({(entry.length, entry.spacing) for entry in located}) > 1:
            raise node.refuse("tensors meet whose positions lie at different places of the genome")
        first, stop = max(entry.first for entry in located), min(entry.stop for entry in located)
        if stop <= first:
            raise self.blame(node)
        surplus = min(entry.surplus for entry in located)
        begin = min(entry.begin for entry in located)
        reach = max(entry.begin + entry.reach for entry in located) - begin
        there = replace(located[0], first=first, stop=stop, surplus=surplus, begin=begin, reach=reach)
        return [value if value.positions is None else self.cut_to(value, there) for value in values]

    def cut_to(self, value: Value, there: Positions) -> Value:
        """Cut to the elements and surplus of `there`."""
        here = value.positions
        assert here is not None
        ratio = here.spacing // here.step(self.stride)
        drop = (here.stop - there.stop) * ratio + here.surplus - there.surplus
        return replace(self.cut(value, (there.first - here.first) * ratio, drop), positions=there)

    def spread_over(self, value: Value, like: Value) -> Value:
        """A value that is the same for all windows, repeated along the points of another."""
        if not value.spread:
            return value
        ones = self.build.constant(np.array([1, 1], np.int64))
        target = self.build.emit("Concat", [self._axis(like, 0), ones, self._axis(like, 3)], axis=0)
        position = like.atom("position")
        own = value.atom("position")
        dims = tuple(
            tuple(position if atom is own and position is not None else atom for atom in axis) for axis in value.dims
        )
        name = self.build.emit("Expand", [value.name, target])
        return replace(value, name=name, dims=dims, positions=like.positions, spread=False)

    def _axis(self, value: Value, axis: int) -> str:
        """The size of an axis of the tile's tensor, as a list of one number."""
        bounds = [self.build.constant(np.array([number], np.int64)) for number in (axis, axis + 1)]
        return self.build.emit("Slice", [self.build.emit("Shape", [value.name]), *bounds])

    def replicate(self, value: Value, axis: int, size: int) -> Value:
        """An axis of size 1 as `size` equal channels."""
        atoms = channel(size)
        indices = np.repeat(np.arange(value.channels), size)
        dims = list(value.dims)
        dims[axis] = atoms
        name = self.build.pick_channels(value.name, indices)
        return replace(value, name=name, dims=tuple(dims), stored=(*value.stored, *atoms))

    def channel_constant(self, value: Value, constant: Array) -> Array | None:
        """A constant that broadcasts to a window tensor, as (1, C, 1, 1) in the tile; None where positions differ.

        One number for all channels comes back with shape ().
        """
        if constant.size == 1:
            return constant.reshape(())
        shape = (1,) * (value.rank - constant.ndim) + constant.shape
        sizes: list[int] = []
        atoms: list[Atom] = []
        for axis, size in zip(value.dims, shape, strict=True):
            atoms.extend(axis)
            sizes.extend(atom.size if size > 1 else 1 for atom in axis)
        spread = constant.reshape(sizes)
        for number, atom in enumerate(atoms):
            if atom.role != "channel" and spread.shape[number] > 1:
                first = spread.take([0], axis=number)
                if not (spread == first).all():
                    return None
                spread = first
        kept = [number for number, atom in enumerate(atoms) if atom.role == "channel"]
        spread = np.broadcast_to(spread, [atom.size if atom.role == "channel" else 1 for atom in atoms]).transpose(
            [*kept, *(number for number in range(len(atoms)) if number not in kept)]
        )
        spread = spread.reshape([atoms[number].size for number in kept])
        written = [atoms[number] for number in kept]
        return spread.transpose([written.index(atom) for atom in value.stored]).reshape(1, value.channels, 1, 1)

    def same_shape(self, node: Node, value: Value, shape: tuple[int, ...]) -> None:
        """A compiler's check of itself: the window tensor that a value stands for has the shape ONNX says."""
        if value.shape != shape and math.prod(value.shape) != math.prod(shape):
            raise node.refuse(f"its shape comes out as {value.shape} instead of {shape}")
