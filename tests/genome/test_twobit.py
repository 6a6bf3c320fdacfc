"""2bit: reading what others wrote, writing what others read."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.genome.conftest import genomes, refused, slow_codes, two_bit_bytes, write_fasta
from trackgen.genome import decode, encode, genome_digest, open_genome, write_twobit
from trackgen.genome import twobit as module
from trackgen.progress import NullProgress

RECORDS = {"chrI": "ACGTNNacgtRYKTTGACCA", "chrII": "G", "chrM": "NNNNNACGTNNN"}


class GenomeInMemory:
    """A genome from text, for the writer."""

    def __init__(self, records: Mapping[str, str]) -> None:
        self.path = Path("memory")
        self.names = tuple(records)
        self.lengths = {name: len(letters) for name, letters in records.items()}
        self._records = records
        self.largest_fetch = 0

    def fetch(self, name: str, start: int, end: int) -> NDArray[np.uint8]:
        self.largest_fetch = max(self.largest_fetch, end - start)
        return encode(self._records[name][start:end].encode())

    def close(self) -> None:
        pass

    def __enter__(self) -> GenomeInMemory:
        return self

    def __exit__(self, *arguments: object) -> None:
        pass


@given(
    records=genomes,
    order=st.sampled_from("<>"),
    version=st.sampled_from([0, 1]),
    start=st.integers(-20, 90),
    size=st.integers(0, 100),
)
@settings(max_examples=100, deadline=None)
def test_both_byte_orders_and_both_versions_read_as_the_letters_say(
    records: dict[str, str], order: str, version: int, start: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("twobit") / "x"
    path.write_bytes(two_bit_bytes(records, order, version))
    with open_genome(path) as genome:
        assert genome.lengths == {name: len(letters) for name, letters in records.items()}
        for name, letters in records.items():
            assert genome.fetch(name, start, start + size).tolist() == slow_codes(letters, start, start + size)


@given(records=genomes)
@settings(max_examples=60, deadline=None)
def test_py2bit_reads_what_we_write(records: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    py2bit = pytest.importorskip("py2bit")
    path = tmp_path_factory.mktemp("twobit") / "x.2bit"
    write_twobit(GenomeInMemory(records), path)
    other = py2bit.open(str(path))
    assert other.chroms() == {name: len(letters) for name, letters in records.items()}
    for name, letters in records.items():
        assert other.sequence(name) == decode(encode(letters.encode()))
    other.close()


@given(records=genomes, piece=st.sampled_from([4, 8, 12, 64]))
@settings(max_examples=40, deadline=None)
def test_pieces_of_any_size_give_the_same_bytes(
    records: dict[str, str], piece: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("twobit")
    write_twobit(GenomeInMemory(records), folder / "whole.2bit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WRITTEN_AT_ONCE", piece)
        genome = GenomeInMemory(records)
        write_twobit(genome, folder / "pieces.2bit")
    assert genome.largest_fetch <= piece
    assert (folder / "pieces.2bit").read_bytes() == (folder / "whole.2bit").read_bytes()


def test_what_is_written_is_what_the_slow_writer_writes_of_upper_case(tmp_path: Path) -> None:
    write_twobit(GenomeInMemory(RECORDS), tmp_path / "x.2bit")
    upper = {name: decode(encode(letters.encode())) for name, letters in RECORDS.items()}
    assert (tmp_path / "x.2bit").read_bytes() == two_bit_bytes(upper)


def test_a_genome_survives_fasta_to_2bit_to_2bit(tmp_path: Path) -> None:
    with open_genome(write_fasta(tmp_path / "x.fa", RECORDS)) as genome:
        write_twobit(genome, tmp_path / "one.2bit")
        digest = genome_digest(genome)
    with open_genome(tmp_path / "one.2bit") as genome:
        write_twobit(genome, tmp_path / "two.2bit", NullProgress())
        assert genome_digest(genome) == digest
    assert (tmp_path / "one.2bit").read_bytes() == (tmp_path / "two.2bit").read_bytes()


def test_offsets_beyond_4_gb_are_written_as_version_1() -> None:
    head = module._file_head(["a", "bc"], [1 << 32, 10])
    assert struct.unpack_from("<4I", head) == (0x1A412743, 1, 2, 0)
    first = len(head)
    assert head[16:] == b"\x01a" + first.to_bytes(8, "little") + b"\x02bc" + (first + (1 << 32)).to_bytes(8, "little")


def test_blocks_of_n_in_any_order_and_overlapping_are_read(tmp_path: Path) -> None:
    blocks = struct.pack("<8I", 12, 3, 8, 1, 2, 2, 4, 3) + struct.pack("<2I", 0, 0)
    head = struct.pack("<4I", 0x1A412743, 0, 1, 0) + b"\x01a" + struct.pack("<I", 22)
    (tmp_path / "x").write_bytes(head + blocks + bytes(3))
    with open_genome(tmp_path / "x") as genome:
        assert decode(genome.fetch("a", 0, 12)) == "TNNNNTTTNNTT"


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    class Failing(GenomeInMemory):
        calls = 0

        def fetch(self, name: str, start: int, end: int) -> NDArray[np.uint8]:
            self.calls += 1
            if self.calls > len(self.names) + 1:
                raise OSError("disk gone")
            return super().fetch(name, start, end)

    (tmp_path / "x.2bit").write_bytes(b"before")
    with pytest.raises(OSError, match="disk gone"):
        write_twobit(Failing(RECORDS), tmp_path / "x.2bit")
    assert os.listdir(tmp_path) == ["x.2bit"]
    assert (tmp_path / "x.2bit").read_bytes() == b"before"


# Bad input


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = two_bit_bytes(RECORDS)
    for size in range(4, len(whole)):
        (tmp_path / "x.2bit").write_bytes(whole[:size])
        with refused(
            "x.2bit", "truncated or damaged", f"found {size:,} bytes", "wanted at least", "Get the file again"
        ):
            open_genome(tmp_path / "x.2bit")


def test_truncation_names_the_sequence_it_hits(tmp_path: Path) -> None:
    (tmp_path / "x.2bit").write_bytes(two_bit_bytes(RECORDS)[:-1])
    with refused("x.2bit, sequence chrM", "truncated"):
        open_genome(tmp_path / "x.2bit")


def damaged(offset: int, value: int) -> bytes:
    content = bytearray(two_bit_bytes({"a": "ACGTNNACGT"}))
    content[offset : offset + 4] = struct.pack("<I", value)
    return bytes(content)


@pytest.mark.parametrize(
    ("offset", "value", "parts"),
    [
        (0, 0x1A412744, ("neither FASTA nor 2bit",)),
        (4, 2, ("header", "version of 2bit is unknown", "found 2", "wanted 0 or 1")),
        (8, 0, ("header", "holds no sequence")),
        (8, 2, ("index entry 2 of 2", "damaged: a name is not text")),
        (18, 10_000, ("sequence a", "truncated or damaged", "at least 10,008")),
        (22, 10_000, ("sequence a", "truncated or damaged")),
        (26, 1 << 31, ("sequence a", "truncated or damaged")),
        (30, 9, ("sequence a", "a block of N ends beyond its sequence", "base 11", "at most 10")),
        (38, 1 << 31, ("sequence a", "truncated or damaged")),
    ],
    ids=["magic", "version", "none", "count", "offset", "length", "blocks", "block", "masked"],
)
def test_damage_is_refused_with_its_place(offset: int, value: int, parts: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "x.2bit").write_bytes(damaged(offset, value))
    with refused("x.2bit", *parts):
        open_genome(tmp_path / "x.2bit")


def test_two_sequences_of_one_name_are_refused(tmp_path: Path) -> None:
    content = two_bit_bytes({"aa": "ACGT", "ab": "GG"}).replace(b"ab", b"aa")
    (tmp_path / "x.2bit").write_bytes(content)
    with refused("x.2bit, index entry 2 of 2", "two sequences have one name", "found aa"):
        open_genome(tmp_path / "x.2bit")


def test_a_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.2bit").write_bytes(two_bit_bytes({"aa": "ACGT"}).replace(b"aa", b"\xff\xfe"))
    with refused("index entry 1 of 1", "a name is not text"):
        open_genome(tmp_path / "x.2bit")


def test_a_name_too_long_for_2bit_is_refused_when_writing(tmp_path: Path) -> None:
    with refused("2bit can't hold this sequence", "a name of 256 bytes", "255 bytes"):
        write_twobit(GenomeInMemory({"a" * 256: "ACGT"}), tmp_path / "x.2bit")
    assert os.listdir(tmp_path) == []
