"""A hub with a genome and no tracks: opens in every browser, and only its tracks are missed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import py2bit
import pytest

from tests.hub.conftest import Build, Notes
from tests.hubs import LENGTHS
from tests.models import small_model
from trackgen.errors import DataError, UsageError
from trackgen.genome import open_genome, write_twobit
from trackgen.hub.bare import build_bare_hub
from trackgen.hub.built import read_built
from trackgen.hub.check import check_hub


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("model"), name="tss-mini", title="Starts").path


def test_nothing_is_missed_but_tracks(finished: Path, tmp_path: Path, notes: Notes, model: Path) -> None:
    report = build_bare_hub(tmp_path / "hub", finished / "mini.fa", [model], notes)
    assert report.path == tmp_path / "hub"
    assert report.tracks == ()
    assert [finding.rule for finding in check_hub(str(report.path)).findings] == ["TRACKS-NONE"]


def test_each_browser_has_the_genome(finished: Path, tmp_path: Path, notes: Notes, model: Path) -> None:
    hub = build_bare_hub(tmp_path / "hub", finished / "mini.fa", [model], notes).path
    assert dict(py2bit.open(str(hub / "mini.2bit")).chroms()) == LENGTHS
    igv, jbrowse = (json.loads((hub / name).read_text()) for name in ("igv.json", "config.json"))
    assert igv["reference"]["twoBitURL"] == "mini.2bit"
    assert igv["tracks"] == jbrowse["tracks"] == []
    assert jbrowse["assemblies"][0]["name"] == "mini"
    assert "twoBitPath mini.2bit" in (hub / "hub.txt").read_text()
    index = (hub / "index.html").read_text()
    assert "<h1>Starts</h1>" in index
    assert "0 tracks." in index
    assert read_built(hub, "").lengths == {"mini": LENGTHS}


def test_a_2bit_file_is_linked_and_fasta_written_with_a_note(
    finished: Path, tmp_path: Path, notes: Notes, model: Path
) -> None:
    with open_genome(finished / "mini.fa") as genome:
        write_twobit(genome, tmp_path / "mini.2bit")
    build_bare_hub(tmp_path / "hub", tmp_path / "mini.2bit", [model], notes)
    assert os.path.samefile(tmp_path / "mini.2bit", tmp_path / "hub" / "mini.2bit")
    assert not any("mini.2bit" in text for text in notes.texts)
    build_bare_hub(tmp_path / "hub", finished / "mini.fa", [model], notes)
    assert any("writing mini.2bit" in text for text in notes.texts)


def test_a_build_takes_the_place_of_a_hub_without_tracks(
    build: Build, finished: Path, tmp_path: Path, notes: Notes, model: Path
) -> None:
    build_bare_hub(tmp_path / "hub", finished / "mini.fa", [model], notes)
    assert len(build().tracks) == 4


def test_a_folder_of_others_and_a_file_that_is_no_genome_are_refused(
    finished: Path, tmp_path: Path, notes: Notes, model: Path
) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something that is not part of a trackgen hub") as refused:
        build_bare_hub(tmp_path / "hub", finished / "mini.fa", [model], notes)
    assert refused.value.exit_status == 2
    with pytest.raises(DataError) as error:
        build_bare_hub(tmp_path / "new", tmp_path / "hub" / "thesis.txt", [model], notes)
    assert error.value.exit_status == 3
    with pytest.raises(UsageError, match="no model is given"):
        build_bare_hub(tmp_path / "new", finished / "mini.fa", [], notes)
    assert not (tmp_path / "new").exists()
