"""The live page over a hub that is served with a model: its files, and the way to it from the hub's other pages."""

from __future__ import annotations

import re
from pathlib import Path

from trackgen import __version__, resources
from trackgen.hub.built import BuiltHub
from trackgen.hub.templates import escaped, fill, verbatim
from trackgen.resources import IGV_JS

__all__ = ["LIVE_PAGE", "live_files", "with_live_link"]

LIVE_PAGE = "live.html"
LINK = f'<a href="{LIVE_PAGE}" data-page="{LIVE_PAGE}">Live</a>'
PAGE_CODE = (".css", ".js")
OWN_PAGES = ("trackgen.js", "trackgen-page.js", "trackgen-jbrowse-page.js")
"""Scripts that go with the pages that are in the hub: those of the version that built it stay."""
TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
NAVIGATION = re.compile(rb'(<nav class="pages".*?)(\s*<label|</nav>)', re.DOTALL)


def live_files(built: BuiltHub, genome: str, igv_address: str) -> dict[str, bytes]:
    """What the live page needs: itself, its scripts and styles, by name.

    Args:
        genome: the hub's genome that the models look at.
        igv_address: igv.js: a file of the hub, or a public address.
    """
    templates = sorted(path.name for path in resources.hub_templates().iterdir() if path.suffix in PAGE_CODE)
    names = [name for name in templates if name not in OWN_PAGES or not (built.folder / name).is_file()]
    files = {name: verbatim(name).encode() for name in names}
    files |= {name: path.read_bytes() for name, path in resources.browser_plugins().items()}
    files[LIVE_PAGE] = _page(built, genome, igv_address).encode()
    return files


def _page(built: BuiltHub, genome: str, igv_address: str) -> str:
    session = "igv.json" if genome == next(iter(built.lengths)) else f"igv.{genome}.json"
    lengths = built.lengths[genome]
    return fill(
        LIVE_PAGE,
        title=_title(built.folder),
        subtitle=escaped(f"{genome}, {sum(lengths.values()):,} bases"),
        genomes=fill("index_genome.html", id=escaped(genome), title=escaped(genome), config=escaped(session)),
        igv=escaped(igv_address),
        igv_public=escaped(IGV_JS.address),
        igv_version=IGV_JS.version,
        version=__version__,
        token="",
    )


def _title(folder: Path) -> str:
    """The hub's title as its own page has it, escaped already; its folder's name where there is no such page."""
    try:
        found = TITLE.search((folder / "index.html").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        found = None
    return found[1] if found else escaped(folder.name)


def with_live_link(page: bytes) -> bytes:
    """A page of the hub that leads to the live one, too."""
    if f'data-page="{LIVE_PAGE}"'.encode() in page:
        return page
    return NAVIGATION.sub(lambda match: match[1] + LINK.encode() + match[2], page, count=1)
