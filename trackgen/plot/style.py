"""How figures look: sizes in points (1/72 inch), colours of the two themes, and matplotlib's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trackgen.errors import UsageError
from trackgen.plot.letters import COLORS

__all__ = ["FORMATS", "MM", "SCALES", "THEMES", "Color", "PlotOptions", "Theme", "readable", "settings"]

MM = 72 / 25.4
"""Points in a millimetre."""
FORMATS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
SCALES = ("fixed", "auto", "shared")
LEAST_CONTRAST = 3.0
"""Of a track against its background, as WCAG 2.1 wants it of graphics."""

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Theme:
    """Colours: of the ground, of text, of lines beside the data, of highlights, of genes and of letters."""

    ground: str
    text: str
    quiet: str
    highlight: str
    genes: str
    letters: dict[str, str] = field(default_factory=lambda: COLORS)


THEMES = {
    "light": Theme("#ffffff", "#1a1a1a", "#8c8c8c", "#ffe8a3", "#2f3e6e"),
    "dark": Theme(
        "#15181d", "#e8e8e8", "#8a9099", "#4a4220", "#a9b8e8",
        {"A": "#4cc266", "C": "#6d9bff", "G": "#f2b544", "T": "#ff6b57"},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class PlotOptions:
    """What a figure is to be like. Sizes in mm; `font_size` in points.

    `scale`: ``fixed`` takes the hub's limits, ``auto`` the values in sight, ``shared`` those of all tracks of a kind.
    `highlights` are texts as `trackgen.plot.places.parse_highlight` reads them. `height` None fits the tracks.
    """

    width: float = 180.0
    height: float | None = None
    dpi: int = 300
    title: str | None = None
    font_size: float = 7.0
    scale: str = "fixed"
    theme: str = "light"
    highlights: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    genome: Path | None = None
    genes: Path | None = None


def settings(theme: Theme, font_size: float) -> Any:
    """matplotlib's settings for a figure: text stays text, and the same figure gives the same bytes."""
    return {
        # DejaVu comes with matplotlib, so sizes are the same everywhere; the others are for browsers without it.
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
        "font.size": font_size,
        "text.color": theme.text,
        "text.parse_math": False,
        "text.usetex": False,
        "axes.edgecolor": theme.quiet,
        "axes.unicode_minus": True,
        "path.simplify": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "trackgen",
        "pdf.fonttype": 42,
        "figure.facecolor": theme.ground,
        "savefig.facecolor": theme.ground,
    }


def check_options(options: PlotOptions) -> None:
    """Refuse sizes that no figure can have.

    Raises:
        UsageError: a size, resolution, scale or theme is none.
    """
    for name, value, low, high in (
        ("--width", options.width, 40, 2000),
        ("--height", 40 if options.height is None else options.height, 20, 5000),
        ("--dpi", options.dpi, 20, 2400),
        ("--font-size", options.font_size, 3, 40),
    ):
        if not low <= value <= high:
            raise UsageError(
                "the figure cannot have this size", place=name, found=f"{value:g}", wanted=f"{low} to {high}"
            )
    for name, word, words in (("--scale", options.scale, SCALES), ("--theme", options.theme, tuple(THEMES))):
        if word not in words:
            raise UsageError("there is no such choice", place=name, found=word, wanted=" or ".join(words))


def readable(color: Color, ground: str) -> Color:
    """`color`, made lighter where it could not be told from a dark ground."""
    behind = _luminance(tuple(part / 255 for part in bytes.fromhex(ground[1:])))
    if behind > 0.5:
        return color
    # First as bright as its hue can be, then paler.
    full = tuple(part / (max(color) or 1) for part in color)
    for step in range(21):
        start, end = (color, full) if step <= 10 else (full, (1.0, 1.0, 1.0))
        share = step / 10 if step <= 10 else step / 10 - 1
        lighter = tuple(part + (goal - part) * share for part, goal in zip(start, end, strict=True))
        if (_luminance(lighter) + 0.05) / (behind + 0.05) >= LEAST_CONTRAST:
            break
    return lighter[0], lighter[1], lighter[2]


def _luminance(color: tuple[float, ...]) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.1)."""
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
