"""Rule for addresses at which a hub in a folder will be published: what they name must be in the folder."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from trackgen.hub.check.findings import Findings, Place
from trackgen.hub.check.sources import FileFault, FolderSource, Source

__all__ = ["WEB", "Published"]

WEB = ("http://", "https://")
MOST_ADDRESSES = 100_000


class Published:
    """Collects the absolute addresses of a hub's pages and configurations, and checks those that are the hub's own.

    Where a hub will be published is said nowhere. A folder of the web counts as the hub's where most of the names that
    the hub gives below it are those of files beside hub.txt.
    """

    def __init__(self) -> None:
        self._named: dict[tuple[str, str, Place], None] = {}

    def add(self, url: str, rule: str, place: Place) -> None:
        """Remember `url`, and the addresses in its query; `rule` is for those whose file is not there."""
        for address in _addresses(url):
            if len(self._named) < MOST_ADDRESSES:
                self._named.setdefault((address, rule, place))

    def check(self, source: Source, findings: Findings) -> None:
        """Look for the files of the hub's own addresses."""
        if not isinstance(source, FolderSource):
            return
        there = {path.name for path in source.root.iterdir()}
        bases = _own_bases({address for address, _, _ in self._named}, there)
        for address, rule, place in self._named:
            base = next((base for base in _folders_of(address) if base in bases), "")
            if not base or address == base:
                continue
            try:
                source.require(source.resolve(address.removeprefix(base), ""))
            except FileFault as fault:
                if fault.rule == "FILE-MISSING":
                    what = "an address of the hub itself names a file that is not there"
                    findings.add(rule, place, what, found=address, remedy=fault.remedy)


def _addresses(url: str) -> Iterator[str]:
    """The web address itself, without query, and those in its query: browsers are given theirs so."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, max_num_fields=100)
    except ValueError:
        return
    if not parts.path.startswith("/"):
        return
    yield f"{parts.scheme}://{parts.netloc}{parts.path}"
    for _, value in query:
        if value.startswith(WEB):
            yield value.partition("?")[0].partition("#")[0]


def _own_bases(addresses: set[str], there: set[str]) -> set[str]:
    balance = Counter[str]()
    for address in addresses:
        folder, _, name = address.rpartition("/")
        if name:
            balance[f"{folder}/"] += 1 if unquote(name) in there else -1
    return {base for base, count in balance.items() if count > 0}


def _folders_of(address: str) -> Iterator[str]:
    """The folder of an address, and those above it."""
    folder = posixpath.dirname(address)
    while folder.count("/") >= 2:
        yield f"{folder}/"
        folder = posixpath.dirname(folder)
