"""Near-identical windows against sets of words of every pair of windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from trackgen.genome import decode, open_genome, reverse_complement
from trackgen.learn.datasets import near
from trackgen.learn.datasets.near import near_identical, shared_with_one


def words_of(codes: np.ndarray, length: int) -> set[str]:
    found = set()
    for start in range(len(codes) - length + 1):
        both = [decode(codes[start : start + length]), decode(reverse_complement(codes[start : start + length]))]
        if "N" not in both[0]:
            found.add(min(both))
    return found


def slow_share(test: np.ndarray, train: np.ndarray, length: int) -> list[float]:
    """Sets of words, pair by pair."""
    shares = []
    for window in test:
        own = words_of(window, length)
        shares.append(max((len(own & words_of(other, length)) for other in train), default=0) / max(len(own), 1))
    return shares


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 6), st.integers(0, 8), st.integers(1, 6), st.integers(1, 3))
def test_shares_are_those_of_every_pair(seed: int, n: int, m: int, length: int, letters: int) -> None:
    random = np.random.default_rng(seed)
    test = random.integers(0, letters + 1, (n, 12)).astype(np.uint8)
    train = random.integers(0, letters + 1, (m, 15)).astype(np.uint8)
    test[random.random(test.shape) < 0.05] = 4
    if n and m:
        train[0, 2:14] = reverse_complement(test[0])
    wanted = slow_share(test, train, length)
    assert shared_with_one(test, train, length=length).tolist() == wanted
    for share in (0.3, 0.5, 1.0):
        assert near_identical(test, train, share=share, length=length).tolist() == [w >= share for w in wanted]


def test_blocks_and_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    test, train = (random.integers(0, 3, (n, 20)).astype(np.uint8) for n in (9, 25))
    whole = shared_with_one(test, train, length=3)
    monkeypatch.setattr(near, "_WINDOWS_AT_ONCE", 4)
    monkeypatch.setattr(near, "_PAIRS_AT_ONCE", 7)
    assert shared_with_one(test, train, length=3).tolist() == whole.tolist() == slow_share(test, train, 3)


def test_a_copy_with_few_changes_is_found_on_either_strand_and_shifted_by_less_than_half() -> None:
    random = np.random.default_rng(1)
    train = random.integers(0, 4, (200, 101)).astype(np.uint8)
    changed = train[:4].copy()
    changed[:, [20, 50, 80]] = (changed[:, [20, 50, 80]] + 1) % 4
    turned = reverse_complement(train[4:8])
    shifted = np.concatenate([train[8:12, 40:], random.integers(0, 4, (4, 40)).astype(np.uint8)], axis=1)
    others = random.integers(0, 4, (200, 101)).astype(np.uint8)
    unknown = np.full((1, 101), 4, dtype=np.uint8)
    found = near_identical(np.concatenate([changed, turned, shifted, others, unknown]), train)
    assert found[:12].all()
    assert not found[12:].any()


def test_windows_shorter_than_a_word_are_near_nothing() -> None:
    codes = np.zeros((2, 8), dtype=np.uint8)
    assert not near_identical(codes, codes).any()


def test_transposons_of_yeast_are_found_on_other_chromosomes() -> None:
    with open_genome(data_file("genome_yeast/sacCer3.fa.gz")) as genome:
        test, train = (
            np.stack([genome.fetch(name, start, start + 101) for start in range(0, genome.lengths[name], step)])
            for name, step in (("chrIV", 1000), ("chrVII", 51))
        )
    found = near_identical(test, train)
    assert 0.01 < found.mean() < 0.1
