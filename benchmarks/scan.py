"""Speed of dense scanning beside its rivals, in one run on the same machine and the same number of threads.

    TRACKGEN_DATA=... python benchmarks/scan.py [--quick] [--threads 2 | --processor-time] [--nets tss zeng ...]

Scans yeast chromosome IV (random bases without TRACKGEN_DATA) by trackgen's dense scan, by ONNX Runtime and PyTorch
on windows, by torch.compile on windows, and by the net's fully convolutional form written by hand in PyTorch. For
each contender the best batch or tile and the best threading is sought first; ONNX Runtime and PyTorch run also as they
come: batches of 64, one at a time, on all threads. Then all take turns, and the best of their repeats counts, so that
other work on the machine hits all alike. Where much else is going on, --processor-time
gives speeds of one thread that other work hardly touches. Each contender's values are checked against
windows. Prints tables in markdown.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import scan_rivals as rivals
import torch
from numpy.typing import NDArray
from scan_nets import CASES, TORCH, WINDOWS, Case, exported
from scan_rivals import CONVOLUTIONAL, TRACKGEN, Contender, Stretch, Variant

from trackgen.genome import open_genome
from trackgen.graph import DenseModel, compile_dense

GENOME = "genome_yeast/sacCer3.2bit"
CHROMOSOME = "chrIV"
LONGEST_STRETCH = 1_500_000
CHECKED = 128
"""Windows at each end of a piece whose values are compared."""
QUICK_NETS = ("tss", "zeng", "shallow", "profile")


@dataclass(frozen=True)
class Effort:
    """How long things may take."""

    seconds: float
    """Of one measurement."""
    repeats: int
    batches: tuple[int, ...]
    tiles: tuple[int, ...]
    compiler: bool
    clock: Callable[[], float]


@dataclass(frozen=True)
class Result:
    """What was measured of one net."""

    case: Case
    contenders: list[Contender]
    compiled: DenseModel
    difference: float
    """The largest of all contenders from ONNX Runtime on windows."""

    def __getitem__(self, name: str) -> Contender:
        return next(contender for contender in self.contenders if contender.name == name)

    def ratio(self, name: str) -> float:
        return self[TRACKGEN].best / self[name].best

    @property
    def fewer_operations(self) -> float:
        return self.compiled.operations.windowed / self.compiled.operations.dense


def read_codes() -> tuple[NDArray[np.uint8], str]:
    """A stretch of yeast, or of random bases where there is no data, and what it is."""
    data = os.environ.get("TRACKGEN_DATA")
    if data and (Path(data) / GENOME).is_file():
        with open_genome(Path(data) / GENOME) as genome:
            return genome.fetch(CHROMOSOME, 0, LONGEST_STRETCH), f"sacCer3 {CHROMOSOME}:1-{LONGEST_STRETCH}"
    return np.random.default_rng(1).integers(0, 4, LONGEST_STRETCH, dtype=np.uint8), "random bases"


def contenders_of(
    case: Case, model: onnx.ModelProto, compiled: DenseModel, stretch: Stretch, threads: int, effort: Effort
) -> list[Contender]:
    """All contenders, each with its best variant only."""
    net = case.build()
    found = [
        rivals.dense_rate(compiled, stretch, threads, effort.tiles),
        rivals.windows_by_onnxruntime(model, stretch, threads, effort.batches),
        rivals.windows_by_torch(net, stretch, threads, effort.batches),
        rivals.convolutional_by_torch(net, stretch, threads, effort.tiles),
    ]
    usual = [rivals.as_it_comes(contender) for contender in found[1:3]]
    for contender in found:
        if contender.variants:
            keep_best(contender, stretch, effort)
    if effort.compiler:
        batch = found[2].variants[0].piece
        found.insert(3, rivals.windows_by_compiler(net, stretch, threads, batch))
    return found + usual


def keep_best(contender: Contender, stretch: Stretch, effort: Effort) -> None:
    """Time each variant twice, in turns, and keep the fastest."""
    speeds = dict.fromkeys(range(len(contender.variants)), 0.0)
    for _ in range(2):
        for index, variant in enumerate(contender.variants):
            speeds[index] = max(speeds[index], rivals.rate(variant, stretch, effort.seconds / 2, effort.clock))
    for index, variant in enumerate(contender.variants):
        print(f"  {contender.name}, {variant.label}: {speeds[index] / 1e6:.4g} Mbase/s", file=sys.stderr, flush=True)
    contender.variants = [contender.variants[max(speeds, key=lambda index: speeds[index])]]


def largest_difference(case: Case, variant: Variant, reference: Variant) -> float:
    """From `reference`, whose pieces are single windows, at both ends of the first piece of `variant`.

    For values that are no probabilities: of the largest absolute value.
    """
    values = variant.run(0)
    rows = sorted({*range(min(CHECKED, len(values))), *range(max(0, len(values) - CHECKED), len(values))})
    wanted = np.concatenate([reference.run(row) for row in rows])
    scale = float(np.abs(wanted).max()) if case.activation == "none" else 1.0
    return float(np.abs(values[rows] - wanted).max()) / scale


def measure(case: Case, codes: NDArray[np.uint8], threads: int, effort: Effort, folder: Path) -> Result:
    """Build the net, find each contender's best variant, let them take turns, and check their values."""
    print(case.title, file=sys.stderr, flush=True)
    net, stretch = case.build(), Stretch(codes, case)
    model = exported(case, net, folder)
    compiled = compile_dense(model, case.card, case.stride)
    contenders = contenders_of(case, model, compiled, stretch, threads, effort)
    present = [contender for contender in contenders if contender.variants]
    for _ in range(effort.repeats):
        for contender in present:
            contender.rates.append(rivals.rate(contender.variants[0], stretch, effort.seconds, effort.clock))
    reference = rivals.windows_by_onnxruntime(model, stretch, 1, (1,)).variants[0]
    differences = [largest_difference(case, contender.variants[0], reference) for contender in present]
    for contender, difference in zip(present, differences, strict=True):
        print(f"  {contender.name}: largest difference {difference:.2g}", file=sys.stderr, flush=True)
    return Result(case, contenders, compiled, max(differences))


def print_speeds(results: list[Result]) -> None:
    """The table of rates, and of trackgen's ratio to each rival."""
    names = list(dict.fromkeys(contender.name for result in results for contender in result.contenders))
    print("\nMbase/s; in brackets how many times as fast trackgen is.\n")
    print("| net | " + " | ".join(names) + " | largest difference |")
    print("| --- |" + " --: |" * (len(names) + 1))
    for result in results:
        cells = []
        for name in names:
            contender = result[name]
            ratio = "" if name == TRACKGEN else f" ({result.ratio(name):.2f}x)"
            cells.append(f"{contender.best / 1e6:.4g}{ratio}" if contender.variants else "absent")
        print(f"| {result.case.title} | " + " | ".join(cells) + f" | {result.difference:.1e} |")
    for text in dict.fromkeys(f"{c.name}: {c.absent}" for result in results for c in result.contenders if c.absent):
        print(f"\nAbsent: {text}")


def print_operations(results: list[Result]) -> None:
    """What dense scanning saves by counting, beside what it saves by the clock."""
    print("\nMultiply-adds per base of genome.\n")
    print("| net | windows | dense | fewer | faster than ONNX Runtime on windows | faster / fewer |")
    print("| --- | --: | --: | --: | --: | --: |")
    for result in results:
        operations, fewer, faster = result.compiled.operations, result.fewer_operations, result.ratio(WINDOWS)
        counts = f"{operations.windowed:,.0f} | {operations.dense:,.0f} | {fewer:.1f}x"
        print(f"| {result.case.title} | {counts} | {faster:.1f}x | {faster / fewer:.2f} |")


def print_bars(results: list[Result]) -> None:
    """The bars, and whether they were met in this run."""
    print("\n| net | bar | wanted | measured | |\n| --- | --- | --: | --: | --- |")
    for result in results:
        for rival, wanted in result.case.bars:
            if rival == "operations":
                bar = f"{WINDOWS}, of the ratio of operations"
                measured = {bar: result.ratio(WINDOWS) / result.fewer_operations}
            else:
                measured = {name: result.ratio(name) for name in (rival, f"{rival}{rivals.AS_IT_COMES}")}
            for bar, found in measured.items():
                verdict = "met" if found >= wanted else "NOT MET"
                print(f"| {result.case.title} | {bar} | {wanted}x | {found:.2f}x | {verdict} |")


def label(contender: Contender) -> str:
    return contender.variants[0].label if contender.variants else "absent"


def print_settings(results: list[Result]) -> None:
    """Which batch, tile and threading was the best of each contender."""
    names = (TRACKGEN, WINDOWS, TORCH, CONVOLUTIONAL)
    print("\n| net | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names))
    for result in results:
        print(f"| {result.case.title} | " + " | ".join(label(result[name]) for name in names) + " |")


def main() -> None:
    """Run the contenders and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", "-t", type=int, default=2)
    parser.add_argument("--nets", nargs="+", choices=[case.key for case in CASES])
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="about a minute: four nets, few variants, no compiler")
    parser.add_argument("--processor-time", action="store_true", help="of one thread, where other work is going on")
    options = parser.parse_args()
    clock, threads, unit = time.perf_counter, options.threads, "threads"
    if options.processor_time:
        clock, threads, unit = time.thread_time, 1, "thread, processor time"
    effort = Effort(0.4, options.repeats, rivals.BATCHES, rivals.TILES, True, clock)
    if options.quick:
        effort = Effort(0.3, 3, (256,), (16_384,), False, clock)
    keys: Iterable[str] = options.nets or (QUICK_NETS if options.quick else [case.key for case in CASES])
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    codes, source = read_codes()
    with tempfile.TemporaryDirectory() as folder:
        chosen = [case for case in CASES if case.key in keys]
        results = [measure(case, codes, threads, effort, Path(folder)) for case in chosen]
    print(f"{source}, {threads} {unit}, best of {effort.repeats} repeats in turns")
    print_speeds(results)
    print_operations(results)
    print_bars(results)
    print("\nThe best of each contender:")
    print_settings(results)


if __name__ == "__main__":
    main()
