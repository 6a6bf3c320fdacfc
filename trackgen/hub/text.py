"""Labels, names and numbers as browsers want them."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["clean", "counted", "number_text", "parse_color", "quoted_names", "shorten", "track_name", "unique_name"]

SIGNIFICANT_DIGITS = 6


def clean(text: str) -> str:
    """`text` as one line that is safe in a setting and in a browser that takes labels for HTML.

    Line breaks, tabs and control characters become spaces; a backslash would continue the line in hub.txt, and igv.js
    puts labels into its page as HTML, so both it and the angle brackets are replaced.
    """
    text = "".join(character if character.isprintable() else " " for character in text)
    text = text.replace("<", "‹").replace(">", "›").replace("\\", "/")
    return re.sub(r"\s+", " ", text).strip()


def counted(number: int, noun: str) -> str:
    """A number of things in words: ``1 track``, ``2,000 tracks``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def parse_color(text: str) -> tuple[int, int, int] | None:
    """Red, green and blue of ``200,30,30``; None where it is no colour."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and int(part) <= 255 for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def shorten(text: str, length: int) -> str:
    """`text` cut to at most `length` characters, the cut marked by two dots."""
    return text if len(text) <= length else text[: length - 2].rstrip() + ".."


def track_name(text: str) -> str:
    """`text` as a UCSC track name: a letter first, then letters, digits and underscores."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text)
    return name if name[:1].isalpha() else f"t_{name}"


def unique_name(name: str, used: set[str], suffix: str = "", mark: str = "_") -> str:
    """`name` + `suffix`, numbered from 2 until it is not among `used` (compared without case), and added to them."""
    result, number = name + suffix, 1
    while result.lower() in used:
        number += 1
        result = f"{name}{mark}{number}{suffix}"
    used.add(result.lower())
    return result


def number_text(value: float) -> str:
    """`value` with six significant digits and never an exponent (igv.js reads 1e-05 as 1)."""
    text = format(Decimal(f"{value:.{SIGNIFICANT_DIGITS}g}"), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def quoted_names(names: list[str], most: int = 5) -> str:
    """A list of names for a message, at most `most` of them."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
