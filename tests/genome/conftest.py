"""What the tests of genome files share: small genomes as text, written in every format by independent code."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import strategies as st

from trackgen.errors import DataError, TrackgenError

LETTERS = "ACGTacgtNnRYK"
VALUES = {"T": 0, "C": 1, "A": 2, "G": 3}

sequences = st.text(LETTERS, min_size=1, max_size=70)
names = st.text("abcXYZ0123456789._-", min_size=1, max_size=12)
genomes = st.dictionaries(names, sequences, min_size=1, max_size=5)


@contextmanager
def refused(*parts: str, error: type[TrackgenError] = DataError, status: int = 3) -> Iterator[None]:
    """Expect an error of this class and exit status whose message has all of `parts`."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    assert [part for part in parts if part not in message] == [], message
    assert caught.value.exit_status == status
    assert message.endswith(".")


def fasta_text(records: Mapping[str, str], width: int = 10, newline: str = "\n") -> str:
    lines = []
    for name, letters in records.items():
        lines.append(f">{name} some description")
        lines += [letters[at : at + width] for at in range(0, len(letters), width)]
    return newline.join(lines) + newline


def write_fasta(path: Path, records: Mapping[str, str], width: int = 10, newline: str = "\n") -> Path:
    path.write_bytes(fasta_text(records, width, newline).encode())
    return path


def write_bgzip(path: Path, records: Mapping[str, str], width: int = 10) -> Path:
    import pysam

    plain = write_fasta(path.with_suffix(".plain"), records, width)
    pysam.tabix_compress(str(plain), str(path), force=True)
    return path


def two_bit_bytes(records: Mapping[str, str], order: str = "<", version: int = 0) -> bytes:
    """2bit with blocks of N and of lower case, written the slow way."""
    bodies = {name: _two_bit_record(letters, order) for name, letters in records.items()}
    width = 4 if version == 0 else 8
    offset = 16 + sum(1 + len(name) + width for name in records)
    index = b""
    for name, body in bodies.items():
        index += bytes([len(name)]) + name.encode() + struct.pack(order + ("I" if version == 0 else "Q"), offset)
        offset += len(body)
    return struct.pack(order + "4I", 0x1A412743, version, len(records), 0) + index + b"".join(bodies.values())


def _two_bit_record(letters: str, order: str) -> bytes:
    unknown = _runs([letter.upper() not in VALUES for letter in letters])
    masked = _runs([letter.islower() for letter in letters])
    body = struct.pack(order + "I", len(letters))
    for blocks in (unknown, masked):
        numbers = [len(blocks), *(start for start, _ in blocks), *(size for _, size in blocks)]
        body += struct.pack(f"{order}{len(numbers)}I", *numbers)
    body += struct.pack(order + "I", 0)
    values = [VALUES.get(letter.upper(), 0) for letter in letters] + [0] * (-len(letters) % 4)
    return body + bytes(
        values[at] << 6 | values[at + 1] << 4 | values[at + 2] << 2 | values[at + 3] for at in range(0, len(values), 4)
    )


def _runs(flags: list[bool]) -> list[tuple[int, int]]:
    """(start, size) of every run of true flags."""
    runs: list[tuple[int, int]] = []
    for at, flag in enumerate(flags):
        if flag and at and flags[at - 1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        elif flag:
            runs.append((at, 1))
    return runs


def slow_codes(letters: str, start: int, end: int) -> list[int]:
    """Codes of [start, end) by the definition: one letter at a time, 4 outside."""
    return [
        "ACGT".find(letters[at].upper()) % 5 if 0 <= at < len(letters) else 4 for at in range(start, end)
    ]  # find gives -1 for other letters: 4
