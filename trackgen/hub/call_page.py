"""Hub -> what its pages say of calls: the page of a track of calls, and the list of such tracks."""

from __future__ import annotations

from trackgen import __version__
from trackgen.hub.facts import facts_html
from trackgen.hub.model import CallTrack, Hub
from trackgen.hub.templates import escaped, fill
from trackgen.hub.text import number_text

__all__ = ["render_call_list", "render_call_page"]


def render_call_page(hub: Hub, track: CallTrack) -> str:
    """The HTML page of one track of calls: what they are, how to read them, how they were made."""
    address = escaped(hub.base_url)
    facts = {"file": track.file, "format": track.type, "as narrowPeak": track.narrow_peak, **track.facts}
    return fill(
        "calls.html",
        title=escaped(track.label[:1].upper() + track.label[1:]),
        subtitle=escaped(f"{track.title}; {hub.genome_of(track).title}"),
        swatch=_swatch(track),
        model=escaped(track.title),
        class_name=escaped(track.class_name),
        threshold=number_text(track.threshold),
        facts=facts_html(facts),
        version=escaped(track.version or __version__),
        published=f' Published at <a href="{address}">{address}</a>.' if address else "",
    )


def render_call_list(hub: Hub) -> str:
    """A heading and a table of the tracks of calls; nothing where there is none."""
    rows = [
        fill(
            "call_row.html",
            swatch=_swatch(track),
            page=escaped(track.page),
            label=escaped(track.label),
            threshold=number_text(track.threshold),
            calls=f"{track.calls:,}",
            model=escaped(track.model),
        )
        for track in hub.calls
    ]
    return fill("call_list.html", rows="".join(rows)) if rows else ""


def _swatch(track: CallTrack) -> str:
    return fill("swatch.html", color=",".join(str(part) for part in track.color)).strip()
