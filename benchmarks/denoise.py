"""Denoised ATAC-seq of yeast against smoothing, at several depths, and the report of it.

    TRACKGEN_DATA=... python benchmarks/denoise.py widths [--folder DIR]
    TRACKGEN_DATA=... python benchmarks/denoise.py run [--models DIR|FILE...] [--depths 0.1,0.5] [--folder DIR]
    TRACKGEN_DATA=... python benchmarks/denoise.py time MODEL [--rounds 3] [--worm-scale 1]
    TRACKGEN_DATA=... python benchmarks/denoise.py regions MODEL [--folder DIR]
    python benchmarks/denoise.py report

`widths` judges boxes and Gauss's curves on the validation chromosome; `run` judges the shallow tracks, the kernels
that `widths` chose, and models, on the test chromosomes. A model file is named METHOD-SEED.onnx, and reads the
thinning of its number; one without a number reads all three. What is on record is not measured again. `time` takes
fragments to tracks, of yeast and of made-up fragments on the worm's genome; `regions` draws examples. Needs macs3 on
the PATH. Records are in docs/benchmarks/denoise, of which `report` writes docs/benchmarks/denoise.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from denoise_models import run_baselines, run_models
from denoise_pairs import DEPTHS
from denoise_report import REPORT, document
from denoise_smoothing import choose_widths

WORK = Path("denoise-work")


def depths(text: str) -> list[float]:
    """``0.1,0.5`` as numbers."""
    return [float(part) for part in text.split(",")]


def model_files(paths: list[Path]) -> list[Path]:
    """Files, and all model files of folders."""
    return [file for path in paths for file in (sorted(path.glob("*.onnx")) if path.is_dir() else [path])]


def main() -> None:
    """Run one of the sub-commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("widths", "run"):
        command = commands.add_parser(name)
        command.add_argument("--folder", type=Path, default=WORK, help="where tracks are kept between runs")
        command.add_argument("--depths", type=depths, default=list(DEPTHS))
        if name == "widths":
            command.add_argument("--kernels", type=lambda text: text.split(","), default=[], help="these alone")
    command.add_argument("--models", type=Path, nargs="*", default=[], help="model files, or folders of them")
    timed = commands.add_parser("time")
    timed.add_argument("model", type=Path)
    timed.add_argument("--rounds", type=int, default=3)
    timed.add_argument("--worm-scale", type=float, default=1.0, help="share of the worm's fragments that are made up")
    drawn = commands.add_parser("regions")
    drawn.add_argument("model", type=Path)
    drawn.add_argument("--folder", type=Path, default=WORK)
    commands.add_parser("report")
    options = parser.parse_args()
    if options.command == "widths":
        choose_widths(options.folder, options.depths, options.kernels)
    elif options.command == "run":
        run_baselines(options.folder, options.depths)
        run_models(options.folder, model_files(options.models), options.depths)
    elif options.command == "time":
        from denoise_time import measure_time

        measure_time(options.model, options.rounds, options.worm_scale)
    elif options.command == "regions":
        from denoise_regions import draw_regions

        draw_regions(options.model, options.folder)
    if options.command != "widths":
        REPORT.write_text(document())


if __name__ == "__main__":
    main()
