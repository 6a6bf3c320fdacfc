"""Slow references, written from the definitions in docs/file-formats.md and sharing no code with the package.

They work on Python strings and on one base or one window at a time, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trackgen.genome.tiling import Tile

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


class Window(NamedTuple):
    """The geometry of a model: window, bin and stride in bp; resolution of a profile, or None."""

    length: int
    bin: int
    stride: int
    resolution: int | None = None


def read_window(sequence: str, start: int, length: int) -> str:
    """`length` letters from `start` on; what lies outside the sequence, or is no base, reads N."""
    letters = []
    for position in range(start, start + length):
        letter = sequence[position].upper() if 0 <= position < len(sequence) else "N"
        letters.append(letter if letter in COMPLEMENT else "N")
    return "".join(letters)


def reverse_complement(letters: str) -> str:
    return "".join(COMPLEMENT.get(letter, "N") for letter in reversed(letters))


def one_hot(letters: str, bases: str = "ACGT") -> np.ndarray:
    """(4, L) float64."""
    matrix = np.zeros((4, len(letters)))
    for position, letter in enumerate(letters):
        if letter in bases:
            matrix[bases.index(letter), position] = 1.0
    return matrix


def track_at_every_base(
    sequence: str, geometry: Window, model: Callable[[str], np.ndarray], class_index: int, strand: str, partner: int
) -> np.ndarray:
    """The value of a track at every base of a sequence, NaN where the base has no known letter.

    Args:
        model: window letters -> (K,) or (K, M).
        strand, partner: see `track_of_windows`.
    """

    def run(start: int, reverse: bool) -> np.ndarray:
        letters = read_window(sequence, start, geometry.length)
        return model(reverse_complement(letters) if reverse else letters)

    return track_of_windows(sequence, geometry, run, class_index, strand, partner)


def track_of_windows(
    sequence: str,
    geometry: Window,
    run: Callable[[int, bool], np.ndarray],
    class_index: int,
    strand: str,
    partner: int,
) -> np.ndarray:
    """The value of a track at every base of a sequence, NaN where the base has no known letter.

    Args:
        run: first base of a window, whether it is read as its reverse complement -> (K,) or (K, M).
        strand: ``plus``, ``minus`` or ``average``.
        partner: the class that takes the place of `class_index` on a reverse complement.
    """
    at_window: dict[int, np.ndarray] = {}
    length, bin_, stride, _ = geometry
    pad = (length - bin_) // 2
    tail = length - pad - bin_

    def value(index: int) -> np.ndarray:
        """(positions,) the values of window `index`, in forward order."""
        if index not in at_window:
            plus, minus = index * stride - pad, index * stride - tail
            if strand == "plus":
                result = np.atleast_1d(run(plus, False)[class_index])
            elif strand == "minus":
                result = np.atleast_1d(run(minus, True)[partner])[::-1]
            else:
                there = np.atleast_1d(run(plus, False)[class_index])
                back = np.atleast_1d(run(plus, True)[partner])[::-1]
                result = (there + back) / 2
            at_window[index] = result
        return at_window[index]

    return np.array([_value_at(sequence, position, geometry, value) for position in range(len(sequence))])


def _value_at(sequence: str, position: int, geometry: Window, value: Callable[[int], np.ndarray]) -> float:
    if sequence[position].upper() not in COMPLEMENT:
        return float("nan")
    _, bin_, stride, resolution = geometry
    if resolution is None:
        offset = max(0, (bin_ - stride) // 2)
        return float(value((position - offset) // stride)[0])
    # Every window i >= 0 with its bin [i * stride, i * stride + bin) over this base.
    last = (len(sequence) - 1) // stride
    values = [
        value(index)[(position - index * stride) // resolution]
        for index in range(last + 1)
        if index * stride <= position < index * stride + bin_
    ]
    return float(np.mean(values))


def contribution_track(
    sequence: str,
    geometry: Window,
    explain: Callable[[list[int], bool], np.ndarray],
    strand: str,
    weight: str = "uniform",
    *,
    probabilities: Callable[[list[int], bool], np.ndarray] | None = None,
    distance: int = 50,
    threshold: float | None = None,
    element: int = 1,
) -> np.ndarray:
    """The contribution at every base of a sequence, NaN where weights sum to 0 or the base has no known letter.

    Args:
        explain: first bases of windows, whether they are read as their reverse complements -> (N, L / element), in the
            orientation that the model sees, of the class (or of its partner on a reverse complement).
        strand: ``plus``, ``minus`` or ``average``.
        weight: ``uniform``, ``probability`` or ``calls``.
        probabilities: as `explain` -> (N,) of the class; not asked for by ``uniform``.
        distance: bp between the starts of bins within which a call is the largest.
        threshold: the least probability of a call.
        element: bp that one element of the explained input covers.
    """
    length, bin_, stride, resolution = geometry
    pad = (length - bin_) // 2
    offset = 0 if resolution is not None else max(0, (bin_ - stride) // 2)
    windows = range(-offset // stride, (len(sequence) - 1 - offset) // stride + 1)
    first_base = length - pad - bin_ if strand == "minus" else pad
    starts = [index * stride - first_base for index in windows]
    ways = {"plus": [False], "minus": [True], "average": [False, True]}[strand]
    weights = [1.0] * len(starts)
    if weight != "uniform":
        assert probabilities is not None
        weights = list(np.mean([probabilities(starts, way) for way in ways], axis=0))
    if weight == "calls":
        assert threshold is not None
        weights = _calls(weights, threshold, distance, stride)
    tracks = [_weighted_mean(len(sequence), starts, weights, explain, way, element) for way in ways]
    track = np.mean(tracks, axis=0)
    track[[letter.upper() not in COMPLEMENT for letter in sequence]] = np.nan
    return np.asarray(track)


def _calls(probabilities: Sequence[float], threshold: float, distance: int, stride: int) -> list[float]:
    """1 where at least the threshold and the first of the largest with bins that start within `distance` bp, else 0."""
    result = []
    for index, value in enumerate(probabilities):
        around = [other for other in range(len(probabilities)) if abs(other - index) * stride <= distance]
        first = max(around, key=lambda other: (probabilities[other], -other))
        result.append(1.0 if value >= threshold and first == index else 0.0)
    return result


def _weighted_mean(
    bases: int,
    starts: Sequence[int],
    weights: Sequence[float],
    explain: Callable[[list[int], bool], np.ndarray],
    reverse: bool,
    element: int,
) -> np.ndarray:
    """sum of w_i * C_i(p) / sum of w_i over the windows that include base p, at forward coordinates."""
    total, weight_at = np.zeros(bases), np.zeros(bases)
    counted = [index for index, weight in enumerate(weights) if weight != 0]
    explained = explain([starts[index] for index in counted], reverse) if counted else np.zeros((0, 1))
    for index, contributions in zip(counted, explained, strict=True):
        per_base = [float(value) for value in contributions for _ in range(element)]
        for place, value in enumerate(reversed(per_base) if reverse else per_base):
            position = starts[index] + place
            if 0 <= position < bases:
                total[position] += weights[index] * value
                weight_at[position] += weights[index]
    return np.divide(total, weight_at, out=np.full(bases, np.nan), where=weight_at != 0)


def signal_elements(values: Sequence[float], start: int, length: int, entry: Mapping[str, Any]) -> list[float]:
    """What a window reads of one signal: the elements of [start, start + length), by the card's `entry`.

    Args:
        values: per base of the chromosome, NaN where there is none.
    """
    missing, resolution = entry.get("missing", 0.0), entry.get("resolution", 1)
    elements = []
    for element in range(length // resolution):
        bases = []
        for position in range(start + element * resolution, start + (element + 1) * resolution):
            known = 0 <= position < len(values) and not math.isnan(values[position])
            bases.append(float(values[position]) if known else missing)
        value = max(bases) if entry.get("statistic") == "max" else math.fsum(bases) / resolution
        for step in entry.get("transform", []):
            if step == "log1p":
                value = math.log(1.0 + value)
            else:
                mean, deviation = step["zscore"]
                value = (value - mean) / deviation
        elements.append(value)
    return elements


def window_tensors(
    entries: Sequence[Mapping[str, Any]],
    sequence: str,
    signals: Mapping[str, Sequence[float]],
    vectors: Mapping[str, Sequence[float]],
    start: int,
    length: int,
    reverse: bool,
) -> dict[str, np.ndarray]:
    """What the graph's inputs are for one window, float64 without the batch axis.

    Args:
        entries: the card's inputs.
        signals: NAME or NAME.CHANNEL -> values per base of the chromosome.
        vectors: values of the vectors that do not read their default.
    """
    tensors: dict[str, list[np.ndarray]] = {}
    channels_last = set()
    for entry in entries:
        name = entry.get("tensor", entry["name"])
        if entry["kind"] == "vector":
            default = [*entry.get("default", [0.0])]
            values = np.array(vectors.get(entry["name"], default * (entry["length"] // len(default))))
        elif entry["kind"] == "signal":
            keys = [f"{entry['name']}.{channel}" for channel in entry.get("channels", [])] or [entry["name"]]
            rows = [signal_elements(signals[key], start, length, entry) for key in keys]
            values = np.array([row[::-1] if reverse else row for row in rows])
        else:
            letters = read_window(sequence, start, length)
            values = one_hot(reverse_complement(letters) if reverse else letters, entry.get("bases", "ACGT"))
            if entry.get("layout") == "NLC":
                channels_last.add(name)
        tensors.setdefault(name, []).append(values)
    joined = {name: np.concatenate(parts) for name, parts in tensors.items()}
    return {name: values.T if name in channels_last else values for name, values in joined.items()}


def gap_spans(sequence: str) -> list[tuple[int, int]]:
    """Maximal runs of letters that are not A, C, G or T."""
    spans: list[tuple[int, int]] = []
    for position, letter in enumerate(sequence):
        if letter.upper() not in COMPLEMENT:
            if spans and spans[-1][1] == position:
                spans[-1] = (spans[-1][0], position + 1)
            else:
                spans.append((position, position + 1))
    return spans


def softmax(logits: Sequence[float] | np.ndarray) -> np.ndarray:
    shifted = np.exp(np.asarray(logits, float) - np.max(logits))
    return np.asarray(shifted / shifted.sum())


def every_tile(name: str, length: int, bases: int) -> list[Tile]:
    """All tiles of a chromosome, counted from its first base."""
    return [Tile(name, start, min(length, start + bases), length) for start in range(0, length, bases)]
