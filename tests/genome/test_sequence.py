"""Opening a genome, whatever its format and name, and what is the same for all formats."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from tests.genome.conftest import (
    genomes,
    refused,
    slow_codes,
    two_bit_bytes,
    write_bgzip,
    write_fasta,
)
from trackgen.genome import Genome, genome_digest, open_genome, write_twobit
from trackgen.progress import LineProgress

RECORDS = {"chrI": "ACGTNNacgtRYKTTGACCA", "chrII": "G", "chrM": "NNNNNACGTNNN"}
FORMATS = ("fasta", "bgzip", "2bit")


def write(folder: Path, form: str, records: dict[str, str], name: str = "dataset_1.dat") -> Path:
    if form == "fasta":
        return write_fasta(folder / name, records)
    if form == "bgzip":
        return write_bgzip(folder / name, records)
    (folder / name).write_bytes(two_bit_bytes(records))
    return folder / name


@pytest.fixture(params=FORMATS)
def genome(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Genome]:
    with open_genome(write(tmp_path, request.param, RECORDS)) as opened:
        yield opened


def test_the_format_is_known_by_content_whatever_the_file_is_called(genome: Genome) -> None:
    assert genome.path.name == "dataset_1.dat"
    assert genome.names == tuple(RECORDS)
    assert genome.lengths == {name: len(letters) for name, letters in RECORDS.items()}
    assert list(genome.lengths) == list(RECORDS)


def test_every_interval_reads_as_the_letters_say_and_as_4_outside(genome: Genome) -> None:
    for name, letters in RECORDS.items():
        for start in range(-6, len(letters) + 6):
            for end in range(start, len(letters) + 9):
                assert genome.fetch(name, start, end).tolist() == slow_codes(letters, start, end)


def test_intervals_far_outside_are_all_unknown(genome: Genome) -> None:
    assert genome.fetch("chrI", -1000, -990).tolist() == [4] * 10
    assert genome.fetch("chrI", 1000, 1010).tolist() == [4] * 10


def test_fetched_codes_may_be_written_to_without_changing_the_next_fetch(genome: Genome) -> None:
    codes = genome.fetch("chrI", 0, 4)
    codes[:] = 4
    assert genome.fetch("chrI", 0, 4).tolist() == [0, 1, 2, 3]
    assert codes.dtype == np.uint8


def test_an_unknown_sequence_is_refused_with_near_names(genome: Genome) -> None:
    with refused("dataset_1.dat", "no sequence of this name", "found chrIII", "chrI"):
        genome.fetch("chrIII", 0, 1)


def test_closing_twice_is_fine(genome: Genome) -> None:
    genome.close()
    genome.close()


@given(records=genomes, width=st.integers(1, 12), start=st.integers(-30, 90), size=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_all_formats_read_random_genomes_alike(
    records: dict[str, str], width: int, start: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("genome")
    write_fasta(folder / "a", records, width)
    write_bgzip(folder / "b", records, width)
    (folder / "c").write_bytes(two_bit_bytes(records))
    digests = set()
    for path in (folder / "a", folder / "b", folder / "c"):
        with open_genome(path) as genome:
            assert genome.names == tuple(records)
            for name, letters in records.items():
                assert genome.fetch(name, start, start + size).tolist() == slow_codes(letters, start, start + size)
            digests.add(genome_digest(genome))
    assert len(digests) == 1


def test_the_digest_is_that_of_names_lengths_and_codes(tmp_path: Path) -> None:
    import hashlib

    expected = hashlib.sha256(b"a\x003\x00\x00\x01\x04" + b"b\x001\x00\x03").hexdigest()
    with open_genome(write_fasta(tmp_path / "x.fa", {"b": "t", "a": "ACN"})) as genome:
        assert genome_digest(genome) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"chrI": "ACGA", "chrII": "ACG"},
        {"chrI": "ACGT", "chrIII": "ACG"},
        {"chrI": "ACGT", "chrII": "ACGN"},
        {"chrI": "ACGTA", "chrII": "CG"},
        {"chrI": "ACGT"},
    ],
)
def test_the_digest_changes_with_a_base_a_name_a_length_or_a_sequence(other: dict[str, str], tmp_path: Path) -> None:
    one = write_fasta(tmp_path / "x.fa", {"chrI": "ACGT", "chrII": "ACG"})
    two = write_fasta(tmp_path / "y.fa", other)
    with open_genome(one) as first, open_genome(two) as second:
        assert genome_digest(first) != genome_digest(second)


def test_the_digest_reports_every_base_as_progress(tmp_path: Path) -> None:
    import io

    stream = io.StringIO()
    with open_genome(write_fasta(tmp_path / "x.fa", RECORDS)) as genome:
        genome_digest(genome, LineProgress(stream))
    assert f"{sum(map(len, RECORDS.values()))} bases" in stream.getvalue()


def test_threads_with_a_genome_each_read_the_same(tmp_path: Path) -> None:
    letters = "ACGTTGCAN" * 5000
    path = write_bgzip(tmp_path / "x.fa.gz", {"one": letters}, width=60)
    found: list[bool] = []

    def read() -> None:
        with open_genome(path) as genome:
            wanted = slow_codes(letters, 0, len(letters))
            found.append(all(genome.fetch("one", at, at + 500).tolist() == wanted[at : at + 500]
                             for at in range(0, len(letters), 500)))  # fmt: skip

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


# Bad input


def test_a_missing_file_is_refused_with_near_names(tmp_path: Path) -> None:
    write_fasta(tmp_path / "sacCer3.fa", RECORDS)
    with refused("sacCer4.fa", "does not exist", "Did you mean sacCer3.fa"):
        open_genome(tmp_path / "sacCer4.fa")


def test_a_missing_file_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with refused("x.fa", "does not exist"):
        open_genome(tmp_path / "no" / "x.fa")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with refused("a folder, not a genome file"):
        open_genome(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.fa").touch()
    with refused("x.fa", "is empty", "0 bytes"):
        open_genome(tmp_path / "x.fa")


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_fasta(tmp_path / "x.fa", RECORDS)

    def denied(*arguments: object, **keywords: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Root may read everything, so the system's refusal is played.
    monkeypatch.setattr("builtins.open", denied)
    with refused("x.fa", "can't be read", "Permission denied", "permissions"):
        open_genome(path)


@pytest.mark.parametrize("text", ["hello world\n", "@read1\nACGT\n+\nIIII\n", "chr1\t0\t10\n", "\n\n>a\nAC\n", "ACGT"])
def test_text_that_is_no_fasta_is_refused_with_its_first_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(text)
    with refused("x.fa, first line", "neither FASTA nor 2bit", repr(text.split("\n")[0])[:20], "begins with '>'"):
        open_genome(tmp_path / "x.fa")


def test_a_long_first_line_is_quoted_in_part(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_bytes(b"\xff" * 10_000)
    with refused("neither FASTA nor 2bit", "..."):
        open_genome(tmp_path / "x.fa")


def test_an_onnx_model_in_place_of_the_genome_is_told_so(tmp_path: Path) -> None:
    # The start of a ModelProto: ir_version 8, producer_name "pytorch".
    (tmp_path / "dataset_7.dat").write_bytes(b"\x08\x08\x12\x07pytorch")
    with refused("dataset_7.dat", "looks like an ONNX model", "MODEL and GENOME may be swapped"):
        open_genome(tmp_path / "dataset_7.dat")


def test_a_file_called_onnx_is_told_so_too(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x3a\x02ab")
    with refused("MODEL and GENOME may be swapped"):
        open_genome(tmp_path / "net.onnx")


# Real genomes


@pytest.mark.data
def test_yeast_is_the_same_from_2bit_and_from_bgzip() -> None:
    digests = []
    for name in ("genome_yeast/sacCer3.2bit", "genome_yeast/sacCer3.fa.gz"):
        with open_genome(data_file(name)) as genome:
            digests.append(genome_digest(genome))
            assert sum(genome.lengths.values()) == 12_157_105
    assert digests == ["21d92a5a9ab52db02d50185f13f2158af34e3d04a887b68b8ad6c240189a879e"] * 2


@pytest.mark.data
def test_yeast_survives_being_written_as_2bit(tmp_path: Path) -> None:
    with open_genome(data_file("genome_yeast/sacCer3.fa.gz")) as genome:
        write_twobit(genome, tmp_path / "copy.2bit")
        with open_genome(tmp_path / "copy.2bit") as copy:
            assert genome_digest(copy) == genome_digest(genome)
    assert os.listdir(tmp_path) == ["copy.2bit"]


@pytest.mark.data
def test_a_human_chromosome_reads_alike_from_2bit_and_bgzip() -> None:
    one, two = (data_file(f"human_hg19/hg19_chr22_1-22000000.{suffix}") for suffix in ("2bit", "fa.gz"))
    with open_genome(one) as first, open_genome(two) as second:
        assert first.lengths == second.lengths
        (name,) = first.names
        for start in range(16_040_000, 22_000_000, 500_000):
            codes = first.fetch(name, start, start + 20_000)
            assert np.array_equal(codes, second.fetch(name, start, start + 20_000))


@pytest.mark.data
def test_worm_reads_like_py2bit_reads_it() -> None:
    py2bit = pytest.importorskip("py2bit")
    path = data_file("genome_worm/ce10.2bit")
    other = py2bit.open(str(path))
    with open_genome(path) as genome:
        assert genome.lengths == other.chroms()
        for name, length in genome.lengths.items():
            start = length // 3
            letters = other.sequence(name, start, start + 5_003)
            assert genome.fetch(name, start, start + 5_003).tolist() == slow_codes(letters, 0, len(letters))
    other.close()
