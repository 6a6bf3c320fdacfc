"""Reads UCSC's "ra" text: stanzas of settings, parted by blank lines, with the line of every setting.

``#`` begins a comment line, a backslash at a line's end continues it, the first word of a line is the setting's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from trackgen.hub.check.findings import Findings, Place

__all__ = ["Include", "Stanza", "decode", "parse_stanzas"]

LONGEST_LINE = 65_536
BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
HTML_STARTS = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")


@dataclass
class Stanza:
    """Settings of one stanza: name -> (value, line)."""

    file: str
    line: int
    first: str
    settings: dict[str, tuple[str, int]] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """The value of a setting, or `default`."""
        return self.settings[name][0] if name in self.settings else default

    def place(self, name: str = "") -> Place:
        """Where a setting stands, or the stanza."""
        return Place(self.file, self.settings[name][1] if name in self.settings else self.line)


@dataclass(frozen=True)
class Include:
    """A line ``include ADDRESS``."""

    address: str
    place: Place


def decode(data: bytes, file: str, findings: Findings) -> str | None:
    """`data` as text, or None with a finding where it is none."""
    place = Place(file, 1)
    for mark in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            findings.add(
                "TEXT-BOM",
                place,
                "the file begins with a byte order mark",
                found=mark.hex(" "),
                remedy="save it as UTF-8 without one",
            )
            if mark != BYTE_ORDER_MARKS[0]:
                return None
            data = data[len(mark) :]
    start = data[:200].lstrip().lower()
    if start.startswith(HTML_STARTS):
        findings.add(
            "TEXT-HTML", place, "this is a web page", found=start[:40].decode("latin-1"), wanted="a file of settings"
        )
        return None
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        remedy = "give the hub's text file, not one of its data files"
        findings.add("TEXT-BINARY", Place(file, line), "the file is not text", found="a byte of value 0", remedy=remedy)
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte {data[error.start]:02x}"
        findings.add(
            "TEXT-ENCODING", Place(file, line), "the text is not UTF-8", found=found, remedy="save it as UTF-8"
        )
        return data.decode("latin-1")


def parse_stanzas(data: bytes, file: str, findings: Findings) -> list[Stanza | Include] | None:
    """The stanzas and includes of a file in order; None, with a finding, where it is no text."""
    text = decode(data, file, findings)
    if text is None:
        return None
    if "\r" in text:
        first = text.count("\n", 0, text.index("\r")) + 1
        remedy = "end lines with a line feed alone (dos2unix)"
        findings.add("TEXT-LINE-ENDS", Place(file, first), "lines end with a carriage return", remedy=remedy)
    result: list[Stanza | Include] = []
    stanza: Stanza | None = None
    for number, line in _logical_lines(text, file, findings):
        if not line:
            stanza = None
            continue
        name, value = _split(line, number, file, findings)
        if stanza is None and name == "include" and value:
            result.append(Include(value, Place(file, number)))
            continue
        if stanza is None:
            stanza = Stanza(file, number, name)
            result.append(stanza)
        elif name == "track" and "track" in stanza.settings:
            remedy = "put a blank line before it"
            findings.add(
                "STANZA-JOINED", Place(file, number), "a second track in one stanza", found=line, remedy=remedy
            )
            stanza = Stanza(file, number, name)
            result.append(stanza)
        _put(stanza, name, value, Place(file, number), findings)
    return result


def _logical_lines(text: str, file: str, findings: Findings) -> Iterator[tuple[int, str]]:
    """(number of its first line, stripped line); comments left out, continued lines joined."""
    joined, first = "", 0
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if len(raw) > LONGEST_LINE:
            found = f"{len(raw):,} characters"
            findings.add("TEXT-LONG-LINE", Place(file, number), "a very long line", found=found)
        line = raw.strip()
        if not joined and line.startswith("#"):
            continue
        if line.endswith("\\"):
            joined, first = joined + line[:-1], first or number
            continue
        if joined:
            yield first, joined + line
            joined, first = "", 0
        else:
            yield number, line
    if joined:
        yield first, joined


def _split(line: str, number: int, file: str, findings: Findings) -> tuple[str, str]:
    parts = line.split(maxsplit=1)
    name = parts[0]
    if line[len(name) : len(name) + 1] not in ("", " "):
        findings.add("TEXT-TAB", Place(file, number), f"no space follows {name}", found="a tab", wanted="a space")
    return name, parts[1] if len(parts) > 1 else ""


def _put(stanza: Stanza, name: str, value: str, place: Place, findings: Findings) -> None:
    if name in stanza.settings:
        findings.add(
            "SETTING-TWICE",
            place,
            f"{name} stands twice in the stanza",
            found=value,
            wanted=f"one of it: line {stanza.settings[name][1]} has {stanza.settings[name][0][:60]!r}",
        )
        return
    if not value:
        findings.add("SETTING-EMPTY", place, f"{name} has no value", remedy="give it one, or remove the line")
    stanza.settings[name] = (value, place.line)
