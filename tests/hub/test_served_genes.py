"""Genes over a hub that was built without them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hub.conftest import Build
from trackgen.errors import DataError
from trackgen.hub.served_genes import genes_over

BED = "chrI\t29000\t31000\tABC1\t0\t+\nchrII\t100\t900\tXYZ9\t0\t-\n"


@pytest.fixture
def genes(tmp_path: Path) -> Path:
    path = tmp_path / "mine.bed"
    path.write_text(BED)
    return path


def edited(hub: Path, genes: Path, name: str) -> dict:
    return json.loads(genes_over(hub, genes).edits[name]((hub / name).read_bytes()))


def test_a_hub_with_served_genes_is_as_one_that_was_built_with_them(build: Build, tmp_path: Path, genes: Path) -> None:
    plain, built = build().path, build(output=tmp_path / "with", genes=[genes]).path
    before = {path.name: path.read_bytes() for path in plain.iterdir()}
    over = genes_over(plain, genes)
    assert edited(plain, genes, "igv.json") == json.loads((built / "igv.json").read_text())
    for name, content in over.files.items():
        assert (built / name).read_bytes() == content, name
    wanted = json.loads((built / "config.json").read_text())
    found = edited(plain, genes, "config.json")
    assert found["aggregateTextSearchAdapters"] == wanted["aggregateTextSearchAdapters"]
    assert [track["trackId"] for track in found["tracks"]] == [track["trackId"] for track in wanted["tracks"]]
    opened = [config["defaultSession"]["views"][0]["init"]["tracks"] for config in (found, wanted)]
    assert set(opened[0]) == set(opened[1])
    assert {path.name: path.read_bytes() for path in plain.iterdir()} == before


def test_served_genes_take_the_place_of_those_that_were_built_in(build: Build, tmp_path: Path, genes: Path) -> None:
    hub = build(genes=[genes]).path
    other = tmp_path / "other.bed"
    other.write_text("chrI\t5\t50\tONLY\t0\t+\n")
    names = [track["trackId"] for track in edited(hub, other, "config.json")["tracks"]]
    assert names.count("genes") == 1
    assert len(edited(hub, other, "config.json")["aggregateTextSearchAdapters"]) == 1
    assert [track["id"] for track in edited(hub, other, "igv.json")["tracks"]].count("genes") == 1
    assert genes_over(hub, other).files["genes.bed"].startswith(b"chrI\t5\t50\tONLY\t")


def test_the_note_says_what_was_read(build: Build, genes: Path) -> None:
    assert genes_over(build().path, genes).note == "mine.bed: 2 genes"


def test_genes_of_another_genome_and_hubs_of_others_are_refused(build: Build, tmp_path: Path, genes: Path) -> None:
    hub = build().path
    other = tmp_path / "other.bed"
    other.write_text("scaffold_9\t5\t50\tONLY\t0\t+\n")
    with pytest.raises(DataError, match=r"other\.bed"):
        genes_over(hub, other)
    (hub / "trackgen.json").write_text('{"tracks": []}')
    with pytest.raises(DataError, match="Build the hub again"):
        genes_over(hub, genes)


def test_a_configuration_of_another_shape_cannot_be_changed(build: Build, genes: Path) -> None:
    edits = genes_over(build().path, genes).edits
    for edit in edits.values():
        with pytest.raises(ValueError, match="list of tracks"):
            edit(b"[]")
