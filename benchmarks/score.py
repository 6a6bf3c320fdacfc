"""Speed of ``trackgen score`` on single-base changes, beside a plain loop over windows with ONNX Runtime.

    TRACKGEN_DATA=... python benchmarks/score.py [--variants 10000] [--many 100000] [--threads 2]

Random single-base changes of the yeast genome, sorted, as VCF. `trackgen score` is the whole command, start of the
interpreter included. The loop is what one writes by hand: for each variant, strand and allele one window is cut out of
the sequence and run by itself. The loop reads the model before its clock starts, and writes nothing; every value of the
table is compared with it. Where much else is going on, seconds of the processors are what counts. Memory is the largest
resident set of the command. Prints a table in markdown.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from processes import data_file, print_head, print_row

from trackgen.card import Card, read_card
from trackgen.genome import decode, encode, open_genome
from trackgen.resources import find_model

MODELS = ("tss-yeast", "binding-ctcf-human")
COLUMNS = (
    "model", "window", "windows a variant", "variants", "seconds", "of processors", "variants/s", "plain loop, seconds",
    "of processors", "memory, MB", "largest difference",
)  # fmt: skip
Float32 = NDArray[np.float32]


class Variant(NamedTuple):
    """Base `position` (from 0) of a sequence becomes `new`."""

    name: str
    position: int
    old: str
    new: str


class Timed(NamedTuple):
    """What a command took."""

    seconds: float
    processor: float
    """Seconds of all cores."""
    peak: int
    """Bytes."""


def draw(sequences: dict[str, str], count: int, seed: int) -> list[Variant]:
    """Changes anywhere in the genome, sorted."""
    source = random.Random(seed)
    names = list(sequences)
    sizes = [len(sequences[name]) for name in names]
    found = []
    for name in source.choices(range(len(names)), sizes, k=count):
        position = source.randrange(sizes[name])
        old = sequences[names[name]][position]
        found.append((name, position, old, source.choice([base for base in "ACGT" if base != old])))
    return [Variant(names[name], *rest) for name, *rest in sorted(found)]


def write_vcf(path: Path, variants: Sequence[Variant]) -> Path:
    with open(path, "w") as file:
        file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        file.writelines(f"{name}\t{position + 1}\t.\t{old}\t{new}\t.\t.\t.\n" for name, position, old, new in variants)
    return path


def score(model: str, genome: Path, file: Path, output: Path, threads: int) -> Timed:
    """Run the command, and measure it."""
    words = ["score", model, genome, file, "-o", output, "-t", threads, "--device", "cpu", "-q"]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "trackgen", *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"trackgen score failed: {status}")
    return Timed(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def plain_loop(
    card: Card, path: Path, sequences: dict[str, str], variants: Sequence[Variant], threads: int
) -> tuple[Timed, Float32]:
    """What it took, and (variants, 2, strands, classes) of the genome and of the allele."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(os.fspath(path), options)
    (entry,), output = session.get_inputs(), card.outputs[0].name
    pad = (card.window - card.bin) // 2
    tail = card.window - card.bin - pad
    ways = [(pad, False), (tail, True)] if card.strands == "both" else [(pad, False)]
    one_hot = np.concatenate([np.eye(4, dtype=np.float32), np.zeros((1, 4), np.float32)])
    began, used = time.perf_counter(), time.process_time()
    found = []
    for name, position, _, new in variants:
        low = position - card.window
        around = "N" * max(0, -low) + sequences[name][max(0, low) : position + card.window]
        around = around.ljust(2 * card.window, "N")
        for letters in (around, around[: card.window] + new + around[card.window + 1 :]):
            for before, reverse in ways:
                start = card.window - (card.bin - 1) // 2 - before
                matrix = one_hot[encode(letters[start : start + card.window].encode())].T
                matrix = np.ascontiguousarray(matrix[::-1, ::-1]) if reverse else matrix
                found.append(session.run([output], {entry.name: matrix[None]})[0][0])
    timed = Timed(time.perf_counter() - began, time.process_time() - used, 0)
    return timed, np.array(found, np.float32).reshape(len(variants), 2, len(ways), -1)


def largest_difference(card: Card, table: Path, values: Float32) -> float:
    """Of any number of the table from the loop's."""
    names = [entry.name for entry in card.outputs[0].classes]
    strands = ["plus", "minus"] if card.strands == "both" else [""]
    largest = 0.0
    with open(table, newline="") as file:
        for row, found in zip(csv.DictReader(file, delimiter="\t"), values, strict=True):
            for index, entry in enumerate(names):
                for number, strand in enumerate(strands):
                    column = f"{entry}.{strand}" if strand else entry
                    for which, kind in enumerate(("ref", "alt")):
                        text = row.get(f"{column}.{kind}", "NA")
                        if text != "NA":
                            largest = max(largest, abs(float(text) - float(found[which, number, index])))
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000, help="of the second row, without the loop")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    genome = data_file("genome_yeast/sacCer3.2bit")
    with open_genome(genome) as opened:
        sequences = {name: decode(opened.fetch(name, 0, length)) for name, length in opened.lengths.items()}
    print_head(COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.tsv"
        for model in MODELS:
            path = find_model(model)
            card = read_card(path)
            windows = 4 if card.strands == "both" else 2
            for count in (options.variants, options.many) if model == MODELS[0] else (options.variants,):
                variants = draw(sequences, count, seed=1)
                file = write_vcf(Path(folder) / "some.vcf", variants)
                timed = score(model, genome, file, table, options.threads)
                cells = [model, f"{card.window}", f"{windows}", f"{count:,}"]
                cells += [f"{timed.seconds:.1f}", f"{timed.processor:.1f}"]
                cells.append(f"{count / timed.seconds:,.0f}")
                beside = ["", ""]
                difference = ""
                if count == options.variants:
                    loop, values = plain_loop(card, path, sequences, variants, options.threads)
                    beside = [f"{loop.seconds:.1f}", f"{loop.processor:.1f}"]
                    difference = f"{largest_difference(card, table, values):.1e}"
                print_row([*cells, *beside, f"{timed.peak / 1e6:.0f}", difference])


if __name__ == "__main__":
    main()
