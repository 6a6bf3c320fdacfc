"""One way of running a tile graph on a device, timed and held against single windows on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from gpu_nets import Codes, Float32, Net

from trackgen.runtime import WRONG_OPTIMIZERS, open_session
from trackgen.runtime.devices import CUDA, choose_device, import_onnxruntime
from trackgen.runtime.sample import make_sample
from trackgen.scan.bars import allowed_differences

__all__ = [
    "Effort",
    "Place",
    "Row",
    "Runner",
    "Settings",
    "bytes_moved",
    "find_place",
    "largest_difference",
    "measure",
    "random_codes",
    "reason_of",
]

FATAL_ONLY = 4
LONGEST_REASON = 160
CHECKED = 64
"""Windows at each end of a tile, and at random places in it, whose values are compared."""
SPARE_BASES = 1_000_003
STEP = 99_991
"""Runs begin this many bases apart, so that no run sees the bases of the one before it."""


@dataclass(frozen=True)
class Place:
    """A device, and what a scan asks ONNX Runtime for on it."""

    name: str
    providers: tuple[Any, ...]
    threads: int

    @property
    def on_cuda(self) -> bool:
        return self.name != "cpu"

    @property
    def index(self) -> int:
        return int(self.name.partition(":")[2] or 0)

    @property
    def memory(self) -> tuple[str, int]:
        """Where arrays of the device lie, in ONNX Runtime's words."""
        return self.name.partition(":")[0], self.index


@dataclass(frozen=True)
class Settings:
    """What may change the speed of one run."""

    tile: int
    """Bases of genome that get values in one run."""
    precision: str = "float32"
    search: str = "HEURISTIC"
    form: str = "cuda"
    """The device that the tile graph is written for."""
    nhwc: bool = False
    fused_bias: bool = False
    cuda_graph: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether the same values come out on every run: an exhaustive search goes by the clock."""
        return self.search != "EXHAUSTIVE"

    @property
    def provider_options(self) -> dict[str, str]:
        """Of the CUDA provider, beside what a scan asks for."""
        options = {"cudnn_conv_algo_search": self.search}
        chosen = {
            "use_tf32": self.precision == "TF32",
            "prefer_nhwc": self.nhwc,
            "fuse_conv_bias": self.fused_bias,
            "enable_cuda_graph": self.cuda_graph,
        }
        # An option that is off is not named: older versions of ONNX Runtime do not know them all.
        return options | {name: "1" for name, on in chosen.items() if on}


@dataclass(frozen=True)
class Effort:
    """How long measurements take."""

    seconds: float
    """Of one block of runs; the better of two blocks counts."""
    tiles: tuple[int, ...]
    written: int
    """Bases that are written."""
    genome: int
    """Bases of the genome that is scanned."""
    quick: bool = False


@dataclass(frozen=True)
class Row:
    """What was measured of one variant; rates in bases of one strand a second."""

    label: str
    factor: str
    settings: Settings
    kept: float = 0.0
    """Codes go to the device, values stay there."""
    copied: float = 0.0
    """The same, and values come back."""
    plain: float = 0.0
    """Without IO binding; values come back. 0 where that is impossible."""
    difference: float = float("nan")
    """The largest, from single windows in float32 on the CPU."""
    allowed: float = 0.0
    opening: float = 0.0
    """Seconds until the second run was over: loading, choosing kernels, capturing."""
    elsewhere: str = ""
    """Operators that do not run on the device."""
    failure: str = ""

    @property
    def speed(self) -> float:
        """Of the better way that brings values back."""
        return max(self.copied, self.plain)

    @property
    def passes(self) -> bool:
        return not self.failure and self.difference <= self.allowed

    @property
    def way(self) -> str:
        return "IO binding" if self.copied >= self.plain else "plain run"


def find_place(asked: str, threads: int) -> Place:
    """The device, proved by a small graph.

    Raises:
        TrackgenError: it does not run here, with the reason and the remedy.
    """
    sample = make_sample()
    session = open_session(sample.model, device=asked, threads=threads, path_for_messages="a small graph")
    session.run({"sequence": sample.sequence})
    return Place(session.device, choose_device(asked).providers, threads)


class Runner:
    """A net's tile graph on a device, with its arrays there."""

    def __init__(self, net: Net, settings: Settings, place: Place) -> None:
        self.net = net
        self.settings = settings
        self._on_cuda = place.on_cuda
        self.windows = settings.tile // net.card.stride
        self.bases = (self.windows - 1) * net.card.stride + net.card.window
        compiled = net.forms[settings.form]
        self._input, self._output = compiled.inputs[0].name, compiled.outputs[0]
        model = compiled.model if settings.precision != "float16" else _in_float16(compiled.model)
        self._session = _open(model, settings, place, self.bases)
        onnxruntime = import_onnxruntime()
        values = onnxruntime.OrtValue
        self._codes = values.ortvalue_from_numpy(np.zeros((1, self.bases), np.uint8), *place.memory)
        shape = [1, len(net.card.outputs[0].classes), self.windows]
        self._values = values.ortvalue_from_shape_and_type(shape, np.float32, *place.memory)
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input(self._input, self._codes)
        self._binding.bind_ortvalue_output(self._output, self._values)

    def keep(self, codes: Codes) -> None:
        """Run; values stay on the device."""
        self._codes.update_inplace(codes[None])
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()

    def copy(self, codes: Codes) -> Float32:
        """Run; (K, windows) values come back."""
        self.keep(codes)
        values: Float32 = self._values.numpy()[0]
        # On the CPU these would be the very bytes that the next run writes.
        return values if self._on_cuda else values.copy()

    def plain(self, codes: Codes) -> Float32:
        """The same without IO binding."""
        values: Float32 = self._session.run([self._output], {self._input: codes[None]})[0][0]
        return values

    @cached_property
    def elsewhere(self) -> str:
        """Operators that ONNX Runtime put on the CPU though the device is another; empty where it does not tell."""
        tell = getattr(self._session, "get_provider_graph_assignment_info", None)
        if tell is None or self._session.get_providers()[0] != CUDA:
            return ""
        try:
            places = [part for part in tell() if part.ep_name != CUDA]
            return ", ".join(sorted({node.op_type for part in places for node in part.get_nodes()}))
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            return f"not told ({reason_of(error)})"


def _in_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph in float16, with float32 inputs and outputs; the given one stays."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    converted: onnx.ModelProto = convert_float_to_float16(copy, keep_io_types=True)
    return converted


def _open(model: onnx.ModelProto, settings: Settings, place: Place, bases: int) -> Any:
    """A session as a scan opens it, but for `settings`."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = place.threads, 1
    # A variant that fails is a row of the table; ONNX Runtime would fill stderr too.
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if settings.cuda_graph:
        # A captured graph is for one shape.
        options.add_free_dimension_override_by_name("bases", bases)
    providers = list(place.providers)
    if place.on_cuda:
        name, asked = providers[0]
        providers[0] = (name, asked | settings.provider_options)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        sess_options=options,
        providers=providers,
        enable_fallback=0,
        disabled_optimizers=list(WRONG_OPTIMIZERS),
    )
    if place.on_cuda and session.get_providers()[0] != CUDA:
        raise RuntimeError("ONNX Runtime left CUDA out of this session")
    return session


def bytes_moved(net: Net, settings: Settings) -> tuple[float, float]:
    """Host to device and device to host, a base and pass: codes, and the values of all classes."""
    windows = settings.tile // net.card.stride
    bases = (windows - 1) * net.card.stride + net.card.window
    values = 4 * len(net.card.outputs[0].classes) * windows
    return bases / settings.tile, values / settings.tile


def measure(label: str, factor: str, net: Net, settings: Settings, place: Place, effort: Effort) -> Row:
    """Time one variant, and compare its values; one that fails is told as such."""
    try:
        return _measure(label, factor, net, settings, place, effort)
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        return Row(label, factor, settings, failure=reason_of(error))


def reason_of(error: Exception) -> str:
    """What an error says, on one line that fits into a table."""
    text = " ".join(str(error).split()).replace("|", "/") or type(error).__name__
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "..."


def _measure(label: str, factor: str, net: Net, settings: Settings, place: Place, effort: Effort) -> Row:
    began = time.perf_counter()
    runner = Runner(net, settings, place)
    codes = random_codes(runner.bases + SPARE_BASES)

    def at(turn: int) -> Codes:
        start = turn * STEP % SPARE_BASES
        return codes[start : start + runner.bases]

    runner.keep(at(0))
    runner.keep(at(1))
    opening = time.perf_counter() - began
    kept = _rate(lambda turn: runner.keep(at(turn)), settings.tile, effort)
    copied = _rate(lambda turn: runner.copy(at(turn)), settings.tile, effort)
    # On other bases than the last run's: a captured graph that does not see new ones would show.
    checked = [largest_difference(net, runner.copy, at(5))]
    plain = 0.0
    if not settings.cuda_graph:
        plain = _rate(lambda turn: runner.plain(at(turn)), settings.tile, effort)
        checked.append(largest_difference(net, runner.plain, at(7)))
    difference = max(found for found, _ in checked)
    allowed = min(allowed for _, allowed in checked)
    return Row(
        label, factor, settings, kept, copied, plain, difference, allowed, opening, elsewhere=runner.elsewhere
    )  # fmt: skip


def random_codes(count: int) -> Codes:
    """Bases, one in a thousand unknown."""
    random = np.random.default_rng(3)
    codes = random.integers(0, 4, count, dtype=np.uint8)
    codes[random.integers(0, count, count // 1000)] = 4
    return codes


def _rate(call: Callable[[int], object], bases: int, effort: Effort) -> float:
    """Bases a second of the better of two blocks of runs."""
    best, turn = 0.0, 2
    call(turn)
    for _ in range(2):
        done, start = 0, time.perf_counter()
        while done < 2 or time.perf_counter() - start < effort.seconds:
            turn += 1
            call(turn)
            done += 1
        best = max(best, done * bases / (time.perf_counter() - start))
    return best


def largest_difference(net: Net, run: Callable[[Codes], Float32], codes: Codes) -> tuple[float, float]:
    """(largest difference from single windows in float32 on the CPU, the largest allowed one), NaN counted as wrong."""
    values = run(codes)
    count = values.shape[1]
    ends = np.r_[: min(CHECKED, count), max(0, count - CHECKED) : count]
    rows = np.unique(np.r_[ends, np.random.default_rng(4).integers(0, count, CHECKED)]).astype(np.int64)
    wanted = net.reference(codes, rows)
    found = np.abs(values[:, rows].T - wanted).max()
    (allowed,) = allowed_differences(net.card.outputs[:1], [wanted])
    return (float(found) if np.isfinite(found) else float("inf")), allowed
