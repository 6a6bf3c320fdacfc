"""Whatever is written is read back: every value and every zoom record, by three readers."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pybigtools
import pyBigWig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bigwig.oracle import File, Record, Section, expected_records, read
from tests.bigwig.tracks import Chromosome, Track, tracks

# Zoom records hold float32 sums of float64 sums: half a unit in the last place, and the order of float64 sums.
SUM_TOLERANCE = 2.0**-23


def assert_close(found: float, wanted: float, scale: float) -> None:
    """Equal to a float32's precision on the scale of what was summed up."""
    assert abs(found - wanted) <= SUM_TOLERANCE * abs(wanted) + 1e-12 * scale, (found, wanted)


def assert_records(found: list[Record], wanted: list[Record]) -> None:
    """Same records; counts, borders and extremes exactly, sums to float32."""
    assert [record[:6] for record in found] == [record[:6] for record in wanted]
    for one, other in zip(found, wanted, strict=True):
        scale = other.covered * max(abs(other.minimum), abs(other.maximum))
        assert_close(one.sum, other.sum, scale)
        assert_close(one.sum_squares, other.sum_squares, other.sum_squares)


def check_values(track: Track, path: Path, file: File) -> None:
    """Every base, by three readers."""
    assert dict(zip(file.names, file.lengths, strict=True)) == track.lengths
    assert file.names == sorted(track.lengths, key=str.encode)
    one, other = pyBigWig.open(str(path)), pybigtools.open(str(path))
    assert one.chroms() == track.lengths
    assert dict(other.chroms()) == track.lengths
    for name, length in track.lengths.items():
        wanted = track.values(name)
        np.testing.assert_array_equal(file.values(name), wanted)
        np.testing.assert_array_equal(np.array(one.values(name, 0, length), np.float32), wanted)
        if not np.isnan(wanted).all():  # pybigtools takes what a chromosome without blocks has for zeros
            np.testing.assert_array_equal(other.values(name, fillna=np.nan).astype(np.float32), wanted)


def check_zooms(track: Track, path: Path, file: File) -> None:
    """Every zoom record, by the slow reader and pybigtools."""
    other = pybigtools.open(str(path))
    assert list(other.zooms()) == list(file.zooms)
    for reduction, records in file.zooms.items():
        wanted = [
            record
            for identity, name in enumerate(file.names)
            for record in expected_records(track.values(name), identity, reduction, track.offset)
        ]
        assert_records(records, wanted)
        for identity, name in enumerate(file.names):
            if not np.isnan(track.values(name)).all():
                found = [
                    Record(
                        identity,
                        start,
                        end,
                        *(summary[key] for key in ("bases_covered", "min_val", "max_val", "sum", "sum_squares")),
                    )
                    for start, end, summary in other.zoom_records(reduction, name)
                ]
                assert found == [record for record in records if record.chromosome == identity]


def check_summary(track: Track, file: File) -> None:
    """The total summary against brute force over all bases."""
    values = np.concatenate([track.values(name) for name in track.lengths]).astype(np.float64)
    values = values[~np.isnan(values)]
    covered, minimum, maximum, total, squares = file.summary
    assert covered == len(values)
    assert (minimum, maximum) == ((values.min(), values.max()) if len(values) else (0, 0))
    assert total == pytest.approx(values.sum(), rel=1e-12, abs=1e-12 * np.abs(values).sum())
    assert squares == pytest.approx(np.square(values).sum(), rel=1e-12)


def check_sections(track: Track, file: File) -> None:
    """Whole items that touch stand in one section unless the grid parts them; pieces stand alone."""
    bases = 8192 * track.stride

    def is_whole(section: Section) -> bool:
        return section.span == track.stride and (section.start - track.offset) % track.stride == 0

    for section in file.sections:
        if is_whole(section):
            first, last = section.start - track.offset, section.end - 1 - track.offset
            assert first // bases == last // bases, "a section that crosses a border of the grid"
        else:
            assert len(section.values) == 1
            assert section.span < track.stride
    for before, after in itertools.pairwise(file.sections):
        touch = before.chromosome == after.chromosome and before.end == after.start
        if touch and is_whole(before) and is_whole(after):
            assert (after.start - track.offset) % bases == 0, "a section that ends before the border of the grid"


def test_short_chromosomes_stay_apart_on_levels_where_each_is_one_record(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lengths = {"a": 40, "b": 3, "c": 70_000, "d": 129, "e": 1}
    gaps = np.empty((0, 2), np.int64)
    track = Track(
        1,
        0,
        {name: Chromosome(length, [(0, random.random(length, np.float32))], gaps) for name, length in lengths.items()},
    )
    track.write(tmp_path / "x.bw")
    file = read(tmp_path / "x.bw")
    assert len(file.zooms) == 3
    check_zooms(track, tmp_path / "x.bw", file)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(track=tracks(), seed=st.integers(0, 2**32))
def test_everything_is_read_back_and_bytes_do_not_depend_on_how_values_came(track: Track, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "x.bw", Path(folder) / "again.bw"
        track.write(path)
        track.write(again, np.random.default_rng(seed))
        assert path.read_bytes() == again.read_bytes()
        assert sorted(Path(folder).iterdir()) == [again, path]
        file = read(path)
        check_values(track, path, file)
        check_sections(track, file)
        check_summary(track, file)
        check_zooms(track, path, file)
