"""From a device to tracks: with the writing of BigWig files beside it, and as a whole scan in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from gpu_nets import Codes, Float32, Net
from gpu_runs import Effort, Place, Row, Runner, random_codes, reason_of

from trackgen.bigwig import BigWigWriter
from trackgen.bigwig.rounding import TEN_BITS, round_values
from trackgen.genome import reverse_complement

__all__ = ["Scanned", "Written", "scan_genome", "write_genome", "write_once", "write_tracks"]

CHROMOSOME = "chr1"
NO_GAPS = np.zeros((0, 2), np.int64)
WAITING = 2
"""Tiles of a track that may wait for its thread: bounds memory."""
LINE = 60
LETTERS = np.frombuffer(b"ACGTN", np.uint8)
LONGEST_SCAN = 900
"""Seconds after which a scan is given up."""


@dataclass(frozen=True)
class Written:
    """What writing beside the device cost; `rate` in bases of genome a second, all strands and tracks."""

    way: str
    tracks: int
    bases: int = 0
    seconds: float = 0.0
    bytes: int = 0
    failure: str = ""

    @property
    def rate(self) -> float:
        return self.bases / self.seconds


@dataclass(frozen=True)
class Scanned:
    """A scan's own account, run.json."""

    label: str
    run: dict[str, Any]
    failure: str = ""


class TrackThread:
    """Rounds and writes one track, beside whoever gives it values, or in their stead."""

    def __init__(self, path: Path, length: int, stride: int, *, beside: bool, threads: int) -> None:
        self.path = path
        self._writer = BigWigWriter(path, {CHROMOSOME: length}, stride=stride, offset=0, threads=threads)
        self._thread = ThreadPoolExecutor(1) if beside else None
        self._waiting: deque[Future[None]] = deque()

    def add(self, first: int, values: Float32) -> None:
        if self._thread is None:
            self._add(first, values)
            return
        while len(self._waiting) >= WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._add, first, values))

    def end(self) -> None:
        """Begin to put the file together."""
        if self._thread is None:
            self._writer.close()
        else:
            self._waiting.append(self._thread.submit(self._writer.close))

    def wait(self) -> None:
        """Until the file is there."""
        while self._waiting:
            self._waiting.popleft().result()

    def __enter__(self) -> TrackThread:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._writer.abort()

    def _add(self, first: int, values: Float32) -> None:
        self._writer.add(CHROMOSOME, first, round_values(values, TEN_BITS), NO_GAPS)


def write_tracks(net: Net, row: Row, place: Place, effort: Effort, folder: Path) -> list[Written]:
    """Run in the way of `row` and write the net's tracks: by the thread that runs the device, and by one a track."""
    found = []
    for way, beside in (
        ("one thread for device and tracks", False),
        ("a thread a track, and those that compress", True),
    ):
        try:
            with TemporaryDirectory(dir=folder) as name:
                found.append(write_once(net, row, place, effort.written, Path(name), way, beside=beside))
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            found.append(Written(way, len(net.tracks) * net.passes, failure=reason_of(error)))
    return found


def write_once(net: Net, row: Row, place: Place, bases: int, folder: Path, way: str, *, beside: bool) -> Written:
    """Run over about `bases` and write the tracks into `folder`, with threads of their own beside the device's."""
    runner, tile = Runner(net, row.settings, place), row.settings.tile
    run = runner.copy if row.way == "IO binding" else runner.plain
    items, tiles = runner.windows, max(1, bases // tile)
    length = tiles * items * net.card.stride
    codes = random_codes(2 * runner.bases)
    run(codes[: runner.bases])
    threads = max(1, place.threads // (len(net.tracks) * net.passes)) if beside else 1
    with ExitStack() as stack:
        tracks = {
            (reverse, index): stack.enter_context(
                TrackThread(path, length, net.card.stride, beside=beside, threads=threads)
            )
            for reverse in range(net.passes)
            for index in net.tracks
            for path in [folder / f"{net.key}.{index}.{reverse}.bw"]
        }
        start = time.perf_counter()
        for number in range(tiles):
            begin = number * 99_991 % runner.bases
            for reverse in range(net.passes):
                values = _values(run, codes[begin : begin + runner.bases], bool(reverse))
                for index in net.tracks:
                    tracks[reverse, index].add(number * items, values[index])
        for track in tracks.values():
            track.end()
        for track in tracks.values():
            track.wait()
        seconds = time.perf_counter() - start
    size = sum(track.path.stat().st_size for track in tracks.values())
    return Written(way, len(tracks), length, seconds, size)


def _values(run: Any, codes: Codes, reverse: bool) -> Float32:
    """(K, windows), in the order of the forward strand."""
    if not reverse:
        return np.asarray(run(codes))
    return np.asarray(run(np.ascontiguousarray(reverse_complement(codes)))[:, ::-1])


def write_genome(path: Path, bases: int) -> Path:
    """A FASTA file of random bases in four chromosomes."""
    with open(path, "wb") as file:
        for number in range(4):
            lines = max(1, bases // 4 // LINE)
            letters = LETTERS[random_codes(lines * LINE)].reshape(lines, LINE)
            file.write(b">chr%d\n" % (number + 1))
            file.write(np.pad(letters, ((0, 0), (0, 1)), constant_values=ord("\n")).tobytes())
    return path


def scan_genome(net: Net, genome: Path, place: Place, folder: Path, label: str, *more: str) -> Scanned:
    """``trackgen scan`` in a process of its own, with further options."""
    output = folder / "out"
    command = [sys.executable, "-m", "trackgen", "scan", str(net.path), str(genome), "-o", str(output), "--overwrite"]
    command += ["--device", place.name, "--stride", str(net.card.stride), "-q", *more]
    if not place.on_cuda:
        command += ["-t", str(place.threads)]
    # Options that the user keeps in the environment are no part of what is measured.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACKGEN_SCAN_")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SCAN, env=environment)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [""]
            return Scanned(label, {}, reason_of(RuntimeError(f"exit status {done.returncode}: {said[-1]}")))
        return Scanned(label, json.loads((output / "run.json").read_text()))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Scanned(label, {}, reason_of(error))
