"""Fills the text templates of ``hub_templates/``: substitution, nothing else."""

from __future__ import annotations

import html
import string
import unicodedata
from functools import cache

from trackgen import resources
from trackgen.errors import TrackgenError

__all__ = ["escaped", "fill", "stanza", "verbatim"]


@cache
def verbatim(name: str) -> str:
    """The text of the template `name`."""
    return (resources.hub_templates() / name).read_text(encoding="utf-8")


def fill(template: str, /, **values: str) -> str:
    """The template file `template` with ``$key`` replaced; a key that is missing in `values` is a KeyError."""
    return string.Template(verbatim(template)).substitute(values)


def stanza(template: str, /, **values: str) -> str:
    """A stanza of hub.txt; a setting whose value is empty is left out, key and all.

    Raises:
        TrackgenError: a value would begin a line of its own, or has control characters: nothing that is read may get
            as far as this.
    """
    for key, value in values.items():
        if value.splitlines() not in ([], [value]) or any(
            unicodedata.category(character) == "Cc" for character in value
        ):
            raise TrackgenError("a setting's value is more than one line of text", place=key, found=repr(value[:80]))
    lines = fill(template, **values).splitlines()
    return "\n".join(line.rstrip() for line in lines if len(line.split(maxsplit=1)) == 2) + "\n"


def escaped(text: str) -> str:
    """`text` safe between HTML tags and in quoted attributes."""
    return html.escape(text, quote=True)
