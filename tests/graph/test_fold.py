"""The first pass: shapes are known, arithmetic on them is done, the batch is open again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.graph.dense_oracle import assert_dense_equals_windows, on_runtime
from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from tests.graph.texts import card_for, text_model
from trackgen.card import InputSpec
from trackgen.errors import ModelError
from trackgen.graph import NotDense
from trackgen.graph.fold import SMALLEST_BATCH, WindowGraph, candidate_batches, fold

FLAT = "[flat] f = Flatten(sequence)"
GEMM = "[gemm] out = Gemm(f, w)"
W = {"w": (80, 2)}
FLATTEN_BY_ARITHMETIC = f"""[s] s = Shape(sequence) [n] n = Gather(s, zero) [c] c = Gather(s, one)
[l] l = Gather(s, two) [cl] cl = Mul(c, l) [un] un = Unsqueeze(n, first) [uc] uc = Unsqueeze(cl, first)
[j] j = Concat<axis = 0>(un, uc) [flat] f = Reshape(sequence, j) {GEMM}"""
NUMBERS = {"zero": np.array(0), "one": np.array(1), "two": np.array(2), "first": ints(0)}
HALF_CROP = f"""{CONV} [s] s = Shape(c) [l] l = Gather(s, two) [less] d = Sub(l, ten) [half] h = Div(d, second)
[more] e = Add(h, ten) [uh] uh = Unsqueeze(h, first) [ue] ue = Unsqueeze(e, first)
[crop] m = Slice(c, uh, ue, axis) {DENSE}"""
ZEROS = "zeros of the batch's size"
CASES = {
    "flattening by arithmetic": (Text(FLATTEN_BY_ARITHMETIC, W | NUMBERS), ["Reshape", "Gemm"]),
    "a crop by arithmetic": (
        Text(HALF_CROP, K | NUMBERS | {"ten": np.array(10), "second": np.array(2), "axis": ints(2), "w": (30, 2)}),
        ["Conv", "Slice", "Flatten", "Gemm"],
    ),
    "a crop by arithmetic in floats": (
        Text(
            f"""{CONV} [s] s = Shape<start = 2, end = 3>(c) [x] x = Cast<to = 1>(s) [h] h = Mul(x, half)
            [fl] fl = Floor(h) [b] b = Cast<to = 7>(fl) [crop] m = Slice(c, first, b, axis) {DENSE}""",
            K | NUMBERS | {"half": np.array(0.5, np.float32), "axis": ints(2), "w": (27, 2)},
        ),
        ["Conv", "Slice", "Flatten", "Gemm"],
    ),
    "the size of a tensor": (
        Text(f"""{CONV} [z] z = Size(c) [s] s = Shape<end = 1>(c) [d] d = Div(z, s) [j] j = Concat<axis = 0>(minus, d)
             [flat] f = Reshape(c, j) {GEMM}""", K | {"minus": ints(-1), "w": (54, 2)}),
        ["Conv", "Reshape", "Gemm"],
    ),
    "the last axes of a shape": (
        Text(f"""{CONV} [s] s = Shape<start = -2>(c) [j] j = Concat<axis = 0>(minus, s) [same] m = Reshape(c, j)
             {DENSE}""", K | {"minus": ints(-1), "w": (54, 2)}),
        ["Conv", "Reshape", "Flatten", "Gemm"],
    ),
    "weights transposed and scaled in the graph": (
        Text(f"{FLAT} [t] t = Transpose(v) [x] w = Mul(t, n) {GEMM}", {"v": (2, 80), "n": np.array(0.5, np.float32)}),
        ["Flatten", "Gemm"],
    ),
    "a ramp of positions made in the graph": (
        Text(f"""{CONV} [s] s = Shape<start = 2>(c) [l] l = Squeeze(s, first) [r] r = Range(zero, l, one)
             [x] x = Cast<to = 1>(r) [e] e = Mul(x, small) [add] m = Add(c, e) {DENSE}""",
             K | NUMBERS | {"small": np.array(0.1, np.float32), "w": (54, 2)}),
        ["Conv", "Add", "Flatten", "Gemm"],
    ),
    ZEROS: (
        Text(f"""{FLAT} [s] s = Shape<end = 1>(sequence) [t] t = Concat<axis = 0>(s, three) [z] z = ConstantOfShape(t)
             [j] j = Concat<axis = 1>(f, z) [gemm] out = Gemm(j, w)""", {"three": ints(3), "w": (83, 2)}),
        ["Flatten", "Concat", "Gemm"],
    ),
    "a vector expanded to a map": (
        Text(f"""[lift] l = Unsqueeze(v, two) [s] s = Shape(sequence) [n] n = Gather(s, first) [x] x = Gather(s, two)
             [t] t = Concat<axis = 0>(n, three, x) [spread] e = Expand(l, t) [join] m = Concat<axis = 1>(sequence, e)
             {DENSE}""", {"two": ints(2), "first": ints(0), "three": ints(3), "w": (140, 2)},
             inputs=(SEQUENCE, InputSpec("v", "vector", length=3, default=(0.0,)))),
        ["Unsqueeze", "Expand", "Concat", "Flatten", "Gemm"],
    ),
    "nodes that nothing needs": (
        Text(f"{FLAT} [dead] d = Relu(f) [dead2] e = CumSum(d, one) {GEMM}", W | {"one": np.array(1)}),
        ["Flatten", "Gemm"],
    ),
    "constants of every kind": (
        Text("""[a] a = Constant<value_int = 2>() [b] b = Constant<value_ints = [0, -1]>()
             [c] c = Constant<value_float = 0.5>() [d] d = Constant<value_floats = [1.5, -0.5]>()
             [flat] f = Reshape(sequence, b) [gemm] g = Gemm(f, w) [m] h = Mul(g, c) [p] i = Add(h, d)
             [x] x = Cast<to = 1>(a) [q] out = Add(i, x)""", W),
        ["Reshape", "Gemm", "Mul", "Add", "Add"],
    ),
}  # fmt: skip


def folded(text: Text) -> WindowGraph:
    return fold(text.model, text.card)


def feed(text: Text, windows: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = [[axis.dim_value for axis in entry.type.tensor_type.shape.dim] for entry in text.model.graph.input]
    names = [entry.name for entry in text.model.graph.input]
    return {
        name: random.normal(0, 1, [windows, *shape[1:]]).astype(np.float32)
        for name, shape in zip(names, shapes, strict=True)
    }


def operators(graph: WindowGraph) -> list[str]:
    return [node.op for node in graph.nodes]


@table(CASES)
def test_what_depends_on_shapes_and_constants_alone_is_computed(name: str) -> None:
    text, left = CASES[name]
    assert operators(folded(text)) == left


@table(CASES)
@pytest.mark.parametrize("windows", [1, 7])
def test_the_folded_graph_gives_the_same_for_any_number_of_windows(name: str, windows: int) -> None:
    text, _ = CASES[name]
    if name == ZEROS:
        windows = 1  # what the batch's size alone decides is kept for one window
    model = text.model
    values = feed(text, windows)
    (wanted,) = on_runtime(model)(values, ["out"])
    (found,) = on_runtime(folded(text).to_model(model))(values, ["out"])
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    assert found.shape == wanted.shape


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name][0].check(1, 20)


def targets(text: Text) -> list[list[int]]:
    """The shapes that Reshape and Expand are given after folding."""
    graph = folded(text).to_model(text.model).graph
    constants = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    return [constants[node.input[1]].tolist() for node in graph.node if node.op_type in ("Reshape", "Expand")]


def test_a_shape_that_holds_the_batch_holds_an_open_axis() -> None:
    """-1 for Reshape, 1 (which broadcasts) for Expand."""
    assert targets(CASES["flattening by arithmetic"][0]) == [[-1, 80]]
    assert targets(CASES["the last axes of a shape"][0]) == [[-1, 3, 18]]
    assert targets(CASES["a vector expanded to a map"][0]) == [[1, 3, 20]]


def test_a_shape_that_mixes_the_batch_with_positions_is_open_too() -> None:
    text = Text(
        f"""[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [rows] r = Reshape(t, rows) [g] g = MatMul(r, k)
        [back] m = Reshape(g, back) {DENSE}""",
        {"rows": ints(-1, 4), "k": (4, 3), "back": ints(-1, 20, 3), "w": (60, 2)},
    )
    assert targets(text) == [[-1, 4], [-1, 20, 3]]
    graph = folded(text)
    assert graph.shapes["r"] == (20 * graph.batch, 4)


def test_every_shape_is_known_and_the_batch_is_a_prime_of_no_weight() -> None:
    text = Text(f"{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c) [flat] f = Flatten(p) {GEMM}",
                K | {"w": (12, 2)})  # fmt: skip
    graph = folded(text)
    size = graph.batch
    assert size > SMALLEST_BATCH
    assert all(size % factor for factor in range(2, size))
    wanted = {"sequence": (4, 20), "c": (3, 18), "p": (3, 4), "f": (12,), "out": (2,)}
    assert {name: graph.shapes[name] for name in wanted} == {name: (size, *axes) for name, axes in wanted.items()}


def test_a_weight_of_the_stand_in_size_gets_another_stand_in() -> None:
    first, second = itertools.islice(candidate_batches(onnx.GraphProto(), 20), 2)
    text = Text(f"{FLAT} [a] a = Gemm(f, u) [r] r = Relu(a) [b] out = Gemm(r, v)",
                {"u": (80, 2 * first), "v": (2 * first, 2)}, strides=(3,))  # fmt: skip
    assert folded(text).batch == second
    text.check()


def test_the_note_counts_what_was_folded() -> None:
    (note,) = folded(CASES["flattening by arithmetic"][0]).notes
    assert note == "fold: 10 nodes, 8 of them shape arithmetic or constants, became 2"


def test_only_constants_that_are_read_are_kept() -> None:
    graph = folded(CASES["weights transposed and scaled in the graph"][0])
    assert set(graph.constants) == {"w"}
    assert graph.constants["w"].shape == (80, 2)


def test_zeros_of_the_batchs_size_become_one_windows() -> None:
    graph = folded(CASES[ZEROS][0])
    assert graph.constants["z"].shape == (1, 3)


@pytest.mark.parametrize("op", ["RandomNormal", "RandomUniform"])
def test_random_numbers_are_not_folded_but_refused(op: str) -> None:
    text = Text(f"{FLAT} [noise] n = {op}<shape = [2]>() [g] g = Gemm(f, w) [add] out = Add(g, n)", W)
    assert op in operators(folded(text))
    error = text.refusal()
    assert (error.node, error.op) == ("noise", op)


def test_no_constant_larger_than_a_model_is_made() -> None:
    """ConstantOfShape of 10^9 elements would need 4 GB."""
    text = Text(
        f"""{FLAT} [z] z = ConstantOfShape(huge) [s] s = ReduceMax<keepdims = 0>(z) [g] g = Gemm(f, w)
        [a] out = Add(g, s)""",
        W | {"huge": ints(1000, 1000, 1000)},
    )
    assert "ConstantOfShape" in operators(folded(text))
    assert text.refusal().op == "ConstantOfShape"


def test_functions_of_the_model_are_written_out() -> None:
    text = Text(f"{CONV} [own] m = org.example.Squash(c) {DENSE}", K | {"w": (54, 2)})
    model = text.model
    body = [helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node("Mul", ["x", "s"], ["y"])]
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("org.example", "Squash", ["x"], ["y"], body, opsets))
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    graph = fold(model, text.card)
    assert operators(graph) == ["Conv", "Sigmoid", "Mul", "Flatten", "Gemm"]
    values = feed(text, 3)
    (wanted,), (found,) = (on_runtime(entry)(values, ["out"]) for entry in (model, graph.to_model(model)))
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_weights_that_are_listed_among_the_inputs_are_weights() -> None:
    """Old exporters list them; the first pass leaves them out."""
    text = Text(f"{FLAT} {GEMM}", W)
    model = text.model
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [80, 2]))
    graph = fold(model, text.card)
    assert graph.inputs == ("sequence",)
    assert [entry.name for entry in graph.to_model(model).graph.input] == ["sequence"]


def test_the_model_is_not_changed() -> None:
    text = CASES["flattening by arithmetic"][0]
    model = text.model
    before = model.SerializeToString(deterministic=True)
    fold(model, text.card).to_model(model)
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("shape", [["N", 3], ["N", 2, 1], [2, "N", 1], ["N"]])
def test_an_output_of_another_shape_than_the_file_says_is_a_lie(shape: Sequence[int | str]) -> None:
    text = Text(f"{FLAT} [gemm] g = Gemm(f, w) [same] out = Identity(g)", W)
    model = text.model
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("out", TensorProto.FLOAT, shape))
    with pytest.raises(ModelError, match=r"out: the graph lies about its shapes.*\['N', 2\], which its nodes give"):
        fold(model, text.card)


def test_a_batch_of_one_in_the_file_is_no_lie() -> None:
    """Exporters without dynamic axes write the batch of their sample."""
    text = Text(f"{FLAT} {GEMM}", W)
    model = text.model
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 2]))
    assert fold(model, text.card).shapes["out"][1:] == (2,)


def test_a_window_of_another_length_than_the_weights_want_is_a_lie() -> None:
    text = Text(f"{FLAT} [gemm] out = Gemm(f, w)", {"w": (84, 2)})
    with pytest.raises(ModelError, match=r"gemm.*lies about its shapes") as caught:
        fold(text.model, text.card)
    assert not isinstance(caught.value, NotDense)


def test_nodes_of_unknown_domains_are_kept_for_the_refusal() -> None:
    text = Text(f"{FLAT} [own] m = org.example.Odd(f) [relu] r = Relu(m) [g] g = Gemm(f, w) [a] out = Add(g, r)", W)
    model = text.model
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    graph = fold(model, text.card)
    assert "m" not in graph.shapes
    assert [node.title for node in graph.nodes][1] == "org.example.Odd"


def test_the_opset_stays_that_of_the_model() -> None:
    for opset in (13, 18, onnx.defs.onnx_opset_version()):
        text = Text(f"{FLAT} {GEMM}", W, opset=opset)
        graph = folded(text)
        assert graph.opset == opset
        assert graph.to_model(text.model).opset_import[0].version == opset
        assert text.tile(1).model.opset_import[0].version == opset


@pytest.mark.parametrize("yes", [True, False])
def test_a_condition_that_is_known_picks_its_branch(yes: bool) -> None:
    """TorchScript writes ``squeeze(dim)`` as an If on a shape."""
    model = text_model(
        f"""[s] s = Shape(sequence) [l] l = Gather(s, two) [if] c = Equal(l, wanted) {FLAT} [g] g = Gemm(f, w)""",
        {"two": np.array(2), "wanted": np.array(20 if yes else 21), "w": (80, 2)},
    )
    weights = {"then": np.array([2, 3], np.float32), "else": np.array([5, 7], np.float32)}
    branches = [
        helper.make_graph(
            [helper.make_node("Mul", ["g", f"{kind}_weight"], [f"{kind}_out"])], kind, [],
            [helper.make_tensor_value_info(f"{kind}_out", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, f"{kind}_weight")],
        )
        for kind, value in weights.items()
    ]  # fmt: skip
    model.graph.node.append(
        helper.make_node("If", ["c"], ["out"], name="flow", then_branch=branches[0], else_branch=branches[1])
    )
    onnx.checker.check_model(model, full_check=True)
    graph = fold(model, card_for())
    assert operators(graph) == ["Flatten", "Gemm", "Mul", "Identity"]
    assert_dense_equals_windows(model, card_for(), 1)


@pytest.mark.parametrize("window", [1024, 2033])
def test_positions_as_many_as_a_prime_are_not_taken_for_the_batch(window: int) -> None:
    """1,009 and 2,018 positions are left of the window."""
    text = Text(
        """[conv] c = Conv(sequence, k) [cut] r = Reshape(c, parts) [turn] t = Transpose<perm = [0, 2, 1, 3]>(r)
        [join] m = Reshape(t, whole) [top] g = GlobalMaxPool(m) [flat] f = Flatten(g) [gemm] out = Gemm(f, w)""",
        {"k": (4, 4, 16), "parts": ints(0, 2, 2, -1), "whole": ints(0, 4, -1), "w": (4, 2)},
        window=window, strides=(50,),
    )  # fmt: skip
    text.check()
