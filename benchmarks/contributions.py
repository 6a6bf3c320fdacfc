"""Speed of contributions at every base beside tangermeme's, in one run on the same machine and number of threads.

    TRACKGEN_DATA=... python benchmarks/contributions.py [--quick] [--threads 2 | --processor-time] [--nets tss ...]

DeepLIFT contributions of yeast chromosome IV (random bases without TRACKGEN_DATA): by trackgen's dense contribution
graph, which gives predictions as well; by tangermeme's deep_lift_shap on the same PyTorch net and windows, with one
constant reference and with its usual 20 dinucleotide shuffles of each window; and the dense graph of predictions alone,
in which the cost of a class is counted. For each contender the best of several batch sizes or lengths of a run and of
two threadings is sought first; tangermeme runs also as it comes: its own batches of 32, one call at a time, on all
threads. Then all take turns, and the best of their repeats counts, so that other work on the machine hits all alike.
Where much else is going on, --processor-time gives speeds of one thread that other work hardly touches. The timed
graphs' values are checked against the sum of single windows. Prints tables in markdown.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import contributions_rivals as ways
import numpy as np
import onnx
import scan_rivals as rivals
import torch
from contributions_nets import EXPLAINED, Explained
from numpy.typing import NDArray
from scan import Effort, keep_best, read_codes
from scan_nets import exported
from scan_rivals import AS_IT_COMES, Contender, Stretch

from trackgen.graph import compile_dense, compile_dense_contributions

PREDICTION = "trackgen, predictions alone"
TILES = (1_024, 2_048, 4_096, 8_192, 16_384, 65_536)
QUICK_NETS = ("tss", "zeng", "profile")
NAMES = (PREDICTION, ways.ONE_CLASS, ways.ALL_CLASSES, ways.ONE_REFERENCE, ways.SHUFFLED)


@dataclass(frozen=True)
class Result:
    """What was measured of one net."""

    explained: Explained
    contenders: dict[str, Contender]
    difference: float
    """The largest from the sum of single windows, of the largest value."""
    far_off: float
    """The share of bases that differ by more than `contributions_rivals.CLOSE`."""

    def rate(self, name: str) -> float:
        return self.contenders[name].best

    def ratio(self, rival: str) -> float:
        return self.rate(ways.ONE_CLASS) / self.rate(rival)

    def cost(self, name: str) -> float:
        """The time of all classes of a contender, predictions among it, in times of the predictions alone."""
        return self.rate(PREDICTION) / self.rate(name)


def contenders_of(
    explained: Explained, model: onnx.ModelProto, stretch: Stretch, threads: int, effort: Effort
) -> Iterator[Contender]:
    """All contenders, with all their variants."""
    case, output = explained.case, explained.case.card.outputs[0].name
    predicted = rivals.dense_rate(compile_dense(model, case.card, case.stride), stretch, threads, effort.tiles)
    predicted.name = PREDICTION
    yield predicted
    chosen = {ways.ONE_CLASS: [explained.class_index]}
    if case.classes > 1:
        chosen[ways.ALL_CLASSES] = list(range(case.classes))
    for name, classes in chosen.items():
        graph = compile_dense_contributions(
            model, case.card, case.stride, [output] * len(classes), weighted=True,
            profile_target=explained.profile_target,
        )  # fmt: skip
        yield ways.dense_contributions(name, graph, np.array(classes), stretch, threads, effort.tiles)
    twin = explained.twin(case.build())
    batches = [batch for batch in explained.batches if batch in effort.batches] or explained.batches[:1]
    for shuffled in (False, True):
        yield ways.by_tangermeme(explained, twin, stretch, threads, batches, shuffled=shuffled)
        yield ways.as_it_comes(explained, twin, stretch, threads, shuffled=shuffled)


def measure(explained: Explained, codes: NDArray[np.uint8], threads: int, effort: Effort, folder: Path) -> Result:
    """Find each contender's best variant, let them take turns, and check the values of trackgen's."""
    case = explained.case
    stretch = Stretch(codes, case)
    model = exported(case, case.build(), folder)
    contenders = list(contenders_of(explained, model, stretch, threads, effort))
    for contender in contenders:
        keep_best(contender, stretch, effort)
    for _ in range(effort.repeats):
        for contender in contenders:
            contender.rates.append(rivals.rate(contender.variants[0], stretch, effort.seconds, effort.clock))
    reference = ways.Windows(explained, model)
    named = {contender.name: contender for contender in contenders}
    # The last class is the last row of either.
    found = [
        ways.differences(named[name].variants[0], reference, stretch, -1)
        for name in (ways.ONE_CLASS, ways.ALL_CLASSES)
        if name in named
    ]
    # NaN must not be lost, as it may be by Python's own maximum.
    largest, far_off = np.max(found, axis=0).tolist()
    return Result(explained, named, largest, far_off)


def print_speeds(results: list[Result]) -> None:
    """The table of rates, and of trackgen's ratio to each rival."""
    tangermeme = (ways.ONE_REFERENCE, ways.SHUFFLED)
    names = (ways.ONE_CLASS, *tangermeme, *(f"{name}{AS_IT_COMES}" for name in tangermeme))
    print("\nBases/s; in brackets how many times as fast trackgen is.\n")
    print("| net | " + " | ".join(names) + f" | largest difference | bases above {ways.CLOSE:g} |")
    print("| --- |" + " --: |" * (len(names) + 2))
    for result in results:
        cells = [f"{result.rate(names[0]):,.0f}"]
        cells += [f"{result.rate(name):,.4g} ({result.ratio(name):,.0f}x)" for name in names[1:]]
        checks = f"{result.difference:.1e} | {result.far_off:.2%}"
        print(f"| {result.explained.case.title} | " + " | ".join(cells) + f" | {checks} |")


def print_costs(results: list[Result]) -> None:
    """What explaining a class takes in predictions."""
    print("\nTime a base, in times of the predictions alone.\n")
    print(
        "| net | predictions alone, bases/s | one class with the predictions | without "
        "| all classes at once with the predictions, a class | without |"
    )
    print("| --- |" + " --: |" * 5)
    for result in results:
        one, classes = result.cost(ways.ONE_CLASS), result.explained.case.classes
        cells = [f"{result.rate(PREDICTION):,.0f}", f"{one:.2f}x", f"{one - 1:.2f}x", "", ""]
        if ways.ALL_CLASSES in result.contenders:
            every = result.cost(ways.ALL_CLASSES)
            cells[3:] = [f"{every / classes:.2f}x of {classes}", f"{(every - 1) / classes:.2f}x"]
        print(f"| {result.explained.case.title} | " + " | ".join(cells) + " |")


def bars_of(result: Result) -> Iterator[tuple[str, str, str, bool]]:
    """What each bar is about, wanted, measured, and whether it is met."""
    explained = result.explained
    for rival, least in ((ways.ONE_REFERENCE, explained.one_reference), (ways.SHUFFLED, explained.shuffles)):
        if least is not None:
            for name in (rival, f"{rival}{AS_IT_COMES}"):
                ratio = result.ratio(name)
                yield f"times as fast as {name}", f"at least {least:,}x", f"{ratio:,.1f}x", ratio >= least
    if explained.cost is not None:
        cost = result.cost(ways.ONE_CLASS)
        yield "one class, in predictions", f"at most {explained.cost}x", f"{cost:.2f}x", cost <= explained.cost


def print_bars(results: list[Result]) -> None:
    """The bars, and whether they were met in this run."""
    print("\n| net | bar | wanted | measured | |\n| --- | --- | --: | --: | --- |")
    for result in results:
        for bar, wanted, measured, met in bars_of(result):
            verdict = "met" if met else "NOT MET"
            print(f"| {result.explained.case.title} | {bar} | {wanted} | {measured} | {verdict} |")


def print_settings(results: list[Result]) -> None:
    """Which batch or run and threading was the best of each contender."""
    print("\nThe best of each contender:\n")
    print("| net | " + " | ".join(NAMES) + " |\n| --- |" + " --- |" * len(NAMES))
    for result in results:
        cells = [result.contenders[name].variants[0].label if name in result.contenders else "" for name in NAMES]
        print(f"| {result.explained.case.title} | " + " | ".join(cells) + " |")


def main() -> None:
    """Run the contenders and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", "-t", type=int, default=2)
    parser.add_argument("--nets", nargs="+", choices=[entry.case.key for entry in EXPLAINED])
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="under a minute: three nets, one variant a threading")
    parser.add_argument("--processor-time", action="store_true", help="of one thread, where other work is going on")
    options = parser.parse_args()
    clock, threads, unit = time.perf_counter, options.threads, "threads"
    if options.processor_time:
        clock, threads, unit = time.thread_time, 1, "thread, processor time"
    batches = tuple(batch for entry in EXPLAINED for batch in entry.batches)
    effort = Effort(0.4, options.repeats, batches, TILES, False, clock)
    if options.quick:
        effort = Effort(0.05, 1, (), (4_096,), False, clock)
    keys: Iterable[str] = options.nets or (QUICK_NETS if options.quick else [entry.case.key for entry in EXPLAINED])
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    codes, source = read_codes()
    with tempfile.TemporaryDirectory() as folder:
        chosen = [entry for entry in EXPLAINED if entry.case.key in keys]
        results = [measure(entry, codes, threads, effort, Path(folder)) for entry in chosen]
    print(f"{source}, {threads} {unit}, best of {effort.repeats} repeats in turns")
    print_speeds(results)
    print_costs(results)
    print_bars(results)
    print_settings(results)


if __name__ == "__main__":
    main()
