"""A hub's tracks in the configuration of somebody's own JBrowse, beside what is there already.

What the hub put there before is known by the place that its addresses lead to, and makes room for the new; everything
else stays as it is, in its order. Nothing is written unless all of it fits.
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

__all__ = ["Merged", "check_into", "merge_into"]

Entry = dict[str, Any]

PLACE = "hubAddress"
"""The key in a track's metadata: where the hub lies that put the track there."""
IDENTIFIERS = {"assemblies": "name", "plugins": "name", "tracks": "trackId"} | {
    "aggregateTextSearchAdapters": "textSearchAdapterId"
}
NOUNS = {"tracks": "track", "aggregateTextSearchAdapters": "text search"}
LONGEST = 60
"""Characters of a value in a message."""
NO_CONFIGURATION = "this is no configuration of JBrowse"


@dataclass(frozen=True)
class Merged:
    """Tracks that were added, replaced, and removed because the hub no longer has them; `changed`: the file is new."""

    added: int
    replaced: int
    removed: int
    changed: bool


def check_into(path: Path, hub: Hub, folder: Path) -> None:
    """Whether `merge_into` would succeed, as far as can be known before the hub's folder is there.

    Raises:
        DataError, UsageError: see `merge_into`.
    """
    _merged(path, hub, folder)


def merge_into(path: Path, hub: Hub, folder: Path) -> Merged:
    """Put assemblies, plugin and tracks of `hub` into the JBrowse configuration `path`; doing it twice is as once.

    An assembly that is there by name or by alias stays, and the tracks go to it. Addresses are relative to the
    configuration, or absolute where the hub's public address is known. Tracks whose mark names this place are of the
    hub that lay there before: they are replaced, or removed where the hub no longer has them.

    Args:
        path: the configuration, or a link to it; addresses lead from the folder that it is given in.
        folder: where the hub lies, as seen from this machine.

    Raises:
        DataError: the configuration is missing, is no JSON, is no configuration of JBrowse, or could not be written
            again as it is.
        UsageError: another plugin, track or text search there has the name of one of the hub's.
        ResourceError: the file cannot be written.
    """
    merged, text = _merged(path, hub, folder)
    if merged.changed:
        _write(path.resolve(), text)
    return merged


def _merged(path: Path, hub: Hub, folder: Path) -> tuple[Merged, str]:
    """What was done, and the text of the new configuration."""
    text, config = _read(path)
    before = json.loads(text)
    relative = _address(folder, path.parent)
    base = hub.base_url or relative
    # Built before without its public address, the hub is the same one.
    places = {base, relative}
    parts = jbrowse_parts(hub, base)
    names = _put_assemblies(config, parts, places)
    _put_plugin(config, parts.plugin, path)
    tracks = [_renamed(track, names) for track in parts.tracks]
    counts = _put_own(
        config, "tracks", [_marked(track, base) for track in tracks], lambda entry: _place(entry) in places, path
    )
    searches = [_renamed(search, names) for search in parts.searches]
    _put_own(config, "aggregateTextSearchAdapters", searches, lambda entry: _searches_in(entry, places), path)
    return Merged(*counts, changed=before != config), _text(config, text, path)


def _read(path: Path) -> tuple[str, Entry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        config = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError("the file is no JSON", path=path, place=place, found=error.msg) from error
    except (OSError, ValueError, RecursionError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        remedy = "give the config.json of your JBrowse"
        raise DataError("JBrowse's configuration cannot be read", path=path, found=found, remedy=remedy) from error
    if not isinstance(config, dict):
        wanted = "an object with assemblies and tracks"
        raise DataError(NO_CONFIGURATION, path=path, found=type(config).__name__, wanted=wanted)
    _text(config, text, path)
    _check(config, path)
    return text, config


def _without_repeats(pairs: list[tuple[str, Any]]) -> Entry:
    """An object's entries; one of two with the same key would be lost without a word."""
    entries: Entry = {}
    for key, value in pairs:
        if key in entries:
            raise ValueError(f"the key {key!r} stands twice in one object")
        entries[key] = value
    return entries


def _check(config: Entry, path: Path) -> None:
    """All that is looked at below has the types that JBrowse wants."""
    for key, identifier in IDENTIFIERS.items():
        entries = config.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DataError(NO_CONFIGURATION, path=path, place=key, wanted="a list of objects")
        for number, entry in enumerate(entries):
            wanted = ""
            if not isinstance(entry.get(identifier, ""), str):
                wanted, wrong = "a string", identifier
            elif key == "tracks" and not _is_texts(entry.get("assemblyNames", [])):
                wanted, wrong = "a list of strings", "assemblyNames"
            if wanted:
                place, found = f"{key}[{number}].{wrong}", json.dumps(entry[wrong])[:LONGEST]
                raise DataError(NO_CONFIGURATION, path=path, place=place, found=found, wanted=wanted)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _text(config: Entry, old: str, path: Path) -> str:
    """The text of `config`, laid out as `old`, the one that was read."""
    problem = "JBrowse's configuration cannot be written again as it is"
    try:
        text = json.dumps(config, indent=_indent(old), ensure_ascii=False, allow_nan=False) + "\n"
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        wanted = "the second half, too, or none"
        raise DataError(problem, path=path, found="half of a surrogate pair", wanted=wanted) from error
    except ValueError as error:
        found, wanted = "NaN or an infinite number", "numbers of JSON, below 1.8e308"
        raise DataError(problem, path=path, found=found, wanted=wanted) from error
    except RecursionError as error:
        raise DataError(problem, path=path, found="lists or objects nested too deep") from error
    return text


def _put_assemblies(config: Entry, parts: JBrowseParts, places: set[str]) -> dict[str, str]:
    """The name in `config` of each assembly of the hub, which is added or, where it is this hub's, renewed."""
    present = config.setdefault("assemblies", [])
    names: dict[str, str] = {}
    for assembly in parts.assemblies:
        name = assembly["name"]
        index = next((index for index, entry in enumerate(present) if name in _names(entry)), None)
        if index is None:
            present.append(assembly)
        elif _sequence_track(present[index]) == _sequence_track(assembly) and _sequence_in(present[index], places):
            present[index] = assembly
        names[name] = name if index is None else present[index].get("name", name)
    return names


def _names(assembly: Entry) -> list[Any]:
    aliases = assembly.get("aliases")
    return [assembly.get("name"), *(aliases if isinstance(aliases, list) else [])]


def _sequence_track(assembly: Entry) -> Any:
    sequence = assembly.get("sequence")
    return sequence.get("trackId") if isinstance(sequence, dict) else None


def _sequence_in(assembly: Entry, places: set[str]) -> bool:
    """Whether the assembly's sequence is a file of a hub at one of `places`."""
    adapter = assembly["sequence"].get("adapter")
    location = adapter.get("twoBitLocation") if isinstance(adapter, dict) else None
    address = location.get("uri") if isinstance(location, dict) else None
    return isinstance(address, str) and any(
        address.startswith(place) and "/" not in address.removeprefix(place) for place in places
    )


def _put_plugin(config: Entry, plugin: Entry, path: Path) -> None:
    present = config.setdefault("plugins", [])
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
    _put(present, [plugin], "name")


def _put_own(
    config: Entry, key: str, entries: list[Entry], is_own: Callable[[Entry], bool], path: Path
) -> tuple[int, int, int]:
    """Counts of entries added, replaced and removed in the list at `key`; those that `is_own` knows make room."""
    if not entries and key not in config:
        return 0, 0, 0
    identifier = IDENTIFIERS[key]
    present = config.setdefault(key, [])
    new = {entry[identifier] for entry in entries}
    for entry in present:
        name = entry.get(identifier, "")
        if name in new and not is_own(entry):
            remedy = f"give that one another {identifier}, or remove it; if it is of another hub, build one hub of both"
            raise UsageError(
                f"JBrowse has another {NOUNS[key]} of this name",
                path=path,
                place=key,
                found=name,
                remedy=f"{remedy}, or this one without --genes" if name.startswith("genes") else remedy,
            )
    kept = [entry for entry in present if entry.get(identifier) in new or not is_own(entry)]
    removed = len(present) - len(kept)
    present[:] = kept
    replaced = _put(present, entries, identifier)
    return len(entries) - replaced, replaced, removed


def _marked(track: Entry, base: str) -> Entry:
    return track | {"metadata": track["metadata"] | {PLACE: base}}


def _place(track: Entry) -> str | None:
    """Where the hub lies that put the track there, as seen from the configuration; None for a track of no hub."""
    metadata = track.get("metadata")
    if not isinstance(metadata, dict) or "hub" not in metadata:
        return None
    # The hub's own configuration lies in its folder.
    place = metadata.get(PLACE, "")
    return place if isinstance(place, str) else None


def _searches_in(entry: Entry, places: set[str]) -> bool:
    """Whether a text search is of the genes of a hub at one of `places`; JBrowse keeps no mark in such an entry."""
    location = entry.get("ixFilePath")
    address = location.get("uri") if isinstance(location, dict) else None
    return isinstance(address, str) and any(
        address.startswith(place) and re.fullmatch(r"genes(\.[^/]+)?\.ix", address.removeprefix(place))
        for place in places
    )


def _put(present: list[Entry], entries: Iterable[Entry], identifier: str) -> int:
    """Each of `entries` in the place of the one with its identifier, else at the end; the number of those replaced."""
    replaced = 0
    for entry in entries:
        indices = [index for index, other in enumerate(present) if other.get(identifier) == entry[identifier]]
        if indices:
            present[indices[0]] = entry
            replaced += 1
        else:
            present.append(entry)
    return replaced


def _renamed(entry: Entry, names: dict[str, str]) -> Entry:
    return entry | {"assemblyNames": [names[name] for name in entry["assemblyNames"]]}


def _address(folder: Path, start: Path) -> str:
    """The relative address of `folder` for a page in `start`: empty where both are the same.

    A web server shows a folder's links as if they were there. So links are followed only where that shortens the way:
    where both paths are given by different names of one folder.
    """
    lexical = os.path.relpath(folder, start)
    followed = os.path.relpath(folder.parent.resolve() / folder.name, start.resolve())
    relative = min(lexical, followed, key=lambda way: Path(way).parts.count(".."))
    return "" if relative == "." else f"{quote(Path(relative).as_posix())}/"


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
