"""The tables of the GPU benchmark, in markdown."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from gpu_nets import Net
from gpu_runs import Effort, Place, Row
from gpu_search import CUDA_ONLY, DEFAULT, winner
from gpu_tracks import Scanned, Written

from trackgen.runtime.cuda import DRIVER_LIBRARY
from trackgen.runtime.devices import import_onnxruntime
from trackgen.scan.bars import PROBABILITY_BAR

__all__ = ["HUMAN", "Result", "document"]

HUMAN = 3.1e9
"""Bases of the human genome."""
STAGES = ("read", "run", "encode", "commit", "assemble")
ABSENT = "–"


@dataclass(frozen=True)
class Result:
    """All that was measured of one net."""

    net: Net
    rows: list[Row]
    written: list[Written]
    scanned: list[Scanned]
    bytes_in: float
    """A base and pass, in the default way."""
    bytes_out: float

    @property
    def best(self) -> Row | None:
        return winner(self.rows)


def document(results: list[Result], place: Place, effort: Effort) -> str:
    """The whole report."""
    lines = [f"# Measured on {'a CUDA device' if place.on_cuda else 'the CPU, to try the benchmark itself'}", ""]
    lines += [f"{describe(place)}. One run of `python benchmarks/gpu.py`; random bases, one in a thousand unknown."]
    if effort.quick:
        lines += ["", "A quick run: the figures mean nothing."]
    lines += ["", "## The choice", "", *_choice(results), "", "## Model alone", "", *_explain_rows()]
    for result in results:
        lines += ["", f"### {result.net.title}", "", *_rows(result)]
    lines += ["", "## With writing", "", *_written(results)]
    lines += ["", "## End to end", "", *_scanned(results, effort)]
    return "\n".join(lines) + "\n"


def describe(place: Place) -> str:
    """Device, driver and versions, one sentence."""
    onnxruntime = import_onnxruntime()
    built_for = getattr(onnxruntime, "cuda_version", "") or ""
    runtime = f"ONNX Runtime {onnxruntime.__version__}" + (f" for CUDA {built_for}" if built_for else "")
    host = f"{os.cpu_count()} {platform.machine()} cores, Python {platform.python_version()}"
    device = _cuda_device(place.index) if place.on_cuda else f"CPU, {place.threads} thread(s)"
    return f"{device}; {runtime}; {host}"


def _cuda_device(index: int) -> str:
    """Name, memory and driver of a CUDA device, as the driver numbers it for this process."""
    name, memory, served = ctypes.create_string_buffer(256), ctypes.c_size_t(0), ctypes.c_int(0)
    try:
        driver, device = ctypes.CDLL(DRIVER_LIBRARY), ctypes.c_int(0)
        driver.cuInit(0)
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        driver.cuDriverGetVersion(ctypes.byref(served))
    except (OSError, AttributeError):
        return "a CUDA device whose name the driver does not tell"
    version = f"{served.value // 1000}.{served.value % 1000 // 10}"
    gibibytes = memory.value / 2**30
    return f"{name.value.decode()}, {gibibytes:.0f} GiB; driver {_driver_version()}, which serves CUDA {version}"


def _driver_version() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        said = []
    return said[0] if said else "of unknown version"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]], words: int = 1) -> list[str]:
    """A table whose first `words` columns are text and whose others are numbers."""
    rule = [" --- " if index < words else " --: " for index in range(len(head))]
    return [_line(head), "|" + "|".join(rule) + "|", *map(_line, rows)]


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _million(rate: float) -> str:
    return f"{rate / 1e6:.4g}" if rate else ABSENT


def _human(net: Net, rate: float) -> str:
    """Seconds for the human genome on all strands that the net has, at `rate` of one strand."""
    return f"{HUMAN * net.passes / rate:.4g}" if rate else ABSENT


def _choice(results: list[Result]) -> list[str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for result in results:
            default, best = result.rows[0], result.best
            if best is None:
                yield result.net.title, "none that is admissible", *[ABSENT] * 5
                continue
            gain = f"{best.speed / default.speed:.2f}x" if default.speed else ABSENT
            speeds = _million(default.speed), _million(best.speed), gain, _human(result.net, best.speed)
            yield result.net.title, settings_of(best), *speeds, f"{best.difference:.1e}"

    head = ("net", "fastest admissible way", f"{DEFAULT}, Mbase/s of one strand", "fastest, Mbase/s", "gain")
    explained = (
        f"Admissible: the largest difference is at most {PROBABILITY_BAR:g} in probability, and the same values come "
        "out on every run, which an exhaustive search does not promise. Values copied back, nothing written."
    )
    more = ("s a human genome, all strands", "largest difference")
    return [explained, "", *_table((*head, *more), rows(), words=2)]


def settings_of(row: Row) -> str:
    """A row's settings in words."""
    own = row.settings
    words = [row.way, f"tile {own.tile:,}", own.precision, f"search {own.search}"]
    words += [f"graph as for {'a CPU' if own.form == 'cpu' else 'CUDA'}"]
    chosen = {"NHWC": own.nhwc, "fused bias": own.fused_bias, "CUDA graph": own.cuda_graph}
    return ", ".join(words + [name for name, on in chosen.items() if on])


def _explain_rows() -> list[str]:
    return [
        "Mbase/s of one strand: codes go to the device in every run; values stay there, or come back. A factor at a "
        f"time is changed from the first row, then the best of each are put together. Human: {HUMAN / 1e9:g} Gb on all "
        "strands of the net, by the faster way that brings values back. Differences are from single windows in float32 "
        f"on the CPU, in probability; allowed are {PROBABILITY_BAR:g}."
    ]


def _rows(result: Result) -> list[str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for row in result.rows:
            tile = f"{row.settings.tile:,}"
            if row.failure:
                text = row.failure if row.failure == CUDA_ONLY else f"failed: {row.failure}"
                yield row.label, text, tile, *[ABSENT] * 6
                continue
            bar = "passes" if row.passes else "MISSES THE BAR"
            notes = [bar] + ([f"on the CPU: {row.elsewhere}"] if row.elsewhere else [])
            notes += [] if row.settings.repeatable else ["not repeatable"]
            speeds = [_million(rate) for rate in (row.kept, row.copied, row.plain)]
            human = _human(result.net, row.speed)
            yield row.label, "; ".join(notes), tile, *speeds, human, f"{row.difference:.1e}", f"{row.opening:.2f}"

    head = ("variant", "", "tile", "bound, values stay", "bound, values back", "plain run", "human, s")
    lines = _table((*head, "largest difference", "opening, s"), rows(), words=2)
    moved = (
        f"Bytes a base and strand: {result.bytes_in:.3f} host to device, {result.bytes_out:.3f} device to host "
        "(all classes of the output)."
    )
    best = result.best
    kept = f"Kept: {best.label} ({settings_of(best)})." if best else "Kept: none, for none is admissible."
    return [*lines, "", moved, "", kept]


def _written(results: list[Result]) -> list[str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for result in results:
            if not result.written:
                yield result.net.title, "nothing to write: no admissible way", *[ABSENT] * 6
            for entry in result.written:
                if entry.failure:
                    yield result.net.title, f"{entry.way}: failed: {entry.failure}", str(entry.tracks), *[ABSENT] * 5
                    continue
                values = entry.rate * entry.tracks / result.net.card.stride
                numbers = f"{entry.bases:,}", _million(entry.rate), f"{HUMAN / entry.rate:.4g}", _million(values)
                yield result.net.title, entry.way, str(entry.tracks), *numbers, f"{entry.bytes / 1e6:.1f}"

    head = ("net", "rounding and writing", "tracks", "bases", "Mbase/s, all strands", "human, s", "million values/s")
    text = "The way kept above; values rounded to ten mantissa bits and written, zoom levels included."
    return [text, "", *_table((*head, "files, MB"), rows(), words=2)]


def _scanned(results: list[Result], effort: Effort) -> list[str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for result in results:
            for entry in result.scanned:
                if entry.failure:
                    yield result.net.title, f"{entry.label}: failed: {entry.failure}", *[ABSENT] * 11
                else:
                    yield result.net.title, entry.label, *_account(entry)

    text = (
        f"`trackgen scan` in a process of its own, {effort.genome:,} random bases; seconds as run.json has them "
        "(stages overlap). Human: by this rate, the start of the process included."
    )
    head = ("net", "options", "tile", "Mbase/s, all strands", "human, s", "total, s", *(f"{s}, s" for s in STAGES))
    return [text, "", *_table((*head, "peak memory, MB", "largest difference"), rows(), words=2)]


def _account(entry: Scanned) -> tuple[str, ...]:
    """The numbers of a run.json; what it does not hold is absent."""
    run = entry.run
    seconds = run.get("seconds") or {}
    total, bases = seconds.get("total") or 0.0, run.get("bases") or 0
    rate = bases / total if total else 0.0
    stages = [_number(seconds.get(stage), "{:.2f}") for stage in ("total", *STAGES)]
    peak, windows = run.get("peak_rss_bytes"), (run.get("checks") or {}).get("windows") or {}
    difference = windows.get("max_abs_diff")
    bar = "" if difference is None else " passes" if difference <= PROBABILITY_BAR else " MISSES THE BAR"
    human = f"{HUMAN / rate:.4g}" if rate else ABSENT
    head = _number(run.get("tile"), "{:,}"), _million(rate), human
    return *head, *stages, _number(peak and peak / 1e6, "{:.0f}"), _number(difference, "{:.1e}") + bar


def _number(value: float | None, form: str) -> str:
    return ABSENT if value is None else form.format(value)
