"""Peaks called on fragments by MACS3, a program of its own, and their signal in bins: the inputs of Fishman and Gurev.

They called peaks on both depths "using MACS2 with a low threshold", and gave each bin of 25 bp "the value of the
maximum signal" in it. Signal is taken for what the seventh column of narrowPeak calls so, the enrichment at a peak's
summit; a bin that no peak touches has 0.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig import BigWigWriter
from trackgen.errors import DataError, UsageError
from trackgen.genome import Interval
from trackgen.genome.fragments import FragmentOptions, Fragments, load_fragments
from trackgen.learn.datasets.bed import BedRow, read_peaks
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.learn.programs import run_program
from trackgen.progress import NullProgress, Progress
from trackgen.signals import refuse_onto_itself

__all__ = [
    "LOW_THRESHOLD",
    "call_peaks",
    "macs3",
    "make_peak_signal",
    "peak_bins",
    "read_signal_peaks",
    "write_peak_signal",
]

LOW_THRESHOLD = 0.01
"""p-value of the weakest peaks; the paper says "low" (ENCODE's relaxed ATAC-seq peaks have the same)."""
LONGEST_MINUTES = 600


def macs3() -> Path:
    """Where the program is: beside this Python, or on the PATH.

    Raises:
        UsageError: it is not installed.
    """
    beside = Path(sys.executable).with_name("macs3")
    found = os.fspath(beside) if os.access(beside, os.X_OK) else shutil.which("macs3")
    if found is None:
        raise UsageError(
            "calling peaks needs the program macs3, which is neither beside this Python nor on the PATH",
            remedy="run `pip install 'trackgen[peaks]'` (it is built from source, which takes minutes), "
            "or `conda install -c bioconda macs3`, or give peaks that were called elsewhere",
        )  # fmt: skip
    return Path(found)


def call_peaks(
    fragments: Mapping[str, Fragments],
    lengths: Mapping[str, int],
    output: Path,
    *,
    threshold: float = LOW_THRESHOLD,
    excluded: Sequence[Interval] = (),
    progress: Progress | None = None,
) -> list[BedRow]:
    """Peaks of fragments as ``macs3 callpeak`` finds them, with their signal; all duplicates are kept.

    Args:
        fragments: of each sequence; sequences that are absent have none.
        lengths: of all sequences of the genome, bp.
        output: the narrowPeak file to write, whole or not at all.
        threshold: p-value of the weakest peaks.
        excluded: fragments that touch these are left out, and their bases of the genome's size.
        progress: is told every minute that it still runs.

    Raises:
        UsageError: the program is not installed.
        DataError: there is no fragment.
        TrackgenError: the program failed.
    """
    program, masks = macs3(), spans_by_name(excluded, lengths)
    size = sum(lengths.values()) - sum(int((spans[:, 1] - spans[:, 0]).sum()) for spans in masks.values())
    with tempfile.TemporaryDirectory(prefix="trackgen-macs3-", dir=output.parent) as folder:
        source, made = Path(folder, "fragments.bed"), Path(folder, "called_peaks.narrowPeak")
        if not _write_fragments(fragments, masks, source):
            raise DataError("there is no fragment to call peaks on")
        words = ["-t", source, "-f", "BEDPE", "-g", size, "-p", threshold, "--keep-dup", "all", "-n", "called",
                 "--outdir", folder, "--tempdir", folder]  # fmt: skip
        run_program(
            [program, "callpeak", *words], name="macs3", made=made, longest_minutes=LONGEST_MINUTES,
            remedy="see that the file holds fragments of ATAC-seq, or give peaks that were called elsewhere",
            progress=progress or NullProgress(),
        )  # fmt: skip
        os.replace(made, output)
    return read_signal_peaks(output, lengths)


def _write_fragments(fragments: Mapping[str, Fragments], masks: Mapping[str, NDArray[np.int64]], path: Path) -> int:
    """Three columns, a line a fragment that touches no mask; returns their number."""
    number = 0
    with open(path, "w") as file:
        for name, own in fragments.items():
            spans = masks[name]
            # the first mask that ends behind a fragment's start begins at or behind its end
            after = np.searchsorted(spans[:, 1], own.start, side="right")
            begins = np.append(spans[:, 0], np.iinfo(np.int64).max)[after]
            free = begins >= own.end
            lines = zip(own.start[free].tolist(), own.end[free].tolist(), strict=True)
            file.writelines(f"{name}\t{start}\t{end}\n" for start, end in lines)
            number += int(free.sum())
    return number


def read_signal_peaks(path: Path, lengths: Mapping[str, int]) -> list[BedRow]:
    """Peaks of a narrowPeak file, each with its signal.

    Raises:
        DataError: as `trackgen.learn.datasets.bed.read_peaks`; a line without a signal.
    """
    peaks = read_peaks(path, lengths)
    for peak in peaks:
        if peak.signal is None:
            raise DataError(
                "a peak has no signal", path=path, place=f"{peak.name}:{peak.start + 1:,}-{peak.end:,}",
                wanted="narrowPeak, with the signal in column 7",
            )  # fmt: skip
    return peaks


def peak_bins(peaks: Sequence[BedRow], lengths: Mapping[str, int], resolution: int) -> dict[str, NDArray[np.float32]]:
    """The largest signal of the peaks that touch each bin: sequence -> float32[ceil(length / resolution)], 0 for none.

    Args:
        peaks: each with a signal.
        lengths: of the sequences, bp.
        resolution: bases in a bin.
    """
    bins = {name: np.zeros(-(-length // resolution), np.float32) for name, length in lengths.items()}
    # later ones overwrite earlier ones, so that the largest come last
    for peak in sorted(peaks, key=lambda peak: peak.signal or 0.0):
        bins[peak.name][peak.start // resolution : -(-peak.end // resolution)] = peak.signal
    return bins


def make_peak_signal(
    source: Path, lengths: Mapping[str, int], target: Path, fragments: FragmentOptions, *,
    threshold: float = LOW_THRESHOLD, excluded: Sequence[Interval] = (), resolution: int = 1, progress: Progress,
) -> None:  # fmt: skip
    """Write the signal of peaks as a BigWig track: of a narrowPeak file, or of peaks that are called on reads.

    Args:
        source: narrowPeak by its name (``.narrowPeak``, ``.narrowPeak.gz``); else BAM, BED, BEDPE or 10x fragments.
        lengths: of the sequences of the genome, bp.
        target: the BigWig file.
        fragments: which of the reads are used.
        threshold, excluded: of `call_peaks`.
        resolution: bases in a bin.
        progress: told how many peaks there are.

    Raises:
        UsageError, DataError, TrackgenError: as `call_peaks` and `read_signal_peaks`.
        ResourceError: the disk is full.
    """
    refuse_onto_itself(source, target)
    if source.name.removesuffix(".gz").endswith(".narrowPeak"):
        peaks = read_signal_peaks(source, lengths)
    else:
        macs3()
        with tempfile.TemporaryDirectory(prefix="trackgen-peaks-") as folder:
            peaks = call_peaks(
                load_fragments(source, lengths, fragments), lengths, Path(folder, "called.narrowPeak"),
                threshold=threshold, excluded=excluded, progress=progress,
            )  # fmt: skip
    progress.note(f"{len(peaks):,} peaks")
    write_peak_signal(peaks, lengths, target, resolution)


def write_peak_signal(peaks: Sequence[BedRow], lengths: Mapping[str, int], path: Path, resolution: int) -> None:
    """`peak_bins` as a BigWig track, 0 where no peak is: what a net that reads the signal of peaks scans.

    Raises:
        ResourceError: the disk is full.
    """
    nothing = np.zeros((0, 2), np.int64)
    bins = peak_bins(peaks, lengths, resolution)
    with BigWigWriter(path, lengths, stride=resolution) as writer:
        for name, values in bins.items():
            writer.add(name, 0, values, nothing)
