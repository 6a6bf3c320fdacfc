"""Every run's check of its contributions: they add up, and a dense track is what single windows say.

Completeness: a window's contributions add up to its delta. Tracks: some bases of a track that a dense graph made are
computed again from the windows over them, one by one.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import SelfCheckError
from trackgen.scan.explained_plan import ROUNDING, Explanation
from trackgen.scan.explained_tile import ExplainedReading
from trackgen.scan.explaining import ExplainedWindows
from trackgen.scan.inputs import Stretch
from trackgen.scan.single_windows import WindowSums, total_of
from trackgen.scan.weights import add_windows, weight_at_bases

__all__ = ["COMPLETENESS_BAR", "LEAST_LARGEST", "TRACK_BAR", "ContributionCheck", "share_of_largest"]

Codes = NDArray[np.uint8]
Float64 = NDArray[np.float64]

COMPLETENESS_BAR = 1e-4
"""Largest difference of a window's contributions from its delta, as a share of the largest delta.

Deltas are differences of float32 logits. Of a model that hardly answers to anything they are the rounding of those: no
sum can equal them better than `ROUNDING` times the logits' scale (at least 1; the largest delta, sum of absolute
contributions or, without activation, prediction). Deltas count as no smaller than what makes that the bar: 0.02 for
logits of about 1, so that no other model is held to less.
"""
TRACK_BAR = 2e-4
"""Largest difference of a track from what its windows say, as a share of its largest value in the tile..."""
TIES = 0.005
"""... less this share of bases, one at least: maxima closer than float32 can tell go to either side."""
LEAST_LARGEST = float(np.finfo(np.float32).eps) / TRACK_BAR
"""The largest contribution of a track counts as no smaller, so that the bar is the last digit of a logit of 1: smaller
differences of contributions change no logit."""
MOST_SCALED = 64
"""Windows explained again to learn the logits' scale, those furthest off first."""
WINDOWS_CHECKED = 384
"""Windows that are run again for one class and strand of a shard, unless more lie over a single base."""
LEAST_BASES = 16


class Explained(Protocol):
    """A model of the plan."""

    @property
    def path(self) -> object:
        """Its file."""

    @property
    def explanation(self) -> Explanation | None:
        """How it is explained."""

    @property
    def stride(self) -> int:
        """Bases between windows."""


class Source(Protocol):
    """A tile's stretch of a chromosome."""

    @property
    def name(self) -> str:
        """Its chromosome."""

    @property
    def start(self) -> int:
        """Its first base on the chromosome."""

    @property
    def stretch(self) -> Stretch:
        """What inputs read."""

    @property
    def tile_start(self) -> int:
        """Where the core begins, counted in the stretch."""


class _Given(NamedTuple):
    """Windows whose contributions are to add up.

    Attributes:
        starts, totals, deltas: (N,) each: first bases in the stretch, sums of contributions, what those are to equal.
        again: explains some of them, by their starts.
    """

    starts: NDArray[np.int64]
    totals: Float64
    deltas: Float64
    again: Callable[[NDArray[np.int64]], ExplainedWindows]


class ContributionCheck:
    """Checks each class and strand of each model once; any thread may add to it."""

    def __init__(self) -> None:
        self.completeness_windows = self.track_bases = 0
        self.completeness_error = self.track_difference = 0.0
        self._vectors: dict[str, dict[str, Any]] = {}
        self._deltas: dict[str, float] = {}
        self._looked: set[tuple[str, str | None, bool, int]] = set()
        self._lock = threading.Lock()

    @property
    def has_looked(self) -> bool:
        """Whether anything was held against single windows, or their sums against deltas."""
        return bool(self.completeness_windows or self.track_bases)

    def facts(self) -> dict[str, Any]:
        """What a shard says of it."""
        return {
            "completeness": {"n": self.completeness_windows, "max_rel_error": self.completeness_error},
            "tracks": {"n": self.track_bases, "max_rel_diff": self.track_difference},
            "vectors": self._vectors,
            "deltas": self._deltas,
        }

    def add(
        self,
        model: Explained,
        windows: WindowSums,
        source: Source,
        references: Sequence[Codes],
        entry: ExplainedReading,
    ) -> None:
        """Check what one reading of a tile gave.

        Raises:
            SelfCheckError: a figure is over its bar.
        """
        explanation = model.explanation
        assert explanation is not None
        for row, slot in enumerate(entry.slots):
            looked = (explanation.card.name, entry.reading.strand, entry.reading.reverse, slot)
            with self._lock:
                known = looked in self._looked
            if entry.dense and not known and self._check_track(model, windows, source, references, entry, row):
                with self._lock:
                    self._looked.add(looked)
            if not entry.dense:
                for name, values in entry.sums.vectors.items():
                    self._add_vector(explanation, slot, name, values[row], float(entry.sums.weights[row].sum()))
                explained = np.isfinite(entry.sums.totals[row])
                starts = entry.starts[explained]
                again = functools.partial(_explain, explanation, windows, source, references, entry, row)
                given = _Given(starts, entry.sums.totals[row][explained], entry.sums.deltas[row][explained], again)
                self._complete(model, source, entry, row, given)

    def _check_track(
        self,
        model: Explained,
        windows: WindowSums,
        source: Source,
        references: Sequence[Codes],
        entry: ExplainedReading,
        row: int,
    ) -> bool:
        """Compute some bases of a dense track again; False where the tile has nothing to look at."""
        explanation = model.explanation
        assert explanation is not None
        name = explanation.inputs[0]
        track = entry.tracks[name][row]
        if not np.isfinite(track).any() or len(entry.starts) == 0:
            return False
        window, stride = windows.card.window, model.stride
        count = max(LEAST_BASES, (WINDOWS_CHECKED * stride) - window)
        # Where the track says most, so that a fault shows.
        begin = int(np.nanargmax(np.abs(track))) - count // 2
        begin = max(0, min(begin, len(track) - count))
        low, high = source.tile_start + begin, source.tile_start + min(len(track), begin + count)
        over = np.flatnonzero((entry.starts < high) & (entry.starts + window > low))
        starts, weights = entry.starts[over], entry.sums.weights[row, over]
        one = _explain(explanation, windows, source, references, entry, row, starts)
        weight = weight_at_bases(weights[None], int(starts[0]), stride, window, low, high)[0]
        for name in explanation.inputs:
            sums = np.zeros(len(source.stretch.codes))
            add_windows(sums, starts, windows.at_bases(name, one, entry.reading.reverse), weights)
            with np.errstate(invalid="ignore", divide="ignore"):
                again = sums[low:high] / weight
            self._compare(model, source, entry, row, name, again, begin)
        for name in windows.vectors:
            values = weights @ one.contributions[name]
            self._add_vector(explanation, entry.slots[row], name, values, float(weights.sum()))
        given = _Given(starts, total_of(one), one.deltas.astype(np.float64), lambda chosen: one)
        self._complete(model, source, entry, row, given)
        return True

    def _add_vector(self, explanation: Explanation, number: int, name: str, values: Float64, weight: float) -> None:
        """Add to the sums over sampled windows of what each element of a vector input contributes to a class."""
        slot, card = explanation.slots[number], explanation.card
        class_name = card.outputs[slot.output].classes[slot.class_index].name
        with self._lock:
            row = self._vectors.setdefault(
                f"{card.name}.{class_name}.{name}",
                {"model": card.name, "class": class_name, "input": name, "sums": [0.0] * len(values), "weight": 0.0},
            )
            row["sums"] = (np.array(row["sums"]) + values).tolist()
            row["weight"] += weight

    def _compare(
        self,
        model: Explained,
        source: Source,
        entry: ExplainedReading,
        row: int,
        name: str | None,
        again: Float64,
        begin: int,
    ) -> None:
        track = entry.tracks[name][row]
        part = track[begin : begin + len(again)]
        known = np.isfinite(part) & np.isfinite(again)
        difference = share_of_largest(part[known], again[known], max(LEAST_LARGEST, float(np.nanmax(np.abs(track)))))
        with self._lock:
            self.track_bases += int(known.sum())
            self.track_difference = max(self.track_difference, difference)
        if not difference <= TRACK_BAR:
            where = source.start + source.tile_start + begin
            raise _wrong(
                model, entry, row, "come out differently in dense mode",
                f"{source.name}:{where + 1:,}-{where + len(again):,}",
                f"a difference of {difference:.3g} of the largest contribution", f"at most {TRACK_BAR:.3g}",
                "run it with `--mode window`, and report the model",
            )  # fmt: skip

    def _complete(self, model: Explained, source: Source, entry: ExplainedReading, row: int, given: _Given) -> None:
        """Hold windows' contributions against their deltas."""
        if not len(given.totals):
            return
        explanation = model.explanation
        assert explanation is not None
        slot = entry.slots[row]
        seen = explanation.largest[slot] if explanation.largest else 0.0
        every = np.abs(entry.sums.deltas[row])
        largest = max(seen, float(np.nanmax(every, initial=0.0)), float(np.abs(given.deltas).max()))
        self._add_delta(explanation, slot, largest)
        if explanation.attribution != "deeplift":
            return
        differences = np.abs(given.totals - given.deltas)
        worst = int(np.argmax(differences))
        least = max(largest, ROUNDING * max(1.0, largest) / COMPLETENESS_BAR)
        if not differences[worst] <= COMPLETENESS_BAR * least:
            one = given.again(given.starts[np.argsort(-differences)[:MOST_SCALED]])
            least = max(least, ROUNDING * _scale_of(explanation, slot, one) / COMPLETENESS_BAR)
        error = float(differences[worst]) / least
        with self._lock:
            self.completeness_windows += len(given.totals)
            self.completeness_error = max(self.completeness_error, error)
        if not error <= COMPLETENESS_BAR:
            raise _wrong(
                model, entry, row, "do not add up to what the prediction differs by from the reference's",
                f"window that begins at {source.name}:{source.start + int(given.starts[worst]) + 1:,}",
                f"an error of {error:.3g} of the largest such difference", f"at most {COMPLETENESS_BAR:.3g}",
                "use `--attribution gradient`, and report the model",
            )  # fmt: skip

    def _add_delta(self, explanation: Explanation, number: int, largest: float) -> None:
        """Keep the largest delta of a class, of the windows tried before the run and of those looked at in it."""
        slot, card = explanation.slots[number], explanation.card
        key = f"{card.name}.{card.outputs[slot.output].classes[slot.class_index].name}"
        with self._lock:
            self._deltas[key] = max(self._deltas.get(key, 0.0), largest)


def _explain(
    explanation: Explanation,
    windows: WindowSums,
    source: Source,
    references: Sequence[Codes],
    entry: ExplainedReading,
    row: int,
    starts: NDArray[np.int64],
) -> ExplainedWindows:
    """Explain windows of a row one by one."""
    output, class_index = explanation.slots[entry.slots[row]].output, int(entry.classes[row])
    return windows.explain(source.stretch, starts, output, class_index, entry.reading.reverse, references)


def _scale_of(explanation: Explanation, number: int, one: ExplainedWindows) -> float:
    """How large the logits are that windows' deltas are differences of, as far as that is known."""
    scale = max(float(np.abs(values).sum(axis=1, dtype=np.float64).max()) for values in one.contributions.values())
    output = explanation.slots[number].output
    if explanation.card.outputs[output].activation == "none" and output < len(one.predictions):
        scale = max(scale, float(np.abs(one.predictions[output]).max()))
    return scale


def share_of_largest(found: Float64, wanted: Float64, largest: float) -> float:
    """The largest difference as a share of the largest value, without the few bases that ties may explain."""
    if len(found) == 0:
        return 0.0
    differences = np.sort(np.abs(found - wanted))
    kept = differences[: len(differences) - max(1, int(TIES * len(differences)))]
    return float(kept[-1]) / (largest or 1.0) if len(kept) else 0.0


def _wrong(
    model: Explained, entry: ExplainedReading, row: int, what: str, place: str, found: str, wanted: str, remedy: str
) -> SelfCheckError:
    explanation = model.explanation
    assert explanation is not None
    slot = explanation.slots[entry.slots[row]]
    name = explanation.card.outputs[slot.output].classes[slot.class_index].name
    return SelfCheckError(
        f"contributions to class {name} of model {explanation.card.name} {what}",
        path=str(model.path),
        place=place,
        found=found,
        wanted=wanted,
        remedy=remedy,
    )
