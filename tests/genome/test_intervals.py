"""Items of bigBed files, through both libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trackgen.errors import DataError
from trackgen.genome import Interval
from trackgen.genome.intervals import BigBedItem, read_big_bed

pybigtools = pytest.importorskip("pybigtools")


@pytest.fixture(params=["pyBigWig", "pybigtools"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    if request.param == "pybigtools":
        # None makes an import fail as if the module were not installed.
        monkeypatch.setitem(sys.modules, "pyBigWig", None)
    path = tmp_path / "hits.bb"
    rows = [("chrI", 10, 20, "ab\t5\t+"), ("chrI", 15, 30, "c\t6\t-"), ("chrII", 1, 2, "d\t7\t.")]
    pybigtools.open(str(path), "w").write({"chrI": 100, "chrII": 50, "chrM": 9}, iter(rows))
    return path


def test_items_that_overlap_are_read_with_their_columns(path: Path) -> None:
    first, second = BigBedItem(10, 20, ("ab", "5", "+")), BigBedItem(15, 30, ("c", "6", "-"))
    assert read_big_bed(path, Interval("chrI", 0, 100)) == [first, second]
    assert read_big_bed(path, Interval("chrI", 0, 15)) == [first]
    assert read_big_bed(path, Interval("chrI", 20, 100)) == [second]
    assert read_big_bed(path, Interval("chrI", 30, 100)) == []
    assert read_big_bed(path, Interval("chrM", 0, 9)) == []
    assert read_big_bed(path, Interval("elsewhere", 0, 9)) == []


def test_what_is_no_big_bed_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.bb: the bigBed file can't be read; found No such file"):
        read_big_bed(tmp_path / "missing.bb", Interval("chrI", 0, 9))
    (tmp_path / "x.bb").write_bytes(b"chrI")
    with pytest.raises(DataError, match="not a bigBed file; found 63 68 72 49"):
        read_big_bed(tmp_path / "x.bb", Interval("chrI", 0, 9))
