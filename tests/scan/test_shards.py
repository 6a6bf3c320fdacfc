"""How a scan is cut: every tile in one shard, every shard in one share, every item owned once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import every_tile
from trackgen.bigwig.grid import ITEMS_PER_SECTION
from trackgen.genome.tiling import Grid
from trackgen.scan.shards import LARGEST_SHARD, Piece, Shard, choose_shard, chunks_of, cut_into_shards, share_of


@dataclass
class Asked:
    """What is asked for: stretches per sequence, and the bases of a tile and of a shard."""

    lengths: dict[str, int]
    wanted: dict[str, np.ndarray]
    tile: int
    shard: int

    def cut(self) -> list[Shard]:
        return cut_into_shards(self.wanted, self.lengths, self.tile, self.shard)

    def tiles(self) -> list[tuple[str, int, int]]:
        """Every tile that holds a base asked for, in genome order, base by base."""
        found = []
        for name, spans in self.wanted.items():
            bases = {base for start, end in spans.tolist() for base in range(start, end)}
            for tile in every_tile(name, self.lengths[name], self.tile):
                if bases & set(range(tile.start, tile.end)):
                    found.append((name, tile.start, tile.end))
        return found


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    names = draw(st.permutations(["chr1", "chr10", "chr2", "Z", "a", "chrÜ"]))[: draw(st.integers(1, 6))]
    lengths = {name: draw(st.one_of(st.integers(1, 30), st.integers(1, 400))) for name in names}
    wanted = {}
    for name in names:
        borders = draw(st.lists(st.integers(0, lengths[name]), unique=True, min_size=0, max_size=8).map(sorted))
        spans = np.array(borders[: len(borders) // 2 * 2], np.int64).reshape(-1, 2)
        wanted[name] = spans if len(spans) else np.array([[0, lengths[name]]], np.int64)
    tile = draw(st.integers(1, 40))
    return Asked(lengths, wanted, tile, tile * draw(st.integers(1, 12)))


def tiles_of(piece: Piece, tile: int) -> list[tuple[str, int, int]]:
    parts = [piece.tile(place, tile) for place in range(len(piece.tiles))]
    return [(part.name, part.start, part.end) for part in parts]


@given(asked())
def test_every_tile_that_holds_anything_asked_for_is_in_one_shard_in_order(asked: Asked) -> None:
    shards = asked.cut()
    assert [shard.number for shard in shards] == list(range(len(shards)))
    found = [tile for shard in shards for piece in shard.pieces for tile in tiles_of(piece, asked.tile)]
    assert found == asked.tiles()
    assert all(shard.tiles == sum(len(piece.tiles) for piece in shard.pieces) > 0 for shard in shards)


@given(asked())
def test_a_shard_is_no_larger_than_asked_for_and_small_sequences_share_one(asked: Asked) -> None:
    shards = asked.cut()
    sizes = [sum(piece.bases(asked.tile) for piece in shard.pieces) for shard in shards]
    assert max(sizes) <= asked.shard
    for before, after in itertools.pairwise(shards):
        first = after.pieces[0]
        whole = sum(piece.bases(asked.tile) for shard in shards for piece in shard.pieces if piece.name == first.name)
        if whole <= asked.shard and all(piece.first and piece.last for piece in before.pieces):
            assert sizes[before.number] + whole > asked.shard, "it would have fitted in"


@given(asked())
def test_borders_inside_a_sequence_are_multiples_of_a_shard_whatever_is_asked_for(asked: Asked) -> None:
    for shard in asked.cut():
        for piece in shard.pieces:
            if not (piece.first and piece.last):
                inside = {int(number) * asked.tile // asked.shard for number in piece.tiles}
                assert len(inside) == 1
                assert len(shard.pieces) == 1


@given(asked())
def test_a_piece_knows_its_neighbours_bases_and_spans(asked: Asked) -> None:
    pieces = [piece for shard in asked.cut() for piece in shard.pieces]
    for name, group in itertools.groupby(pieces, lambda piece: piece.name):
        parts = list(group)
        assert [part.first for part in parts] == [True] + [False] * (len(parts) - 1)
        assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
        for part in parts:
            covered = sorted({base for _, a, b in tiles_of(part, asked.tile) for base in range(a, b)})
            assert part.bases(asked.tile) == len(covered)
            spans = part.spans(asked.tile)
            assert [base for start, end in spans.tolist() for base in range(start, end)] == covered
            assert (spans[1:, 0] > spans[:-1, 1]).all(), "neighbouring spans would be one"
            assert part.length == asked.lengths[name]


@given(asked(), st.integers(1, 500))
def test_chunks_hold_the_tiles_of_a_shard_in_order_and_no_more_than_fit(asked: Asked, bases: int) -> None:
    for shard in asked.cut():
        chunks = list(chunks_of(shard, asked.tile, bases))
        found = [(tile.name, tile.start, tile.end) for chunk in chunks for tile in chunk.tiles]
        assert found == [tile for piece in shard.pieces for tile in tiles_of(piece, asked.tile)]
        assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        for chunk, following in itertools.zip_longest(chunks, chunks[1:]):
            held = sum(tile.bases for tile in chunk.tiles)
            assert held <= bases or len(chunk.tiles) == 1
            if following is not None:
                assert held + following.tiles[0].bases > bases, "another tile would have fitted in"


@given(asked(), st.integers(1, 500))
def test_the_same_tiles_are_checked_whatever_a_chunk_holds(asked: Asked, bases: int) -> None:
    for shard in asked.cut():
        several = [mark for chunk in chunks_of(shard, asked.tile, bases) for mark in chunk.checked]
        (whole,) = chunks_of(shard, asked.tile, 10**9)
        assert several == list(whole.checked)
        assert several[0], "a fault is found at once"
        assert sum(several) <= 2 * 4


@given(st.integers(0, 300), st.integers(1, 400))
def test_shares_are_neighbours_as_even_as_can_be_and_all_shards_are_in_one(shards: int, shares: int) -> None:
    parts = [share_of(shards, share, shares) for share in range(1, shares + 1)]
    assert [number for part in parts for number in part] == list(range(shards))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    window = draw(st.integers(1, 60))
    bin_ = draw(st.integers(1, window))
    if draw(st.booleans()):
        divisors = [value for value in range(1, bin_ + 1) if bin_ % value == 0]
        return Grid(window, bin_, bin_, draw(st.sampled_from(divisors)))
    return Grid(window, bin_, draw(st.integers(1, 70)))


@given(asked(), grids())
def test_neighbouring_shards_own_all_items_once_and_their_own_tiles_items(asked: Asked, grid: Grid) -> None:
    pieces = [piece for shard in asked.cut() for piece in shard.pieces]
    for _, group in itertools.groupby(pieces, lambda piece: piece.name):
        parts = list(group)
        owned = [part.owned(grid, asked.tile) for part in parts]
        assert owned[0].low == float("-inf")
        assert owned[-1].high == float("inf")
        for before, after in itertools.pairwise(owned):
            assert before.high <= after.low, "an item of two shards"
        for part, range_ in zip(parts, owned, strict=True):
            for place in range(len(part.tiles)):
                tile = part.tile(place, asked.tile)
                items = grid.items(tile.start, tile.end)
                assert not items or range_.low <= items.start <= items.stop <= range_.high


@given(st.integers(1, 10**10), st.integers(1, 1 << 20), st.lists(st.sampled_from([1, 7, 50, 200]), max_size=3))
def test_a_shard_that_is_chosen_is_whole_tiles_and_neither_tiny_nor_huge(
    bases: int, tile: int, steps: list[int]
) -> None:
    shard = choose_shard(bases, tile, steps)
    assert shard % tile == 0
    assert tile <= shard
    assert shard <= 2 * LARGEST_SHARD


@pytest.mark.parametrize(("bases", "tile", "steps"), [(3_100_000_000, 8192, [1]), (12_000_000, 32768, [1, 2])])
def test_borders_of_shards_are_those_of_sections_where_that_fits(bases: int, tile: int, steps: list[int]) -> None:
    shard = choose_shard(bases, tile, steps)
    assert all(shard % (step * ITEMS_PER_SECTION) == 0 for step in steps)
    assert bases // shard >= 15, "several machines find work"
