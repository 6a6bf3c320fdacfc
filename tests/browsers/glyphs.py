"""Which way a letter stands in a picture: found by what changes when the sign of one value does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


class Glyph(NamedTuple):
    """The ink of one letter: where it stands in the picture (pixels) and its shape."""

    top: int
    bottom: int
    left: int
    right: int
    ink: NDArray[np.bool_]


def changed_glyphs(before: Picture, after: Picture) -> tuple[Glyph, Glyph]:
    """The letter that is in the first picture only, and the one that is in the second only."""
    different = np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 60
    assert different.any(), "nothing changed"
    columns = np.flatnonzero(different.any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    gone = different & _colored(before)
    come = different & _colored(after)
    return _glyph(gone, left, right), _glyph(come, left, right)


def likeness(one: NDArray[np.bool_], other: NDArray[np.bool_], size: int = 24) -> float:
    """Intersection over union of two shapes, both stretched to the same square."""
    one, other = _stretched(one, size), _stretched(other, size)
    return float((one & other).sum() / (one | other).sum())


def _colored(picture: Picture) -> NDArray[np.bool_]:
    """Pixels of some colour: neither grey nor white, which are axes and background."""
    values = picture.astype(int)
    return np.asarray(values.max(axis=2) - values.min(axis=2) > 60)


def _glyph(mask: NDArray[np.bool_], left: int, right: int) -> Glyph:
    rows = np.flatnonzero(mask[:, left:right].any(axis=1))
    assert len(rows), "there is no letter"
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return Glyph(top, bottom, left, right, mask[top:bottom, left:right])


def _stretched(shape: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    rows = np.arange(size) * shape.shape[0] // size
    columns = np.arange(size) * shape.shape[1] // size
    return shape[rows][:, columns]
