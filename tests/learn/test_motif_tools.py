"""Programs of the field read what we write: tfmodisco-lite our arrays, finemo our contribution tracks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trackgen.bigwig.writer import BigWigWriter
from trackgen.genome import reverse_complement
from trackgen.learn.datasets.windows import one_hot
from trackgen.learn.explain.matching import match_motifs, read_motifs
from trackgen.learn.explain.modisco import core_starts, read_patterns, run_modisco, write_arrays

WIDTH, WINDOW = 10, 120
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
