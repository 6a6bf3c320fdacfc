"""Peak memory and speed of a scan over genomes of different size, one process a genome, in one run.

    TRACKGEN_DATA=... python benchmarks/memory.py [--model tss-yeast] [--stride 100] [--threads 2]

Scans yeast (12 Mb) and worm (100 Mb) with the same options. Prints a table in markdown; the last column is the peak
memory as a ratio of the smallest genome's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

GENOMES = ("genome_yeast/sacCer3.2bit", "genome_worm/ce10.2bit")


def scan(genome: Path, model: str, stride: int, threads: int) -> dict[str, Any]:
    """Scan in a process of its own and return its run.json."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["scan", model, str(genome), "-o", folder + "/out", "--stride", str(stride), "-t", str(threads)]
        subprocess.run([sys.executable, "-m", "trackgen", *arguments], check=True, stdout=subprocess.DEVNULL)
        run: dict[str, Any] = json.loads((Path(folder) / "out" / "run.json").read_text())
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tss-yeast")
    parser.add_argument("--stride", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    data = os.environ.get("TRACKGEN_DATA")
    if not data:
        sys.exit("set TRACKGEN_DATA to the folder that holds genome_yeast and genome_worm")
    print("| genome | bases | seconds | Mbase/s | peak memory, MB | ratio |\n| --- | --: | --: | --: | --: | --: |")
    smallest = 0
    for name in GENOMES:
        run = scan(Path(data) / name, arguments.model, arguments.stride, arguments.threads)
        bases, seconds, peak = run["bases"], run["seconds"]["total"], run["peak_rss_bytes"]
        smallest = smallest or peak
        rate = bases / seconds / 1e6
        row = [
            Path(name).stem,
            f"{bases:,}",
            f"{seconds:.1f}",
            f"{rate:.2f}",
            f"{peak / 1e6:.0f}",
            f"{peak / smallest:.2f}",
        ]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
