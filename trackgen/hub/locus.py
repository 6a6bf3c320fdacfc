"""Where a browser opens: a stretch of the genome on which there is something to see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trackgen.genome import open_signal
from trackgen.genome.sequence import pieces as cut_into_pieces
from trackgen.hub.model import HubTrack, Locus

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from trackgen.genome import SignalReader

__all__ = ["informative_locus"]

# Contributions are letters only while a base has a pixel; predictions want a few neighbours around a call.
LETTERS_WIDTH, PREDICTIONS_WIDTH, WIDTH_PER_RESOLUTION = 400, 10_000, 300
PIECE = 1 << 20
PIECES_WITH_SIGHT, PIECES_LOOKED_AT = 12, 300
TRACKS_LOOKED_AT = 8
PART_OF_LONGEST = 0.1
# A value below this part of the axis is background: many small values are no sight.
PART_OF_AXIS = 0.4


def informative_locus(tracks: Sequence[HubTrack], lengths: Mapping[str, int]) -> Locus:
    """The stretch with the most to see among up to twelve pieces of 1 Mb, spread over the genome.

    The same tracks give the same locus. Where no track has a value it is the middle of the longest sequence.

    Args:
        tracks: in the order of display; the first few predictions and letters are looked at, else the first few tracks.
        lengths: bp, of all sequences.
    """
    width = _width(tracks)
    filled = [track for track in tracks if track.run.values]
    letters = [track for track in filled if track.sequence_letters]
    predictions = [track for track in filled if track.role != "contribution"]
    shown = [*predictions[:TRACKS_LOOKED_AT], *letters[:TRACKS_LOOKED_AT]] or filled[:TRACKS_LOOKED_AT]
    readers = [(open_signal(track.source), max(track.limits.high, -track.limits.low)) for track in shown]
    try:
        for pieces in _candidates(lengths):
            found = _best_of(pieces, readers, width, lengths)
            if found is not None:
                return found
    finally:
        for reader, _ in readers:
            reader.close()
    return _middle(lengths, width)


def _best_of(
    pieces: Sequence[tuple[str, int, int]],
    readers: Sequence[tuple[SignalReader, float]],
    width: int,
    lengths: Mapping[str, int],
) -> Locus | None:
    """The best stretch among the first few of `pieces` that show anything."""
    best, best_score, with_sight = None, 0.0, 0
    for name, start, end in pieces[:PIECES_LOOKED_AT]:
        sight = _total_sight(readers, name, start, end)
        if not sight.any():
            continue
        offset, score = _best_stretch(sight, width)
        if score > best_score:
            best, best_score = _around(name, start + offset, width, lengths[name]), score
        with_sight += 1
        if with_sight == PIECES_WITH_SIGHT:
            break
    return best


def _width(tracks: Sequence[HubTrack]) -> int:
    if any(track.sequence_letters for track in tracks):
        return LETTERS_WIDTH
    return max([PREDICTIONS_WIDTH, *(WIDTH_PER_RESOLUTION * track.resolution for track in tracks)])


def _middle(lengths: Mapping[str, int], width: int) -> Locus:
    name = max(lengths, key=lambda candidate: lengths[candidate])
    return _around(name, max(lengths[name] // 2 - width // 2, 0), width, lengths[name])


def _around(name: str, start: int, width: int, length: int) -> Locus:
    start = max(0, min(start, length - width))
    return Locus(name, start, min(start + width, length))


def _candidates(lengths: Mapping[str, int]) -> list[list[tuple[str, int, int]]]:
    """The pieces to look at: those of chromosomes, then those of what is small beside them (organelles, contigs)."""
    least = PART_OF_LONGEST * max(lengths.values())
    chromosomes = {name: length for name, length in lengths.items() if length >= least}
    rest = {name: length for name, length in lengths.items() if length < least}
    return [_spread(list(cut_into_pieces(part, PIECE))) for part in (chromosomes, rest)]


def _spread(pieces: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The pieces in an order in which any beginning is spread over all of them."""
    count = len(pieces)
    # A step near the golden section: consecutive pieces lie far apart, and none comes twice.
    stride = max(1, round(count * 0.618))
    while math.gcd(stride, count) != 1:
        stride -= 1
    return [pieces[index * stride % count] for index in range(count)]


def _total_sight(
    readers: Sequence[tuple[SignalReader, float]], name: str, start: int, end: int
) -> NDArray[numpy.float64]:
    """What is seen of all readers, each on an axis that ends at its limit: shape (end - start,), background 0."""
    import numpy

    total = numpy.zeros(end - start)
    for reader, high in readers:
        # In double precision: the limits of a track may be beyond what its values can be.
        seen = numpy.abs(numpy.nan_to_num(reader.values(name, start, end), nan=0.0).astype(numpy.float64)) / high
        total += numpy.where(seen < PART_OF_AXIS, 0.0, numpy.minimum(seen, 1.0))
    return total


def _best_stretch(sight: NDArray[numpy.float64], width: int) -> tuple[int, float]:
    """The offset of the stretch of `width` bases with the largest sum, its sight in the middle, and the sum."""
    import numpy

    width = min(width, len(sight))
    sums = numpy.concatenate([[0.0], numpy.cumsum(sight, dtype=numpy.float64)])
    totals = sums[width:] - sums[:-width]
    first = int(numpy.argmax(totals))
    worse = numpy.flatnonzero(totals[first:] < totals[first] * (1 - 1e-9))
    last = first + int(worse[0]) - 1 if len(worse) else len(totals) - 1
    return (first + last) // 2, float(totals[first])
