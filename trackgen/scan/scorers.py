"""What explains single windows, by ``--attribution``."""

from __future__ import annotations

from pathlib import Path

from trackgen.progress import Progress
from trackgen.scan.explained_plan import Explanation
from trackgen.scan.explaining import WindowExplainer
from trackgen.scan.options import ScanOptions
from trackgen.scan.single_windows import Scorer

__all__ = ["open_scorer"]


def open_scorer(
    path: Path, explanation: Explanation, output: int, options: ScanOptions, threads: int, progress: Progress
) -> Scorer:
    """What explains the windows of one output (its index in the card) of a model."""
    card, attribution = explanation.card, explanation.graph_attribution
    assert attribution is not None
    spec = card.outputs[output]
    return WindowExplainer(
        path,
        card,
        spec.name,
        attribution=attribution,
        profile_target=explanation.profile_target if spec.resolution is not None else None,
        device=options.device,
        threads=threads,
        batch_size=options.batch_size,
        tell=progress.note,
    )
