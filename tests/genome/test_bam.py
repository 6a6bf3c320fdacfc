"""BAM files: each pair once, as a plain loop over pysam's records has it; indexes; and what is refused."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from tests.reads import FORWARD, LENGTHS, REVERSE, Read, bases_covered, pair, write_bam
from trackgen.errors import DataError
from trackgen.genome import bgzf_pieces
from trackgen.genome.bam_index import bam_index
from trackgen.genome.bgzf import END_BLOCK
from trackgen.genome.fragments import FragmentOptions, open_fragments

PAIRED = FragmentOptions()
READS = FragmentOptions(pairs="reads")
PAIRS = pair("chrA", 5, 65) + pair("chrA", 5, 12) + pair("chrA", 300, 420) + pair("chrB", 80, 90)


def slow(path: Path, options: FragmentOptions, lengths: dict[str, int] = LENGTHS) -> list[tuple[str, int, int]]:
    """One record at a time, by pysam; the rows in the order of their starts."""
    rows = []
    paired = options.pairs != "reads"
    with pysam.AlignmentFile(str(path)) as file:
        for read in file:
            if read.is_unmapped or read.is_secondary or read.is_supplementary or read.is_qcfail:
                continue
            if read.mapping_quality < options.mapping_quality or (read.is_duplicate and not options.duplicates):
                continue
            assert read.reference_name is not None
            start, end = read.reference_start, read.reference_end
            assert end is not None
            if paired:
                if not read.is_proper_pair or read.next_reference_id != read.reference_id or not read.template_length:
                    continue
                own = (start, read.is_reverse if read.is_reverse != read.mate_is_reverse else not read.is_read1)
                mate = (read.next_reference_start, not own[1])
                if own > mate:
                    continue
                end = start + abs(read.template_length)
                if options.longest is not None and end - start > options.longest:
                    continue
            elif options.extend is not None:
                length = lengths[read.reference_name]
                if read.is_reverse:
                    start = max(0, end - options.extend)
                else:
                    end = min(length, start + options.extend)
            rows.append((read.reference_name, start, end))
    order = list(lengths)
    return sorted(rows, key=lambda row: (order.index(row[0]), row[1]))


def fast(path: Path, options: FragmentOptions, lengths: dict[str, int] = LENGTHS) -> list[tuple[str, int, int]]:
    source = open_fragments(path, lengths, options)
    rows = []
    for chunk in source.chunks():
        assert (np.diff(chunk.start) >= 0).all()
        rows += [(chunk.name, a, b) for a, b in zip(chunk.start.tolist(), chunk.end.tolist(), strict=True)]
    counts = source.counts
    assert counts.read == counts.used + sum(counts.left_out.values())
    assert counts.used == len(rows)
    return rows


def test_a_pair_is_one_fragment_from_its_first_base_to_its_last(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS)
    assert fast(path, PAIRED) == [("chrA", 5, 65), ("chrA", 5, 12), ("chrA", 300, 420), ("chrB", 80, 90)]
    covered = bases_covered(open_fragments(path, LENGTHS, PAIRED).chunks())
    assert (covered["chrA"][[4, 5, 11, 12, 64, 65]]).tolist() == [0, 2, 2, 1, 1, 0]


def test_single_reads_are_used_where_the_file_holds_no_pairs_as_aligned_or_extended(tmp_path: Path) -> None:
    reads = [
        Read("chrA", 20, 0, cigar="4S10M2D5M"), Read("chrA", 30, 16), Read("chrB", 85, 0, cigar="3M100N2M"),
    ]  # fmt: skip
    path = write_bam(tmp_path / "a.bam", reads[:2])
    assert fast(path, PAIRED) == [("chrA", 20, 37), ("chrA", 30, 40)]
    assert fast(path, FragmentOptions(extend=30)) == [("chrA", 10, 40), ("chrA", 20, 50)]
    (chunk,) = open_fragments(path, LENGTHS, PAIRED).chunks()
    assert chunk.strand is not None
    assert chunk.strand.tolist() == [1, -1]
    with pytest.raises(DataError, match=r"record 1: the fragment does not lie on its sequence; found 85-190"):
        fast(write_bam(tmp_path / "b.bam", reads[2:]), PAIRED)


def test_each_record_that_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    reads = [
        *pair("chrA", 1, 50), *pair("chrA", 2, 50, quality=3), *pair("chrA", 3, 50, extra=0x400),
        *pair("chrA", 4, 50, extra=0x100), *pair("chrA", 5, 50, extra=0x200), *pair("chrA", 6, 90),
        Read("chrA", 7, FORWARD, 0, 20, "chrA"), Read("chrA", 8, FORWARD, 0, 20, "chrB"),
        Read("chrA", 9, 0x1 | 0x8), Read("chrA", 9, 0x1 | 0x4), Read(None, -1, 0x4),
    ]  # fmt: skip
    source = open_fragments(write_bam(tmp_path / "a.bam", reads), LENGTHS, FragmentOptions(longest=60))
    assert sum(len(chunk.start) for chunk in source.chunks()) == 1
    assert source.counts.left_out == {
        "unmapped": 2, "secondary or supplementary alignments": 2, "failed the sequencer's check": 2,
        "mapping quality below 10": 2, "duplicates": 2, "no proper pair": 1, "mate on another sequence": 1,
        "right read of its pair": 2, "pair without a length": 1, "longer than 60 bp": 1,
    }  # fmt: skip
    everything = FragmentOptions(mapping_quality=0, duplicates=True)
    assert len(fast(tmp_path / "a.bam", everything)) == 4


@st.composite
def records(draw: st.DrawFn) -> list[Read]:
    """Pairs and single reads with all kinds of flags, near borders and far from them."""
    found: list[Read] = []
    for _ in range(draw(st.integers(0, 25))):
        name = draw(st.sampled_from(["chrA", "chrB"]))
        start = draw(st.integers(0, LENGTHS[name] - 12))
        end = draw(st.integers(start + 12, LENGTHS[name]))
        quality = draw(st.sampled_from([0, 9, 10, 40]))
        extra = draw(st.sampled_from([0, 0, 0, 0x100, 0x200, 0x400, 0x800]))
        found += pair(name, start, end, read=12, quality=quality, extra=extra)
        flag = draw(st.sampled_from([0, 16, 4, FORWARD & ~2, REVERSE & ~2]))
        cigar = draw(st.sampled_from(["12M", "3S9M", "5M1I6M", "4M2D4M4S", "12M2H"]))
        found.append(Read(name, start, flag, cigar=cigar, quality=quality))
    return found


@settings(max_examples=40)
@given(
    reads=records(), kind=st.sampled_from(["paired", "reads"]), quality=st.sampled_from([0, 10]),
    duplicates=st.booleans(), extend=st.sampled_from([None, 1, 30, 900]), piece=st.sampled_from([70, 300, 1 << 20]),
)  # fmt: skip
def test_arrays_and_a_loop_over_records_agree(
    tmp_path_factory: pytest.TempPathFactory, reads: list[Read], kind: str, quality: int, duplicates: bool,
    extend: int | None, piece: int,
) -> None:  # fmt: skip
    path = write_bam(tmp_path_factory.mktemp("bam") / "a.bam", reads + pair("chrA", 100, 150))
    options = FragmentOptions(kind, quality, duplicates, 400, extend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bgzf_pieces, "BYTES_READ", piece)
        rows = fast(path, options)
    wanted = slow(path, options)
    assert [row[:2] for row in rows] == [row[:2] for row in wanted]
    assert sorted(rows) == sorted(wanted)


def test_records_are_cut_anywhere_by_blocks(tmp_path: Path) -> None:
    whole = write_bam(tmp_path / "whole.bam", PAIRS, index=False)
    content = gzip.decompress(whole.read_bytes())
    for size in (7, 50, 1000):
        path = tmp_path / f"{size}.bam"
        parts = []
        for first in range(0, len(content), size):
            write_content(path, content[first : first + size])
            parts.append(path.read_bytes().removesuffix(END_BLOCK))
        path.write_bytes(b"".join([*parts, END_BLOCK]))
        assert fast(path, PAIRED) == fast(whole, PAIRED)


def test_names_of_another_style_are_read_as_the_genomes_own_and_told(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", pair("1", 5, 65), {"1": 700, "2": 90, "other": 44})
    source = open_fragments(path, {"chr1": 700, "chr2": 90}, PAIRED)
    assert [chunk.name for chunk in source.chunks()] == ["chr1"]
    assert source.told == "sequence names: 1 as chr1, 2 as chr2"


def test_reads_on_sequences_that_the_genome_lacks_are_counted(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS)
    source = open_fragments(path, {"chrA": 700}, PAIRED)
    assert {chunk.name for chunk in source.chunks()} == {"chrA"}
    assert source.counts.left_out["on sequences that the genome does not have"] == 2


def write_content(path: Path, content: bytes) -> None:
    """A bgzip file of these bytes."""
    with pysam.BGZFile(str(path), "wb") as file:  # type: ignore[call-arg]
        file.write(content)


# Indexes.


def test_an_index_is_made_beside_the_file_where_there_is_none_and_again_where_it_is_older(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS, index=False)
    assert fast(path, PAIRED)
    index = tmp_path / "a.bam.bai"
    made = index.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.bam", "a.bam.bai"]
    index.write_bytes(b"old")
    os.utime(index, (1, 1))
    assert fast(path, PAIRED)
    assert index.read_bytes() == made


@pytest.mark.parametrize("size", [0, 4, 200])
def test_a_damaged_index_is_made_again(tmp_path: Path, size: int) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS, index=True)
    index = tmp_path / "a.bam.bai"
    whole = index.read_bytes()
    index.write_bytes(whole[:size] if size < 100 else b"\7" * size)
    assert fast(path, PAIRED)
    assert index.read_bytes() == whole


def test_the_index_lies_in_the_temporary_folder_where_the_files_own_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS, index=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with bam_index(path) as index:
        assert index is not None
        assert index.is_file()
        assert index.parent != tmp_path
    assert not index.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bam"]


def test_sequences_too_long_for_bai_get_another_index(tmp_path: Path) -> None:
    lengths = {"chrA": 1 << 30}
    path = write_bam(tmp_path / "a.bam", pair("chrA", (1 << 30) - 80, 1 << 30), lengths, index=False)
    assert fast(path, PAIRED, lengths) == [("chrA", (1 << 30) - 80, 1 << 30)]
    assert (tmp_path / "a.bam.csi").is_file()


# What is refused.


def refused(path: Path, options: FragmentOptions = PAIRED, lengths: dict[str, int] = LENGTHS) -> str:
    with pytest.raises(DataError) as caught:
        fast(path, options, lengths)
    assert caught.value.exit_status == 3
    assert caught.value.path == str(path)
    return str(caught.value)


def test_an_unsorted_file_is_refused_by_its_header_and_by_its_records(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS, order="queryname", index=False)
    text = refused(path)
    assert "header: the BAM file is not sorted by coordinate; found SO:queryname; wanted SO:coordinate" in text
    assert "Sort it: samtools sort -o a.sorted.bam a.bam." in text
    mixed = write_bam(tmp_path / "b.bam", [*pair("chrA", 9, 50), *pair("chrA", 3, 40)], sort=False, index=False)
    text = refused(mixed)
    assert "record 3: the BAM file is not sorted by coordinate; found a record before the one it follows" in text
    assert [entry.name for entry in tmp_path.glob("b.bam*")] == ["b.bam"]
    # an index from elsewhere hides nothing
    write_bam(tmp_path / "c.bam", PAIRS)
    shutil.copy(tmp_path / "c.bam.bai", tmp_path / "b.bam.bai")
    assert refused(mixed) == text


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = write_bam(tmp_path / "whole.bam", PAIRS * 50, sort=True).read_bytes()
    path = tmp_path / "a.bam"
    for size in (len(whole) - 1, len(whole) - len(END_BLOCK), len(whole) // 2, 200):
        path.write_bytes(whole[:size])
        assert f"a.bam: the file is truncated; found {size:,} bytes without the closing block. Get or" in refused(path)
    path.write_bytes(whole[: -len(END_BLOCK) - 5] + END_BLOCK)
    assert "the file is" in refused(path)


def test_a_file_whose_last_record_is_incomplete_is_refused(tmp_path: Path) -> None:
    content = gzip.decompress(write_bam(tmp_path / "whole.bam", PAIRS).read_bytes())
    path = tmp_path / "a.bam"
    for size in (len(content) - 3, len(content) - 40):
        write_content(path, content[:size])
        shutil.copy(tmp_path / "whole.bam.bai", tmp_path / "a.bam.bai")
        assert "record 8: the BAM file ends inside of a record" in refused(path)
    write_content(path, content[:20])
    assert "header: the BAM file ends inside of a record" in refused(path)


def test_damage_is_found_by_the_checksum(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS * 200)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "the file is damaged" in refused(path)
    assert "block at byte" in refused(path)


def test_another_genome_is_refused_by_length_and_by_names(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", PAIRS)
    text = refused(path, lengths={"chrA": 701, "chrB": 90})
    assert (
        "a sequence of the BAM file has another length than in the genome; found chrA of 700 bp; wanted 701 bp" in text
    )
    text = refused(path, lengths={"scaffold_1": 700, "scaffold_2": 95})
    assert "the BAM file names a sequence that the genome does not have; found chrA" in text


def test_single_reads_are_refused_where_fragments_are_asked(tmp_path: Path) -> None:
    path = write_bam(tmp_path / "a.bam", [Read("chrA", 20, 0), Read("chrA", 30, 16)])
    text = refused(path, FragmentOptions(pairs="paired"))
    assert "records 1-2: the BAM file holds single reads, where fragments of pairs are asked" in text
    assert "Count single reads: --pairs reads, with --extend N for fragments of N bases." in text


def test_a_file_without_mapped_reads_is_refused(tmp_path: Path) -> None:
    unmapped = write_bam(tmp_path / "a.bam", [Read(None, -1, 4)] * 3)
    assert "no read is mapped. Align the reads to the genome first, with bwa or bowtie2." in refused(unmapped)
    assert "no read is mapped" in refused(write_bam(tmp_path / "b.bam", []))
    poor = write_bam(tmp_path / "c.bam", pair("chrA", 1, 50, quality=2))
    text = refused(poor)
    assert "no fragment is left to count; found 0 fragments of 2 records; 2 left out: mapping quality below 10." in text


def test_a_fragment_beyond_its_sequence_is_refused(tmp_path: Path) -> None:
    reads = [*pair("chrA", 1, 50), Read("chrA", 600, FORWARD, 200, 690, "chrA")]
    text = refused(write_bam(tmp_path / "a.bam", reads))
    assert "record 3: the fragment does not lie on its sequence; found 600-800; wanted 0 <= start < end <= 700" in text


@pytest.mark.data
@pytest.mark.parametrize("options", [PAIRED, READS, FragmentOptions("reads", extend=200)])
def test_the_seeds_own_reads_are_read_as_pysam_reads_them(options: FragmentOptions) -> None:
    path = data_file("human_atac_bam/GL1.bam")
    with pysam.AlignmentFile(str(path)) as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
    rows = fast(path, options, lengths)
    assert len(rows) == (88_714 if options.pairs == "reads" else 43_537)
    wanted = slow(path, options, lengths)
    assert sorted(rows) == sorted(wanted)
