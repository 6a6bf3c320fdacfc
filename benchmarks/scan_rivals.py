"""The ways to scan a stretch that are timed beside each other, each in several variants of batch size and threading.

A rival gets its one-hot bases ready-made: only cutting windows or tiles out of them and running the net is timed.
trackgen gets codes, and turns them into one-hot bases within its graph.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from scan_nets import TORCH, WINDOWS, Case
from torch import Tensor, nn

from trackgen.graph import DenseModel
from trackgen.runtime import open_session

TRACKGEN = "trackgen, dense"
COMPILED = "torch.compile, windows"
CONVOLUTIONAL = "PyTorch, convolutional by hand"
AS_IT_COMES = ", as it comes"
BATCHES = (64, 256, 1024)
TILES = (1_024, 4_096, 16_384, 65_536)
MOST_BATCH_FLOATS = 64 << 20
"""Inputs of one batch or tile, at most: nobody runs more at a time on two cores."""
ONE_HOT = np.eye(5, 4, dtype=np.float32)

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Stretch:
    """A stretch of genome that windows of a case are cut from, in the forms that the rivals want."""

    codes: Codes
    case: Case

    @property
    def windows(self) -> int:
        return (len(self.codes) - self.case.window) // self.case.stride + 1

    @cached_property
    def one_hot(self) -> Float32:
        """(4, T), each channel in one piece."""
        return np.ascontiguousarray(ONE_HOT[self.codes].T)

    @cached_property
    def views(self) -> Float32:
        """(windows, 4, L), without copies."""
        views = np.lib.stride_tricks.sliding_window_view(self.one_hot, self.case.window, axis=1)
        return views[:, :: self.case.stride].transpose(1, 0, 2)

    @cached_property
    def tensor(self) -> Tensor:
        """(1, 4, T)"""
        return torch.from_numpy(self.one_hot)[None]

    def bounds(self, first: int, number: int) -> slice:
        """The bases that `number` windows from `first` on read."""
        start = first * self.case.stride
        return slice(start, start + (number - 1) * self.case.stride + self.case.window)


@dataclass(frozen=True)
class Variant:
    """One way of running a contender: `run` gives the values of `piece` windows from the given one on."""

    label: str
    piece: int
    callers: int
    """Python threads that each run pieces of their own at the same time."""
    run: Callable[[int], Float32]
    torch_threads: int | None = None

    def prepare(self) -> None:
        """To be called once in each calling thread: PyTorch keeps its number of threads per thread."""
        if self.torch_threads is not None:
            torch.set_num_threads(self.torch_threads)


@dataclass
class Contender:
    """A way of scanning, its variants, and what was measured of it."""

    name: str
    variants: list[Variant]
    rates: list[float] = field(default_factory=list)
    absent: str = ""
    """Why it can't run here; no variants then."""

    @property
    def best(self) -> float:
        """Bases a second."""
        return max(self.rates, default=float("nan"))


def rate(variant: Variant, stretch: Stretch, seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Bases of genome scanned a second at the case's stride; each caller's own speed, summed.

    The clock ``time.thread_time`` counts the processor time of the calls alone, for variants of one thread a call.
    """
    pieces = max(1, stretch.windows // variant.piece)
    turns, speeds = count(), []

    def call() -> None:
        variant.prepare()
        done, start = 0, clock()
        while not done or clock() - start < seconds:
            variant.run(next(turns) % pieces * variant.piece)
            done += 1
        speeds.append(done * variant.piece * stretch.case.stride / (clock() - start))

    callers = [threading.Thread(target=call) for _ in range(variant.callers)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    if len(speeds) < variant.callers:
        raise SystemExit(f"{variant.label} failed")
    return sum(speeds)


def dense_rate(compiled: DenseModel, stretch: Stretch, threads: int, tiles: Iterable[int] = TILES) -> Contender:
    """trackgen's dense scan: one session on all threads, and as many callers of one thread as there are threads."""
    case, data = stretch.case, compiled.model.SerializeToString()
    name = next(entry.name for entry in compiled.inputs if entry.kind == "codes")
    variants = []
    for session_threads, callers in _threadings(threads):
        session = open_session(data, device="cpu", threads=session_threads)
        for tile in tiles:
            piece = _piece(tile // case.stride, stretch)

            def run(first: int, session: Any = session, piece: int = piece) -> Float32:
                codes = stretch.codes[None, stretch.bounds(first, piece)]
                return per_window(session.run({name: codes})[0], case, piece)

            variants.append(
                Variant(f"tile {piece * case.stride:,}, {_text(session_threads, callers)}", piece, callers, run)
            )
    return Contender(TRACKGEN, variants)


def per_window(values: Float32, case: Case, number: int) -> Float32:
    """(1, K, W) as (W, K), or for profiles (1, K, positions) as (W, K, M), without copies."""
    if case.positions is None:
        return values[0, :, :number].T
    views = np.lib.stride_tricks.sliding_window_view(values[0], case.positions, axis=1)
    return views[:, :: case.stride][:, :number].transpose(1, 0, 2)


def windows_by_onnxruntime(model: onnx.ModelProto, stretch: Stretch, threads: int, batches: Iterable[int]) -> Contender:
    """ONNX Runtime with its own defaults, window by window."""
    data, variants = model.SerializeToString(), []
    for session_threads, callers in _threadings(threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = session_threads
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        for batch in _batches(batches, stretch):

            def run(first: int, session: Any = session, batch: int = batch) -> Float32:
                inputs = np.ascontiguousarray(stretch.views[first : first + batch])
                values: Float32 = session.run(None, {"sequence": inputs})[0]
                return values

            variants.append(Variant(f"batch {batch}, {_text(session_threads, callers)}", batch, callers, run))
    return Contender(WINDOWS, variants)


def windows_by_torch(
    net: nn.Module, stretch: Stretch, threads: int, batches: Iterable[int], *, name: str = TORCH
) -> Contender:
    """PyTorch window by window."""
    views = stretch.tensor[0].unfold(1, stretch.case.window, stretch.case.stride).transpose(0, 1)
    variants = []
    for torch_threads, callers in _threadings(threads):
        for batch in _batches(batches, stretch):

            @torch.inference_mode()
            def run(first: int, batch: int = batch) -> Float32:
                values: Float32 = net(views[first : first + batch].contiguous()).numpy()
                return values

            label = f"batch {batch}, {_text(torch_threads, callers)}"
            variants.append(Variant(label, batch, callers, run, torch_threads))
    return Contender(name, variants)


def as_it_comes(rival: Contender) -> Contender:
    """A rival on windows as most users run it: the smallest batches, one at a time, on all threads."""
    return Contender(f"{rival.name}{AS_IT_COMES}", [next(entry for entry in rival.variants if entry.callers == 1)])


def windows_by_compiler(net: nn.Module, stretch: Stretch, threads: int, batch: int) -> Contender:
    """torch.compile at one batch size, that which suits plain PyTorch: it compiles anew for each. All threads."""
    torch.set_num_threads(threads)
    torch.compiler.reset()
    compiled = torch.compile(net, dynamic=False, options={"freezing": True})
    contender = windows_by_torch(compiled, stretch, threads, (batch,), name=COMPILED)
    contender.variants = [variant for variant in contender.variants if variant.callers == 1]
    try:
        contender.variants[0].run(0)
    except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError, RuntimeError) as error:
        return Contender(COMPILED, [], absent=f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return contender


def convolutional_by_torch(net: nn.Module, stretch: Stretch, threads: int, tiles: Iterable[int] = TILES) -> Contender:
    """The net's fully convolutional form, written by hand, in PyTorch."""
    case, along, variants = stretch.case, net.along, []
    if along is None:
        return Contender(CONVOLUTIONAL, [], absent="padded nets have no such form: values depend on the window")
    for torch_threads, callers in _threadings(threads):
        for tile in tiles:
            piece = _piece(tile // case.stride, stretch)

            @torch.inference_mode()
            def run(first: int, piece: int = piece) -> Float32:
                part = stretch.tensor[:, :, stretch.bounds(first, piece)]
                return per_window(along(part, case.stride).numpy(), case, piece)

            label = f"tile {piece * case.stride:,}, {_text(torch_threads, callers)}"
            variants.append(Variant(label, piece, callers, run, torch_threads))
    return Contender(CONVOLUTIONAL, variants)


def _threadings(threads: int) -> list[tuple[int, int]]:
    """(threads of one call, calls at a time)"""
    return [(threads, 1), (1, threads)] if threads > 1 else [(1, 1)]


def _text(threads: int, callers: int) -> str:
    return f"{callers} x {threads} thread{'s' if threads > 1 else ''}"


def _piece(windows: int, stretch: Stretch) -> int:
    return max(1, min(windows, stretch.windows))


def _batches(batches: Iterable[int], stretch: Stretch) -> list[int]:
    most = MOST_BATCH_FLOATS // (4 * stretch.case.window)
    return sorted({max(1, min(batch, most, stretch.windows)) for batch in batches})
