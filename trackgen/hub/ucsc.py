"""Hub -> UCSC's track hub, in one file or three (https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html).

IGV, igv.js and JBrowse read the same files, each with its own limits, which the settings respect: containers stand
before their children; a leaf's fractional limits come with ``autoScale on``, since igv.js cuts them to whole numbers
and would draw nothing. Only UCSC reads the settings of containers, so theirs are exact.

The two strands of a prediction are one picture in UCSC, an overlay (multiWig) in which the minus strand is negated and
so hangs below zero. So are a predicted signal and what it is compared with, on one scale. Contributions are not: they
are letters of the genome, one for each base. What A, C, G and T would contribute is a multiWig again, ``aggregate
stacked`` with ``logo on`` in the container, which UCSC draws as letters on top of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trackgen.hub.compose import LONG_LABEL
from trackgen.hub.model import CallTrack, GeneTrack, Hub, HubGenome, HubTrack, Limits, MotifTrack, TrackGroup
from trackgen.hub.templates import stanza
from trackgen.hub.text import number_text, shorten

__all__ = ["GENOMES_FILE", "render_ucsc"]

INDENT = "    "
GENOMES_FILE = "genomes.txt"
ANNOTATIONS = "annotations"
SECTIONS = {
    "predictions": "Predictions",
    "contributions": "Contributions of each base",
    "hypothetical": "What other bases would contribute",
    ANNOTATIONS: "Annotations",
}


def render_ucsc(hub: Hub) -> dict[str, str]:
    """All text files that UCSC reads, by name: hub.txt, and what it names."""
    texts = {"hub.txt": _hub(hub)}
    if hub.one_file:
        texts["hub.txt"] += "\n" + _join([_genome(hub, hub.genomes[0]), *_tracks(hub.genomes[0])])
    else:
        texts[GENOMES_FILE] = _join([_genome(hub, genome) for genome in hub.genomes])
        texts |= {_track_db(genome): _join(list(_tracks(genome))) for genome in hub.genomes}
    for genome in hub.genomes:
        if genome.two_bit:
            texts[hub.file_of(genome, "groups.txt")] = _groups(genome)
            texts[genome.chromosome_sizes] = "".join(f"{name}\t{size}\n" for name, size in genome.lengths.items())
    return texts


def _join(stanzas: Sequence[str]) -> str:
    """Stanzas with a blank line between them."""
    return "\n".join(stanzas)


def _track_db(genome: HubGenome) -> str:
    return f"trackDb.{genome.id}.txt"


def _hub(hub: Hub) -> str:
    return stanza(
        "hub.txt",
        name=hub.name,
        short_label=hub.short_label,
        long_label=hub.long_label,
        one_file="on" if hub.one_file else "",
        genomes_file="" if hub.one_file else GENOMES_FILE,
        email=hub.email,
    )


def _genome(hub: Hub, genome: HubGenome) -> str:
    track_db = "" if hub.one_file else _track_db(genome)
    if not genome.two_bit:
        return stanza("genome.txt", id=genome.id, track_db=track_db)
    return stanza(
        "assembly.txt",
        id=genome.id,
        track_db=track_db,
        title=genome.title,
        organism=genome.organism,
        locus=genome.locus.text,
        order=str(1000 + hub.genomes.index(genome)),
        two_bit=genome.two_bit,
        chromosome_sizes=genome.chromosome_sizes,
        groups=hub.file_of(genome, "groups.txt"),
    )


def _groups(genome: HubGenome) -> str:
    """The text of groups.txt: the sections of an assembly hub's track list."""
    annotated = [ANNOTATIONS] if genome.motifs or genome.genes or genome.calls_of("") else []
    sections = dict.fromkeys([*(group.section for group in genome.groups), *annotated])
    return _join(
        [
            stanza("group.txt", name=section, label=SECTIONS[section], priority=str(priority))
            for priority, section in enumerate(sections, start=1)
        ]
    )


def _tracks(genome: HubGenome) -> Iterator[str]:
    section = ANNOTATIONS if genome.two_bit else ""
    if genome.genes is not None:
        yield _genes(genome.genes, genome, section)
    for group in genome.groups:
        yield from _group(group, group.section if genome.two_bit else "")
        for track in genome.calls_of(group.name):
            yield _boxes(track, group.section if genome.two_bit else "")
    for track in genome.calls_of(""):
        yield _boxes(track, section)
    for hits in genome.motifs:
        yield _boxes(hits, section)


def _group(group: TrackGroup, section: str) -> Iterator[str]:
    """The stanzas of one group: a container where there are several tracks, then what is in it."""
    families = _families(group)
    if len(families) == 1:
        yield from _family(families[0], parent="", section=section, depth=0)
        return
    paired = any(len(family) > 1 for family in families)
    yield stanza(
        "supertrack.txt" if paired else "composite.txt",
        name=group.name,
        section=section,
        short_label=group.short_label,
        long_label=group.long_label,
    )
    # A superTrack's children say for themselves whether they are shown; a composite's do it beside their parent.
    parent = group.name if paired else f"{group.name} on"
    for family in families:
        yield from _family(family, parent=parent, section="", depth=1)


def _families(group: TrackGroup) -> list[list[HubTrack]]:
    """Tracks drawn in one picture: both strands of a prediction, or what is compared; any other track by itself."""
    families: dict[str, list[HubTrack]] = {}
    for track in group.tracks:
        key = track.name if track.overlay is None else track.overlay.name
        families.setdefault(key, []).append(track)
    return list(families.values())


def _family(family: Sequence[HubTrack], parent: str, section: str, depth: int) -> Iterator[str]:
    if len(family) == 1:
        yield _indented(_track(family[0], parent=parent, section=section), depth)
        return
    first = next(track for track in family if not track.beside)
    overlay, limits = first.overlay, first.limits
    assert overlay is not None
    if not overlay.compared and not overlay.stacked:
        high = max(abs(limits.low), abs(limits.high))
        limits = Limits(-high, high)
    container = stanza(
        "stacked.txt" if overlay.stacked else "multiwig.txt",
        name=overlay.name,
        parent=parent,
        section=section,
        short_label=overlay.short_label,
        long_label=overlay.long_label,
        limits_typed=_pair(limits, " "),
        limits=_pair(limits, ":"),
        color=_color(first),
        threshold=number_text(first.threshold or 0.0),
        page=first.page,
    )
    yield _indented(container, depth)
    for track in family:
        yield _indented(_track(track, parent=overlay.name, section=""), depth + 1)


def _indented(text: str, depth: int) -> str:
    return "".join(depth * INDENT + line for line in text.splitlines(keepends=True))


def _track(track: HubTrack, parent: str, section: str) -> str:
    threshold = "" if track.threshold is None else number_text(track.threshold)
    # A line of a track that is negated would stand where no value is.
    line = "" if track.drawn_downwards else threshold
    values = {
        "name": track.name,
        "parent": parent,
        "section": section,
        "short_label": track.short_label,
        "long_label": track.long_label,
        "data_range": _pair(track.data_range, " "),
        "file": track.file,
        "color": _color(track),
        "limits": _pair(track.limits, ":"),
        "auto_scale": "off" if track.limits.whole else "on",
        "threshold": line,
        "threshold_shown": "on" if line else "",
        "negated": "on" if track.drawn_downwards else "",
        "logo": "on" if track.sequence_letters else "",
        "page": track.page,
    }
    return stanza("track_hypothetical.txt" if track.base else f"track_{track.role}.txt", **values)


def _boxes(track: CallTrack | MotifTrack, section: str) -> str:
    return stanza(
        "track_calls.txt" if isinstance(track, CallTrack) else "track_motifs.txt",
        name=track.name,
        section=section,
        short_label=track.short_label,
        long_label=track.long_label,
        type=track.type,
        file=track.file,
        color=_color(track),
        page=track.page,
    )


def _genes(genes: GeneTrack, genome: HubGenome, section: str) -> str:
    return stanza(
        "track_genes.txt",
        name=genes.name,
        section=section,
        long_label=shorten(f"Genes of {genome.title}, from {genes.source}", LONG_LABEL),
        file=genes.big_bed,
    )


def _color(track: HubTrack | CallTrack | MotifTrack) -> str:
    return ",".join(str(part) for part in track.color)


def _pair(limits: Limits, separator: str) -> str:
    return f"{number_text(limits.low)}{separator}{number_text(limits.high)}"
