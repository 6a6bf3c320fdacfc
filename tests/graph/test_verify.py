"""The verifier finds every kind of wrong graph, and looks at what each pass of the compiler made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

from tests.graph.rules import CONV, DENSE, K, Text, ints
from trackgen.errors import ModelError
from trackgen.graph import NotDense, compile_dense
from trackgen.graph.dense.builder import TileBuilder
from trackgen.graph.dense.layout import Value
from trackgen.graph.dense.lowering import Lowering
from trackgen.graph.fold import WindowGraph
from trackgen.graph.nodes import Node
from trackgen.graph.verify import verify

compiler = sys.modules["trackgen.graph.dense.compile"]
TEXT = Text(f"{CONV} [r] m = Relu(c) {DENSE}", K | {"w": (54, 2)})


def right() -> onnx.ModelProto:
    return onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 18]> right (float[N, 2] x) => (float[N, 2] a, float[N, 2] b)
        <float[2] w = {1.0, 2.0}> { a = Mul(x, w) b = Relu(a) }"""
    )


def test_a_right_graph_is_accepted() -> None:
    verify(right(), ["a", "b"], "test")


def duplicate(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["x"], ["b"]))


def input_made_again(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["a"], ["x"]))


def weight_called_as_an_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2]))


def unknown_input(model: onnx.ModelProto) -> None:
    model.graph.node[1].input[0] = "nowhere"


def wrong_order(model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[1].op_type = "Rleu"


def unknown_attribute(model: onnx.ModelProto) -> None:
    model.graph.node[1].attribute.append(helper.make_attribute("slope", 0.5))


def wrong_number_of_inputs(model: onnx.ModelProto) -> None:
    model.graph.node[1].input.append("w")


def no_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


def opset_of_another_domain(model: onnx.ModelProto) -> None:
    del model.graph.node[:]
    del model.graph.output[:]
    model.graph.output.extend([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in "ab"])
    model.graph.node.extend([helper.make_node("Odd", ["x"], [name], domain="org.example") for name in "ab"])
    model.opset_import[0].domain = "org.example"


def operator_newer_than_the_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 13
    model.graph.node[1].op_type = "Gelu"


def contradicting_shape(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3


def contradicting_operands(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


def contradicting_type(model: onnx.ModelProto) -> None:
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64


def output_of_nothing(model: onnx.ModelProto) -> None:
    del model.graph.node[1:]


WRONG = [
    duplicate, input_made_again, weight_called_as_an_input, unknown_input, wrong_order, unknown_operator,
    unknown_attribute, wrong_number_of_inputs, no_opset, opset_of_another_domain, operator_newer_than_the_opset,
    contradicting_shape, contradicting_operands, contradicting_type, output_of_nothing,
]  # fmt: skip


@pytest.mark.parametrize("damage", WRONG)
def test_every_kind_of_wrong_graph_is_found(damage: Callable[[onnx.ModelProto], None]) -> None:
    model = right()
    damage(model)
    with pytest.raises(ModelError, match=r"pass 'test' made a wrong graph, which is a fault of trackgen") as caught:
        verify(model, ["a", "b"], "test")
    assert not isinstance(caught.value, NotDense)
    assert caught.value.exit_status == 4
    assert "--mode window" in str(caught.value)


@pytest.mark.parametrize("outputs", [["a"], ["b", "a"], ["a", "b", "c"], []])
def test_outputs_must_be_those_of_the_card_in_its_order(outputs: list[str]) -> None:
    with pytest.raises(ModelError, match=r"fault of trackgen.*outputs"):
        verify(right(), outputs, "test")


def fault(pass_name: str) -> ModelError:
    """The compiler's error about its own pass."""
    with pytest.raises(ModelError, match=rf"pass '{pass_name}' made a wrong graph, which is a fault of trackgen") as e:
        compile_dense(TEXT.model, TEXT.card, 1)
    assert not isinstance(e.value, NotDense)
    return e.value


def emits(*nonsense: str, **attributes: object) -> Callable[[Lowering, Node], Value]:
    """A rule that emits a node of another kind."""

    def rule(lowering: Lowering, node: Node) -> Value:
        value = lowering.value(node, 0)
        op, *others = nonsense
        return replace(value, name=lowering.build.emit(op, [value.name, *others], **attributes))

    return rule


@pytest.mark.parametrize(
    "rule",
    [
        emits("Rleu"),
        emits("Relu", "nowhere"),
        emits("Relu", slope=0.5),
        emits("Add"),
        emits("Cast", to=TensorProto.INT64),
    ],
    ids=["an unknown operator", "one input too many", "an unknown attribute", "one input too few", "whole numbers"],
)
def test_a_rule_that_emits_nonsense_is_found(monkeypatch: pytest.MonkeyPatch, rule: object) -> None:
    monkeypatch.setitem(compiler.RULES, "Relu", rule)
    fault("lower")


def test_a_rule_that_gives_an_output_another_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = TileBuilder.output
    monkeypatch.setattr(TileBuilder, "output", lambda self, source, name, shape: plain(self, source, name + "_", shape))
    assert "out_" in str(fault("lower"))


def test_a_rule_that_gives_an_output_another_shape_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = TileBuilder.output
    monkeypatch.setattr(TileBuilder, "output", lambda self, source, name, shape: plain(self, source, name, shape[:2]))
    fault("lower")


def test_names_that_are_made_twice_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(lowering: Lowering, node: Node) -> Value:
        value = lowering.value(node, 0)
        lowering.build.nodes.append(helper.make_node("Relu", [value.name], [value.name]))
        return value

    monkeypatch.setitem(compiler.RULES, "Relu", rule)
    fault("lower")


@pytest.mark.parametrize("field", ["op", "inputs", "outputs"])
def test_a_fold_that_breaks_a_node_is_found(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    nonsense = {"op": "Rleu", "inputs": ("nowhere",), "outputs": ("elsewhere",)}
    folded = compiler.fold

    def broken(*arguments: object) -> WindowGraph:
        graph: WindowGraph = folded(*arguments)
        nodes = [replace(node, **{field: nonsense[field]}) if node.op == "Relu" else node for node in graph.nodes]
        return replace(graph, nodes=tuple(nodes))

    monkeypatch.setattr(compiler, "fold", broken)
    fault("fold")


def test_a_fold_that_loses_a_weight_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    folded = compiler.fold

    def broken(*arguments: object) -> WindowGraph:
        graph: WindowGraph = folded(*arguments)
        return replace(graph, constants={name: value for name, value in graph.constants.items() if name != "k"})

    monkeypatch.setattr(compiler, "fold", broken)
    fault("fold")


def test_a_rule_that_loses_track_of_an_axis_is_stopped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler compares every shape with ONNX's."""

    def rule(lowering: Lowering, node: Node) -> Value:
        value = lowering.value(node, 0)
        return replace(value, dims=(value.dims[0], value.dims[2], value.dims[1]))

    monkeypatch.setitem(compiler.RULES, "Relu", rule)
    error = TEXT.refusal()
    assert error.node == "r"
    assert "shape" in error.reason


def test_the_verifier_runs_after_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    monkeypatch.setattr(compiler, "verify", lambda model, outputs, made_by: passes.append(made_by))
    log = compile_dense(TEXT.model, TEXT.card, 1).log
    assert passes == ["fold", "lower", "tune"]
    assert {note.partition(":")[0] for note in log} <= set(passes)


def test_constants_are_not_changed_by_compiling() -> None:
    model = Text(
        f"[crop] m = Slice(sequence, a, b, c) {DENSE}", {"a": ints(1), "b": ints(9), "c": ints(2), "w": (32, 2)}
    )
    given = model.model
    before = given.SerializeToString(deterministic=True)
    compile_dense(given, model.card, 3)
    assert given.SerializeToString(deterministic=True) == before
