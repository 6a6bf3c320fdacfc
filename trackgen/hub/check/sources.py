"""Where a hub's files are read from: a folder of this machine, or a web server; never one by way of the other.

A file of a hub is known by its *address*: in a folder the path relative to it, with slashes; on a server its URL. A
hub on a server can only name files on servers, and a hub in a folder only files below that folder are opened.
"""

from __future__ import annotations

import ipaddress
import os
import posixpath
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

__all__ = [
    "BLOCK",
    "LARGEST_TEXT",
    "Blocks",
    "FileFault",
    "FolderSource",
    "RangeReader",
    "Source",
    "check_scheme",
    "is_private",
]

LARGEST_TEXT = 256 << 20
"""Bytes; a hub of a million settings has some 30 MB."""
BLOCK = 1 << 15
"""Bytes read at once: a bigWig's header, its zoom levels and mostly its sequences, in one request."""
MOST_BLOCKS = 64
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
LIMITED_SCHEMES = {"ftp": "UCSC", "gs": "IGV", "s3": "IGV and UCSC"}
RELATIVE_REMEDY = "put the file into the hub's folder and name it relative to the file that names it"


class FileFault(Exception):
    """A file cannot be had; becomes a finding of the rule `rule`."""

    def __init__(self, rule: str, what: str, *, found: str = "", wanted: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.rule, self.what, self.found, self.wanted, self.remedy = rule, what, found, wanted, remedy


class RangeReader(NamedTuple):
    """A file that is read in pieces: `read(offset, size)` gives at most `size` bytes, fewer at the file's end."""

    read: Callable[[int, int], bytes]
    size: int | None
    """Bytes; None where the server does not tell."""


class Blocks:
    """Reads any piece of a file by way of whole blocks, `fetch(offset)`, the last few of which are kept."""

    def __init__(self, fetch: Callable[[int], bytes]) -> None:
        self._fetch = fetch
        self._kept: dict[int, bytes] = {}

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        first, last = offset // BLOCK, (offset + size - 1) // BLOCK
        if last - first >= MOST_BLOCKS:
            raise FileFault("DATA-DAMAGED", "the file's index is larger than any", found=f"{size:,} bytes")
        data = b"".join(self._block(number) for number in range(first, last + 1))
        return data[offset - first * BLOCK :][:size]

    def _block(self, number: int) -> bytes:
        if number not in self._kept:
            if len(self._kept) >= MOST_BLOCKS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[number] = self._fetch(number * BLOCK)
        return self._kept[number]


class Source(Protocol):
    """Reads a hub's files by their addresses. All methods raise `FileFault`."""

    def resolve(self, text: str, base: str) -> str:
        """The address that `text` means in the file `base`."""

    def read(self, address: str) -> bytes:
        """A whole text file."""

    def open(self, address: str) -> RangeReader:
        """A data file, to be read in pieces."""

    def require(self, address: str) -> None:
        """Make sure that the file is there."""

    def shown(self, address: str) -> str:
        """The address as people are told it."""


def check_scheme(text: str) -> str:
    """The scheme of `text` in lower case, or nothing for a path; schemes that browsers do not read are refused."""
    if not text or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise FileFault("ADDRESS-FORM", "this is no address", found=text or "nothing", wanted="a file's name or URL")
    match = SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    if len(scheme) == 1 or text.startswith(("\\", "~")) or scheme == "file":
        raise _absolute(text)
    if scheme in LIMITED_SCHEMES:
        remedy = "publish the file by https"
        what = f"{scheme} addresses are read by {LIMITED_SCHEMES[scheme]} alone"
        raise FileFault("ADDRESS-LIMITED", what, found=text, remedy=remedy)
    if scheme not in ("", "http", "https"):
        raise FileFault(
            "ADDRESS-SCHEME", "no browser reads such an address", found=text, wanted="a file's name or https"
        )
    if scheme:
        _check_host(text)
    return scheme


def _check_host(url: str) -> None:
    try:
        parts = urlsplit(url)
        fit = bool(parts.hostname) and (parts.port or True)
    except ValueError:
        fit = False
    if not fit:
        raise FileFault("ADDRESS-FORM", "this is no web address", found=url, wanted="https://HOST/FILE")


def is_private(url: str) -> bool:
    """Whether only this machine or its network reaches the host of `url`, as far as its name tells."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        # Short forms of addresses, such as 127.1, are no addresses here but are for the system: all digits and dots.
        return bool(re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]+", host))


def _absolute(text: str) -> FileFault:
    what = "a path of one machine is no address in a hub"
    return FileFault("FILE-ABSOLUTE", what, found=text, wanted="a relative address", remedy=RELATIVE_REMEDY)


class FolderSource:
    """The files below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def resolve(self, text: str, base: str) -> str:
        scheme = check_scheme(text)
        if scheme:
            if is_private(text):
                raise FileFault(
                    "ADDRESS-PRIVATE", "nobody else reaches this address", found=text, remedy=RELATIVE_REMEDY
                )
            return text
        if text.startswith("/") or unquote(text).startswith(("/", "\\")):
            raise _absolute(text)
        # Browsers ask for what stands before a ? or #, with %XX as the letters that they stand for.
        asked = unquote(re.split(r"[?#]", text)[0])
        for form in {text, unquote(text), unquote(text).replace("\\", "/"), asked}:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(base), form))
            if path == ".." or path.startswith("../"):
                what = "the address leads out of the hub's folder, so the file is not looked at"
                raise FileFault("FILE-OUTSIDE", what, found=text, remedy=RELATIVE_REMEDY)
        literal = posixpath.normpath(posixpath.join(posixpath.dirname(base), text))
        address = posixpath.normpath(posixpath.join(posixpath.dirname(base), asked))
        # Nobody means a part of a file by #, but %XX can be meant as it is read.
        if address != literal and self._has(literal) and ("#" in text or not self._has(address)):
            what = f"browsers read another file, {asked or 'none'}"
            raise FileFault("ADDRESS-LETTERS", what, found=text, remedy="rename the file without #, ? and %")
        return address

    def read(self, address: str) -> bytes:
        self.require(address)
        path = self._path(address)
        try:
            if path.stat().st_size > LARGEST_TEXT:
                wanted = f"up to {LARGEST_TEXT:,} bytes"
                raise FileFault("TEXT-TOO-LARGE", "the file is too large for a text", wanted=wanted)
            with open(path, "rb") as file:
                return file.read(LARGEST_TEXT)
        except OSError as error:
            raise _unreadable(error) from None

    def open(self, address: str) -> RangeReader:
        self.require(address)
        path = self._path(address)

        def fetch(offset: int) -> bytes:
            try:
                with open(path, "rb") as file:
                    file.seek(offset)
                    return file.read(BLOCK)
            except (OSError, OverflowError, ValueError) as error:
                # An offset that no file has comes from a damaged header.
                raise _unreadable(error) from None

        return RangeReader(Blocks(fetch).read, path.stat().st_size)

    def require(self, address: str) -> None:
        if SCHEME.match(address):
            what = "the file lies elsewhere and is not looked at"
            raise FileFault("FILE-ELSEWHERE", what, found=address, remedy="check the hub by its URL to see it checked")
        path = self._path(address)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise FileFault("FILE-MISSING", "the file is not there", found=address, remedy=self._near(path)) from None
        except (OSError, ValueError) as error:
            raise _unreadable(error) from None
        if not stat.S_ISREG(status.st_mode):
            raise FileFault("FILE-UNREADABLE", "this is no file", found=address)
        if not os.access(path, os.R_OK):
            raise FileFault(
                "FILE-UNREADABLE", "the file may not be read", found=address, remedy="give it read permission"
            )

    def shown(self, address: str) -> str:
        return address

    def _path(self, address: str) -> Path:
        return self.root.joinpath(*address.split("/"))

    def _has(self, address: str) -> bool:
        try:
            return self._path(address).exists()
        except (OSError, ValueError):
            return False

    def _near(self, path: Path) -> str:
        """A remedy that names a file whose name differs in case alone."""
        try:
            found = [other.name for other in path.parent.iterdir() if other.name.lower() == path.name.lower()]
        except OSError:
            found = []
        return f"the folder has {found[0]}: case counts" if found else ""


def _unreadable(error: Exception) -> FileFault:
    return FileFault("FILE-UNREADABLE", "the file cannot be read", found=str(getattr(error, "strerror", None) or error))
