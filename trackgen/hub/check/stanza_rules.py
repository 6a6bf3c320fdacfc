"""Rules for the stanzas of the hub, its genomes and its groups, and for single settings of any stanza."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping

from trackgen.hub.check.assembly_names import check_genome_name
from trackgen.hub.check.findings import Findings
from trackgen.hub.check.hub_files import Genome, Hub
from trackgen.hub.check.setting_table import (
    DEPRECATED,
    FORBIDDEN,
    GENOME_SETTINGS,
    GROUP_SETTINGS,
    HUB_SETTINGS,
    TRACK_SETTINGS,
    Setting,
    find_track_setting,
)
from trackgen.hub.check.stanzas import Stanza
from trackgen.hub.check.values import value_fault

__all__ = ["POSITION", "check_genomes", "check_hub_stanza", "check_track_settings"]

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")
POSITION = re.compile(r"([^:\s]+)(?::([\d,]{1,20})-([\d,]{1,20}))?", re.ASCII)
ASSEMBLY_KEYS = ("description", "organism", "defaultPos")
REPLACEMENTS = {"useScore": "spectrum on", "metadata": "meta or subGroups", "subTrack": "parent"}
LONGEST_EMAIL = 320
MAYBE = 0.75


def check_hub_stanza(hub: Hub, findings: Findings) -> None:
    """The settings of hub.txt's first stanza."""
    stanza = hub.stanza
    required = [name for name, row in HUB_SETTINGS.items() if row.level == "required"]
    _require(stanza, required, "HUB-KEY", "the hub", findings)
    if not hub.one_file and "genomesFile" not in stanza.settings:
        wanted = "genomesFile FILE, or useOneFile on"
        findings.add("HUB-KEY", stanza.place(), "the hub does not say where its genomes are", wanted=wanted)
    if hub.one_file and "genomesFile" in stanza.settings:
        what = "both genomesFile and useOneFile on"
        findings.add("HUB-FORM", stanza.place("genomesFile"), what, wanted="one of them", remedy="remove genomesFile")
    found = stanza.get("email")
    if found and (len(found) > LONGEST_EMAIL or not EMAIL.fullmatch(found)):
        findings.add("HUB-EMAIL", stanza.place("email"), "this is no e-mail address", found=found, wanted="NAME@HOST")
    if "descriptionUrl" not in stanza.settings:
        remedy = "write a page about the hub and add descriptionUrl FILE.html"
        findings.add("HUB-PAGE", stanza.place(), "the hub has no page about itself", remedy=remedy)
    # A stanza that swallowed others is reported as such, not setting by setting.
    if {"genome", "track"} & set(stanza.settings):
        inner = "genome" if "genome" in stanza.settings else "track"
        remedy = "put a blank line before it"
        findings.add("STANZA-JOINED", stanza.place(inner), f"a {inner} inside the hub's stanza", remedy=remedy)
        return
    _check_known(stanza, HUB_SETTINGS, findings)


def check_genomes(hub: Hub, findings: Findings) -> None:
    """The stanzas of genomes and their groups."""
    if not hub.genomes and hub.readable and "genome" not in hub.stanza.settings:
        wanted = "a stanza that begins with genome"
        findings.add("GENOME-NONE", hub.stanza.place(), "the hub has no genome", wanted=wanted)
    names = set[str]()
    for genome in hub.genomes:
        stanza = genome.stanza
        if genome.name in names:
            findings.add("GENOME-TWICE", stanza.place(), "the genome stands twice", found=genome.name)
        names.add(genome.name)
        if not hub.one_file:
            _require(stanza, ["trackDb"], "GENOME-KEY", f"the genome {genome.name}", findings)
        if "track" in stanza.settings:
            remedy = "put a blank line before it"
            findings.add("STANZA-JOINED", stanza.place("track"), "a track inside the genome's stanza", remedy=remedy)
            continue
        _check_known(stanza, GENOME_SETTINGS, findings)
        if genome.is_assembly:
            _check_assembly(genome, findings)
        check_genome_name(genome, findings)
        _check_position(stanza, findings)
        _check_groups(genome, findings)
        known = genome is hub.genomes[0] if hub.one_file else genome.readable and "trackDb" in stanza.settings
        if known and not genome.tracks:
            findings.add("TRACKS-NONE", stanza.place(), f"the genome {genome.name} has no track")


def _check_assembly(genome: Genome, findings: Findings) -> None:
    stanza = genome.stanza
    _require(stanza, ASSEMBLY_KEYS, "GENOME-KEY", f"the assembly {genome.name}", findings)
    if "chromSizes" not in stanza.settings:
        remedy = "add chromSizes FILE with a name and a length in each line"
        findings.add("GENOME-SIZES", stanza.place(), "the assembly has no chromSizes", remedy=remedy)
    if "htmlPath" not in stanza.settings:
        findings.add("GENOME-PAGE", stanza.place(), "the assembly has no page", remedy="add htmlPath FILE.html")


def _check_position(stanza: Stanza, findings: Findings) -> None:
    if "defaultPos" not in stanza.settings:
        return
    text = stanza.get("defaultPos")
    match = POSITION.fullmatch(text)
    if match and match[2]:
        start, end = (int(part.replace(",", "") or 0) for part in match.group(2, 3))
        if 1 <= start <= end:
            return
    elif match:
        return
    wanted = "SEQUENCE:FIRST-LAST, counted from 1"
    findings.add("GENOME-POSITION", stanza.place("defaultPos"), "this is no position", found=text, wanted=wanted)


def _check_groups(genome: Genome, findings: Findings) -> None:
    if genome.groups is None:
        return
    for group in genome.groups:
        if group.first != "name":
            what = "a stanza of the groups does not begin with name"
            findings.add("STANZA-FIRST", group.place(), what, found=group.first, wanted="name GROUP")
            continue
        _require(group, ["label"], "GROUP-KEY", f"the group {group.get('name')}", findings)
        _check_known(group, GROUP_SETTINGS, findings)
    names = {group.get("name") for group in genome.groups}
    for track in genome.tracks:
        group_name = track.stanza.get("group")
        if group_name and group_name not in names:
            findings.add(
                "GROUP-UNKNOWN",
                track.stanza.place("group"),
                "the genome has no such group",
                found=group_name,
                wanted=", ".join(sorted(names)) or "a group of the groups file",
            )


def _require(stanza: Stanza, names: Iterable[str], rule: str, owner: str, findings: Findings) -> None:
    for name in names:
        if not stanza.get(name) and not stanza.settings.get(name):
            findings.add(rule, stanza.place(), f"{owner} has no {name}", remedy=f"add a line {name} ...")


def _check_known(stanza: Stanza, table: Mapping[str, Setting], findings: Findings) -> None:
    for name, (value, _) in stanza.settings.items():
        row = table.get(name) or table.get(name.partition(".")[0] + ".")
        if row is None:
            remedy = _guess(name, table) or "remove it"
            findings.add("SETTING-IGNORED", stanza.place(name), f"{name} is not known here", remedy=remedy)
        elif value and row.rule not in ("text", "address", "name"):
            _check_value(stanza, name, row, findings)


def check_track_settings(stanza: Stanza, findings: Findings) -> None:
    """Names and values of a track's settings."""
    for name, (value, _) in stanza.settings.items():
        row = find_track_setting(name)
        if row is None:
            remedy = _guess(name, TRACK_SETTINGS) or "remove it"
            findings.add("SETTING-UNKNOWN", stanza.place(name), f"{name} is no setting of a track", remedy=remedy)
        elif row.level == DEPRECATED:
            remedy = f"use {REPLACEMENTS[name]}" if name in REPLACEMENTS else "remove it"
            findings.add("SETTING-DEPRECATED", stanza.place(name), f"{name} is retired", remedy=remedy)
        elif row.level == FORBIDDEN:
            what = f"{name} is not allowed in hubs"
            findings.add("SETTING-FORBIDDEN", stanza.place(name), what, remedy="remove it")
        elif value:
            _check_value(stanza, name, row, findings)


def _check_value(stanza: Stanza, name: str, row: Setting, findings: Findings) -> None:
    fault = value_fault(row.rule, stanza.get(name))
    if fault is not None:
        what = f"{name} has a wrong value"
        findings.add(fault.rule, stanza.place(name), what, found=stanza.get(name), wanted=fault.wanted)


def _guess(name: str, table: Mapping[str, Setting]) -> str:
    """Did you mean ...: a name that differs in case or a little."""
    return _nearest(name[:60], tuple(table))


@functools.lru_cache(maxsize=4096)
def _nearest(name: str, names: tuple[str, ...]) -> str:
    # Kept, since a fault of a program that writes hubs is in each of its tracks.
    for known in names:
        if known.lower() == name.lower():
            return f"write {known}: case counts"
    close = difflib.get_close_matches(name, [known for known in names if known[-1] != "."], n=1, cutoff=MAYBE)
    return f"did you mean {close[0]}?" if close else ""
