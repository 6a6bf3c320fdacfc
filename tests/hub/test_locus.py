"""Where browsers open."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pyBigWig
import pytest

from trackgen.hub.compose import Taken, compose_groups
from trackgen.hub.locus import informative_locus
from trackgen.hub.model import HubTrack, Limits, Locus
from trackgen.hub.runs import read_run

LENGTHS = {"chr1": 3_000_000, "chr2": 2_500_000, "chrM": 16_000}
Peaks = Sequence[tuple[str, int, int, float]]
Draw = Callable[[Peaks], HubTrack]


@pytest.fixture
def draw(finished: Path, tmp_path: Path) -> Draw:
    """A probability track with these (sequence, start, end, value), on an axis from 0 to 1."""
    pattern = compose_groups([read_run(finished / "out")], Taken())[0].tracks[0]

    def draw(peaks: Peaks) -> HubTrack:
        path = tmp_path / "x.bw"
        with pyBigWig.open(str(path), "w") as file:
            file.addHeader(list(LENGTHS.items()))
            for name, start, end, value in peaks:
                file.addEntries([name], [start], ends=[end], values=[value])
        run = dataclasses.replace(pattern.run, values=len(peaks))
        return dataclasses.replace(pattern, source=path, limits=Limits(0.0, 1.0), run=run)

    return draw


def test_a_locus_is_written_from_1_and_closed() -> None:
    assert Locus("chr1", 0, 100).text == "chr1:1-100"


def test_the_sight_stands_in_the_middle(draw: Draw) -> None:
    locus = informative_locus([draw([("chr1", 500_000, 500_200, 0.9), ("chr2", 900_000, 900_100, 0.9)])], LENGTHS)
    assert locus.name == "chr1"
    assert locus.end - locus.start == 10_000
    assert abs((locus.start + locus.end) // 2 - 500_100) <= 1


@pytest.mark.parametrize(("start", "wanted"), [(0, 0), (2_999_900, 2_990_000)])
def test_the_ends_of_a_sequence_are_not_passed(draw: Draw, start: int, wanted: int) -> None:
    locus = informative_locus([draw([("chr1", start, start + 100, 0.9)])], LENGTHS)
    assert locus == Locus("chr1", wanted, wanted + 10_000)


def test_many_low_values_are_no_sight(draw: Draw) -> None:
    locus = informative_locus([draw([("chr1", 0, 800_000, 0.1), ("chr2", 1000, 1010, 0.5)])], LENGTHS)
    assert locus.name == "chr2"


def test_a_chromosome_is_shown_rather_than_an_organelle(draw: Draw) -> None:
    organelle = ("chrM", 0, 16_000, 1.0)
    assert informative_locus([draw([("chr2", 100_000, 100_010, 0.9), organelle])], LENGTHS).name == "chr2"
    assert informative_locus([draw([organelle])], LENGTHS) == Locus("chrM", 3000, 13_000)


def test_an_empty_track_is_shown_in_the_middle_of_the_longest_sequence(draw: Draw) -> None:
    assert informative_locus([draw([])], LENGTHS) == Locus("chr1", 1_495_000, 1_505_000)


def test_a_genome_shorter_than_the_stretch_is_shown_whole(draw: Draw) -> None:
    track = dataclasses.replace(draw([("chrM", 5, 10, 0.9)]), resolution=100)
    assert informative_locus([track], {"chrM": 16_000}) == Locus("chrM", 0, 16_000)


def test_coarse_tracks_get_a_wider_stretch(draw: Draw) -> None:
    track = dataclasses.replace(draw([("chr1", 500_000, 500_200, 0.9)]), resolution=50)
    locus = informative_locus([track], LENGTHS)
    assert locus.end - locus.start == 15_000


def test_a_track_that_claims_values_and_has_none_is_read_as_gaps(draw: Draw) -> None:
    track = draw([])
    claiming = dataclasses.replace(track, run=dataclasses.replace(track.run, values=5))
    assert informative_locus([claiming], LENGTHS).name == "chr1"


@pytest.mark.parametrize("high", [1e-37, 1e-300, 1e300])
def test_limits_beyond_single_precision_are_no_matter(draw: Draw, high: float) -> None:
    track = dataclasses.replace(draw([("chr1", 500_000, 500_200, 0.9)]), limits=Limits(0.0, high))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        locus = informative_locus([track], LENGTHS)
    # Beside a very large limit every value is background.
    assert locus.name in (("chr1",) if high < 1 else LENGTHS)
