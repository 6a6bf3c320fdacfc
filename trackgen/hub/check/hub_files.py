"""Reads all text of a hub, in the form of one file or of three, into one tree of genomes and tracks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from trackgen.hub.check.findings import Findings, Place
from trackgen.hub.check.sources import FileFault, Source
from trackgen.hub.check.stanzas import Include, Stanza, parse_stanzas

__all__ = ["Genome", "Hub", "Track", "read_hub", "report_fault"]

DEEPEST_INCLUDE = 10
MOST_TRACKS = 1_000_000


@dataclass(eq=False)
class Track:
    """One track stanza; `address` is that of the file it stands in. `parent` is set only where the tree is sound."""

    stanza: Stanza
    address: str
    parent: Track | None = None
    children: list[Track] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The track's name, without the words that may follow it."""
        return next(iter(self.stanza.get("track").split()), "")

    @property
    def kind(self) -> str:
        """composite, super, view, multiwig or leaf."""
        settings = self.stanza.settings
        if "container" in settings:
            return "multiwig"
        if "compositeTrack" in settings:
            return "composite"
        if self.stanza.get("superTrack").split()[:1] == ["on"]:
            return "super"
        return "view" if "view" in settings else "leaf"

    @property
    def parent_name(self) -> str:
        """The name of the parent that the stanza gives, in the new form or the old one; or nothing."""
        words = (self.stanza.get("parent") or self.stanza.get("subTrack")).split()
        if not words and self.stanza.get("superTrack").split()[:1] not in ([], ["on"], ["off"]):
            words = self.stanza.get("superTrack").split()
        return words[0] if words else ""

    @property
    def type(self) -> str:
        """The first word of the type, inherited where the stanza has none."""
        return next(iter(self.inherited("type").split()), "")

    def inherited(self, name: str) -> str:
        """The value of a setting, here or in the nearest container that has it."""
        track: Track | None = self
        while track is not None:
            if name in track.stanza.settings:
                return track.stanza.get(name)
            track = track.parent
        return ""


@dataclass(eq=False)
class Genome:
    """One genome of a hub with its tracks; `groups` is None where it has no readable file of groups."""

    stanza: Stanza
    address: str
    tracks: list[Track] = field(default_factory=list)
    groups: list[Stanza] | None = None
    readable: bool = True
    """False where its file of tracks could not be read, which has been said."""

    @property
    def name(self) -> str:
        """UCSC's name of the assembly, or the hub's own."""
        return self.stanza.get("genome")

    @property
    def is_assembly(self) -> bool:
        """Whether the hub carries the genome's sequence."""
        return "twoBitPath" in self.stanza.settings


@dataclass(eq=False)
class Hub:
    """A hub as it was read; `texts` holds the address and content of every text file."""

    stanza: Stanza
    address: str
    one_file: bool
    genomes: list[Genome]
    texts: dict[str, bytes]
    readable: bool = True
    """False where its file of genomes could not be read, or is not named, which has been said."""


class _Reading:
    """What the steps of reading a hub share."""

    def __init__(self, source: Source, findings: Findings) -> None:
        self.source, self.findings = source, findings
        self.texts: dict[str, bytes] = {}

    def load(self, address: str) -> list[Stanza | Include] | None:
        """The stanzas of a file; None with a finding where it is no text. May raise `FileFault`."""
        if address not in self.texts:
            self.texts[address] = self.source.read(address)
        return parse_stanzas(self.texts[address], self.source.shown(address), self.findings)

    def named(self, text: str, base: str, place: Place) -> tuple[str, list[Stanza | Include]] | None:
        """Address and stanzas of the file that a setting names; None, with a finding, where it cannot be had."""
        try:
            address = self.source.resolve(text, base)
            items = self.load(address)
        except FileFault as fault:
            report_fault(self.findings, fault, place)
            return None
        return None if items is None else (address, items)

    def flat(self, items: Sequence[Stanza | Include], address: str, path: tuple[str, ...]) -> Iterator[Track]:
        """The tracks of a file and of the files that it includes, in order."""
        for item in items:
            if isinstance(item, Stanza):
                yield Track(item, address)
                continue
            self.findings.add("INCLUDE-USED", item.place, "another file is included", found=item.address)
            found = self.named(item.address, address, item.place)
            if found is None:
                continue
            if found[0] in path or len(path) >= DEEPEST_INCLUDE:
                wanted = "each file once, at most 10 deep"
                self.findings.add(
                    "INCLUDE-LOOP", item.place, "the file is included again", found=found[0], wanted=wanted
                )
                continue
            yield from self.flat(found[1], found[0], (*path, found[0]))


def report_fault(findings: Findings, fault: FileFault, place: Place) -> None:
    """Make a finding of a file that cannot be had, at the place that names it."""
    findings.add(fault.rule, place, fault.what, found=fault.found, wanted=fault.wanted, remedy=fault.remedy)


def read_hub(source: Source, address: str, findings: Findings) -> Hub | None:
    """Read the hub whose first file is at `address`.

    Returns:
        None, with findings, where that file is no hub.

    Raises:
        FileFault: that file itself cannot be had.
    """
    reading = _Reading(source, findings)
    items = reading.load(address)
    if items is None:
        return None
    place = Place(source.shown(address), 1)
    if not items or not isinstance(items[0], Stanza) or items[0].first != "hub":
        first = items[0].first if items and isinstance(items[0], Stanza) else "nothing"
        findings.add(
            "HUB-FIRST", place, "the first stanza is no hub", found=first, wanted="hub NAME, as the first line"
        )
        return None
    stanza = items[0]
    one_file = stanza.get("useOneFile").lower() == "on"
    hub = Hub(stanza, address, one_file, [], reading.texts)
    if one_file:
        _read_one_file(reading, hub, items[1:])
    elif "genomesFile" in stanza.settings:
        _read_genomes(reading, hub)
    else:
        hub.readable = False
    for genome in hub.genomes:
        _read_groups(reading, genome)
    return hub


def _read_one_file(reading: _Reading, hub: Hub, items: Sequence[Stanza | Include]) -> None:
    tracks: list[Stanza | Include] = []
    for number, item in enumerate(items):
        if not isinstance(item, Stanza) or item.first != "genome":
            tracks.append(item)
            continue
        if number and not hub.genomes:
            what = "the second stanza is not the genome"
            reading.findings.add("GENOME-ORDER", item.place(), what, remedy="move the genome's stanza behind the hub's")
        if hub.genomes:
            reading.findings.add(
                "GENOME-SEVERAL",
                item.place(),
                "a second genome in the form of one file",
                found=item.get("genome"),
                remedy="write genomes.txt and a trackDb.txt for each genome",
            )
        hub.genomes.append(Genome(item, hub.address))
    if hub.genomes:
        hub.genomes[0].tracks = list(reading.flat(tracks, hub.address, (hub.address,)))


def _read_genomes(reading: _Reading, hub: Hub) -> None:
    found = reading.named(hub.stanza.get("genomesFile"), hub.address, hub.stanza.place("genomesFile"))
    if found is None:
        hub.readable = False
        return
    address, items = found
    for item in items:
        if not isinstance(item, Stanza):
            continue
        if item.first != "genome":
            what = "a stanza of the genomes file does not begin with genome"
            reading.findings.add("STANZA-FIRST", item.place(), what, found=item.first, wanted="genome NAME")
            continue
        genome = Genome(item, address)
        hub.genomes.append(genome)
        if "trackDb" in item.settings:
            tracks = reading.named(item.get("trackDb"), address, item.place("trackDb"))
            genome.readable = tracks is not None
            if tracks is not None:
                genome.tracks = list(reading.flat(tracks[1], tracks[0], (tracks[0],)))


def _read_groups(reading: _Reading, genome: Genome) -> None:
    if "groups" not in genome.stanza.settings:
        return
    found = reading.named(genome.stanza.get("groups"), genome.address, genome.stanza.place("groups"))
    if found is not None:
        genome.groups = [item for item in found[1] if isinstance(item, Stanza)]
