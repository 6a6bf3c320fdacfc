"""binding-yeast: a valid card, honest figures, and the values that it had when it was made."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pytest

from tests.data import data_file
from tests.source import ROOT
from trackgen.card import Card, read_card
from trackgen.genome import open_genome, reverse_complement
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.factors import centres_by_factor, no_nearer_than
from trackgen.learn.datasets.windows import Sites, one_hot, read_windows
from trackgen.learn.metrics import auroc
from trackgen.resources import exported_models
from trackgen.runtime import open_session

GOLDEN = Path(__file__).parent.parent / "golden" / "learn"
NAME = "binding-yeast"
WINDOW = 105
SITES = {"Reb1": "TTACCCGGAT", "Mbp1": "AACGCGTTTT", "Gcn4": "ATGACTCATT"}


@pytest.fixture(scope="module")
def model() -> Path:
    return exported_models() / NAME / "model.onnx"


@pytest.fixture(scope="module")
def card(model: Path) -> Card:
    return read_card(model)


def windows() -> np.ndarray:
    random = np.random.default_rng(105)
    codes = np.tile(random.choice(4, WINDOW, p=(0.31, 0.19, 0.19, 0.31)).astype(np.uint8), (6, 1))
    for row, site in zip(codes, SITES.values(), strict=False):
        row[48:58] = ["ACGT".index(letter) for letter in site]
    codes[4, :40] = codes[5, 100:] = 4
    return codes


def scores(model: Path, codes: np.ndarray) -> np.ndarray:
    (found,) = open_session(model, device="cpu", threads=1).run({"sequence": one_hot(codes)}, ["binding"])
    return np.asarray(found)


def test_the_shipped_model_gives_the_values_it_had_when_it_was_made(model: Path, card: Card, regold: bool) -> None:
    found = scores(model, windows())
    path = GOLDEN / f"{NAME}.json"
    if regold:
        rows = [json.dumps([float(f"{v:.6g}") for v in row]) for row in found.tolist()]
        path.write_text("[\n " + ",\n ".join(rows) + "\n]\n")
    # relative to each value, since most probabilities are tiny, though in steps of float32 at 1; sums in another order
    # differ by 1e-5
    np.testing.assert_allclose(found, json.loads(path.read_text()), rtol=1e-3, atol=3e-7)
    names = [entry.name for entry in card.classes]
    for row, name in enumerate(SITES):
        own = found[:, names.index(name)]
        assert own[row] > 2 * np.delete(own, row).max(), name


def test_both_strands_of_a_window_have_one_value(model: Path) -> None:
    ahead, back = (scores(model, codes) for codes in (windows(), np.stack([reverse_complement(w) for w in windows()])))
    # float32 sums in another order, seen through a logit: most probabilities are tiny, in steps of float32 at 1
    np.testing.assert_allclose(ahead, back, rtol=2e-3, atol=3e-7)


def test_the_card_is_complete_and_the_test_chromosomes_are_held_out(card: Card, model: Path) -> None:
    assert (card.name, card.license, card.strands) == (NAME, "MIT", "forward")
    assert (card.window, card.bin, card.stride) == (WINDOW, 10, 10)
    assert (card.outputs[0].activation, card.outputs[0].role) == ("sigmoid", "probability")
    assert card.training["assembly"] == "sacCer3"
    assert card.training["held_out"] == ["chrIV", "chrXVI"]
    assert card.training["split"]["validation"] == ["chrVII"]
    assert not {"chrIV", "chrVII", "chrXVI", "chrM"} & set(card.training["split"]["train"])
    assert len(card.classes) >= 40
    assert {*SITES, "Mcm1", "Fkh1", "Cin5", "Swi4"} <= {entry.name for entry in card.classes}
    for entry in card.classes:
        assert entry.threshold == card.training["thresholds"][entry.name]["threshold"]
    assert model.stat().st_size < 3 << 20


def test_the_readme_agrees_with_the_card(card: Card) -> None:
    text = (exported_models() / NAME / "README.md").read_text()
    assert text.startswith(f"# {NAME}: {card.title}")
    for name, entry in card.training["metrics"].items():
        own = f"| {entry['peak_auroc']:.3f} | {entry['auroc']:.3f} | {entry['auprc']:.3f} |"
        assert any(line.startswith(f"| {name} |") and line.endswith(own) for line in text.splitlines()), name
    assert "trackgen train factors" in text
    assert "/work" not in text
    assert "/tmp" not in text


def test_the_record_is_of_the_shipped_factors_and_ahead_of_motifs_and_kmers_in_the_median(card: Card) -> None:
    record = json.loads((ROOT / "docs" / "benchmarks" / "binding" / "yeast.json").read_text())
    factors = record["factors"]
    assert list(factors) == [entry.name for entry in card.classes]
    assert record["seeds"][0] == card.training["seed"]
    assert len(record["seeds"]) == 5
    for rival in ("motif", "kmer_lr"):
        both = [(statistics.fmean(e["random"]["net"]), e["random"][rival]) for e in factors.values()]
        mine, other = (statistics.median(column) for column in zip(*both, strict=True))
        assert mine > other, rival
    assert record["scan_seconds"] < 120


@pytest.mark.data
def test_peaks_of_a_test_chromosome_stand_out_as_the_card_says(model: Path, card: Card) -> None:
    names = [entry.name for entry in card.classes]
    with open_genome(data_file("genome_yeast/sacCer3.2bit")) as genome:
        centres = centres_by_factor(read_peaks(data_file("yeast_tf/rossi2021_chexmix.sacCer3.bed.gz"), genome.lengths))
        random = np.random.default_rng(4)
        number = genome.names.index("chrXVI")

        def at(position: np.ndarray) -> Sites:
            count = len(position)
            return Sites(genome.names, np.full(count, number, np.int32), position, np.zeros(count, dtype=np.bool_))

        anywhere = at(random.integers(0, genome.lengths["chrXVI"], 1000))
        others = scores(model, read_windows(genome, anywhere, WINDOW))
        for name in ("Reb1", "Cin5", "Mbp1"):
            column = names.index(name)
            own = scores(model, read_windows(genome, at(centres[name]["chrXVI"]), WINDOW))[:, column]
            unbound = others[no_nearer_than(anywhere, centres[name]) > 150, column]
            truth = np.repeat([True, False], [len(own), len(unbound)])
            found = auroc(truth, np.concatenate([own, unbound]))
            # one chromosome of two, and fewer windows from anywhere
            assert found == pytest.approx(card.training["metrics"][name]["peak_auroc"], abs=0.06), name
