"""What a server shows beside the files of its folder: files in memory, and pages that name what is really there.

A hub's pages load igv.js, JBrowse and onnxruntime-web from the hub, or from a public address where it was built
without them. Neither need hold where it is served: the file may have been left behind, or the server's machine may have
what the builder's had not. So the server answers the names of that code itself, and sets the addresses in the pages to
what works.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trackgen.resources import IGV_JS, JBROWSE, ONNX_RUNTIME, BrowserCode, browser_assets

__all__ = ["Overlay", "absent_browsers", "address_of", "asset_named", "page_with_addresses"]

# Page of a hub -> the code that it loads, and the attribute that holds the address.
PAGES = {
    "index.html": (IGV_JS, "data-igv"),
    "jbrowse.html": (JBROWSE, "data-jbrowse"),
    "live.html": (IGV_JS, "data-igv"),
}
# What a hub with models in it needs besides, by the file that tells so; its address is looked for in the page itself.
OTHERS = {"live.json": ONNX_RUNTIME}
PUBLIC = "https://cdn.jsdelivr.net/"


@dataclass(frozen=True)
class Overlay:
    """Files that a server has in memory, over those of its folder.

    Attributes:
        files: whole files by name; they win over files of the folder.
        edits: what is done to a file of the folder, by name, before it is sent. An edit that fails on a file of
            another shape leaves it as it is.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    edits: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)

    def over(self, other: Overlay) -> Overlay:
        """Both: the files of this one win, and its edits come after the other's."""
        edits = {**other.edits, **self.edits}
        for name in other.edits.keys() & self.edits.keys():
            edits[name] = _one_after_the_other(other.edits[name], self.edits[name])
        return Overlay({**other.files, **self.files}, edits)


def _one_after_the_other(first: Callable[[bytes], bytes], second: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda content: second(first(content))


def asset_named(name: str) -> Path | None:
    """The installed file of third-party browser code called `name`, or None."""
    folder = browser_assets()
    if folder is None or not any(name in code.files for code in (IGV_JS, JBROWSE, ONNX_RUNTIME)):
        return None
    path = folder / name
    return path if path.is_file() else None


def absent_browsers(root: Path) -> tuple[BrowserCode, ...]:
    """The code that the pages in `root` need and that is neither in `root` nor installed on this machine."""
    named = {page: code for page, (code, _) in PAGES.items()} | OTHERS
    needed = dict.fromkeys(code for name, code in named.items() if (root / name).is_file())
    return tuple(code for code in needed if address_of(code, root) == code.address)


def page_with_addresses(path: Path) -> bytes | None:
    """The page at `path` with the address of the code that it loads set to what works here; None for other files.

    An address that is neither the hub's own nor the usual public one is the choice of whoever made the page, and stays.
    """
    if path.name not in PAGES:
        return None
    code, attribute = PAGES[path.name]

    def replace(match: re.Match[str]) -> str:
        is_ours = match[2].removeprefix("./") == code.file or match[2].startswith(PUBLIC)
        return f'{match[1]}"{address_of(code, path.parent)}"' if is_ours else match[0]

    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return re.sub(rf'(\b{attribute}=)"([^"]*)"', replace, text).encode("utf-8", "surrogateescape")


def address_of(code: BrowserCode, folder: Path) -> str:
    """Where a page of the hub in `folder` gets third-party code from, when it is served."""
    here = (folder / code.file).is_file() or asset_named(code.file) is not None
    return f"./{code.file}" if here else code.address
