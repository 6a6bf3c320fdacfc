"""``trackgen train denoise`` from files to files on a made-up genome, and the net, tiles and figures behind it."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyBigWig
import pytest
import torch
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.learn.commands import run
from trackgen.card import read_card
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.genome import Interval
from trackgen.genome.fragments import FragmentOptions, Fragments, load_fragments
from trackgen.learn.architectures.denoise import RESOLUTION, DenoiseLoss, Denoiser, SignalAndPeak
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.denoise import DeepData, DrawnTiles, EveryTile, Tile
from trackgen.learn.datasets.split import Split
from trackgen.learn.denoise_judging import judged_depths
from trackgen.learn.denoise_task import DenoiseOptions, _joined, fragment_options
from trackgen.runtime import open_session
from trackgen.signals import recipe_from_card

LENGTHS = {"one": 60_005, "two": 21_000, "three": 21_000}
APART = 1500
"""Bases between planted peaks, each of 400 bases."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sequences with a peak in every `APART` bases, over which lie four fifths of the fragments."""
    folder = tmp_path_factory.mktemp("denoise")
    random = np.random.default_rng(5)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    text, lines, peaks = "", [], []
    for name, length in LENGTHS.items():
        text += f">{name}\n{letters[random.integers(0, 4, length)].tobytes().decode()}\n"
        number = length // 4
        middles = (random.integers(0, length // APART, number) + 0.5) * APART + random.normal(0, 70, number)
        start = np.where(random.random(number) < 0.8, middles - 50, random.integers(0, length, number)).astype(int)
        start = np.sort(np.clip(start, 0, length - 200))
        lines += [
            f"{name}\t{at}\t{at + size}\n" for at, size in zip(start, random.integers(60, 200, number), strict=True)
        ]
        peaks += [f"{name}\t{at - 200}\t{at + 200}\n" for at in range(APART // 2, length - 200, APART)]
    (folder / "genome.fa").write_text(text)
    with gzip.open(folder / "deep.bed.gz", "wt") as file:
        file.writelines(lines)
    (folder / "peaks.bed").write_text("".join(peaks))
    return folder


def train(world: Path, output: Path, *more: str | Path) -> Result:
    return run(
        "train", "denoise", "--deep", world / "deep.bed.gz", "--genome", world / "genome.fa", "-o", output,
        "--peaks", world / "peaks.bed", "--validation", "two", "--test", "three", "--channels", "8",
        "--shallowest", "0.05", "--deepest", "0.3", "--name", "toys", "-t", "1", "-q", *more,
    )  # fmt: skip


HOW = ("--epochs", "6", "--batch-size", "2", "--data", "A made-up library.")


@pytest.fixture(scope="module")
def trained(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "toys"
    result = train(world, output, *HOW)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(output / "model.onnx")
    return output


def test_deep_fragments_train_a_model_with_its_card_and_report(trained: Path) -> None:
    card = read_card(trained / "model.onnx")
    assert (card.name, card.window, card.bin, card.stride, card.strands) == ("toys", 2690, 10, 10, "forward")
    assert [(entry.name, entry.activation, entry.role) for entry in card.outputs] == [
        ("signal", "none", "signal"), ("peak", "sigmoid", "probability"),
    ]  # fmt: skip
    recipe = recipe_from_card(card.training, "atac")
    assert recipe is not None
    assert (recipe.measure, recipe.scale) == ("coverage", "mean")
    assert recipe.depth is not None
    assert recipe.depth[1] == pytest.approx(0.3 * card.training["depth"], rel=1e-3)
    assert all(isinstance(sentence, str) for sentence in card.training["caveats"])
    assert card.training["held_out"] == ["three"]
    figures = json.loads((trained / "report" / "metrics.json").read_text())["judged"]
    assert card.classes[1].threshold == figures["threshold"]
    net, noisy = (figures["test"]["0.1"][name] for name in ("net", "noisy"))
    assert net["mse"] < noisy["mse"]
    assert net["auprc"] > noisy["auprc"]
    for name in ("README.md", "metrics.csv", *(f"report/{kind}.png" for kind in PICTURES)):
        assert (trained / name).stat().st_size > 0
    text = (trained / "README.md").read_text()
    assert "trackgen train denoise" in text
    assert "--deep deep.bed.gz" in text
    assert card.training["caveats"][0] in text


PICTURES = ("history", "precision_recall", "reliability", "depths")


def test_a_second_export_gives_the_same_model(trained: Path, tmp_path: Path) -> None:
    run("export", trained / "model.pt", "-o", tmp_path / "exported.onnx")
    assert (tmp_path / "exported.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


@pytest.mark.slow
def test_a_resumed_run_gives_the_same_model(trained: Path, world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "toys"
    shutil.copytree(trained, folder)
    (folder / "model.onnx").unlink()
    again = train(world, folder, *HOW, "--resume")
    assert again.exit_code == 0, again.output
    assert (folder / "model.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


def test_a_dense_scan_gives_what_windows_give_and_zeros_for_zeros(trained: Path, world: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    values = np.where(random.random(LENGTHS["three"]) < 0.1, random.gamma(1, 5, LENGTHS["three"]), 0)
    values[8_000:14_000] = 0
    with pyBigWig.open(str(tmp_path / "atac.bw"), "w") as file:
        file.addHeader(list(LENGTHS.items()))
        file.addEntries("three", 0, values=values.tolist(), span=1, step=1)
    tracks = {}
    for mode in ("dense", "window"):
        result = run("scan", trained / "model.onnx", world / "genome.fa", "-o", tmp_path / mode, "--chroms", "three",
                     "--signal", f"atac={tmp_path / 'atac.bw'}", "--mode", mode, "--device", "cpu", "-t", "1",
                     "-q")  # fmt: skip
        assert result.exit_code == 0, result.output
        for name in ("signal", "peak"):
            with pyBigWig.open(str(tmp_path / mode / f"toys.{name}.bw")) as track:
                tracks[mode, name] = track.values("three", 0, LENGTHS["three"], numpy=True)
    for name in ("signal", "peak"):
        # sums in another order: the last digits of float32, of the largest value where it is above 1
        scale = max(1.0, float(tracks["window", name].max()))
        np.testing.assert_allclose(tracks["dense", name], tracks["window", name], rtol=0, atol=1e-5 * scale)
        # what lies half a window inside the stretch without signal sees none of it
        np.testing.assert_allclose(tracks["dense", name][9_400:12_600], 0, rtol=0, atol=1e-9)
    assert tracks["dense", "signal"].max() > 0.1


@given(seed=st.integers(0, 2**31), size=st.sampled_from([1.0, 30.0]), kernels=st.sampled_from([0, 3]))
@settings(max_examples=20, deadline=None)
def test_no_signal_in_is_no_signal_and_no_peak_out_whatever_the_weights(seed: int, size: float, kernels: int) -> None:
    torch.manual_seed(seed)
    net = Denoiser(4, kernels)
    with torch.no_grad():
        for value in net.parameters():
            value.mul_(size)
        given = [torch.zeros(1, 1, net.window)]
        given += [torch.eye(4)[torch.randint(0, 4, (1, 10 * net.window))].transpose(1, 2)] if kernels else []
        signal, peak = SignalAndPeak(net, 1.0, 0.0)(*given)
    assert float(signal) == 0
    assert float(peak) < 1e-3


@given(seed=st.integers(0, 2**31), length=st.integers(0, 40), kernels=st.sampled_from([0, 3]))
@settings(max_examples=10, deadline=None)
def test_a_tile_is_its_windows_one_by_one(seed: int, length: int, kernels: int) -> None:
    torch.manual_seed(seed)
    net = Denoiser(4, kernels).eval()
    size = net.window + length
    signal = torch.rand(1, 1, size) * 5
    sequence = torch.eye(4)[torch.randint(0, 4, (1, 10 * size))].transpose(1, 2)
    with torch.no_grad():
        tile = net(signal, sequence) if kernels else net(signal)
        windows = [
            net(signal[:, :, at : at + net.window],
                *([sequence[:, :, 10 * at : 10 * (at + net.window)]] if kernels else []))
            for at in range(length + 1)
        ]  # fmt: skip
    assert tile.shape == (1, 2, length + 1)
    np.testing.assert_allclose(tile.numpy(), torch.cat(windows, dim=2).numpy(), rtol=1e-4, atol=1e-5)


def test_the_best_single_gaussian_is_among_what_the_net_can_say() -> None:
    net = Denoiser(4)
    with torch.no_grad():
        net.gates.bias.fill_(-30.0)  # type: ignore[union-attr]
        net.gates.bias[3] = float(np.log(np.expm1(1.0)))  # type: ignore[index]
        signal = torch.rand(1, 1, net.window)
        told = float(net(signal)[0, 0, 0])
    place = np.arange(net.window) - net.flank
    weights = np.exp(-0.5 * (place / 5.0) ** 2)
    assert told == pytest.approx(float((signal[0, 0].numpy() * weights).sum() / weights.sum()), rel=1e-5)


def test_the_loss_is_least_at_the_expectation_and_blind_to_bins_that_do_not_count() -> None:
    loss = DenoiseLoss(squared=1, poisson=1, pearson=0, peak=0)
    truth = torch.tensor([0.0, 0.0, 6.0, 2.0])
    target = torch.stack([truth, torch.zeros(4), torch.ones(4)])[None]
    losses = [float(loss(torch.full((1, 2, 4), value), target)) for value in (1.9, 2.0, 2.1)]
    assert losses[1] == min(losses)
    target[0, 2, 1] = 0
    output = torch.rand(1, 2, 4, generator=torch.Generator().manual_seed(1))
    other = output.clone()
    other[0, :, 1] = 99.0
    assert float(DenoiseLoss()(output, target)) == float(DenoiseLoss()(other, target))


def made_data(excluded: tuple[Interval, ...] = (), **more: Any) -> DeepData:
    """Random fragments on two sequences of 3,005 and 999 bases, and a peak on each."""
    random = np.random.default_rng(2)
    lengths = {"long": 3_005, "short": 999}
    codes = {name: random.integers(0, 5, length).astype(np.uint8) for name, length in lengths.items()}

    def fetch(name: str, start: int, end: int) -> np.ndarray:
        found = np.full(end - start, 4, np.uint8)
        low, high = max(0, start), min(lengths[name], end)
        found[low - start : high - start] = codes[name][low:high]
        return found

    fragments = {}
    for name, length in lengths.items():
        start = np.sort(random.integers(0, length - 150, length // 5))
        fragments[name] = Fragments(name, start, start + random.integers(1, 150, len(start)))
    peaks = [BedRow("long", 504, 796, 0, False, None), BedRow("short", 100, 200, 0, False, None)]
    split = Split(("long", "short"), ("long",), ("short",), ("short",))
    genome: Any = SimpleNamespace(lengths=lengths, fetch=fetch)
    return DeepData(genome, fragments, 2.0, peaks, split, excluded, **more)


@given(first=st.integers(-40, 320), bins=st.integers(1, 60), fraction=st.floats(0.01, 0.9), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_input_and_truth_of_a_tile_are_all_fragments_between_them(
    first: int, bins: int, fraction: float, seed: int
) -> None:
    data = made_data()
    noisy, truth = data.coverage(Tile("long", first, fraction, seed), first, bins)
    own = data.fragments["long"]
    depth = np.zeros(RESOLUTION * (bins + 1000))
    for start, end in zip(own.start, own.end, strict=True):
        # oracle: base by base, from 500 bins before the tile on
        depth[max(0, start - 10 * first + 5000) : max(0, end - 10 * first + 5000)] += 1
    expected = depth.reshape(-1, RESOLUTION).mean(axis=1)[500 : 500 + bins]
    expected[(np.arange(bins) + first < 0) | (np.arange(bins) + first >= 301)] = 0
    both = data.depth * (noisy * fraction + truth * (1 - fraction))
    np.testing.assert_allclose(both, expected, rtol=1e-5, atol=1e-5)


def test_a_tile_reads_the_same_whatever_its_borders() -> None:
    data = made_data()
    whole = data.coverage(Tile("long", 0, 0.3, 7), 0, 301)
    part = data.coverage(Tile("long", 100, 0.3, 7), 100, 50)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[100:150], other)


def test_excluded_bins_read_nothing_and_do_not_count() -> None:
    data = made_data((Interval("long", 1005, 1100),))
    (signal,), targets = data.batch([Tile("long", 90, 0.5, 1)], 40, 10, [False])
    counts = targets[0, 2]
    assert counts[:10].all()
    assert not counts[10:20].any()
    assert counts[20:].all()
    assert not signal[0, 0, 20:30].any()
    assert data.peak_bins("train") == 30
    assert data.number("train") < len(data.fragments["long"].start)


def test_a_turned_tile_is_the_reverse_complement() -> None:
    data = made_data(with_sequence=True)
    tiles = [Tile("short", -5, 0.5, 3)] * 2
    (signal, sequence), targets = data.batch(tiles, 50, 4, [False, True])
    np.testing.assert_array_equal(signal[1], signal[0, :, ::-1])
    np.testing.assert_array_equal(sequence[1], sequence[0, ::-1, ::-1])
    np.testing.assert_array_equal(targets[1], targets[0, :, ::-1])
    assert not sequence[0, :, :90].any()


def test_epochs_are_thinned_anew_and_the_same_epoch_is_the_same() -> None:
    data = made_data()
    source = DrawnTiles(data, 4, (0.01, 0.5), 10, seed=1, bins=64, batch_size=2)
    first, again, other = (list(source.batches(epoch)) for epoch in (0, 0, 1))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0][0], two[0][0])
    assert not np.array_equal(first[0][0][0], other[0][0][0])
    assert sum(len(targets) for _, targets in first) >= 5
    assert sum(len(targets) for _, targets in DrawnTiles(data, 4, (0.1, 0.5), 3, 1, 64, 2).batches(0)) == 3


def test_every_tile_holds_every_bin_once_and_a_cap_spreads_them() -> None:
    data = made_data()
    tiles = EveryTile(data, 4, ("long", "short"), (0.1, 0.5), 9, bins=64)
    assert sum(float(targets[:, 2].sum()) for _, targets in tiles.batches(0)) == 2 * (301 + 100)
    few = EveryTile(data, 4, ("long", "short"), (0.1,), 9, most=3, bins=64).tiles
    assert [(tile.name, tile.first) for tile in few] == [("long", 0), ("long", 128), ("long", 256)]


def test_no_limit_of_length_is_said_as_trackgen_signal_says_it() -> None:
    path = Path("deep.bed")
    for longest, limit in ((0, None), (2000, 2000)):
        options = DenoiseOptions(path, (path,), path, ("two",), ("three",), longest=longest)
        assert fragment_options(options) == FragmentOptions(longest=limit)


def test_several_files_are_one(world: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((world / "deep.bed.gz").read_bytes()).decode().splitlines(keepends=True)
    for name, rows in (("a.bed", lines[::2]), ("b.bed", lines[1::2])):
        (tmp_path / name).write_text("".join(rows))
    whole = load_fragments(world / "deep.bed.gz", LENGTHS, FragmentOptions())
    parts = _joined([load_fragments(tmp_path / name, LENGTHS, FragmentOptions()) for name in ("a.bed", "b.bed")])
    for name, own in whole.items():
        np.testing.assert_array_equal(parts[name].start, own.start)
        rows = [sorted(zip(some.start, some.end, strict=True)) for some in (parts[name], own)]
        assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("depths", "judged"),
    [((0.01, 0.5), (0.01, 0.05, 0.1, 0.25, 0.5)), ((0.1, 0.3), (0.1, 0.17, 0.3)), ((0.04, 0.3), (0.05, 0.1, 0.25))],
)
def test_the_depths_that_are_judged_lie_within_the_range(depths: Any, judged: Any) -> None:
    assert judged_depths(depths) == judged


@pytest.mark.slow
def test_a_model_that_reads_the_sequence_is_exported_with_both_inputs(world: Path, tmp_path: Path) -> None:
    result = train(world, tmp_path / "toys", "--sequence", "--epochs", "1", "--tiles", "2", "--input", "cuts")
    assert result.exit_code == 0, result.output
    card = read_card(tmp_path / "toys" / "model.onnx")
    assert [(entry.name, entry.kind) for entry in card.inputs] == [("cuts", "signal"), ("sequence", "sequence")]
    assert card.strands == "average"
    assert list(card.training["signals"]) == ["cuts"]
    assert "it must not be used to ask what a sequence does" in (tmp_path / "toys" / "README.md").read_text()
    session = open_session((tmp_path / "toys" / "model.onnx").read_bytes(), device="cpu", threads=1,
                           path_for_messages=tmp_path)  # fmt: skip
    zeros = {"cuts": np.zeros((2, 1, 269), np.float32), "sequence": np.zeros((2, 4, 2690), np.float32)}
    for value in session.run(zeros, ["signal", "peak"]):
        assert np.abs(value).max() < 1e-9


@pytest.mark.parametrize(
    ("options", "text", "status"),
    [
        (["--shallowest", "0.5", "--deepest", "0.1"], "wanted 0 < shallowest < deepest < 1", 2),
        (["--deepest", "1"], "--shallowest 0.05 and --deepest 1", 2),
        (["--exclude", "two:1-20,000", "--exclude", "two:20,001-21,000"],
         "all of the validation part is excluded; found two", 3),
        (["--exclude", "three:1-20,500"], "there are too few fragments in the test part", 3),
        (["--validation", "nowhere"], "the validation sequence nowhere is not in the genome", 2),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_told_before_a_folder_is_made(
    world: Path, tmp_path: Path, options: list[str], text: str, status: int
) -> None:
    refused = train(world, tmp_path / "out", *options)
    assert isinstance(refused.exception, TrackgenError)
    assert text in str(refused.exception)
    assert refused.exception.exit_status == status
    assert not (tmp_path / "out").exists()


def test_too_few_fragments_are_told_with_both_numbers(world: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((world / "deep.bed.gz").read_bytes()).decode().splitlines(keepends=True)
    (tmp_path / "few.bed").write_text("".join(lines[::4]))
    words = ("--validation", "two", "--test", "three", "--peaks", world / "peaks.bed", "-o", tmp_path / "alone")
    alone = run("train", "denoise", "--deep", tmp_path / "few.bed", "--genome", world / "genome.fa", *words)
    assert isinstance(alone.exception, DataError)
    assert "there are too few fragments in the train part; found 3,7" in str(alone.exception)
    assert "wanted at least 10,000" in str(alone.exception)
    assert not (tmp_path / "alone").exists()


def test_peaks_that_miss_validation_and_another_genome_are_told(world: Path, tmp_path: Path) -> None:
    (tmp_path / "peaks.bed").write_text("one\t500\t900\nthree\t500\t900\n")
    refused = train(world, tmp_path / "out", "--peaks", tmp_path / "peaks.bed")
    assert isinstance(refused.exception, DataError)
    assert "there is no peak in the validation part; found none on two" in str(refused.exception)
    (tmp_path / "other.fa").write_text(">one\n" + "ACGT" * 100 + "\n>two\nACGT\n>three\nACGT\n")
    wrong = run("train", "denoise", "--deep", world / "deep.bed.gz", "--genome", tmp_path / "other.fa", "-o",
                tmp_path / "out", "--peaks", world / "peaks.bed", "--validation", "two", "--test", "three")  # fmt: skip
    assert isinstance(wrong.exception, DataError)
    assert "the fragment does not lie on its sequence" in str(wrong.exception)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_another_run_is_refused(trained: Path, world: Path) -> None:
    refused = train(world, trained)
    assert isinstance(refused.exception, UsageError)
    assert "the output folder is not empty" in str(refused.exception)


def test_without_peaks_and_without_macs3_the_extra_is_named(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    refused = run("train", "denoise", "--deep", world / "deep.bed.gz", "--genome", world / "genome.fa", "-o",
                  tmp_path / "out", "--validation", "two", "--test", "three")  # fmt: skip
    assert isinstance(refused.exception, UsageError)
    assert "trackgen[peaks]" in str(refused.exception)
    assert not (tmp_path / "out").exists()
