"""Every run's check of its contributions: they add up, and a dense track is what single windows say.

Completeness: a window's contributions add up to its delta. Tracks: some bases of a track that a dense graph made are
computed again from the windows over them, one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import SelfCheckError
from trackgen.scan.explained_plan import Explanation
from trackgen.scan.explained_tile import ExplainedReading
from trackgen.scan.inputs import Stretch
from trackgen.scan.single_windows import WindowSums, total_of
from trackgen.scan.weights import add_windows, weight_at_bases

__all__ = ["COMPLETENESS_BAR", "TRACK_BAR", "ContributionCheck", "share_of_largest"]

Codes = NDArray[np.uint8]
Float64 = NDArray[np.float64]

COMPLETENESS_BAR = 1e-4
"""Largest difference of a window's contributions from its delta, as a share of the largest delta."""
TRACK_BAR = 2e-4
"""Largest difference of a track from what its windows say, as a share of its largest value in the tile..."""
TIES = 0.005
"""... less this share of bases, one at least: maxima closer than float32 can tell go to either side."""
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


class ContributionCheck:
    """Checks each class and strand of each model once; any thread may add to it."""

    def __init__(self) -> None:
        self.completeness_windows = self.track_bases = 0
        self.completeness_error = self.track_difference = 0.0
        self._vectors: dict[str, dict[str, Any]] = {}
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
            if not entry.dense and explanation.attribution == "deeplift":
                sums = entry.sums
                explained = np.isfinite(sums.totals[row])
                self._complete(
                    model,
                    source,
                    entry,
                    row,
                    entry.starts[explained],
                    sums.totals[row][explained],
                    sums.deltas[row][explained],
                )

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
        output = explanation.slots[entry.slots[row]].output
        one = windows.explain(
            source.stretch, starts, output, int(entry.classes[row]), entry.reading.reverse, references
        )
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
        if explanation.attribution == "deeplift":
            self._complete(model, source, entry, row, starts, total_of(one), one.deltas.astype(np.float64))
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
        difference = share_of_largest(part[known], again[known], float(np.nanmax(np.abs(track))))
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

    def _complete(
        self,
        model: Explained,
        source: Source,
        entry: ExplainedReading,
        row: int,
        starts: NDArray[np.int64],
        totals: Float64,
        deltas: Float64,
    ) -> None:
        """Hold windows' contributions against their deltas."""
        if not len(totals):
            return
        explanation = model.explanation
        assert explanation is not None
        seen = explanation.largest[entry.slots[row]] if explanation.largest else 0.0
        every = np.abs(entry.sums.deltas[row])
        largest = max(seen, float(np.nanmax(every, initial=0.0)), float(np.abs(deltas).max()))
        errors = np.abs(totals - deltas) / (largest or 1.0)
        worst = int(np.argmax(errors))
        with self._lock:
            self.completeness_windows += len(totals)
            self.completeness_error = max(self.completeness_error, float(errors[worst]))
        if not errors[worst] <= COMPLETENESS_BAR:
            raise _wrong(
                model, entry, row, "do not add up to what the prediction differs by from the reference's",
                f"window that begins at {source.name}:{source.start + int(starts[worst]) + 1:,}",
                f"an error of {errors[worst]:.3g} of the largest such difference", f"at most {COMPLETENESS_BAR:.3g}",
                "use `--attribution gradient`, and report the model",
            )  # fmt: skip


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
