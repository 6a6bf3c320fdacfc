"""Fragments to denoised tracks, end to end: yeast's own, and made-up ones on the worm's genome as dense as those."""

from __future__ import annotations

import gzip
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from denoise_pairs import FRAGMENTS, GENOME, RECORDS, digest_of
from processes import data_file, trackgen

from trackgen.card import read_card
from trackgen.genome import open_genome
from trackgen.learn.figures import rounded
from trackgen.learn.sweep.records import append_record

__all__ = ["measure_time", "write_made_up"]

WORM = "genome_worm/ce10.2bit"
CORES = 2
A_MEGABASE = 38_488
"""Fragments: 467,908 over 12.157 Mb, as in yeast."""
PEAK_SHARE = 0.4
BASES_TO_PEAK = 5_000


def measure_time(model: Path, rounds: int, worm_scale: float) -> None:
    """Replace the records of time: both genomes, on two cores, the fastest of some rounds."""
    path = RECORDS / "time.jsonl"
    with tempfile.TemporaryDirectory() as folder:
        worm = Path(folder, "worm.bed")
        cases = {
            "yeast, SRR1822137": (GENOME, data_file(FRAGMENTS), rounds),
            "worm, made-up fragments": (WORM, worm, 1),
        }
        write_made_up(data_file(WORM), worm, worm_scale)
        found: list[dict[str, Any]] = []
        for what, (genome, fragments, times) in cases.items():
            spent = [_spent(model, data_file(genome), fragments, Path(folder)) for _ in range(times)]
            seconds, busy = min(spent)
            with open_genome(data_file(genome)) as opened:
                bases = sum(opened.lengths.values())
            record = {"what": what, "bases": bases, "fragments": _lines(fragments), "cores": CORES, "rounds": times}
            found.append(
                rounded(record) | {"seconds": round(seconds, 2), "busy": round(busy, 2), "digest": digest_of(model)}
            )
            print(found[-1], flush=True)
    path.unlink(missing_ok=True)
    for record in found:
        append_record(path, record)


def _spent(model: Path, genome: Path, fragments: Path, folder: Path) -> tuple[float, float]:
    """Seconds by the clock, and those that cores were busy with it, whatever else they had to do."""
    name = next(entry.name for entry in read_card(model).inputs if entry.kind == "signal")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory(dir=folder) as output:
        words = ["scan", str(model), str(genome), "--signal", f"{name}={fragments}", "-t", str(CORES)]
        seconds = trackgen([*words, "-o", str(Path(output, "scan"))])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _lines(path: Path) -> int:
    with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
        return sum(1 for _ in file)


def write_made_up(genome: Path, path: Path, scale: float = 1.0, seed: int = 1) -> None:
    """Fragments as BED on a genome, as dense as yeast's: some anywhere, the others about peaks; the same for a seed.

    Args:
        scale: of the number of fragments.
    """
    random = np.random.default_rng(seed)
    with open_genome(genome) as opened, open(path, "w") as file:
        for name, length in opened.lengths.items():
            for start, end in _made_up(random, length, round(scale * A_MEGABASE * length / 1e6)):
                file.write(f"{name}\t{start}\t{end}\n")


def _made_up(random: np.random.Generator, length: int, number: int) -> Iterator[tuple[int, int]]:
    peaks = random.integers(0, length, max(1, length // BASES_TO_PEAK))
    heights = random.pareto(1.5, len(peaks)) + 0.05
    about = random.choice(peaks, number, p=heights / heights.sum()) + random.normal(0, 120, number)
    middle = np.where(random.random(number) < PEAK_SHARE, about, random.integers(0, length, number))
    half = random.choice([25, 35, 50, 75, 100, 160], number)
    start = np.sort(np.clip(middle - half, 0, length - 1).astype(np.int64))
    end = np.minimum(start + 2 * half, length)
    yield from zip(start.tolist(), end.tolist(), strict=True)
