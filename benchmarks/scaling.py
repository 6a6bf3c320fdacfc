"""One scan spread over threads, over Dask workers, and over shards in processes of their own, in one run.

    TRACKGEN_DATA=... python benchmarks/scaling.py [--threads 1 2 4] [--workers 1 2] [--worker-threads 1]
                                                   [--shards 1 2] [--rounds 1] [--chroms chrI,chrII]

Scans yeast at base resolution on both strands with `tss-yeast`. Seconds are of the wall clock, from the start of the
first process to the end of the last, so starting workers and putting shards together count. With --rounds the rows
take turns and the best of each counts. Every row's tracks are held against the first row's by SHA-256; the program
ends with status 1 where any differ. Prints a table in markdown; a row that fails says why.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from processes import Failed, data_file, print_head, print_row, read_scan, trackgen

COLUMNS = ("spread over", "processes x threads", "seconds", "as fast as the first row", "tracks")

Run = Callable[[Path], float]
"""Scan into a folder; returns seconds."""


class Case(NamedTuple):
    """A way to spread the scan."""

    title: str
    size: str
    run: Run


class Outcome:
    """What the rounds of one case gave."""

    def __init__(self) -> None:
        self.seconds = float("inf")
        self.digests: dict[str, str] = {}
        self.failure: str | None = None


def over_threads(scan: list[str], threads: int) -> Run:
    """One process."""
    return lambda folder: trackgen([*scan, "-o", str(folder), "-t", str(threads)])


def over_workers(scan: list[str], workers: int, threads: int) -> Run:
    """A Dask cluster on this machine, made for the scan."""
    return lambda folder: trackgen(
        [*scan, "-o", str(folder), "-t", str(threads), "--cluster", f"local:{workers}"],
    )


def over_shards(scan: list[str], shards: int, threads: int) -> Run:
    """A process for each shard, all at once, then one that puts them together."""

    def run(folder: Path) -> float:
        parts = [
            [*scan, "-o", str(folder), "-t", str(threads), "--shard", f"{shard}/{shards}"]
            for shard in range(1, shards + 1)
        ]
        return trackgen(*parts) + trackgen(["assemble", str(folder)])

    return run


def cases(scan: list[str], options: argparse.Namespace) -> list[Case]:
    """All rows, in the order of the table."""
    each = options.worker_threads
    found = [Case("threads", f"1 x {count}", over_threads(scan, count)) for count in options.threads]
    found += [Case("Dask workers", f"{count} x {each}", over_workers(scan, count, each)) for count in options.workers]
    found += [Case("shards", f"{count} x {each}", over_shards(scan, count, each)) for count in options.shards]
    return found


def measure(case: Case, outcome: Outcome) -> None:
    """Run a case once more, and keep the best of its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            seconds = case.run(Path(folder) / "out")
            digests = read_scan(Path(folder) / "out").digests
            if outcome.digests and digests != outcome.digests:
                raise Failed("failed: two rounds gave different tracks")
        except Failed as error:
            outcome.failure = str(error)
            return
    outcome.seconds = min(outcome.seconds, seconds)
    outcome.digests = digests


def report(case: Case, outcome: Outcome, first: Outcome | None) -> bool:
    """Print a row; whether its tracks are those of the first row that succeeded."""
    if outcome.failure is not None or first is None:
        print_row([case.title, case.size, outcome.failure or "not run", "", ""])
        return True
    equal = outcome.digests == first.digests
    print_row(
        [
            case.title,
            case.size,
            f"{outcome.seconds:.1f}",
            f"{first.seconds / outcome.seconds:.2f}",
            f"{len(outcome.digests)}, {'equal' if equal else 'DIFFERENT'}",
        ]
    )
    return equal


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tss-yeast")
    parser.add_argument("--genome", type=Path, help="(default: yeast)")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--chroms", help="only these sequences")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="Dask workers")
    parser.add_argument("--shards", type=int, nargs="*", default=[1, 2], help="processes, one a shard")
    parser.add_argument("--worker-threads", type=int, default=1, help="threads of each worker and each shard")
    parser.add_argument("--rounds", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Take turns, then print the table."""
    options = parsed_options()
    genome = options.genome or data_file("genome_yeast/sacCer3.2bit")
    scan = ["scan", options.model, str(genome), "--stride", str(options.stride)]
    scan += ["--chroms", options.chroms] if options.chroms else []
    rows = cases(scan, options)
    outcomes = [Outcome() for _ in rows]
    for _ in range(options.rounds):
        for case, outcome in zip(rows, outcomes, strict=True):
            if outcome.failure is None:
                measure(case, outcome)
    first = next((outcome for outcome in outcomes if outcome.failure is None), None)
    print_head(COLUMNS)
    # A list, not a generator: every row is to be printed.
    equal = [report(case, outcome, first) for case, outcome in zip(rows, outcomes, strict=True)]
    if not all(equal):
        sys.exit("not all tracks are equal")


if __name__ == "__main__":
    main()
