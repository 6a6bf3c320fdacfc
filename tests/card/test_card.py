"""The model card: what it accepts, what it refuses and how it says so, and whether it fits the graph."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.models import small_model
from trackgen.card import add_card, card_from_dict, parse_card, read_card
from trackgen.errors import ModelError

FULL: dict[str, Any] = {
    "schema_version": 1,
    "name": "tss-yeast",
    "title": "Transcription start sites, S. cerevisiae",
    "description": "one paragraph for people",
    "window": 200,
    "bin": 1,
    "stride": 1,
    "strands": "both",
    "inputs": [
        {"name": "sequence", "kind": "sequence"},
        {
            "name": "dnase",
            "kind": "signal",
            "resolution": 1,
            "statistic": "mean",
            "transform": ["log1p", {"zscore": [0.4, 1.1]}],
            "missing": 0.0,
            "reference": 0.0,
        },
        {"name": "expression", "kind": "vector", "length": 32, "default": [0.0]},
    ],
    "outputs": [
        {
            "name": "tss",
            "activation": "softmax",
            "resolution": None,
            "role": "probability",
            "unit": "probability",
            "classes": [
                {"name": "background", "track": False},
                {"name": "sharp", "label": "sharp TSS", "color": "200,30,30", "threshold": 0.03},
                {"name": "broad", "label": "broad TSS", "color": "30,30,200", "threshold": 0.05},
            ],
        }
    ],
    "reference": {"kind": "frequencies", "values": [0.31, 0.19, 0.19, 0.31]},
    "contributions": {"weight": "calls", "distance": 50},
    "training": {"assembly": "sacCer3", "held_out": ["chrIV"], "metrics": {"auroc": 0.95}, "calibration": {}},
    "license": "MIT",
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """A copy of the full card with one field changed; a place such as ``outputs.0.classes.1.color``."""
    card = copy.deepcopy(FULL)
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    target: Any = card
    for part in path:
        target = target[part]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return card


def test_the_documented_card_survives_a_round_trip() -> None:
    card = card_from_dict(FULL)
    assert card_from_dict(json.loads(json.dumps(card.to_dict()))) == card
    assert card.inputs[1].transform == (("log1p", ()), ("zscore", (0.4, 1.1)))
    assert card.outputs[0].classes[1].threshold == 0.03


def stacked(*entries: dict[str, Any]) -> dict[str, Any]:
    """The full card with inputs of one tensor."""
    return changed("inputs", [{"name": f"n{number}", "tensor": "t", **entry} for number, entry in enumerate(entries)])


def test_inputs_of_one_tensor_are_one_group() -> None:
    card = card_from_dict(stacked({"kind": "sequence", "layout": "NLC"}, {"kind": "signal"}))
    assert [(name, [entry.name for entry in members]) for name, members in card.tensors] == [("t", ["n0", "n1"])]
    names = [(name, len(members)) for name, members in card_from_dict(FULL).tensors]
    assert names == [("sequence", 1), ("dnase", 1), ("expression", 1)]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"kind": "sequence"}, {"kind": "signal", "resolution": 5}], ["tensor t can't be stacked", "resolution 5"]),
        ([{"kind": "sequence"}, {"kind": "vector", "length": 3}], ["tensor t can't be stacked", "vectors alone"]),
        ([{"kind": "sequence"}, {"kind": "sequence", "layout": "NLC"}], ["different layouts", "n1: NLC"]),
    ],
)
def test_inputs_that_can_not_be_stacked_are_refused(entries: list[dict[str, Any]], words: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        card_from_dict(stacked(*entries))
    assert all(word in str(caught.value) for word in words), caught.value


def test_defaults_are_those_of_the_format() -> None:
    card = card_from_dict(
        {
            "schema_version": 1,
            "name": "m",
            "window": 10,
            "bin": 4,
            "inputs": [{"name": "sequence", "kind": "sequence"}],
            "outputs": [
                {"name": "a", "activation": "sigmoid", "classes": [{"name": "x"}]},
                {"name": "b", "activation": "none", "classes": [{"name": "y"}]},
            ],
        }
    )
    assert (card.stride, card.strands) == (4, "forward")
    assert [output.role for output in card.outputs] == ["probability", "signal"]
    assert card.reference.values == (0.25, 0.25, 0.25, 0.25)
    assert (card.contributions.weight, card.contributions.distance) == (None, 50)
    assert card.classes[0].track
    assert card.classes[0].threshold is None


@pytest.mark.parametrize("value", [0.25, -1, 0])
def test_one_number_is_the_default_of_all_elements_of_a_vector(value: float) -> None:
    card = card_from_dict(changed("inputs.2.default", value))
    assert card.inputs[2].default == (float(value),)
    assert card == card_from_dict(changed("inputs.2.default", [value])) == card_from_dict(card.to_dict())


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("schema_version", 2, ["schema_version", "unknown schema version", "2", "1"]),
        ("schema_version", ..., ["schema_version", "required"]),
        ("name", ..., ["name", "required"]),
        ("name", "two words", ["name", "two words", "letters"]),
        ("name", "plus", ["name", "plus"]),
        ("window", "200", ["window", "'200'", "a whole number"]),
        ("window", 0, ["window", "0", "at least 1"]),
        ("window", True, ["window", "True"]),
        ("bin", 201, ["bin", "201", "at most 200"]),
        ("stride", 0, ["stride", "0", "at least 1"]),
        ("strands", "reverse", ["strands", "reverse", "average"]),
        ("inputs", [], ["inputs", "empty"]),
        ("inputs.0.kind", "picture", ["inputs[0].kind", "picture", "sequence"]),
        ("inputs.0.length", 3, ["inputs[0].length", "unknown here"]),
        ("inputs.0.bases", "ACGU", ["inputs[0].bases", "ACGU"]),
        ("inputs.1.resolution", 3, ["resolution", "dnase", "3", "divisor of 200"]),
        ("inputs.1.transform", ["sqrt"], ["inputs[1].transform", "sqrt", "log1p"]),
        ("inputs.1.transform", [{"zscore": [0.0, 0.0]}], ["zscore", "above 0"]),
        ("inputs.1.name", "sequence", ["two inputs share a name"]),
        ("inputs.1.missing", -1.0, ["inputs[1].missing", "log1p is not defined", "-1.0", "above -1"]),
        ("inputs.1.channels", [["a"]], ["inputs[1].channels", "['a']", "letters"]),
        ("inputs.1.channels", ["a", "b", "a"], ["inputs[1].channels", "two channels share a name"]),
        ("inputs.2.default", [0.0, 1.0], ["inputs[2].default", "2", "32"]),
        ("inputs.2.default", "0.5", ["inputs[2].default", "'0.5'", "a number, or a list of them"]),
        ("inputs.2.default", True, ["inputs[2].default", "True", "a number, or a list of them"]),
        ("inputs.2.default", float("nan"), ["inputs[2].default", "nan", "a finite number"]),
        ("outputs.0.activation", "relu", ["outputs[0].activation", "relu", "softmax"]),
        ("outputs.0.resolution", -1, ["outputs[0].resolution", "-1"]),
        ("outputs.0.classes.1.color", "red", ["classes[1].color", "red", "200,30,30"]),
        ("outputs.0.classes.1.color", "1,2,256", ["classes[1].color", "256"]),
        ("outputs.0.classes.1.name", "contrib", ["classes[1].name", "contrib"]),
        ("outputs.0.classes.1.name", "Broad", ["Broad and broad", "unique"]),
        ("outputs.0.classes.1.treshold", 0.1, ["classes[1].treshold", "did you mean", "threshold"]),
        ("outputs.0.classes.1.threshold", ..., ["weight", "threshold", "sharp"]),
        ("outputs.0.classes.1.reverse", "nothing", ["reverse", "nothing"]),
        ("reference.values", [0.5, 0.5, 0.5, 0.5], ["reference.values", "sum to 1"]),
        ("contributions.weight", "mean", ["contributions.weight", "mean", "uniform"]),
        ("extra", 1, ["extra", "unknown"]),
    ],
)
def test_a_wrong_field_is_refused_by_name(place: str, value: Any, words: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        card_from_dict(changed(place, value), "model.onnx")
    message = str(caught.value).lower()
    assert all(word.lower() in message for word in ["model.onnx", *words]), message
    assert caught.value.exit_status == 4


def test_a_card_that_is_not_json_is_refused_with_its_line() -> None:
    with pytest.raises(ModelError, match=r"card\.json.*line 2"):
        parse_card('{"name":\n nothing}', "card.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": 21}, ["inputs", "sequence", "21", "20"]),
        ({"inputs": [{"name": "dna", "kind": "sequence"}]}, ["inputs", "dna", "sequence"]),
        ({"classes": ["a", "b", "c"]}, ["outputs", "3", "2"]),
        ({"output": "other"}, ["outputs", "other", "out"]),
    ],
)
def test_a_card_that_contradicts_the_graph_is_refused(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    model = small_model(tmp_path)
    card = copy.deepcopy(model.card)
    if "classes" in change:
        card["outputs"][0]["classes"] = [{"name": name} for name in change["classes"]]
    elif "output" in change:
        card["outputs"][0]["name"] = change["output"]
    else:
        card |= change
    with pytest.raises(ModelError) as caught:
        add_card(model.path, card_from_dict(card), tmp_path / "new.onnx")
    message = str(caught.value)
    assert all(word in message for word in ["contradicts the graph", *words]), message
    assert caught.value.exit_status == 4
    assert not (tmp_path / "new.onnx").exists()


def test_a_frozen_batch_size_is_refused_with_the_remedy(tmp_path: Path) -> None:
    model = small_model(tmp_path, batch="1")
    with pytest.raises(ModelError, match=r"batch size is frozen.*batch size 1.*dynamic_axes"):
        read_card(model.path)


def test_a_model_without_a_card_names_the_command_that_adds_one(tmp_path: Path) -> None:
    import onnx

    model = small_model(tmp_path)
    proto = onnx.load(str(model.path))
    del proto.metadata_props[:]
    bare = tmp_path / "bare.onnx"
    onnx.save(proto, str(bare))
    with pytest.raises(ModelError, match=r"no card.*trackgen model add-card") as caught:
        read_card(bare)
    assert caught.value.exit_status == 4
    add_card(bare, card_from_dict(model.card), tmp_path / "carded.onnx")
    assert read_card(tmp_path / "carded.onnx") == card_from_dict(model.card)


@pytest.mark.parametrize("content", [b"hello, this is text\n" * 20, b"", b"\x00" * 64])
def test_a_file_that_is_not_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx.*not an ONNX model") as caught:
        read_card(path)
    assert caught.value.exit_status == 4


def test_a_genome_in_place_of_a_model_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    path.write_text(">chr1\nACGT\n")
    with pytest.raises(ModelError, match=r"looks like a genome.*swapped"):
        read_card(path)
