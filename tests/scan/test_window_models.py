"""Models that can only run window by window: a scan gives what ONNX Runtime gives for every window alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx import numpy_helper

from tests.oracles import Window, one_hot, track_at_every_base
from tests.scan.test_values import random_sequence, read_track, write_fasta
from trackgen.errors import ModelError
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, run_scan

HEADER = '<ir_version: 8, opset_import: ["" : 17]> net (float[N, 4, {window}] sequence) => (float[N, 2] out)'


def hilbert(order: int) -> np.ndarray:
    """(4**order,): for each pixel of a square, row by row, the place of the curve that visits it.

    The recursion of a Hilbert curve: four half-sized curves, the first and the last turned over a diagonal.
    """
    square = np.zeros((1, 1), np.int64)
    for _ in range(order):
        quarter = square.size
        lower = np.hstack([square.T, np.rot90(square, 2).T + 3 * quarter])
        upper = np.hstack([square + quarter, square + 2 * quarter])
        square = np.vstack([lower, upper])
    return square.ravel()


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass(frozen=True)
class Net:
    """ONNX text, weights by shape (drawn) or value, and what dense mode says of it: the op that it names."""

    body: str
    weights: Mapping[str, tuple[int, ...] | np.ndarray]
    window: int
    op: str
    activation: str = "softmax"


NETS = {
    "danq": Net(
        """[conv] c = Conv(sequence, k, kb) [relu] r = Relu(c) [pool] p = MaxPool<kernel_shape = [4], strides = [4]>(r)
        [turn] t = Transpose<perm = [2, 0, 1]>(p)
        [lstm] y, h, s = LSTM<direction = "bidirectional", hidden_size = 5>(t, x, w, b)
        [back] u = Transpose<perm = [2, 0, 1, 3]>(y) [flat] f = Reshape(u, shape) [dense] d = Gemm(f, g, gb)
        [act] a = Relu(d) [last] l = Gemm(a, o) [head] out = Sigmoid(l)""",
        {"k": (8, 4, 9), "kb": (8,), "x": (2, 20, 8), "w": (2, 20, 5), "b": (2, 40), "shape": ints(0, -1),
         "g": (130, 8), "gb": (8,), "o": (8, 2)},
        60, "LSTM|Transpose", "sigmoid",
    ),
    "gru": Net(
        """[turn] t = Transpose<perm = [2, 0, 1]>(sequence) [gru] y, h = GRU<hidden_size = 6>(t, x, w)
        [drop] s = Squeeze(h, zero) [last] l = Gemm(s, o) [head] out = Softmax(l)""",
        {"x": (1, 18, 4), "w": (1, 18, 6), "zero": ints(0), "o": (6, 2)}, 40, "GRU|Transpose",
    ),
    "hilbert": Net(
        """[curve] h = Gather<axis = 2>(sequence, order) [fold] q = Reshape(h, square)
        [conv] c = Conv<strides = [3, 3]>(q, k) [relu] r = Relu(c) [two] d = Conv(r, m) [top] g = GlobalMaxPool(d)
        [flat] f = Flatten(g) [last] l = Gemm(f, o) [head] out = Softmax(l)""",
        {"order": hilbert(6), "square": ints(0, 4, 64, 64), "k": (3, 4, 3, 3), "m": (4, 3, 3, 3), "o": (4, 2)},
        4096, "Gather|Reshape",
    ),
    "squeeze-and-excite": Net(
        """[conv] c = Conv(sequence, k, kb) [squeeze] p = GlobalAveragePool(c) [down] d = Conv(p, k1) [relu] r = Relu(d)
        [up] u = Conv(r, k2) [gate] g = Sigmoid(u) [excite] e = Mul(c, g) [top] t = GlobalMaxPool(e)
        [flat] f = Flatten(t) [last] l = Gemm(f, o) [head] out = Softmax(l)""",
        {"k": (8, 4, 7), "kb": (8,), "k1": (3, 8, 1), "k2": (8, 3, 1), "o": (8, 2)}, 60, "Mul",
    ),
    "attention": Net(
        """[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [query] q = MatMul(t, wq) [key] k = MatMul(t, wk)
        [flip] kt = Transpose<perm = [0, 2, 1]>(k) [score] s = MatMul(q, kt) [soft] a = Softmax<axis = -1>(s)
        [mix] m = MatMul(a, t) [mean] r = ReduceMax<axes = [1], keepdims = 0>(m) [last] l = Gemm(r, o)
        [head] out = Softmax(l)""",
        {"wq": (4, 5), "wk": (4, 5), "o": (4, 2)}, 40, "MatMul",
    ),
}  # fmt: skip


def write_model(folder: Path, name: str, bin_: int, stride: int, strands: str) -> tuple[Path, Window]:
    net = NETS[name]
    model = onnx.parser.parse_model(f"{HEADER.format(window=net.window)} {{ {net.body} }}")
    random = np.random.default_rng(len(name))
    for key, value in net.weights.items():
        if isinstance(value, tuple):
            fan = max(1, int(np.prod(value[1:])) if len(value) > 2 else value[0])
            value = random.normal(0, 2 * fan**-0.5, value).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, key))
    card = {
        "schema_version": 1, "name": name, "window": net.window, "bin": bin_, "stride": stride, "strands": strands,
        "inputs": [{"name": "sequence", "kind": "sequence"}],
        "outputs": [{"name": "out", "activation": net.activation, "classes": [{"name": "no"}, {"name": "yes"}]}],
    }  # fmt: skip
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return path, Window(net.window, bin_, stride)


def one_window_at_a_time(path: Path) -> Callable[[str], np.ndarray]:
    """Window letters -> (2,), by ONNX Runtime on a batch of one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(letters: str) -> np.ndarray:
        (values,) = session.run(["out"], {"sequence": one_hot(letters)[None].astype(np.float32)})
        return np.asarray(values[0])

    return run


@pytest.mark.parametrize("strands", ["forward", "both", "average"])
@pytest.mark.parametrize("name", NETS)
def test_a_scan_gives_what_each_window_gives_alone(tmp_path: Path, name: str, strands: str) -> None:
    bin_, stride, lengths = (1, 83, (1300, 5)) if name == "hilbert" else (11, 5, (401, 73, 1))
    path, geometry = write_model(tmp_path, name, bin_, stride, strands)
    random = np.random.default_rng(1)
    sequences = {f"s{length}": random_sequence(random, length) for length in lengths}
    genome = write_fasta(tmp_path / "g.fa", sequences)
    run_scan(ScanOptions((str(path),), genome, tmp_path / "out", tile=150, digits="full", batch_size=7))
    function = one_window_at_a_time(path)
    for strand in ("plus", "minus") if strands == "both" else (None,):
        for index, class_ in enumerate(("no", "yes")):
            file = ".".join(part for part in (name, class_, strand, "bw") if part)
            found = read_track(tmp_path / "out" / file, sequences)
            reading = strand or ("average" if strands == "average" else "plus")
            for chromosome, letters in sequences.items():
                wanted = track_at_every_base(letters, geometry, function, index, reading, index)
                # Probabilities of a batch of seven against a batch of one: float32 sums in another order.
                np.testing.assert_allclose(found[chromosome], wanted, rtol=0, atol=2e-6, err_msg=f"{file} {chromosome}")
    known = found[f"s{lengths[0]}"]
    assert np.nanstd(known) > 1e-3, "else equal values would prove nothing"
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["mode"] == {name: "window"}


@pytest.mark.parametrize("name", NETS)
def test_dense_mode_names_what_it_cannot_run(tmp_path: Path, name: str) -> None:
    path, _ = write_model(tmp_path, name, 1, 1, "forward")
    genome = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 30})
    with pytest.raises(ModelError, match=rf"\b({NETS[name].op})\b") as caught:
        run_scan(ScanOptions((str(path),), genome, tmp_path / "out", mode="dense"))
    assert caught.value.exit_status == 4
    assert not (tmp_path / "out" / "run.json").exists()


class Notes(NullProgress):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.mark.parametrize("name", NETS)
def test_it_is_said_once_why_windows_are_run_one_by_one(tmp_path: Path, name: str) -> None:
    path, _ = write_model(tmp_path, name, 1, 83, "both")
    genome = write_fasta(tmp_path / "g.fa", {"chr1": "ACGTTGCA" * 50, "chr2": "ACCA" * 40})
    notes = Notes()
    run_scan(ScanOptions((str(path),), genome, tmp_path / "out", tile=100), notes)
    (said,) = [text for text in notes.told if "window" in text and name in text]
    assert re.search(rf"\b({NETS[name].op})\b", said)


def test_the_hilbert_curve_visits_every_pixel_by_single_steps() -> None:
    for order in (1, 2, 3, 6):
        side = 2**order
        places = hilbert(order)
        assert sorted(places) == list(range(side * side))
        rows, columns = np.divmod(np.argsort(places), side)
        steps = np.abs(np.diff(rows)) + np.abs(np.diff(columns))
        assert (steps == 1).all()
