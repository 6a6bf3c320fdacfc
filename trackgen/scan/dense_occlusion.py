"""Occlusion of all windows at once: one dense pass changes every L-th base, so that each window has one changed base.

::

    bases changed      j       j+L      j+2L      (every base is j modulo L for one j)
    window i         |--x------|                  x at i + (j - i) mod L
    window i + 1      |-x-------|
    window j + 1       |--------x|

L passes blank each base of each window once; 3 L passes put each of the three others there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, OutputSpec, load_model
from trackgen.genome import UNKNOWN
from trackgen.graph import DenseModel, compile_dense
from trackgen.graph.deeplift.target import add_targets
from trackgen.runtime import Session
from trackgen.scan.contributions import ContributionSums, empty_sums
from trackgen.scan.dense import DenseRunner
from trackgen.scan.inputs import Stretch
from trackgen.scan.telling import TellShare, tell_nobody

__all__ = ["DenseOcclusion", "DenseTargets", "can_be_blanked", "compile_targets"]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
BASES = 4


@dataclass(frozen=True)
class DenseTargets:
    """The tile graph of what is explained.

    Attributes:
        card: the model's, with the explained numbers as its only outputs.
        compiled: the graph.
        outputs: per explained output of the model's card, by its index: which output of the graph it is, and whether
            the mean over classes is taken off.
    """

    card: Card
    compiled: DenseModel
    outputs: Mapping[int, tuple[int, bool]]


def can_be_blanked(card: Card) -> bool:
    """Whether a base that is not known is a blank one, and no signal wants to be blanked as well."""
    return all(entry.kind == "sequence" and entry.unknown == 0 for entry in card.inputs)


def compile_targets(
    path: Path, card: Card, stride: int, outputs: Sequence[int], profile_target: str | int | None, device: str
) -> DenseTargets:
    """The tile graph of the explained numbers of some outputs (indices in the card), in plain sums.

    Differences of logits have fewer digits than logits, too few for convolutions with fewer multiplications.

    Raises:
        NotDense: the model has to run window by window.
        ModelError: the model is broken.
    """
    names = [card.outputs[number].name for number in dict.fromkeys(outputs)]
    model, wider, targets = add_targets(load_model(path), card, names, profile_target)
    wanted = [targets[name].logits for name in names]
    specs: dict[str, OutputSpec] = {entry.name: entry for entry in wider.outputs}
    kept = {entry.name: entry for entry in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(kept[name] for name in wanted)
    narrow = replace(wider, outputs=tuple(specs[name] for name in wanted))
    compiled = compile_dense(model, narrow, stride, device, tuned=False)
    places = {
        number: (place, targets[card.outputs[number].name].centred)
        for place, number in enumerate(dict.fromkeys(outputs))
    }
    return DenseTargets(narrow, compiled, places)


class DenseOcclusion:
    """Gives what `WindowSums` gives with `Occlusion`, for neighbouring windows; its memory is that of one pass.

    Args:
        targets: what is run.
        session: its graph, loaded.
        kind: what is done to bases.
        windows_at_once, most_windows: as for `DenseRunner`.
    """

    def __init__(
        self,
        targets: DenseTargets,
        session: Session,
        kind: Literal["occlusion", "substitution"],
        windows_at_once: int | None = None,
        most_windows: int | None = None,
    ) -> None:
        self._targets = targets
        self._changes = (0,) if kind == "occlusion" else (1, 2, 3)
        self._runner = DenseRunner(targets.card, targets.compiled, session, None, windows_at_once, most_windows)

    def run(
        self,
        stretch: Stretch,
        starts: Int64,
        outputs: Sequence[int],
        classes: Int64,
        weights: Float64,
        *,
        reverse: bool,
        references: Sequence[Codes] = (),
        tell_share: TellShare = tell_nobody,
    ) -> ContributionSums:
        """As `DenseExplainer.run`; there are no references, and deltas are not known.

        Raises:
            ResourceError: not even one window fits into memory.
        """
        result = empty_sums([None], len(stretch.codes), weights)
        chosen = np.flatnonzero(weights.any(axis=0))
        if not len(chosen):
            tell_share(1.0)
            return result
        window, begin = self._targets.compiled.window, starts[chosen]
        share = 1 / (1 + window * len(self._changes))
        own = self._scalars(stretch, begin, outputs, classes, reverse)
        tell_share(share)
        totals = np.zeros((len(outputs), len(chosen)))
        for residue in range(window):
            losses = np.full(own.shape, -np.inf)
            for change in self._changes:
                changed = replace(stretch, codes=_changed(stretch.codes, residue, window, change))
                losses = np.maximum(losses, own - self._scalars(changed, begin, outputs, classes, reverse))
                tell_share(share)
            places = begin + (residue - begin) % window
            # A window's loss is a float32 number wherever it comes from.
            kept = losses.astype(np.float32).astype(np.float64)
            totals += kept
            for row, sums in enumerate(result.bases[None]):
                np.add.at(sums, places, kept[row] * weights[row, chosen])
        result.totals[:, chosen] = totals
        return result

    def _scalars(
        self, stretch: Stretch, starts: Int64, outputs: Sequence[int], classes: Int64, reverse: bool
    ) -> Float64:
        """The explained number of each window, (Q, N)."""
        results = self._runner.run(stretch, starts, reverse=reverse)
        rows = []
        for output, index in zip(outputs, classes.tolist(), strict=True):
            place, centred = self._targets.outputs[output]
            logits = results[place]
            rows.append(logits[:, index] - (logits.mean(axis=1, dtype=np.float64) if centred else np.float64(0)))
        return np.stack(rows)


def _changed(codes: Codes, residue: int, window: int, change: int) -> Codes:
    """A copy whose bases at `residue` modulo `window` are blank, or for 1 to 3 that many letters further in ACGT."""
    made = codes.copy()
    here = codes[residue::window]
    made[residue::window] = np.where(here < BASES, (here + change) % BASES, here) if change else UNKNOWN
    return made
