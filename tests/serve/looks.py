"""What a real browser makes of a page of a hub."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from tests.chromium import Page
from tests.source import ROOT
from trackgen.resources import BrowserCode, browser_assets

INSTALL = ROOT / "plugins" / "assets" / "install_assets.py"
SHARP, BROAD = (200, 30, 30), (30, 30, 200)
"""Colours of the tracks of `tests.hubs`."""
READY = "window.trackgenReady && window.trackgenReady.done"


@dataclass(frozen=True)
class Look:
    """A page after loading: its text, its console, its picture (height, width, 3)."""

    page: str
    console: list[str]
    picture: np.ndarray

    def data(self, name: str) -> str | None:
        """An attribute of <html>, by which the page tells how it went."""
        found = re.search(rf'<html[^>]*\bdata-{name}="([^"]*)"', self.page)
        return None if found is None else found[1]

    @property
    def messages(self) -> list[str]:
        """What the page says on top, where a reader sees it."""
        shown = re.search(r'<ul id="messages"([^>]*)>(.*?)</ul>', self.page, re.DOTALL)
        if shown is None or "hidden" in shown[1]:
            return []
        return re.findall(r"<li[^>]*>(.*?)</li>", shown[2], re.DOTALL)

    def pixels(self, color: tuple[int, int, int], tolerance: int = 12) -> int:
        """How many pixels of the picture have this colour."""
        return int((np.abs(self.picture.astype(int) - color).max(axis=2) <= tolerance).sum())


def look(tab: Page, address: str, until: str = READY) -> Look:
    """Open a page and look at it when it says that it is done, or `until` holds."""
    tab.open("about:blank")
    tab.wait("location.href === 'about:blank'")
    tab.console.clear()
    tab.open(address)
    tab.wait(f"location.href !== 'about:blank' && ({until})")
    return glance(tab)


def glance(tab: Page) -> Look:
    """The page as it is now, with its last frame drawn."""
    tab.ask("new Promise(done => requestAnimationFrame(() => setTimeout(done, 150)))")
    return Look(tab.ask("document.documentElement.outerHTML"), list(tab.console), tab.picture())


def need(*codes: BrowserCode) -> None:
    """Skip the test unless the code is installed, as by ``make assets``; it is fetched here where that was not run."""
    if _installed(codes):
        return
    done = subprocess.run([sys.executable, str(INSTALL)], capture_output=True, text=True, check=False)
    if done.returncode or not _installed(codes):
        pytest.skip(f"the browsers' code is not installed (make assets): {done.stderr.strip().splitlines()[-1]}")


def _installed(codes: tuple[BrowserCode, ...]) -> bool:
    folder = browser_assets()
    return folder is not None and all((folder / code.file).is_file() for code in codes)
