"""Regions from BED files and text, and the algebra of intervals."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.data import data_file
from tests.genome.conftest import refused
from trackgen.errors import UsageError
from trackgen.genome import (
    Interval,
    intersect,
    merge,
    open_genome,
    parse_region,
    parse_regions,
    read_bed,
    subtract,
    total,
)

LENGTHS = {"chrI": 230_218, "chrII": 813_184, "chrM": 85_779}


@pytest.fixture
def bed(tmp_path: Path):
    def write(text: str) -> Path:
        (tmp_path / "peaks.bed").write_text(text, newline="")
        return tmp_path / "peaks.bed"

    return write


def test_columns_behind_the_third_are_optional(bed) -> None:
    rows, mapping, _ = read_bed(bed("chrI\t0\t10\nchrII\t5\t813184\tpeak 1\t3.5\t+\n"), LENGTHS)
    assert rows == [Interval("chrI", 0, 10), Interval("chrII", 5, 813_184, "peak 1")]
    assert mapping == {"chrI": "chrI", "chrII": "chrII"}


def test_headers_comments_and_empty_lines_are_skipped(bed) -> None:
    text = '#chrom\tstart\tend\nbrowser position chrI\ntrack name="x y"\n\n  \nchrI\t1\t2\r\ntrack\n'
    assert read_bed(bed(text), LENGTHS).intervals == [Interval("chrI", 1, 2)]


def test_gzip_is_read_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "peaks.dat").write_bytes(gzip.compress(b"chrI\t1\t2\n", mtime=0))
    assert read_bed(tmp_path / "peaks.dat", LENGTHS).intervals == [Interval("chrI", 1, 2)]


@pytest.mark.parametrize("content", [b"chrI\t1\t2\n", gzip.compress(b"chrI\t1\t2\n", mtime=0)])
def test_a_dash_is_the_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert read_bed(Path("-"), LENGTHS).intervals == [Interval("chrI", 1, 2)]


def test_names_are_reconciled_with_the_genome(bed) -> None:
    rows, mapping, _ = read_bed(bed("II\t1\t2\nMito\t0\t1\nII\t3\t4\n"), LENGTHS)
    assert rows == [Interval("chrII", 1, 2), Interval("chrM", 0, 1), Interval("chrII", 3, 4)]
    assert mapping == {"II": "chrII", "Mito": "chrM"}


def test_an_empty_bed_file_holds_nothing(bed) -> None:
    assert read_bed(bed(""), LENGTHS).intervals == []


# Bad BED files: each names the file, the line, and what was wanted


def test_an_end_before_the_start_is_refused(bed) -> None:
    with refused("peaks.bed, line 3", "ends before it starts", "start 20, end 10", "an end above the start"):
        read_bed(bed("# x\nchrI\t1\t2\nchrI\t20\t10\n"), LENGTHS)


def test_an_empty_interval_is_refused(bed) -> None:
    with refused("peaks.bed, line 1", "the interval is empty", "start 20, end 20", "counts from 0"):
        read_bed(bed("chrI\t20\t20\n"), LENGTHS)


def test_an_end_beyond_the_chromosome_is_refused(bed) -> None:
    with refused("peaks.bed, line 2", "ends beyond its sequence", "230,219", "at most 230,218", "one assembly"):
        read_bed(bed("chrI\t0\t230218\nchrI\t0\t230219\n"), LENGTHS)


def test_an_unknown_chromosome_is_refused_with_near_names(bed) -> None:
    with refused("peaks.bed, line 2", "sequence that the genome does not have", "found chrXX", "chrI", "aliases"):
        read_bed(bed("chrI\t0\t1\nchrXX\t0\t1\nchrXX\t0\t2\n"), LENGTHS)


def test_spaces_for_tabs_are_refused_with_the_command_that_replaces_them(bed) -> None:
    with refused("peaks.bed, line 1", "separated by spaces", "'chrI 0 10'", "separated by tabs", "tr -s"):
        read_bed(bed("chrI 0 10\n"), LENGTHS)


@pytest.mark.parametrize("line", ["chrI", "chrI\t5", "chrI 5"])
def test_too_few_columns_are_refused(line: str, bed) -> None:
    with refused("peaks.bed, line 1", "too few columns", "sequence, start and end"):
        read_bed(bed(line), LENGTHS)


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "1_0", " 5", "", "x", "+3", "٣"])
def test_a_start_that_is_no_whole_number_is_refused(text: str, bed) -> None:
    with refused("peaks.bed, line 1", "the start is not a whole number", f"found {text!r}", "digits only"):
        read_bed(bed(f"chrI\t{text}\t10\n"), LENGTHS)


def test_an_end_that_is_no_whole_number_is_refused(bed) -> None:
    with refused("peaks.bed, line 1", "the end is not a whole number", "found '1,000'"):
        read_bed(bed("chrI\t1\t1,000\n"), LENGTHS)


def test_a_missing_bed_file_is_refused_with_near_names(bed) -> None:
    missing = bed("chrI\t1\t2\n").with_name("peeks.bed")
    with refused("peeks.bed", "does not exist", "Did you mean peaks.bed"):
        read_bed(missing, LENGTHS)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with refused("a folder, not a BED file"):
        read_bed(tmp_path, LENGTHS)


def test_an_unreadable_bed_file_is_refused(bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = bed("chrI\t1\t2\n")
    monkeypatch.setattr(Path, "read_bytes", denied)
    with refused("peaks.bed", "can't be read", "Permission denied"):
        read_bed(path, LENGTHS)


@pytest.mark.parametrize("content", [b"BAM\1\0\0\0", b"chrI\t1\t\xff2\n"])
def test_a_binary_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.bam").write_bytes(content)
    with refused("x.bam, line 1", "not a text file", "BED file, plain or gzip"):
        read_bed(tmp_path / "x.bam", LENGTHS)


@pytest.mark.parametrize("content", [gzip.compress(b"chrI\t1\t2\n" * 1000, mtime=0)[:-9], b"\x1f\x8bnot gzip at all"])
def test_damaged_gzip_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.bed.gz").write_bytes(content)
    with refused("x.bed.gz", "gzip file is damaged"):
        read_bed(tmp_path / "x.bed.gz", LENGTHS)


@pytest.mark.data
@pytest.mark.parametrize(
    ("genome", "name"),
    [
        ("genome_worm/ce10.2bit", "blacklists/ce10_blacklist.bed"),
        ("genome_yeast/sacCer3.2bit", "blacklists/sacCer3_rossi_chexmix_filter.bed"),
        ("genome_yeast/sacCer3.2bit", "yeast_tss/stripeseq_S288C_WT_1.tsr.sacCer3.bed.gz"),
    ],
)
def test_real_bed_files_are_read(genome: str, name: str) -> None:
    with open_genome(data_file(genome)) as opened:
        rows, _, _ = read_bed(data_file(name), opened.lengths)
    assert len(rows) > 10


# Text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chrI:1-1", Interval("chrI", 0, 1)),
        ("chrI:1,001-2,000", Interval("chrI", 1000, 2000)),
        ("chrII:813184-813184", Interval("chrII", 813_183, 813_184)),
        ("chrM", Interval("chrM", 0, 85_779)),
        ("II:5-6", Interval("chrII", 4, 6)),
        ("MT", Interval("chrM", 0, 85_779)),
    ],
)
def test_regions_in_text_are_1_based_and_closed(text: str, expected: Interval) -> None:
    assert parse_region(text, LENGTHS) == expected


def test_names_with_colons_are_possible() -> None:
    lengths = {"HLA:A:01-02": 100, "HLA:A": 50}
    assert parse_region("HLA:A:01-02", lengths) == Interval("HLA:A:01-02", 0, 100)
    assert parse_region("HLA:A:01-02:3-4", lengths) == Interval("HLA:A:01-02", 2, 4)


@pytest.mark.parametrize(
    "text", ["chrI:", "chrI:5", "chrI:a-b", "chrI:5-", "chrI:-5", "chrI:1..5", "chrI:1-2-3", ":1-2"]
)
def test_a_region_of_another_form_is_refused(text: str) -> None:
    with refused("not the right form", f"found {text}", "chrI:1,001-2,000", error=UsageError, status=2):
        parse_region(text, LENGTHS)


def test_a_region_out_of_order_is_refused_with_the_positions_as_written() -> None:
    with refused("region chrI:2,000-1,000", "out of order", "2,000 to 1,000", error=UsageError, status=2):
        parse_region("chrI:2,000-1,000", LENGTHS)


def test_position_0_is_refused() -> None:
    with refused("region chrI:0-10", "positions count from 1", "0 to 10", error=UsageError, status=2):
        parse_region("chrI:0-10", LENGTHS)


def test_a_region_beyond_the_chromosome_is_refused() -> None:
    with refused("region chrI:1-230,219", "beyond its sequence", "base 230,219", "at most base 230,218",
                 error=UsageError, status=2):  # fmt: skip
        parse_region("chrI:1-230,219", LENGTHS)


@pytest.mark.parametrize("text", ["chrIIII:1-10", "chrIIII"])
def test_a_region_on_an_unknown_chromosome_is_refused_with_near_names(text: str) -> None:
    with refused(f"region {text}", "does not have", "found chrIIII", "chrII", error=UsageError, status=2):
        parse_region(text, LENGTHS)


def test_regions_come_from_a_file_or_from_text(bed) -> None:
    assert parse_regions(bed("chrI\t0\t5\n"), LENGTHS).intervals == [Interval("chrI", 0, 5)]
    assert parse_regions("chrI:1-5 II", LENGTHS).intervals == [Interval("chrI", 0, 5), Interval("chrII", 0, 813_184)]


@pytest.mark.parametrize("text", ["nothere.bed", "folder/nothere", "nothere.bed.gz"])
def test_what_reads_like_a_file_is_missed_as_a_file(text: str) -> None:
    with refused(text, "does not exist"):
        parse_regions(text, LENGTHS)


# Algebra, against sets of integers

spans = st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 12)), max_size=12).map(
    lambda rows: np.array([(start, start + size) for start, size in rows], np.int64).reshape(-1, 2)
)


def bases(array: NDArray[np.int64]) -> set[int]:
    return {base for start, end in array.tolist() for base in range(start, end)}


def assert_merged(array: NDArray[np.int64]) -> None:
    assert array.dtype == np.int64
    assert array.shape == (len(array), 2)
    flat = array.reshape(-1)
    assert bool((flat[1:] > flat[:-1]).all())


@given(spans)
def test_merging_keeps_the_bases_and_nothing_else(first: NDArray[np.int64]) -> None:
    merged = merge(first)
    assert_merged(merged)
    assert bases(merged) == bases(first)
    assert total(merged) == len(bases(first))


@given(spans, spans)
def test_intersecting_and_subtracting_do_what_sets_do(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    common = intersect(merge(first), merge(second))
    left = subtract(merge(first), merge(second))
    assert_merged(common)
    assert_merged(left)
    assert bases(common) == bases(first) & bases(second)
    assert bases(left) == bases(first) - bases(second)


def test_disjoint_intervals_that_touch_are_taken_too() -> None:
    touching = np.array([[0, 5], [5, 9]], np.int64)
    assert intersect(touching, np.array([[3, 7]], np.int64)).tolist() == [[3, 7]]
    assert subtract(touching, np.array([[4, 5]], np.int64)).tolist() == [[0, 4], [5, 9]]


def test_nothing_is_nothing() -> None:
    nothing = np.empty((0, 2), np.int64)
    assert merge(nothing).shape == intersect(nothing, nothing).shape == subtract(nothing, nothing).shape == (0, 2)
    assert total(nothing) == 0
