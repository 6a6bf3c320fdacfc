"""Calls as files: BED, narrowPeak, bigBed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from trackgen.bigwig import BigBedRow, write_big_bed
from trackgen.calls.spool import CallSpool
from trackgen.calls.stretches import Calls

__all__ = ["BIGBED_TYPE", "write_calls"]

BIGBED_TYPE = "bigBed 9 +"
AUTO_SQL = """table calls
"Calls of a track: where it reaches a threshold"
(
string chrom; "Sequence"
uint chromStart; "First base, 0-based"
uint chromEnd; "Last base + 1"
string name; "Name"
uint score; "Largest value, 1000 for the largest of the file"
char[1] strand; "Strand"
uint thickStart; "First base of the summit"
uint thickEnd; "Last base of the summit + 1"
uint reserved; "Colour, not set"
float value; "Largest value of the track"
uint summit; "Middle of the summit, 0-based"
)
"""
Rows = Iterator[BigBedRow]


def write_calls(
    prefix: Path, label: str, spool: CallSpool, lengths: Mapping[str, int]
) -> dict[str, Path]:  # fmt: skip
    """``PREFIX.bed``, ``PREFIX.narrowPeak`` and, where there is a call, ``PREFIX.bb``.

    Args:
        label: what the names of calls begin with.
        lengths: of the genome's sequences, bp.

    Returns:
        The files by kind: ``bed``, ``narrowPeak``, ``bigBed``.

    Raises:
        UsageError: pybigtools, which writes bigBed, is not installed.
        ResourceError: the disk is full or fails while the bigBed file is written.
        OSError: a file cannot be written.
    """
    written = {"bed": Path(f"{prefix}.bed"), "narrowPeak": Path(f"{prefix}.narrowPeak")}
    _write_text(written["bed"], _bed_rows(spool, label, by_name=False))
    _write_text(written["narrowPeak"], _narrow_peaks(spool, label))
    if spool.number:
        # A bigBed file without items is no valid one.
        written["bigBed"] = Path(f"{prefix}.bb")
        write_big_bed(written["bigBed"], _bed_rows(spool, label, by_name=True), lengths, AUTO_SQL)
    return written


def _bed_rows(spool: CallSpool, label: str, *, by_name: bool) -> Rows:
    """(sequence, start, end, the columns after them)."""
    for name, first, calls in spool.by_name() if by_name else spool:
        for number, call in enumerate(_fields(calls), first):
            start, end, top, top_end, value, strand = call
            rest = (f"{label}_{number}", _score(value, spool), strand, top, top_end, 0, f"{value:.6g}", _summit(call))
            yield name, start, end, "\t".join(map(str, rest))


def _narrow_peaks(spool: CallSpool, label: str) -> Rows:
    for name, first, calls in spool:
        for number, call in enumerate(_fields(calls), first):
            start, end, _, _, value, strand = call
            # No p and no q value: -1, as the format has it.
            rest = (f"{label}_{number}", _score(value, spool), strand, f"{value:.6g}", -1, -1, _summit(call) - start)
            yield name, start, end, "\t".join(map(str, rest))


Fields = tuple[int, int, int, int, float, str]


def _fields(calls: Calls) -> Iterator[Fields]:
    """The columns of calls as Python's own numbers."""
    columns = [calls[name].tolist() for name in ("start", "end", "top", "top_end", "value")]
    for start, end, top, top_end, value, strand in zip(*columns, calls["strand"].astype(str).tolist(), strict=True):
        yield start, end, top, top_end, value, strand or "."


def _score(value: float, spool: CallSpool) -> int:
    return max(0, min(1000, round(1000 * value / spool.largest))) if spool.largest > 0 else 0


def _summit(call: Fields) -> int:
    return (call[2] + call[3] - 1) // 2


def _write_text(path: Path, rows: Rows) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{name}\t{start}\t{end}\t{rest}\n" for name, start, end, rest in rows)
