"""How a tensor of the window graph lies in the tile graph.

A window tensor's axes are products of atoms: the batch, channels, and at most one position axis. In the tile graph
the same tensor is float32 (1, C, 1, T): its channel atoms, in the order `Value.stored`, make the axis C; positions lie
along T. Reshaping, flattening and transposing windows thus changes names only, never data::

    window tensor (N, 16, 47)  ->  Flatten (N, 752)   ->  Gemm
    dims  [N] [c] [p]              [N] [c p]              contracts c and p: a convolution along T
    tile  (1, 16, 1, T)            the same tensor

Let S be the distance in bp of neighbouring elements of a window and s the stride of the scan. The tile holds the
grid of step g = gcd(s, S): element j of window i is grid point (i*s + j*S) / g. A value without a position axis has one
point a window (step s), or one for all windows where it is `spread` (what a vector input gives).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from trackgen.graph.nodes import Array

__all__ = ["Atom", "Joined", "Positions", "Reading", "Value", "channel", "regroup"]


@dataclass(frozen=True, eq=False)
class Atom:
    """A factor of an axis; two atoms of one size are different unless they are one object."""

    size: int
    role: Literal["batch", "channel", "position"]


def channel(size: int) -> tuple[Atom, ...]:
    """A new channel atom, or none where it would be of size 1: an axis of size 1 has no atoms."""
    return () if size == 1 else (Atom(size, "channel"),)


@dataclass(frozen=True)
class Reading:
    """What an operation with a kernel reads of a tensor's positions, in tile points, and what comes out.

    Attributes:
        skip: points to leave out at the front.
        dilation, stride: of the kernel on the tile.
        result: positions of what comes out; None where it is one value a window.
        surplus: points too many at the end of what comes out.
        drop: points to leave out at the end.
        pads: elements of true padding in front and behind, where windows are kept one by one.
    """

    skip: int
    dilation: int
    stride: int
    result: Positions | None
    surplus: int
    drop: int = 0
    pads: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Positions:
    """Where the elements of a window lie along a tile.

    Attributes:
        length: n, elements of a window.
        spacing: S, bp between neighbouring elements.
        reach: bp of genome that one element sees.
        first, stop: the elements that exist: those outside depend on padding, and are not on the tile.
        surplus: tile points behind the last one needed.
        begin: bp from a window's first base to the first that element 0 sees; negative where that is padding.
        apart: windows are kept one by one, (W, C, 1, stop - first), as the edges of padded windows are.
    """

    length: int
    spacing: int
    reach: int
    first: int = 0
    stop: int = -1
    surplus: int = 0
    begin: int = 0
    apart: bool = False

    def __post_init__(self) -> None:
        if self.stop < 0:
            object.__setattr__(self, "stop", self.length)

    @property
    def whole(self) -> bool:
        """True where no element depends on padding."""
        return self.first == 0 and self.stop == self.length

    def step(self, stride: int) -> int:
        """g, bp of one tile point; of one element where windows are kept one by one."""
        return self.spacing if self.apart else math.gcd(stride, self.spacing)

    def read(self, stride: int, kernel: int, step: int, dilation: int, before: int, length: int) -> Reading | None:
        """What a kernel reads, as ONNX defines it on a window.

        Args:
            stride: s of the scan, bp.
            kernel, step, dilation: of the operation on the window; `step` is its stride.
            before: elements of padding in front.
            length: elements of a window that come out, padded ones included.

        Returns:
            None where every element that comes out depends on padding.
        """
        if self.apart:
            return self._read_apart(kernel, step, dilation, before, length)
        first = max(0, -(-(self.first + before) // step))
        stop = min(length, (self.stop - 1 + before - (kernel - 1) * dilation) // step + 1)
        if stop <= first:
            return None
        here = self.step(stride)
        spacing = self.spacing * step
        result: Positions | None = Positions(
            length,
            spacing,
            self.reach + (kernel - 1) * dilation * self.spacing,
            first,
            stop,
            begin=self.begin - before * self.spacing,
        )
        single = length == 1
        there = stride if single else math.gcd(stride, spacing)
        begin = first * step - before
        points = (self.stop - 1 - begin - (kernel - 1) * dilation) * self.spacing // here + self.surplus
        surplus = points // (there // here) - (stop - 1 - first) * spacing // there
        if single:
            result = None
        else:
            assert result is not None
            result = replace(result, surplus=surplus)
        return Reading(
            (begin - self.first) * self.spacing // here,
            dilation * self.spacing // here,
            there // here,
            result,
            surplus,
        )

    def _read_apart(self, kernel: int, step: int, dilation: int, before: int, length: int) -> Reading | None:
        """The same where windows are kept one by one: padding at an end of theirs that exists is true padding."""
        reach = (kernel - 1) * dilation + 1
        first = 0 if self.first == 0 else max(0, -(-(self.first + before) // step))
        stop = length if self.stop == self.length else min(length, (self.stop + before - reach) // step + 1)
        if stop <= first or length == 1:
            return None
        begin = first * step - before
        end = (stop - 1) * step - before + reach
        result = Positions(
            length,
            self.spacing * step,
            self.reach + (reach - 1) * self.spacing,
            first,
            stop,
            begin=self.begin - before * self.spacing,
            apart=True,
        )
        pads = max(0, self.first - begin), max(0, end - self.stop)
        skip, drop = max(0, begin - self.first), max(0, self.stop - end)
        return Reading(skip, dilation, step, result, 0, drop, pads)


@dataclass(frozen=True)
class Value:
    """A tensor of the window graph as it lies in the tile graph.

    Attributes:
        name: the tile graph's tensor, (1, C, 1, T).
        dims: the window tensor's axes, each the atoms that it is made of, outermost first; () is an axis of size 1.
        stored: the channel atoms in the order in which C holds them.
        positions: None where there is one value a window.
        spread: one value for all windows (T = 1).
        surplus: where there is one value a window: windows too many at the end. They are cut off last of all, since a
            crop between two layers keeps a runtime from fusing them.
        scale, shift: an affine map that differs by position and is not applied yet, in the window tensor's shape
            (batch 1): only a contraction of the positions can take it up.
        source: the window tensor that it stands for.
    """

    name: str
    dims: tuple[tuple[Atom, ...], ...]
    stored: tuple[Atom, ...]
    positions: Positions | None = None
    spread: bool = False
    surplus: int = 0
    scale: Array | None = None
    shift: Array | None = None
    source: str = ""

    @property
    def rank(self) -> int:
        return len(self.dims)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(math.prod(atom.size for atom in axis) for axis in self.dims)

    @property
    def channels(self) -> int:
        return math.prod(atom.size for atom in self.stored)

    @property
    def pending(self) -> bool:
        return self.scale is not None or self.shift is not None

    def atom(self, role: str) -> Atom | None:
        """The atom of a role that occurs at most once: batch or position."""
        return next((atom for axis in self.dims for atom in axis if atom.role == role), None)

    def axis_of(self, role: str) -> int | None:
        """The axis that holds the batch or the position atom."""
        return next((number for number, axis in enumerate(self.dims) if any(a.role == role for a in axis)), None)

    def channel_atoms(self, axis: int) -> tuple[Atom, ...]:
        return tuple(atom for atom in self.dims[axis] if atom.role == "channel")

    def split_atom(self, atom: Atom, outer: int) -> Value:
        """The same value with a channel atom seen as `outer` times the rest."""
        parts = (Atom(outer, "channel"), Atom(atom.size // outer, "channel"))

        def swap(atoms: tuple[Atom, ...]) -> tuple[Atom, ...]:
            return tuple(new for old in atoms for new in (parts if old is atom else (old,)))

        return replace(self, dims=tuple(swap(axis) for axis in self.dims), stored=swap(self.stored))

    def reshape_pending(self, shape: Sequence[int]) -> Value:
        """With the affine map that is not applied yet in another shape."""
        return replace(
            self,
            scale=None if self.scale is None else np.broadcast_to(self.scale, _one_window(self)).reshape(shape),
            shift=None if self.shift is None else np.broadcast_to(self.shift, _one_window(self)).reshape(shape),
        )


def _one_window(value: Value) -> tuple[int, ...]:
    return tuple(math.prod(atom.size for atom in axis if atom.role != "batch") for axis in value.dims)


@dataclass(frozen=True)
class Joined:
    """Values side by side along one axis that no tile tensor can hold together: some have positions, some do not.

    Attributes:
        parts: in order; all axes but `axis` are the batch or of size 1.
        axis: where they are joined.
    """

    parts: tuple[Value, ...]
    axis: int

    @property
    def rank(self) -> int:
        return self.parts[0].rank

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(part.shape[self.axis] for part in self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        shape = list(self.parts[0].shape)
        shape[self.axis] = sum(self.sizes)
        return tuple(shape)


def regroup(value: Value, shape: Sequence[int]) -> Value | None:
    """The same data with its axes cut anew, as Reshape cuts them; None where that would cut positions apart."""
    atoms = [atom for axis in value.dims for atom in axis]
    dims: list[tuple[Atom, ...]] = []
    for size in shape:
        group: list[Atom] = []
        rest = size
        while rest > 1:
            if not atoms:
                return None
            atom = atoms.pop(0)
            if rest % atom.size == 0:
                group.append(atom)
                rest //= atom.size
            elif atom.size % rest == 0 and atom.role == "channel":
                value = value.split_atom(atom, rest)
                outer, inner = _parts_of(value, group, dims, atoms)
                group.append(outer)
                atoms.insert(0, inner)
                rest = 1
            else:
                return None
        dims.append(tuple(group))
    if atoms:
        return None
    one_window = [math.prod(atom.size for atom in axis if atom.role != "batch") for axis in dims]
    value = value.reshape_pending(one_window) if value.pending else value
    return replace(value, dims=tuple(dims))


def _parts_of(value: Value, group: list[Atom], dims: list[tuple[Atom, ...]], atoms: list[Atom]) -> tuple[Atom, Atom]:
    """The two atoms of `value` that stand neither before nor behind the place where an atom was split."""
    known = {id(atom) for axis in dims for atom in axis} | {id(atom) for atom in (*group, *atoms)}
    outer, inner = (atom for axis in value.dims for atom in axis if id(atom) not in known)
    return outer, inner
