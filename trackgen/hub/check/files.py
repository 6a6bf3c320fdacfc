"""Rules for the files that a hub names: that each address is one, leads somewhere, and holds what it should."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from trackgen.genome.names import label
from trackgen.hub.check.assembly_names import check_own_sequence, chromosomes_of, foreign_names, listed
from trackgen.hub.check.binary import Bbi, read_bbi, read_two_bit
from trackgen.hub.check.findings import Findings, Place
from trackgen.hub.check.hub_files import Genome, Hub, Track, report_fault
from trackgen.hub.check.setting_table import GENOME_SETTINGS, HUB_SETTINGS, find_track_setting
from trackgen.hub.check.sources import FileFault, Source
from trackgen.hub.check.stanza_rules import POSITION
from trackgen.hub.check.stanzas import Stanza
from trackgen.hub.check.track_rules import BIGBED_TYPES, INDEXED_TYPES
from trackgen.hub.check.values import numbers
from trackgen.hub.check.web import origin_of

__all__ = ["DataFile", "check_files"]

READ_AT_ONCE = 8
SEQUENCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TEXT_SETTINGS = {"genomesFile", "trackDb", "groups"}
"""Read as text before; what is wrong with them has been said."""
PAGE_SETTINGS = {"html", "htmlPath", "descriptionUrl"}
DATA_SETTINGS = {"bigDataUrl", "twoBitPath", "chromSizes"}
MAGIC_OF_TYPE = {"bam": (b"\x1f\x8b",), "vcfTabix": (b"\x1f\x8b",), "vcfPhasedTrio": (b"\x1f\x8b",), "hic": (b"HIC",)}
# A signal lower than this part of the axis is a flat line.
LEAST_PART_OF_AXIS = 0.01


@dataclass(frozen=True)
class DataFile:
    """A data file that was found: its address and the place that names it."""

    address: str
    place: Place
    kind: str


@dataclass
class _Job:
    """Everything that the checks of one hub's files share."""

    source: Source
    findings: Findings
    on_https: bool
    """The hub itself came by https."""
    on_web: bool
    found: list[DataFile]

    def resolve(self, text: str, base: str, place: Place, *, data: bool = True) -> str | None:
        try:
            address = self.source.resolve(text, base)
        except FileFault as fault:
            report_fault(self.findings, fault, place)
            return None
        # A folder may be published by https; then the data that it names by http are lost. Pages are opened by people.
        if data and address.startswith("http://") and (self.on_https or not self.on_web):
            remedy = "publish it by https, beside the hub"
            self.findings.add("ADDRESS-HTTP", place, "an address by http", found=address, remedy=remedy)
        return address

    def attempt(self, place: Place, address: str | None, step: Callable[[str], None]) -> bool:
        """Run `step` on a file, if it has an address; its fault becomes a finding at `place`.

        Returns:
            Whether the file is there, be it that its server gives it whole alone.
        """
        if address is None:
            return False
        try:
            step(address)
        except FileFault as fault:
            # What is wrong with a server is said once, not for each of its files.
            at_fault = Place(origin_of(address)) if fault.rule.startswith("SERVER-") else place
            report_fault(self.findings, fault, at_fault)
            return fault.rule == "SERVER-RANGES"
        return True


def check_files(hub: Hub, source: Source, findings: Findings) -> list[DataFile]:
    """Every file that the hub names, and what is inside its data.

    Returns:
        The data files that could be opened.
    """
    scheme = urlsplit(hub.address).scheme
    job = _Job(source, findings, scheme == "https", bool(scheme), [])
    _check_named(job, hub.stanza, hub.address, HUB_SETTINGS)
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        # A disk answers at once; many requests to a server are worth threads.
        each = pool.map if job.on_web else map
        for genome in hub.genomes:
            _check_named(job, genome.stanza, genome.address, GENOME_SETTINGS)
            lengths = _genome_lengths(job, genome)

            def check(track: Track, genome: Genome = genome, lengths: Mapping[str, int | None] = lengths) -> None:
                _check_track(job, genome, track, lengths)

            # Consuming the results passes errors on.
            list(each(check, genome.tracks))
    return job.found


def _check_named(job: _Job, stanza: Stanza, base: str, table: Mapping[str, object]) -> None:
    """The files of a hub's or genome's stanza that are neither text of the hub nor data."""
    for name in stanza.settings:
        row = table.get(name)
        if row is not None and getattr(row, "rule", "") == "address" and name not in TEXT_SETTINGS | DATA_SETTINGS:
            _check_present(job, stanza, name, base)


def _check_present(job: _Job, stanza: Stanza, name: str, base: str) -> None:
    value = next(iter(stanza.get(name).split()), "")
    if not value:
        return
    is_page = name in PAGE_SETTINGS
    address = job.resolve(value, base, stanza.place(name), data=not is_page)
    if is_page and address is not None and not address.endswith((".html", ".htm")):
        try:
            # UCSC adds the ending where it is left out.
            job.source.require(f"{address}.html")
        except FileFault:
            pass
        else:
            return
    job.attempt(stanza.place(name), address, job.source.require)


def _genome_lengths(job: _Job, genome: Genome) -> dict[str, int | None]:
    """Name -> bp of the genome's sequences, empty where nothing tells; None for lengths that were not read."""
    stanza = genome.stanza
    two_bit: dict[str, int | None] = {}
    sizes: dict[str, int | None] = {}
    if stanza.get("twoBitPath"):
        place = stanza.place("twoBitPath")
        address = job.resolve(stanza.get("twoBitPath"), genome.address, place)
        if job.attempt(place, address, lambda address: two_bit.update(read_two_bit(job.source.open(address)))):
            job.found.append(DataFile(str(address), place, "2bit"))
    if stanza.get("chromSizes"):
        place = stanza.place("chromSizes")
        address = job.resolve(stanza.get("chromSizes"), genome.address, place)
        job.attempt(place, address, lambda address: sizes.update(_read_sizes(job, address)))
    if two_bit and sizes:
        _compare_names(job, two_bit, sizes, stanza.place("chromSizes"))
    lengths = two_bit or sizes
    bad = [name for name in lengths if not SEQUENCE_NAME.fullmatch(name)]
    if bad:
        place = stanza.place("twoBitPath" if two_bit else "chromSizes")
        wanted = "letters, digits, ., _ and -"
        job.findings.add("GENOME-SEQUENCE", place, "a sequence has an unfit name", found=listed(bad), wanted=wanted)
    _check_default_position(job, stanza, lengths)
    check_own_sequence(genome, lengths, job.findings)
    return lengths


def _read_sizes(job: _Job, address: str) -> dict[str, int | None]:
    sizes: dict[str, int | None] = {}
    text = job.source.read(address).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 2 or not re.fullmatch(r"\d{1,12}", words[1]):
            place = Place(job.source.shown(address), number)
            job.findings.add("SIZES-FORM", place, "the line is malformed", found=line, wanted="NAME, a tab, LENGTH")
            return {}
        sizes[words[0]] = int(words[1])
    return sizes


def _compare_names(job: _Job, two_bit: dict[str, int | None], sizes: dict[str, int | None], place: Place) -> None:
    parts = []
    if two_bit.keys() - sizes.keys():
        parts.append(f"{listed(sorted(two_bit.keys() - sizes.keys()))} in the 2bit file alone")
    if sizes.keys() - two_bit.keys():
        parts.append(f"{listed(sorted(sizes.keys() - two_bit.keys()))} in chromSizes alone")
    for name in sorted(two_bit.keys() & sizes.keys()):
        if two_bit[name] is not None and two_bit[name] != sizes[name]:
            parts.append(f"{name} of {two_bit[name]:,} bp in the 2bit file, of {sizes[name]:,} in chromSizes")
            break
    if parts:
        what, remedy = "chromSizes and the 2bit file differ", "make chromSizes from the 2bit file"
        job.findings.add("GENOME-NAMES", place, what, found="; ".join(parts), remedy=remedy)


def _check_default_position(job: _Job, stanza: Stanza, lengths: Mapping[str, int | None]) -> None:
    match = POSITION.fullmatch(stanza.get("defaultPos"))
    if not lengths or match is None:
        return
    place = stanza.place("defaultPos")
    length = lengths.get(match[1], 0)
    if match[1] not in lengths:
        what, wanted = "the position is on a sequence that the genome does not have", listed(list(lengths))
        job.findings.add("GENOME-POSITION", place, what, found=match[1], wanted=wanted)
    elif match[3] and length is not None and int(match[3].replace(",", "") or 0) > length:
        what, wanted = "the position ends behind its sequence", f"at most {length:,}"
        job.findings.add("GENOME-POSITION", place, what, found=match[3], wanted=wanted)


def _check_track(job: _Job, genome: Genome, track: Track, lengths: Mapping[str, int | None]) -> None:
    stanza = track.stanza
    for name in stanza.settings:
        row = find_track_setting(name)
        if (row is not None and row.rule == "address" and name != "bigDataUrl") or name == "html":
            _check_present(job, stanza, name, track.address)
    if track.kind != "leaf" or not stanza.get("bigDataUrl"):
        return
    place = stanza.place("bigDataUrl")
    address = job.resolve(stanza.get("bigDataUrl"), track.address, place)
    kind = "bigWig" if track.type == "bigWig" else "bigBed" if track.type in BIGBED_TYPES else ""
    if job.attempt(place, address, lambda address: _check_data(job, genome, track, lengths, address, kind)):
        job.found.append(DataFile(str(address), place, kind or track.type))


def _check_data(
    job: _Job, genome: Genome, track: Track, lengths: Mapping[str, int | None], address: str, kind: str
) -> None:
    place = track.stanza.place("bigDataUrl")
    file = job.source.open(address)
    if not kind:
        wanted = MAGIC_OF_TYPE.get(track.type)
        head = file.read(0, 4)
        if wanted and not head.startswith(wanted):
            found = f"bytes {head.hex(' ')}" if head else "an empty file"
            what, remedy = f"the file is no {track.type}", "give the file of the type that the track names"
            raise FileFault("DATA-MAGIC", what, found=found, wanted=f"bytes {wanted[0].hex(' ')}", remedy=remedy)
        _check_index(job, track, address)
        return
    head_of_file = read_bbi(file, kind)
    if kind == "bigWig" and not head_of_file.zooms and head_of_file.covered != 0:
        remedy = "write it again with zoom levels"
        job.findings.add("DATA-ZOOMS", place, "the file has no zoom level", found=address, remedy=remedy)
    if head_of_file.covered == 0:
        job.findings.add("DATA-EMPTY", place, "the file holds no value", found=address)
    if kind == "bigBed":
        _check_fields(job, track, head_of_file)
    _check_sequences(job, genome, head_of_file, lengths, place)
    if kind == "bigWig" and head_of_file.covered:
        _check_range(job, track, head_of_file)


def _check_index(job: _Job, track: Track, address: str) -> None:
    endings = INDEXED_TYPES.get(track.type)
    if endings is None or "bigDataIndex" in track.stanza.settings:
        return
    stem = address.rpartition(".")[0]
    candidates = [address + ending for ending in endings] + [stem + ending for ending in endings]
    for candidate in candidates:
        try:
            job.source.require(candidate)
        except FileFault:
            continue
        return
    what = "the file's index is not there"
    wanted = job.source.shown(candidates[0])
    raise FileFault("FILE-INDEX", what, wanted=wanted, remedy="make it with samtools index or tabix")


def _check_fields(job: _Job, track: Track, head: Bbi) -> None:
    words = track.inherited("type").split()
    if words[0] == "bigBed" and len(words) > 1 and words[1].isdecimal() and head.fields < int(words[1][:3]):
        place = track.stanza.place("type" if "type" in track.stanza.settings else "bigDataUrl")
        found = f"{head.fields} fields"
        job.findings.add("DATA-FIELDS", place, "the bigBed has fewer fields", found=found, wanted=" ".join(words))


def _check_sequences(job: _Job, genome: Genome, head: Bbi, lengths: Mapping[str, int | None], place: Place) -> None:
    """The names and lengths of the data against the genome's."""
    if lengths:
        unknown = [name for name in head.lengths if name not in lengths]
        if unknown and not {"chromAlias", "chromAliasBb"} & set(genome.stanza.settings):
            found, wanted = listed(unknown), f"names such as {listed(list(lengths), 3)}"
            what = "the data are on sequences that the genome does not have"
            remedy = _name_remedy(unknown, lengths)
            job.findings.add("DATA-NAMES", place, what, found=found, wanted=wanted, remedy=remedy)
    else:
        lengths = chromosomes_of(genome.name)
    for name, length in head.lengths.items():
        known = lengths.get(name)
        if known is not None and known != length:
            what = f"{name} has another length in the data than in {genome.name}"
            remedy = "the data are of another assembly, or of another version of it"
            job.findings.add("DATA-LENGTHS", place, what, found=f"{length:,}", wanted=f"{known:,}", remedy=remedy)
            return
    if not genome.is_assembly:
        _check_aliases(job, genome, head, place)


def _check_aliases(job: _Job, genome: Genome, head: Bbi, place: Place) -> None:
    """Names of chromosomes that UCSC's assembly does not use."""
    chromosomes = chromosomes_of(genome.name)
    if not chromosomes:
        return
    none_known = not chromosomes.keys() & head.lengths.keys()
    foreign = list(head.lengths) if none_known else foreign_names(head.lengths, chromosomes)
    if foreign:
        found, wanted = listed(foreign), f"names such as {listed(list(chromosomes), 3)}"
        what = f"the data name sequences otherwise than {genome.name} does"
        remedy = "rename them, or rely on browsers that know other names"
        job.findings.add("DATA-ALIAS", place, what, found=found, wanted=wanted, remedy=remedy)


def _name_remedy(unknown: list[str], lengths: Mapping[str, object]) -> str:
    """What to do about names that mean the same in another style."""
    meanings = {label(name): name for name in lengths}
    same = [(name, meanings[label(name)]) for name in unknown if label(name) in meanings]
    if same:
        return f"rename the data's sequences ({same[0][0]} is {same[0][1]}), or give the genome a chromAliasBb"
    return "the data are of another genome"


def _check_range(job: _Job, track: Track, head: Bbi) -> None:
    """Where fixed limits leave nothing, or only a flat line, to see."""
    text, mark, name = track.inherited("viewLimits"), ":", "viewLimits"
    if not text and "type" in track.stanza.settings:
        text, mark, name = " ".join(track.stanza.get("type").split()[1:]), " ", "type"
    limits = numbers(text, mark) if text else None
    if limits is None or len(limits) != 2 or limits[0] >= limits[1]:
        return
    if track.inherited("autoScale").lower() in ("on", "group") or not math.isfinite(head.mean):
        return
    low, high = limits
    reach = max(abs(head.least), abs(head.largest))
    if head.largest <= low or head.least >= high or head.mean > high or head.mean < low:
        what = "the data lie outside the limits"
    elif reach < LEAST_PART_OF_AXIS * max(abs(low), abs(high)):
        what = "the data are a flat line between these limits"
    else:
        return
    found = f"values from {head.least:.6g} to {head.largest:.6g}, on average {head.mean:.6g}"
    place = track.stanza.place(name if name in track.stanza.settings else "bigDataUrl")
    remedy = "choose limits within the data, or autoScale on"
    job.findings.add(
        "DATA-RANGE", place, what, found=found, wanted=f"values between {low:g} and {high:g}", remedy=remedy
    )
