"""Hub -> what its pages say of motif hits: the page of a track of hits, and the list of such tracks."""

from __future__ import annotations

from trackgen import __version__
from trackgen.hub.facts import facts_html
from trackgen.hub.model import Color, Hub, MotifPattern, MotifTrack
from trackgen.hub.templates import escaped, fill

__all__ = ["render_motif_list", "render_motif_page"]

SHOWN = 3
"""Motifs that a list names."""


def render_motif_page(hub: Hub, track: MotifTrack) -> str:
    """The HTML page of one track of hits: what they are, how to read them, the motifs by name, how it was made."""
    rows = [
        fill(
            "motif_pattern.html",
            swatch="" if pattern.color is None else _swatch(pattern.color),
            name=escaped(pattern.name),
            matches=escaped("; ".join(pattern.matches)) or "–",
            hits=f"{pattern.hits:,}",
        )
        for pattern in track.patterns
    ]
    facts = {
        "file": track.file,
        "format": track.type,
        "model": track.model,
        "class": track.class_name,
        "motifs": len(track.patterns),
        "hits": track.hits,
    }
    address = escaped(hub.base_url)
    return fill(
        "motifs.html",
        title=escaped(_capital(track.label)),
        subtitle=escaped(f"{track.title}; {hub.genome_of(track).title}"),
        swatch=_swatch(track.color),
        model=escaped(track.title),
        class_name=escaped(track.class_name),
        patterns="".join(rows),
        facts=facts_html(facts),
        version=escaped(track.version or __version__),
        published=f' Published at <a href="{address}">{address}</a>.' if address else "",
    )


def render_motif_list(hub: Hub) -> str:
    """A heading and a table of the tracks of hits; nothing where there is none."""
    rows = [
        fill(
            "motif_row.html",
            swatch=_swatch(track.color),
            page=escaped(track.page),
            label=escaped(track.label),
            motifs=escaped(_named(track.patterns)),
            hits=f"{track.hits:,}",
            model=escaped(track.model),
        )
        for track in hub.motifs
    ]
    return fill("motif_list.html", rows="".join(rows)) if rows else ""


def _named(patterns: tuple[MotifPattern, ...]) -> str:
    """The first few motifs, by the known one that they resemble most where there is one."""
    names = [pattern.matches[0] if pattern.matches else pattern.name for pattern in patterns]
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _swatch(color: Color) -> str:
    return fill("swatch.html", color=",".join(str(part) for part in color)).strip()
