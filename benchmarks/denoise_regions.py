"""The paper's Figure 9: shallow, denoised and deep tracks of a few stretches, chosen by rules."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from denoise_models import scan_pair
from denoise_pairs import RECORDS, TEST, Pair, genome_lengths

from trackgen.genome import open_signal
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.peak_calling import read_signal_peaks
from trackgen.plot import PlotOptions, bigwig_source, plot_locus

__all__ = ["draw_regions"]

DEPTH = 0.1
REACH = 3_000
"""bp on either side of a peak's middle."""
CHOSEN = """Chosen by rules on the deep track alone but for the last: about the tenth strongest peak of MACS3 on these
sequences, about the median one, and about the strongest on which the shallow track has nothing at all: there the
model draws nothing either, as in the paper's Figure 10."""


def draw_regions(model: Path, folder: Path) -> None:
    """Draw the stretches, and record which they are."""
    pair = Pair(folder, DEPTH, TEST.seeds[0])
    regions = []
    with tempfile.TemporaryDirectory() as temporary:
        tracks, _ = scan_pair(model, pair, Path(temporary, "scan"), TEST.chroms)
        files = {"shallow": pair.input(), "denoised": tracks["signal"], "deep": pair.truth("rest")}
        links = [Path(temporary, f"{name}.bw") for name in files]
        for link, file in zip(links, files.values(), strict=True):
            link.symlink_to(file.resolve())
        for number, peak in enumerate(_peaks(pair), 1):
            middle = (peak.start + peak.end) // 2
            locus = f"{peak.name}:{max(1, middle - REACH):,}-{middle + REACH:,}"
            picture = RECORDS / f"region-{number}.png"
            plot_locus(locus, bigwig_source(links), [picture], PlotOptions(scale="shared", dpi=110, title=locus))
            regions.append({"locus": locus, "file": picture.name})
    values = {"model": model.parent.name if model.stem == "model" else model.name, "chosen": CHOSEN, "regions": regions}
    (RECORDS / "regions.json").write_text(json.dumps(values, indent=1) + "\n")


def _peaks(pair: Pair) -> list[BedRow]:
    """The three peaks that `CHOSEN` names."""
    peaks = [peak for peak in read_signal_peaks(pair.peaks("rest"), genome_lengths()) if peak.name in TEST.chroms]
    with open_signal(pair.truth("rest")) as deep, open_signal(pair.input()) as shallow:
        heights = [float(deep.values(peak.name, peak.start, peak.end).max()) for peak in peaks]
        empty = [not shallow.values(peak.name, peak.start, peak.end).any() for peak in peaks]
    order = [int(place) for place in np.argsort(heights)[::-1]]
    bare = next((place for place in order if empty[place]), order[-1])
    return [peaks[order[min(9, len(order) - 1)]], peaks[order[len(order) // 2]], peaks[bare]]
