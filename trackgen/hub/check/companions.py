"""Rules for the files beside hub.txt that other browsers read.

Known by their names: ``igv.json`` and ``igv.*.json`` (igv.js), ``config.json`` and ``config.*.json`` (JBrowse),
``igv.xml`` and ``igv.*.xml`` (IGV Desktop), ``washu.json`` and ``washu.*.json``, ``tracks.ini`` and ``tracks.*.ini``
(pyGenomeTracks), and ``trackgen.json``, the list of a hub's files.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from html.parser import HTMLParser
from typing import Any

from trackgen.hub.check.findings import Findings, Place
from trackgen.hub.check.hub_files import Hub, report_fault
from trackgen.hub.check.published import WEB, Published
from trackgen.hub.check.sources import FileFault, FolderSource, Source

__all__ = ["check_companions", "check_pages"]

MOST_BYTES = 32 << 20
MOST_PAGES = 5000
MOST_PAGE_BYTES = 4 << 20
"""Of each, from its start."""
SCHEME_OR_ROOT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/")
NO_FILES = ("data:", "blob:", "#")
OPTIONAL = ("igv.json", "igv.xml", "config.json", "washu.json", "tracks.ini", "trackgen.json")
"""Asked for on a server, where a folder cannot be listed."""


def check_companions(hub: Hub, source: Source, published: Published, findings: Findings) -> None:
    """Every file that a browser's configuration names is there; `published` collects absolute addresses."""
    for name, address in _present(hub, source):
        reader = next(reader for pattern, reader in _READERS if fnmatchcase(name, pattern))
        place = Place(source.shown(address))
        try:
            text = source.read(address)[:MOST_BYTES].decode("utf-8")
            named = dict.fromkeys(reader(text, place, findings))
        except FileFault as fault:
            report_fault(findings, fault, place)
            continue
        except (ValueError, RecursionError, ElementTree.ParseError) as error:
            findings.add("COMPANION-FORM", place, "the browser cannot use the file", found=error)
            continue
        for text_address in named:
            if text_address.startswith(WEB):
                published.add(text_address, "COMPANION-FILE", place)
            else:
                _check_named(text_address, address, place, source, findings)


def _check_named(text: str, base: str, place: Place, source: Source, findings: Findings) -> None:
    if text.startswith(NO_FILES):
        return
    try:
        source.require(source.resolve(text, base))
    except FileFault as fault:
        rule = "COMPANION-FILE" if fault.rule == "FILE-MISSING" else fault.rule
        findings.add(rule, place, fault.what, found=fault.found or text, wanted=fault.wanted, remedy=fault.remedy)


def _present(hub: Hub, source: Source) -> Iterator[tuple[str, str]]:
    """(name, address) of the companions beside hub.txt."""
    if isinstance(source, FolderSource):
        names = sorted(path.name for path in source.root.iterdir() if path.is_file())
        yield from ((name, name) for name in names if any(fnmatchcase(name, pattern) for pattern, _ in _READERS))
        return
    for name in OPTIONAL:
        address = source.resolve(name, hub.address)
        try:
            source.require(address)
        except FileFault:
            continue
        yield name, address


def _values(value: Any, wanted: Callable[[str], bool]) -> Iterator[str]:
    """The texts of all members whose name is `wanted`, however deep."""
    waiting = [value]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            yield from (item for name, item in entry.items() if wanted(name) and isinstance(item, str) and item)
            waiting.extend(entry.values())
        elif isinstance(entry, list):
            waiting.extend(entry)


def _require(fit: bool, wanted: str) -> None:
    if not fit:
        raise ValueError(f"well formed, but not {wanted}")


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _read_igv(text: str, place: Place, findings: Findings) -> Iterable[str]:
    session = json.loads(text)
    fit = isinstance(session, dict) and bool({"tracks", "reference", "genome"} & set(session))
    _require(fit and _are_objects(session.get("tracks", [])), "an object with a list of tracks")
    return _values(session, lambda name: name == "url" or name.endswith("URL"))


def _read_washu(text: str, place: Place, findings: Findings) -> Iterable[str]:
    tracks = json.loads(text)
    _require(_are_objects(tracks), "a list of tracks")
    return _values(tracks, lambda name: name == "url")


def _read_jbrowse(text: str, place: Place, findings: Findings) -> Iterable[str]:
    config = json.loads(text)
    _require(isinstance(config, dict) and bool(config), "an object with assemblies and tracks")
    if not {"assemblies", "assembly", "tracks"} & set(config):
        # Many programs have a configuration of this name.
        return ()
    for name in ("assemblies", "tracks", "plugins"):
        _require(_are_objects(config.get(name, [])), f"an object with a list of {name}")
    assemblies = [*_members(config, "assemblies"), *([config["assembly"]] if "assembly" in config else [])]
    declared = {name for entry in assemblies for name in [*_texts(entry, "name"), *_texts(entry, "aliases")]}
    for track in _members(config, "tracks"):
        for name in _texts(track, "assemblyNames"):
            if name not in declared:
                found, wanted = name, ", ".join(sorted(declared)) or "an assembly"
                owner = track.get("trackId", "a track") if isinstance(track, dict) else "a track"
                what = f"{owner} is on an assembly that is not declared"
                findings.add("COMPANION-ASSEMBLY", place, what, found=found, wanted=wanted)
    plugins = _values(_members(config, "plugins"), lambda name: name in ("url", "umdUrl", "esmUrl"))
    return [*_values(config, lambda name: name == "uri"), *plugins]


def _members(config: dict[str, Any], name: str) -> list[Any]:
    value = config.get(name)
    return value if isinstance(value, list) else []


def _texts(entry: Any, name: str) -> list[str]:
    value = entry.get(name) if isinstance(entry, dict) else None
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _read_igv_desktop(text: str, place: Place, findings: Findings) -> Iterable[str]:
    # Entities can blow a small file up; no session has any.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type, which sessions do not have")
    session = ElementTree.fromstring(text)
    _require(session.tag in ("Session", "Global"), "a session of IGV")
    genome = session.get("genome", "")
    named = [entry.get("path", "") for entry in session.iter("Resource")]
    named += [entry.get("index", "") for entry in session.iter("Resource")]
    # A genome is an identifier, or the file that describes it.
    return [name for name in [*named, genome if "." in genome else ""] if name]


def _read_tracks_ini(text: str, place: Place, findings: Findings) -> Iterable[str]:
    _require(bool(re.search(r"(?m)^[ \t]*\[[^\]\n]+\]", text)), "sections of tracks, [NAME]")
    return [_escaped(name) for name in re.findall(r"(?m)^[ \t]*file[ \t]*=[ \t]*(\S+)[ \t]*$", text)]


def _read_manifest(text: str, place: Place, findings: Findings) -> Iterable[str]:
    manifest = json.loads(text)
    _require(
        isinstance(manifest, dict) and isinstance(manifest.get("files", []), list), "an object with a list of files"
    )
    return [_escaped(name) for name in _texts(manifest, "files")]


def _escaped(name: str) -> str:
    """A file's name as an address: in these files names are no addresses, and each letter stands for itself."""
    if name.startswith(WEB):
        return name
    return name.replace("%", "%25").replace("#", "%23").replace("?", "%3F")


_READERS: tuple[tuple[str, Callable[[str, Place, Findings], Iterable[str]]], ...] = (
    ("trackgen.json", _read_manifest),
    ("igv.json", _read_igv),
    ("igv.*.json", _read_igv),
    ("config.json", _read_jbrowse),
    ("config.*.json", _read_jbrowse),
    ("washu.json", _read_washu),
    ("washu.*.json", _read_washu),
    ("igv.xml", _read_igv_desktop),
    ("igv.*.xml", _read_igv_desktop),
    ("tracks.ini", _read_tracks_ini),
    ("tracks.*.ini", _read_tracks_ini),
)


class _Links(HTMLParser):
    """Addresses that a page loads or leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, int] = {}
        self.absolute: dict[str, int] = {}
        self.has_base = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # A base changes what all other addresses mean; such pages are left alone.
        self.has_base |= tag == "base"
        for name, value in attrs:
            if name in ("src", "href") and value and value.startswith(WEB):
                self.absolute.setdefault(value, self.getpos()[0])
            elif name in ("src", "href") and value:
                self.found.setdefault(re.split(r"[?#]", value)[0], self.getpos()[0])


def check_pages(source: Source, published: Published, findings: Findings) -> None:
    """Every file of the folder that a page beside hub.txt names is there; `published` collects absolute addresses."""
    if not isinstance(source, FolderSource):
        return
    for path in sorted(source.root.glob("*.html"))[:MOST_PAGES]:
        links = _Links()
        try:
            links.feed(source.read(path.name)[:MOST_PAGE_BYTES].decode("utf-8", "replace"))
        except FileFault:
            # Said where a setting names the page; nobody misses another.
            continue
        for text, line in links.absolute.items():
            published.add(text, "PAGE-LINK", Place(path.name, line))
        for text, line in ({} if links.has_base else links.found).items():
            # Elsewhere, or a folder.
            if not text or text.endswith("/") or SCHEME_OR_ROOT.match(text):
                continue
            try:
                source.require(source.resolve(text, path.name))
            except FileFault as fault:
                if fault.rule == "FILE-MISSING":
                    what = "a page names a file that is not there"
                    findings.add("PAGE-LINK", Place(path.name, line), what, found=text, remedy=fault.remedy)
