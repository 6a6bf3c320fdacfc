"""The colours of classes whose card names none."""

from __future__ import annotations

__all__ = ["PALETTE"]

# Okabe and Ito's colours, told apart by people with any kind of colour vision (jfly.uni-koeln.de/color).
PALETTE: tuple[tuple[int, int, int], ...] = (
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)
