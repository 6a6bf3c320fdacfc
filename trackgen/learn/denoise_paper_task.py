"""The task ``denoise-paper``: the nets of Fishman and Gurev, by random search, on a sample at two depths.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``),
``search/`` (a record of each draw, for resuming) and ``report/`` (figures as JSON, a picture).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trackgen.genome import open_genome, parse_regions
from trackgen.learn.architectures.denoise_paper import kind_of_net
from trackgen.learn.architectures.layered import NetSpec, spec_to_json
from trackgen.learn.calibration import Calibration
from trackgen.learn.datasets.peak_calling import LOW_THRESHOLD
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.stretch_data import PairOptions, StretchSet, load_stretches
from trackgen.learn.datasets.stretches import StretchBatches
from trackgen.learn.denoise_paper_report import search_section, stretch_card, write_report
from trackgen.learn.export import export
from trackgen.learn.plots import plot_history
from trackgen.learn.random_search import Draw, SearchOptions, random_search
from trackgen.learn.saved import SavedModel, save_model
from trackgen.learn.stepping import refuse_device
from trackgen.learn.stretch_judging import judge_stretches
from trackgen.learn.tss_task import refuse_another_run, whole_sequences
from trackgen.progress import Progress

__all__ = [
    "DenoisePaperOptions", "StretchOptions", "finish_stretch_net", "load_stretch_data", "search_data",
    "train_denoise_paper",
]  # fmt: skip


@dataclass(frozen=True)
class StretchOptions:
    """What a net of stretches is trained on, and what it is called; see ``trackgen train denoise-paper --help``."""

    deep: Path
    genome: Path
    output: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    fraction: float = 0.1
    pairing: str = "complement"
    reads: str = "coverage"
    tells: str = "coverage"
    peak_threshold: float = LOW_THRESHOLD
    thinnings: int = 1
    examples: int = 9265
    validation_examples: int = 488
    test_examples: int = 972
    redraw: bool = False
    batch_size: int = 32
    name: str = "denoise-paper"
    title: str = "Denoised ATAC-seq"
    data: str = ""
    license: str = ""
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    command: str = ""


@dataclass(frozen=True)
class DenoisePaperOptions(StretchOptions):
    """The same, and how a random search goes."""

    net: str = "hilbert"
    draws: int = 10
    epochs: int = 20
    learning_rate: float = 1e-3
    resume: bool = False


def train_denoise_paper(options: DenoisePaperOptions, progress: Progress) -> Path:
    """Search, judge, export; returns the path of the exported model.

    Raises:
        UsageError: an unknown net, values that cannot be, an output folder that holds another run, MACS3 that is
            wanted and not installed.
        DataError: fragments or genome are missing or malformed; no stretch fits on a part.
        ModelError: the exported graph does not reproduce the net.
    """
    kind = kind_of_net(options.net)
    torch.set_num_threads(options.threads)
    refuse_another_run(options.output, resume=options.resume)
    refuse_device(options.device)
    data, split = load_stretch_data(options, progress)
    # Not before all input is known to be sound: bad input leaves no folder behind.
    folder = options.output / "search"
    folder.mkdir(parents=True, exist_ok=True)
    search = SearchOptions(
        options.net, options.draws, options.epochs, options.learning_rate, options.seed, options.device,
        search_data(options, data),
    )  # fmt: skip
    draws, net = random_search(data.train, data.validation, search, folder, progress, resume=options.resume)
    best = min(range(len(draws)), key=lambda number: draws[number].validation_mse)
    told = {"search": _search_figures(draws, best, options)}
    path = finish_stretch_net(
        net, kind.spec(draws[best].sizes), kind.summary, data, split, options, told, search_section, progress
    )
    plot_history(draws[best].history, draws[best].best_epoch, options.output / "report" / "history.png",
                 "mean squared error")  # fmt: skip
    return path


def load_stretch_data(options: StretchOptions, progress: Progress) -> tuple[StretchSet, Split]:
    """Examples of every part as the options say."""
    pairs = PairOptions(
        options.fraction, options.pairing, options.reads, options.tells, options.thinnings, options.peak_threshold,
        options.seed,
    )  # fmt: skip
    with open_genome(options.genome) as genome:
        lengths = dict(genome.lengths)
    excluded = [region for text in options.exclude for region in parse_regions(text, lengths).intervals]
    split = Split.of(
        list(lengths), validation=options.validation, test=options.test, left_out=whole_sequences(excluded, lengths)
    )
    data = load_stretches(
        options.deep, lengths, split, pairs, excluded=excluded,
        examples=(options.examples, options.validation_examples, options.test_examples),
        batch_size=options.batch_size, anew=options.redraw, progress=progress,
    )  # fmt: skip
    return data, split


def search_data(options: StretchOptions, stretches: StretchSet) -> dict[str, Any]:
    """What a search depends on beside its recipe: how examples are drawn, and a digest of all values they hold."""
    parts = {name: getattr(stretches, name) for name in ("train", "validation", "test")}
    names = ("fraction", "pairing", "reads", "tells", "thinnings", "batch_size", "redraw")
    settings: dict[str, Any] = {name: getattr(options, name) for name in names}
    return settings | {"examples": [part.number for part in parts.values()], "digest": _digest(parts)}


def _digest(parts: Mapping[str, StretchBatches]) -> str:
    """Of all values, and of where stretches may lie."""
    content = hashlib.sha256()
    for name, part in parts.items():
        content.update(name.encode() + part.places.runs.tobytes())
        for pair in part.pairs:
            for values in (pair.noisy, pair.deep):
                for sequence in sorted(values):
                    content.update(sequence.encode() + np.ascontiguousarray(values[sequence]).tobytes())
    return content.hexdigest()[:16]


def finish_stretch_net(
    net: nn.Module, spec: NetSpec, summary: str, data: StretchSet, split: Split, options: StretchOptions,
    told: Mapping[str, Any], section: Callable[[Mapping[str, Any]], str], progress: Progress,
) -> Path:  # fmt: skip
    """Judge a trained net, export it, and write its report.

    Args:
        net: that is done, in evaluation mode.
        spec: what it is made of.
        summary: the same in words.
        data, split: what it was trained on.
        options: of the run.
        told: figures of how it came about, ``search``.
        section: of the report, on these figures and those of the net.
        progress: told where the model is.
    """
    (options.output / "report").mkdir(parents=True, exist_ok=True)
    net = net.to("cpu")
    figures = {
        "data": _data_figures(data, split), "net": _net_figures(spec), **told,
        **{part: judge_stretches(net, getattr(data, part)) for part in ("validation", "test")},
    }  # fmt: skip
    card = stretch_card(asdict(options), figures, summary)
    saved = SavedModel(_json(spec), dict(net.state_dict()), Calibration(1.0, (0.0,)), card)
    save_model(saved, options.output / "model.pt")
    path = export(saved.build(), card, options.output / "model.onnx")
    write_report(options.output, card, figures, section(figures), options.command)
    progress.note(f"wrote {path}")
    return path


def _json(spec: NetSpec) -> str:
    return json.dumps(spec_to_json(spec))


def _net_figures(spec: NetSpec) -> dict[str, Any]:
    return {"words": str(spec), "parameters": spec.parameters, "spec": spec_to_json(spec)}


def _search_figures(draws: Sequence[Draw], best: int, options: DenoisePaperOptions) -> dict[str, Any]:
    errors = [draw.validation_mse for draw in draws]
    return {
        "kind": options.net, "best": best, "epochs": options.epochs, "mean_mse": sum(errors) / len(errors),
        "draws": [asdict(draw) for draw in draws],
    }  # fmt: skip


def _data_figures(data: StretchSet, split: Split) -> dict[str, Any]:
    parts = ("train", "validation", "test")
    return {
        "fragments": data.fragments, "depth": data.depth,
        "examples": {part: getattr(data, part).number for part in parts},
        "split": {part: list(getattr(split, part)) for part in parts},
    }  # fmt: skip
