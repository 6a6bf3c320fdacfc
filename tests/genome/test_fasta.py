"""FASTA and its index."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import pysam
import pytest

from tests.genome.conftest import refused, slow_codes, write_bgzip, write_fasta
from trackgen.genome import decode, open_genome
from trackgen.genome.bgzf import BgzfText

RECORDS = {"chrI": "ACGTNNacgtRYKTTGACCA" * 3, "chrII": "GATTACA", "chrM": "TTTTTTTTTTT"}


def read_all(path: Path, **keywords: Path) -> dict[str, str]:
    with open_genome(path, **keywords) as genome:
        return {name: decode(genome.fetch(name, 0, length)) for name, length in genome.lengths.items()}


def expected(records: dict[str, str]) -> dict[str, str]:
    return {name: "".join("ACGTN"[code] for code in slow_codes(text, 0, len(text))) for name, text in records.items()}


def make_old(path: Path) -> None:
    os.utime(path, (1_000_000_000, 1_000_000_000))


def test_windows_line_ends_and_a_missing_last_one_are_read(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "x.fa", RECORDS, newline="\r\n")
    path.write_bytes(path.read_bytes().rstrip())
    assert read_all(path) == expected(RECORDS)


def test_empty_lines_between_sequences_and_sequences_without_bases_are_stepped_over(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(">none\n>a text\nACGT\nAC\n\n\n>nothing\n>b\nGG\n\n")
    assert read_all(tmp_path / "x.fa") == {"a": "ACGTAC", "b": "GG"}


@pytest.mark.parametrize("size", [1000, 1021, 1022, 1023, 1024, 1025, 5000, 200_000])
def test_header_lines_of_any_length_are_read(size: int, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(f">a {'x' * size}\nACGT\n>b {'y' * size}\nGG\n")
    assert read_all(tmp_path / "x.fa") == {"a": "ACGT", "b": "GG"}


def test_the_index_is_made_beside_the_fasta_as_samtools_makes_it(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "x.fa", RECORDS)
    read_all(path)
    assert sorted(os.listdir(tmp_path)) == ["x.fa", "x.fa.fai"]
    ours = (tmp_path / "x.fa.fai").read_text()
    (tmp_path / "x.fa.fai").unlink()
    pysam.faidx(str(path))
    assert (tmp_path / "x.fa.fai").read_text() == ours


def test_both_indexes_of_bgzip_are_made_beside_it(tmp_path: Path) -> None:
    path = write_bgzip(tmp_path / "x.fa.gz", RECORDS)
    assert read_all(path) == expected(RECORDS)
    assert {"x.fa.gz.fai", "x.fa.gz.gzi"} < set(os.listdir(tmp_path))


def test_in_a_read_only_folder_the_index_is_made_in_a_temporary_place_and_removed(tmp_path: Path) -> None:
    folder, temporary = tmp_path / "genome", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    path = write_bgzip(folder / "x.fa.gz", RECORDS)
    before = sorted(os.listdir(folder))
    folder.chmod(0o555)
    try:
        genome = open_genome(path, tmp_dir=temporary)
        assert len(os.listdir(temporary)) == 1
        assert decode(genome.fetch("chrII", 0, 7)) == "GATTACA"
        genome.close()
        assert sorted(os.listdir(folder)) == before
    finally:
        folder.chmod(0o755)
    assert os.listdir(temporary) == []


def test_the_temporary_place_is_that_of_the_environment_unless_another_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, temporary = tmp_path / "genome", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    path = write_fasta(folder / "x.fa", RECORDS)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(temporary))
    folder.chmod(0o555)
    try:
        with open_genome(path):
            assert len(os.listdir(temporary)) == 1
    finally:
        folder.chmod(0o755)


def test_an_index_beside_the_fasta_is_used_and_not_written_again(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "x.fa", RECORDS)
    pysam.faidx(str(path))
    make_old(tmp_path / "x.fa.fai")
    assert read_all(path) == expected(RECORDS)
    assert (tmp_path / "x.fa.fai").stat().st_mtime == 1_000_000_000


def test_records_of_an_index_in_another_order_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "x.fa", RECORDS)
    pysam.faidx(str(path))
    index = tmp_path / "x.fa.fai"
    index.write_text("".join(reversed(index.read_text().splitlines(keepends=True))) + "empty\t0\t0\t0\t0\n")
    assert list(read_all(path)) == list(RECORDS)


def test_a_file_of_many_bgzip_blocks_is_read_anywhere(tmp_path: Path) -> None:
    records = {"a": "ACGTTGCATNGATC" * 20_000, "b": "TTGACA" * 15_000, "c": "G"}
    path = write_bgzip(tmp_path / "x.fa.gz", records, width=70)
    assert read_all(path) == expected(records)
    assert read_all(path) == expected(records)


def test_the_text_inside_bgzip_is_found_at_every_block_border(tmp_path: Path) -> None:
    path = write_bgzip(tmp_path / "x.fa.gz", {"a": "ACGTTGCATNGATC" * 20_000}, width=70)
    text = gzip.decompress(path.read_bytes())
    open_genome(path).close()
    with open(path, "rb") as file:
        reader = BgzfText(file, tmp_path / "x.fa.gz.gzi")
        index = (tmp_path / "x.fa.gz.gzi").read_bytes()
        borders = [0, *struct.unpack(f"<{(len(index) - 8) // 8}Q", index[8:])[1::2], len(text)]
        assert len(borders) > 4
        for border in borders:
            for offset in range(max(0, border - 2), border + 2):
                assert reader.read(offset, 70_000) == text[offset : offset + 70_000]


# Bad input


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("write", [write_fasta, write_bgzip])
@pytest.mark.parametrize(
    "text",
    [">a\nACGT\n>b\nAC\n>a\nGGGG\n", ">a\nAC\n>a\nAC\n>b\nA\n", ">a\n>b\nAC\n>a\nAC\n", ">b\nAC\n>a\nAC\n>a\n>c\nA\n"],
)
def test_two_sequences_of_one_name_are_refused(text: str, write: object, indexed: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_text(text)
    if write is write_bgzip:
        path = tmp_path / "x.fa.gz"
        pysam.tabix_compress(str(tmp_path / "x.fa"), str(path))
    if indexed:
        # samtools drops the second one and says so on stderr only.
        verbosity = pysam.set_verbosity(0)
        pysam.faidx(str(path))
        pysam.set_verbosity(verbosity)
    with refused(path.name, "two sequences have one name", "found a", "Rename or remove"):
        open_genome(path)
    assert indexed or not (tmp_path / f"{path.name}.fai").exists()


def test_an_index_older_than_its_fasta_that_does_not_match_is_refused(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "x.fa", RECORDS)
    pysam.faidx(str(path))
    make_old(tmp_path / "x.fa.fai")
    write_fasta(path, {**RECORDS, "chrI": "ACGT"})
    with refused("x.fa.fai", "older than its FASTA and does not match it", "Delete x.fa.fai"):
        open_genome(path)


CHANGES = {
    "a base more": {**RECORDS, "chrI": RECORDS["chrI"] + "A"},
    "a base less at the end": {**RECORDS, "chrM": RECORDS["chrM"][:-1]},
    "a base more at the end": {**RECORDS, "chrM": RECORDS["chrM"] + "A"},
    "another name": {"chrX": RECORDS["chrI"], "chrII": RECORDS["chrII"], "chrM": RECORDS["chrM"]},
    "a sequence more": {**RECORDS, "chrIV": "ACGT"},
    "a sequence less": {"chrI": RECORDS["chrI"], "chrII": RECORDS["chrII"]},
    "another order": dict(reversed(RECORDS.items())),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("write", [write_fasta, write_bgzip])
def test_an_index_of_another_fasta_is_refused(change: str, write: type, tmp_path: Path) -> None:
    path = write(tmp_path / "x.fa", RECORDS)
    pysam.faidx(str(path))
    write(path, CHANGES[change])
    make_old(path)
    with refused("x.fa.fai", "does not match its FASTA", "Delete x.fa.fai"):
        open_genome(path)


def test_an_index_of_other_line_lengths_is_refused(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "x.fa", {"a": "ACGTACGTAC"}, width=5)
    pysam.faidx(str(path))
    write_fasta(path, {"a": "ACGTACGTAC"}, width=6)
    with refused("does not match", "the lines of a are not 5 bases long"):
        open_genome(path)


@pytest.mark.parametrize("text", ["chrI\t60\n", "chrI\tsixty\t1\t2\t3\n", "chrI\t60\t6\t0\t0\n", "\x00\xff"])
def test_an_index_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "x.fa", RECORDS)
    (tmp_path / "x.fa.fai").write_text(text, encoding="latin-1")
    with refused("x.fa.fai", "the index can't be read", "Delete x.fa.fai"):
        open_genome(path)


@pytest.mark.parametrize("content", [b"", b"\x05" + bytes(7), struct.pack("<3Q", 1, 7, 11)])
def test_a_bgzip_index_that_does_not_fit_is_refused(content: bytes, tmp_path: Path) -> None:
    path = write_bgzip(tmp_path / "x.fa.gz", RECORDS)
    pysam.faidx(str(path))
    (tmp_path / "x.fa.gz.gzi").write_bytes(content)
    with refused("does not match its FASTA", "Delete x.fa.gz.fai and x.fa.gz.gzi"):
        open_genome(path)


def test_gzip_that_is_not_bgzip_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "x.fa.gz", "wb") as file:
        file.write(b">a\nACGT\n")
    with refused("x.fa.gz", "compressed by gzip", "wanted bgzip", "gunzip -c x.fa.gz | bgzip"):
        open_genome(tmp_path / "x.fa.gz")


def test_truncated_bgzip_is_refused(tmp_path: Path) -> None:
    path = write_bgzip(tmp_path / "x.fa.gz", {"a": "ACGTTGCATNGATC" * 20_000}, width=70)
    path.write_bytes(path.read_bytes()[:-4000])
    with refused("x.fa.gz", "truncated"):
        open_genome(path)


def test_damaged_bgzip_is_refused(tmp_path: Path) -> None:
    path = write_bgzip(tmp_path / "x.fa.gz", RECORDS)
    content = bytearray(path.read_bytes())
    content[30:50] = bytes(20)
    path.write_bytes(content)
    with refused("x.fa.gz", "damaged"):
        open_genome(path)


def test_a_block_damaged_behind_the_first_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = write_bgzip(tmp_path / "x.fa.gz", {"a": "ACGTTGCATNGATC" * 40_000}, width=70)
    open_genome(path).close()
    content = bytearray(path.read_bytes())
    size = len(content)
    content[size // 2 : size // 2 + 200] = os.urandom(200)
    path.write_bytes(content)
    verbosity = pysam.set_verbosity(0)
    try:
        with refused("x.fa.gz"), open_genome(path) as genome:
            genome.fetch("a", 0, 560_000)
    finally:
        pysam.set_verbosity(verbosity)


def test_bgzip_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.vcf").write_text("##fileformat=VCFv4.2\n")
    pysam.tabix_compress(str(tmp_path / "x.vcf"), str(tmp_path / "x.vcf.gz"))
    with refused("the compressed file is not FASTA", "first line", "##fileformat"):
        open_genome(tmp_path / "x.vcf.gz")


@pytest.mark.parametrize("text", [">", ">a\n", ">a\n>b\n\n", ">a\nACGT\n>b\n"])
def test_fasta_that_ends_in_a_header_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(text)
    with refused("x.fa", "ends in a header without a base", "cut off"):
        open_genome(tmp_path / "x.fa")


def test_fasta_without_a_base_is_refused_also_with_an_index(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(">a\n")
    (tmp_path / "x.fa.fai").touch()
    with refused("x.fa", "holds no base"):
        open_genome(tmp_path / "x.fa")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (">a\nACGT\nAC\nACGT\n", "line 4, sequence a"),
        (">b\nA\n>a x\nACGT\nACGTA\n", "line 5, sequence a"),
        (">a\nACGT\n\nACGT\n", "line 4, sequence a"),
        (">a\n\nACGT\n", "line 3, sequence a"),
    ],
)
def test_lines_of_differing_length_are_refused_with_their_number(text: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(text)
    with refused("x.fa", "differ in length", place, "wanted 4", "Wrap the file again"):
        open_genome(tmp_path / "x.fa")
