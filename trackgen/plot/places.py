"""Where a figure looks: a locus as people write it, or a gene's name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from trackgen.errors import UsageError
from trackgen.genome import Interval, parse_region
from trackgen.genome.annotation import Gene

__all__ = ["find_locus", "parse_highlight"]

PADDING = 0.1
"""On both sides of a gene, as a part of it."""


def find_locus(text: str, lengths: Mapping[str, int], genes: Sequence[Gene] = ()) -> Interval:
    """The stretch that ``chr:a-b`` (1-based, both ends included), ``chr`` or a gene's name means; 0-based half-open.

    Raises:
        UsageError: it is none, it lies outside the genome, or several genes have the name.
    """
    # As a figure's own heading writes it, and JBrowse.
    text = re.sub(r"(?<=\d)(–|\.\.)(?=\d)", "-", text.strip())
    if text in lengths or ":" in text:
        return parse_region(text, lengths)
    folded = text.casefold()
    found = {
        (gene.sequence, gene.start, gene.end)
        for gene in genes
        if folded in (gene.name.casefold(), gene.identifier.casefold())
    }
    if len(found) > 1:
        places = "; ".join(f"{name}:{start + 1:,}-{end:,}" for name, start, end in sorted(found)[:5])
        raise UsageError("several genes have this name", found=text, wanted=f"one of their places: {places}")
    if found:
        name, start, end = found.pop()
        padding = round((end - start) * PADDING)
        return Interval(name, max(0, start - padding), min(lengths[name], end + padding))
    try:
        return parse_region(text, lengths)
    except UsageError as error:
        raise _unknown(text, lengths, genes) from error


def _unknown(text: str, lengths: Mapping[str, int], genes: Sequence[Gene]) -> UsageError:
    known = {name.casefold(): name for gene in genes for name in (gene.identifier, gene.name)}
    known |= {name.casefold(): name for name in lengths}
    near = [known[key] for key in difflib.get_close_matches(text.casefold(), known, 3, cutoff=0.6)]
    some = ", ".join(list(lengths)[:4]) + (", ..." if len(lengths) > 4 else "")
    return UsageError(
        f"there is no sequence{' or gene' if genes else ''} of this name",
        found=text,
        wanted=f"a locus such as {next(iter(lengths), 'chrI')}:1,001-2,000, or one of {some}",
        remedy=f"did you mean {' or '.join(near)}" if near else None if genes else "give genes with --genes FILE",
    )


def parse_highlight(text: str, locus: Interval) -> tuple[int, int]:
    """The part of ``START-END`` or ``chr:START-END`` (1-based, both ends included) inside `locus`; 0-based half-open.

    Raises:
        UsageError: the form is wrong, or the part lies outside the locus.
    """
    name, _, span = text.rpartition(":")
    match = re.fullmatch(r"\s*([\d,]+)\s*(?:-|–|\.\.)\s*([\d,]+)\s*", span)
    start, end = (int(part.replace(",", "") or 0) for part in match.groups()) if match else (0, 0)
    if not 1 <= start <= end:
        raise UsageError(
            "this is no stretch", place="--highlight", found=text, wanted="START-END, 1-based, as 1,001-1,020"
        )
    if name not in ("", locus.name) or end <= locus.start or start > locus.end:
        raise UsageError(
            "the stretch lies outside the locus",
            place="--highlight",
            found=text,
            wanted=f"a part of {locus.name}:{locus.start + 1:,}-{locus.end:,}",
        )
    return max(start - 1, locus.start), min(end, locus.end)
