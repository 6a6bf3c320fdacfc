"""Reads to bins: reads a second and peak memory beside pysam's and bedtools' ways, in one run.

    TRACKGEN_DATA=... python benchmarks/reads.py [--reads 2000000] [--times 4] [--turns 3] [--bin 10]

A BAM file of read pairs (2 x 50 bases, proper, yeast) is made: fragments are those of the real yeast data, drawn with
replacement and moved by up to 200 bp. Every way turns the file into coverage in bins of all sequences, in a process of
its own; ways take turns, and the best of each counts. The ways count different things, each the one it is made for:
whole fragments, aligned bases of single reads, or fragments over a base as bedGraph. Then ours alone reads the file and
one `--times` as deep, and a BigWig track is written from both: peak memory must not grow. Prints tables in markdown.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
from numpy.typing import NDArray
from processes import data_file, print_head, print_row

from trackgen.genome import open_genome
from trackgen.genome.fragments import FragmentOptions, Fragments, load_fragments
from trackgen.progress import NullProgress
from trackgen.signals import Recipe, make_signal, signal_bins

READ = 50
MOVED = 200
NAME = 20
RECORDS_AT_ONCE = 200_000
OURS = "trackgen, fragments"
LOOP = "pysam, count_coverage"
BEDTOOLS = "bedtools genomecov -bg -pc"
TRACK = "trackgen signal, BigWig"
HEAD = np.dtype(
    [("size", "<i4"), ("sequence", "<i4"), ("position", "<i4"), ("name_bytes", "u1"), ("quality", "u1"), ("bin", "<u2"),
     ("operations", "<u2"), ("flag", "<u2"), ("bases", "<i4"), ("mate_sequence", "<i4"), ("mate", "<i4"),
     ("template", "<i4"), ("name", f"S{NAME}"), ("cigar", "<u4"), ("packed", "u1", READ // 2),
     ("qualities", "u1", READ)]
)  # fmt: skip


class Took(NamedTuple):
    """What one process took."""

    seconds: float
    processor: float
    peak: int
    """bytes"""
    total: float
    """Sum over the bins, so that a reader sees what was counted."""


def make_bam(path: Path, lengths: dict[str, int], fragments: dict[str, Fragments], reads: int) -> None:
    """A BAM file of about `reads` reads, sorted and indexed."""
    random = np.random.default_rng(1)
    every = sum(len(some.start) for some in fragments.values())
    text = "@HD\tVN:1.6\tSO:coordinate\n" + "".join(f"@SQ\tSN:{name}\tLN:{n}\n" for name, n in lengths.items())
    header = pysam.AlignmentHeader.from_text(text)
    with pysam.AlignmentFile(str(path), "wb", header=header):
        pass
    body = path.with_suffix(".body")
    with pysam.BGZFile(str(body), "wb") as file:
        file.write(header_bytes(text, lengths))
        for number, (name, some) in enumerate(fragments.items()):
            pairs = round(reads / 2 * len(some.start) / every)
            if pairs:
                write_pairs(file, number, lengths[name], some, pairs, random)
    body.replace(path)
    pysam.index(str(path))


def header_bytes(text: str, lengths: dict[str, int]) -> bytes:
    """A BAM file's bytes before its first record."""
    parts = [b"BAM\1", len(text).to_bytes(4, "little"), text.encode(), len(lengths).to_bytes(4, "little")]
    for name, length in lengths.items():
        parts += [(len(name) + 1).to_bytes(4, "little"), name.encode() + b"\0", length.to_bytes(4, "little")]
    return b"".join(parts)


def write_pairs(
    file: pysam.BGZFile, sequence: int, length: int, some: Fragments, pairs: int, random: np.random.Generator
) -> None:
    """The records of one sequence."""
    rows = random.integers(0, len(some.start), pairs)
    size = np.maximum(some.end - some.start, READ)[rows]
    start = np.clip(some.start[rows] + random.integers(-MOVED, MOVED, pairs), 0, length - size)
    position = np.concatenate([start, start + size - READ])
    order = np.argsort(position, kind="stable")
    for first in range(0, 2 * pairs, RECORDS_AT_ONCE):
        row = order[first : first + RECORDS_AT_ONCE]
        records = np.zeros(len(row), HEAD)
        pair, left = row % pairs, row < pairs
        records["size"], records["sequence"], records["mate_sequence"] = HEAD.itemsize - 4, sequence, sequence
        records["position"] = position[row]
        records["mate"] = np.where(left, start[pair] + size[pair] - READ, start[pair])
        records["template"] = np.where(left, size[pair], -size[pair])
        records["name_bytes"], records["quality"], records["operations"] = NAME, 42, 1
        records["flag"] = np.where(left, 99, 147)
        records["bases"], records["cigar"] = READ, READ << 4
        records["name"] = np.char.add("SRR1822137.", np.char.zfill(pair.astype("U8"), 8))
        records["packed"] = np.array([0x11, 0x12, 0x14, 0x18, 0x21, 0x22, 0x24, 0x28])[
            random.integers(0, 8, (len(row), READ // 2))
        ]
        records["qualities"] = np.minimum(40, 32 + random.integers(0, 5, (len(row), READ)) * 2)
        records["bin"] = bins_of(records["position"].astype(np.int64))
        file.write(records.tobytes())


def bins_of(position: NDArray[np.int64]) -> NDArray[np.int64]:
    """A record's bin: SAM specification, section 5.3, for reads of `READ` bases."""
    last = position + READ - 1
    found = np.zeros(len(position), np.int64)
    for shift, offset in ((26, 1), (23, 9), (20, 73), (17, 585), (14, 4681)):
        found = np.where(position >> shift == last >> shift, offset + (position >> shift), found)
    return found


def ours(path: Path, lengths: dict[str, int], bin_size: int, pairs: str) -> float:
    recipe = Recipe(scale="none", fragments=FragmentOptions(pairs=pairs, longest=None))
    return sum(float(values.sum()) for _, values in signal_bins(path, lengths, recipe, bin_size))


def binned(values: NDArray[np.float64], bin_size: int) -> NDArray[np.float64]:
    """Means of bins."""
    edges = np.arange(0, len(values), bin_size)
    means: NDArray[np.float64] = np.add.reduceat(values, edges) / np.diff(edges, append=len(values))
    return means


def count_coverage(path: Path, lengths: dict[str, int], bin_size: int) -> float:
    """The loop that users write: four arrays a sequence, added and binned."""
    total = 0.0
    with pysam.AlignmentFile(str(path)) as file:
        for name, length in lengths.items():
            counts = file.count_coverage(name, 0, length, quality_threshold=0)
            total += float(binned(np.sum([np.asarray(row) for row in counts], axis=0), bin_size).sum())
    return total


def iteration(path: Path, lengths: dict[str, int], bin_size: int) -> float:
    """One record after the other; whole fragments from the template length."""
    total = 0.0
    with pysam.AlignmentFile(str(path)) as file:
        for name, length in lengths.items():
            change = np.zeros(length + 1, np.int64)
            for read in file.fetch(name):
                if read.is_proper_pair and not read.is_reverse and read.mapping_quality >= 10:
                    start = read.reference_start
                    change[start] += 1
                    change[start + read.template_length] -= 1
            total += float(binned(np.cumsum(change[:-1]).astype(np.float64), bin_size).sum())
    return total


def genomecov(path: Path, lengths: dict[str, int], bin_size: int) -> float:
    """bedtools, fragments of pairs as bedGraph; not binned."""
    total = 0
    command = ["bedtools", "genomecov", "-bg", "-pc", "-ibam", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _, start, end, depth = line.split("\t")
            total += (int(end) - int(start)) * int(depth)
    return total / bin_size


def track(path: Path, lengths: dict[str, int], bin_size: int) -> float:
    """`trackgen signal` into a BigWig track."""
    with tempfile.TemporaryDirectory() as folder:
        summary = make_signal(path, lengths, Path(folder) / "out.bw", Recipe(), NullProgress(), resolution=bin_size)
    return summary.mean


WAYS: dict[str, Callable[[Path, dict[str, int], int], float]] = {
    OURS: lambda path, lengths, size: ours(path, lengths, size, "paired"),
    "trackgen, single reads": lambda path, lengths, size: ours(path, lengths, size, "reads"),
    LOOP: count_coverage,
    "pysam, record by record": iteration,
    BEDTOOLS: genomecov,
    TRACK: track,
}


def child(way: str, path: Path, bin_size: int) -> None:
    """Run one way here, and print what it took."""
    with pysam.AlignmentFile(str(path)) as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
    wall, processor = time.perf_counter(), time.process_time()
    total = WAYS[way](path, lengths, bin_size)
    took = (time.perf_counter() - wall, time.process_time() - processor)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    # getrusage would tell the peak of the process that this one was forked from
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) * 1024
    print(json.dumps([took[0], took[1] + children.ru_utime + children.ru_stime, peak, total]))


def run(way: str, path: Path, bin_size: int) -> Took:
    command = [sys.executable, __file__, "--child", way, str(path), "--bin", str(bin_size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Took(*json.loads(done.stdout.splitlines()[-1]))


def beside(path: Path, reads: int, bin_size: int, turns: int) -> None:
    """Print the table of all ways on one file."""
    ways = [way for way in WAYS if way != TRACK and (shutil.which("bedtools") or way != BEDTOOLS)]
    took: dict[str, list[Took]] = {way: [] for way in ways}
    for _ in range(turns):
        for way in ways:
            took[way].append(run(way, path, bin_size))
    loop = min(one.seconds for one in took[LOOP])
    print(f"{reads:,} reads, bins of {bin_size} bp, best of {turns}\n")
    print_head(["way", "k reads/s", f"of {LOOP}", "processor, k reads/s", "peak memory, MB"])
    for way in ways:
        best = min(one.seconds for one in took[way])
        processor = min(one.processor for one in took[way])
        peak = min(one.peak for one in took[way])
        memory = "" if way == BEDTOOLS else f"{peak / 1e6:.0f}"
        speeds = (f"{reads / best / 1e3:,.0f}", f"{loop / best:.1f}", f"{reads / processor / 1e3:,.0f}")
        print_row([way, *speeds, memory])
    print()


def flat(files: dict[int, Path], bin_size: int) -> None:
    """Print peak memory over the size of the file."""
    print_head(["way", *(f"{reads:,} reads, MB" for reads in files), "ratio"])
    for way in (OURS, TRACK):
        peaks = [run(way, path, bin_size).peak for path in files.values()]
        print_row([way, *(f"{peak / 1e6:.0f}" for peak in peaks), f"{peaks[-1] / peaks[0]:.2f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=2_000_000)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--bin", type=int, default=10)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]), options.bin)
        return
    with open_genome(data_file("genome_yeast/sacCer3.2bit")) as genome:
        lengths = dict(genome.lengths)
    source = data_file("yeast_atac/yeast_500k_SRR1822137.bedpe.gz")
    fragments = load_fragments(source, lengths, FragmentOptions())
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for times in (1, options.times):
            reads = options.reads * times
            files[reads] = Path(folder) / f"{reads}.bam"
            make_bam(files[reads], lengths, fragments, reads)
        beside(files[options.reads], options.reads, options.bin, options.turns)
        flat(files, options.bin)


if __name__ == "__main__":
    main()
