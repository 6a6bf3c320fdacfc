"""A genome file as codes, read by interval: opens FASTA, bgzip FASTA and 2bit, told apart by content, not by name."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.progress import NullProgress, Progress

__all__ = ["Genome", "genome_digest", "open_genome", "pieces"]

TWOBIT_MAGIC = (b"\x43\x27\x41\x1a", b"\x1a\x41\x27\x43")
"""The first four bytes of a 2bit file, little endian and big endian."""
GZIP_MAGIC = b"\x1f\x8b"
ONNX_FIRST_BYTE = 0x08
"""The protobuf tag of ModelProto.ir_version, which exporters write first; a control byte that no text begins with."""
PIECE = 1 << 20
"""Bases handled at a time when a whole genome streams through."""
LONGEST_QUOTE = 40


class Genome(Protocol):
    """An open genome. One object serves one thread; open it once for each thread."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def names(self) -> tuple[str, ...]:
        """Sequence names in the order of the file."""

    @property
    def lengths(self) -> dict[str, int]:
        """Bases of each sequence, in the order of the file."""

    def fetch(self, name: str, start: int, end: int) -> NDArray[np.uint8]:
        """Codes of [start, end), 0-based half-open: uint8[end - start], writable.

        Both ends may lie outside [0, length); bases there read as 4.

        Raises:
            DataError: no sequence has this name, or the file proves damaged.
        """

    def close(self) -> None:
        """Release the file and remove what was made in a temporary place. Closing twice is fine."""

    def __enter__(self) -> Genome: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def open_genome(path: str | os.PathLike[str], *, tmp_dir: Path | None = None) -> Genome:
    """Open a genome, whatever its file is called.

    Args:
        path: FASTA, FASTA compressed by bgzip, or 2bit.
        tmp_dir: where an index is made that can't stand beside its FASTA; None means the system's ($TMPDIR).

    Raises:
        DataError: the file is missing, unreadable, empty, of another format, damaged or contradicts its index.
    """
    path = Path(path)
    head = _first_bytes(path)
    if head[:4] in TWOBIT_MAGIC:
        from trackgen.genome.twobit import TwoBitGenome

        return TwoBitGenome(path)
    if head[:1] == b">" or head[:2] == GZIP_MAGIC:
        from trackgen.genome.fasta import FastaGenome

        return FastaGenome(path, tmp_dir=tmp_dir)
    if head[0] == ONNX_FIRST_BYTE or path.suffix.lower() == ".onnx":
        raise DataError(
            "this looks like an ONNX model, not like a genome",
            path=path,
            wanted="a FASTA or 2bit file",
            remedy="MODEL and GENOME may be swapped: the model comes first",
        )
    raise DataError(
        "this is neither FASTA nor 2bit",
        path=path,
        place="first line",
        found=quote(head),
        wanted="a line that begins with '>', or the first bytes of a 2bit file",
    )


def _first_bytes(path: Path) -> bytes:
    """The first bytes of a file that exists and is not empty."""
    if path.is_dir():
        raise DataError("this is a folder, not a genome file", path=path, wanted="a FASTA or 2bit file")
    if path.exists() and not path.is_file():
        raise DataError(
            "a genome can't be read from a pipe, since any part of it is needed at any time",
            path=path,
            wanted="a file",
            remedy="write it to a file first",
        )
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        raise DataError(
            "the genome file does not exist", path=path, wanted="a FASTA or 2bit file", remedy=near_files(path)
        ) from None
    except OSError as error:
        raise DataError(
            f"the genome file can't be read ({error.strerror})", path=path, remedy="check the file's permissions"
        ) from error
    if not head:
        raise DataError("the genome file is empty", path=path, found="0 bytes", wanted="a FASTA or 2bit file")
    return head


def near_files(path: Path) -> str | None:
    """A question that names the files beside a missing one whose names are nearly the same."""
    try:
        present = sorted(entry.name for entry in os.scandir(path.parent) if entry.is_file())
    except OSError:
        return None
    near = difflib.get_close_matches(path.name, present, 3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}" if near else None


def quote(head: bytes) -> str:
    """The beginning of a file's first line, as a message shows it."""
    line = head.splitlines()[0] if head.strip(b"\r\n") else b""
    text = repr(line[:LONGEST_QUOTE])[1:]
    return text if len(line) <= LONGEST_QUOTE else f"{text} ..."


def unknown_sequence(path: Path, name: str, lengths: Mapping[str, int]) -> DataError:
    """The error for a sequence name that a file does not have."""
    near = difflib.get_close_matches(name, lengths, 3, cutoff=0.6)
    return DataError(
        "there is no sequence of this name",
        path=path,
        found=name,
        wanted=", ".join(near or list(lengths)[:5]) + ("" if near or len(lengths) <= 5 else ", ..."),
    )


def inside(length: int, start: int, end: int) -> tuple[int, int]:
    """[start, end) cut to [0, length); empty, and still inside, where they do not meet."""
    first = min(max(start, 0), length)
    return first, min(max(end, first), length)


def pieces(lengths: Mapping[str, int], size: int = PIECE) -> Iterator[tuple[str, int, int]]:
    """Every sequence cut into stretches of `size` bp: (name, start, end), in the order given."""
    for name, length in lengths.items():
        for start in range(0, length, size):
            yield name, start, min(length, start + size)


def sampled_pieces(lengths: Mapping[str, int], size: int, most: int) -> list[tuple[str, int, int]]:
    """At most `most` of `pieces`, spread evenly over all of them, in order; the same at every call."""
    every = list(pieces(lengths, size))
    step = max(1.0, len(every) / most)
    return [every[int(place * step)] for place in range(min(len(every), most))]


def genome_digest(genome: Genome, progress: Progress | None = None) -> str:
    """The SHA-256 of the sequences themselves, hexadecimal.

    It covers, for each sequence in the order of the names' code points: the name in UTF-8, a zero byte, the length
    in decimal digits, a zero byte, and the codes, one byte a base. So it is equal for FASTA, bgzip and 2bit, whatever
    the order of the sequences, the case of the letters and the length of the lines, and IUPAC letters count as N.
    """
    progress = progress or NullProgress()
    digest = hashlib.sha256()
    progress.start(f"checking the sequence of {genome.path.name}", sum(genome.lengths.values()), "bases")
    try:
        for name in sorted(genome.names):
            length = genome.lengths[name]
            digest.update(f"{name}\0{length}\0".encode())
            for _, start, end in pieces({name: length}):
                digest.update(genome.fetch(name, start, end).tobytes())
                progress.advance(end - start)
    finally:
        progress.finish()
    return digest.hexdigest()
