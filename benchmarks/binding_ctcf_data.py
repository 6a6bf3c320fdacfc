"""What exported_models/binding-ctcf-human is trained, validated and judged on; chromosome 22 is for judging alone."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from binding_sets import human_set
from numpy.typing import NDArray
from processes import data_file

from trackgen.genome import Genome, encode, open_genome
from trackgen.genome.bins import BIN, STRIDE, Peak, label_bins
from trackgen.learn.datasets.sequence_files import read_fasta
from trackgen.learn.datasets.sequences import SequenceSet

__all__ = [
    "JUDGED", "JUDGED_CELLS", "SEEN_CELLS", "VALIDATED", "WINDOW", "Bins", "bins_of", "cell_peaks", "chromosome_of",
    "count_chromosomes", "genome_windows", "labelled_windows", "open_hg19", "peak_file", "shipped_folder", "windows_of",
]  # fmt: skip

SEEN_CELLS = ("A549", "HeLa-S3", "IMR-90", "K562", "MCF-7")
"""Cell types of which peaks on chr20 tell negatives, validate and calibrate."""
JUDGED_CELLS = ("HepG2", "H1-hESC")
"""Cell types of which no peak is read but for judging."""
JUDGED = ("chr22", 16_050_000, 22_000_000)
VALIDATED = ("chr20", 9_995_000, 10_595_000)
NEGATIVE = ("chr20", 10_595_000, 11_095_000)
"""The two parts of the megabase of chr20 that is here: bins to validate and calibrate on, and genomic negatives."""
WINDOW = 101
STEP = 20
"""Bases from one genomic negative to the next."""
MARGIN = 300
"""A genomic negative is no nearer than this to a relaxed peak of a seen cell type, bp."""


def open_hg19() -> Genome:
    """chr20 and chr22 of hg19 in full length, unknown but for the megabases that are here."""
    return open_genome(data_file("human_hg19/hg19_chr20_chr22_part.fa.gz"))


def chromosome_of(place: str) -> str:
    """``chr1`` of ``chr1:2-3``."""
    return place.partition(":")[0]


def labelled_windows() -> SequenceSet:
    """Zeng's CTCF peaks and their shuffles but those of chr20 and chr22, by their headers.

    A shuffle of a peak of chr22 has none of its order, and goes all the same.
    """
    every = human_set("CTCF")
    kept = np.array([chromosome_of(place) not in ("chr20", "chr22") for place in every.places])
    return every.take(kept)


def count_chromosomes(places: Sequence[str]) -> str:
    """``chr1 12, chr2 3`` for people."""
    counted = Counter(map(chromosome_of, places))
    return ", ".join(f"{name} {counted[name]:,}" for name in sorted(counted, key=lambda name: (len(name), name)))


def cell_peaks(kind: str, cell: str, name: str) -> list[Peak]:
    """CTCF peaks of a cell type on chr20 or chr22; `kind` is ``conservative`` or ``relaxed``."""
    path = data_file(f"human_hg19/dream_peaks/TF_{kind}.chr20_chr22_part.narrowPeak_plus_cell.gz")
    with gzip.open(path, "rt") as file:
        rows = [line.split() for line in file]
    strong = kind == "conservative"
    return [
        Peak(int(row[1]), int(row[2]), strong)
        for row in rows
        if row[0] == name and row[3] == "CTCF" and row[10] == cell
    ]


class Bins(NamedTuple):
    """DREAM bins of a stretch, of one cell type: int64[n] starts and int8[n] labels."""

    start: NDArray[np.int64]
    labels: NDArray[np.int8]


def bins_of(genome: Genome, place: tuple[str, int, int], cell: str) -> Bins:
    """The bins of a stretch whose bases are all known."""
    name, start, end = place
    peaks = cell_peaks("conservative", cell, name) + cell_peaks("relaxed", cell, name)
    labels = label_bins(peaks, genome.lengths[name], peak_width=1)
    first = np.arange(-(-start // STRIDE), (end - BIN) // STRIDE + 1) * STRIDE
    # of the stretch alone: the rest of the chromosome is unknown, base by base
    unknown = np.concatenate([[0], np.cumsum(genome.fetch(name, start, end) > 3)])
    first = first[unknown[first - start + BIN] == unknown[first - start]]
    return Bins(first, labels[first // STRIDE])


def windows_of(genome: Genome, name: str, starts: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """uint8[n, width] codes from int64[n] starts on."""
    low, high = int(starts.min()), int(starts.max()) + width
    codes = np.asarray(genome.fetch(name, low, high))
    return np.lib.stride_tricks.sliding_window_view(codes, width)[starts - low]


def genome_windows(genome: Genome) -> NDArray[np.uint8]:
    """Windows of `NEGATIVE` far from every relaxed peak of the seen cell types, and lsgkm's genomic negatives."""
    name, start, end = NEGATIVE
    starts = np.arange(start, end - WINDOW, STEP)
    near = np.zeros(len(starts), dtype=np.bool_)
    for cell in SEEN_CELLS:
        for peak in cell_peaks("relaxed", cell, name) + cell_peaks("conservative", cell, name):
            near |= (starts < peak.end + MARGIN) & (starts + WINDOW > peak.start - MARGIN)
    windows = windows_of(genome, name, starts[~near], WINDOW)
    return np.concatenate([windows[(windows < 4).all(axis=1)], _lsgkm_negatives()])


def _lsgkm_negatives() -> NDArray[np.uint8]:
    """Two windows of each of lsgkm's 236-bp genomic negatives, of GM12878's NFE2, but those of chr20 and chr22."""
    found = []
    for part in ("tr", "test"):
        stem = "human_tf_seqs/lsgkm_nfe2/wgEncodeSydhTfbsGm12878Nfe2hStdAlnRep0"
        for record in read_fasta(data_file(f"{stem}.neg.{part}.fa")):
            if chromosome_of(record.name) not in ("chr20", "chr22"):
                codes = encode(record.letters.upper().encode())
                found += [codes[i : i + WINDOW] for i in range(0, len(codes) - WINDOW, WINDOW)]
    return np.array([codes for codes in found if (codes < 4).all()])


def peak_file(kind: str, cell: str) -> Path:
    """All CTCF peaks of one of `JUDGED_CELLS`; `kind` is ``conservative`` or ``relaxed``."""
    part = "conservative.train" if kind == "conservative" else kind
    return data_file(f"human_hg19/dream_peaks/full/ChIPseq.{cell}.CTCF.{part}.narrowPeak.gz")


def shipped_folder() -> Path:
    """exported_models/binding-ctcf-human."""
    return Path(__file__).parent.parent / "exported_models" / "binding-ctcf-human"
