"""A hub's tracks in the configuration of somebody's own JBrowse, beside what is there already.

What the hub put there before is known by its mark and makes room for the new; everything else stays as it is, in its
order. Nothing is written unless all of it fits.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trackgen.errors import DataError, ResourceError, UsageError
from trackgen.hub.jbrowse import PLUGIN_FILE, PLUGIN_NAME, JBrowseParts, jbrowse_parts
from trackgen.hub.model import Hub

__all__ = ["Merged", "merge_into"]

Entry = dict[str, Any]


@dataclass(frozen=True)
class Merged:
    """Tracks that were added, replaced, and removed because the hub no longer has them; `changed`: the file is new."""

    added: int
    replaced: int
    removed: int
    changed: bool


def merge_into(path: Path, hub: Hub, folder: Path) -> Merged:
    """Put assemblies, plugin and tracks of `hub` into the JBrowse configuration `path`; doing it twice is as once.

    An assembly that is there by name or by alias stays, and the tracks go to it. Addresses are relative to the
    configuration, or absolute where the hub's public address is known.

    Args:
        folder: where the hub lies, as seen from this machine.

    Raises:
        DataError: the configuration is missing, is no JSON, or is no configuration of JBrowse.
        UsageError: another plugin or track there has the name of one of the hub's.
        ResourceError: the file cannot be written.
    """
    path = path.resolve()
    text, config = _read(path)
    base = hub.base_url or _address(folder, path.parent)
    parts = jbrowse_parts(hub, base)
    names = _put_assemblies(config, parts, path)
    _put_plugin(config, parts.plugin, path)
    counts = _put_tracks(config, hub, [_renamed(track, names) for track in parts.tracks], path)
    if parts.searches:
        searches = [_renamed(search, names) for search in parts.searches]
        _put(
            _list(config, "aggregateTextSearchAdapters", path), searches, lambda entry: entry.get("textSearchAdapterId")
        )
    new = json.dumps(config, indent=_indent(text), ensure_ascii=False) + "\n"
    changed = json.loads(text) != config
    if changed:
        _write(path, new)
    return Merged(*counts, changed=changed)


def _read(path: Path) -> tuple[str, Entry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        config = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError("the file is no JSON", path=path, place=place, found=error.msg) from error
    except (OSError, ValueError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        remedy = "give the config.json of your JBrowse"
        raise DataError("JBrowse's configuration cannot be read", path=path, found=found, remedy=remedy) from error
    if not isinstance(config, dict):
        wanted = "an object with assemblies and tracks"
        raise DataError("this is no configuration of JBrowse", path=path, found=type(config).__name__, wanted=wanted)
    return text, config


def _without_repeats(pairs: list[tuple[str, Any]]) -> Entry:
    """An object's entries; one of two with the same key would be lost without a word."""
    entries: Entry = {}
    for key, value in pairs:
        if key in entries:
            raise ValueError(f"the key {key!r} stands twice in one object")
        entries[key] = value
    return entries


def _list(config: Entry, key: str, path: Path) -> list[Entry]:
    """The list of objects at `key`, which is made where it is missing."""
    value = config.setdefault(key, [])
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise DataError("this is no configuration of JBrowse", path=path, place=key, wanted="a list of objects")
    return value


def _put_assemblies(config: Entry, parts: JBrowseParts, path: Path) -> dict[str, str]:
    """The name in `config` of each assembly of the hub, which is added or, where it came from a hub, renewed."""
    present = _list(config, "assemblies", path)
    names = {}
    for assembly in parts.assemblies:
        name = assembly["name"]
        index = next((index for index, entry in enumerate(present) if name in _names(entry)), None)
        if index is None:
            present.append(assembly)
        elif _sequence_track(present[index]) == _sequence_track(assembly):
            present[index] = assembly
        names[name] = name if index is None else str(present[index].get("name"))
    return names


def _names(assembly: Entry) -> list[Any]:
    aliases = assembly.get("aliases")
    return [assembly.get("name"), *(aliases if isinstance(aliases, list) else [])]


def _sequence_track(assembly: Entry) -> Any:
    sequence = assembly.get("sequence")
    return sequence.get("trackId") if isinstance(sequence, dict) else None


def _put_plugin(config: Entry, plugin: Entry, path: Path) -> None:
    present = _list(config, "plugins", path)
    for entry in present:
        if entry.get("name") == PLUGIN_NAME and PLUGIN_FILE not in json.dumps(entry):
            raise UsageError(
                f"JBrowse has another plugin called {PLUGIN_NAME}",
                path=path,
                place="plugins",
                found=json.dumps(entry),
                wanted=f"one whose file is {PLUGIN_FILE}",
                remedy="remove that entry, if you do not need it",
            )
    _put(present, [plugin], lambda entry: entry.get("name"))


def _put_tracks(config: Entry, hub: Hub, tracks: list[Entry], path: Path) -> tuple[int, int, int]:
    """Counts of tracks added, replaced and removed."""
    present = _list(config, "tracks", path)
    new = {track["trackId"] for track in tracks}
    assemblies = {name for track in tracks for name in track["assemblyNames"]}
    ours = [_is_of(entry, hub, assemblies) for entry in present]
    for entry, own in zip(present, ours, strict=True):
        if entry.get("trackId") in new and not own:
            raise UsageError(
                "JBrowse has another track of this name",
                path=path,
                place="tracks",
                found=entry.get("trackId"),
                remedy="give it another trackId; if it is of the same model on another genome, build one hub of both",
            )
    kept = [entry for entry, own in zip(present, ours, strict=True) if not own or entry.get("trackId") in new]
    removed = len(present) - len(kept)
    present[:] = kept
    replaced = _put(present, tracks, lambda entry: entry.get("trackId"))
    return len(tracks) - replaced, replaced, removed


def _is_of(track: Entry, hub: Hub, assemblies: set[str]) -> bool:
    """Whether `hub` put the track there, on one of `assemblies`; on another it may be of another hub of that name."""
    metadata, names = track.get("metadata"), track.get("assemblyNames")
    if not isinstance(metadata, dict) or not isinstance(names, list):
        return False
    return metadata.get("hub") == hub.name and any(name in assemblies for name in names)


def _put(present: list[Entry], entries: Iterable[Entry], key: Callable[[Entry], Any]) -> int:
    """Each of `entries` in the place of the one with its key, else at the end; the number of those replaced."""
    replaced = 0
    for entry in entries:
        indices = [index for index, other in enumerate(present) if key(other) == key(entry)]
        if indices:
            present[indices[0]] = entry
            replaced += 1
        else:
            present.append(entry)
    return replaced


def _renamed(entry: Entry, names: dict[str, str]) -> Entry:
    return entry | {"assemblyNames": [names[name] for name in entry["assemblyNames"]]}


def _address(folder: Path, start: Path) -> str:
    """The relative address of `folder` for a page in `start`: empty where both are the same."""
    relative = Path(os.path.relpath(folder.resolve(), start)).as_posix()
    return "" if relative == "." else f"{quote(relative)}/"


def _indent(text: str) -> int | str | None:
    """What the lines of the file are indented with; None for a file of one line."""
    found = re.search(r"^([ \t]+)\S", text, flags=re.MULTILINE)
    return found.group(1) if found else (2 if "\n" in text.strip() or len(text) < 5 else None)


def _write(path: Path, text: str) -> None:
    """The file whole or not at all, with the permissions it had."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
        shutil.copymode(path, temporary)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise ResourceError("JBrowse's configuration could not be written", path=path, found=error.strerror) from error
