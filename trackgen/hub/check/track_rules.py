"""Rules for single tracks: names, required settings, types, labels, pages, and quirks of browsers."""

from __future__ import annotations

import re

from trackgen.hub.check.findings import Findings
from trackgen.hub.check.hub_files import Genome, Hub, Track
from trackgen.hub.check.setting_table import find_track_setting
from trackgen.hub.check.stanza_rules import check_track_settings
from trackgen.hub.check.stanzas import Stanza
from trackgen.hub.check.values import numbers

__all__ = ["BIGBED_TYPES", "INDEXED_TYPES", "check_quirks", "check_tracks"]

BIGBED_TYPES = frozenset(
    {
        "bigBarChart", "bigBed", "bigBroadPeak", "bigChain", "bigDbSnp", "bigGenePred", "bigInteract", "bigLolly",
        "bigMaf", "bigMethyl", "bigNarrowPeak", "bigNet", "bigPsl", "bigRmsk", "pslSnake",
    }
)  # fmt: skip
"""Types whose files are bigBed."""
INDEXED_TYPES = {"bam": (".bai", ".csi"), "cram": (".crai",), "vcfTabix": (".tbi", ".csi"), "vcfPhasedTrio": (".tbi",)}
"""Types whose files have an index beside them, and how that ends."""
OTHER_TYPES = frozenset({"bigWig", "hic", "halSnake", "longTabix", "instaPort"})
HUB_TYPES = BIGBED_TYPES | INDEXED_TYPES.keys() | OTHER_TYPES
LOCAL_TYPES = {
    "wig": "bigWig (wigToBigWig)",
    "bedGraph": "bigWig (bedGraphToBigWig)",
    "bed": "bigBed (bedToBigBed)",
    "gtf": "bigGenePred",
    "gff": "bigGenePred",
    "genePred": "bigGenePred",
    "narrowPeak": "bigNarrowPeak",
    "broadPeak": "bigBed",
    "psl": "bigPsl",
    "chain": "bigChain",
    "maf": "bigMaf",
    "vcf": "vcfTabix",
    "BigWig": "bigWig",
    "bigwig": "bigWig",
    "bigbed": "bigBed",
}
FREE_OF_DATA = {"halSnake"}
SHORT_LABEL, LONG_LABEL, CONTAINER_LABEL = 17, 80, 50
STACKED = 4
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
REPLACED = re.compile(r"[^A-Za-z0-9_-]")


def check_tracks(genome: Genome, findings: Findings) -> None:
    """All rules that look at one track at a time, and the names of all."""
    names: dict[str, Track] = {}
    for track in genome.tracks:
        stanza = track.stanza
        if stanza.first != "track" and "track" not in stanza.settings:
            what = "a stanza does not begin with track"
            found = f"{stanza.first} {stanza.get(stanza.first)}".strip()
            findings.add("STANZA-FIRST", stanza.place(), what, found=found, wanted="track NAME")
            continue
        if stanza.first != "track":
            what = "track is not the first setting of its stanza"
            findings.add("STANZA-FIRST", stanza.place(), what, found=stanza.first, wanted="track NAME")
        _check_name(track, names, findings)
        check_track_settings(stanza, findings)
        _check_required(track, findings)
        _check_type(track, findings)
        _check_labels(stanza, findings)
        _check_page(track, findings)


def _check_name(track: Track, names: dict[str, Track], findings: Findings) -> None:
    place, name = track.stanza.place("track"), track.name
    if not name:
        return
    replaced = REPLACED.sub("_", name)
    if replaced in names:
        other = names[replaced]
        what = "the name is taken" if other.name == name else f"the name becomes {replaced}, which is taken"
        wanted = f"another than that of {other.stanza.place('track')}"
        findings.add("TRACK-NAME-TWICE", place, what, found=name, wanted=wanted)
    names.setdefault(replaced, track)
    value = track.stanza.get("track")
    if not NAME.fullmatch(name.replace(".", "_")) or (value != name and value.split()[1:] != ["override"]):
        wanted = "a letter, then letters, digits and _"
        findings.add("TRACK-NAME", place, "this is no name of a track", found=value, wanted=wanted)
    elif "." in name:
        remedy = f"write {name.replace('.', '_')}"
        findings.add("TRACK-NAME-DOT", place, "a dot in a track's name", found=name, remedy=remedy)


def _check_required(track: Track, findings: Findings) -> None:
    settings = track.stanza.settings
    needed = ["shortLabel", "longLabel"]
    if track.kind == "leaf":
        if not track.inherited("type"):
            needed.append("type")
        if track.type not in FREE_OF_DATA:
            needed.append("bigDataUrl")
    elif track.kind == "view":
        # Large hubs give their views none, and UCSC shows those of the composite.
        needed = []
    for name in needed:
        # Where the setting stands without a value, that has been said.
        if name not in settings:
            what = f"the track {track.name} has no {name}"
            remedy = f"add a line {name} ..."
            if name == "bigDataUrl" and _looks_like_container(track):
                remedy = "or say what it is: compositeTrack on, superTrack on or container multiWig"
            findings.add("TRACK-KEY", track.stanza.place("track"), what, remedy=remedy)
    if track.kind != "leaf" and "bigDataUrl" in settings:
        what = f"{track.name} holds tracks and has data of its own"
        remedy = "move the data into a track whose parent it is"
        findings.add("CONTAINER-DATA", track.stanza.place("bigDataUrl"), what, remedy=remedy)


def _looks_like_container(track: Track) -> bool:
    return not track.stanza.get("parent")


def _check_type(track: Track, findings: Findings) -> None:
    if track.kind != "leaf" or not track.inherited("type"):
        return
    stanza, words = track.stanza, track.inherited("type").split()
    place = stanza.place("type" if "type" in stanza.settings else "track")
    if words[0] not in HUB_TYPES:
        known = LOCAL_TYPES.get(words[0]) or LOCAL_TYPES.get(words[0].lower())
        remedy = f"make it {known}" if known else "use bigWig, bigBed, bam, vcfTabix or another type of hubs"
        findings.add("TYPE-UNKNOWN", place, "hubs hold no such type", found=words[0], remedy=remedy)
        return
    wanted = _type_fault(words)
    if wanted and "type" in stanza.settings:
        findings.add("TYPE-FORM", place, f"the type {words[0]} is malformed", found=" ".join(words), wanted=wanted)
    for name in stanza.settings:
        row = find_track_setting(name)
        if row is not None and row.types and words[0] not in row.types:
            what = f"{name} has no effect on a track of type {words[0]}"
            findings.add("SETTING-MISPLACED", stanza.place(name), what, wanted=f"it on {', '.join(sorted(row.types))}")


def _type_fault(words: list[str]) -> str:
    """What the words after a type should be, where they are something else."""
    rest = words[1:]
    if words[0] == "bigWig" and rest:
        limits = numbers(" ".join(rest[:2]), " ")
        if len(rest) != 2 or limits is None or limits[0] > limits[1]:
            return "bigWig, or bigWig LOWEST HIGHEST"
    if words[0] == "bigBed" and rest and not (rest[0].isdecimal() and 3 <= int(rest[0][:3]) <= 15):
        return "bigBed FIELDS, from 3 to 12, and + where there are more"
    if words[0] == "bigBed" and not re.fullmatch(r"(\+ ?\d*|\.)?", " ".join(rest[1:])):
        return "bigBed FIELDS, and + where there are more"
    return ""


def _check_labels(stanza: Stanza, findings: Findings) -> None:
    for name, rule, most in (("shortLabel", "LABEL-SHORT", SHORT_LABEL), ("longLabel", "LABEL-LONG", LONG_LABEL)):
        label = stanza.get(name)
        if len(label) > most:
            found = f"{len(label)} characters, {label[:60]}"
            wanted = f"at most {most}"
            findings.add(rule, stanza.place(name), f"the {name} is too long", found=found, wanted=wanted)


def _check_page(track: Track, findings: Findings) -> None:
    if track.kind == "leaf" and not track.inherited("html"):
        remedy = "write a page about it and add html FILE.html, here or in a container of it"
        findings.add("TRACK-PAGE", track.stanza.place("track"), f"{track.name} has no page", remedy=remedy)


def check_quirks(hub: Hub, genome: Genome, findings: Findings) -> None:
    """What single browsers do not show, or show otherwise; `genome` is one of `hub`."""
    if hub.one_file and genome is hub.genomes[0] and b"useOneFile on" not in hub.texts[hub.address]:
        place, remedy = hub.stanza.place("useOneFile"), "write useOneFile on"
        findings.add("JBROWSE-ONE-FILE", place, "JBrowse does not see useOneFile on", remedy=remedy)
    alias = genome.stanza.get("chromAlias")
    if alias and not alias.startswith(("http://", "https://")):
        remedy = "write the whole address, or use chromAliasBb"
        findings.add(
            "IGV-ALIAS", genome.stanza.place("chromAlias"), "chromAlias is relative", found=alias, remedy=remedy
        )
    seen = set[str]()
    for track in genome.tracks:
        seen.add(track.name)
        _check_container_quirks(track, seen, findings)
        _check_limits(track, findings)
        _check_logo(track, findings)


def _check_container_quirks(track: Track, seen: set[str], findings: Findings) -> None:
    stanza = track.stanza
    if track.kind != "leaf" and CONTAINER_LABEL <= len(stanza.get("longLabel")) <= LONG_LABEL:
        found = f"{len(stanza.get('longLabel'))} characters"
        place, wanted = stanza.place("longLabel"), f"fewer than {CONTAINER_LABEL}"
        findings.add("IGV-CONTAINER-LABEL", place, "the container's longLabel is long", found=found, wanted=wanted)
    if track.parent is not None and track.parent.name not in seen:
        what = f"{track.name} stands before its container {track.parent.name}"
        findings.add("IGV-ORDER", stanza.place("track"), what, remedy="put the container first")
    words = stanza.get("superTrack").split()
    if words and words[0] not in ("on", "off"):
        remedy = f"write parent {words[0]}"
        what = "the old form of naming a super track"
        found = f"superTrack {' '.join(words)}"
        findings.add("JBROWSE-SUPERTRACK", stanza.place("superTrack"), what, found=found, remedy=remedy)


def _check_limits(track: Track, findings: Findings) -> None:
    """igv.js reads limits with parseInt: -0.15:0.35 becomes 0:0, and the track is drawn empty.

    What counts is what holds for a track of data, be it inherited; igv.js takes ``autoScale group`` for off.
    """
    owner: Track | None = track if track.kind == "leaf" else None
    while owner is not None and "viewLimits" not in owner.stanza.settings:
        owner = owner.parent
    if owner is None or track.inherited("autoScale").lower() == "on":
        return
    text = owner.stanza.get("viewLimits")
    limits = numbers(text)
    if limits is not None and len(limits) == 2 and any(value != int(value) for value in limits):
        cut = ":".join(str(int(value)) for value in limits)
        findings.add(
            "IGV-LIMITS",
            owner.stanza.place("viewLimits"),
            "fractional viewLimits without autoScale on",
            found=f"{text}, which igv.js reads as {cut}",
            remedy="add autoScale on, or choose whole numbers",
        )


def _check_logo(track: Track, findings: Findings) -> None:
    if track.kind == "multiwig":
        _check_stack(track, findings)
    if track.kind != "leaf" or track.inherited("logo").lower() != "on":
        return
    place = track.stanza.place("logo")
    if track.type and track.type != "bigWig":
        if "logo" in track.stanza.settings:
            findings.add("LOGO-TYPE", place, "only a bigWig is drawn as letters", found=track.type, wanted="bigWig")
    elif track.inherited("visibility") == "dense":
        remedy = "write visibility full"
        findings.add("LOGO-DENSE", place, "a dense track shows no letters", found="visibility dense", remedy=remedy)


def _check_stack(track: Track, findings: Findings) -> None:
    """UCSC takes the letters of a stack from the order of its tracks."""
    is_stack = track.inherited("logo").lower() == "on" and track.inherited("aggregate") == "stacked"
    if is_stack and track.children and len(track.children) != STACKED:
        findings.add(
            "LOGO-STACK",
            track.stanza.place("aggregate"),
            "stacked letters are those of A, C, G and T, in this order",
            found=f"{len(track.children)} tracks",
            wanted=f"{STACKED}",
            remedy="add the tracks that are missing, or remove logo on",
        )
