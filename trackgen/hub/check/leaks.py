"""Rule for what no public text should tell: paths of the machine that the hub was made on."""

from __future__ import annotations

import re

from trackgen.hub.check.findings import Findings, Place
from trackgen.hub.check.hub_files import Hub
from trackgen.hub.check.sources import FolderSource, Source

__all__ = ["check_leaks"]

MACHINE_ROOTS = "home|Users|root|mnt|media|tmp|private|scratch|gpfs|lustre|nfs|Volumes"
SHARED_ROOTS = "data|work|opt|srv|var|projects|cluster|storage"
"""Also names of folders of web servers, whose addresses may begin at the server's root."""
LEAK = re.compile(
    r"(?<![\w.:/%@=})\]*-])"
    rf"(?:/(?:{MACHINE_ROOTS}|(?P<shared>{SHARED_ROOTS}))/[\w.@+-]+[^\s\"'<>]*"
    r"|[A-Za-z]:(?:\\\\?|/)[\w.]+[\\/][^\s\"'<>]*)|file://[^\s\"'<>]+"
)
"""Paths that lie on one machine; not part of a web address, whose slashes follow a letter or another slash."""
ADDRESS_BEFORE = re.compile(
    r"(?:\b(?:href|src|action|content)\s*=\s*[\"']|\burl\([\"']?|\"(?:\w*url|uri)\"\s*:\s*\""
    r"|^[ \t]*(?:\w*(?:url|path|file|sizes|db|bb|index)|html|include|groups)[ \t]+)\Z",
    re.IGNORECASE | re.MULTILINE,
)
"""What stands before an address: there a path begins at the root of the web server."""
LONGEST_BEFORE = 60
LEAKY = (".txt", ".json", ".xml", ".ini", ".html", ".css", ".sizes", ".tsv", ".md")
MOST_LEAKY_FILES = 5000
MOST_LEAKY_BYTES = 4 << 20
"""Of each, from its start."""


def check_leaks(hub: Hub, source: Source, findings: Findings) -> None:
    """Paths of the machine that the hub was made on, in any of its texts."""
    for address, data in hub.texts.items():
        _report_leaks(data, source.shown(address), findings)
    if not isinstance(source, FolderSource):
        return
    read = {source.root.joinpath(*address.split("/")) for address in hub.texts if "://" not in address}
    for number, path in enumerate(sorted(source.root.rglob("*"))):
        if number >= MOST_LEAKY_FILES:
            break
        if path.suffix.lower() not in LEAKY or path in read or not path.is_file() or path.is_symlink():
            continue
        try:
            with open(path, "rb") as file:
                data = file.read(MOST_LEAKY_BYTES)
        except OSError:
            # Unreadable files are reported where something names them.
            continue
        _report_leaks(data, path.relative_to(source.root).as_posix(), findings)


def _report_leaks(data: bytes, file: str, findings: Findings) -> None:
    text = data.decode("utf-8", "replace")
    line, counted = 1, 0
    for match in LEAK.finditer(text):
        line, counted = line + text.count("\n", counted, match.start()), match.start()
        if match["shared"] and ADDRESS_BEFORE.search(text[max(0, match.start() - LONGEST_BEFORE) : match.start()]):
            continue
        # A path in place of an address has been reported as such.
        if not findings.has(Place(file, line)):
            remedy = "remove it, or write the file's name alone"
            findings.add("LEAK-PATH", Place(file, line), "a path of one machine", found=match[0], remedy=remedy)
