"""Speed of dense scanning on a CUDA device: the model alone, with writing, and end to end.

    python benchmarks/gpu.py [-o FILE] [--device cuda:N] [--nets tss zeng shallow] [--quick]

For each net precisions, IO binding, tile sizes, cuDNN's algorithm search, layouts and CUDA graphs are tried, one factor
at a time from what a scan does, then the best of each together. Every variant's values are held against single windows
in float32 on the CPU; the fastest that passes is named. Prints a document in markdown. Where no CUDA device runs, it
prints one line that says why, and ends with status 0. `--device cpu` tries the benchmark itself.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from gpu_nets import KEYS, make_net
from gpu_report import Result, document
from gpu_runs import Effort, Place, bytes_moved, find_place
from gpu_search import search, winner
from gpu_tracks import scan_genome, write_genome, write_tracks

from trackgen.errors import TrackgenError
from trackgen.runtime import default_threads

TILES = tuple(1 << power for power in range(16, 23))
FULL = Effort(seconds=0.25, tiles=TILES, written=64_000_000, genome=100_000_000)
QUICK = Effort(seconds=0.02, tiles=(4_096, 8_192), written=20_000, genome=60_000, quick=True)


def measure_net(key: str, place: Place, effort: Effort, genome: Path, folder: Path) -> Result:
    """All three measurements of a net."""
    print(key, file=sys.stderr, flush=True)
    net = make_net(key, folder)
    rows = search(net, place, effort)
    best = winner(rows)
    written = [] if best is None else write_tracks(net, best, place, effort, folder)
    scanned = [scan_genome(net, genome, place, folder, "none")]
    tile = scanned[0].run.get("tile")
    if best is not None and place.on_cuda and tile not in (None, best.settings.tile):
        option = ("--tile", str(best.settings.tile))
        scanned.append(scan_genome(net, genome, place, folder, " ".join(option), *option))
    return Result(net, rows, written, scanned, *bytes_moved(net, rows[0].settings))


def parse_options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N; cpu to try the benchmark itself")
    parser.add_argument("--nets", nargs="+", choices=KEYS, default=list(KEYS))
    parser.add_argument("--tiles", nargs="+", type=int, help="bases of a tile to try")
    parser.add_argument("--genome-size", type=int, help="bases of the genome that is scanned")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; figures mean nothing")
    parser.add_argument("-o", "--output", type=Path, help="write the document there too")
    options = parser.parse_args()
    if not re.fullmatch(r"cpu|cuda(:\d+)?", options.device):
        parser.error(f"--device {options.device}: wanted cuda, cuda:N or cpu")
    return options


def main() -> None:
    """Measure, and print the document."""
    options = parse_options()
    try:
        place = find_place(options.device, 1 if options.device == "cpu" else default_threads())
    except TrackgenError as error:
        print(f"no benchmark without a CUDA device: {' '.join(str(error).split())}")
        return
    effort = QUICK if options.quick else FULL
    tiles, bases = tuple(options.tiles or effort.tiles), options.genome_size or effort.genome
    effort = replace(effort, tiles=tiles, genome=bases)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genome = write_genome(folder / "genome.fa", effort.genome)
        results = [measure_net(key, place, effort, genome, folder) for key in options.nets]
    text = document(results, place, effort)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
