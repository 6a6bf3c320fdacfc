"""The plugins' READMEs, as a reader of the npm packages has them: without the repository around."""

from __future__ import annotations

import json
import re

import pytest

from tests.source import ROOT


@pytest.mark.parametrize("plugin", ["igv", "jbrowse"])
def test_links_lead_to_the_web_or_to_files_of_the_package(plugin: str) -> None:
    folder = ROOT / "plugins" / plugin
    links = re.findall(r"\]\(([^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    packed = {"README.md", "LICENSE", "package.json"} | set(json.loads((folder / "package.json").read_bytes())["files"])
    own = {link for link in links if not link.startswith("https://")}
    assert own, "a picture, at least"
    assert own <= packed
    assert all((folder / name).is_file() for name in own)


@pytest.mark.parametrize("plugin", ["igv", "jbrowse"])
def test_the_address_of_the_published_file_is_that_of_the_package(plugin: str) -> None:
    folder = ROOT / "plugins" / plugin
    package = json.loads((folder / "package.json").read_bytes())
    address = f"https://unpkg.com/{package['name']}/{package['main']}"
    assert address in (folder / "README.md").read_text(encoding="utf-8")
    assert (folder / package["main"]).is_file()
