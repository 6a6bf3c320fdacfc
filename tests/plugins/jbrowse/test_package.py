"""The plugin as a package: what npm would publish, and that all places name one version."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.plugins.jbrowse.conftest import PLUGIN
from tests.source import ROOT
from trackgen import resources

UMD = PLUGIN / "trackgen-jbrowse.js"


def read(name: str) -> dict[str, object]:
    return dict(json.loads((PLUGIN / name).read_text(encoding="utf-8")))


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_would_publish_the_plugin_and_what_explains_it_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run(
        ["npm", "pack", "--dry-run", "--json", "--ignore-scripts"],
        cwd=PLUGIN,
        env={"PATH": f"{Path(shutil.which('npm') or '').parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    # A list before npm 12, by name since.
    (package,) = answer if isinstance(answer, list) else answer.values()
    assert {file["path"] for file in package["files"]} == {
        "LICENSE",
        "README.md",
        "letters.png",
        "package.json",
        "store-entry.json",
        "trackgen-jbrowse-live.js",
        "trackgen-jbrowse.js",
    }


def test_all_places_name_the_same_version_and_file() -> None:
    package, entry = read("package.json"), read("store-entry.json")
    scripts = [UMD, PLUGIN / "trackgen-jbrowse-live.js"]
    (version,) = {re.search(r'const VERSION = "([^"]+)"', path.read_text(encoding="utf-8"))[1] for path in scripts}  # type: ignore[index]
    assert package["version"] == version
    assert entry["versions"] == [{"pluginVersion": version, "jbrowseRange": ">=1.5.3"}]
    assert {package[key] for key in ("main", "unpkg", "jsdelivr")} == {entry["umdPath"]} == {UMD.name}
    assert entry["packageName"] == package["name"]
    assert package["jbrowse-plugin"] == {"name": entry["name"]}
    assert f"root.JBrowsePlugin{entry['name']} = " in UMD.read_text(encoding="utf-8")


def test_the_licence_is_that_of_the_project() -> None:
    assert (PLUGIN / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_pinned_versions_are_those_that_the_readme_states() -> None:
    pinned = set(read("test/versions.json")) - {"react@18.3.1", "react-dom@18.3.1"}
    rows = re.findall(r"^\| `(@jbrowse/[^`]+)`[^|]*\| (.*) \|$", (PLUGIN / "README.md").read_text("utf-8"), re.M)
    stated = {f"{name}@{version.strip('* ')}" for name, versions in rows for version in versions.split(",")}
    assert stated == pinned


def test_the_code_is_quiet_and_touches_no_document() -> None:
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", UMD.read_text(encoding="utf-8"), flags=re.S)
    assert re.findall(r"console\.|\bdocument\b|\bwindow\b|\beval\b|require\(", code.replace("jbrequire(", "")) == []


def test_the_resources_know_the_file() -> None:
    assert resources.browser_plugins()[UMD.name].read_bytes() == UMD.read_bytes()


def test_the_picture_has_the_size_that_the_store_asks_for_and_shows_letters() -> None:
    picture = np.asarray(Image.open(PLUGIN / "letters.png").convert("RGB")).astype(int)
    assert picture.shape == (200, 800, 3)
    for color in ((76, 175, 80), (33, 150, 243), (255, 152, 0), (244, 67, 54)):
        assert (np.abs(picture - color).max(axis=2) < 40).sum() > 100
