"""trackgen's dense contributions and tangermeme's window by window, in variants that are timed beside each other.

Both give what every base contributes to each window: trackgen summed over windows where they overlap, each window times
its probability; tangermeme a window at a time. What comes after is left out on both sides: sums where runs of windows
meet, and all sums over windows of tangermeme's.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np
import onnx
import torch
from contributions_nets import Explained
from numpy.typing import NDArray
from scan_rivals import AS_IT_COMES, Contender, Float32, Stretch, Variant, _piece, _text, _threadings
from tangermeme.deep_lift_shap import deep_lift_shap
from torch import Tensor, nn

from trackgen.graph import ContributionGraph, compile_window_contributions
from trackgen.runtime import open_session

ONE_CLASS = "trackgen, one class"
ALL_CLASSES = "trackgen, all classes at once"
ONE_REFERENCE = "tangermeme, one reference"
SHUFFLES = 20
"""References of a window, which are tangermeme's own default."""
SHUFFLED = f"tangermeme, {SHUFFLES} shuffles"
BASES_A_CALL = 1 << 15
"""A call of tangermeme's puts hooks on the net first: several small batches a call make that count for less."""
USUAL_BATCH = 32
"""tangermeme's own default."""
OUTPUTS = ("contributions", "deltas", "weights")
CHECKED = 1.5
"""Windows' lengths at each end of a run whose values are compared: all windows over a base, and more."""
CLOSE = 2e-4
"""Of the largest value: bases further off than this are counted."""


def dense_contributions(
    name: str,
    graph: ContributionGraph,
    classes: NDArray[np.int64],
    stretch: Stretch,
    threads: int,
    tiles: Iterable[int],
) -> Contender:
    """One walk back a run; sessions as a scan opens them. Predictions come with it."""
    case, data = stretch.case, graph.model.SerializeToString()
    codes_name = next(entry.name for entry in graph.inputs if entry.kind == "codes")
    names = [f"{kind}.{slot}" for kind in OUTPUTS for slot in range(len(graph.slots))] + list(graph.outputs)
    variants = []
    for session_threads, callers in _threadings(threads):
        session = open_session(data, device="cpu", threads=session_threads)
        for piece in dict.fromkeys(_piece(tile // case.stride, stretch) for tile in tiles):

            def run(first: int, session: Any = session, piece: int = piece) -> Float32:
                codes = stretch.codes[None, stretch.bounds(first, piece)]
                weights = np.ones((len(classes), piece), np.float32)
                values = session.run({codes_name: codes, "classes": classes, "weights": weights}, names)
                return np.stack(values[: len(classes)])

            label = f"run of {piece * case.stride:,}, {_text(session_threads, callers)}"
            variants.append(Variant(label, piece, callers, run))
    return Contender(name, variants)


class Copies:
    """Copies of a net, one a caller: tangermeme keeps what it needs on the net's own modules."""

    def __init__(self, net: nn.Module, number: int) -> None:
        self._free: SimpleQueue[nn.Module] = SimpleQueue()
        for _ in range(number):
            self._free.put(copy.deepcopy(net))

    @contextmanager
    def one(self) -> Iterator[nn.Module]:
        net = self._free.get()
        try:
            yield net
        finally:
            self._free.put(net)


class Constant:
    """One reference for all: frequencies as a function, since tangermeme takes only one-hot bases as a tensor."""

    def __init__(self, frequencies: Iterable[float]) -> None:
        self._values = torch.tensor(list(frequencies))

    def __call__(self, windows: Tensor, n: int, random_state: int | None = None) -> Tensor:
        return self._values[None, None, :, None].expand(len(windows), n, 4, windows.shape[2])


def by_tangermeme(
    explained: Explained, net: nn.Module, stretch: Stretch, threads: int, batches: Iterable[int], *, shuffled: bool
) -> Contender:
    """tangermeme's deep_lift_shap of each window by itself.

    Args:
        net: the twin that takes hooks.
        batches: windows and references that go through the net at a time.
        shuffled: against shuffles of each window, instead of the card's frequencies.
    """
    views = stretch.tensor[0].unfold(1, stretch.case.window, stretch.case.stride).transpose(0, 1)
    references = SHUFFLES if shuffled else 1
    variants = []
    for torch_threads, callers in _threadings(threads):
        copies = Copies(net, callers)
        for batch in batches:
            pairs = max(batch, BASES_A_CALL // stretch.case.window // batch * batch)
            piece = _piece(pairs // references, stretch)
            # With one reference, multipliers times differences give the same with less work than its own way.
            for raw in (False,) if shuffled else (False, True):

                def run(
                    first: int, batch: int = batch, piece: int = piece, raw: bool = raw, copies: Copies = copies
                ) -> Float32:
                    windows = views[first : first + piece].contiguous()
                    with copies.one() as twin:
                        return explain(explained, twin, windows, batch, None if not shuffled else first, raw=raw)

                label = f"batch {batch}{', multipliers' if raw else ''}, {_text(torch_threads, callers)}"
                variants.append(Variant(label, piece, callers, run, torch_threads))
    return Contender(SHUFFLED if shuffled else ONE_REFERENCE, variants)


def as_it_comes(explained: Explained, net: nn.Module, stretch: Stretch, threads: int, *, shuffled: bool) -> Contender:
    """tangermeme as most users run it: its own batch size and attributions, one call at a time, on all threads."""
    contender = by_tangermeme(explained, net, stretch, threads, (USUAL_BATCH,), shuffled=shuffled)
    return Contender(f"{contender.name}{AS_IT_COMES}", contender.variants[:1])


def explain(
    explained: Explained, twin: nn.Module, windows: Tensor, batch: int, seed: int | None, *, raw: bool = False
) -> Float32:
    """What each base contributes to each window (N, L).

    Args:
        seed: None for the card's frequencies as the reference; else of the windows' shuffles. It is spread out, since
            seeds nearer than the number of shuffles share some.
        raw: ask for multipliers, and multiply them by the differences here.
    """
    frequencies = explained.case.card.reference.values
    asked: dict[str, Any] = {"references": Constant(frequencies), "n_shuffles": 1}
    if seed is not None:
        asked = {"n_shuffles": SHUFFLES, "random_state": seed * SHUFFLES}
    found = deep_lift_shap(
        twin, windows, target=explained.class_index, batch_size=batch, raw_outputs=raw, device="cpu",
        warning_threshold=math.inf, **asked,
    )  # fmt: skip
    if raw:
        found = found[:, 0] * (windows - torch.tensor(frequencies)[:, None])
    values: Float32 = found.sum(dim=1).numpy()
    return values


class Windows:
    """The window graph's contributions, summed over windows each times its probability."""

    def __init__(self, explained: Explained, model: onnx.ModelProto) -> None:
        case = explained.case
        self._explained, self._output = explained, case.card.outputs[0].name
        graph = compile_window_contributions(model, case.card, self._output, profile_target=explained.profile_target)
        self._session = open_session(graph.model.SerializeToString(), device="cpu", threads=1)

    def contributions(self, windows: Float32) -> tuple[Float32, Float32]:
        """Contributions (N, L) and weights (N,): the probability, or the mean over a profile's positions."""
        classes = np.full(len(windows), self._explained.class_index, np.int64)
        feed = {self._explained.case.card.tensors[0][0]: np.ascontiguousarray(windows), "classes": classes}
        values, predictions = self._session.run(feed, ["contributions", self._output])
        weights = predictions[:, self._explained.class_index]
        return values, weights if weights.ndim == 1 else weights.mean(axis=1)

    def summed(self, stretch: Stretch, first: int, number: int) -> NDArray[np.float64]:
        """Sums over `number` windows from `first` on, at the bases that they read."""
        stride, window = stretch.case.stride, stretch.case.window
        total = np.zeros((number - 1) * stride + window)
        for begin in range(0, number, 64):
            rows = range(begin, min(number, begin + 64))
            values, weights = self.contributions(stretch.views[first + rows.start : first + rows.stop])
            for row, value, weight in zip(rows, values, weights, strict=True):
                total[row * stride : row * stride + window] += value.astype(np.float64) * float(weight)
        return total


def differences(variant: Variant, reference: Windows, stretch: Stretch, row: int) -> tuple[float, float]:
    """The largest difference of a row of `variant` from window sums at both ends of its first run, of their largest
    value, and the share of bases that differ by more than `CLOSE` of it."""
    stride, window = stretch.case.stride, stretch.case.window
    number = min(variant.piece, math.ceil(CHECKED * window / stride) + 1)
    found = variant.run(0)[row]
    # Bases that no window beyond the checked ones reads.
    inner = number * stride if number < variant.piece else len(found)
    first = reference.summed(stretch, 0, number)
    last = reference.summed(stretch, variant.piece - number, number)
    off = np.concatenate([found[:inner] - first[:inner], found[-inner:] - last[-inner:]])
    off = np.abs(off) / max(np.abs(first).max(), np.abs(last).max())
    return float(off.max()), float(np.mean(off > CLOSE))
