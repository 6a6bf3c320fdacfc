"""Shuffled sequences that keep every dinucleotide: references that look like the genome and say nothing.

The bases of a run are vertices, its n - 1 pairs of neighbours are edges, the run is an Euler path over them. Every
Euler path over the same edges has the same dinucleotides, the same first base and the same last. To draw one with
equal chances for all (Altschul & Erickson 1985, Mol. Biol. Evol. 2:526; as in uShuffle, Jiang et al. 2008,
doi:10.1186/1471-2105-9-192):

1. choose the edge by which each base but the last one is left for the last time: a tree towards the last base, each
   tree of single edges with equal chances. Over four vertices there are 16 trees, so they are counted out, each with
   the product of its edges' numbers, and one is drawn: nothing to reject, nothing to walk at random.
2. bring the other edges of each base in random order, the chosen one behind them;
3. walk from the first base, taking the edges of each base in that order.

All is computed for many runs at once. Random numbers are those of SplitMix64 (Steele, Lea & Flood 2014,
doi:10.1145/2660193.2660195), which can be asked for the i-th number of a seed directly: what a row becomes depends on
the row and its seed alone, and is the same on every machine. Bases are codes: 0 to 3, and 4 for unknown.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trackgen.genome.codes import UNKNOWN

__all__ = ["BLOCK", "block_span", "shuffle_in_place", "shuffle_windows"]

BLOCK = 500
"""Bases of a block that `shuffle_in_place` shuffles by itself, bp: long enough to break up motifs, short enough to keep
the composition of the place."""

LONGEST_FIXED = 3
"""A run of so many bases has no other order: the first and the last stay, so the one between them does."""
RUNS_AT_ONCE = 1024
"""Runs that are walked together: enough to hide numpy's cost of a call, few enough for the caches."""

_Codes = NDArray[np.uint8]
_Bits = NDArray[np.uint64]
_Indices = NDArray[np.intp]

_GAMMA = 0x9E3779B97F4A7C15
_TREES = 0xD1B54A32D192ED03
"""Parts the numbers that choose trees from those that order edges; an arbitrary odd number."""
_WORD = (1 << 64) - 1

# A sort key of an edge: the base it leaves, whether it is that base's last edge, random bits, the base it leads to.
_FROM_SHIFT = np.uint64(62)
_LAST = np.uint64(1 << 61)
_RANDOM = np.uint64((1 << 61) - 4)
_TO = np.uint64(3)
_BEHIND_ALL = np.uint64(_WORD)


def _trees_towards_each_base() -> NDArray[np.intp]:
    """intp[4, 16, 4]: [root, tree, base] is where the tree's edge from the base leads; 4, nowhere, for the root."""
    trees: list[list[tuple[int, ...]]] = []
    for root in range(4):
        choices = [[UNKNOWN] if base == root else [other for other in range(4) if other != base] for base in range(4)]
        trees.append([tree for tree in itertools.product(*choices) if all(_leads(tree, base) for base in range(4))])
    return np.array(trees, np.intp)


def _leads(tree: tuple[int, ...], base: int) -> bool:
    """Whether the edges from `base` onwards end at the root; from any other base they go round for ever."""
    for _ in range(4):
        base = tree[base] if base < UNKNOWN else base
    return base == UNKNOWN


_TREES_TOWARDS = _trees_towards_each_base()


def shuffle_windows(codes: _Codes, seeds: NDArray[np.int64] | _Bits) -> _Codes:
    """Shuffle every row by its own seed, keeping dinucleotides.

    Every run of known bases between unknown ones is shuffled by itself: it keeps its place, its number of each of the
    16 dinucleotides (so of each base too), its first base and its last; all orders that do have equal chances, as far
    as 53 random bits can tell. Unknown bases stay where they are. A row's result depends on its codes and its seed
    alone.

    Args:
        codes: uint8[B, L], 0 to 4.
        seeds: int64[B] or uint64[B], any values; equal seeds give equal rows equal results.

    Returns:
        uint8[B, L]: a new array.

    Raises:
        ValueError: the shapes do not fit each other, or a code is above 4.
    """
    if codes.ndim != 2 or seeds.shape != codes.shape[:1]:
        raise ValueError(f"codes {codes.shape} and seeds {seeds.shape} are not (B, L) and (B,)")
    if codes.size and codes.max() > UNKNOWN:
        raise ValueError(f"codes go from 0 to {UNKNOWN}; {codes.max()} is among them")
    shuffled = codes.copy()
    states = _mixed(seeds.astype(np.uint64))
    for rows, starts, lengths in _batches(*_known_runs(codes)):
        columns = starts[:, None] + np.arange(lengths[0])
        inside = columns < (starts + lengths)[:, None]
        places = rows[:, None] * codes.shape[1] + np.where(inside, columns, starts[:, None])
        runs = np.where(inside, codes.reshape(-1)[places], UNKNOWN).astype(np.uint8, copy=False)
        trees = _numbers(_mixed(states[rows] ^ np.uint64(_TREES)), starts)
        edges = _numbers(states[rows][:, None], columns)
        walked = _shuffled(runs, lengths, trees, edges)
        shuffled.reshape(-1)[places[inside]] = walked[inside]
    return shuffled


def block_span(start: int, end: int) -> tuple[int, int]:
    """The whole blocks that cover [start, end): the stretch to read for `shuffle_in_place`, bp, 0-based half-open."""
    return start // BLOCK * BLOCK, -(-end // BLOCK) * BLOCK


def shuffle_in_place(codes: _Codes, name: str, start: int, number: int) -> _Codes:
    """A stretch of the `number`-th shuffled genome: every block of 500 bp shuffled by itself, keeping dinucleotides.

    Block k is [500 k, 500 (k + 1)) of the sequence `name`, 0-based; its seed is made of `name`, k and `number`. So a
    base of the shuffled genome is the same whatever stretch it is asked for in. As the ends of blocks stay, the
    dinucleotides across borders do too. Genomes that call a sequence by another name are shuffled otherwise.

    Args:
        codes: uint8[T], 0 to 4; 4 beyond the ends of the sequence. T is a multiple of 500.
        name: the sequence's name.
        start: where the stretch begins, bp, a multiple of 500; may be negative.
        number: which shuffled genome.

    Returns:
        uint8[T]: a new array.

    Raises:
        ValueError: the stretch cuts a block (see `block_span`), or a code is above 4.
    """
    if codes.ndim != 1 or start % BLOCK or codes.size % BLOCK:
        raise ValueError(f"codes {codes.shape} from {start} on are not whole blocks of {BLOCK}")
    digest = hashlib.blake2b(f"{number} {name}".encode(), digest_size=8).digest()
    state = np.array([int.from_bytes(digest, "little")], np.uint64)
    blocks = np.arange(start // BLOCK, (start + codes.size) // BLOCK)
    return shuffle_windows(codes.reshape(-1, BLOCK), _numbers(state, blocks)).reshape(-1)


def _mixed(bits: _Bits) -> _Bits:
    """SplitMix64's finaliser: every bit of the result hangs on all bits given; takes `bits` for scratch."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def _numbers(states: _Bits, indices: NDArray[np.int64]) -> _Bits:
    """Numbers `indices` (0 is the first) of the generators that stand at `states`; the two shapes broadcast."""
    steps = indices.astype(np.uint64)
    steps += np.uint64(1)
    steps *= np.uint64(_GAMMA)
    return _mixed(steps + states)


def _known_runs(codes: _Codes) -> tuple[_Indices, _Indices, _Indices]:
    """Row, start and length of every run of known bases."""
    known = np.zeros((codes.shape[0], codes.shape[1] + 2), np.int8)
    np.less(codes, UNKNOWN, out=known[:, 1:-1], casting="unsafe")
    borders = np.diff(known, axis=1)
    rows, starts = np.nonzero(borders == 1)
    return rows, starts, np.nonzero(borders == -1)[1] - starts


def _batches(rows: _Indices, starts: _Indices, lengths: _Indices) -> Iterator[tuple[_Indices, _Indices, _Indices]]:
    """The runs that have another order, longest first, in batches whose shortest is over half as long as the longest.

    So a batch padded to its longest run is at most twice as large as its bases.
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > LONGEST_FIXED]
    descending = -lengths[order]
    at = 0
    while at < len(order):
        halves = int(np.searchsorted(descending, descending[at] // 2))
        batch = order[at : min(at + RUNS_AT_ONCE, halves)]
        yield rows[batch], starts[batch], lengths[batch]
        at += len(batch)


def _shuffled(runs: _Codes, lengths: _Indices, trees: _Bits, edges: _Bits) -> _Codes:
    """Shuffle runs.

    Args:
        runs: uint8[S, W], 4 beyond the end of a run, longest run first.
        lengths: intp[S], descending, none below 2; the first is W.
        trees: uint64[S], random, for the trees.
        edges: uint64[S, W], random, for the order of the edges; the last column is not used.

    Returns:
        uint8[S, W]: the runs, and anything beyond their ends.
    """
    leave, enter = runs[:, :-1], runs[:, 1:]
    # Pairs of neighbours as numbers 0 to 15; beyond the end of a run 20 to 36.
    pairs = leave * np.uint8(4) + enter + (enter // np.uint8(UNKNOWN)) * np.uint8(16)
    rows = np.arange(len(runs))
    tally = np.bincount((rows[:, None] * 37 + pairs).reshape(-1), minlength=len(runs) * 37)
    counts = tally.reshape(-1, 37)[:, :16].reshape(-1, 4, 4)
    keys = leave.astype(np.uint64) << _FROM_SHIFT
    keys |= edges[:, :-1] & _RANDOM
    keys |= enter & _TO
    keys[pairs >= 16] = _BEHIND_ALL
    last = _last_edges(counts, runs[rows, lengths - 1], trees)
    for base in range(4):
        # Which of several like edges is taken must not hang on their random order: the first one, as they stand.
        chosen = pairs == (base * 4 + last[:, base, None])
        place = chosen.argmax(axis=1)
        there = chosen[rows, place] & (last[:, base] < UNKNOWN)
        keys[rows[there], place[there]] |= _LAST
    keys.sort(axis=1)
    return _walk((keys & _TO).astype(np.intp), counts.sum(axis=2), runs[:, 0], lengths)


def _last_edges(counts: _Indices, ends: _Codes, bits: _Bits) -> _Codes:
    """Where the last edge from each base leads, drawn as the trees of single edges have equal chances.

    Args:
        counts: intp[S, 4, 4], edges from base to base.
        ends: uint8[S], the last base of each run.
        bits: uint64[S], random.

    Returns:
        uint8[S, 4]: 4 for the end itself; without meaning for a base that no edge leaves.
    """
    rows = np.arange(len(counts))
    # A fifth column for the root, which needs no edge; a base that does not occur gets one edge, to the root.
    choices = np.ones((len(counts), 4, 5))
    choices[:, :, :4] = counts
    absent = counts.sum(axis=2) == 0
    choices[rows, :, ends] += absent
    trees = _TREES_TOWARDS[ends]
    weights = choices[rows[:, None, None], np.arange(4), trees].prod(axis=2)
    sums = weights.cumsum(axis=1)
    # 53 random bits: below 1, so the point lies below the last sum, and no tree of weight 0 is met.
    point = (bits >> np.uint64(11)) * 2.0**-53 * sums[:, -1]
    drawn: _Indices = trees[rows, (sums <= point[:, None]).sum(axis=1)]
    return drawn.astype(np.uint8)


def _walk(lists: _Indices, numbers: _Indices, first: _Codes, lengths: _Indices) -> _Codes:
    """Walk every run from its first base, taking the edges of each base in order.

    Args:
        lists: intp[S, W - 1], where the edges lead: those from A in order, then those from C, G and T.
        numbers: intp[S, 4], edges from each base.
        first: uint8[S].
        lengths: intp[S], descending, the first is W.

    Returns:
        uint8[S, W]: the bases met; 0 beyond the end of a run.
    """
    slots = np.arange(len(lists)) * 4
    # Base b of run s is slot 4 s + b: one index for all that is kept about it.
    lists = (lists + slots[:, None]).reshape(-1)
    following = (numbers.cumsum(axis=1) - numbers + np.arange(len(slots))[:, None] * (lengths[0] - 1)).reshape(-1)
    walked = np.zeros((int(lengths[0]), len(slots)), np.uint8)
    walked[0] = first
    at = slots + first
    still_walking = np.searchsorted(-lengths, -np.arange(1, lengths[0]))
    for step, count in enumerate(still_walking.tolist(), 1):
        at = at[:count]
        edge = following[at]
        following[at] = edge + 1
        at = lists[edge]
        np.bitwise_and(at, 3, out=walked[step, :count], casting="unsafe")
    return walked.T
