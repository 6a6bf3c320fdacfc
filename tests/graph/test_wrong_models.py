"""Models that are wrong whatever the mode, and strides that are none: refused as such, the fault named."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.graph.dense_oracle import assert_dense_equals_windows
from tests.graph.texts import card_for, text_model
from trackgen.card import Card, add_card, load_model, refuse_broken
from trackgen.errors import ModelError, UsageError

DENSE = "[flat] f = Flatten(m) [gemm] out = Gemm(f, w)"


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def invalid(model: onnx.ModelProto, card: Card, match: str) -> ModelError:
    """The compiler says that the model is wrong, rather than that windows must run it."""
    from trackgen.graph import NotDense, compile_dense

    with pytest.raises(ModelError, match=match) as caught:
        compile_dense(model, card, 1)
    assert not isinstance(caught.value, NotDense), caught.value
    return caught.value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["k", "bias", "w"])
def test_a_weight_that_is_no_number_is_named(value: float, name: str) -> None:
    body = f"[conv] c = Conv(sequence, k, bias) [relu] m = Relu(c) {DENSE}"
    model = text_model(body, {"k": (3, 4, 3), "bias": (3,), "w": (54, 2)})
    for entry in model.graph.initializer:
        if entry.name == name:
            array = numpy_helper.to_array(entry).copy()
            array.flat[array.size // 2] = value
            entry.CopyFrom(numpy_helper.from_array(array, name))
    invalid(model, card_for(), rf"\b{name}\b")


def test_a_constant_node_that_is_no_number_is_named() -> None:
    body = f"[odd] k = Constant<value = float[1] {{nan}}>() [add] m = Add(sequence, k) {DENSE}"
    body = body.replace("{nan}", "{1.0}")
    model = text_model(body, {"w": (80, 2)})
    constant = numpy_helper.from_array(floats(np.nan))
    model.graph.node[0].attribute[0].t.CopyFrom(constant)
    invalid(model, card_for(), r"\b(odd|k)\b")


LIES = {
    "another number of classes": (DENSE.replace("m)", "sequence)"), {"w": (80, 3)}),
    "a Conv of other channels": (f"[conv] m = Conv(sequence, k) {DENSE}", {"k": (3, 5, 3), "w": (54, 2)}),
    "a Gemm of other features": (f"[conv] m = Conv(sequence, k) {DENSE}", {"k": (3, 4, 3), "w": (60, 2)}),
    "a Conv wider than the window": (f"[conv] m = Conv(sequence, k) {DENSE}", {"k": (3, 4, 25), "w": (3, 2)}),
    "channels that do not match": (f"[add] m = Add(sequence, b) {DENSE}", {"b": (5, 1), "w": (80, 2)}),
    "a weight that is not there": (f"[conv] m = Conv(sequence, absent) {DENSE}", {"w": (54, 2)}),
    "a profile that is none": ("[conv] out = Conv(sequence, k)", {"k": (2, 4, 3)}),
}


@pytest.mark.parametrize("name", LIES)
def test_a_graph_that_lies_about_its_shape_is_refused_as_a_model(name: str) -> None:
    body, weights = LIES[name]
    invalid(text_model(body, weights), card_for(), r"\w+")


def test_value_info_that_lies_is_refused_or_not_believed() -> None:
    from trackgen.graph import compile_dense

    model = text_model(f"[conv] m = Conv(sequence, k) {DENSE}", {"k": (3, 4, 3), "w": (54, 2)})
    model.graph.value_info.append(helper.make_tensor_value_info("m", TensorProto.FLOAT, ["N", 3, 20]))
    try:
        compiled = compile_dense(model, card_for(), 1)
    except ModelError as error:
        assert re.search(r"\bm\b|conv", str(error))  # noqa: PT017
    else:
        assert_dense_equals_windows(model, card_for(), 1, compiled=compiled)


def test_nodes_out_of_order_are_refused_or_put_in_order() -> None:
    from trackgen.graph import compile_dense

    model = text_model(f"[conv] m = Conv(sequence, k) {DENSE}", {"k": (3, 4, 3), "w": (54, 2)})
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    with pytest.raises(ModelError):
        compile_dense(model, card_for(), 1)


def control_flow(op: str) -> onnx.ModelProto:
    """A Gemm behind an If, a Loop or a Scan."""
    model = text_model("f = Flatten(sequence) g = Gemm(f, w)", {"w": (80, 2)})

    def value(name: str, shape: list[int] | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    if op == "If":
        branches = [
            helper.make_graph([helper.make_node(kind, ["g"], [kind])], kind, [], [value(kind, None)])
            for kind in ("Relu", "Neg")
        ]
        nodes = [
            helper.make_node("ReduceSum", ["g"], ["total"], keepdims=0),
            helper.make_node("Greater", ["total", "nothing"], ["yes"]),
        ]
        model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "nothing"))
        node = helper.make_node("If", ["yes"], ["out"], name="flow", then_branch=branches[0], else_branch=branches[1])
        model.graph.node.extend([*nodes, node])
        return model
    if op == "Loop":
        body = helper.make_graph(
            [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Relu", ["a"], ["b"])], "body",
            [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("a", None)],
            [value("d", [], TensorProto.BOOL), value("b", None)],
        )  # fmt: skip
        model.graph.initializer.append(numpy_helper.from_array(np.array(3), "times"))
        model.graph.node.append(helper.make_node("Loop", ["times", "", "g"], ["out"], name="flow", body=body))
        return model
    body = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "body", [value("a", None)], [value("b", None)])
    model.graph.node.append(helper.make_node("Scan", ["g"], ["out"], name="flow", body=body, num_scan_inputs=1))
    return model


@pytest.mark.parametrize("op", ["If", "Loop", "Scan"])
def test_control_flow_is_refused_as_a_model(op: str) -> None:
    model = control_flow(op)
    onnx.checker.check_model(model)
    assert op in str(invalid(model, card_for(), "flow"))


@pytest.mark.parametrize("opset", [onnx.defs.onnx_opset_version() + 1, 99, 2**40])
def test_an_opset_newer_than_the_library_is_refused(opset: int) -> None:
    model = text_model(DENSE.replace("m)", "sequence)"), {"w": (80, 2)})
    model.opset_import[0].version = opset
    invalid(model, card_for(), rf"opset.*{opset}")


@pytest.mark.parametrize("opset", [7, 9, 11, 12])
def test_an_old_opset_is_read_as_it_was_meant_or_refused(opset: int) -> None:
    from trackgen.graph import compile_dense

    body = "[conv] c = Conv(sequence, k) [relu] r = Relu(c) [flat] f = Flatten(r) [gemm] g = Gemm(f, w, b) "
    model = text_model(body + "[soft] out = Softmax(g)", {"k": (3, 4, 3), "w": (54, 2), "b": (2,)}, opset=opset)
    card = card_for(activation="softmax")
    try:
        compiled = compile_dense(model, card, 1)
    except ModelError as error:
        assert "opset" in str(error)  # noqa: PT017
    else:
        assert_dense_equals_windows(model, card, 1, compiled=compiled)


@pytest.mark.parametrize("stride", [0, -1, -50])
def test_a_stride_that_is_not_positive_is_a_usage_error(stride: int) -> None:
    from trackgen.graph import compile_dense

    model = text_model(DENSE.replace("m)", "sequence)"), {"w": (80, 2)})
    with pytest.raises(UsageError, match=rf"stride.*{stride}") as caught:
        compile_dense(model, card_for(), stride)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("stride", [2, 20, 21, 1000])
def test_a_stride_above_the_bin_is_legal(stride: int) -> None:
    model = text_model(DENSE.replace("m)", "sequence)"), {"w": (80, 2)})
    assert card_for().bin == 1
    assert_dense_equals_windows(model, card_for(), stride)


def outside_model(folder: Path, location: str) -> Path:
    model = text_model(DENSE.replace("m)", "sequence)"), {"w": (80, 2)})
    tensor = model.graph.initializer[0]
    raw = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(raw)))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_with_weights_outside_is_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(np.zeros((80, 2), np.float32).tobytes())
    model = onnx.load(outside_model(tmp_path, "weights.bin"), load_external_data=False)
    invalid(model, card_for(), r"\bw\b")


@pytest.mark.parametrize("join", [False, True])
@pytest.mark.parametrize("location", ["absent.bin", "../secret.bin", "/etc/hostname", "a/../../secret.bin", ""])
def test_external_data_that_is_missing_or_outside_the_folder_is_refused(
    tmp_path: Path, location: str, join: bool
) -> None:
    folder = tmp_path / "models"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(bytes(640))
    path = outside_model(folder, location)
    with pytest.raises(ModelError, match=r"other files") as caught:
        load_model(path, join=join)
    assert str(path) in str(caught.value)
    with pytest.raises(ModelError):
        add_card(path, card_for(), tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_external_data_behind_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(640))
    (folder / "weights.bin").symlink_to(tmp_path / "secret.bin")
    path = outside_model(folder, "weights.bin")
    with pytest.raises(ModelError, match="other files"):
        load_model(path, join=True)


def test_an_index_beyond_its_axis_is_a_lie() -> None:
    body = "[pick] m = Gather<axis = 2>(sequence, far) [flat] f = Flatten(m) [gemm] out = Gemm(f, w)"
    model = text_model(body, {"far": np.array([20]), "w": (4, 2)})
    invalid(model, card_for(), "pick.*index 20.*20 elements")


def test_masks_may_be_infinite_and_weights_may_not() -> None:
    body = "[mask] m = Where(far, low, sequence) [soft] s = Softmax<axis = 1>(m) [flat] f = Flatten(s) out = Gemm(f, w)"
    mask = np.full((1, 1, 20), -np.inf, np.float32)
    refuse_broken(text_model(body, {"far": np.zeros((1, 1, 20), bool), "low": mask, "w": (80, 2)}))
    with pytest.raises(ModelError, match="weight w, element"):
        refuse_broken(text_model(body, {"far": np.zeros((1, 1, 20), bool), "low": mask, "w": np.full((80, 2), np.inf)}))
