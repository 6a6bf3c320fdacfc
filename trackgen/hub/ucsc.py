"""Hub -> UCSC's hub.txt, in the form of one file (https://genome.ucsc.edu/goldenPath/help/hgTrackHubHelp.html).

IGV, igv.js and JBrowse read the same file, each with its own limits, which the settings respect: containers stand
before their children, and fractional limits come with ``autoScale on``, since igv.js cuts them to whole numbers.
"""

from __future__ import annotations

from trackgen.hub.model import Hub, HubTrack, Limits, MotifTrack, TrackGroup
from trackgen.hub.templates import stanza
from trackgen.hub.text import number_text

__all__ = ["render_chromosome_sizes", "render_groups", "render_hub"]

INDENT = "    "
ANNOTATIONS = "annotations"
SECTIONS = {"predictions": "Predictions", "contributions": "Contributions of each base", ANNOTATIONS: "Motifs"}


def render_hub(hub: Hub) -> str:
    """The text of hub.txt: hub, genome, then the tracks, a composite where a model has several of a kind."""
    stanzas = [
        stanza("hub.txt", name=hub.name, short_label=hub.short_label, long_label=hub.long_label, email=hub.email),
        _genome(hub),
    ]
    for group in hub.groups:
        stanzas.extend(_group(group, assembly_hub=bool(hub.genome.two_bit)))
    stanzas.extend(_motifs(track, section=ANNOTATIONS if hub.genome.two_bit else "") for track in hub.motifs)
    return "\n".join(stanzas)


def render_groups(hub: Hub) -> str:
    """The text of groups.txt: the sections of an assembly hub's track list."""
    sections = dict.fromkeys([*(group.section for group in hub.groups), *([ANNOTATIONS] if hub.motifs else [])])
    return "\n".join(
        stanza("group.txt", name=section, label=SECTIONS[section], priority=str(priority))
        for priority, section in enumerate(sections, start=1)
    )


def render_chromosome_sizes(hub: Hub) -> str:
    """The text of chrom.sizes: name and length in bp, separated by a tab, in the order of the genome."""
    return "".join(f"{name}\t{length}\n" for name, length in hub.genome.lengths.items())


def _genome(hub: Hub) -> str:
    genome = hub.genome
    if not genome.two_bit:
        return stanza("genome.txt", id=genome.id)
    return stanza(
        "assembly.txt",
        id=genome.id,
        title=genome.title,
        organism=genome.organism,
        locus=genome.locus.text,
        two_bit=genome.two_bit,
        chromosome_sizes=genome.chromosome_sizes,
    )


def _group(group: TrackGroup, assembly_hub: bool) -> list[str]:
    section = group.section if assembly_hub else ""
    if len(group.tracks) == 1:
        return [_track(group.tracks[0], parent="", section=section)]
    composite = stanza(
        "composite.txt",
        name=group.name,
        section=section,
        short_label=group.short_label,
        long_label=group.long_label,
    )
    children = [_track(track, parent=f"{group.name} on", section="") for track in group.tracks]
    return [composite, *("".join(INDENT + line for line in text.splitlines(keepends=True)) for text in children)]


def _track(track: HubTrack, parent: str, section: str) -> str:
    threshold = "" if track.threshold is None else number_text(track.threshold)
    values = {
        "name": track.name,
        "parent": parent,
        "section": section,
        "short_label": track.short_label,
        "long_label": track.long_label,
        "data_range": _pair(track.data_range, " "),
        "file": track.file,
        "color": ",".join(str(part) for part in track.color),
        "limits": _pair(track.limits, ":"),
        "auto_scale": "off" if track.limits.whole else "on",
        "threshold": threshold,
        "threshold_shown": "on" if threshold else "",
        "logo": "on" if track.sequence_letters else "",
        "page": track.page,
    }
    return stanza(f"track_{track.role}.txt", **values)


def _motifs(track: MotifTrack, section: str) -> str:
    return stanza(
        "track_motifs.txt",
        name=track.name,
        section=section,
        short_label=track.short_label,
        long_label=track.long_label,
        type=track.type,
        file=track.file,
        color=",".join(str(part) for part in track.color),
        page=track.page,
    )


def _pair(limits: Limits, separator: str) -> str:
    return f"{number_text(limits.low)}{separator}{number_text(limits.high)}"
