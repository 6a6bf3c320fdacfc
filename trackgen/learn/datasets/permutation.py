"""The i-th number of a random order of 0..N-1, without holding the order: a shuffled pass over data of any size.

A Feistel network of four rounds over the smallest even number of bits that holds N numbers is a bijection whatever its
round function; what falls beyond N goes through it again until it does not (cycle walking; Black & Rogaway 2002,
doi:10.1007/3-540-45760-7_9). At most three in four numbers lie beyond N, so that few walk long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["permuted"]

ROUNDS = 4
_MULTIPLIERS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)


def permuted(index: NDArray[np.int64], number: int, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Where the order that `seed` draws takes each index.

    Args:
        index: int64[n], each in [0, number).
        number: N.
        seed: the same gives the same order.

    Returns:
        int64[n], each in [0, number); different indices go to different numbers.
    """
    half = max(1, (max(number - 1, 1).bit_length() + 1) // 2)
    keys = np.random.SeedSequence(list(seed)).generate_state(ROUNDS, np.uint64).astype(np.uint64)
    values = index.astype(np.uint64)
    beyond = np.arange(len(values))
    while len(beyond):
        values[beyond] = _network(values[beyond], half, keys)
        beyond = beyond[values[beyond] >= np.uint64(number)]
    return values.astype(np.int64)


def _network(values: NDArray[np.uint64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    low = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & low
    for key in keys:
        left, right = right, left ^ (_mixed(right + key) & low)
    return (left << np.uint64(half)) | right


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195)."""
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        bits = (bits ^ (bits >> np.uint64(shift))) * multiplier
    return bits ^ (bits >> np.uint64(31))
