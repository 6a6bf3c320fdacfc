"""Fragments from text files: the same rows whatever the layout, thinning by seed, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reads import LENGTHS, chunks_of, fragment_rows
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.genome import fragment_files
from trackgen.genome.fragments import (
    FragmentOptions,
    Fragments,
    FragmentSource,
    is_reads,
    kept,
    load_fragments,
    open_fragments,
)

LINES = [
    "chrA\t0\t5\tACGTACGTACGTACGT-1\t1",
    "chrA\t3\t8\tACGTACGTACGTACGT-1\t2",
    "chrA\t3\t4\tACGTACGTACGTACGT-1\t1",
    "",
    "# a comment",
    "chrB\t9\t10\tACGTACGTACGTACGT-1\t1",
]
ROWS = [("chrA", 0, 5), ("chrA", 3, 8), ("chrA", 3, 4), ("chrB", 9, 10)]


def write(path: Path, lines: list[str]) -> Path:
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def rows_of(path: Path, options: FragmentOptions = FragmentOptions()) -> list[tuple[str, int, int]]:  # noqa: B008
    return [
        (chunk.name, int(start), int(end))
        for chunk in open_fragments(path, LENGTHS, options).chunks()
        for start, end in zip(chunk.start, chunk.end, strict=True)
    ]


@pytest.mark.parametrize("name", ["f.tsv", "f.tsv.gz", "f.bed"])
def test_whole_fragments_are_read_row_by_row_from_plain_and_gzip(tmp_path: Path, name: str) -> None:
    assert rows_of(write(tmp_path / name, LINES)) == ROWS


def test_windows_line_ends_a_missing_last_one_and_three_columns_make_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "f.bed"
    path.write_bytes(b"track name=x\r\n" + b"\r\n".join(f"{n}\t{a}\t{b}".encode() for n, a, b in ROWS))
    assert rows_of(path) == ROWS


def test_fragments_on_sequences_that_the_genome_lacks_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = ["chrQ\t1\t5", "chrQ\t2\t5", "chrA\t1\t5", "chrR\t1\t5"]
    source = open_fragments(write(tmp_path / "f.tsv", lines), LENGTHS, FragmentOptions())
    assert [(chunk.name, chunk.start.tolist()) for chunk in source.chunks()] == [("chrA", [1])]
    assert str(source.counts) == "1 fragments of 4 records; 3 left out: on sequences that the genome does not have"


@pytest.mark.parametrize(
    ("fields", "shifted"),
    [
        ("ACGTACGTACGTACGT-1\t2", True),
        ("donor1#ACGTACGTACGTACGT-1\t2", True),
        ("peak_1\t960", False),
        ("CATALASE\t960", False),
    ],
)
def test_only_barcodes_make_a_file_one_of_10x(tmp_path: Path, fields: str, shifted: bool) -> None:
    path = write(tmp_path / "f.tsv", [f"chrA\t1\t5\t{fields}"])
    assert open_fragments(path, LENGTHS, FragmentOptions()).shifted == shifted


def test_lines_of_a_sequence_are_put_in_order(tmp_path: Path) -> None:
    lines = ["chrB\t9\t10", "chrB\t3\t80", "chrB\t3\t7", "chrA\t7\t9", "chrA\t1\t2"]
    wanted = [("chrB", 3, 80), ("chrB", 3, 7), ("chrB", 9, 10), ("chrA", 1, 2), ("chrA", 7, 9)]
    assert rows_of(write(tmp_path / "f.bed", lines)) == wanted


def test_pairs_are_joined_from_the_first_base_to_the_last_in_any_order_on_their_sequence(tmp_path: Path) -> None:
    lines = [
        "chrA\t40\t50\tchrA\t60\t70\tr1\t40\t+\t-",
        "chrA\t20\t30\tchrA\t5\t15\tr2\t40\t-\t+",
        "chrA\t1\t2\tchrB\t3\t4\tr3\t40\t+\t-",
        "chrB\t1\t2\tchrB\t1\t9\tr4\t40\t+\t-",
    ]
    path = write(tmp_path / "f.bedpe", lines)
    assert rows_of(path) == [("chrA", 5, 30), ("chrA", 40, 70), ("chrB", 1, 9)]
    source = open_fragments(path, LENGTHS, FragmentOptions())
    list(source.chunks())
    assert str(source.counts) == (
        "3 fragments of 4 records; 1 left out: reads on two sequences, or one of them nowhere"
    )


def test_lines_of_single_reads_keep_their_strand_and_are_extended_from_their_first_base(tmp_path: Path) -> None:
    lines = ["chrB\t10\t20\tN\t1\t-", "chrB\t12\t22\tN\t1\t+", "chrB\t80\t88\tN\t1\t+", "chrB\t81\t90\tN\t1\t-"]
    path = write(tmp_path / "f.tagAlign", lines)
    plain = load_fragments(path, LENGTHS, FragmentOptions(pairs="reads"))["chrB"]
    assert plain.strand is not None
    assert plain.strand.tolist() == [-1, 1, 1, -1]
    long = load_fragments(path, LENGTHS, FragmentOptions(pairs="reads", extend=15))["chrB"]
    # cut at both ends of the sequence, and in order again
    assert list(zip(long.start.tolist(), long.end.tolist(), strict=True)) == [(5, 20), (12, 27), (75, 90), (80, 90)]


def test_long_fragments_are_left_out_and_counted(tmp_path: Path) -> None:
    source = open_fragments(write(tmp_path / "f.tsv", LINES), LENGTHS, FragmentOptions(longest=4))
    assert [len(chunk.start) for chunk in source.chunks()] == [1, 1]
    assert str(source.counts) == "2 fragments of 4 records; 2 left out: longer than 4 bp"


def test_tenx_layout_is_known_by_its_columns(tmp_path: Path) -> None:
    assert open_fragments(write(tmp_path / "f.tsv", LINES), LENGTHS, FragmentOptions()).shifted
    bed = write(tmp_path / "f.bed", ["chrA\t1\t2\tname\t5\t+"])
    assert not open_fragments(bed, LENGTHS, FragmentOptions()).shifted


@given(rows=fragment_rows(), size=st.integers(1, 400))
def test_pieces_of_a_file_do_not_show(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int]], size: int
) -> None:
    path = write(tmp_path_factory.mktemp("f") / "f.tsv", [f"{n}\t{a}\t{b}" for n, a, b in rows] or ["chrA\t1\t2"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fragment_files, "BYTES_PER_PIECE", size)
        assert rows_of(path) == (rows or [("chrA", 1, 2)])


# Thinning.


def split_mix(seed_key: int, index: int) -> int:
    """SplitMix64 in whole numbers, as its authors print it."""
    mask = (1 << 64) - 1
    value = (seed_key + (index + 1) * 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)


def test_the_draw_is_splitmix64_of_the_index() -> None:
    key = int.from_bytes(hashlib.blake2b(b"7\0chrA", digest_size=8).digest(), "little")
    wanted = [split_mix(key, index) < int(0.3 * 2**64) for index in range(5, 105)]
    assert kept(100, 0.3, 7, "chrA", 5).tolist() == wanted


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 0.99), st.integers(-5, 10**12))
def test_the_draw_does_not_depend_on_chunks_and_smaller_fractions_nest(a: int, b: int, share: float, seed: int) -> None:
    whole = kept(a + b, share, seed, "chrA")
    assert np.array_equal(whole, np.concatenate([kept(a, share, seed, "chrA"), kept(b, share, seed, "chrA", a)]))
    assert not (kept(a + b, share / 2, seed, "chrA") & ~whole).any()


def test_the_draw_has_its_share_and_differs_between_seeds_and_sequences() -> None:
    number = 200_000
    first, second, third = kept(number, 0.1, 1, "chrA"), kept(number, 0.1, 2, "chrA"), kept(number, 0.1, 1, "chrB")
    # five standard deviations of a binomial draw
    assert abs(first.mean() - 0.1) < 5 * (0.1 * 0.9 / number) ** 0.5
    for other in (second, third):
        assert abs((first & other).mean() - 0.01) < 5 * (0.01 / number) ** 0.5
    assert kept(5, 1.0, 1, "chrA").all()


@given(rows=fragment_rows(), share=st.floats(0.05, 0.95), size=st.integers(1, 50))
def test_a_thinned_file_and_its_complement_are_the_file_whatever_the_chunks(
    rows: list[tuple[str, int, int]], share: float, size: int
) -> None:
    def thinned(complement: bool) -> list[tuple[str, int, int]]:
        options = FragmentOptions(fraction=share, seed=3, complement=complement)
        source = FragmentSource(Path("f"), options, lambda counts: iter(chunks_of(rows, size)))
        found = []
        with contextlib.suppress(DataError):  # none is left
            for chunk in source.chunks():
                found += [(chunk.name, a, b) for a, b in zip(chunk.start.tolist(), chunk.end.tolist(), strict=True)]
        assert source.counts.used == len(found)
        return found

    used, others = thinned(False), thinned(True)
    drawn = {name: iter(kept(len(rows), share, 3, name)) for name in LENGTHS}
    assert used == [row for row in rows if next(drawn[row[0]])]
    assert sorted(used + others) == sorted(rows)


def test_load_fragments_gives_every_sequence_and_draws_as_the_stream_does(tmp_path: Path) -> None:
    path = write(tmp_path / "f.tsv", LINES)
    every = load_fragments(path, LENGTHS, FragmentOptions())
    assert list(every) == list(LENGTHS)
    assert (len(every["chrA"].start), len(every["chrB"].start), len(every["chrC"].start)) == (3, 1, 0)
    thinned = load_fragments(path, LENGTHS, FragmentOptions(fraction=0.5, seed=2))
    assert thinned["chrA"].start.tolist() == every["chrA"].start[kept(3, 0.5, 2, "chrA")].tolist()


# What is refused.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pairs": "both"}, "unknown kind of pairs; found both; wanted auto or paired or reads."),
        ({"fraction": 0.0}, "not a fraction of the fragments; found 0.0; wanted above 0 and at most 1."),
        ({"fraction": 1.5}, "not a fraction of the fragments; found 1.5"),
        ({"complement": True}, "nothing is left beside all fragments; found complement of fraction 1"),
        ({"longest": 0}, "a length must be positive; found longest 0, extend None."),
    ],
)
def test_options_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        FragmentOptions(**values)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.exit_status == 2


BAD = [
    (["chrA\t0"], "line 1: the line is not a fragment; found chrA 0; wanted sequence, start and end"),
    (["chrA\t1\t2", "chrA\tx\t5"], "line 2: the line is not a fragment; found chrA x 5"),
    (["chrA\t1\t2", "# x", "chrA\t15\t701"], "line 3: the fragment does not lie on its sequence; found 15-701; wanted"),
    (["chrA\t5\t5"], "line 1: the fragment does not lie on its sequence; found 5-5"),
    (["chrA\t1\t2", "chrB\t1\t2", "chrA\t3\t4"], "line 3: the fragments of a sequence stand in two places; found"),
    (["chrQ\t1\t5"], "line 1: the fragments names a sequence that the genome does not have; found chrQ"),
    (
        ["chrA\t1\t5\tchrA\t3\t9", "chrA\t1\t5\tcell"],
        "line 2: the line is not a fragment; found chrA 1 5 cell; wanted sequence, start and end of both",
    ),
    (["# nothing"], "there is no fragment."),
]


@pytest.mark.parametrize(("lines", "message"), BAD)
def test_bad_lines_are_refused_by_number(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        rows_of(write(tmp_path / "f.tsv", lines))
    assert message in str(caught.value).replace("\t", " ")
    assert caught.value.exit_status == 3


def refused(path: Path, options: FragmentOptions = FragmentOptions()) -> str:  # noqa: B008
    with pytest.raises(TrackgenError) as caught:
        rows_of(path, options)
    assert caught.value.exit_status == 3
    return str(caught.value)


def test_lines_without_a_strand_are_no_single_reads(tmp_path: Path) -> None:
    text = refused(write(tmp_path / "f.bed", LINES), FragmentOptions(pairs="reads"))
    assert "line 1: the line is not a read with a strand" in text
    assert "Leave --pairs to auto" in text


def test_a_missing_and_a_broken_file_are_refused_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "fragments.tsv", LINES)
    assert "the file does not exist. Did you mean fragments.tsv." in refused(tmp_path / "fragment.tsv")
    assert "the file can't be read" in refused(tmp_path)
    whole = write(tmp_path / "cut.tsv.gz", LINES).read_bytes()
    for size in (len(whole) - 12, 20):
        (tmp_path / "cut.tsv.gz").write_bytes(whole[:size])
        assert "the fragments file can't be read" in refused(tmp_path / "cut.tsv.gz")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            b"CRAM\3\0",
            "this is a CRAM file; wanted a BAM file sorted by coordinate. Turn it into one: samtools sort -o x.bam",
        ),
        (b"@HD\tVN:1.6\n", "this is a SAM file"),
        (b"\x26\xfc\x8f\x88", "this is a track, which holds no fragments"),
        (b"\x87\x89\xf2\xeb", "this is a track, which holds no fragments"),
    ],
)
def test_other_kinds_of_files_are_refused_with_what_turns_them_into_the_right_one(
    tmp_path: Path, head: bytes, message: str
) -> None:
    (tmp_path / "x.y").write_bytes(head)
    assert message in refused(tmp_path / "x.y")


def test_is_reads_tells_tracks_from_files_of_reads(tmp_path: Path) -> None:
    (tmp_path / "x.bw").write_bytes(b"\x26\xfc\x8f\x88")
    assert not is_reads(tmp_path / "x.bw")
    assert is_reads(write(tmp_path / "f.tsv", LINES))


def test_rows_can_be_taken_with_their_strand() -> None:
    some = Fragments("chrA", np.array([1, 2, 3]), np.array([4, 5, 6]), np.array([1, -1, 1], np.int8)).take(slice(1, 3))
    assert (some.start.tolist(), some.end.tolist()) == ([2, 3], [5, 6])
    assert some.strand is not None
    assert some.strand.tolist() == [-1, 1]
