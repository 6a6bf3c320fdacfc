"""The data hub of the WashU Epigenome Browser, which is not at hand: its words are those of its documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hub.made import GENES, HOSTILE, LONG, made_hub, relabelled
from trackgen.hub.washu import render_washu

# twlab/eg3, docs/docs/datahub/track_properties.md
PROPERTIES = {"type", "name", "url", "showOnHubLoad", "metadata", "details", "options"}
OPTIONS = {"color", "color2", "height", "yScale", "yMin", "yMax", "aggregateMethod"}


@pytest.fixture
def run(finished: Path) -> Path:
    return finished / "out"


def tracks(text: str) -> dict[str, Any]:
    return {track["url"]: track for track in json.loads(text)}


def test_every_word_is_one_of_the_documentation(run: Path) -> None:
    for track in tracks(render_washu(made_hub(run, genes=GENES, motifs=True).genomes[0])).values():
        assert set(track) <= PROPERTIES
        assert set(track["options"]) <= OPTIONS
        assert track["type"] in ("bigwig", "dynseq", "bigbed")
        assert track["options"].get("aggregateMethod", "MAX") in ("MAX", "MEAN")
        # Else the browser only lists it.
        assert track["showOnHubLoad"] is True


def test_roles_decide_type_scale_and_summary(run: Path) -> None:
    found = tracks(render_washu(made_hub(run, genes=GENES, motifs=True).genomes[0]))
    prediction, letters = found["tss-mini.sharp.plus.bw"], found["tss-mini.sharp.plus.contrib.bw"]
    assert (prediction["type"], letters["type"]) == ("bigwig", "dynseq")
    assert (prediction["options"]["aggregateMethod"], letters["options"]["aggregateMethod"]) == ("MAX", "MEAN")
    assert prediction["options"]["color"] == "rgb(200,30,30)"
    assert [letters["options"][key] for key in ("yScale", "yMin", "yMax")] == ["fixed", -0.8, 0.6]
    assert {found["genes.bb"]["type"], found["motifs_mini.bb"]["type"]} == {"bigbed"}


def test_the_order_is_the_hubs(run: Path) -> None:
    genome = made_hub(run, genes=GENES, motifs=True).genomes[0]
    assert list(tracks(render_washu(genome))) == ["genes.bb", *(track.file for track in genome.files)]


def test_addresses_start_with_the_base(run: Path) -> None:
    genome = made_hub(run, genes=GENES, motifs=True).genomes[0]
    base = "https://example.org/hub/"
    assert list(tracks(render_washu(genome, base))) == [base + url for url in tracks(render_washu(genome))]


@pytest.mark.parametrize("text", [HOSTILE, LONG, ""])
def test_labels_of_any_kind_are_strings_and_change_nothing_else(run: Path, text: str) -> None:
    hub = made_hub(run, motifs=True)
    wild = tracks(render_washu(relabelled(hub, text).genomes[0]))
    for url, track in tracks(render_washu(hub.genomes[0])).items():
        assert wild[url]["name"] == f"tss-mini: {text}"
        assert (wild[url]["type"], wild[url]["options"]) == (track["type"], track["options"])
