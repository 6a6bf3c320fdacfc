"""Kept tracks in the texts of a built hub: each text has what was rendered of them, in place of what it had before.

The renderers write a hub's files whole; here the same files of a hub of kept tracks alone are read for the parts that
are tracks, and these go into the built hub's files behind what is there. A text of another shape than our renderers'
raises ValueError, KeyError or TypeError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from xml.sax.saxutils import unescape

from trackgen.hub.contents import session_texts
from trackgen.hub.model import Hub, HubGenome
from trackgen.hub.pages import render_kept
from trackgen.hub.ucsc import render_ucsc

__all__ = ["counted_text", "defined_names", "hub_setting", "merged_texts", "plugin_address"]

Entry = dict[str, Any]
COUNT = re.compile(r"\d+ tracks?\.(?=</p>)")


@dataclass(frozen=True)
class _Dropped:
    """What goes out of the texts: tracks and containers by name, and files."""

    names: Collection[str]
    files: Collection[str]


def hub_setting(text: str, key: str) -> str:
    """The value of a setting in hub.txt; empty where there is none."""
    found = re.search(rf"(?m)^{key}[ \t]+(.*)$", text)
    return found.group(1) if found else ""


def defined_names(text: str) -> list[str]:
    """The tracks and containers in a file of settings."""
    return re.findall(r"(?m)^[ \t]*track[ \t]+(\S+)", text)


def plugin_address(texts: Mapping[str, str], config: str) -> str:
    """Where JBrowse finds our plugin by the configuration `config`; empty where the hub has no such file."""
    if config not in texts:
        return ""
    return str(json.loads(texts[config])["plugins"][0]["umdLoc"]["uri"])


def counted_text(text: str, count: int) -> str:
    """A page whose first lines say how many tracks the hub has."""
    return COUNT.sub(f"{count} track{'' if count == 1 else 's'}.", text, count=1)


def merged_texts(
    texts: Mapping[str, str], hub: Hub, genome: HubGenome, old: Sequence[str], files: Sequence[str], regions: int
) -> dict[str, str]:
    """The texts that change.

    Args:
        texts: of the built hub's files, by name.
        hub, genome: of the kept tracks alone, of one model.
        old: names that the tracks of this model had before; `files` are theirs.
        regions: how many are kept.
    """
    dropped = _Dropped(frozenset(old), frozenset(files))
    new = render_ucsc(hub) | session_texts(hub)
    # A hub without its own sequence has no groups, and three files have their tracks elsewhere.
    settings = ("hub.txt", f"trackDb.{genome.id}.txt", hub.file_of(genome, "groups.txt"))
    merges: dict[str, Callable[[str, str, _Dropped], str]] = dict.fromkeys(settings, _stanzas)
    for name, merge in (("igv.json", _igv), ("igv.xml", _igv_desktop), ("washu.json", _washu)):
        stem, _, suffix = hub.file_of(genome, name).rpartition(".")
        merges |= {f"{stem}.{suffix}": merge, f"{stem}.absolute.{suffix}": merge}
    merges[hub.file_of(genome, "tracks.ini")] = _pygenometracks
    jbrowse = partial(_jbrowse, view=f"trackgen-{genome.id}")
    merges |= {"config.json": jbrowse, "config.absolute.json": jbrowse}
    result = {
        name: merge(texts[name], new[name], dropped) for name, merge in merges.items() if name in texts and name in new
    }
    section = render_kept(hub, genome, regions)
    for name, place in (("index.html", "<h2>Elsewhere</h2>"), ("hub.html", "<footer>")):
        if name in texts:
            result[name] = _page(texts[name], section, place, f"{genome.id}.{genome.models[0]}")
    return {name: text for name, text in result.items() if text != texts[name]}


def _stanzas(text: str, new: str, dropped: _Dropped) -> str:
    """Settings: the other stanzas as they are, the tracks of `new`, and its groups where there are none of the name."""
    kept = [stanza for stanza in _split(text) if _head(stanza) not in {("track", name) for name in dropped.names}]
    heads = {_head(stanza) for stanza in kept}
    added = [
        stanza
        for stanza in _split(new)
        if _head(stanza)[0] == "track" or (_head(stanza)[0] == "name" and _head(stanza) not in heads)
    ]
    return "\n\n".join([*kept, *added]) + "\n"


def _split(text: str) -> list[str]:
    return [stanza for stanza in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")) if stanza.strip()]


def _head(stanza: str) -> tuple[str, str]:
    """The first setting of a stanza."""
    key, _, value = stanza.strip().partition("\n")[0].partition(" ")
    return key, value.strip()


def _igv(text: str, new: str, dropped: _Dropped) -> str:
    config = json.loads(text)
    config["tracks"] = _replaced(config["tracks"], json.loads(new)["tracks"], dropped, "id")
    return _json(config)


def _washu(text: str, new: str, dropped: _Dropped) -> str:
    others = [entry for entry in json.loads(text) if entry["url"].rpartition("/")[2] not in dropped.files]
    return _json([*others, *json.loads(new)])


def _jbrowse(text: str, new: str, dropped: _Dropped, view: str) -> str:
    config, added = json.loads(text), json.loads(new)
    config["tracks"] = _replaced(config["tracks"], added["tracks"], dropped, "trackId")
    shown, more = (
        next(one for one in each["defaultSession"]["views"] if one["id"] == view) for each in (config, added)
    )
    # The first is the track of the sequence.
    others = [name for name in shown["init"]["tracks"] if name not in dropped.names]
    shown["init"]["tracks"] = [*others, *more["init"]["tracks"][1:]]
    shown["tracks"] = _replaced(shown["tracks"], more["tracks"][1:], dropped, "configuration")
    return _json(config)


def _replaced(present: Sequence[Entry], added: Sequence[Entry], dropped: _Dropped, key: str) -> list[Entry]:
    return [*(entry for entry in present if entry.get(key) not in dropped.names), *added]


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _igv_desktop(text: str, new: str, dropped: _Dropped) -> str:
    """A session: lines are elements of our own writing, and only tracks have more than one."""
    added = _session_parts(new)
    resources, tracks = (
        [part for part in parts if _address(part).rpartition("/")[2] not in dropped.files]
        for parts in _session_parts(text)
    )
    head, rest = text.split("    <Resources>\n", 1)
    panel = rest.split('    <Panel name="DataPanel">\n', 1)[1].split("    </Panel>\n", 1)[1]
    lines = ["    <Resources>\n", *resources, *added[0], "    </Resources>\n"]
    lines += ['    <Panel name="DataPanel">\n', *tracks, *added[1], "    </Panel>\n"]
    return "".join([head, *lines, panel])


def _session_parts(text: str) -> tuple[list[str], list[str]]:
    """The resources of a session, and its tracks of values, as text."""
    resources, rest = text.split("    <Resources>\n", 1)[1].split("    </Resources>\n", 1)
    data = rest.split('    <Panel name="DataPanel">\n', 1)[1].split("    </Panel>\n", 1)[0]
    tracks = re.findall(r"(?s)[ \t]*<Track .*?</Track>\n", data)
    return resources.splitlines(keepends=True), tracks


def _address(element: str) -> str:
    """The file of a resource or a track."""
    found = re.search(r""" (?:path|id)=("[^"]*"|'[^']*')""", element)
    return unescape(found.group(1)[1:-1]) if found else ""


def _pygenometracks(text: str, new: str, dropped: _Dropped) -> str:
    gone = {f"[{name}{end}]" for name in dropped.names for end in ("", " threshold")}
    others = [section for section in _split(text) if section.partition("\n")[0] not in gone]
    # The first two are the command and the axis.
    return "\n\n".join([*others, *_split(new)[2:]]) + "\n"


def _page(text: str, section: str, place: str, mark: str) -> str:
    """A page with the section of kept tracks before `place`, in place of the one of the same mark."""
    start = f'<section data-kept="{mark}">\n'
    text = re.sub(rf"(?s){re.escape(start)}.*?</section>\n", "", text)
    if place not in text:
        raise ValueError(f"the page has no {place}")
    return text.replace(place, section + place, 1)
