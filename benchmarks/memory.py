"""Speed and peak memory of scans over genomes of different size, one process a row, in one run.

    TRACKGEN_DATA=... python benchmarks/memory.py [--rows yeast worm human yeast-base chromosome-base]
                                                  [--stride 200] [--threads 2] [--genome human.2bit]

yeast is sacCer3 (12 Mb), worm ce10 (100 Mb), human the synthetic genome of synthetic_genome.py with hg38's names and
lengths (3.1 Gb), chromosome its chr1 (249 Mb). The rows that end in -base are at base resolution, the others at
--stride. The synthetic genome is made at --genome unless it is there already; in a temporary folder without --genome.

Prints a table in markdown. Ratios are those of peak memory to the first row at the same stride. Writing is the share
that encode, commit and assemble of run.json have in its total.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from processes import Failed, Scan, data_file, print_head, print_row, read_scan, trackgen
from synthetic_genome import default_source, make

ROWS = ("yeast", "worm", "human", "yeast-base", "worm-base", "chromosome-base")
DEFAULT_ROWS = ("yeast", "worm", "human", "yeast-base", "chromosome-base")
REAL_GENOMES = {"yeast": "genome_yeast/sacCer3.2bit", "worm": "genome_worm/ce10.2bit"}
LONGEST_CHROMOSOME = "chr1"
WRITING = ("encode", "commit", "assemble")
COLUMNS = (
    "genome", "stride", "bases", "seconds", "Mbase/s", "peak memory, MB", "memory, ratio", "writing", "tracks, MB",
)  # fmt: skip


def synthetic(path: Path | None, folder: Path, scale: float) -> Path:
    """The synthetic genome: the file at `path` where there is one, else a new one there or in `folder`."""
    path = path or folder / "synthetic.2bit"
    if not path.exists():
        began = time.perf_counter()
        make(path, default_source(), scale=scale)
        print(f"made {path.name} in {time.perf_counter() - began:.0f} seconds\n")
    return path


def scan(genome: Path, chromosomes: list[str], stride: int, model: str, threads: int) -> Scan:
    """Scan in a process of its own, into a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        limits = ["--chroms", ",".join(chromosomes)] if chromosomes else []
        trackgen(["scan", model, str(genome), "-o", str(output), "--stride", str(stride), "-t", str(threads), *limits])
        return read_scan(output)


def cells(name: str, stride: int, found: Scan, smallest: int) -> list[str]:
    """The row of one scan; `smallest` is the peak memory that this one's is compared with, bytes."""
    seconds, bases, peak = found.run["seconds"], found.run["bases"], found.run["peak_rss_bytes"]
    writing = sum(seconds[stage] for stage in WRITING) / seconds["total"]
    return [
        name,
        f"{stride:,}",
        f"{bases:,}",
        f"{seconds['total']:.1f}",
        f"{bases / seconds['total'] / 1e6:.2f}",
        f"{peak / 1e6:.0f}",
        f"{peak / smallest:.2f}",
        f"{writing:.1%}",
        f"{found.track_bytes / 1e6:.1f}",
    ]


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=DEFAULT_ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--model", default="tss-yeast")
    parser.add_argument("--stride", type=int, default=200, help="of the rows that do not end in -base (default 200)")
    parser.add_argument("--threads", "-t", type=int, default=2)
    parser.add_argument("--genome", type=Path, help="the synthetic genome: used where it exists, else made there")
    parser.add_argument("--scale", type=float, default=1.0, help="of a synthetic genome that is made, for a trial")
    return parser.parse_args()


def main() -> None:
    """Scan row by row and print the table."""
    options = parsed_options()
    first_peaks: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        genomes = {key: data_file(name) for key, name in REAL_GENOMES.items()}
        if {"human", "chromosome-base"} & set(options.rows):
            genomes["human"] = genomes["chromosome"] = synthetic(options.genome, Path(folder), options.scale)
        print_head(COLUMNS)
        for row in options.rows:
            key, _, base = row.partition("-")
            chromosomes = [LONGEST_CHROMOSOME] if key == "chromosome" else []
            stride = 1 if base else options.stride
            name = f"{genomes[key].stem} {' '.join(chromosomes)}".strip()
            try:
                found = scan(genomes[key], chromosomes, stride, options.model, options.threads)
            except Failed as error:
                print_row([name, f"{stride:,}", str(error), *[""] * (len(COLUMNS) - 3)])
                continue
            smallest = first_peaks.setdefault(stride, found.run["peak_rss_bytes"])
            print_row(cells(name, stride, found, smallest))


if __name__ == "__main__":
    main()
