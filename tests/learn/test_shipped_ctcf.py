"""binding-ctcf-human: a valid card, honest figures, and the values that it had when it was made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data import data_file
from tests.source import ROOT
from trackgen.card import Card, read_card
from trackgen.genome import open_genome, reverse_complement
from trackgen.learn.datasets.windows import one_hot
from trackgen.resources import exported_models
from trackgen.runtime import open_session

GOLDEN = Path(__file__).parent.parent / "golden" / "learn"
NAME = "binding-ctcf-human"
SITE = "CCGCCAGGGGGCGCTG"  # the middle of CTCF's motif
CELLS = ("HepG2", "H1-hESC")


@pytest.fixture(scope="module")
def model() -> Path:
    return exported_models() / NAME / "model.onnx"


@pytest.fixture(scope="module")
def card(model: Path) -> Card:
    return read_card(model)


def windows() -> np.ndarray:
    random = np.random.default_rng(300)
    codes = random.integers(0, 4, (8, 300)).astype(np.uint8)
    site = np.array(["ACGT".index(letter) for letter in SITE], dtype=np.uint8)
    codes[0, 140:156], codes[1, 60:76], codes[2, 200:216] = site, site, reverse_complement(site)
    codes[6, 100:200], codes[7] = 4, 4
    return codes


def test_the_shipped_model_gives_the_values_it_had_when_it_was_made(model: Path, regold: bool) -> None:
    session = open_session(model, device="cpu", threads=1)
    (found,) = session.run({"sequence": one_hot(windows())}, ["binding"])
    path = GOLDEN / f"{NAME}.json"
    if regold:
        path.write_text(json.dumps([[float(f"{v:.8g}") for v in row] for row in found.tolist()], indent=1) + "\n")
    # relative to each value, since most probabilities are tiny; float32 sums in another order differ by 1e-5
    np.testing.assert_allclose(found, json.loads(path.read_text()), rtol=1e-3, atol=0)
    assert found[:3].min() > 10 * found[3:].max()


def test_both_strands_of_a_window_have_one_value(model: Path) -> None:
    session = open_session(model, device="cpu", threads=1)
    flipped = np.stack([reverse_complement(row) for row in windows()])
    (ahead,) = session.run({"sequence": one_hot(windows())}, ["binding"])
    (back,) = session.run({"sequence": one_hot(flipped)}, ["binding"])
    # float32 sums in another order, seen through a logit: most probabilities are tiny
    np.testing.assert_allclose(ahead, back, rtol=2e-3)


def test_the_card_is_complete_and_chromosome_22_is_held_out(card: Card, model: Path) -> None:
    assert (card.name, card.license, card.strands) == (NAME, "MIT", "forward")
    assert (card.window, card.bin, card.stride) == (300, 200, 50)
    assert (card.outputs[0].activation, card.outputs[0].role) == ("sigmoid", "probability")
    assert card.training["assembly"] == "hg19"
    assert card.training["held_out"] == ["chr22"]
    assert not {"chr20", "chr22"} & set(card.training["chromosomes"].replace(",", " ").split())
    assert not set(card.training["cells"]["seen"]) & set(CELLS)
    assert "shuffles" in card.training["data"]
    chosen = card.training["thresholds"]["bound"]
    assert card.classes[0].threshold == chosen["threshold"]
    assert min(chosen["validation"]["precision"], chosen["validation"]["recall"]) > 0.3
    # at the optimum of the calibration the sum of probabilities is the number of bound bins
    assert card.training["calibration"]["sum"] == pytest.approx(card.training["calibration"]["bound"], rel=1e-3)
    assert model.stat().st_size < 2 << 20


@pytest.mark.parametrize("cell", CELLS)
def test_on_chromosome_22_of_a_cell_type_it_never_saw_it_beats_the_motif(card: Card, cell: str) -> None:
    net, motif = (card.training["metrics"][cell][name] for name in ("net", "motif"))
    for area in ("auroc", "auprc"):
        assert net[area]["value"] > motif[area]["value"], area


def test_the_readme_agrees_with_the_card_and_the_record(card: Card) -> None:
    text = (exported_models() / NAME / "README.md").read_text()
    record = json.loads((ROOT / "docs" / "benchmarks" / "binding" / "ctcf-human.json").read_text())
    assert text.startswith(f"# {NAME}: {card.title}")
    assert f"The threshold {card.classes[0].threshold:g} has" in text
    assert record["threshold"] == card.classes[0].threshold
    for cell in CELLS:
        for name in ("net", "motif"):
            shown = record["judged"][cell][name]["auprc"]
            assert card.training["metrics"][cell][name]["auprc"]["value"] == pytest.approx(shown["value"], rel=1e-4)
            assert f"{shown['value']:.3f} ({shown['low']:.3f}-{shown['high']:.3f})" in text
    assert "/work" not in text


@pytest.mark.data
def test_sites_of_chromosome_22_score_above_what_lies_beside_them(model: Path) -> None:
    """Summits of the strongest HepG2 peaks against places 2,000 bp away."""
    lines = data_file("human_hg19/dream_peaks/TF_conservative.chr20_chr22_part.narrowPeak_plus_cell.gz")
    import gzip

    with gzip.open(lines, "rt") as file:
        rows = [line.split() for line in file]
    peaks = [row for row in rows if (row[0], row[3], row[10]) == ("chr22", "CTCF", "HepG2")]
    strongest = sorted(peaks, key=lambda row: -float(row[6]))[:60]
    summits = [int(row[1]) + int(row[9]) for row in strongest]
    session = open_session(model, device="cpu", threads=1)
    with open_genome(data_file("human_hg19/hg19_chr20_chr22_part.fa.gz")) as genome:
        codes = [[genome.fetch("chr22", at + away - 150, at + away + 150) for at in summits] for away in (0, 2000)]
    on, beside = (session.run({"sequence": one_hot(np.array(part))}, ["binding"])[0][:, 0] for part in codes)
    assert np.mean(on > beside) > 0.9
