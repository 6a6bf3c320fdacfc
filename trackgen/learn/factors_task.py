"""The task ``factors``: from peaks of many factors in one file to one exported, calibrated model of them all.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``),
``metrics.csv`` (one line an epoch), ``report/`` (figures as JSON and pictures), and ``checkpoint.pt`` (for resuming).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, assembly_name, open_genome, parse_regions
from trackgen.learn.calibration import Calibration
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.factors import FACTOR_PARTS, FactorData, centres_by_factor
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.datasets.split import Split
from trackgen.learn.export import calibrated, export
from trackgen.learn.factors_judging import Judged, judge, score_matrix
from trackgen.learn.factors_report import factors_card, write_report
from trackgen.learn.factors_training import FactorTraining, train_factor_net
from trackgen.learn.fit import FitResult
from trackgen.learn.saved import FACTORS, SavedModel, save_model
from trackgen.learn.stepping import refuse_device
from trackgen.learn.tss_task import base_frequencies, refuse_another_run, whole_sequences
from trackgen.progress import Progress

__all__ = ["FactorsOptions", "load_data", "train_factors"]

NOTHING = Calibration(1.0, (0.0, 0.0))
"""The calibration is in the weights of the exported net, one scale and shift a factor."""


@dataclass(frozen=True)
class FactorsOptions:
    """What to train on, and how; see ``trackgen train factors --help`` for the meaning of each."""

    genome: Path
    peaks: Path
    output: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    min_peaks: int = 40
    min_auroc: float = 0.0
    motifs: Path | None = None
    with_motif: bool = False
    near: int = 25
    far: int = 100
    per_site: float = 1.5
    name: str = "factors"
    title: str = "Transcription-factor binding"
    data: str = ""
    license: str = ""
    epochs: int = 10
    patience: int = 10
    batch_size: int = 128
    learning_rate: float = 2e-3
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    resume: bool = False
    command: str = ""


def train_factors(options: FactorsOptions, progress: Progress) -> Path:
    """Train, calibrate, choose factors, evaluate, export; returns the path of the exported model.

    Raises:
        UsageError: an unknown sequence, or an output folder that holds another run.
        DataError: genome, peaks, motifs or exclusions are missing or malformed, or too few peaks.
        ModelError: the exported graph does not reproduce the net.
    """
    torch.set_num_threads(options.threads)
    refuse_another_run(options.output, resume=options.resume)
    refuse_device(options.device)
    with open_genome(options.genome) as genome:
        data, motifs = load_data(options, genome)
        progress.note(f"{len(data.factors)} factors, {sum(map(len, motifs.values()))} motifs to start from")
        # Not before all input is known to be sound: bad input leaves no folder behind.
        (options.output / "report").mkdir(parents=True, exist_ok=True)
        settings = FactorTraining(
            options.output, options.epochs, options.patience, options.batch_size, options.learning_rate,
            options.per_site, options.seed, options.device, options.resume,
        )  # fmt: skip
        tables = [matrix for own in motifs.values() for matrix in own.values()]
        net, result = train_factor_net(data, tables, settings, progress)
        judged = judge(net.to("cpu"), data, options.min_auroc, options.seed, progress)
        matrix = score_matrix(judged.net, data, judged.kept, options.seed)
        figures = _figures(data, motifs, judged, matrix, result)
        frequencies = base_frequencies(genome, data.split)
    card = factors_card(asdict(options), figures, frequencies, judged.net.window)
    weights = {name: value.cpu() for name, value in judged.net.state_dict().items()}
    save_model(SavedModel(FACTORS, weights, NOTHING, card), options.output / "model.pt")
    path = export(calibrated(judged.net, NOTHING, card), card, options.output / "model.onnx")
    write_report(options.output, card, figures, options.command)
    progress.note(f"wrote {path}")
    return path


def load_data(options: FactorsOptions, genome: Genome) -> tuple[FactorData, dict[str, dict[str, NDArray[np.float64]]]]:
    """Peaks by factor, split and exclusions as the options say; and the motifs of each factor that has one.

    Raises:
        DataError: no factor has enough peaks in every part.
        UsageError: a factor that was asked for is not in the file; ``--with-motif`` without ``--motifs``.
    """
    if options.with_motif and options.motifs is None:
        raise UsageError("--with-motif needs motifs", remedy="give a file of them with --motifs")
    rows = [row for row in read_peaks(options.peaks, genome.lengths) if row.label not in options.leave_out]
    centres = centres_by_factor(rows, least=max(options.min_peaks, 1))
    if options.factors:
        every = centres_by_factor(rows)
        missing = [name for name in options.factors if name not in every]
        if missing:
            raise UsageError("no peak is of a factor that was asked for", path=options.peaks, found=", ".join(missing))
        centres = {name: every[name] for name in sorted(options.factors)}
    motifs = _motifs(options.motifs, tuple(centres))
    if options.with_motif:
        centres = {name: own for name, own in centres.items() if name in motifs}
    excluded = [region for text in options.exclude for region in parse_regions(text, genome.lengths).intervals]
    left_out = whole_sequences(excluded, genome.lengths)
    split = Split.of(genome.names, validation=options.validation, test=options.test, left_out=left_out)
    data = FactorData(genome, centres, split, tuple(excluded), options.near, options.far)
    lacking = _without_peaks(data)
    if options.factors:
        for name, part in lacking.items():
            raise DataError(
                f"there is no peak of {name} in the {part} part", path=options.peaks,
                found=f"{sum(map(len, centres[name].values()))} peaks in all", wanted="one or more",
                remedy="choose other chromosomes, or leave the factor out",
            )  # fmt: skip
    data = replace(data, centres={name: own for name, own in centres.items() if name not in lacking})
    if not data.factors:
        raise DataError(
            "no factor has enough peaks", path=options.peaks, wanted=f"at least {options.min_peaks} of one name",
            remedy="lower --min-peaks, and check that column 4 names the factor",
        )  # fmt: skip
    return data, {name: own for name, own in motifs.items() if name in data.factors}


def _without_peaks(data: FactorData) -> dict[str, str]:
    """Factors without a peak to learn from or without one to choose by, and the part that lacks it."""
    return {
        name: part for part in FACTOR_PARTS[1::-1] for name in data.factors if not len(data.peaks(name, part))
    }  # fmt: skip


def _motifs(path: Path | None, factors: Sequence[str]) -> dict[str, dict[str, NDArray[np.float64]]]:
    if path is None:
        return {}
    database, found = read_motifs(path), {}
    for name in factors:
        try:
            found[name] = dict(database.find(name))
        except DataError:
            continue
    return found


def _figures(
    data: FactorData, motifs: Mapping[str, Mapping[str, Any]], judged: Judged, matrix: NDArray[np.float64],
    result: FitResult,
) -> dict[str, Any]:  # fmt: skip
    return {
        "data": {
            "assembly": assembly_name(data.genome.lengths) or "",
            "split": {part: list(getattr(data.split, part)) for part in FACTOR_PARTS},
            "factors": list(data.factors), "left_out": judged.left_out,
            "motifs": {name: list(own) for name, own in motifs.items() if name in data.factors},
        },
        "fit": {"best_epoch": result.best_epoch + 1, "epochs": len(result.history), "history": result.history},
        "factors": judged.figures,
        "matrix": {"factors": list(judged.kept), "auroc": [[float(v) for v in row] for row in matrix]},
    }  # fmt: skip
