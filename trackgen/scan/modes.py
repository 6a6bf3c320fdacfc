"""How each model runs: dense or window by window, in tiles of which size, on how many threads.

Pure functions of graphs, options and the kind of device: the choice is part of the plan, since the last digit of a
value may depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from trackgen.card import Card, load_model
from trackgen.errors import ModelError, UsageError
from trackgen.graph import CompilerFault, DenseModel, NotDense, compile_dense

__all__ = ["Mode", "Threading", "choose_mode", "choose_run", "choose_threading", "choose_tile", "why_windows"]

Asked = Literal["auto", "dense", "window"]

WINDOW_TILE = 32_768
"""Bases of a tile of window mode: large enough to fill batches, small enough that memory is megabytes a track."""
CACHE_BYTES = 8 << 20
"""What the widest tensor of a tile may take on a CPU: with 128 channels, pools ran at half speed beyond 16 MB, while
tiles of less than 8,192 bases spend their time between calls."""
SMALLEST_TILE, LARGEST_TILE = 4096, 32_768
TILES_OF_WINDOWS = 16
"""A tile is at least so many windows long, so that its halo costs little..."""
LONGEST_TILE = 1 << 20
"""... unless that were longer than this."""
CUDA_BYTES = 1 << 30
"""The same on a CUDA device, where large kernels are what is fast."""
CUDA_SMALLEST, CUDA_LARGEST = 65_536, 4_194_304
RUN_BYTES = 2 << 20
"""What the widest tensor of one run of a tile graph may take on a CPU: so much stays in a core's own cache."""
RUN_OF_WINDOWS = 4
"""A run reads at least so many windows' length of genome, so that what its ends read twice costs little."""
EDGE_BYTES = 8 << 20
"""The same of ends of padded windows, whose work does not shrink in long runs."""
LEAST_RUN = 16
"""Windows of a run, at least."""
EDGES_SMALLEST, EDGES_OF_WINDOWS = 512, 2
"""The smallest tile, and of how many windows' length, where ends of padded windows are most of the work: a region
asked for is run in whole tiles."""
LEAST_GAIN, LEAST_GAIN_OF_EDGES = 0.7, 1.3
"""Ratio of operations from which dense mode is chosen: it spends less time on an operation than windows do, but for
ends of padded windows, which are windows themselves."""


@dataclass(frozen=True)
class Mode:
    """How one model runs.

    Attributes:
        dense: the compiled model; None for window mode.
        reason: why windows, one sentence for the user; empty where dense, or where windows were asked for.
        largest: per output, the largest absolute value of the windows that were tried before the run; empty for none.
    """

    dense: DenseModel | None
    reason: str = ""
    largest: tuple[float, ...] = ()

    @property
    def name(self) -> Literal["dense", "window"]:
        return "window" if self.dense is None else "dense"


@dataclass(frozen=True)
class Threading:
    """How many tiles run at once, and on how many threads each."""

    tiles_at_once: int
    threads_each: int


def choose_mode(path: Path, card: Card, stride: int, asked: Asked, device: str = "cpu") -> Mode:
    """Compile a model, or say why its windows are to run one by one.

    Args:
        asked: ``dense`` makes a refusal an error, ``window`` compiles nothing.
        device: ``cpu`` or ``cuda``, which the tile graph is written for.

    Raises:
        NotDense: dense mode was asked for and is impossible.
        ModelError: the model is broken.
    """
    if asked not in get_args(Asked):
        raise UsageError("no such mode", place="--mode", found=asked, wanted=", ".join(get_args(Asked)))
    if asked == "window":
        return Mode(None)
    try:
        compiled = compile_dense(load_model(path), card, stride, device)
    except (NotDense, CompilerFault) as error:
        if asked == "dense":
            raise error.in_file(path) from None
        return Mode(None, f"{card.name} runs window by window: {error.why}")
    except ModelError as error:
        raise error.in_file(path) from None
    reason = why_windows(compiled)
    if asked == "auto" and reason:
        return Mode(None, f"{card.name} runs window by window: {reason}")
    return Mode(compiled)


def why_windows(compiled: DenseModel) -> str:
    """Why windows one by one are less work than the dense form, one sentence; empty where they are not."""
    gain = compiled.operations.ratio
    if gain >= (LEAST_GAIN_OF_EDGES if compiled.edges else LEAST_GAIN):
        return ""
    dense = f"{1 / gain:.2g} times that of windows" if gain else "far more"
    return f"at stride {compiled.stride:,} shared work would be {dense}, too much to gain by"


def choose_tile(models: Sequence[DenseModel | None], device: str) -> int:
    """Bases of one tile, a power of two, the same for all models of a pass.

    Small tiles keep what a CPU works on in its cache, measured on nets of 16 to 128 channels: docs/benchmarks/cpu.md.

    Args:
        models: per model its compiled form, None for window mode.
        device: ``cpu`` or ``cuda``.
    """
    compiled = [model for model in models if model is not None]
    if not compiled:
        return WINDOW_TILE
    on_cuda = device != "cpu"
    budget = CUDA_BYTES if on_cuda else CACHE_BYTES
    smallest, largest = (CUDA_SMALLEST, CUDA_LARGEST) if on_cuda else (SMALLEST_TILE, LARGEST_TILE)
    windows = TILES_OF_WINDOWS
    if any(model.edges for model in compiled):
        smallest, windows = EDGES_SMALLEST, EDGES_OF_WINDOWS
    wanted = min(budget / (4 * max(_floats_a_base(model), _edge_floats_a_base(model))) for model in compiled)
    floor = min(LONGEST_TILE, windows * max(model.window for model in compiled))
    return _power_of_two(max(min(max(wanted, smallest), largest), floor))


def _floats_a_base(model: DenseModel) -> float:
    """Of the widest layer that windows share."""
    return max(layer.channels / layer.step for layer in model.layers)


def _edge_floats_a_base(model: DenseModel) -> float:
    """Of the widest tensor of windows' ends."""
    return max((edge.floats for edge in model.edges), default=0) / model.stride


def choose_run(model: DenseModel, device: str) -> int | None:
    """Most windows of one run of a tile graph; None for whole tiles, as a CUDA device wants them."""
    on_cuda = device != "cpu"
    if model.edges:
        widest = max(edge.floats for edge in model.edges)
        return max(LEAST_RUN, (CUDA_BYTES if on_cuda else EDGE_BYTES) // (4 * widest))
    if on_cuda:
        return None
    bases = max(RUN_BYTES / (4 * _floats_a_base(model)), RUN_OF_WINDOWS * model.window)
    return max(1, int(bases) // model.stride)


def choose_threading(device: str, threads: int, tiles: int) -> Threading:
    """Several tiles at once on one thread each beat one tile on several threads; a device takes one after the other."""
    if device != "cpu":
        return Threading(1, threads)
    at_once = max(1, min(threads, tiles))
    return Threading(at_once, max(1, threads // at_once))


def _power_of_two(bases: float) -> int:
    """The largest power of two that is not above `bases`."""
    return 1 << (int(bases).bit_length() - 1)
