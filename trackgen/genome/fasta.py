"""Reads FASTA, plain or bgzip, by interval through an index in samtools' form (``.fai``, and ``.gzi`` for bgzip).

An index that stands beside the FASTA is used; else one is made beside it, as samtools does, and where that is not
possible in a temporary folder that goes when the genome is closed.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, ResourceError
from trackgen.genome.bgzf import END_BLOCK, is_bgzf
from trackgen.genome.codes import UNKNOWN, encode, first_other_letter
from trackgen.genome.fasta_index import FastaIndex, build_index, check_records, may_write, read_index
from trackgen.genome.sequence import GZIP_MAGIC, inside, quote, unknown_sequence

__all__ = ["FastaGenome"]

FIRST_BYTES = 4096


class FastaGenome:
    """A FASTA file, plain or bgzip.

    Args:
        path: the file; its first byte is known to be ``>`` or to begin a gzip header.
        tmp_dir: where the index is made that can't stand beside the FASTA; None means the system's ($TMPDIR).

    Raises:
        DataError: it is not FASTA, not bgzip, damaged, holds a name twice or no base, or its index does not match.
    """

    def __init__(self, path: Path, *, tmp_dir: Path | None = None) -> None:
        self.path = path
        self._file: Any = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._open(tmp_dir)
        except BaseException:
            self.close()
            raise

    def _open(self, tmp_dir: Path | None) -> None:
        import pysam

        compressed = _check_content(self.path)
        index, made = FastaIndex.beside(self.path, compressed), False
        if not index.is_there:
            index, made = self._make_index(compressed, tmp_dir), True
        records = read_index(index, made)
        check_records(self.path, index, records, made)
        if not records:
            raise DataError("the FASTA file holds no base", path=self.path, wanted="sequence below the '>' lines")
        self._file = pysam.FastaFile(
            os.fspath(self.path), filepath_index=os.fspath(index.fai), filepath_index_compressed=index.gzi_text
        )
        self.names = tuple(record.name for record in records)
        self.lengths = {record.name: record.length for record in records}

    def _make_index(self, compressed: bool, tmp_dir: Path | None) -> FastaIndex:
        beside = FastaIndex.beside(self.path, compressed)
        if may_write(self.path.parent):
            try:
                with tempfile.TemporaryDirectory(prefix=".trackgen-", dir=self.path.parent) as folder:
                    made = build_index(self.path, FastaIndex.inside(Path(folder), self.path, compressed))
                    # Check before others can see it: a FASTA with faults gets no index.
                    check_records(self.path, made, read_index(made, True), True)
                    made.move_to(beside)
                return beside
            except OSError:
                pass  # A full or odd file system: the temporary folder may still do.
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="trackgen-", dir=tmp_dir)
        except OSError as error:
            raise ResourceError(
                f"no temporary folder for the index can be made ({error.strerror})",
                path=tmp_dir or tempfile.gettempdir(),
                remedy="give another with --tmp-dir or TMPDIR",
            ) from error
        return build_index(self.path, FastaIndex.inside(Path(self._folder.name), self.path, compressed))

    def fetch(self, name: str, start: int, end: int) -> NDArray[np.uint8]:
        """Codes of [start, end): see `trackgen.genome.Genome.fetch`."""
        if name not in self.lengths:
            raise unknown_sequence(self.path, name, self.lengths)
        codes = np.full(max(0, end - start), UNKNOWN, np.uint8)
        first, last = inside(self.lengths[name], start, end)
        if first < last:
            try:
                letters = self._file.fetch(name, first, last).encode()
            except (OSError, ValueError, UnicodeError) as error:
                raise self._damaged(name, first, last, str(error)) from error
            if len(letters) != last - first:
                raise self._damaged(name, first, last, f"{len(letters):,} bases")
            self._refuse_other_letters(letters, name, first)
            codes[first - start : last - start] = encode(letters)
        return codes

    def _refuse_other_letters(self, letters: bytes, name: str, start: int) -> None:
        """Protein, numbers or binary data behind a header line are no genome, however much of it looks like bases."""
        wrong = first_other_letter(letters)
        if wrong is not None:
            raise DataError(
                "the file holds something that is no nucleotide sequence",
                path=self.path,
                place=f"{name}:{start + wrong + 1:,}",
                found=repr(letters[wrong : wrong + 1].decode("latin-1")),
                wanted="A, C, G, T, or another IUPAC letter for nucleotides",
                remedy="give the FASTA of a genome",
            )

    def _damaged(self, name: str, start: int, end: int, found: str) -> DataError:
        return DataError(
            "the sequence can't be read",
            path=self.path,
            place=f"{name}:{start + 1:,}-{end:,}",
            found=found,
            wanted=f"{end - start:,} bases",
            remedy="the file is damaged, or changed while it was read: get it again",
        )

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._file = self._folder = None

    def __enter__(self) -> FastaGenome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _check_content(path: Path) -> bool:
    """Whether the file is compressed, which must be by bgzip and whole, and hold FASTA."""
    with open(path, "rb") as file:
        head = file.read(FIRST_BYTES)
        file.seek(-min(len(END_BLOCK), file.seek(0, os.SEEK_END)), os.SEEK_END)
        tail = file.read()
    if not head.startswith(GZIP_MAGIC):
        return False
    if not is_bgzf(head):
        raise DataError(
            "the file is compressed by gzip, which can only be read from its start",
            path=path,
            wanted="bgzip, which can be read anywhere",
            remedy=f"gunzip {path.name}"
            if path.name.endswith(".2bit.gz")
            else f"convert it: gunzip -c {path.name} | bgzip > new.fa.gz",
        )
    if tail != END_BLOCK:
        raise DataError(
            "the bgzip file is truncated", path=path, place="end", wanted="bgzip's end mark", remedy="get it again"
        )
    try:
        with gzip.open(path) as unpacked:
            first = unpacked.read(FIRST_BYTES)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"the bgzip file is damaged ({error})", path=path, remedy="get it again") from error
    if not first.startswith(b">"):
        raise DataError(
            "the compressed file is not FASTA",
            path=path,
            place="first line",
            found=quote(first),
            wanted="a line that begins with '>'",
        )
    return True
