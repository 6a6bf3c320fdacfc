"""Hub -> what pages say of predictions beside measurements: pages of what is compared, and what a model may invent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trackgen import __version__
from trackgen.card import Card
from trackgen.hub.facts import facts_html, value_html
from trackgen.hub.model import Hub, HubTrack
from trackgen.hub.templates import escaped, fill
from trackgen.hub.text import number_text

__all__ = ["caveats_html", "comparison_html", "render_beside_page"]


def render_beside_page(hub: Hub, track: HubTrack) -> str:
    """The HTML page of a track that no model predicted: where it comes from, and what it is compared with."""
    assert track.beside is not None
    address = escaped(hub.base_url)
    unit = f" (unit: {track.unit})" if track.unit else ""
    low, high = number_text(track.limits.low), number_text(track.limits.high)
    swatch = _swatch(track)
    return fill(
        "track.html",
        title=escaped(track.label[:1].upper() + track.label[1:]),
        subtitle=escaped(f"beside {track.card.title or track.card.name}; {hub.genome_of(track).title}"),
        swatch=swatch,
        description=escaped(track.beside.origin),
        what=facts_html(track.beside.facts),
        reading=f"<p>The height at a base is its value{escaped(unit)}. Browsers start with an axis from {low} to "
        f"{high}, that of all tracks in the picture; what is beyond is cut off there, not in the data.</p>\n"
        + comparison_html(hub, track),
        colors=f"<p>{swatch}{escaped(track.label)}, in every browser.</p>",
        training="",
        facts=facts_html({"file": track.file}),
        version=escaped(track.run.version or __version__),
        published=f' Published at <a href="{address}">{address}</a>.' if address else "",
    )


def comparison_html(hub: Hub, track: HubTrack) -> str:
    """A paragraph on the picture that a track is part of, with links to the others; nothing where it is alone."""
    if track.overlay is None or not track.overlay.compared:
        return ""
    others = [other for other in hub.tracks if other.overlay == track.overlay and other.name != track.name]
    links = ", ".join(
        f'{_swatch(other)}<a href="{escaped(other.page)}">{escaped(other.label)}</a>'
        + (" (measured)" if other.beside else " (predicted)")
        for other in others
    )
    return (
        f"<p>Browsers that can do so draw it over {links}, on one scale. What only the prediction shows, the model has "
        "added.</p>"
    )


def caveats_html(card: Card, level: int = 2) -> str:
    """What the card says that the model may invent, under a heading; nothing where it says nothing."""
    caveats = card.training.get("caveats")
    if not caveats:
        return ""
    if isinstance(caveats, Sequence) and not isinstance(caveats, str):
        body = "<ul>\n" + "\n".join(f"<li>{value_html(caveat)}</li>" for caveat in caveats) + "\n</ul>"
    else:
        body = facts_html(caveats) if isinstance(caveats, Mapping) else f"<p>{value_html(caveats)}</p>"
    return f"<h{level}>What the model may invent</h{level}>\n{body}\n"


def _swatch(track: HubTrack) -> str:
    return fill("swatch.html", color=",".join(str(part) for part in track.color)).strip()
