"""The nets of Fishman and Gurev by random search on yeast, and their inputs against binned coverage.

    TRACKGEN_DATA=... python benchmarks/denoise_paper.py run [--folder DIR] [--only NAME] [--draws 10] [--epochs 20] ...
    python benchmarks/denoise_paper.py report

`run` trains what is not on record yet (`trackgen train denoise-paper`, one process after the other) and keeps each run
in a folder of its own below DIR, where it goes on after a kill; DIR/NAME/model.onnx is what `benchmarks/denoise.py run
--models` scans. Peaks need macs3 beside Python or on the PATH. One record each goes to
docs/benchmarks/denoise/paper.jsonl; `report` (and `run`, at its end) makes of them the texts of
docs/benchmarks/denoise/inputs.json, which docs/benchmarks/denoise.md shows.

A record holds

* ``name`` (of the run), ``net`` (kind), ``reads`` and ``tells`` (``coverage`` or ``peaks``), ``fraction``, ``pairing``;
* the budget: ``draws``, ``epochs``, ``examples``, ``thinnings``, ``seed``;
* ``sizes`` and ``parameters`` of the draw that was kept, ``mean_mse``: over draws, on validation;
* ``validation``, ``test``: ``mse``, ``explained`` (one minus the error's share of the truth's variance), ``pearson``
  over the bins of stretches; ``input``: the same of the input as it is, on test, null where it has another unit;
* ``peaks``: ``auroc`` and ``auprc`` of the test bins that peaks of the deep data touch, by the net's value, and
  ``by_input``: the same by the input as it is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from denoise_pairs import FRAGMENTS, GENOME, MITOCHONDRION, RECORDS, RIBOSOMAL, TEST, VALIDATION, genome_lengths, masks
from numpy.typing import NDArray
from processes import data_file, trackgen

from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.stretch_data import PairOptions, load_stretches
from trackgen.learn.datasets.stretches import CENTRE, FLANK
from trackgen.learn.denoise_paper_task import DenoisePaperOptions
from trackgen.learn.figures import rounded
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.saved import load_saved
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.learn.tss_report import markdown_table
from trackgen.progress import NullProgress

WORK = Path("denoise-work")
PAPER = RECORDS / "paper.jsonl"
INPUTS = RECORDS / "inputs.json"
FRACTION = 0.1
HELD_OUT = (DenoisePaperOptions.validation_examples, DenoisePaperOptions.test_examples)
RUNS = {
    "conv1d": ("conv1d", "coverage", "coverage"),
    "conv2d": ("conv2d", "coverage", "coverage"),
    "hilbert2d": ("hilbert", "coverage", "coverage"),
    "hilbert-peaks": ("hilbert", "peaks", "peaks"),
    "hilbert-peaks-coverage": ("hilbert", "peaks", "coverage"),
    "hilbert-coverage-peaks": ("hilbert", "coverage", "peaks"),
    "hilbert-final": ("hilbert-final", "coverage", "coverage"),
}
"""Name of a run -> kind of net, what it reads, what it tells."""


def run(options: argparse.Namespace) -> None:
    """Train what is not on record."""
    done = {record["name"] for record in read_records(PAPER)}
    for name in [name for name in options.only or RUNS if name not in done]:
        folder = options.folder / name
        trackgen(_command(name, folder, options))
        record = _record(name, folder, options)
        RECORDS.mkdir(parents=True, exist_ok=True)
        append_record(PAPER, rounded(record))
        print(f"{name}: test MSE {record['test']['mse']:.4f}, r {record['test']['pearson']:.4f}", flush=True)


def _command(name: str, folder: Path, options: argparse.Namespace) -> list[str]:
    net, reads, tells = RUNS[name]
    chromosome, first, last = RIBOSOMAL
    words = {
        "deep": data_file(FRAGMENTS), "genome": data_file(GENOME), "validation": ",".join(VALIDATION.chroms),
        "test": ",".join(TEST.chroms), "fraction": FRACTION, "net": net, "reads": reads, "tells": tells,
        "draws": 1 if name == "hilbert-final" else options.draws, "epochs": options.epochs,
        "examples": options.examples, "thinnings": options.thinnings, "seed": options.seed, "threads": options.threads,
        "output": folder,
    }  # fmt: skip
    excluded = ["--exclude", MITOCHONDRION, "--exclude", f"{chromosome}:{first + 1}-{last}"]
    given = [text for key, value in words.items() for text in (f"--{key}", str(value))]
    return ["train", "denoise-paper", *given, *excluded, "--redraw", "--resume", "--quiet"]


def _record(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    net, reads, tells = RUNS[name]
    figures = json.loads((folder / "report" / "metrics.json").read_text())
    search = figures["search"]
    kept = search["draws"][search["best"]]
    return {
        "name": name, "net": net, "reads": reads, "tells": tells, "fraction": FRACTION, "pairing": "complement",
        "draws": len(search["draws"]), "epochs": options.epochs, "examples": options.examples,
        "thinnings": options.thinnings, "seed": options.seed, "sizes": kept["sizes"],
        "parameters": kept["parameters"], "mean_mse": search["mean_mse"], "validation": figures["validation"]["net"],
        "test": figures["test"]["net"], "input": figures["test"]["input"] if reads == tells else None,
        "peaks": _peak_figures(folder, reads, options.seed),
    }  # fmt: skip


def _peak_figures(folder: Path, reads: str, seed: int) -> dict[str, Any]:
    """How a net ranks the test bins that peaks of the deep data touch, and how its input does."""
    lengths = genome_lengths()
    split = Split.of(
        list(lengths), validation=VALIDATION.chroms, test=TEST.chroms, left_out=[MITOCHONDRION]
    )  # fmt: skip
    data = load_stretches(
        data_file(FRAGMENTS), lengths, split, PairOptions(FRACTION, reads=reads, tells="peaks", seed=seed),
        excluded=masks(lengths), examples=(1, *HELD_OUT), progress=NullProgress(),
    )  # fmt: skip
    net = load_saved(folder / "model.pt").build()
    told, noisy, truth = [], [], []
    with torch.no_grad():
        for (values,), deep in data.test.batches(0):
            told.append(net(torch.from_numpy(values)).numpy().ravel())
            noisy.append(values[:, :, FLANK : FLANK + CENTRE].ravel())
            truth.append(deep.ravel() > 0)
    return {**_areas(truth, told), "by_input": _areas(truth, noisy), "share": float(np.concatenate(truth).mean())}


def _areas(truth: Sequence[NDArray[np.bool_]], scores: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    labels, values = np.concatenate(truth), np.concatenate(scores).astype(np.float64)
    return {"auroc": auroc(labels, values), "auprc": auprc(labels, values)}


def document(records: Sequence[dict[str, Any]]) -> str:
    """The text about the paper's nets and inputs."""
    if not records:
        return ""
    newest = {record["name"]: record for record in records}
    first = next(iter(newest.values()))
    budgets = f"""Random search of {first["draws"]} draws, each trained for {first["epochs"]} epochs of
{first["examples"]:,} stretches (the paper: 10 draws, 20 epochs of 9,265), Adam, {first["thinnings"]} draws of
fragments; `hilbert-final` has one draw. Figures are over the bins of {HELD_OUT[1]} stretches of the test
chromosomes, and of {HELD_OUT[0]} of validation, one thinning each; the best draw is chosen on validation."""
    return "\n\n".join([budgets, _errors(newest), _inputs(newest)])


def _errors(records: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, record in records.items():
        sizes = record["sizes"]
        rows.append([
            f"`{name}`", record["reads"], record["tells"],
            f"{sizes['width']} / {sizes['filters']} / {sizes['hidden']}", f"{record['mean_mse']:.3f}",
            f"{record['validation']['mse']:.3f}", f"{record['test']['mse']:.3f}",
            "" if record["input"] is None else f"{record['input']['mse']:.3f}",
        ])  # fmt: skip
    header = ["run", "reads", "tells", "width / filters / hidden", "validation MSE, mean over draws",
              "validation MSE", "test MSE", "its input's test MSE"]  # fmt: skip
    return f"""Coverage is fold over its mean, peaks are MACS3's signal: errors compare within a unit only.

{markdown_table(header, rows)}"""


def _inputs(records: dict[str, dict[str, Any]]) -> str:
    rows = [
        [f"`{name}`", record["reads"], record["tells"],
         *(f"{record['test'][key]:.3f}" for key in ("explained", "pearson")),
         *(f"{record['peaks'][key]:.3f}" for key in ("auroc", "auprc")),
         f"{record['peaks']['by_input']['auprc']:.3f}"]
        for name, record in records.items()
    ]  # fmt: skip
    share = next(iter(records.values()))["peaks"]["share"]
    header = ["run", "reads", "tells", "explained", "Pearson's r", "AUROC", "AUPRC", "its input's AUPRC"]
    return f"""Across units: the share of the truth's variance that is explained, and how well the net's value finds the
bins that peaks of the deep data touch ({share:.1%} of them):

{markdown_table(header, rows)}"""


def main() -> None:
    """Run one of the sub-commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run")
    command.add_argument("--folder", type=Path, default=WORK)
    command.add_argument("--only", nargs="*", choices=RUNS)
    for name, value in (
        ("draws", 10),
        ("epochs", 20),
        ("examples", 9265),
        ("thinnings", 1),
        ("seed", 1),
        ("threads", 1),
    ):
        command.add_argument(f"--{name}", type=int, default=value)
    commands.add_parser("report")
    options = parser.parse_args()
    if options.command == "run":
        run(options)
    INPUTS.write_text(json.dumps({"text": document(read_records(PAPER))}, indent=1) + "\n")


if __name__ == "__main__":
    main()
