"""``trackgen train denoise-paper`` from fragments to a model that scans, and the random search behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.learn.commands import run
from trackgen.card import read_card
from trackgen.errors import TrackgenError, UsageError
from trackgen.genome import open_signal
from trackgen.learn import random_search
from trackgen.learn.architectures.denoise_paper import draw_sizes
from trackgen.learn.datasets.stretches import BINS, CENTRE, FLANK, RESOLUTION, Pair, Places, StretchBatches
from trackgen.learn.fit import fit
from trackgen.learn.random_search import SearchOptions
from trackgen.learn.random_search import random_search as search
from trackgen.learn.saved import load_saved
from trackgen.learn.stretch_judging import judge_stretches
from trackgen.progress import NullProgress

LENGTHS = {"one": 131_010, "two": 60_003, "three": 27_777, "four": 9}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome, and fragments that crowd every 3,000 bases."""
    folder = tmp_path_factory.mktemp("paper")
    random = np.random.default_rng(5)
    text, lines = "", []
    for name, length in LENGTHS.items():
        text += f">{name}\n{'ACGT' * (length // 4)}{'A' * (length % 4)}\n"
        if length < 1000:
            continue
        starts = random.integers(0, length - 100, length // 40)
        crowded = random.integers(0, length // 3000, length // 20) * 3000 + random.integers(0, 300, length // 20)
        every = np.sort(np.concatenate([starts, crowded[crowded < length - 100]]))
        lines += [f"{name}\t{start}\t{start + 100}\n" for start in every]
    (folder / "genome.fa").write_text(text)
    (folder / "deep.bed").write_text("".join(lines))
    return folder


def words(world: Path, output: Path, *more: str) -> list[str | Path]:
    return [
        "train", "denoise-paper", "--deep", world / "deep.bed", "--genome", world / "genome.fa", "-o", output,
        "--validation", "two", "--test", "three", "--exclude", "four", "--draws", "2", "--epochs", "2", "--examples",
        "8", "--validation-examples", "4", "--test-examples", "5", "--batch-size", "4", "--threads", "1", "--data",
        "Made up.", "--seed", "20", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(world: Path) -> Path:
    result = run(*words(world, world / "hilbert"))
    assert result.exit_code == 0, result.output
    return world / "hilbert"


def test_training_ends_with_a_model_its_report_and_a_record_of_each_draw(trained: Path) -> None:
    card = read_card(trained / "model.onnx")
    assert (card.name, card.window, card.bin, card.stride) == ("hilbert", 102_400, 25_600, 25_600)
    (signal,), (output,) = card.inputs, card.outputs
    assert (signal.name, signal.kind, signal.resolution, signal.statistic) == ("atac", "signal", 25, "mean")
    assert (output.activation, output.resolution, output.role) == ("none", 25, "signal")
    assert [told.name for told in output.classes] == ["denoised"]
    recipe = card.training["signals"]["atac"]
    assert (recipe["measure"], recipe["scale"]) == ("coverage", "mean")
    assert len(card.training["caveats"]) == 3
    draws = [json.loads(line) for line in (trained / "search" / "draws.jsonl").read_text().splitlines()]
    assert [draw["sizes"]["width"] for draw in draws] == [sizes.width for sizes in draw_sizes("hilbert", 2, 20)]
    figures = json.loads((trained / "report" / "metrics.json").read_text())
    assert figures["validation"]["net"]["mse"] == pytest.approx(min(draw["validation_mse"] for draw in draws), rel=1e-4)
    text = (trained / "README.md").read_text()
    for part in ("Made up.", "## Random search", "## What it may invent", "| this net, test |", "train denoise-paper"):
        assert part in text
    assert not (trained / "search" / "checkpoint.pt").exists()


@pytest.mark.slow
def test_training_again_gives_the_same_model(world: Path, trained: Path) -> None:
    assert run(*words(world, world / "again", "--name", "hilbert")).exit_code == 0
    assert (world / "again" / "model.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


def windows(track: np.ndarray, length: int) -> Iterator[tuple[int, np.ndarray]]:  # type: ignore[type-arg,unused-ignore]
    """First base of each bin of a model, and what the model reads there, bin by bin."""
    for start in range(0, length, CENTRE * RESOLUTION):
        first = start - FLANK * RESOLUTION
        values = np.zeros(BINS * RESOLUTION)
        low, high = max(0, first), min(length, first + BINS * RESOLUTION)
        values[low - first : high - first] = track[low:high]
        yield start, values.reshape(BINS, RESOLUTION).mean(axis=1)


def test_a_scan_covers_the_whole_genome_with_what_the_net_tells_window_by_window(world: Path, trained: Path) -> None:
    signal = run("signal", world / "deep.bed", "--genome", world / "genome.fa", "-o", world / "low.bw", "--fraction",
                 "0.1", "--seed", "1001")  # fmt: skip
    assert signal.exit_code == 0, signal.output
    result = run("scan", trained / "model.onnx", world / "genome.fa", "--signal", f"atac={world / 'low.bw'}",
                 "-o", world / "scan")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads((world / "scan" / "run.json").read_text())["mode"] == {"hilbert": "window"}
    net = load_saved(trained / "model.pt").build()
    with open_signal(world / "low.bw") as low, open_signal(world / "scan" / "hilbert.denoised.bw") as told:
        for name, length in LENGTHS.items():
            track, denoised = (reader.values(name, 0, length) for reader in (low, told))
            for start, values in windows(np.nan_to_num(track), length):
                with torch.no_grad():
                    wanted = net(torch.from_numpy(values.astype(np.float32))[None, None])[0, 0].numpy()
                part = denoised[start : start + CENTRE * RESOLUTION]
                # every base has a value, to the last one of each sequence
                np.testing.assert_allclose(part, np.repeat(wanted, RESOLUTION)[: len(part)], atol=1e-4)
    assert (world / "scan" / "skipped.bed").read_text() == ""


def refused(*words: str | Path) -> tuple[int, str]:
    """Exit status and message of a command that fails."""
    error = run(*words).exception
    assert isinstance(error, TrackgenError)
    return error.exit_status, str(error)


def test_another_folder_of_results_and_bad_options_are_refused(world: Path, trained: Path, tmp_path: Path) -> None:
    status, text = refused(*words(world, trained))
    assert (status, "the output folder is not empty" in text) == (2, True)
    status, text = refused(*words(world, tmp_path / "x", "--net", "conv3d"))
    assert (status, "unknown kind of net; found conv3d; wanted conv1d" in text) == (2, True)
    status, text = refused(*words(world, tmp_path / "x", "--exclude", "three:2000-2010"))
    assert (status, "no stretch fits on the sequences" in text) == (3, True)
    assert not (tmp_path / "x").exists()


def test_a_search_of_other_options_is_not_gone_on_with(world: Path, trained: Path) -> None:
    status, text = refused(*words(world, trained, "--resume", "--epochs", "3"))
    assert (status, "the search was begun with another epochs; found 2; wanted 3" in text) == (2, True)
    status, text = refused(*words(world, trained, "--resume", "--learning-rate", "0.5"))
    assert (status, "the search was begun with another learning_rate" in text) == (2, True)
    status, text = refused(*words(world, trained, "--resume", "--pairing", "all"))
    assert (status, "the search was begun with another pairing" in text) == (2, True)
    status, text = refused(*words(world, trained, "--resume", "--draws", "1"))
    assert (status, "the search has more draws already" in text) == (2, True)


def batches(seed: int) -> StretchBatches:
    random = np.random.default_rng(seed)
    values = {"a": random.random(6000, np.float32)}
    return StretchBatches([Pair(values, values)], Places(("a",), np.array([[0, 0, 1500]])), 6, 3, seed, shuffled=True)


def test_a_search_that_is_stopped_anywhere_ends_as_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SearchOptions(net="conv1d", draws=2, epochs=2, seed=130)
    (tmp_path / "whole").mkdir()
    whole, net = search(batches(1), batches(2), options, tmp_path / "whole", NullProgress())
    for stop in (1, 2, 3):
        folder = tmp_path / str(stop)
        folder.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(random_search, "fit", _stopping(stop))
            with pytest.raises(KeyboardInterrupt):
                search(batches(1), batches(2), options, folder, NullProgress())
        draws, again = search(batches(1), batches(2), options, folder, NullProgress(), resume=True)
        assert draws == whole
        for name, value in net.state_dict().items():
            assert torch.equal(again.state_dict()[name], value)


class _Stop(NullProgress):
    """Ends a run by force after some epochs."""

    def __init__(self, left: list[int]) -> None:
        self.left = left

    def advance(self, amount: int) -> None:
        self.left[0] -= amount
        if self.left[0] == 0:
            raise KeyboardInterrupt


def _stopping(epochs: int) -> object:
    left = [epochs]

    def stopping(*values: object, **rest: object) -> object:
        return fit(*values, **{**rest, "progress": _Stop(left)})  # type: ignore[arg-type]

    return stopping


def test_figures_are_those_of_all_values_at_once() -> None:
    source = batches(3)

    class Half(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values[:, :, :CENTRE] / 2 + 0.1

    figures = judge_stretches(Half(), source)
    noisy = np.concatenate([values for (values,), _ in source.batches(0)])
    truth = np.concatenate([deep for _, deep in source.batches(0)]).astype(np.float64)
    told = (noisy[:, :, :CENTRE] / np.float32(2) + np.float32(0.1)).astype(np.float64)
    assert figures["bins"] == truth.size
    assert figures["net"]["mse"] == pytest.approx(((told - truth) ** 2).mean(), rel=1e-9)
    assert figures["net"]["explained"] == pytest.approx(1 - ((told - truth) ** 2).mean() / truth.var(), rel=1e-9)
    assert figures["net"]["pearson"] == pytest.approx(np.corrcoef(told.ravel(), truth.ravel())[0, 1], abs=1e-9)
    # input and target are the same values here
    assert figures["input"]["mse"] == pytest.approx(0, abs=1e-12)


def test_a_constant_truth_has_no_correlation() -> None:
    values = {"a": np.ones(6000, np.float32)}
    source = StretchBatches([Pair(values, values)], Places(("a",), np.array([[0, 0, 9]])), 2)
    net = torch.nn.Sequential(torch.nn.AvgPool1d(4))
    figures = judge_stretches(net, source)
    assert np.isnan(figures["net"]["pearson"])
    assert figures["net"]["mse"] == 0


def test_more_draws_are_gone_on_with(tmp_path: Path) -> None:
    one = SearchOptions(net="conv1d", draws=1, epochs=1, seed=130)
    two = SearchOptions(net="conv1d", draws=2, epochs=1, seed=130)
    first, _ = search(batches(1), batches(2), one, tmp_path, NullProgress())
    both, _ = search(batches(1), batches(2), two, tmp_path, NullProgress(), resume=True)
    assert both[:1] == first
    with pytest.raises(UsageError, match="begun with another net"):
        search(batches(1), batches(2), SearchOptions(net="conv2d", draws=2, epochs=1, seed=130), tmp_path,
               NullProgress(), resume=True)  # fmt: skip
