"""Shuffles that are drawn anew in every pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.datasets.reshuffled import ReshuffledBatches


def bound(number: int = 7, length: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 4, (number, length)).astype(np.uint8)


def stream(source: ReshuffledBatches, epochs: range) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Codes and labels of all batches of these epochs."""
    found = [batch for epoch in epochs for batch in source.batches(epoch)]
    return np.concatenate([one[0].argmax(1) for one, _ in found]).astype(np.uint8), np.concatenate(
        [y for _, y in found]
    )


def dinucleotides(codes: NDArray[np.uint8]) -> tuple[int, ...]:
    return tuple(np.bincount(codes[:-1].astype(int) * 4 + codes[1:], minlength=16))


def test_every_pass_has_each_bound_sequence_and_one_shuffle_of_each() -> None:
    own = bound()
    codes, labels = stream(ReshuffledBatches(own, batch_size=7, steps=2, seed=3), range(2))  # two passes of 14
    for part in (slice(0, 14), slice(14, 28)):
        assert sorted(map(tuple, codes[part][labels[part] == 1])) == sorted(map(tuple, own))
        shuffles = sorted(dinucleotides(one) for one in codes[part][labels[part] == 0])
        assert shuffles == sorted(dinucleotides(one) for one in own)
    unbound = {tuple(one) for one in codes[labels == 0]}
    assert len(unbound) == 14, "no shuffle comes twice"


def test_the_stream_is_the_same_however_it_is_cut_into_epochs() -> None:
    own = bound(11)
    whole = stream(ReshuffledBatches(own, batch_size=5, steps=12, seed=2), range(1))
    parts = stream(ReshuffledBatches(own, batch_size=5, steps=3, seed=2), range(4))
    assert (whole[0] == parts[0]).all()
    assert (whole[1] == parts[1]).all()
    assert len(whole[1]) == 60


def test_another_seed_gives_another_stream_and_nothing_gives_nothing() -> None:
    own = bound()
    one, other = (stream(ReshuffledBatches(own, 5, 4, seed), range(1)) for seed in (1, 2))
    assert (one[0] != other[0]).any()
    assert not list(ReshuffledBatches(own[:0], 5, 4, 1).batches(0))
