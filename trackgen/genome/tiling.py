"""Where windows lie, where their values go. Arithmetic only, no arrays.

With L = window, b = bin, s = stride and n = chromosome length, all in bp::

    pad  = (L - b) // 2      bases before the bin
    tail = L - pad - b       bases behind it
    off  = max(0, (b - s) // 2), 0 for a profile

               |<--- pad --->|<- bin ->|<--- tail --->|
               i*s - pad     i*s       i*s + b

Plus window i covers [i*s - pad, i*s - pad + L). Minus window i is the reverse complement of
[i*s - tail, i*s - tail + L): the same bin, read on the other strand. The value of window i stands on
[i*s + off, (i+1)*s + off), cut to the chromosome. Coordinates are 0-based half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Grid", "Tile"]


@dataclass(frozen=True)
class Grid:
    """The windows of one output on every chromosome, and the items (track values) that they fill.

    Args:
        window: L, bp.
        bin: b, bp, the stretch of the window that the prediction is about.
        stride: s, bp, distance of neighbouring windows.
        resolution: None for one value a window; else r, bp, for a profile of b / r positions a window.
    """

    window: int
    bin: int
    stride: int
    resolution: int | None = None

    @property
    def pad(self) -> int:
        return (self.window - self.bin) // 2

    @property
    def tail(self) -> int:
        return self.window - self.pad - self.bin

    @property
    def offset(self) -> int:
        """Where item 0 begins: the origin of the track's grid, bp."""
        return 0 if self.resolution else max(0, (self.bin - self.stride) // 2)

    @property
    def step(self) -> int:
        """Bases of one item: the stride, or the resolution of a profile."""
        return self.resolution or self.stride

    @property
    def positions(self) -> int:
        """Items that one window fills: 1, or M for a profile."""
        return self.bin // self.resolution if self.resolution else 1

    def plus_start(self, index: int) -> int:
        """First base of plus window `index`; may lie before the chromosome."""
        return index * self.stride - self.pad

    def minus_start(self, index: int) -> int:
        """First base (on the forward strand) of the stretch whose reverse complement is minus window `index`."""
        return index * self.stride - self.tail

    def windows(self, length: int) -> range:
        """All windows of a chromosome of `length` bp."""
        return range(-self.offset // self.stride, (length - 1 - self.offset) // self.stride + 1)

    def items(self, start: int, end: int) -> range:
        """The items that begin in [start, end), where an item cut by the chromosome's start begins at 0."""
        first = -self.offset // self.step if start == 0 else -(-(start - self.offset) // self.step)
        return range(first, -(-(end - self.offset) // self.step))

    def windows_of_items(self, items: range, length: int) -> range:
        """The windows of a chromosome of `length` bp that fill any of `items`."""
        every = self.windows(length)
        if not self.resolution or not items:
            return range(items.start, items.stop)
        # Window i fills the items from i*s/r to i*s/r + M - 1.
        per_stride = self.stride // self.resolution
        first = -(-(items.start - self.positions + 1) // per_stride)
        last = (items.stop - 1) // per_stride
        return range(max(every.start, first), min(every.stop, last + 1))

    def item_span(self, item: int, length: int) -> tuple[int, int]:
        """The bases of `item` on a chromosome of `length` bp."""
        start = item * self.step + self.offset
        return max(0, start), min(length, start + self.step)


@dataclass(frozen=True)
class Tile:
    """A stretch [start, end) of one chromosome that is run in one go; items belong to the tile they begin in."""

    name: str
    start: int
    end: int
    length: int
    """Length of the whole chromosome, bp."""

    @property
    def bases(self) -> int:
        return self.end - self.start
