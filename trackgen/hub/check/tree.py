"""Rules for the tree of tracks: parents, containers, views, and the groups of subtracks."""

from __future__ import annotations

import re
import shlex

from trackgen.hub.check.findings import Findings
from trackgen.hub.check.hub_files import Genome, Track

__all__ = ["check_containers", "join_parents"]

SWITCHES = ("on", "off")
FEWEST_OVERLAID = 2
SUBGROUP = re.compile(r"subGroup[1-9]")


def join_parents(genome: Genome, findings: Findings) -> None:
    """Set every track's parent and children where the tree is sound; say where it is not."""
    by_name: dict[str, Track] = {}
    for track in genome.tracks:
        by_name.setdefault(track.name, track)
    for track in genome.tracks:
        name = track.parent_name
        if not name:
            continue
        place = track.stanza.place("parent" if "parent" in track.stanza.settings else "track")
        _check_switch(track, findings)
        if name == track.name:
            findings.add("PARENT-SELF", place, "the track is its own parent", found=name, remedy="remove the line")
        elif name not in by_name:
            what = f"the parent of {track.name} does not exist"
            findings.add("PARENT-UNKNOWN", place, what, found=name, wanted="the name of a container")
        elif by_name[name].kind == "leaf":
            what = f"the parent of {track.name} holds no tracks"
            remedy = "give the parent compositeTrack on, superTrack on, view NAME or container multiWig"
            findings.add("PARENT-NO-CONTAINER", place, what, found=name, remedy=remedy)
            # Remembered all the same, so that what it is missing is not reported a second time.
            by_name[name].children.append(track)
        else:
            track.parent = by_name[name]
    _cut_loops(genome, findings)
    for track in genome.tracks:
        if track.parent is not None:
            track.parent.children.append(track)


def _check_switch(track: Track, findings: Findings) -> None:
    words = track.stanza.get("parent").split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in SWITCHES):
        place, found = track.stanza.place("parent"), track.stanza.get("parent")
        findings.add("VALUE-CHOICE", place, "parent has a wrong value", found=found, wanted="NAME, NAME on or NAME off")


def _cut_loops(genome: Genome, findings: Findings) -> None:
    """Take the parent from each track that is its own ancestor."""
    sound = set[int]()
    for track in genome.tracks:
        path: list[Track] = []
        on_path = set[int]()
        step: Track | None = track
        while step is not None and id(step) not in sound and id(step) not in on_path:
            path.append(step)
            on_path.add(id(step))
            step = step.parent
        if step is not None and id(step) in on_path:
            ring = path[path.index(step) :]
            found = " > ".join(member.name for member in [*ring[:5], step])
            place = step.stanza.place("parent")
            findings.add("PARENT-LOOP", place, "tracks are each other's parents", found=found)
            for member in ring:
                member.parent = None
            # Not empty: each had a track in it.
            for member in ring:
                member.children.append(member)
        sound.update(id(member) for member in path)


def check_containers(genome: Genome, findings: Findings) -> None:
    """What containers hold."""
    for track in genome.tracks:
        if track.kind == "leaf":
            continue
        place = track.stanza.place("track")
        if not track.children:
            findings.add("PARENT-EMPTY", place, f"{track.name} holds no track", remedy="remove it, or give it tracks")
        elif track.kind == "multiwig":
            _check_overlay(track, findings)
        if track.kind == "view" and (track.parent is None or track.parent.kind != "composite"):
            what = f"the view {track.name} is not part of a composite"
            findings.add("VIEW-PARENT", place, what, remedy="add parent COMPOSITE")
        if track.kind == "composite":
            _check_groups(track, findings)


def _check_overlay(track: Track, findings: Findings) -> None:
    if len(track.children) < FEWEST_OVERLAID:
        place, remedy = track.stanza.place("container"), "show the one track by itself"
        found, wanted = f"{len(track.children)} track", "at least 2"
        findings.add("CONTAINER-FEW", place, "an overlay of one track", found=found, wanted=wanted, remedy=remedy)
    for child in track.children:
        if child.type and child.type != "bigWig":
            place = child.stanza.place("type")
            findings.add("CONTAINER-TYPE", place, "an overlay of other than bigWig", found=child.type, wanted="bigWig")


def _declared(track: Track, findings: Findings) -> dict[str, set[str]]:
    """The composite's groups and the members of each."""
    groups: dict[str, set[str]] = {}
    for name, (value, _) in track.stanza.settings.items():
        if not SUBGROUP.fullmatch(name):
            continue
        try:
            words = shlex.split(value.replace("'", ""))
        except ValueError:
            words = value.split()
        members = {word.partition("=")[0] for word in words[2:] if "=" in word}
        if len(words) >= 3 and members:
            if words[0] in groups:
                place = track.stanza.place(name)
                findings.add("SUBGROUP-FORM", place, "a group stands twice", found=words[0], wanted="each group once")
            groups.setdefault(words[0], set()).update(members)
    return groups


def _leaves(track: Track) -> list[Track]:
    found, waiting, seen = [], list(track.children), set[int]()
    while waiting:
        child = waiting.pop(0)
        if id(child) in seen:
            continue
        seen.add(id(child))
        if child.kind == "leaf":
            found.append(child)
        else:
            waiting.extend(child.children)
    return found


def _check_groups(composite: Track, findings: Findings) -> None:
    groups = _declared(composite, findings)
    _check_references(composite, groups, findings)
    if not groups:
        for leaf in _leaves(composite):
            if "subGroups" in leaf.stanza.settings:
                place, found = leaf.stanza.place("subGroups"), leaf.stanza.get("subGroups")
                wanted = f"subGroup1 ... in {composite.name}"
                findings.add("SUBGROUP-UNKNOWN", place, "the composite has no groups", found=found, wanted=wanted)
        return
    for leaf in _leaves(composite):
        _check_membership(leaf, groups, findings)
    for view in composite.children:
        if view.kind == "view" and view.stanza.get("view") not in groups.get("view", set()):
            place, found = view.stanza.place("view"), view.stanza.get("view")
            wanted = f"a member of the group view of {composite.name}"
            findings.add("SUBGROUP-UNKNOWN", place, "the view is not declared", found=found, wanted=wanted)


def _check_references(composite: Track, groups: dict[str, set[str]], findings: Findings) -> None:
    """sortOrder names groups, dimensions names them as values."""
    for setting, side in (("sortOrder", 0), ("dimensions", 2)):
        for word in composite.stanza.get(setting).split():
            group = word.partition("=")[side]
            if group and group not in groups and not (setting == "sortOrder" and group == "track"):
                place, wanted = (
                    composite.stanza.place(setting),
                    ", ".join(groups) or "a group of subGroup1 to subGroup9",
                )
                what = f"{setting} names a group that is not declared"
                findings.add("SUBGROUP-UNKNOWN", place, what, found=group, wanted=wanted)


def _check_membership(leaf: Track, groups: dict[str, set[str]], findings: Findings) -> None:
    place = leaf.stanza.place("subGroups" if "subGroups" in leaf.stanza.settings else "track")
    pairs = [word.partition("=") for word in leaf.inherited("subGroups").split()]
    # What is no pair has been reported as a wrong value.
    stated = {name: member for name, mark, member in pairs if mark}
    for name in groups.keys() - stated.keys():
        what = f"{leaf.name} does not say to which {name} it belongs"
        findings.add("SUBGROUP-LACKING", place, what, wanted=f"subGroups {name}=MEMBER")
    for name, member in stated.items():
        if name not in groups:
            wanted = ", ".join(sorted(groups))
            findings.add("SUBGROUP-UNKNOWN", place, "the composite has no such group", found=name, wanted=wanted)
        elif member not in groups[name]:
            wanted = ", ".join(sorted(groups[name])[:8])
            what = f"the group {name} has no such member"
            findings.add("SUBGROUP-UNKNOWN", place, what, found=member, wanted=wanted)
