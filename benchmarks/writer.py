"""Speed and file size of the BigWig writer beside pyBigWig and pybigtools, and of its threads, in one run.

    python benchmarks/writer.py [--values 50000000] [--rounding full "10 bits"] [--turns 2] [--threads 2] [--rounds 5]
                                [--without-pybigtools]

Every writer writes the same values at base resolution to one chromosome, with its usual zoom levels, and the first
million values are read back and compared. The first table is of one thread, by processor time: writers take turns, the
best of each counts. The second holds our writer on several threads against itself on one by the wall clock: both take
turns, the best of the rounds counts, and both must give the same bytes. Files go to $TMPDIR: one in memory leaves the
disk out. Prints tables in markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pybigtools
import pyBigWig
from numpy.typing import NDArray
from processes import print_head, print_row

from trackgen.bigwig import BigWigWriter
from trackgen.bigwig.rounding import TEN_BITS, round_values

CHROMOSOME = "chr1"
# What a scan hands over at once.
TILE = 65_536
READ_BACK = 1_000_000
FULL = "full"
Write = Callable[[Path, NDArray[np.float32]], None]
Clock = Callable[[], float]


class Written(NamedTuple):
    """What it took to write a file."""

    seconds: float
    size: int
    """bytes"""
    digest: str
    """SHA-256 of the file."""


def values_like_probabilities(count: int) -> NDArray[np.float32]:
    """float32[count]: a smooth signal with noise, mostly near zero, as a classifier gives it."""
    random = np.random.default_rng(1)
    logits = np.repeat(random.normal(-6, 3, count // 50 + 1), 50)[:count] + random.normal(0, 0.5, count)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def write_trackgen(path: Path, values: NDArray[np.float32], threads: int = 1) -> None:
    """Our writer, fed tile by tile."""
    no_gaps = np.empty((0, 2), np.int64)
    with BigWigWriter(path, {CHROMOSOME: len(values)}, stride=1, threads=threads) as writer:
        for start in range(0, len(values), TILE):
            writer.add(CHROMOSOME, start, values[start : start + TILE], no_gaps)


def write_pybigwig(path: Path, values: NDArray[np.float32]) -> None:
    """pyBigWig in its fastest form: fixed step, numpy arrays."""
    file = pyBigWig.open(str(path), "w")
    file.addHeader([(CHROMOSOME, len(values))])
    for start in range(0, len(values), TILE):
        file.addEntries(CHROMOSOME, start, values=values[start : start + TILE], span=1, step=1)
    file.close()


def write_pybigtools(path: Path, values: NDArray[np.float32]) -> None:
    """pybigtools, which takes one tuple per value."""
    entries = ((CHROMOSOME, start, start + 1, value) for start, value in enumerate(values.tolist()))
    pybigtools.open(str(path), "w").write({CHROMOSOME: len(values)}, entries)


def measure(write: Write, values: NDArray[np.float32], clock: Clock) -> Written:
    """Write a file that is gone afterwards; ends the program where it does not hold the values."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "track.bw"
        start = clock()
        write(path, values)
        seconds = clock() - start
        with pyBigWig.open(str(path)) as file:
            checked = min(len(values), READ_BACK)
            if not np.array_equal(file.values(CHROMOSOME, 0, checked, numpy=True), values[:checked]):
                sys.exit(f"{write} did not write the values")
        return Written(seconds, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def beside_rivals(
    tracks: dict[str, NDArray[np.float32]], writers: dict[str, Write], reference: str, turns: int
) -> None:
    """Print the table of one thread: all writers take turns, and the best of each counts.

    Seconds are those of the processor: all writers use one thread, and other work on the machine does not count.
    """
    print(
        f"{len(next(iter(tracks.values()))):,} values at base resolution, one thread, processor time, best of {turns}\n"
    )
    print_head(["writer", "rounding", "million values/s", f"of {reference}", f"file size, of {reference}"])
    for rounding, values in tracks.items():
        runs: dict[str, list[Written]] = {name: [] for name in writers}
        for _ in range(turns):
            for name, write in writers.items():
                runs[name].append(measure(write, values, time.process_time))
        found = {name: min(written) for name, written in runs.items()}
        other = found[reference]
        for name, written in found.items():
            speed, ratio = len(values) / written.seconds / 1e6, other.seconds / written.seconds
            print_row([name, rounding, f"{speed:.1f}", f"{ratio:.1f}", f"{written.size / other.size:.2f}"])


def beside_one_thread(tracks: dict[str, NDArray[np.float32]], threads: int, rounds: int) -> None:
    """Print the table of our writer on `threads` threads and on one, by the wall clock."""
    print(f"\nOur writer on threads, wall clock, best of {rounds}\n")
    print_head(["threads", "rounding", "million values/s", "of one thread", "files"])
    for rounding, values in tracks.items():
        runs: dict[int, list[Written]] = {1: [], threads: []}
        for _ in range(rounds):
            for count, written in runs.items():
                written.append(measure(partial(write_trackgen, threads=count), values, time.perf_counter))
        one = min(runs[1])
        for count, written in runs.items():
            best = min(written)
            equal = {each.digest for each in written} == {one.digest}
            speed, ratio = len(values) / best.seconds / 1e6, one.seconds / best.seconds
            print_row([str(count), rounding, f"{speed:.1f}", f"{ratio:.2f}", "equal" if equal else "DIFFERENT"])


def main() -> None:
    """Run the writers and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=50_000_000)
    parser.add_argument("--rounding", nargs="+", choices=[TEN_BITS, FULL], default=[FULL, TEN_BITS])
    parser.add_argument("--threads", "-t", type=int, default=2, help="of the second table; 1 leaves it out")
    parser.add_argument("--rounds", type=int, default=5, help="of the second table")
    parser.add_argument("--turns", type=int, default=2, help="of the first table")
    parser.add_argument("--without-pybigtools", action="store_true", help="it takes the longest")
    options = parser.parse_args()
    values = values_like_probabilities(options.values)
    tracks = {key: values if key == FULL else round_values(values, key) for key in options.rounding}
    writers: dict[str, Write] = {"trackgen": write_trackgen, "pyBigWig": write_pybigwig}
    if not options.without_pybigtools:
        writers["pybigtools"] = write_pybigtools
    beside_rivals(tracks, writers, "pyBigWig", options.turns)
    if options.threads > 1:
        beside_one_thread(tracks, options.threads, options.rounds)


if __name__ == "__main__":
    main()
