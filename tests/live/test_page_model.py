"""The graphs of a page, fed as its JavaScript does, give what Python predicts; other models are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import onnxruntime
import pytest

from tests.models import small_model
from trackgen.errors import ModelError
from trackgen.genome import Genome, open_genome, reverse_complement
from trackgen.live.page_model import NotForPages, PageModel, compile_for_page
from trackgen.resources import find_model
from trackgen.scan.opened import open_model

Codes = np.ndarray
CARD = {
    "schema_version": 1,
    "window": 20,
    "inputs": [{"name": "sequence", "kind": "sequence"}],
    "outputs": [{"name": "out", "activation": "sigmoid", "classes": [{"name": "hit"}]}],
}
CLOSE = {"rtol": 0, "atol": 1e-6}
"""Of probabilities and of logits near 1: what float32 sums of another order differ by."""


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    random = np.random.default_rng(1)
    one, other, short = ("".join(random.choice([*"ACGT"], count)) for count in (700, 411, 43))
    path.write_text(f">a\n{'N' * 20}{one}{'N' * 30}{other}\n>b\n{short}\n")
    return open_genome(path)


def text_model(folder: Path, name: str, nodes: str, weights: Mapping[str, np.ndarray]) -> Path:
    """A model of 20 bases, of nodes from `sequence` to `logits` (N, 1)."""
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]>\nnet (float[N, 4, 20] sequence) => (float[N, 1] out)\n'
        f"{{\n{nodes}\nout = Sigmoid(logits)\n}}"
    )
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, key) for key, value in weights.items())
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(CARD | {"name": name})
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


class Reader:
    """What trackgen-model-windows.js and trackgen-model-tracks.js do, in the fewest lines."""

    def __init__(self, model: PageModel) -> None:
        self.page: Mapping[str, Any] = model.entry["page"]
        self.entry = model.entry
        self.sessions = {
            kind: onnxruntime.InferenceSession(model.files[self.page[kind]["file"]], providers=["CPUExecutionProvider"])
            for kind in ("predictions", "contributions")
        }
        pad, tail = self.page["pad"], self.page["tail"]
        self.readings = {
            "both": [("+", False, pad), ("-", True, tail)],
            "average": [(".", False, pad), (".", True, pad)],
            "forward": [(".", False, pad)],
        }[self.page["strands"]]

    def _codes(self, genome: Genome, name: str, reading: tuple[str, bool, int], first: int, stop: int) -> Codes:
        _, reverse, before = reading
        begin = first * self.page["stride"] - before
        end = (stop - 1) * self.page["stride"] - before + self.page["window"]
        codes = genome.fetch(name, begin, end)
        return (reverse_complement(codes) if reverse else codes)[None]

    def strands(self, genome: Genome, name: str, first: int, stop: int) -> dict[str, list[np.ndarray]]:
        """Per strand, per output (K, windows)."""
        found: dict[str, list[list[np.ndarray]]] = {}
        for reading in self.readings:
            codes = self._codes(genome, name, reading, first, stop)
            names = [output["name"] for output in self.page["outputs"]]
            results = self.sessions["predictions"].run(names, {self.page["input"]: codes})
            for number, output in enumerate(self.page["outputs"]):
                if reading[1]:
                    results[number] = results[number][:, [entry["partner"] for entry in output["classes"]], ::-1]
            found.setdefault(reading[0], []).append([result[0] for result in results])
        return {strand: [np.mean(pair, axis=0) for pair in zip(*rows, strict=True)] for strand, rows in found.items()}

    def place(self, name: str) -> tuple[int, int]:
        return next(
            (output, index)
            for output, entry in enumerate(self.page["outputs"])
            for index, one in enumerate(entry["classes"])
            if one["name"] == name
        )

    def predict(self, genome: Genome, name: str) -> dict[str, np.ndarray]:
        """The tracks of a whole sequence, a value a base, NaN in gaps."""
        length, stride, offset = genome.lengths[name], self.page["stride"], self.page["offset"]
        first, stop = -offset // stride, (length - 1 - offset) // stride + 1
        strands = self.strands(genome, name, first, stop)
        windows = (np.arange(length) - offset) // stride - first
        known = genome.fetch(name, 0, length) != 4
        tracks = {}
        for track in self.entry["tracks"]:
            output, index = self.place(track["class"])
            tracks[track["name"]] = np.where(known, strands[track["strand"]][output][index][windows], np.nan)
        return tracks

    def explain(self, genome: Genome, name: str, weight: str) -> dict[str, np.ndarray]:
        """The contribution tracks of a whole sequence."""
        length, page = genome.lengths[name], self.page
        stride, offset, window = page["stride"], page["offset"], page["window"]
        first, stop = -offset // stride, (length - 1 - offset) // stride + 1
        strands = self.strands(genome, name, first, stop)
        known = genome.fetch(name, 0, length) != 4
        tracks = {}
        for track in self.entry["contributions"]:
            output, index = self.place(track["class"])
            weights = strands[track["strand"]][output][index] if weight == "probability" else np.ones(stop - first)
            readings = [reading for reading in self.readings if reading[0] == track["strand"]]
            values = [
                self._mean(genome, name, reading, (first, stop), (output, index), weights, (stride, window))
                for reading in readings
            ]
            tracks[track["name"]] = np.where(known, np.mean(values, axis=0), np.nan)
        return tracks

    def _mean(
        self,
        genome: Genome,
        name: str,
        reading: tuple[str, bool, int],
        windows: tuple[int, int],
        place: tuple[int, int],
        weights: np.ndarray,
        steps: tuple[int, int],
    ) -> np.ndarray:
        (output, index), (stride, window), slots = place, steps, self.page["contributions"]["slots"]
        slot = slots.index(self.page["outputs"][output]["name"])
        read = self.page["outputs"][output]["classes"][index]["partner"] if reading[1] else index
        classes, fed = np.zeros(len(slots), np.int64), np.zeros((len(slots), len(weights)), np.float32)
        classes[slot] = read
        fed[slot] = (weights[::-1] if reading[1] else weights) * 2.0**30
        codes = self._codes(genome, name, reading, *windows)
        feeds = {self.page["input"]: codes, "classes": classes, "weights": fed}
        (sums,) = self.sessions["contributions"].run([f"contributions.{slot}"], feeds)
        sums = (sums[::-1] if reading[1] else sums).astype(float) / 2.0**30
        counted = np.zeros(len(sums))
        for number, value in enumerate(weights):
            counted[number * stride : number * stride + window] += value
        begin = windows[0] * stride - reading[2]
        inside = slice(-begin, -begin + genome.lengths[name])
        with np.errstate(invalid="ignore"):
            return sums[inside] / counted[inside]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "average": small_model(
            folder, name="average", window=24, bin_=10, stride=3, strands="average",
            classes=("one", "other", "third"), reverse=True,
        ).path,
        "signal": small_model(
            folder, name="signal", window=21, bin_=2, stride=4, strands="both", activation="none", bases="AGCT"
        ).path,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["tss-yeast", "average", "signal"])
def test_graphs_fed_as_in_a_page_give_what_python_predicts(name: str, made: dict[str, Path], genome: Genome) -> None:
    path = made.get(name) or find_model(name)
    reader, model = Reader(compile_for_page(path)), open_model(path)
    for sequence in genome.names:
        wanted = model.predict(genome, sequence)
        found = reader.predict(genome, sequence)
        assert set(found) == set(wanted)
        for track, values in wanted.items():
            np.testing.assert_allclose(found[track], values, **CLOSE, err_msg=f"{sequence} {track}")


@pytest.mark.parametrize("weight", ["uniform", "probability"])
@pytest.mark.parametrize("name", ["tss-yeast", "average"])
def test_graphs_fed_as_in_a_page_give_the_contributions_of_python(
    name: str, weight: str, made: dict[str, Path], genome: Genome
) -> None:
    path = made.get(name) or find_model(name)
    reader, model = Reader(compile_for_page(path)), open_model(path)
    for sequence in genome.names:
        wanted = model.contributions(genome, sequence, "all", weight=weight)
        found = reader.explain(genome, sequence, weight)
        assert set(found) == set(wanted)
        for track, values in wanted.items():
            # Small probabilities have few digits in float32, and so have means that they weigh.
            np.testing.assert_allclose(found[track], values, rtol=0, atol=2e-5, err_msg=f"{sequence} {track}")


def test_an_entry_describes_the_model_and_names_its_files() -> None:
    model = compile_for_page(find_model("binding-yeast"))
    page = model.entry["page"]
    assert (page["pad"], page["tail"], page["offset"]) == (47, 48, 0)
    assert set(model.files) == {"binding-yeast.predictions.onnx", "binding-yeast.contributions.onnx"}
    assert page["predictions"] == {
        "file": "binding-yeast.predictions.onnx",
        "bytes": len(model.files["binding-yeast.predictions.onnx"]),
    }
    assert len(model.entry["classes"]) == len(model.entry["tracks"]) == 62
    assert model.entry["mode"] == "dense"
    assert page["card"]["name"] == "binding-yeast"


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (compile_for_page(find_model("tss-yeast")) for _ in range(2))
    assert first.files == second.files
    assert first.entry == second.entry


def test_a_model_that_reads_a_signal_is_refused() -> None:
    with pytest.raises(NotForPages) as caught:
        compile_for_page(find_model("reb1-yeast"))
    text = str(caught.value)
    assert "model reb1-yeast reads more than the sequence, and a page has nothing else" in text
    assert "found input atac (signal)" in text
    assert "trackgen serve HUB --model MODEL --genome GENOME" in text
    assert caught.value.exit_status == 4


def test_a_model_of_profiles_is_refused(tmp_path: Path) -> None:
    model = small_model(tmp_path, window=20, bin_=10, positions=5, activation="none")
    with pytest.raises(NotForPages, match=r"model small predicts profiles.* found output out; wanted one value"):
        compile_for_page(model.path)


def test_a_model_that_only_runs_as_windows_is_refused_with_the_reason(tmp_path: Path) -> None:
    weights = {"axis": np.array(2), "w": np.ones((80, 1), np.float32)}
    path = text_model(tmp_path, "sums", "c = CumSum(sequence, axis)\nf = Flatten(c)\nlogits = MatMul(f, w)", weights)
    with pytest.raises(NotForPages) as caught:
        compile_for_page(path)
    text = str(caught.value)
    assert "model sums only runs as windows, and a page runs dense graphs" in text
    assert "CumSum" in text
    assert "a sum from the window's first position on" in text
    assert "trackgen serve" in text


def test_a_model_too_large_is_refused_with_the_limit_and_its_size() -> None:
    size = compile_for_page(find_model("tss-yeast")).size
    with pytest.raises(NotForPages) as caught:
        compile_for_page(find_model("tss-yeast"), most_bytes=size - 1)
    assert "model tss-yeast is too large for a page; found 1.2 MB of graphs; wanted at most 1.17824 MB" in str(
        caught.value
    )
    assert compile_for_page(find_model("tss-yeast"), most_bytes=size).size == size


def test_a_model_without_rules_for_contributions_predicts_in_the_page(tmp_path: Path) -> None:
    weights = {"k": np.ones((3, 4, 5), np.float32), "w": np.ones((48, 1), np.float32)}
    nodes = "c = Conv(sequence, k)\nm = Softmax<axis = 1>(c)\nf = Flatten(m)\nlogits = MatMul(f, w)"
    entry = compile_for_page(text_model(tmp_path, "odd", nodes, weights)).entry
    assert entry["contributions"] == []
    assert "contributions" not in entry["page"]
    assert entry["note"].startswith("no contributions in a page: ")


def test_a_file_without_a_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"")
    with pytest.raises(ModelError):
        compile_for_page(tmp_path / "no.onnx")
