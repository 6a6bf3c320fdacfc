"""The Range header of HTTP (RFC 9110, section 14), reduced to what can be served."""

from __future__ import annotations

import re

__all__ = ["UNSATISFIABLE", "served_ranges"]

UNSATISFIABLE = "unsatisfiable"

# Genome browsers ask for one range at a time; more than these serve only to make a server work.
MOST_RANGES = 16
UNIT = re.compile(r"\s*bytes\s*=\s*(.*)", re.IGNORECASE | re.DOTALL)
PART = re.compile(r"(\d+)-(\d+)?|-(\d+)", re.ASCII)
# No file is so long that it would need more.
MOST_DIGITS = 18


def served_ranges(header: str | None, size: int) -> str | None:
    """The ranges of `header` that lie in a file of `size` bytes, in the header's own form, cut to the file.

    Returns:
        ``bytes=0-99,200-299`` with 0-based closed ranges inside the file; `UNSATISFIABLE` where the header is well
        formed and asks only for bytes past the end; None where there is no header, or one to ignore (another unit,
        malformed, reversed, too many), so that the whole file is the answer.
    """
    match = UNIT.fullmatch(header or "")
    if match is None:
        return None
    # Empty members of a list say nothing (RFC 9110, 5.6.1).
    parts = [part.strip() for part in match[1].split(",") if part.strip()]
    if not 1 <= len(parts) <= MOST_RANGES:
        return None
    ranges = []
    for part in parts:
        found = PART.fullmatch(part)
        if found is None:
            return None
        first, last, suffix = found.groups()
        if suffix is not None:
            start, end = max(size - _number(suffix), 0), size - 1
            empty = _number(suffix) == 0
        else:
            start, end = _number(first), size - 1 if last is None else min(_number(last), size - 1)
            empty = False
            if last is not None and _number(last) < start:
                return None
        if not empty and start < size:
            ranges.append(f"{start}-{end}")
    return f"bytes={','.join(ranges)}" if ranges else UNSATISFIABLE


def _number(digits: str) -> int:
    """The number, or one that is beyond every file."""
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= MOST_DIGITS else 10**MOST_DIGITS
