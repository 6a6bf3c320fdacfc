"""Hub -> igv.xml: the session file of IGV Desktop, which shows every track as its role wants.

Elements and attributes are those that the session readers of IGV 2.16 and 3 know (igvteam/igv: SessionElement.java,
SessionAttribute.java, AbstractTrack.unmarshalXML). No track has a ``clazz``: it is the name of a Java class, which
differs between IGV 2 and 3, and the file's format decides as well. IGV 3 draws letters by ``renderer="DYNSEQ"``;
IGV 2 does not know the name and draws bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from trackgen.hub.igv import HOSTED, UCSC_DOWNLOADS
from trackgen.hub.model import AnyTrack, HubGenome, HubTrack
from trackgen.hub.text import clean, number_text

__all__ = ["render_igv_desktop"]

# The form of sessions that IGV has written since 2012; older ones have no <DataRange>.
SESSION_VERSION = "8"
GENE_COLOR = (0, 0, 120)


def render_igv_desktop(genome: HubGenome, base: str = "") -> str:
    """The text of igv.xml for the tracks on `genome`; every address of the hub's own files starts with `base`.

    IGV takes relative addresses from the folder of the session, be it a file or an address.
    """
    several_models = len(genome.models) > 1
    names = {track.name: _name(track, several_models) for track in genome.files}
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
        _element("Session", genome=_genome(genome, base), locus=genome.locus.text, version=SESSION_VERSION),
        "    <Resources>",
        *(f"        {line}" for line in _resources(genome, names, base)),
        "    </Resources>",
        '    <Panel name="DataPanel">',
        *(f"        {line}" for track in genome.tracks for line in _values(track, names[track.name], base)),
        "    </Panel>",
        *_features(genome, names, base),
        "</Session>",
    ]
    return "\n".join(lines) + "\n"


def _genome(genome: HubGenome, base: str) -> str:
    """What IGV opens as a genome: a file of sequence (2bit: since IGV 2.17), or the name of an assembly it hosts."""
    if genome.two_bit:
        return base + genome.two_bit
    return genome.id if genome.id in HOSTED else f"{UCSC_DOWNLOADS}/{genome.id}/bigZips/{genome.id}.2bit"


def _resources(genome: HubGenome, names: dict[str, str], base: str) -> Iterator[str]:
    for track in genome.files:
        kind = "bigwig" if isinstance(track, HubTrack) else "bigbed"
        yield _element("Resource", close=True, name=names[track.name], path=base + track.file, type=kind)
    if genome.genes is not None:
        yield _element("Resource", close=True, name="Genes", path=base + genome.genes.bed, type="bed")


def _values(track: HubTrack, name: str, base: str) -> Iterator[str]:
    letters = track.sequence_letters
    color = _color(track.color)
    yield _element(
        "Track",
        id=base + track.file,
        name=name,
        attributeKey=name,
        color=color,
        # Of negative values; without it IGV takes a shade of blue of its own.
        altColor=color,
        autoScale="false",
        height=str(100 if letters else 64),
        renderer="DYNSEQ" if letters else "BAR_CHART",
        # Four tracks of estimates a class would push predictions out of sight: IGV's menu of tracks shows them.
        visible="false" if track.base else "true",
        windowFunction="max" if track.role == "probability" else "mean",
    )
    low, high = number_text(track.limits.low), number_text(track.limits.high)
    # IGV reads flipAxis, and draws nothing by it; but its scale hangs down from a maximum that is below the minimum.
    bottom, top = (high, low) if track.drawn_downwards else (low, high)
    # IGV 3 refuses the whole range where one of these is missing.
    yield "    " + _element(
        "DataRange",
        close=True,
        type="LINEAR",
        minimum=bottom,
        baseline="0",
        maximum=top,
        flipAxis="false",
        drawBaseline="true",
    )
    yield "</Track>"


def _features(genome: HubGenome, names: dict[str, str], base: str) -> Iterator[str]:
    """The panel of genes, calls and motif hits, below the data."""
    # Hits have colours of their own.
    tracks = [(base + track.file, names[track.name], _color(track.color)) for track in genome.calls]
    tracks += [(base + track.file, names[track.name], "") for track in genome.motifs]
    if genome.genes is not None:
        tracks.insert(0, (base + genome.genes.bed, "Genes", _color(GENE_COLOR)))
    if not tracks:
        return
    yield '    <Panel name="FeaturePanel">'
    for address, name, color in tracks:
        shade = {"color": color} if color else {}
        yield "        " + _element(
            "Track",
            close=True,
            id=address,
            name=name,
            attributeKey=name,
            **shade,
            displayMode="EXPANDED",
            visible="true",
        )
    yield "    </Panel>"


def _name(track: AnyTrack, several_models: bool) -> str:
    return f"{track.model}: {track.display_name}" if several_models else track.display_name


def _color(color: tuple[int, int, int]) -> str:
    return ",".join(str(part) for part in color)


def _element(tag: str, *, close: bool = False, **attributes: str) -> str:
    """An element's start, or the whole of an empty one. Values become one line without what XML cannot hold at all."""
    text = " ".join(f"{key}={quoteattr(clean(value))}" for key, value in attributes.items())
    return f"<{tag} {text}{'/' if close else ''}>"
