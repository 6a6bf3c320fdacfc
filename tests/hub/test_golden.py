"""The text of a small hub, as a whole. After a wanted change: pytest --regold, then read the difference."""

from __future__ import annotations

from pathlib import Path

import pytest

import trackgen
from tests.hub.conftest import Build

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "hub"
ASSEMBLY = ["hub.txt", "groups.txt", "igv.json", "index.html", "hub.html", "trackgen.json", "tss_mini_sharp_minus.html"]
ASSEMBLY += ["tss_mini_sharp_plus_contrib.html", "igv.xml", "config.json", "washu.json", "tracks.ini"]
UCSC = ["hub.txt", "igv.json", "index.html", "igv.xml", "config.json", "washu.json", "tracks.ini"]
UCSC += ["igv.absolute.json", "igv.absolute.xml", "config.absolute.json", "washu.absolute.json"]
URL = "https://example.org/hubs/mini"


def compare(text: str, golden: Path, regold: bool) -> None:
    text = text.replace(trackgen.__version__, "VERSION")
    if regold:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.fixture
def no_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page must not depend on what is installed on this machine."""
    monkeypatch.setattr("trackgen.resources.browser_assets", lambda: None)


@pytest.mark.usefixtures("no_assets")
def test_an_assembly_hub(build: Build, regold: bool) -> None:
    folder = build().path
    for name in ASSEMBLY:
        compare((folder / name).read_text(encoding="utf-8"), GOLDEN / "assembly" / name, regold)


@pytest.mark.usefixtures("no_assets")
def test_a_track_hub_with_its_address(build: Build, regold: bool) -> None:
    folder = build(genome="hg38", url=URL).path
    for name in UCSC:
        compare((folder / name).read_text(encoding="utf-8"), GOLDEN / "ucsc" / name, regold)


def test_the_same_runs_give_the_same_bytes(build: Build, tmp_path: Path) -> None:
    one, two = build(output=tmp_path / "one").path, build(output=tmp_path / "two").path
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in two.iterdir())
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)
