"""Dense scans: what they choose, what they refuse, and that they give what windows give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.conftest import Trackgen
from tests.models import small_model
from tests.scan.test_values import random_sequence, read_track, write_fasta
from trackgen.card import card_of, load_model, read_card
from trackgen.errors import SelfCheckError, UsageError
from trackgen.graph import CompilerFault, compile_dense
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.modes import choose_mode, choose_run, choose_threading, choose_tile

HEADER = '<ir_version: 8, opset_import: ["" : 17]> net (float[N, 4, {window}] sequence) => (float[N, 2] out)'
NORMALISED = """wide = Conv(sequence, kernel) [norm] even = InstanceNormalization(wide, gain, bias)
pooled = ReduceMax<axes = [2], keepdims = 0>(even) out = Softmax<axis = 1>(pooled)"""
PADDED = """[same] wide = Conv<pads = [2, 2]>(sequence, kernel) pooled = ReduceMax<axes = [2], keepdims = 0>(wide)
out = Softmax<axis = 1>(pooled)"""


class Told(NullProgress):
    """Keeps what a user is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def model_of(folder: Path, name: str, body: str, window: int = 20, strands: str = "forward") -> Path:
    """A model of `body` with the card of a small one."""
    plain = small_model(folder, name=name, window=window, strands=strands)
    model = onnx.parser.parse_model(f"{HEADER.format(window=window)} {{ {body} }}")
    kernel = np.random.default_rng(0).normal(0, 1, (2, 4, 5)).astype(np.float32)
    weights = {"kernel": kernel, "gain": np.ones(2, np.float32), "bias": np.zeros(2, np.float32)}
    weights["far"] = np.array(3000, np.float32)
    for key in [key for key in weights if key in body]:
        model.graph.initializer.append(onnx.numpy_helper.from_array(weights[key], key))
    model.metadata_props.extend(onnx.load(str(plain.path)).metadata_props)
    plain.path.write_bytes(model.SerializeToString())
    return plain.path


def window_model(folder: Path) -> Path:
    """A model that normalises over the positions of a window: only windows can run it."""
    return model_of(folder, "normalised", NORMALISED)


def genome(folder: Path, length: int = 900) -> tuple[Path, dict[str, str]]:
    sequences = {"chr1": random_sequence(np.random.default_rng(3), length)}
    return write_fasta(folder / "g.fa", sequences), sequences


def run(model: Path, fasta: Path, out: Path, **fields: object) -> tuple[dict[str, object], list[str]]:
    told = Told()
    run_scan(ScanOptions((str(model),), fasta, out, digits="full", **fields), told)  # type: ignore[arg-type]
    return json.loads((out / "run.json").read_text()), told.notes


def test_a_model_that_can_runs_densely_by_itself(tmp_path: Path) -> None:
    fasta, _ = genome(tmp_path)
    record, notes = run(small_model(tmp_path).path, fasta, tmp_path / "out")
    assert record["mode"] == {"small": "dense"}
    assert not any("window by window" in note for note in notes)
    assert record["checks"]["windows"]["n"] > 0  # type: ignore[index]


def test_a_model_that_can_not_runs_windows_and_says_so_once(tmp_path: Path) -> None:
    fasta, _ = genome(tmp_path)
    record, notes = run(window_model(tmp_path), fasta, tmp_path / "out", tile=100)
    assert record["mode"] == {"normalised": "window"}
    assert [note for note in notes if "window by window" in note] == [
        "normalised runs window by window: node norm (InstanceNormalization): it normalises over positions, and so "
        "mixes the whole window into each of them"
    ]


def test_dense_mode_asked_for_and_impossible_is_an_error(trackgen: Trackgen, tmp_path: Path) -> None:
    fasta, _ = genome(tmp_path)
    result = trackgen("scan", window_model(tmp_path), fasta, "-o", "out", "--mode", "dense")
    assert result.returncode == 4
    assert all(
        words in result.stderr for words in ("normalised.onnx", "node norm (InstanceNormalization)", "positions")
    )
    assert not (tmp_path / "out" / "run.json").exists()


def test_windows_asked_for_are_run_and_give_the_same_values(tmp_path: Path) -> None:
    fasta, sequences = genome(tmp_path)
    model = small_model(tmp_path, strands="both").path
    record, notes = run(model, fasta, tmp_path / "windows", mode="window")
    assert record["mode"] == {"small": "window"}
    assert not any("window by window" in note for note in notes)
    run(model, fasta, tmp_path / "dense", mode="dense")
    for strand in ("plus", "minus"):
        one, other = (read_track(tmp_path / way / f"small.hit.{strand}.bw", sequences) for way in ("windows", "dense"))
        # float32 sums in another order
        np.testing.assert_allclose(one["chr1"], other["chr1"], rtol=0, atol=1e-6)


def test_a_padded_model_runs_densely_where_that_pays(tmp_path: Path) -> None:
    fasta, sequences = genome(tmp_path)
    model = model_of(tmp_path, "padded", PADDED, 120, "both")
    record, notes = run(model, fasta, tmp_path / "dense")
    assert record["mode"] == {"padded": "dense"}
    run(model, fasta, tmp_path / "windows", mode="window")
    for strand in ("plus", "minus"):
        tracks = [tmp_path / way / f"padded.hit.{strand}.bw" for way in ("windows", "dense")]
        one, other = (read_track(track, sequences)["chr1"] for track in tracks)
        # float32 sums in another order
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    record, notes = run(model, fasta, tmp_path / "far", stride=100)
    assert record["mode"] == {"padded": "window"}
    assert [note for note in notes if "window by window" in note and "at stride 100 shared work" in note]


def test_another_mode_is_another_run(trackgen: Trackgen, tmp_path: Path) -> None:
    fasta, _ = genome(tmp_path)
    model = small_model(tmp_path).path
    assert trackgen("scan", model, fasta, "-o", "out").returncode == 0
    result = trackgen("scan", model, fasta, "-o", "out", "--mode", "window")
    assert result.returncode == 2
    assert "it ran model small in dense mode, this command in window mode" in result.stderr
    assert "tiles" not in result.stderr


@pytest.mark.parametrize("most", [None, 7, 1])
def test_regions_far_apart_give_the_values_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    """However many windows a run of the tile graph holds."""
    monkeypatch.setattr("trackgen.scan.plan.choose_run", lambda compiled, device: most)
    fasta, sequences = genome(tmp_path, 3000)
    model = small_model(tmp_path, bin_=5, stride=3, strands="both").path
    run(model, fasta, tmp_path / "all")
    run(model, fasta, tmp_path / "some", regions=("chr1:100-103 chr1:150-160 chr1:2000-2100",))
    whole, some = (read_track(tmp_path / way / "small.hit.minus.bw", sequences)["chr1"] for way in ("all", "some"))
    covered = ~np.isnan(some)
    assert covered.sum() > 50
    np.testing.assert_array_equal(some[covered], whole[covered])
    run(model, fasta, tmp_path / "windows", mode="window")
    windows = read_track(tmp_path / "windows" / "small.hit.minus.bw", sequences)["chr1"]
    # float32 sums in another order
    np.testing.assert_allclose(whole, windows, rtol=0, atol=1e-6)


def test_a_dense_graph_that_is_wrong_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check runs windows beside the tile graph: weights that changed on the way must not pass."""
    fasta, _ = genome(tmp_path)
    path = small_model(tmp_path).path

    def compile_wrongly(model: onnx.ModelProto, card: object, stride: int, device: str = "cpu", **form: bool) -> object:
        (bias,) = [entry for entry in model.graph.initializer if entry.name == "second_bias"]
        shifted = onnx.numpy_helper.to_array(bias) + np.array([0, 1e-3], np.float32)
        bias.CopyFrom(onnx.numpy_helper.from_array(shifted, "second_bias"))
        return compile_dense(model, card, stride, device, **form)  # type: ignore[arg-type]

    for module in ("modes", "trial"):
        monkeypatch.setattr(f"trackgen.scan.{module}.compile_dense", compile_wrongly)
    with pytest.raises(SelfCheckError, match=r"comes out differently in dense mode.*--mode window") as caught:
        run(path, fasta, tmp_path / "out", mode="dense")
    assert caught.value.exit_status == 1
    assert not (tmp_path / "out" / "run.json").exists()
    record, notes = run(path, fasta, tmp_path / "out")
    assert record["mode"] == {"small": "window"}
    assert [note for note in notes if "other values" in note and "please report" in note]


def test_a_stride_far_beyond_the_window_runs_windows(tmp_path: Path) -> None:
    """A dense graph would compute thousands of windows for each one that is wanted."""
    path = small_model(tmp_path).path
    card = read_card(path)
    assert choose_mode(path, card, 1, "auto").name == "dense"
    far = choose_mode(path, card, 100_000, "auto")
    assert far.name == "window"
    assert "100,000" in far.reason
    assert choose_mode(path, card, 100_000, "dense").name == "dense"


def test_tiles_are_chosen_by_graph_and_device(tmp_path: Path) -> None:
    path = small_model(tmp_path, window=200).path
    model = load_model(path)
    narrow = compile_dense(model, card_of(model, path), 1)
    sizes = {device: choose_tile([narrow], device) for device in ("cpu", "cuda")}
    assert sizes["cpu"] < sizes["cuda"]
    assert all(size & (size - 1) == 0 for size in sizes.values())
    assert choose_tile([None], "cpu") == 32_768
    assert choose_tile([narrow, None], "cpu") == sizes["cpu"]
    path = model_of(tmp_path, "padded", PADDED, 200)
    padded = compile_dense(load_model(path), read_card(path), 1)
    assert padded.edges
    runs = {device: choose_run(padded, device) for device in ("cpu", "cuda")}
    widest = max(edge.floats for edge in padded.edges)
    assert all(runs[device] is not None for device in runs)
    assert runs["cpu"] * widest * 4 <= 8 << 20  # type: ignore[operator]
    assert runs["cpu"] < runs["cuda"]  # type: ignore[operator]


def test_runs_stay_in_a_cores_cache(tmp_path: Path) -> None:
    path = small_model(tmp_path, window=200).path
    every, far = (compile_dense(load_model(path), read_card(path), stride) for stride in (1, 50))
    few, many = choose_run(far, "cpu"), choose_run(every, "cpu")
    assert few is not None
    assert many is not None
    assert 4 * 200 / 50 <= few < many
    assert choose_run(every, "cuda") is None


def test_threads_go_to_tiles_first() -> None:
    assert choose_threading("cpu", 8, 100) == choose_threading("cpu", 8, 8)
    assert (choose_threading("cpu", 8, 100).tiles_at_once, choose_threading("cpu", 8, 100).threads_each) == (8, 1)
    assert (choose_threading("cpu", 8, 2).tiles_at_once, choose_threading("cpu", 8, 2).threads_each) == (2, 4)
    assert choose_threading("cuda", 8, 100).tiles_at_once == 1


def test_a_fault_of_the_compiler_runs_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fasta, _ = genome(tmp_path)
    path = small_model(tmp_path).path

    def fail(*arguments: object, **options: object) -> None:
        raise CompilerFault("lower", "nonsense", "sense")

    monkeypatch.setattr("trackgen.scan.modes.compile_dense", fail)
    record, notes = run(path, fasta, tmp_path / "out")
    assert record["mode"] == {"small": "window"}
    assert [note for note in notes if "please report" in note and "'lower'" in note]
    with pytest.raises(CompilerFault, match=r"small.onnx.*nonsense"):
        choose_mode(path, read_card(path), 1, "dense")


def test_a_mode_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = small_model(tmp_path).path
    with pytest.raises(UsageError, match=r"--mode.*no such mode.*foo.*auto, dense, window"):
        choose_mode(path, read_card(path), 1, "foo")  # type: ignore[arg-type]
