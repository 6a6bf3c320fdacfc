"""The best known motif: chosen on training sequences, scored on either strand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import reverse_complement
from trackgen.learn.baselines.motif_scan import best_known_motif, known_motif, log_odds
from trackgen.learn.datasets.motif_files import MotifDatabase
from trackgen.learn.kmer import fit_kmer_model
from trackgen.learn.metrics import auroc

WORD = np.array([2, 0, 3, 3, 0, 1, 0], dtype=np.uint8)


def matrix_of(word: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.eye(4)[:, word] * 0.9 + 0.025


@pytest.fixture(scope="module")
def planted() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Every other sequence has GATTACA in it, on either strand."""
    random = np.random.default_rng(1)
    codes = random.integers(0, 4, (800, 30)).astype(np.uint8)
    labels = np.arange(800) % 2
    for row in np.flatnonzero(labels):
        start = random.integers(0, 23)
        codes[row, start : start + 7] = WORD if random.integers(2) else reverse_complement(WORD)
    return codes, labels


@pytest.fixture(scope="module")
def databases() -> list[MotifDatabase]:
    random = np.random.default_rng(2)
    other = {f"OTHER{i}": matrix_of(random.integers(0, 4, 6).astype(np.uint8)) for i in range(5)}
    half = WORD.copy()
    half[4:] = 2
    first = {"MA1.1 GATTA": matrix_of(half), **other}
    return [MotifDatabase(Path("a.meme"), first), MotifDatabase(Path("b.meme"), {"GATTA.H12": matrix_of(WORD)})]


def test_log_odds_are_of_a_base_against_equal_ones_and_never_infinite() -> None:
    table = log_odds(np.array([[1.0, 0.25], [0.0, 0.25], [0.0, 0.25], [0.0, 0.25]]), 0.01).log_odds
    np.testing.assert_allclose(table[1], 0, atol=1e-12)
    np.testing.assert_allclose(table[0], np.log(np.array([1.01, 0.01, 0.01, 0.01]) / 1.04 * 4))


def test_of_a_factors_motifs_the_one_that_tells_training_sequences_apart_best_is_taken(
    planted: tuple[NDArray[np.uint8], NDArray[np.int64]], databases: list[MotifDatabase]
) -> None:
    codes, labels = planted
    found = known_motif(databases, "gatta", codes[:400], labels[:400])
    assert (found.name, found.database, found.tried) == ("GATTA.H12", "b.meme", 2)
    assert auroc(labels[400:] == 1, found.scores(codes[400:])) > 0.95
    flipped = np.stack([reverse_complement(row) for row in codes])
    np.testing.assert_allclose(found.scores(codes), found.scores(flipped))


def test_without_a_name_the_best_of_all_motifs_is_taken(
    planted: tuple[NDArray[np.uint8], NDArray[np.int64]], databases: list[MotifDatabase]
) -> None:
    found = best_known_motif(databases, *planted)
    assert (found.name, found.tried) == ("GATTA.H12", 7)
    assert found.training_auroc > 0.95


def test_a_factor_without_a_motif_and_motifs_that_are_too_wide_are_told(
    planted: tuple[NDArray[np.uint8], NDArray[np.int64]], databases: list[MotifDatabase]
) -> None:
    codes, labels = planted
    with pytest.raises(DataError, match="no motif has this name") as refusal:
        known_motif(databases, "CTCF", codes, labels)
    assert refusal.value.exit_status == 3
    with pytest.raises(DataError, match="no motif fits into the sequences; found 7 motifs, sequences of 5 bp") as wide:
        best_known_motif(databases, codes[:, :5], labels)
    assert wide.value.exit_status == 3


def test_a_kmer_model_of_both_strands_scores_a_sequence_and_its_reverse_complement_alike(
    planted: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> None:
    codes, labels = planted
    model = fit_kmer_model((codes[:400], labels[:400]), (codes[400:600], labels[400:600]), both_strands=True)
    assert model.weights.shape == (4**model.k + 1, 1)
    flipped = np.stack([reverse_complement(row) for row in codes])
    np.testing.assert_allclose(model.logits(codes), model.logits(flipped), rtol=1e-9)
    assert auroc(labels[600:] == 1, model.logits(codes[600:])[:, 0]) > 0.85
