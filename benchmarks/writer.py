"""Speed and file size of the BigWig writer beside pyBigWig and pybigtools, in one run, on one thread.

    python benchmarks/writer.py [--values 50000000] [--rounding "10 bits"] [--without-pybigtools]

Every writer writes the same values at base resolution to one chromosome, with its usual zoom levels, and the first
million values are read back and compared. Prints a table in markdown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pybigtools
import pyBigWig
from numpy.typing import NDArray

from trackgen.bigwig import BigWigWriter
from trackgen.bigwig.rounding import TEN_BITS, round_values

CHROMOSOME = "chr1"
# What a scan hands over at once.
TILE = 65_536
Write = Callable[[Path, NDArray[np.float32]], None]


def values_like_probabilities(count: int) -> NDArray[np.float32]:
    """float32[count]: a smooth signal with noise, mostly near zero, as a classifier gives it."""
    random = np.random.default_rng(1)
    logits = np.repeat(random.normal(-6, 3, count // 50 + 1), 50)[:count] + random.normal(0, 0.5, count)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def write_trackgen(path: Path, values: NDArray[np.float32]) -> None:
    """Our writer, fed tile by tile."""
    no_gaps = np.empty((0, 2), np.int64)
    with BigWigWriter(path, {CHROMOSOME: len(values)}, stride=1) as writer:
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


def measure(name: str, write: Write, values: NDArray[np.float32], folder: Path) -> tuple[str, float, int]:
    """(name, values per second, bytes of the file), after a check of what was written.

    Seconds are those of the processor: all writers use one thread, and other work on the machine does not count.
    """
    path = folder / f"{name}.bw"
    start = time.process_time()
    write(path, values)
    seconds = time.process_time() - start
    with pyBigWig.open(str(path)) as file:
        checked = min(len(values), 1_000_000)
        if not np.array_equal(file.values(CHROMOSOME, 0, checked, numpy=True), values[:checked]):
            raise SystemExit(f"{name} did not write the values")
    size = path.stat().st_size
    path.unlink()
    return name, len(values) / seconds, size


def main() -> None:
    """Run the writers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=50_000_000)
    parser.add_argument("--rounding", choices=[TEN_BITS, "full"], default="full")
    parser.add_argument("--without-pybigtools", action="store_true", help="it takes the longest")
    options = parser.parse_args()
    values = values_like_probabilities(options.values)
    if options.rounding != "full":
        values = round_values(values, options.rounding)
    writers: dict[str, Write] = {"trackgen": write_trackgen, "pyBigWig": write_pybigwig}
    if not options.without_pybigtools:
        writers["pybigtools"] = write_pybigtools
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(name, write, values, Path(folder)) for name, write in writers.items()]
    _, reference_speed, reference_size = results[1]
    print(f"{options.values:,} values at base resolution, rounding: {options.rounding}, one thread\n")
    print("| writer | million values/s | of pyBigWig | bytes/value | of pyBigWig |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, speed, size in results:
        columns = f"{speed / 1e6:.1f} | {speed / reference_speed:.1f}x | {size / options.values:.2f}"
        print(f"| {name} | {columns} | {size / reference_size:.2f}x |")


if __name__ == "__main__":
    main()
