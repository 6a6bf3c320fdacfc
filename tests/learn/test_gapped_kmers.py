"""The gapped k-mer machine: held against comparing every pair of l-mers, against LIBSVM, and against lsgkm itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.data import data_file
from trackgen.errors import UsageError
from trackgen.genome import reverse_complement
from trackgen.learn.baselines.gapped_kmer import (
    _Kernel,
    fit_gapped_kmer_machine,
    mismatch_weights,
)  # fmt: skip
from trackgen.learn.datasets.sequence_files import read_fasta
from trackgen.learn.kmer import kmer_indices
from trackgen.learn.metrics import auroc

Codes = NDArray[np.uint8]


def filter_by_least_squares(length: int, informative: int) -> NDArray[np.float64]:
    """The estimate of l-mer counts from all gapped k-mer counts, float64[4^l, 4^l], by the pseudoinverse."""
    words = np.array(list(itertools.product(range(4), repeat=length)))
    rows = [
        (words[:, places] == letters).all(axis=1)
        for places in map(list, itertools.combinations(range(length), informative))
        for letters in itertools.product(range(4), repeat=informative)
    ]
    table = np.array(rows, dtype=np.float64)
    return np.asarray(np.linalg.pinv(table) @ table)


def known_words(codes: Codes, length: int) -> Codes:
    words = np.lib.stride_tricks.sliding_window_view(codes, length)
    return words[(words < 4).all(axis=1)]


def kernel_by_pairs(first: Codes, second: Codes, weights: NDArray[np.float64]) -> float:
    """Every l-mer of one sequence against every l-mer of the other and of its reverse complement."""
    length = len(weights) - 1
    other = np.concatenate([known_words(strand, length) for strand in (second, reverse_complement(second))])
    return float(weights[(known_words(first, length)[:, None] != other).sum(axis=2)].sum())


def normalised(codes: Codes, other: Codes, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    own = [kernel_by_pairs(row, row, weights) ** 0.5 for row in codes]
    others = [kernel_by_pairs(row, row, weights) ** 0.5 for row in other]
    raw = [[kernel_by_pairs(a, b, weights) for b in other] for a in codes]
    return np.array(raw) / np.outer(own, others)


def planted(number: int, length: int, seed: int) -> tuple[Codes, NDArray[np.int64]]:
    """Sequences of which every other one has GATTACA in it, on either strand."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (number, length)).astype(np.uint8)
    labels = np.arange(number) % 2
    word = np.array([2, 0, 3, 3, 0, 1, 0], dtype=np.uint8)
    for row in np.flatnonzero(labels):
        start = random.integers(0, length - 7)
        codes[row, start : start + 7] = word if random.integers(2) else reverse_complement(word)
    return codes, labels


@pytest.mark.parametrize(("length", "informative"), [(2, 1), (3, 2), (4, 2), (4, 3), (4, 4)])
def test_the_weights_of_mismatches_are_the_truncated_least_squares_filter_applied_twice(
    length: int, informative: int
) -> None:
    words = np.array(list(itertools.product(range(4), repeat=length)))
    mismatches = (words[:, None] != words).sum(axis=2)
    full = filter_by_least_squares(length, informative)
    of_mismatch = np.array([full[mismatches == m].mean() for m in range(length + 1)])
    assert all(np.ptp(full[mismatches == m]) < 1e-9 for m in range(length + 1))
    # rounding of the pseudoinverse is no sign: exact zeros come out as 1e-17
    end = next((m for m in range(length + 1) if of_mismatch[m] <= 1e-12), length + 1)
    truncated = np.where(mismatches < end, of_mismatch[mismatches], 0)
    twice = truncated @ truncated
    wanted = np.array([twice[mismatches == m].mean() for m in range(length + 1)])
    np.testing.assert_allclose(mismatch_weights(length, informative, length), wanted / wanted[0], atol=1e-9)


def test_weights_of_gkmsvms_defaults_are_lsgkms() -> None:
    # what lsgkm's own recurrence gives for l = 10, k = 6, d = 3 (calc_gkm_kernel_lmerest_wt), divided by the first
    wanted = [1, 0.32862833, 0.0881524, 0.01638518, *[0] * 7]
    np.testing.assert_allclose(mismatch_weights(10, 6, 3), wanted, rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 5), st.integers(1, 3), st.integers(0, 5), st.floats(0, 0.3))
def test_multiplying_in_the_space_of_l_mers_is_comparing_all_pairs(
    seed: int, length: int, informative: int, mismatches: int, unknown: float
) -> None:
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (3, 12)).astype(np.uint8)
    codes[random.random(codes.shape) < unknown] = 4
    weights = mismatch_weights(length, informative, min(mismatches, length))
    kernel = _Kernel(length, weights)
    index = kmer_indices(codes, length)
    counts = np.bincount(index[0], minlength=4**length + 1)[:-1].astype(np.float64)
    spread = np.append(kernel.spread(counts), 0.0)
    wanted = [kernel_by_pairs(row, codes[0], weights) for row in codes]
    # sums of up to 200 products of order 1, in float64
    np.testing.assert_allclose(spread[index].sum(axis=1), wanted, atol=1e-10)
    own = [kernel_by_pairs(row, row, weights) for row in codes]
    np.testing.assert_allclose(kernel.norms(index) ** 2, np.maximum(own, 1e-12), atol=1e-10)


def test_the_machine_decides_as_libsvm_does_on_the_kernel_of_all_pairs() -> None:
    from sklearn.svm import SVC

    codes, labels = planted(80, 24, 1)
    train, test = slice(0, 60), slice(60, 80)
    weights = mismatch_weights(5, 4, 3)
    oracle = SVC(kernel="precomputed", C=1.0).fit(normalised(codes[train], codes[train], weights), labels[train])
    wanted = oracle.decision_function(normalised(codes[test], codes[train], weights))
    machine = fit_gapped_kmer_machine(codes[train], labels[train], length=5, informative=4, mismatches=3)
    found = machine.scores(codes[test])
    # the offset is penalised here and is not there; with as many of either class it is small
    assert np.corrcoef(found, wanted)[0, 1] > 0.999
    assert np.abs(found - wanted).max() < 0.1
    assert (machine.positives, machine.negatives) == (30, 30)
    assert 0 < machine.support <= 60


def test_a_sequence_and_its_reverse_complement_score_alike() -> None:
    codes, labels = planted(200, 40, 2)
    machine = fit_gapped_kmer_machine(codes, labels, length=6, informative=4)
    other = np.stack([reverse_complement(row) for row in codes])
    np.testing.assert_allclose(machine.scores(codes), machine.scores(other), rtol=1e-9)


def test_the_machine_finds_a_planted_word_and_shuts_its_eyes_to_unknown_bases() -> None:
    codes, labels = planted(600, 40, 3)
    machine = fit_gapped_kmer_machine(codes[:400], labels[:400], length=7, informative=5)
    assert auroc(labels[400:] == 1, machine.scores(codes[400:])) > 0.95
    blind = np.full((1, 40), 4, dtype=np.uint8)
    assert machine.scores(blind) == pytest.approx([machine.offset])


def test_no_more_than_so_many_of_either_class_are_drawn_and_the_seed_draws_them() -> None:
    codes, labels = planted(300, 30, 4)
    machines = [
        fit_gapped_kmer_machine(codes, labels, length=5, informative=4, most=50, seed=seed) for seed in (1, 1, 2)
    ]
    assert {(machine.positives, machine.negatives) for machine in machines} == {(50, 50)}
    np.testing.assert_array_equal(machines[0].weights, machines[1].weights)
    assert not np.allclose(machines[0].weights, machines[2].weights)


@pytest.mark.parametrize(
    "wrong", [{"length": 13}, {"length": 5, "informative": 6}, {"informative": 0}, {"mismatches": -1}, {"length": 0}]
)
def test_l_k_and_mismatches_that_do_not_go_together_are_refused(wrong: dict[str, int]) -> None:
    codes, labels = planted(20, 30, 5)
    with pytest.raises(UsageError, match=r"no gapped k-mers; found l .*; wanted 1 <= k <= l <= 12") as refusal:
        fit_gapped_kmer_machine(codes, labels, **wrong)
    assert refusal.value.exit_status == 2


def test_a_set_of_one_class_is_refused() -> None:
    codes, _ = planted(20, 30, 6)
    with pytest.raises(UsageError, match=r"one of the classes is absent; found no sequence with label 0") as refusal:
        fit_gapped_kmer_machine(codes, np.ones(20, dtype=np.int64), length=5, informative=4)
    assert refusal.value.exit_status == 2


@pytest.mark.data
@pytest.mark.slow
def test_scores_are_those_that_lsgkm_gave_for_its_own_example() -> None:
    stem = "human_tf_seqs/lsgkm_nfe2/wgEncodeSydhTfbsGm12878Nfe2hStdAlnRep0."

    def codes_of(name: str) -> Codes:
        letters = [record.letters.upper() for record in read_fasta(data_file(stem + name))]
        codes = np.full((len(letters), 250), 4, dtype=np.uint8)  # shorter ones end in unknown bases
        for row, text in zip(codes, letters, strict=True):
            row[: len(text)] = ["ACGTN".index(letter) for letter in text]
        return codes

    bound, unbound = codes_of("tr.fa"), codes_of("neg.tr.fa")
    labels = np.repeat([1, 0], [len(bound), len(unbound)]).astype(np.int64)
    machine = fit_gapped_kmer_machine(np.concatenate([bound, unbound]), labels)
    found = machine.scores(np.concatenate([codes_of("test.fa"), codes_of("neg.test.fa")]))
    lines = [
        line for name in ("test.pred.txt", "neg.test.pred.txt")
        for line in data_file(stem + name).read_text().splitlines()
    ]  # fmt: skip
    wanted = np.array([float(line.split()[1]) for line in lines])
    assert np.corrcoef(found, wanted)[0, 1] > 0.99999
    # both solvers stop at a violation of 1e-3
    assert np.abs(found - wanted).max() < 0.02
