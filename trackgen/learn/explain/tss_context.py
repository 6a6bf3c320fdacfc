"""What the sections of a report on a TSS model share: the options, the opened model, its windows, the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.datasets.motif_files import MotifDatabase
from trackgen.learn.explain.engine import Engine
from trackgen.learn.explain.maximisation import STEPS
from trackgen.learn.explain.page import Page
from trackgen.learn.explain.tss_windows import TssModel, TssSources, TssWindows
from trackgen.progress import Progress

__all__ = ["Context", "TssExplainOptions"]


@dataclass(frozen=True)
class TssExplainOptions:
    """What to explain.

    Attributes:
        model, genome: files.
        sources: of start sites.
        output: folder of the report.
        motifs: a MEME file, or None.
        steps: of activation maximisation.
        seqlets: that tfmodisco uses at most, of either sign.
        device, threads: to run on.
    """

    model: Path
    genome: Path
    sources: TssSources
    output: Path
    motifs: Path | None = None
    steps: int = STEPS
    seqlets: int = 2000
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Context:
    """What every section of the report draws on; `figures` collects the report's numbers."""

    options: TssExplainOptions
    model: TssModel
    windows: TssWindows
    database: MotifDatabase | None
    engine: Engine
    page: Page
    figures: dict[str, Any]
    progress: Progress
    cache: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=dict)
    """Contributions by class: the profile and the motifs need the same."""
