"""The task ``denoise``: from deep ATAC-seq to one exported model that denoises shallow data of several depths.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``),
``peaks.narrowPeak`` (where MACS3 called them), ``metrics.csv`` (one line an epoch), ``report/`` (figures as JSON and
pictures), and ``checkpoint.pt`` (for resuming).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trackgen.errors import UsageError
from trackgen.genome import Genome, Interval, assembly_name, open_genome, parse_regions
from trackgen.genome.fragments import FragmentOptions, Fragments, load_fragments
from trackgen.learn.architectures.denoise import RESOLUTION
from trackgen.learn.datasets.bed import BedRow, read_peaks
from trackgen.learn.datasets.denoise import LEAST_FRAGMENTS, DeepData, refuse_peakless, refuse_thin
from trackgen.learn.datasets.peak_calling import call_peaks, macs3
from trackgen.learn.datasets.split import Split
from trackgen.learn.denoise_judging import judge, judged_depths
from trackgen.learn.denoise_report import denoise_card, write_report
from trackgen.learn.denoise_training import DenoiseTraining, train_denoiser
from trackgen.learn.export import calibrated, export
from trackgen.learn.saved import DENOISE, SavedModel, save_model
from trackgen.learn.stepping import refuse_device
from trackgen.learn.tss_task import base_frequencies, refuse_another_run, whole_sequences
from trackgen.progress import Progress
from trackgen.signals import Recipe, usual_depth

__all__ = ["DenoiseOptions", "train_denoise"]

PARTS = ("train", "validation", "test")
PEAK_THRESHOLD = 1e-4
"""p-value of the weakest peaks of the deep data that count as peaks."""
CALLED = "peaks.narrowPeak"
KERNELS = 48
"""Over the DNA sequence."""


@dataclass(frozen=True)
class DenoiseOptions:
    """What to train on, and how; see ``trackgen train denoise --help`` for the meaning of each."""

    genome: Path
    deep: tuple[Path, ...]
    output: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]
    peaks: Path | None = None
    exclude: tuple[str, ...] = ()
    sequence: bool = False
    input: str = "atac"
    shallowest: float = 0.01
    deepest: float = 0.5
    pairs: str = "auto"
    mapping_quality: int = 10
    duplicates: bool = False
    longest: int = 2000
    name: str = "denoise"
    title: str = "Denoised ATAC-seq"
    data: str = ""
    license: str = ""
    channels: int = 32
    epochs: int = 40
    patience: int = 20
    tiles: int = 1000
    batch_size: int = 8
    learning_rate: float = 2e-3
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    resume: bool = False
    command: str = ""


def train_denoise(options: DenoiseOptions, progress: Progress) -> Path:
    """Train, calibrate, judge at several depths, export; returns the path of the exported model.

    Raises:
        UsageError: an unknown sequence, depths that can't be, no peaks and no program to call them, or an output
            folder that holds another run.
        DataError: genome, fragments, peaks or exclusions are missing, malformed or too few.
        ModelError: the exported graph does not reproduce the net.
    """
    torch.set_num_threads(options.threads)
    refuse_another_run(options.output, resume=options.resume)
    refuse_device(options.device)
    _refuse_depths(options.shallowest, options.deepest)
    depths = (options.shallowest, options.deepest)
    with open_genome(options.genome) as genome:
        data = load_data(options, genome, progress)
        # Not before all input is known to be sound: bad input leaves no folder behind.
        (options.output / "report").mkdir(parents=True, exist_ok=True)
        settings = DenoiseTraining(
            options.output, options.epochs, options.patience, options.tiles, options.batch_size, options.learning_rate,
            depths, options.channels, KERNELS if options.sequence else 0, options.seed, options.device, options.resume,
        )  # fmt: skip
        net, result = train_denoiser(data, settings, progress)
        judged = judge(net, data, judged_depths(depths), options.device, progress)
        figures = {
            "data": _data_figures(data, options),
            "fit": {"best_epoch": result.best_epoch + 1, "epochs": len(result.history), "history": result.history},
            "judged": judged.figures,
        }
        frequencies = base_frequencies(genome, data.split)
    card = denoise_card(asdict(options), figures, frequencies, net.window * RESOLUTION)
    weights = {name: value.cpu() for name, value in net.state_dict().items()}
    saved = SavedModel(DENOISE, weights, judged.calibration, card)
    save_model(saved, options.output / "model.pt")
    path = export(calibrated(saved.build(), saved.calibration, card), card, options.output / "model.onnx")
    write_report(options.output, card, figures, judged.curves, options.command)
    progress.note(f"wrote {path}")
    return path


def _refuse_depths(low: float, high: float) -> None:
    if not 0 < low < high < 1:
        raise UsageError(
            "no depths to thin the data to", found=f"--shallowest {low:g} and --deepest {high:g}",
            wanted="0 < shallowest < deepest < 1, shares of the fragments",
        )  # fmt: skip


def load_data(options: DenoiseOptions, genome: Genome, progress: Progress) -> DeepData:
    """Fragments of all files together, their peaks, split and exclusions as the options say.

    Raises:
        UsageError: an unknown sequence; no peaks and no program to call them.
        DataError: too few fragments, a part without peaks, or everything is excluded.
    """
    if options.peaks is None:
        macs3()
    excluded = [region for text in options.exclude for region in parse_regions(text, genome.lengths).intervals]
    left_out = whole_sequences(excluded, genome.lengths)
    split = Split.of(genome.names, validation=options.validation, test=options.test, left_out=left_out)
    chosen = fragment_options(options)
    fragments = _joined([load_fragments(path, genome.lengths, chosen) for path in options.deep])
    number = sum(len(own.start) for own in fragments.values())
    progress.note(f"{number:,} fragments of {', '.join(path.name for path in options.deep)}")
    depth = usual_depth(fragments, genome.lengths, excluded)
    bare = DeepData(genome, fragments, depth, (), split, tuple(excluded), options.sequence)
    for part, least in zip(PARTS, (LEAST_FRAGMENTS, LEAST_FRAGMENTS // 10, LEAST_FRAGMENTS // 10), strict=True):
        refuse_thin(bare, part, least)
    peaks = _peaks(options, genome, fragments, excluded, progress)
    data = DeepData(genome, fragments, depth, peaks, split, tuple(excluded), options.sequence)
    for part in PARTS:
        refuse_peakless(data, part)
    progress.note(f"{depth:.3g} fragments over a base of the usual genome, {len(peaks):,} peaks")
    return data


def fragment_options(options: DenoiseOptions) -> FragmentOptions:
    """Which fragments are used."""
    return FragmentOptions(
        pairs=options.pairs, mapping_quality=options.mapping_quality, duplicates=options.duplicates,
        longest=options.longest or None,
    )  # fmt: skip


def _joined(files: Sequence[Mapping[str, Fragments]]) -> dict[str, Fragments]:
    """The fragments of several files as those of one."""
    if len(files) == 1:
        return dict(files[0])
    found = {}
    for name in files[0]:
        start, end = (np.concatenate([getattr(file[name], side) for file in files]) for side in ("start", "end"))
        order = np.argsort(start, kind="stable")
        found[name] = Fragments(name, start[order], end[order])
    return found


def _peaks(
    options: DenoiseOptions, genome: Genome, fragments: Mapping[str, Fragments], excluded: Sequence[Interval],
    progress: Progress,
) -> list[BedRow]:  # fmt: skip
    """Those of the file, those that this run called before it stopped, or else MACS3's."""
    if options.peaks is not None:
        return read_peaks(options.peaks, genome.lengths)
    made = options.output / CALLED
    if options.resume and made.exists():
        return read_peaks(made, genome.lengths)
    progress.note("calling peaks with macs3")
    with tempfile.TemporaryDirectory(prefix="trackgen-peaks-") as folder:
        part = Path(folder, CALLED)
        peaks = call_peaks(
            fragments, genome.lengths, part, threshold=PEAK_THRESHOLD, excluded=excluded, progress=progress
        )
        options.output.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: a run that goes on reads them.
        copy = made.with_name(f"{made.name}.tmp")
        try:
            shutil.copyfile(part, copy)
            os.replace(copy, made)
        finally:
            copy.unlink(missing_ok=True)
    return peaks


def _data_figures(data: DeepData, options: DenoiseOptions) -> dict[str, Any]:
    recipe = Recipe(
        fragments=fragment_options(options), depth=(data.depth * options.shallowest, data.depth * options.deepest)
    )
    source = f"of {options.peaks.name}" if options.peaks else f"of MACS3 on all fragments, p < {PEAK_THRESHOLD:g}"
    return {
        "assembly": assembly_name(data.genome.lengths) or "",
        "split": {part: list(getattr(data.split, part)) for part in PARTS},
        "fragments": {part: data.number(part) for part in PARTS}, "depth": data.depth,
        "peaks": f"{len(data.peaks):,} {source}",
        "peak_bins": {part: data.peak_bins(part) for part in PARTS},
        "recipe": recipe.as_card(),
    }  # fmt: skip
