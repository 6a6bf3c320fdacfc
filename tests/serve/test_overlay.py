"""Files in memory over the folder, and pages that load the browsers' code from where it really is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.serve.conftest import Ask, asker
from trackgen.resources import IGV_JS, JBROWSE, ONNX_RUNTIME
from trackgen.serve import Overlay, absent_browsers, create_app

PAGE = '<div data-igv="{}" data-igv-public="{}"></div><p>\u00fc "data-igv"</p>'
GENES = b"chrI\t10\t20\tABC1\n" * 100


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of assets with both browsers in it."""
    folder = tmp_path / "assets"
    folder.mkdir()
    for code in (IGV_JS, JBROWSE):
        (folder / code.file).write_text(f"{code.title} as installed")
        (folder / code.licence).write_text("MIT")
    (folder / "other.js").write_text("not for hubs")
    monkeypatch.setattr("trackgen.serve.overlay.browser_assets", lambda: folder)
    return folder


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trackgen.serve.overlay.browser_assets", lambda: None)


@pytest.fixture
def page(root: Path) -> Path:
    path = root / "index.html"
    path.write_text(PAGE.format(f"./{IGV_JS.file}", IGV_JS.address))
    (root / "jbrowse.html").write_text(f'<div data-jbrowse="{JBROWSE.address}"></div>')
    return path


def test_code_that_the_hub_lacks_comes_from_the_machine(ask: Ask, page: Path, installed: Path) -> None:
    page.write_text(PAGE.format(IGV_JS.address, IGV_JS.address))
    assert ask("GET", "/").text == PAGE.format(f"./{IGV_JS.file}", IGV_JS.address)
    assert ask("GET", "/jbrowse.html").text == f'<div data-jbrowse="./{JBROWSE.file}"></div>'
    assert ask("GET", f"/{IGV_JS.file}").text == "igv.js as installed"
    assert ask("GET", f"/{IGV_JS.file}").headers["content-type"].startswith("text/javascript")
    assert ask("GET", f"/below/{JBROWSE.licence}").text == "MIT"
    assert ask("GET", "/other.js").status_code == 404


def test_the_hubs_own_code_wins(ask: Ask, root: Path, page: Path, installed: Path) -> None:
    (root / IGV_JS.file).write_text("the hub's")
    assert ask("GET", f"/{IGV_JS.file}").text == "the hub's"


@pytest.mark.usefixtures("not_installed")
def test_code_that_is_nowhere_here_is_loaded_from_its_public_address(ask: Ask, root: Path, page: Path) -> None:
    assert ask("GET", "/").text == PAGE.format(IGV_JS.address, IGV_JS.address)
    assert ask("GET", f"/{IGV_JS.file}").status_code == 404
    assert absent_browsers(root) == (IGV_JS, JBROWSE)


@pytest.mark.usefixtures("not_installed")
def test_code_in_the_hub_needs_none_on_the_machine(ask: Ask, root: Path, page: Path) -> None:
    for code in (IGV_JS, JBROWSE):
        (root / code.file).write_text("the hub's")
    assert ask("GET", "/").text == page.read_text()
    assert absent_browsers(root) == ()


@pytest.mark.usefixtures("not_installed")
def test_code_for_a_page_that_the_hub_has_not_is_not_missed(root: Path, page: Path) -> None:
    (root / "jbrowse.html").unlink()
    assert absent_browsers(root) == (IGV_JS,)


def test_a_hub_with_models_in_it_gets_their_runtime_from_the_machine(
    ask: Ask, root: Path, page: Path, installed: Path
) -> None:
    (root / "live.json").write_text("{}")
    (root / "live.html").write_text(PAGE.format(IGV_JS.address, IGV_JS.address))
    assert absent_browsers(root) == (ONNX_RUNTIME,)
    for name in ONNX_RUNTIME.files:
        (installed / name).write_text(name)
    assert absent_browsers(root) == ()
    types = [ask("GET", f"/{name}").headers["content-type"] for name in (ONNX_RUNTIME.file, *ONNX_RUNTIME.others)]
    assert types == ["text/javascript; charset=utf-8"] * 2 + ["application/wasm"]
    assert ask("GET", "/live.html").text == PAGE.format(f"./{IGV_JS.file}", IGV_JS.address)


@pytest.mark.parametrize("address", ["https://example.org/igv.js", "../shared/igv.esm.min.js", ""])
def test_an_address_that_somebody_chose_stays(ask: Ask, page: Path, installed: Path, address: str) -> None:
    page.write_text(PAGE.format(address, IGV_JS.address))
    assert f'data-igv="{address}"' in ask("GET", "/").text


def test_a_page_that_is_no_text_is_sent_as_it_is(ask: Ask, page: Path) -> None:
    page.write_bytes(b"\xff\xfe data-igv=\x00")
    assert ask("GET", "/").content == b"\xff\xfe data-igv=\x00"


def test_pages_say_when_they_have_not_changed(ask: Ask, page: Path) -> None:
    tag = ask("GET", "/").headers["etag"]
    assert ask("GET", "/", If_None_Match=tag).status_code == 304
    page.write_text("another")
    assert ask("GET", "/", If_None_Match=tag).text == "another"


@pytest.fixture
def ask_over(root: Path) -> Ask:
    """Requests to a server with genes in memory and a configuration that is edited on its way out."""
    (root / "igv.json").write_text('{"tracks": [{"id": "a"}]}')
    (root / "genes.bed").write_text("of the folder")

    def add(text: bytes) -> bytes:
        config = json.loads(text)
        return json.dumps({"tracks": [{"id": "genes"}, *config["tracks"]]}).encode()

    return asker(create_app(root, overlay=Overlay({"genes.bed": GENES}, {"igv.json": add})))


def test_files_in_memory_win_and_are_served_in_ranges(ask_over: Ask) -> None:
    whole = ask_over("GET", "/genes.bed")
    assert (whole.status_code, whole.content) == (200, GENES)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["access-control-allow-origin"] == "*"
    part = ask_over("GET", "/genes.bed", Range="bytes=5-14")
    assert (part.status_code, part.content) == (206, GENES[5:15])
    assert part.headers["content-range"] == f"bytes 5-14/{len(GENES)}"
    assert part.headers["content-length"] == "10"
    assert ask_over("GET", "/genes.bed", Range=f"bytes={len(GENES)}-").status_code == 416
    assert ask_over("GET", "/genes.bed", Range="bytes=9-5").content == GENES
    assert ask_over("GET", "/genes.bed", Range="bytes=0-1,5-6").content == GENES
    head = ask_over("HEAD", "/genes.bed", Range="bytes=0-9")
    assert (head.content, head.headers["content-length"]) == (b"", "10")


def test_a_part_of_a_file_that_has_changed_meanwhile_is_not_sent(ask_over: Ask) -> None:
    answer = ask_over("GET", "/genes.bed", Range="bytes=0-1", If_Range='"older"')
    assert (answer.status_code, answer.content) == (200, GENES)


def test_files_in_memory_are_at_the_top_only(ask_over: Ask) -> None:
    assert ask_over("GET", "/below/genes.bed").status_code == 404


def test_a_configuration_gets_its_tracks_on_the_way_out(ask_over: Ask, root: Path) -> None:
    assert ask_over("GET", "/igv.json").json() == {"tracks": [{"id": "genes"}, {"id": "a"}]}
    (root / "igv.json").write_text('{"tracks": []}')
    assert ask_over("GET", "/igv.json").json() == {"tracks": [{"id": "genes"}]}


@pytest.mark.parametrize("text", ["", "{", "\u00fc{", "[]", "{}", '{"tracks": 1}'])
def test_a_configuration_that_is_none_is_sent_as_it_is(ask_over: Ask, root: Path, text: str) -> None:
    (root / "igv.json").write_text(text)
    assert ask_over("GET", "/igv.json").text == text


def test_of_two_overlays_the_upper_ones_files_win_and_its_edits_come_last(root: Path) -> None:
    lower = Overlay({"a.txt": b"lower", "b.txt": b"lower"}, {"index.html": lambda text: text + b" lower"})
    upper = Overlay({"a.txt": b"upper"}, {"index.html": lambda text: text + b" upper", "hub.txt": lambda _: b"edited"})
    ask = asker(create_app(root, overlay=lower.over(Overlay())))
    assert ask("GET", "/").text == "<title>small</title> lower"
    ask = asker(create_app(root, overlay=upper.over(lower)))
    assert ask("GET", "/a.txt").text == "upper"
    assert ask("GET", "/b.txt").text == "lower"
    assert ask("GET", "/hub.txt").text == "edited"
    # A folder's address stands for its index.
    for address in ("/", "/index.html"):
        assert ask("GET", address).text == "<title>small</title> lower upper"
