"""What explains single windows, by ``--attribution``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.progress import Progress
from trackgen.scan.explained_plan import Explanation
from trackgen.scan.explaining import ExplainedWindows, WindowExplainer, first_sequence
from trackgen.scan.occlusion import Occlusion
from trackgen.scan.options import ScanOptions
from trackgen.scan.single_windows import Scorer
from trackgen.scan.telling import TellShare, tell_nobody

__all__ = ["Saliency", "open_scorer"]

Float32 = NDArray[np.float32]


class Saliency:
    """The plain gradient's size: its absolute values, summed over the channels of a base or element."""

    def __init__(self, explainer: WindowExplainer) -> None:
        self._explainer = explainer

    def run(
        self,
        inputs: Mapping[str, Float32],
        classes: NDArray[np.int64],
        reference: Mapping[str, Float32] | None = None,
        *,
        multipliers: bool = False,
        tell_share: TellShare = tell_nobody,
    ) -> ExplainedWindows:
        """Explain N windows; a gradient has no reference."""
        found = self._explainer.run(inputs, classes, tell_share=tell_share)
        sizes = _sizes(self._explainer.card, found.multipliers)
        return ExplainedWindows(found.multipliers if multipliers else {}, sizes, found.deltas, found.predictions)


def _sizes(card: Card, multipliers: Mapping[str, Float32]) -> dict[str, Float32]:
    """Per input of the card (N, elements), all sequences together under the name of the first."""
    sizes: dict[str, Float32] = {}
    sequence = first_sequence(card)
    for tensor, members in card.tensors:
        values = np.abs(multipliers[tensor])
        if any(entry.layout == "NLC" for entry in members):
            values = values.transpose(0, 2, 1)
        first = 0
        for entry in members:
            size = 4 if entry.kind == "sequence" else entry.length or max(1, len(entry.channels))
            part = values[:, first : first + size]
            first += size
            part = part if entry.kind == "vector" else part.sum(axis=1)
            name = sequence.name if sequence is not None and entry.kind == "sequence" else entry.name
            sizes[name] = sizes[name] + part if name in sizes else part
    return sizes


def open_scorer(
    path: Path, explanation: Explanation, output: int, options: ScanOptions, threads: int, progress: Progress
) -> Scorer:
    """What explains the windows of one output (its index in the card) of a model.

    Raises:
        NotExplained: an operator has no rule; told when windows are first explained.
    """
    card, attribution = explanation.card, explanation.attribution
    spec = card.outputs[output]
    given: dict[str, Any] = {
        "profile_target": explanation.profile_target if spec.resolution is not None else None,
        "device": options.device,
        "threads": threads,
        "batch_size": options.batch_size,
        "tell": progress.note,
    }
    if attribution == "occlusion" or attribution == "substitution":
        return Occlusion(path, card, spec.name, attribution, **given)
    if attribution == "saliency":
        return Saliency(WindowExplainer(path, card, spec.name, attribution="gradient", **given))
    return WindowExplainer(path, card, spec.name, attribution=attribution, **given)
