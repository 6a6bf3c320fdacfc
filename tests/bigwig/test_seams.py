"""Sections that shards share: parted anywhere and joined again, they are what one shard would have encoded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.bigwig.buffer import ItemBuffer
from trackgen.bigwig.grid import ITEMS_PER_SECTION, Grid
from trackgen.bigwig.pieces import CutItems, cut_items
from trackgen.bigwig.seams import EVERYTHING, LooseItems, Owned, join_loose, split_at_seams
from trackgen.bigwig.sections import EncodedSections, encode_sections
from trackgen.bigwig.zooms import SUMMARY

CHROMOSOME = 3


@dataclass
class Items:
    """The items of one chromosome, and where they are cut: into shards, and shards into tiles."""

    grid: Grid
    length: int
    first: int
    values: np.ndarray
    gaps: np.ndarray
    cuts: list[int]
    tiles: list[int]

    def parts(self) -> list[tuple[int, int]]:
        """First item and end of what each shard computes."""
        borders = [self.first, *self.cuts, self.first + len(self.values)]
        return list(itertools.pairwise(borders))

    def cut(self, begin: int, end: int) -> CutItems:
        values = self.values[begin - self.first : end - self.first].copy()
        return cut_items(self.grid, begin, values, self.gaps, self.length)


@st.composite
def items(draw: st.DrawFn) -> Items:
    stride = draw(st.sampled_from([1, 2, 3, 50]))
    grid = Grid(stride, draw(st.sampled_from([0, 0, 1, stride // 2, 75, 4 * stride + 1])))
    section = ITEMS_PER_SECTION * stride
    near_section = st.builds(lambda sections, more: sections * section + more, st.integers(1, 3), st.integers(-9, 900))
    length = draw(st.one_of(st.integers(1, 500), near_section, near_section))
    length += grid.offset
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    first, end = -grid.offset // stride, (length - 1 - grid.offset) // stride + 1
    values = random.random(end - first, np.float32)
    values[random.random(len(values)) < draw(st.sampled_from([0.0, 0.01, 0.9, 1.0]))] = np.nan
    borders = np.unique(random.integers(0, length + 1, 2 * draw(st.sampled_from([0, 1, 4, 200]))))
    gaps = borders[: len(borders) // 2 * 2].reshape(-1, 2).astype(np.int64)
    near = [border for border in range(0, end, ITEMS_PER_SECTION) for border in range(border - 1, border + 2)]
    anywhere = st.integers(first, end) | st.sampled_from([place for place in near if first <= place <= end] or [first])
    cuts = draw(st.lists(anywhere, max_size=6, unique=True).map(sorted))
    tiles = draw(st.lists(st.integers(first, end), max_size=8, unique=True).map(sorted))
    return Items(grid, length, first, values, gaps, cuts, tiles)


def encode_at_once(items: Items) -> list[EncodedSections]:
    first = items.first - items.first % ITEMS_PER_SECTION
    cut = items.cut(items.first, items.first + len(items.values))
    before = np.full(items.first - first, np.nan, np.float32)
    return [encode_sections(CHROMOSOME, items.grid, first, CutItems(np.append(before, cut.values), cut.pieces))]


def encode_in_shards(items: Items) -> list[EncodedSections]:
    """Each shard gathers its tiles and parts what it does not own; what is loose is joined and encoded at last."""
    parts = items.parts()
    found: list[tuple[int, EncodedSections | LooseItems]] = []
    for number, (begin, end) in enumerate(parts):
        owned = Owned(EVERYTHING.low if number == 0 else begin, EVERYTHING.high if number == len(parts) - 1 else end)
        buffer = ItemBuffer(items.grid, ITEMS_PER_SECTION)
        inside = [begin, *(tile for tile in items.tiles if begin < tile < end), end]
        full = [
            part
            for low, high in itertools.pairwise(inside)
            if high > low
            for part in buffer.add(low, items.cut(low, high))
        ]
        for first, gathered in [*full, *buffer.flush()]:
            for place, part, loose in split_at_seams(items.grid, first, gathered, owned):
                assert place % ITEMS_PER_SECTION == 0
                assert loose == (not owned.low <= place or not place + ITEMS_PER_SECTION <= owned.high)
                encoded = LooseItems(place, part) if loose else encode_sections(CHROMOSOME, items.grid, place, part)
                found.append((place, encoded))
    result = []
    for _, group in itertools.groupby(found, lambda entry: (isinstance(entry[1], LooseItems), entry[0])):
        same = [part for _, part in group]
        if isinstance(same[0], LooseItems):
            joined = join_loose([part for part in same if isinstance(part, LooseItems)])
            result.append(encode_sections(CHROMOSOME, items.grid, joined.first, joined.items))
        else:
            result += [part for part in same if isinstance(part, EncodedSections)]
    return result


@settings(max_examples=150)
@given(items())
def test_sections_of_shards_are_those_of_one_run_over_everything(items: Items) -> None:
    at_once, in_shards = encode_at_once(items), encode_in_shards(items)
    data = [b"".join(block for part in parts for block in part.blocks.data) for parts in (at_once, in_shards)]
    assert data[0] == data[1]
    extents = [np.concatenate([part.blocks.extents for part in parts]) for parts in (at_once, in_shards)]
    np.testing.assert_array_equal(extents[0], extents[1])
    summaries = [
        np.concatenate([np.empty(0, SUMMARY), *(part.summaries for part in parts)]) for parts in (at_once, in_shards)
    ]
    np.testing.assert_array_equal(summaries[0], summaries[1])
    assert max(part.blocks.largest for part in at_once) == max(part.blocks.largest for part in in_shards)


@settings(max_examples=100)
@given(items(), st.integers(-3, 3), st.integers(-3, 3))
def test_parting_loses_nothing_and_tells_the_owned_sections_from_the_others(items: Items, low: int, high: int) -> None:
    first = items.first - items.first % ITEMS_PER_SECTION
    cut = items.cut(items.first, items.first + len(items.values))
    before = np.full(items.first - first, np.nan, np.float32)
    whole = CutItems(np.append(before, cut.values), cut.pieces)
    owned = Owned(low * ITEMS_PER_SECTION // 2, high * ITEMS_PER_SECTION // 2)
    parts = list(split_at_seams(items.grid, first, whole, owned))
    np.testing.assert_array_equal(np.concatenate([part.values for _, part, _ in parts]), whole.values)
    np.testing.assert_array_equal(np.concatenate([part.pieces for _, part, _ in parts]), whole.pieces)
    end = first
    for begin, part, loose in parts:
        assert begin == end
        end += len(part.values)
        sections = range(begin, end, ITEMS_PER_SECTION)
        assert [not owned.low <= at <= owned.high - ITEMS_PER_SECTION for at in sections] == [loose] * len(sections)
        assert not loose or len(sections) == 1
        inside = (part.pieces["start"] >= items.grid.start(begin)) & (part.pieces["end"] <= items.grid.start(end))
        assert inside.all()


def test_one_section_of_many_shards() -> None:
    """At a coarse stride a section spans several shards, of which each holds a few items."""
    grid = Grid(50)
    values = np.random.default_rng(0).random(ITEMS_PER_SECTION, np.float32)
    cuts = list(range(100, ITEMS_PER_SECTION, 100))
    items = Items(grid, 50 * len(values) - 7, 0, values, np.array([[120, 5130]]), cuts, [])
    (at_once,), (joined,) = encode_at_once(items), encode_in_shards(items)
    assert at_once.blocks.data == joined.blocks.data
    assert len(at_once.blocks.data) == 5  # items, the piece, the piece, items, the chromosome's end
