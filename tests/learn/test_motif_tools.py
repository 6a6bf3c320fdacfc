"""Programs of the field read what we write: tfmodisco-lite our arrays, finemo our contribution tracks."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from modiscolite.affinitymat import jaccard
from modiscolite.util import get_2d_data_from_patterns

from tests.data import data_file
from trackgen.bigwig.writer import BigWigWriter
from trackgen.card import add_card, read_card
from trackgen.card.schema import Strands
from trackgen.genome import open_genome, reverse_complement
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.datasets.windows import one_hot
from trackgen.learn.explain.matching import match_motifs
from trackgen.learn.explain.modisco import core_starts, read_patterns, run_modisco, write_arrays
from trackgen.progress import NullProgress
from trackgen.resources import exported_models
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.hypothetical import audible, hypothetical_files
from trackgen.signals import Recipe, make_signal

WIDTH, WINDOW = 10, 120
WINDOWS = 1000
MOTIF = np.array([2, 0, 1, 1, 2, 3, 3, 0, 1, 2], dtype=np.uint8)
"""GACCGTTACG: not its own reverse complement."""


def explained(count: int = 200, window: int = WINDOW, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes (N, L) with a motif on either strand, hypothetical contributions (N, 4, L), and where the motif begins."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (count, window)).astype(np.uint8)
    scores = random.normal(0, 0.02, (count, 4, window)).astype(np.float32)
    places = random.integers(30, window - 40, count)
    for row, place in enumerate(places):
        motif = MOTIF if row % 2 else reverse_complement(MOTIF)
        columns = np.arange(place, place + WIDTH)
        codes[row, columns] = motif
        scores[row][:, columns] -= 0.3
        scores[row, motif, columns] += random.normal(1.2, 0.1, WIDTH).astype(np.float32)
    return codes, scores, places


@pytest.mark.slow
def test_modisco_motifs_reads_the_arrays_and_finds_the_planted_motif(tmp_path: Path) -> None:
    codes, scores, places = explained()
    files = write_arrays(tmp_path / "windows", one_hot(codes), scores)
    assert [path.name for path in files] == ["windows.ohe.npz", "windows.attr.npz"]
    run_modisco(*files, tmp_path / "patterns.h5", window=WINDOW, largest=1000)
    patterns = read_patterns(tmp_path / "patterns.h5")
    assert patterns
    assert patterns[0].name == "positive_0"
    sequence = "".join("ACGT"[base] for base in patterns[0].motif.argmax(axis=0))
    assert "GACCGTTACG" in sequence or "CGTAACGGTC" in sequence
    found = np.concatenate([core_starts(pattern) - places[pattern.seqlets.window] for pattern in patterns])
    # the core may leave out a weak base at an end
    assert np.mean(np.abs(found) <= 1) > 0.95
    by_strand = patterns[0].seqlets.reverse == patterns[0].seqlets.reverse[patterns[0].seqlets.window % 2 == 1][0]
    assert (by_strand == (patterns[0].seqlets.window % 2 == 1)).all()


def similarities(scores: np.ndarray) -> np.ndarray:
    """Every pair of windows' similarity, as tfmodisco-lite has it where it compares patterns: (N, N)."""
    one_hot_windows = one_hot(np.zeros((len(scores), scores.shape[2]), dtype=np.uint8))
    parts = [
        SimpleNamespace(hypothetical_contribs=a.T, contrib_scores=(a * b).T)
        for a, b in zip(scores, one_hot_windows, strict=True)
    ]
    flat = get_2d_data_from_patterns(parts)[0].reshape(len(scores), -1)[:, :, None]
    with np.errstate(invalid="ignore"):
        return np.asarray(jaccard(flat, flat)[:, :, 0])


def test_stretches_that_contribute_nothing_are_no_number_to_modisco_until_they_are_audible() -> None:
    scores = np.random.default_rng(1).normal(0, 1, (6, 4, 30)).astype(np.float32)
    scores[3:] = 0
    before = similarities(scores)
    assert np.isnan(before[3:, 3:]).all()
    assert np.isfinite(before[:3]).all()
    heard = audible(scores, 0)
    after = similarities(heard)
    assert np.isfinite(after).all()
    # silent stretches are like themselves alone, what spoke before speaks as it did
    assert np.abs(after[3:, 3:] - np.diag([1, 1, 1])).max() < 0.35
    assert (after[:3, :3] == before[:3, :3]).all()


def test_only_positions_without_any_score_change_and_in_any_batches_alike() -> None:
    random = np.random.default_rng(2)
    scores = random.normal(0, 1e-9, (9, 4, 50)).astype(np.float32)
    scores[:, :, random.random(50) < 0.5] = 0
    scores[:, 1] = 0
    scores[0], scores[1] = 1, -0.0
    silent = (scores == 0).all(axis=1)
    heard = audible(scores, 0)
    assert silent.any()
    assert (np.abs(heard.transpose(0, 2, 1)[silent]) == np.float32(1e-12)).all()
    assert (heard.transpose(0, 2, 1)[~silent] == scores.transpose(0, 2, 1)[~silent]).all()
    assert (np.concatenate([audible(scores[:4], 0), audible(scores[4:], 4)]) == heard).all()


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("strands", ["average", "forward"])
def test_modisco_motifs_reads_the_files_of_a_scan_as_they_are(tmp_path: Path, strands: Strands) -> None:
    """Of `reb1-yeast`, a third of whose scores are zeros; half of them where only one strand is read."""
    shipped, model = exported_models() / "reb1-yeast" / "model.onnx", tmp_path / "reb1.onnx"
    add_card(shipped, dataclasses.replace(read_card(shipped), strands=strands), model)
    file = data_file("genome_yeast/sacCer3.2bit")
    with open_genome(file) as genome:
        lengths = dict(genome.lengths)
    fragments = data_file("yeast_atac/yeast_500k_SRR1822137.bedpe.gz")
    make_signal(fragments, lengths, tmp_path / "atac.bw", Recipe(), NullProgress())
    peaks = read_peaks(data_file("yeast_tf/Reb1.chexmix.sacCer3.bed.gz"), lengths)
    # two windows overhang their sequence
    rows = [("chrI", 0, 1), ("chrM", 0, 1), *((row.name, row.start, row.end) for row in peaks[:WINDOWS])]
    (tmp_path / "regions.bed").write_text("".join(f"{name}\t{start}\t{end}\n" for name, start, end in rows))
    prefix = tmp_path / "reb1"
    options = ScanOptions(
        models=(str(model),), genome=file, output=tmp_path / "out", contrib=("bound",), centred=True,
        regions=(str(tmp_path / "regions.bed"),), signals=(("atac", tmp_path / "atac.bw"),), hypothetical=prefix,
    )  # fmt: skip
    run_scan(options, NullProgress())
    files = hypothetical_files(prefix)
    with np.load(files[1]) as read:
        silent = (np.abs(read["arr_0"]) == np.float32(1e-12)).all(axis=1)
    assert silent.mean() > (0.25 if strands == "average" else 0.45)
    run_modisco(*files, tmp_path / "patterns.h5", window=1000, largest=1000)
    motif = read_patterns(tmp_path / "patterns.h5")[0].motif
    sequence = "".join("ACGT"[base] for base in motif.argmax(axis=0))
    assert "TTACCCG" in sequence or "CGGGTAA" in sequence


@pytest.mark.slow
def test_tomtom_names_a_motif_that_the_database_holds(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    text = "MEME version 4\n\nALPHABET= ACGT\n\n"
    names = [f"M{number}" for number in range(60)]
    matrices = [random.dirichlet([0.2] * 4, 12) for _ in names]
    for name, matrix in zip(names, matrices, strict=True):
        rows = "".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in matrix)
        text += f"MOTIF {name} NA\n\nletter-probability matrix: alength= 4 w= 12 nsites= 20 E= 0\n{rows}\n"
    (tmp_path / "db.meme").write_text(text)
    found = match_motifs(
        [matrices[7].T[:, 2:11], matrices[9].T[::-1, ::-1]], read_motifs(tmp_path / "db.meme")
    )  # fmt: skip
    assert [(matches[0].name, matches[0].reverse) for matches in found] == [("M7", False), ("M9", True)]
    assert all(match.e_value == pytest.approx(60 * match.p_value) for matches in found for match in matches)


@pytest.mark.slow
def test_finemo_reads_a_contribution_track(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    codes = random.integers(0, 4, 3000).astype(np.uint8)
    values = random.normal(0, 1, 3000).astype(np.float32)
    letters = "".join("ACGT"[code] for code in codes)
    (tmp_path / "genome.fa").write_text(f">one\n{letters}\n")
    # as a scan's contribution tracks are: base resolution, gaps where the letter is unknown
    with BigWigWriter(tmp_path / "m.hit.contrib.bw", {"one": 3000}, stride=1) as writer:
        writer.add("one", 0, values, np.array([[1010, 1012]], dtype=np.int64))
    rows = ["one\t900\t1100\ta\t0\t.\t1\t-1\t-1\t100", "one\t1500\t1700\tb\t0\t.\t1\t-1\t-1\t50"]
    (tmp_path / "peaks.narrowPeak").write_text("".join(row + "\n" for row in rows))
    done = subprocess.run(
        [
            sys.executable, "-m", "finemo", "extract-regions-bw", "-p", "peaks.narrowPeak", "-f", "genome.fa",
            "-b", "m.hit.contrib.bw", "-o", "out.npz", "-w", "100",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz", allow_pickle=True) as read:
        sequences, contributions = read["sequences"], read["contributions"]
    expected = values.copy()
    expected[1010:1012] = 0
    for row, summit in enumerate((1000, 1550)):
        window = slice(summit - 50, summit + 50)
        assert (np.asarray(sequences[row]) == one_hot(codes[None, window])[0]).all()
        # finemo stores float16
        assert np.allclose(contributions[row], expected[window], rtol=1e-3, atol=1e-4)
