"""denoise-atac-yeast: a valid card, honest figures, and the values that it had when it was made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data import data_file
from trackgen.card import Card, read_card
from trackgen.genome import Interval, open_genome
from trackgen.genome.fragments import FragmentOptions, load_fragments
from trackgen.learn.datasets.denoise import DeepData, EveryTile
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import one_hot
from trackgen.resources import exported_models
from trackgen.runtime import open_session
from trackgen.signals import recipe_from_card, usual_depth

GOLDEN = Path(__file__).parent.parent / "golden" / "learn"
NAME = "denoise-atac-yeast"
WINDOW, BINS = 2690, 269
SEED = 77


@pytest.fixture(scope="module")
def model() -> Path:
    return exported_models() / NAME / "model.onnx"


@pytest.fixture(scope="module")
def card(model: Path) -> Card:
    return read_card(model)


def told(model: Path, signal: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
    """Both outputs of windows: float32[n] each."""
    session = open_session(model, device="cpu", threads=1)
    given = {"atac": np.ascontiguousarray(signal[:, None, :], np.float32), "sequence": one_hot(codes)}
    signal, peak = session.run(given, ["signal", "peak"])
    return {"signal": signal[:, 0], "peak": peak[:, 0]}


def windows() -> tuple[np.ndarray, np.ndarray]:
    """Nothing; one fragment; a heap of them; the same on unknown bases; a flat signal; a heap that is elsewhere."""
    codes = np.tile(np.random.default_rng(3).choice(4, WINDOW, p=(0.31, 0.19, 0.19, 0.31)).astype(np.uint8), (6, 1))
    codes[3] = 4
    signal = np.zeros((6, BINS), np.float32)
    signal[1, 129:139] = 2.8
    signal[2:4, 120:148] = 14
    signal[4] = 1
    signal[5, 20:48] = 14
    return signal, codes


def test_the_shipped_model_gives_the_values_it_had_when_it_was_made(model: Path, regold: bool) -> None:
    found = told(model, *windows())
    path = GOLDEN / f"{NAME}.json"
    if regold:
        rows = {name: [float(f"{value:.6g}") for value in values] for name, values in found.items()}
        path.write_text(json.dumps(rows, indent=1) + "\n")
    for name, expected in json.loads(path.read_text()).items():
        # sums of float32 in another order
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-6)


def test_nothing_in_is_nothing_out_and_a_heap_is_a_peak(model: Path) -> None:
    found = told(model, *windows())
    assert found["signal"][0] == 0
    assert found["peak"][0] < 1e-9
    # unknown bases say nothing against it; random ones do
    assert found["signal"][3] > found["signal"][2] > found["signal"][1] > found["signal"][5]
    assert found["peak"][3] > 0.5 > found["peak"][2] > found["peak"][1] > found["peak"][5]


def test_the_card_is_complete_and_the_test_chromosomes_are_held_out(card: Card, model: Path) -> None:
    assert (card.name, card.license, card.strands) == (NAME, "MIT", "average")
    assert (card.window, card.bin, card.stride) == (WINDOW, 10, 10)
    assert [(entry.name, entry.activation, entry.role) for entry in card.outputs] == [
        ("signal", "none", "signal"), ("peak", "sigmoid", "probability"),
    ]  # fmt: skip
    assert card.training["assembly"] == "sacCer3"
    assert card.training["held_out"] == ["chrIV", "chrXVI"]
    assert card.training["split"]["validation"] == ["chrVII"]
    recipe = recipe_from_card(card.training, "atac")
    assert recipe is not None
    assert recipe.depth == pytest.approx((0.0356, 1.78), rel=0.01)
    text = (model.parent / "README.md").read_text()
    assert "trackgen train denoise" in text
    assert "/tmp" not in text
    for sentence in card.training["caveats"]:
        assert sentence in text


def test_the_card_says_that_it_beats_smoothing_at_a_tenth_of_the_fragments(card: Card) -> None:
    for part in ("validation", "test"):
        figures = card.training["metrics"][part]["0.1"]
        for other in ("noisy", "gaussian"):
            assert figures["net"]["mse"] < figures[other]["mse"]
            assert figures["net"]["pearson"] > figures[other]["pearson"]
            assert figures["net"]["auprc"] > figures[other]["auprc"]
    assert card.classes[1].threshold == card.training["thresholds"]["peak"]["threshold"]


def test_it_beats_its_input_on_a_stretch_of_a_test_chromosome(model: Path) -> None:
    path = data_file("yeast_atac/yeast_500k_SRR1822137.bedpe.gz")
    with open_genome(data_file("genome_yeast/sacCer3.2bit")) as genome:
        fragments = load_fragments(path, genome.lengths, FragmentOptions())
        masked = (Interval("chrXII", 450_999, 469_500),)
        split = Split(genome.names, ("chrI",), ("chrVII",), ("chrIV",))
        depth = usual_depth(fragments, genome.lengths, masked)
        data = DeepData(genome, fragments, depth, (), split, masked, with_sequence=True)
        source = EveryTile(data, BINS // 2, ("chrIV",), (0.1,), SEED, most=12, bins=200, batch_size=1)
        own, raw = 0.0, 0.0
        for (signal, sequence), target in source.batches(0):
            bins = np.lib.stride_tricks.sliding_window_view(signal[0, 0], BINS)
            bases = np.lib.stride_tricks.sliding_window_view(sequence[0], WINDOW, axis=1)[:, ::10].swapaxes(0, 1)
            session = open_session(model, device="cpu", threads=1)
            given = {"atac": np.ascontiguousarray(bins[:, None]), "sequence": np.ascontiguousarray(bases)}
            (found,) = session.run(given, ["signal"])
            noisy, truth = bins[:, BINS // 2], target[0, 0]
            own += float(np.mean((found[:, 0] - truth) ** 2))
            raw += float(np.mean((noisy - truth) ** 2))
    assert own < 0.85 * raw
