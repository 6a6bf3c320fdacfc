"""A forward graph written again beside its reference, and walked backwards rule by rule.

::

    x  --forward-->  y         written once; maxima keep where they came from
    x0 --forward-->  y0        constants where the reference is one, else written like x
    g  <--backward-- g         one rule a node: what reaches a node's result -> what reaches its inputs

A rule gives, for what reaches the node's result, what reaches each input that depends on the genome.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from trackgen.graph.deeplift.forward import Forward, Shape
from trackgen.graph.deeplift.probe import Probe
from trackgen.graph.dense.builder import TileBuilder
from trackgen.graph.nodes import Array, Node
from trackgen.graph.refusals import NotExplained

__all__ = ["Attribution", "Rule", "Tape"]

Attribution = Literal["deeplift", "gradient"]
Rule = Callable[["Tape", Node, str], Iterable[tuple[str, str]]]
"""(tape, node, what reaches its result) -> (input, what reaches it) for inputs that the tape `wants`."""
Writer = Callable[["Tape", Node], None]
TILE_RANK = 4
END = np.iinfo(np.int64).max


class Tape:
    """One forward graph and the walk back through it.

    Args:
        forward: the graph.
        known: its shapes and its reference.
        build: writes the new graph.
        attribution: what a multiplier is.
        live: the reference is an input of the graph and not a constant.
        wanted: the sources whose multipliers are asked for.

    Attributes:
        names: tensor of the forward graph -> of the new one.
        mirrored: the same for the reference, where it is live.
        kept: what a rule keeps on the way forward for the way back, by node result.
    """

    def __init__(
        self,
        forward: Forward,
        known: Probe,
        build: TileBuilder,
        *,
        attribution: Attribution,
        live: bool,
        wanted: Sequence[str],
    ) -> None:
        self.forward, self.known, self.build = forward, known, build
        self.attribution, self.live = attribution, live
        self.names: dict[str, str] = {}
        self.mirrored: dict[str, str] = {}
        self.kept: dict[str, Any] = {}
        self.producers = {name: node for node in forward.nodes for name in node.outputs}
        self._wanted = set(wanted)
        for node in forward.nodes:
            if self._wanted.intersection(node.inputs):
                self._wanted.update(node.outputs)

    # What is known of tensors

    def shape(self, name: str) -> Shape:
        constant = self.constant(name)
        return self.known.shapes[name] if constant is None else constant.shape

    def rank(self, name: str) -> int:
        return len(self.shape(name))

    def constant(self, name: str) -> Array | None:
        return self.forward.constants.get(name)

    def is_float(self, name: str) -> bool:
        return bool(self.known.values[name].dtype.kind == "f")

    def wants(self, name: str) -> bool:
        """Whether anything asked for lies behind a tensor."""
        return name in self._wanted

    def value(self, name: str) -> str:
        """A tensor or constant of the forward graph in the new one."""
        if name not in self.names:
            constant = self.constant(name)
            if constant is None:
                raise KeyError(name)
            self.names[name] = self.build.constant(constant)
        return self.names[name]

    def reference(self, name: str) -> str:
        """What a tensor is where the input is the reference."""
        if name not in self.forward.data:
            return self.value(name)
        if self.live:
            return self.mirrored[name]
        value = self.known.values[name]
        return self.build.constant(value.astype(np.float32) if value.dtype.kind == "f" else value)

    def reference_value(self, name: str) -> Array | None:
        """The same as numbers; None where the reference is live."""
        return None if self.live else self.known.values[name]

    def zero(self) -> str:
        """What reaches an input that the explained output does not read."""
        return self.build.constant(np.zeros((), np.float32))

    # Writing

    def write_forward(self, writers: Mapping[str, Writer]) -> None:
        """Write all nodes that come behind the sources; for a live reference a second time."""
        for node in self.forward.nodes:
            self.build.source = node.name
            writer = writers.get(node.op)
            if writer is not None:
                writer(self, node)
                continue
            self.names[node.outputs[0]] = self.write(node, self.value)
            if self.live:
                self.mirrored[node.outputs[0]] = self.write(node, self.reference)

    def write(self, node: Node, name_of: Callable[[str], str]) -> str:
        """Write one node on other tensors."""
        inputs = [name_of(name) if name else "" for name in node.inputs]
        if node.op == "Conv" and self._is_tile_convolution(node):
            weight = self.constant(node.inputs[1])
            bias = self.constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
            assert weight is not None
            return self.build.convolve(
                inputs[0],
                weight[:, :, 0],
                bias,
                groups=int(node.attributes.get("group", 1)),
                dilation=node.integers("dilations", (1, 1))[1],
                stride=node.integers("strides", (1, 1))[1],
            )
        return self.build.emit(node.op, inputs, **node.onnx_attributes())

    def _is_tile_convolution(self, node: Node) -> bool:
        """A convolution along the open axis of a tile, which has a faster form."""
        shape = self.shape(node.inputs[0])
        weight = self.constant(node.inputs[1])
        one_row = weight is not None and weight.ndim == TILE_RANK and weight.shape[2] == 1
        return one_row and len(shape) == TILE_RANK and shape[3] is None and not any(node.integers("pads", (0,)))

    # Walking back

    def walk_back(self, seeds: Mapping[str, str], rules: Mapping[str, Rule]) -> dict[str, str]:
        """Multipliers of the sources that are wanted, for what reaches the tensors of `seeds`.

        Raises:
            NotExplained: a node has no rule.
        """
        reached: dict[str, list[str]] = {name: [seed] for name, seed in seeds.items()}
        for node in reversed(self.forward.nodes):
            parts = reached.pop(node.outputs[0], None)
            if parts is None or not self.wants(node.outputs[0]):
                continue
            self.build.source = node.name
            rule = rules.get(node.op) if not node.domain else None
            if rule is None:
                raise self.refuse(node, "there is no rule for this operator", has_gradient=False)
            for name, part in rule(self, node, self.sum(parts)):
                reached.setdefault(name, []).append(part)
        return {name: self.sum(parts) for name, parts in reached.items() if name in self.forward.sources}

    def refuse(self, node: Node, reason: str, *, has_gradient: bool = True) -> NotExplained:
        """The error that says why a node can't be explained, and whether its gradient could."""
        return NotExplained(node.name, node.title, reason, self.attribution, has_gradient=has_gradient)

    def sum(self, parts: Sequence[str]) -> str:
        return functools.reduce(lambda left, right: self.build.emit("Add", [left, right]), parts)

    # Moves that rules share

    def number(self, *values: int) -> str:
        return self.build.constant(np.array(values, np.int64))

    def reduce_sum(self, name: str, axes: Sequence[int], *, keep: bool) -> str:
        return self.build.emit("ReduceSum", [name, self.number(*axes)], keepdims=int(keep)) if axes else name

    def to_shape_of(self, part: str, made: Sequence[int | None], name: str) -> str:
        """What reaches a broadcast result (of shape `made`) as what reaches one of its operands."""
        wanted = self.shape(name)
        extra = len(made) - len(wanted)
        part = self.reduce_sum(part, range(extra), keep=False) if extra else part
        axes = [axis for axis, size in enumerate(wanted) if size == 1 and made[axis + extra] != 1]
        return self.reduce_sum(part, axes, keep=True)

    def reshape(self, part: str, shape: Shape) -> str:
        """To a shape with at most one open axis."""
        return self.build.reshape(part, [-1 if size is None else size for size in shape])

    def fit(self, part: str, name: str, axis: int, before: int, length: int | None) -> str:
        """Zeros around what reaches some elements of a tensor, so that it has the length of all.

        Args:
            axis: of both.
            before: elements in front that nothing reaches; negative ones are cut off.
            length: of `part`; None where it is open.
        """
        wanted = self.shape(name)[axis]
        rank = self.rank(name)
        if before < 0:
            bounds = [self.number(value) for value in (-before, END, axis)]
            part, length, before = (
                self.build.emit("Slice", [part, *bounds]),
                None if length is None else length + before,
                0,
            )
        if wanted is not None and length is not None:
            return self._fit_known(part, rank, axis, before, wanted - before - length)
        whole, here = (self._length(tensor, axis) for tensor in (self.value(name), part))
        behind = self.build.emit("Sub", [self.build.emit("Sub", [whole, here]), self.number(before)])
        zeros = [0] * (2 * rank)
        zeros[axis] = before
        front, rest = zeros[: rank + axis], zeros[rank + axis + 1 :]
        lists = [self.number(*front), behind, *([self.number(*rest)] if rest else [])]
        return self.build.emit("Pad", [part, self.build.emit("Concat", lists, axis=0)])

    def _fit_known(self, part: str, rank: int, axis: int, before: int, behind: int) -> str:
        if behind < 0:
            bounds = [self.number(value) for value in (0, behind, axis)]
            part, behind = self.build.emit("Slice", [part, *bounds]), 0
        if not before and not behind:
            return part
        pads = [0] * (2 * rank)
        pads[axis], pads[rank + axis] = before, behind
        return self.build.emit("Pad", [part, self.number(*pads)])

    def _length(self, name: str, axis: int) -> str:
        shape = self.build.emit("Shape", [name])
        return self.build.emit("Slice", [shape, self.number(axis), self.number(axis + 1)])

    def in_turn(self, columns: Sequence[str], rank: int, axis: int) -> str:
        """Tensors of one shape as one, the elements of an axis taken from each in turn."""
        if len(columns) == 1:
            return columns[0]
        rows = self.build.emit(
            "Concat", [self.build.emit("Unsqueeze", [name, self.number(axis + 1)]) for name in columns], axis=axis + 1
        )
        return self._joined(rows, columns[0], rank, axis)

    def _joined(self, rows: str, like: str, rank: int, axis: int) -> str:
        """The axis behind `axis` made part of it; all other axes are those of the tensor `like` of that rank."""
        shape = self.build.emit("Shape", [like])
        front, behind = (
            self.build.emit("Slice", [shape, self.number(low), self.number(high)])
            for low, high in ((0, axis), (axis + 1, rank))
        )
        target = self.build.emit("Concat", [front, self.number(-1), behind], axis=0)
        return self.build.emit("Reshape", [rows, target])

    def spread(self, part: str, rank: int, axis: int, step: int) -> str:
        """Zeros between the elements of an axis, so that they lie `step` apart; none behind the last."""
        if step == 1:
            return part
        # One operator for all zeros: a pool over a whole window has hundreds to each element.
        pads = [0] * (2 * rank + 2)
        pads[rank + 1 + axis + 1] = step - 1
        rows = self.build.emit("Pad", [self.build.emit("Unsqueeze", [part, self.number(axis + 1)]), self.number(*pads)])
        joined = self._joined(rows, part, rank, axis)
        return self.build.emit("Slice", [joined, self.number(0), self.number(1 - step), self.number(axis)])
