"""Opens a plan's models on a device: what runs them, and what checks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.progress import Progress
from trackgen.runtime import Session, open_session
from trackgen.scan.contributions import DenseExplainer
from trackgen.scan.dense import DenseRunner
from trackgen.scan.dense_occlusion import DenseOcclusion
from trackgen.scan.explained_tile import Explainers
from trackgen.scan.inputs import Stretch
from trackgen.scan.modes import Threading
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import ModelPlan, ScanPlan
from trackgen.scan.scorers import open_scorer
from trackgen.scan.single_windows import WindowSums
from trackgen.scan.windows import WindowRunner, default_batch_size

__all__ = ["ModelRunner", "Runner", "open_runners"]


class Runner(Protocol):
    """Window values of a stretch of genome, by whatever way."""

    session: Session

    def run(
        self,
        stretch: Stretch,
        starts: NDArray[np.int64],
        *,
        reverse: bool,
        tell_share: Callable[[float], None] = ...,
    ) -> list[NDArray[np.float32]]:
        """Per output of the card (N, K), or (N, K, M) for a profile, for windows that begin at `starts` (N,)."""


@dataclass(frozen=True)
class ModelRunner:
    """A model on a device.

    Attributes:
        main: runs it, densely or window by window.
        windows: runs single windows, which `main` is held against.
        explainers: what explains it, where contributions are asked for.
    """

    main: Runner
    windows: WindowRunner
    explainers: Explainers | None = None


def open_runners(plan: ScanPlan, options: ScanOptions, threading: Threading, progress: Progress) -> list[ModelRunner]:
    """Load the plan's models onto the device, and say once which device it is and why."""
    runners = [_open(model, plan, options, threading, progress) for model in plan.models]
    for note in plan.notes:
        progress.note(note)
    session = runners[0].main.session
    progress.note(f"device: {session.device} ({session.reason})")
    return runners


def _open(
    model: ModelPlan, plan: ScanPlan, options: ScanOptions, threading: Threading, progress: Progress
) -> ModelRunner:
    session = open_session(model.path, device=options.device, threads=threading.threads_each)
    size = options.batch_size or default_batch_size(model.card)
    windows = WindowRunner(model.card, session, size, progress.note, model.vectors)
    compiled = model.mode.dense
    explainers = _open_explainers(model, plan, options, threading, progress)
    if compiled is None:
        return ModelRunner(windows, windows, explainers)
    session = open_session(
        compiled.model.SerializeToString(),
        device=options.device,
        threads=threading.threads_each,
        path_for_messages=model.path,
    )
    # A CUDA device plans its kernels for each shape that it meets: let it meet one.
    whole = plan.tile // model.stride + 1
    at_once = None if session.device == "cpu" else min(whole, model.most_windows or whole)
    dense = DenseRunner(model.card, compiled, session, model.vectors, at_once, model.most_windows)
    return ModelRunner(dense, windows, explainers)


def _open_explainers(
    model: ModelPlan, plan: ScanPlan, options: ScanOptions, threading: Threading, progress: Progress
) -> Explainers | None:
    explanation = model.explanation
    if explanation is None:
        return None
    scorers = {
        slot.output: open_scorer(model.path, explanation, slot.output, options, threading.threads_each, progress)
        for slot in explanation.slots
    }
    singly = WindowSums(explanation.card, scorers, model.vectors, hypothetical=explanation.hypothetical)
    graph = explanation.dense or (explanation.repeated.compiled if explanation.repeated else None)
    if graph is None:
        return Explainers(None, singly)
    session = open_session(
        graph.model.SerializeToString(),
        device=options.device,
        threads=threading.threads_each,
        path_for_messages=model.path,
    )
    # Windows over a tile's core begin up to a window before it.
    whole = (plan.tile + 2 * model.card.window) // model.stride + 2
    at_once = None if session.device == "cpu" else min(whole, explanation.most_windows or whole)
    most = explanation.most_windows
    if explanation.dense is not None:
        return Explainers(
            DenseExplainer(explanation.card, explanation.dense, session, model.vectors, at_once, most), singly
        )
    assert explanation.repeated is not None
    assert explanation.attribution in ("occlusion", "substitution")
    return Explainers(DenseOcclusion(explanation.repeated, session, explanation.attribution, at_once, most), singly)
