"""Small hubs as text: `tests/corpus/hubs`, and how a file of it becomes a folder.

A corpus file begins with hub.txt. A line ``=== NAME`` begins another file of the hub, whose text follows;
``=== NAME < RECIPE`` makes a file that is not text, or changes one in a way that text files cannot hold. A failed hub
names the rules that must report it in its first line, ``# CauseOfFailure: RULE [RULE ...]: why``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pybigtools
import pyBigWig

from tests.source import ROOT

__all__ = ["FAILED", "PASSED", "Corpus", "read_corpus", "write_bigbed", "write_bigwig", "write_two_bit"]

FOLDER = ROOT / "tests" / "corpus" / "hubs"
FAILED = sorted((FOLDER / "failed").glob("*.hub"))
PASSED = sorted((FOLDER / "passed").glob("*.hub"))
CAUSE = "# CauseOfFailure: "
MARK = "=== "


class Corpus(NamedTuple):
    """One corpus file, taken apart."""

    path: Path
    rules: tuple[str, ...]
    """Those that must report it, and no others."""
    texts: dict[str, str]
    recipes: list[tuple[str, list[str]]]
    """(file, words) in order."""

    @property
    def server(self) -> str:
        """How the server behaves that this hub is checked on; empty for a folder."""
        return next((words[0] for name, words in self.recipes if name == "server"), "")

    def build(self, folder: Path) -> Path:
        """Write the hub into `folder`, which is made."""
        folder.mkdir(parents=True)
        for name, text in self.texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        for name, (kind, *words) in self.recipes:
            if name != "server":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                RECIPES[kind](folder / name, words)
        return folder


def read_corpus(path: Path) -> Corpus:
    """Take a corpus file apart."""
    texts: dict[str, str] = {}
    recipes = []
    name: str | None = "hub.txt"
    texts[name] = ""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for line in lines:
        if line.startswith(MARK):
            name, _, recipe = (part.strip() for part in line.removeprefix(MARK).partition(" < "))
            if recipe:
                recipes.append((name, recipe.split()))
                name = None
            else:
                texts[name] = ""
        elif name is not None:
            texts[name] += line
    first = lines[0]
    rules = tuple(first.removeprefix(CAUSE).split(":")[0].split()) if first.startswith(CAUSE) else ()
    return Corpus(path, rules, texts, recipes)


def lengths_of(word: str) -> dict[str, int]:
    """``chrA=100,chrB=50``."""
    return {name: int(length) for name, _, length in (part.partition("=") for part in word.split(","))}


def write_bigwig(path: Path, lengths: dict[str, int], *, empty: bool = False) -> None:
    """Values between 0.1 and 0.9 on the first half of every sequence."""
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(lengths.items()), maxZooms=4)
        for name, length in {} if empty else lengths.items():
            values = [0.1 + 0.8 * (index % 11) / 10 for index in range(min(length // 2, 5000))]
            file.addEntries(name, 0, values=values, span=1, step=1)


def write_bigbed(path: Path, lengths: dict[str, int]) -> None:
    """Two items of four fields on every sequence."""
    rows = ((name, start, start + 20, f"item{start}") for name in sorted(lengths) for start in (10, 60))
    fields = 'string chrom; ""\nuint chromStart; ""\nuint chromEnd; ""\nstring name; ""\n'
    # The library takes the format from the name.
    named = path.with_suffix(".bb")
    pybigtools.open(str(named), "w").write(lengths, rows, f'table items\n"items"\n(\n{fields})\n')
    named.rename(path)


def write_two_bit(path: Path, lengths: dict[str, int]) -> None:
    """Sequences of T alone."""
    records = [struct.pack("<4I", length, 0, 0, 0) + bytes((length + 3) // 4) for length in lengths.values()]
    place = 16 + sum(1 + len(name) + 4 for name in lengths)
    index = b""
    for name, record in zip(lengths, records, strict=True):
        index += bytes([len(name)]) + name.encode() + struct.pack("<I", place)
        place += len(record)
    path.write_bytes(struct.pack("<4I", 0x1A412743, 0, len(lengths), 0) + index + b"".join(records))


def _options(words: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _patch(path: Path, offset: int, form: str, value: int) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, offset, value)
    path.write_bytes(data)


def _bigwig(path: Path, words: list[str]) -> None:
    options = _options(words[1:])
    write_bigwig(path, lengths_of(words[0]), empty="empty" in options)
    for name, offset in (("version", 4), ("zooms", 6)):
        if name in options:
            _patch(path, offset, "<H", int(options[name]))
    if "cut" in options:
        path.write_bytes(path.read_bytes()[: int(options["cut"])])


def _two_bit(path: Path, words: list[str]) -> None:
    write_two_bit(path, lengths_of(words[0]))
    options = _options(words[1:])
    if "cut" in options:
        path.write_bytes(path.read_bytes()[: int(options["cut"])])


def _sparse(path: Path, words: list[str]) -> None:
    with open(path, "wb") as file:
        file.truncate(int(words[0]))


def _lengthen(path: Path, words: list[str]) -> None:
    path.write_text(path.read_text().replace(words[0], words[0] + "." * int(words[1]), 1))


def _first_line_last(path: Path, words: list[str]) -> None:
    first, rest = path.read_text().split("\n", 1)
    path.write_text(f"{rest}{first}\n")


def _folder(path: Path, words: list[str]) -> None:
    path.mkdir()


def _bytes(path: Path, words: list[str]) -> None:
    path.write_bytes(bytes.fromhex("".join(words)))


def _bigbed(path: Path, words: list[str]) -> None:
    write_bigbed(path, lengths_of(words[0]))


def _change(change: Callable[[bytes], bytes]) -> Callable[[Path, list[str]], None]:
    return lambda path, words: (path.write_bytes(change(path.read_bytes())), None)[1]


RECIPES: dict[str, Callable[[Path, list[str]], None]] = {
    "bigwig": _bigwig,
    "bigbed": _bigbed,
    "2bit": _two_bit,
    "bytes": _bytes,
    "folder": _folder,
    "sparse": _sparse,
    "lengthen": _lengthen,
    "first-line-last": _first_line_last,
    "bom": _change(lambda data: b"\xef\xbb\xbf" + data),
    "utf-16": _change(lambda data: data.decode().encode("utf-16")),
    "latin-1": _change(lambda data: data.decode().encode("latin-1")),
    "crlf": _change(lambda data: data.replace(b"\n", b"\r\n")),
    "nul": _change(lambda data: data.replace(b"small hub", b"small\0hub", 1)),
}
