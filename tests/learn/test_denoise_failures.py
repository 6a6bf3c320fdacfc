"""What the seed's authors saw go wrong, on whole tracks of the shipped denoiser: input of zeros, peaks out of place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trackgen
from tests.data import data_file
from trackgen.bigwig import BigWigWriter
from trackgen.genome import open_genome, open_signal
from trackgen.genome.fragments import FragmentOptions
from trackgen.progress import NullProgress
from trackgen.resources import exported_models
from trackgen.signals import Recipe, make_signal

MODEL = exported_models() / "denoise-atac-yeast" / "model.onnx"
NAME, START, END = "chrIV", 400_000, 600_000
REGION = f"{NAME}:{START + 1}-{END}"
NOTHING = np.zeros((0, 2), np.int64)
TENTH = FragmentOptions(fraction=0.1, seed=1001)
REST = FragmentOptions(fraction=0.1, seed=1001, complement=True)
BIN = 25


@pytest.fixture(scope="module")
def genome() -> Path:
    return data_file("genome_yeast/sacCer3.2bit")


@pytest.fixture(scope="module")
def lengths(genome: Path) -> dict[str, int]:
    with open_genome(genome) as opened:
        return dict(opened.lengths)


@pytest.fixture(scope="module")
def tracks(lengths: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tenth of the fragments, and the others."""
    folder, fragments = tmp_path_factory.mktemp("tracks"), data_file("yeast_atac/yeast_500k_SRR1822137.bedpe.gz")
    files = {"input": (folder / "input.bw", TENTH), "truth": (folder / "truth.bw", REST)}
    for path, options in files.values():
        make_signal(fragments, lengths, path, Recipe(fragments=options), NullProgress(), resolution=10)
    return {name: path for name, (path, _) in files.items()}


def values_of(path: Path) -> np.ndarray:
    with open_signal(path) as reader:
        return reader.values(NAME, START, END)


def denoised(genome: Path, signal: Path) -> np.ndarray:
    """The model's signal over the stretch, as `trackgen scan` writes it."""
    return trackgen.open_model(MODEL, threads=1).predict(genome, REGION, signals={"atac": signal})["signal"]


@pytest.fixture(scope="module")
def usual(genome: Path, tracks: dict[str, Path]) -> np.ndarray:
    return denoised(genome, tracks["input"])


def write(path: Path, lengths: dict[str, int], values: np.ndarray) -> Path:
    """A track of one value every 10 bases on the sequence, 0 on all others."""
    with BigWigWriter(path, lengths, stride=10) as writer:
        for name, length in lengths.items():
            row = values if name == NAME else np.zeros(-(-length // 10), np.float32)
            writer.add(name, 0, row.astype(np.float32), NOTHING)
    return path


def test_input_of_zeros_gives_a_track_of_zeros_on_the_whole_sequence(
    genome: Path, lengths: dict[str, int], usual: np.ndarray, tmp_path: Path
) -> None:
    # The paper's Figure 10: even where the deep track has peaks, and whatever the DNA.
    zeros = write(tmp_path / "zeros.bw", lengths, np.zeros(-(-lengths[NAME] // 10)))
    found = denoised(genome, zeros)
    assert np.abs(found).max() <= 1e-3 * np.percentile(usual, 99)


def test_where_the_input_has_nothing_for_the_width_of_a_window_the_track_has_nothing(
    genome: Path, lengths: dict[str, int], tracks: dict[str, Path], usual: np.ndarray, tmp_path: Path
) -> None:
    with open_signal(tracks["input"]) as reader:
        values = reader.values(NAME, 0, lengths[NAME])[::10]
    hole = slice((START + 90_000) // 10, (START + 110_000) // 10)
    values[hole] = 0
    found = denoised(genome, write(tmp_path / "hole.bw", lengths, values))
    reach = 2690 // 2
    assert np.abs(found[90_000 + reach : 110_000 - reach]).max() <= 1e-3 * np.percentile(usual, 99)
    # Elsewhere nothing changes.
    np.testing.assert_allclose(found[: 90_000 - reach], usual[: 90_000 - reach], rtol=1e-4, atol=1e-5)


def test_peaks_that_chance_has_shifted_are_pulled_towards_the_truth(tracks: dict[str, Path], usual: np.ndarray) -> None:
    # The paper's Figure 11: how far a peak's middle (its centre of mass, 250 bp about the summit) is from the truth's.
    shallow, deep, found = (
        row.reshape(-1, BIN).mean(axis=1) for row in (values_of(tracks["input"]), values_of(tracks["truth"]), usual)
    )
    reach = 10
    places = np.arange(-reach, reach + 1) * BIN
    off = []
    for place in np.flatnonzero(deep[:-reach] > 3):
        part = slice(place - reach, place + reach + 1)
        if place < reach or deep[place] < deep[part].max() or not shallow[part].any():
            continue
        middle = [(row[part] * places).sum() / row[part].sum() for row in (deep, shallow, found)]
        off.append([abs(other - middle[0]) for other in middle[1:]])
    before, after = np.array(off).T
    assert len(off) > 30
    shifted = before >= 30
    assert shifted.sum() > 15
    assert after[shifted].mean() < 0.7 * before[shifted].mean()
    assert (after < before)[shifted].mean() > 0.75


def test_an_input_moved_as_a_whole_is_followed_and_no_peak_stays_behind(
    genome: Path, lengths: dict[str, int], tracks: dict[str, Path], usual: np.ndarray, tmp_path: Path
) -> None:
    # A model that knew the sequence's peaks by heart would draw them where they were.
    moved_by = 3_000
    with open_signal(tracks["input"]) as reader:
        values = np.roll(reader.values(NAME, 0, lengths[NAME])[::10], moved_by // 10)
    found = denoised(genome, write(tmp_path / "moved.bw", lengths, values))
    there = np.corrcoef(found[moved_by:], usual[:-moved_by])[0, 1]
    stayed = np.corrcoef(found[moved_by:], usual[moved_by:])[0, 1]
    assert there > 0.8
    assert stayed < 0.3
