"""Where a result goes: a file that appears whole or not at all, packed where its name says so, or a stream."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from trackgen.errors import DISK_ERRORS, DataError, ResourceError, UsageError
from trackgen.genome.bgzf_writer import BgzfWriter, index_vcf
from trackgen.score.survey import Survey

__all__ = ["check_output", "indexed_output", "is_vcf", "opened_target"]

PACKED = ".vcf.gz"
INDEX = ".tbi"
INDEXES = (INDEX, ".csi")
"""Of a packed VCF, whoever made them; htslib takes the second before the first."""
LONGEST_FOR_TBI = 2**29
"""Positions that a tabix index can hold, https://samtools.github.io/hts-specs/tabix.pdf."""
Write = Callable[[bytes], object]


def is_vcf(output: Path | None) -> bool:
    """Whether the output is to be VCF."""
    return output is not None and output.name.lower().endswith((".vcf", PACKED))


def check_output(output: Path | None, file: Path) -> None:
    """Refuse an output that could not be written, before anything is run.

    Raises:
        UsageError: another suffix, a folder that does not exist, or the input itself.
    """
    if output is None:
        return
    if not output.name.lower().endswith((".tsv", ".vcf", PACKED)):
        raise UsageError(
            "the output's suffix says no format that is written",
            place="-o",
            found=output,
            wanted=".tsv, .vcf or .vcf.gz",
        )
    if output.is_dir() or not output.parent.is_dir():
        what = "the output is a folder" if output.is_dir() else "the output's folder does not exist"
        raise UsageError(what, place="-o", found=output, wanted="a file in a folder that exists")
    if output.exists() and file.exists() and output.samefile(file):
        raise UsageError("the output is the input", place="-o", found=output, wanted="another file")


def indexed_output(survey: Survey, output: Path | None, longest: int) -> Path | None:
    """The index that is written beside the output; None where there is none."""
    if output is None or not output.name.lower().endswith(PACKED) or not survey.ordered or longest >= LONGEST_FOR_TBI:
        return None
    return output.with_name(output.name + INDEX)


@contextlib.contextmanager
def opened_target(output: Path | None, index: Path | None, stream: BinaryIO | None) -> Iterator[Write]:
    """What writes bytes; the file, and its index, get their names at the end of the block.

    Of a file that can't be indexed there is no index then.

    Args:
        output: None for `stream`.
        index: the tabix index that is to be made of it.

    Raises:
        ResourceError: the disk is full or fails.
    """
    if output is None:
        yield (lambda text: None) if stream is None else stream.write
        return
    temporary = output.with_name(output.name + ".tmp")
    unfinished = [temporary]
    try:
        with open(temporary, "wb") as file:
            if output.name.lower().endswith(PACKED):
                with BgzfWriter(file) as packed:
                    yield packed.write
            else:
                yield file.write
        for suffix in INDEXES if is_vcf(output) else ():
            # An earlier output's would be wrong for this one.
            output.with_name(output.name + suffix).unlink(missing_ok=True)
        if index is not None:
            unnamed = index.with_name(index.name + ".tmp")
            unfinished.append(unnamed)
            # Lines that are kept as they are, such as those of records left out, may be none that an index can hold.
            with contextlib.suppress(DataError):
                index_vcf(temporary, unnamed)
                os.replace(unnamed, index)
        os.replace(temporary, output)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise ResourceError("the output can't be written", path=output, found=error.strerror) from error
        raise
    finally:
        for path in unfinished:
            path.unlink(missing_ok=True)
