"""Turns stretches of genome into what a model's inputs want: sequences, signals and vectors.

A graph input of window mode is a `TensorEncoder`: the card's inputs of one tensor, stacked on the channel axis.
`signal_points` is what window mode and dense mode share: a value per point of a stretch, the same in every bit
wherever the stretch begins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec
from trackgen.errors import DataError
from trackgen.genome import reverse_complement

__all__ = [
    "SignalValues",
    "Source",
    "Stretch",
    "TensorEncoder",
    "base_table",
    "signal_keys",
    "signal_points",
    "stretch_points",
    "tensor_encoders",
    "vector_values",
]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

PIECE = 1 << 16
"""Bases that are summed at a time: bounds the memory of intermediate float64 values."""


class Source(NamedTuple):
    """Where the values of a signal come from, for messages: base 0 of them is base `start` of a file's sequence."""

    path: Path
    sequence: str
    start: int

    def place(self, base: int, count: int) -> str:
        """The `count` bases from `base` on, in words; a stretch may begin before its sequence."""
        first = f"{self.sequence}:{max(0, self.start + base) + 1:,}"
        return first if count == 1 else f"{count:,} bases from {first}"


class SignalValues(dict[str, Float32]):
    """Per signal file, by its key: (T,) raw values; and the source of each."""

    def __init__(self, values: Mapping[str, Float32], sources: Mapping[str, Source]) -> None:
        super().__init__(values)
        self.sources = sources


@dataclass(frozen=True)
class Stretch:
    """A stretch of T bases of genome, as models' inputs read it."""

    codes: Codes
    """(T,) codes."""
    signals: Mapping[str, Float32] = field(default_factory=dict)
    """Per signal file, by its key NAME or NAME.CHANNEL: (T,) raw values, NaN where there is none."""

    def cut(self, start: int, end: int) -> Stretch:
        """The bases [start, end) of this stretch, without copies."""
        signals = {key: values[start:end] for key, values in self.signals.items()}
        moved = {key: source._replace(start=source.start + start) for key, source in self.sources.items()}
        return Stretch(self.codes[start:end], SignalValues(signals, moved))

    @property
    def sources(self) -> Mapping[str, Source]:
        """Of the signals, by key, as far as they are known."""
        return self.signals.sources if isinstance(self.signals, SignalValues) else {}


class Windows(NamedTuple):
    """Windows without copies: window n is ``view[rows[n]]``."""

    view: Float32
    rows: NDArray[np.int64]


def signal_keys(spec: InputSpec) -> tuple[str, ...]:
    """The names under which files are given for a signal input: NAME, or NAME.CHANNEL for each channel."""
    return tuple(f"{spec.name}.{channel}" for channel in spec.channels) or (spec.name,)


def stretch_points(spec: InputSpec, stretch: Stretch, first: int, step: int, count: int) -> Float32:
    """`signal_points` of a stretch that holds the signal input's channels: (channels, count).

    Raises:
        DataError: a value for which the transform is not defined, naming its file and place.
    """
    keys = signal_keys(spec)
    raw = [stretch.signals[key] for key in keys]
    return signal_points(spec, raw, first, step, count, [stretch.sources.get(key) for key in keys])


def vector_values(spec: InputSpec) -> Float32:
    """The card's default of a vector input, (length,) float32; one default value stands for all elements."""
    return np.array(np.broadcast_to(np.asarray(spec.default, np.float32), (spec.length,)))


def signal_points(
    spec: InputSpec,
    raw: Sequence[Float32],
    first: int,
    step: int,
    count: int,
    sources: Sequence[Source | None] = (),
) -> Float32:
    """What a signal input reads at `count` points of a stretch.

    Point p is the transformed statistic over the bases [first + p * step, first + p * step + spec.resolution), bases
    without a value read as ``spec.missing``. Statistic and transform are computed in float64, over a point's own bases
    in an order that depends on the resolution alone: a point's value is the same in every bit whatever the stretch,
    `first` and `step`.

    Args:
        spec: the input.
        raw: per channel (T,) the values of the stretch, NaN where there is none.
        first: the first base of point 0, counted in the stretch; at least 0.
        step: bases between points.
        sources: per channel where its values come from, for messages.

    Returns:
        (channels, count).

    Raises:
        DataError: a value for which the transform is not defined.
    """
    if first < 0 or first + (count - 1) * step + spec.resolution > min(map(len, raw)):
        raise IndexError(f"points {first} + {count} x {step} of {spec.name} reach beyond the stretch")
    points = np.empty((len(raw), count), np.float32)
    piece = max(1, PIECE // step)
    for channel, values in enumerate(raw):
        source = sources[channel] if sources else None
        for low in range(0, count, piece):
            high = min(count, low + piece)
            bases = values[first + low * step : first + (high - 1) * step + spec.resolution].astype(np.float64)
            bases[np.isnan(bases)] = spec.missing
            statistics = _statistic(spec, bases)[::step]
            points[channel, low:high] = _transformed(spec, statistics, source, first + low * step, step)
    return points


def _statistic(spec: InputSpec, bases: Float64) -> Float64:
    """The statistic over each run of `resolution` bases: (T - resolution + 1,).

    Runs of 1, 2, 4, ... bases are doubled, and those that make up the resolution are joined: log2 steps, and for
    each run a fixed order of its own bases.
    """
    join = np.maximum if spec.statistic == "max" else np.add
    runs, size = bases, 1
    result: Float64 | None = None
    begin = 0
    while True:
        if spec.resolution & size:
            part = runs[begin : begin + len(bases) - spec.resolution + 1]
            result = part if result is None else join(result, part)
            begin += size
        if 2 * size > spec.resolution:
            break
        runs = join(runs[:-size], runs[size:])
        size *= 2
    assert result is not None
    return result if spec.statistic == "max" else result / spec.resolution


def _transformed(spec: InputSpec, values: Float64, source: Source | None, first: int, step: int) -> Float64:
    """The transform of points, the first of which begins at base `first` of the source's values."""
    for name, arguments in spec.transform:
        if name == "log1p":
            if len(values) and values.min() <= -1:
                index = int(np.argmax(values <= -1))
                raise DataError(
                    f"the signal {spec.name} has values that its model's transform log1p is not defined for",
                    path=source and source.path,
                    place=source and source.place(first + index * step, spec.resolution),
                    found=float(values[index]),
                    wanted="values above -1",
                    remedy="give the track that the model was trained on, before any logarithm",
                )
            values = np.log1p(values)
        else:
            mean, deviation = arguments
            values = (values - mean) / deviation
    return values


class Encoder(Protocol):
    """Encodes one input of a card, (N, channels, positions) or channels last."""

    def windows(self, stretch: Stretch, starts: NDArray[np.int64], reverse: bool) -> Windows:
        """The windows that begin at `starts`, each read as its reverse complement for `reverse`."""


def base_table(spec: InputSpec) -> Float32:
    """What each code becomes in the channels of a sequence input: (5, 4), the last row for what is no base."""
    table = np.zeros((5, 4), np.float32)
    for channel, base in enumerate(spec.bases):
        table["ACGT".index(base), channel] = 1.0
    table[4] = spec.unknown
    return table


class SequenceEncoder:
    """Codes -> one-hot, in the layout and the order of bases that the card asks for."""

    def __init__(self, spec: InputSpec, window: int, channels_last: bool) -> None:
        self._window = window
        self._channels_last = channels_last
        self._table = base_table(spec)

    def windows(self, stretch: Stretch, starts: NDArray[np.int64], reverse: bool) -> Windows:
        codes = stretch.codes
        if reverse:
            # A window [q, q + L) of the stretch is [T - q - L, T - q) of its reverse complement.
            codes, starts = reverse_complement(codes), len(codes) - self._window - starts
        one_hot = self._table[codes]
        if self._channels_last:
            views = np.lib.stride_tricks.sliding_window_view(one_hot, self._window, axis=0)  # (T - L + 1, 4, L)
            return Windows(views.transpose(0, 2, 1), starts)
        # Rows of bases side by side make the copy of a batch several times as fast.
        rows = np.ascontiguousarray(one_hot.T)
        views = np.lib.stride_tricks.sliding_window_view(rows, self._window, axis=1)  # (4, T - L + 1, L)
        return Windows(views.transpose(1, 0, 2), starts)


class SignalEncoder:
    """Raw values -> transformed statistics of the window's elements, one channel a file."""

    def __init__(self, spec: InputSpec, window: int, channels_last: bool) -> None:
        self._spec = spec
        self._window = window
        self._channels_last = channels_last

    def windows(self, stretch: Stretch, starts: NDArray[np.int64], reverse: bool) -> Windows:
        resolution = self._spec.resolution
        elements = self._window // resolution
        first, last = int(starts.min()), int(starts.max())
        # Elements of all windows stand on one grid of points.
        step = math.gcd(resolution, int(np.gcd.reduce(starts - first)))
        ratio = resolution // step
        width = (elements - 1) * ratio + 1
        points = stretch_points(self._spec, stretch, first, step, (last - first) // step + width)
        views = np.lib.stride_tricks.sliding_window_view(points, width, axis=1)[:, :, ::ratio]  # (C, S, elements)
        if reverse:
            views = views[:, :, ::-1]
        axes = (1, 2, 0) if self._channels_last else (1, 0, 2)
        return Windows(views.transpose(axes), (starts - first) // step)


class VectorEncoder:
    """The same values for every window."""

    def __init__(self, values: Float32) -> None:
        self._values = values

    def windows(self, stretch: Stretch, starts: NDArray[np.int64], reverse: bool) -> Windows:
        return Windows(self._values[None], np.zeros(len(starts), np.int64))


class TensorEncoder:
    """One input of the graph: the card's inputs of one tensor, stacked on the channel axis.

    Args:
        name: the graph input.
        members: the card's inputs that it is made of.
        window: L, bp.
        vectors: the values of vector inputs; the card's default where a name is absent.
    """

    def __init__(self, name: str, members: Sequence[InputSpec], window: int, vectors: Mapping[str, Float32]) -> None:
        self.name = name
        channels_last = any(entry.layout == "NLC" for entry in members)
        self._axis = 2 if channels_last else 1
        self._encoders = [_encoder(entry, window, channels_last, vectors) for entry in members]

    def windows(self, stretch: Stretch, starts: NDArray[np.int64], *, reverse: bool) -> list[Windows]:
        """The windows that begin at `starts` (N,), N > 0: one entry per member, for `take`."""
        return [encoder.windows(stretch, starts, reverse) for encoder in self._encoders]

    def take(self, members: list[Windows], part: slice) -> Float32:
        """The windows `part` as the graph reads them: float32 (n, ...), contiguous."""
        pieces = [np.ascontiguousarray(view[rows[part]]) for view, rows in members]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=self._axis)


def tensor_encoders(card: Card, vectors: Mapping[str, Float32]) -> list[TensorEncoder]:
    """An encoder for each input of the card's graph, in order."""
    return [TensorEncoder(name, members, card.window, vectors) for name, members in card.tensors]


def _encoder(spec: InputSpec, window: int, channels_last: bool, vectors: Mapping[str, Float32]) -> Encoder:
    if spec.kind == "vector":
        return VectorEncoder(vectors.get(spec.name, vector_values(spec)))
    if spec.kind == "signal":
        return SignalEncoder(spec, window, channels_last)
    return SequenceEncoder(spec, window, channels_last)
