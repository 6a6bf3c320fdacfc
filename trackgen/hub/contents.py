"""What a hub's folder holds beside its tracks: the text of every browser, the pages, and the code that they load."""

from __future__ import annotations

import shutil
from pathlib import Path

from trackgen import resources
from trackgen.hub.call_page import render_call_page
from trackgen.hub.genome_files import link_or_copy
from trackgen.hub.igv import render_igv
from trackgen.hub.igv_desktop import render_igv_desktop
from trackgen.hub.jbrowse import render_jbrowse
from trackgen.hub.links import absolute_file_of, absolute_name
from trackgen.hub.live_page import LIVE_PAGE, with_live_link
from trackgen.hub.model import Hub, HubGenome
from trackgen.hub.motif_page import render_motif_page
from trackgen.hub.pages import (
    render_hub_page,
    render_index,
    render_jbrowse_page,
    render_live_page,
    render_track_page,
)
from trackgen.hub.pygenometracks import render_pygenometracks
from trackgen.hub.templates import verbatim
from trackgen.hub.ucsc import render_ucsc
from trackgen.hub.washu import render_washu
from trackgen.hub.with_model import PageModels, live_texts, put_graphs
from trackgen.progress import Progress
from trackgen.resources import IGV_JS, JBROWSE, ONNX_RUNTIME, BrowserCode

__all__ = ["session_texts", "write_contents"]

VERBATIM = (".css", ".js")
"""Suffixes of the templates that are copied as they are: styles and scripts of the pages."""
BROWSER_PAGES = ("index.html", "jbrowse.html")


def write_contents(hub: Hub, folder: Path, progress: Progress, models: PageModels | None = None) -> None:
    """Write into `folder` all that belongs to `hub` but its tracks, its genomes and its manifest.

    Args:
        models: that its live page runs by itself; without any there is no such page.
    """
    igv, jbrowse = (_put_code(code, folder, progress) for code in (IGV_JS, JBROWSE))
    for name, path in resources.browser_plugins().items():
        shutil.copyfile(path, folder / name)
    templates = sorted(resources.hub_templates().iterdir())
    texts = {path.name: verbatim(path.name) for path in templates if path.suffix in VERBATIM}
    texts |= render_ucsc(hub)
    texts |= _pages(hub, igv, jbrowse)
    texts |= session_texts(hub)
    if models:
        put_graphs(models, folder)
        _put_code(ONNX_RUNTIME, folder, progress)
        texts |= live_texts(hub, models) | {LIVE_PAGE: render_live_page(hub, igv)}
        texts |= {name: with_live_link(texts[name].encode()).decode() for name in BROWSER_PAGES}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _put_code(code: BrowserCode, folder: Path, progress: Progress) -> str:
    """Copy a browser's code into the hub where it is installed; the address that pages load it from."""
    assets = resources.browser_assets()
    if assets is None or not all((assets / name).is_file() for name in code.files):
        progress.note(f"{code.title} is not installed here (make assets), so its page loads it from {code.address}")
        return code.address
    for name in code.files:
        link_or_copy(assets / name, folder / name)
    return f"./{code.file}"


def _pages(hub: Hub, igv: str, jbrowse: str) -> dict[str, str]:
    return {
        "index.html": render_index(hub, igv),
        "jbrowse.html": render_jbrowse_page(hub, jbrowse),
        "hub.html": render_hub_page(hub),
        **{track.page: render_track_page(hub, track) for track in hub.described},
        **{track.page: render_call_page(hub, track) for track in hub.calls},
        **{track.page: render_motif_page(hub, track) for track in hub.motifs},
    }


def session_texts(hub: Hub) -> dict[str, str]:
    """The files that browsers open, with relative addresses and, where the hub's own is known, with absolute ones."""
    texts = {"config.json": render_jbrowse(hub)}
    if hub.base_url:
        texts[absolute_name("config.json")] = render_jbrowse(hub, hub.base_url)
    for genome in hub.genomes:
        texts |= {hub.file_of(genome, name): text for name, text in _sessions_of(genome).items()}
        texts[hub.file_of(genome, "tracks.ini")] = render_pygenometracks(genome)
        if hub.base_url:
            absolute = _sessions_of(genome, hub.base_url)
            texts |= {absolute_file_of(hub, genome, name): text for name, text in absolute.items()}
    return texts


def _sessions_of(genome: HubGenome, base: str = "") -> dict[str, str]:
    return {
        "igv.json": render_igv(genome, base),
        "igv.xml": render_igv_desktop(genome, base),
        "washu.json": render_washu(genome, base),
    }
