"""The options of ``trackgen train binding``, and those that contradict each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from trackgen.errors import UsageError
from trackgen.learn.architectures import ARCHITECTURES
from trackgen.learn.datasets.binding import PEAK_WIDTH
from trackgen.learn.stepping import refuse_precision

__all__ = ["BindingOptions", "CellFiles", "checked"]

WITH_SIGNAL = "binding-thesis"
"""The net for a signal, unless another is asked for."""


@dataclass(frozen=True)
class CellFiles:
    """A cell type to train on, beside the one whose peaks are `BindingOptions.peaks`.

    Attributes:
        name: for people.
        peaks, relaxed: of the factor.
        signal: BigWig.
        regions: peaks of the signal; without, the factor's own.
    """

    name: str
    peaks: Path
    relaxed: Path | None = None
    signal: Path | None = None
    regions: Path | None = None


@dataclass(frozen=True)
class BindingOptions:
    """What to train on, and how; see ``trackgen train binding --help`` for the meaning of each."""

    genome: Path
    peaks: Path
    output: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]
    relaxed: Path | None = None
    ambiguous_as: str = "left-out"
    signal: tuple[str, Path] | None = None
    regions: Path | None = None
    others: int | None = None
    cell: tuple[CellFiles, ...] = ()
    exclude: tuple[str, ...] = ()
    peak_width: int = PEAK_WIDTH
    min_score: float = 0.0
    name: str = "binding"
    title: str = "Transcription-factor binding"
    label: str = "bound"
    data: str = ""
    license: str = ""
    architecture: str = ""
    motifs: Path | None = None
    motif: tuple[str, ...] = ()
    pretrain: Path | None = None
    pretrain_epochs: int | None = None
    epochs: int = 60
    patience: int = 10
    batch_size: int = 256
    learning_rate: float = 5e-3
    precision: str = "fp32"
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    resume: bool = False
    command: str = ""


def checked(options: BindingOptions) -> BindingOptions:
    """With the net for what there is to read, unless another was asked for.

    Raises:
        UsageError: a net that reads a signal, without a signal, or the other way round; an option that nothing uses; a
            precision that the device does not have.
    """
    refuse_precision(options.precision, options.device)
    _refuse_useless(options)
    blind = ARCHITECTURES[WITH_SIGNAL].blind
    fitting = WITH_SIGNAL if options.signal else blind
    plan = ARCHITECTURES.get(options.architecture)
    if plan is None or plan.task != "binding" or bool(plan.blind) == bool(options.signal):
        return replace(options, architecture=options.architecture or fitting)
    named = [
        name
        for name, other in ARCHITECTURES.items()
        if other.task == "binding" and bool(other.blind) != bool(plan.blind)
    ]
    raise UsageError(
        "the net does not fit the data", wanted=", ".join(named),
        found=f"{options.architecture} {'with' if options.signal else 'without'} a signal",
        remedy="leave --architecture out, and give --signal where there is one",
    )  # fmt: skip


def _refuse_useless(options: BindingOptions) -> None:
    """Raises UsageError for an option that would change nothing, or that lacks another."""
    needs = (
        ("--others", options.others is not None, "--regions", options.regions),
        ("--cell", options.cell, "--regions", options.regions),
        ("--motif", options.motif, "--motifs", options.motifs),
        ("--pretrain-epochs", options.pretrain_epochs is not None, "--pretrain", options.pretrain),
    )
    for name, given, other, value in needs:
        if given and value is None:
            raise UsageError(f"{name} needs {other}", remedy=f"give {other} FILE too, or leave {name} out")
    for cell in options.cell:
        if (cell.signal is None) != (options.signal is None):
            raise UsageError(
                f"the cell type {cell.name} {'has no' if cell.signal is None else 'has a'} signal",
                wanted="a signal of every cell type, or of none",
                remedy="--cell NAME=PEAKS,RELAXED,SIGNAL,REGIONS takes it as the third of its files",
            )  # fmt: skip
