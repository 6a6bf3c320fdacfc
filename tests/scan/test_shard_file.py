"""The file of a shard: what is written is read, what is damaged is found, what is unfinished has no name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.bigwig.grid import ITEMS_PER_SECTION, Grid
from trackgen.bigwig.percentiles import Histogram, count_bins
from trackgen.bigwig.pieces import CutItems, cut_items
from trackgen.bigwig.seams import LooseItems
from trackgen.bigwig.sections import EncodedSections, encode_sections
from trackgen.scan.shard_file import (
    HISTOGRAM,
    LOOSE,
    SECTIONS,
    SKIP,
    SKIPS,
    DamagedShard,
    ShardReader,
    ShardWriter,
    verify_shard,
)

FACTS = {"plan": "0" * 64, "shard": 3, "seconds": {"read": 0.25}, "device": "Gerät"}
GRID = Grid(10, 3)
NO_GAPS = np.empty((0, 2), np.int64)


@dataclass
class Content:
    """What goes into a shard file, in the order in which it comes."""

    tracks: int
    parts: list[tuple[int, int, Any]]
    histograms: list[Histogram]
    skips: list[np.ndarray]

    def write(self, path: Path) -> ShardWriter:
        writer = ShardWriter(path, path.with_suffix(".tmp"), self.tracks)
        for track, chromosome, part in self.parts:
            if isinstance(part, EncodedSections):
                writer.add_sections(track, chromosome, part)
            else:
                writer.add_loose(track, chromosome, part)
        for skips in self.skips:
            writer.add_skips(skips)
        return writer


def random_items(random: np.random.Generator, first: int, count: int) -> CutItems:
    values = random.random(count, np.float32)
    values[random.random(count) < 0.3] = np.nan
    start, end = GRID.start(first), GRID.start(first + count)
    borders = np.unique(random.integers(start, end, 2 * int(random.integers(0, 4))))
    gaps = borders[: len(borders) // 2 * 2].reshape(-1, 2)
    return cut_items(GRID, first, values, gaps, end)


def content(seed: int, tracks: int = 3, parts: int = 6, items: int = 50) -> Content:
    random = np.random.default_rng(seed)
    made: list[tuple[int, int, Any]] = []
    histograms = [Histogram() for _ in range(tracks)]
    for _ in range(parts):
        track, chromosome = int(random.integers(0, tracks)), int(random.integers(0, 5))
        first = ITEMS_PER_SECTION * int(random.integers(0, 3))
        cut = random_items(random, first, int(random.integers(1, items)))
        loose = random.random() < 0.5
        made.append((track, chromosome, LooseItems(first, cut) if loose else encode_sections(1, GRID, first, cut)))
        histograms[track].add_bins(*count_bins(cut, GRID.stride))
    skips = np.zeros(int(random.integers(0, 5)), SKIP)
    skips["start"], skips["end"], skips["reason"] = np.arange(len(skips)), np.arange(len(skips)) + 1, 2
    return Content(tracks, made, histograms, [skips, skips[:0], skips])


def rows_of(reader: ShardReader, track: int, *kinds: int) -> Iterator[Any]:
    return (row for row in reader.rows(track) if row["kind"] in kinds)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 12))
def test_everything_comes_back(tmp_path_factory: pytest.TempPathFactory, seed: int, tracks: int, parts: int) -> None:
    path = tmp_path_factory.mktemp("shard") / "x.shard"
    wanted = content(seed, tracks, parts)
    wanted.write(path).finish(wanted.histograms, FACTS)
    assert verify_shard(path) == FACTS
    reader = ShardReader(path)
    for track in range(tracks):
        mine = [
            (chromosome, part)
            for number, chromosome, part in wanted.parts
            if number == track and not (isinstance(part, EncodedSections) and not part.blocks.data)
        ]
        found = list(rows_of(reader, track, SECTIONS, LOOSE))
        assert [int(row["chromosome"]) for row in found] == [chromosome for chromosome, _ in mine]
        for row, (_, part) in zip(found, mine, strict=True):
            assert_same_part(reader, row, part)
        histogram = Histogram()
        (row,) = rows_of(reader, track, HISTOGRAM)
        reader.add_histogram(row, histogram)
        reader.add_histogram(row, histogram)
        np.testing.assert_array_equal(histogram.counts, 2 * wanted.histograms[track].counts)
    skips = [reader.skips(row) for row in rows_of(reader, tracks, SKIPS)]
    np.testing.assert_array_equal(
        np.concatenate([np.empty(0, SKIP), *skips]), np.concatenate([np.empty(0, SKIP), *wanted.skips])
    )
    reader.close()


def assert_same_part(reader: ShardReader, row: Any, part: EncodedSections | LooseItems) -> None:
    if isinstance(part, EncodedSections):
        assert row["kind"] == SECTIONS
        np.testing.assert_array_equal(reader.extents(row), part.blocks.extents)
        np.testing.assert_array_equal(reader.summaries(row), part.summaries)
        assert row["largest"] == part.blocks.largest
        reader.file.seek(int(row["offset"]))
        assert reader.file.read(int(row["size"])) == b"".join(part.blocks.data)
    else:
        loose = reader.loose(row)
        assert loose.first == part.first
        np.testing.assert_array_equal(loose.items.values, part.items.values)
        np.testing.assert_array_equal(loose.items.pieces, part.items.pieces)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A shard file with all kinds of parts."""
    path = tmp_path_factory.mktemp("shard") / "x.shard"
    made = content(5, parts=12, items=12)
    assert {type(part) for _, _, part in made.parts} == {EncodedSections, LooseItems}
    made.write(path).finish(made.histograms, FACTS)
    return path.read_bytes()


def test_any_byte_that_is_not_what_was_written_is_found(tmp_path: Path, whole: bytes) -> None:
    """The ends of the file byte by byte, what lies between at every seventh; each with one bit and all bits flipped."""
    path = tmp_path / "x.shard"
    places = sorted({*range(16), *range(16, len(whole), 7), *range(len(whole) - 400, len(whole))})
    for place in places:
        for flipped in (0x01, 0x80, 0xFF):
            data = bytearray(whole)
            data[place] ^= flipped
            path.write_bytes(data)
            with pytest.raises(DamagedShard):
                verify_shard(path)
    path.write_bytes(whole)
    assert verify_shard(path) == FACTS


def test_any_prefix_is_found(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "x.shard"
    for size in sorted({*range(120), *range(120, len(whole), 11), *range(len(whole) - 120, len(whole))}):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedShard):
            verify_shard(path)


@pytest.mark.parametrize("more", [b"\0", b"TGSHARD1", b"x" * 5000])
def test_more_bytes_than_were_written_are_found(tmp_path: Path, whole: bytes, more: bytes) -> None:
    path = tmp_path / "x.shard"
    for data in (whole + more, more + whole, whole[:500] + more + whole[500:]):
        path.write_bytes(data)
        with pytest.raises(DamagedShard):
            verify_shard(path)


def test_two_bytes_that_change_places_and_zeroed_pages_are_found(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "x.shard"
    middle = next(place for place in range(len(whole) // 2, len(whole)) if whole[place] != whole[place + 1])
    swapped = whole[:middle] + whole[middle + 1 : middle + 2] + whole[middle : middle + 1] + whole[middle + 2 :]
    zeroed = whole[:512] + bytes(512) + whole[1024:]
    for data in (swapped, zeroed, bytes(len(whole)), b""):
        path.write_bytes(data)
        with pytest.raises(DamagedShard):
            verify_shard(path)


def test_a_message_says_how_damage_was_found(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "x.shard"
    path.write_bytes(whole[:30])
    with pytest.raises(DamagedShard, match="30 bytes are too few"):
        verify_shard(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(DamagedShard, match="its end is missing"):
        verify_shard(path)
    path.write_bytes(b"x" + whole[1:])
    with pytest.raises(DamagedShard, match=r"its checksum is [0-9a-f]{8}, and [0-9a-f]{8} was written"):
        verify_shard(path)
    with pytest.raises(FileNotFoundError):
        verify_shard(tmp_path / "none")


def test_a_shard_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.shard"
    made = content(1)
    writer = made.write(path)
    assert [file.name for file in tmp_path.iterdir()] == ["x.tmp"]
    assert (tmp_path / "x.tmp").stat().st_size > 8
    with pytest.raises(DamagedShard):
        verify_shard(tmp_path / "x.tmp")
    writer.finish(made.histograms, FACTS)
    assert [file.name for file in tmp_path.iterdir()] == ["x.shard"]


def test_a_shard_that_is_given_up_leaves_nothing_and_the_one_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.shard"
    content(2).write(path).abort()
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"before")
    content(2).write(path).abort()
    assert path.read_bytes() == b"before"


def test_a_disk_that_fails_at_the_end_leaves_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.shard"
    made = content(3)
    writer = made.write(path)

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("trackgen.scan.shard_file.os.fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        writer.finish(made.histograms, FACTS)
    assert not path.exists()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made = content(4)
        made.write(tmp_path / name).finish(made.histograms, FACTS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_facts_are_read_without_the_parts(tmp_path: Path) -> None:
    """An empty shard, of tiles that are all gap, is a file like any other."""
    path = tmp_path / "x.shard"
    writer = ShardWriter(path, path.with_suffix(".tmp"), 2)
    nothing = encode_sections(0, GRID, 0, cut_items(GRID, 0, np.full(5, np.nan, np.float32), NO_GAPS, 50))
    writer.add_sections(0, 0, nothing)
    writer.finish([Histogram(), Histogram()], FACTS)
    assert json.dumps(verify_shard(path)) == json.dumps(FACTS)
    reader = ShardReader(path)
    assert [row["kind"] for track in range(3) for row in reader.rows(track)] == [HISTOGRAM, HISTOGRAM]
    reader.close()
