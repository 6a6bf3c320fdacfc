"""Export: what is written is what was trained, or nothing is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.source import ROOT
from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec, read_card
from trackgen.errors import ModelError, UsageError
from trackgen.learn import export as export_module
from trackgen.learn.architectures import architecture
from trackgen.learn.calibration import Calibration
from trackgen.learn.export import Calibrated, export
from trackgen.learn.heads import HEADS
from trackgen.learn.saved import SavedModel, load_saved, save_model
from trackgen.runtime import open_session

CALIBRATION = Calibration(0.8, (0.0, -6.0, -5.5))


def card_of(name: str = "tss-test", **settings: Any) -> Card:
    classes = tuple(ClassSpec(c) for c in ("background", "sharp", "broad"))
    outputs = (OutputSpec("tss", "softmax", classes, role="probability", unit="probability"),)
    inputs = (InputSpec("sequence", "sequence"),)
    return Card(name=name, **{"window": 200, "inputs": inputs, "outputs": outputs} | settings)


def net(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return Calibrated(architecture("tss-thesis").build(), CALIBRATION)


def test_the_file_holds_card_and_calibration_and_takes_any_batch(tmp_path: Path) -> None:
    module = net()
    path = export(module, card_of(), tmp_path / "m.onnx")
    assert read_card(path) == card_of()
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds[-3:] == ["Mul", "Add", "Softmax"]
    session = open_session(path, device="cpu", threads=1)
    x = np.random.default_rng(0).random((5, 4, 200), dtype=np.float32)
    (found,) = session.run({"sequence": x}, ["tss"])
    with torch.no_grad():
        np.testing.assert_allclose(found, module(torch.from_numpy(x)).numpy(), atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_the_same_net_gives_the_same_bytes_and_nothing_of_this_machine(tmp_path: Path) -> None:
    paths = [export(net(), card_of(), tmp_path / name) for name in ("a.onnx", "b.onnx")]
    data = paths[0].read_bytes()
    assert data == paths[1].read_bytes()
    for word in (b".py", b"/home", str(Path(__file__).parents[2]).encode(), str(tmp_path).encode()):
        assert word not in data


def test_a_runtime_that_gives_other_values_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crooked:
        def __init__(self, *args: Any, **settings: Any) -> None:
            self.session = open_session(*args, **settings)

        def run(self, feed: Any, names: Any) -> list[np.ndarray]:
            values = self.session.run(feed, names)
            if len(values[0]) == 7:
                values[0] = values[0] + np.float32(3e-5)
            return values

    monkeypatch.setattr(export_module, "open_session", Crooked)
    with pytest.raises(ModelError, match=r"does not reproduce PyTorch; found a largest difference of 3e-05") as caught:
        export(net(), card_of(), tmp_path / "m.onnx")
    assert "batch of 7" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path, value: str) -> None:
    module = net()
    name, tensor = list(module.named_parameters())[2]
    with torch.no_grad():
        tensor.flatten()[1:3] = float(value)
    with pytest.raises(ModelError, match="weights that are NaN or infinite") as caught:
        export(module, card_of(), tmp_path / "m.onnx")
    assert f"tensor {name}: " in str(caught.value)
    assert f"found 2 of {tensor.numel()} values, the first {value}; wanted finite numbers" in str(caught.value)
    assert caught.value.exit_status == 4
    assert list(tmp_path.iterdir()) == []


class Buffered(nn.Module):
    """A net with a buffer of one value, which is a mask or a divisor."""

    def __init__(self, value: float, *, mask: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(800, 3)
        self.mask = mask
        self.kept: torch.Tensor
        self.register_buffer("kept", torch.tensor([0.0, value, 0.0] if mask else [value]))

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        logits = self.linear(sequence.flatten(1))
        return torch.softmax(logits + self.kept, dim=1) if self.mask else logits / self.kept


def test_nan_in_a_buffer_is_refused_and_an_infinite_mask_is_none_of_our_business(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tensor kept: .* weights that are NaN.*1 of 1 values, the first nan"):
        export(Buffered(float("nan"), mask=False), card_of(), tmp_path / "m.onnx")
    assert export(Buffered(float("-inf"), mask=True), card_of(), tmp_path / "m.onnx").is_file()


def test_outputs_that_are_no_numbers_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"output tss: the net gives values that are NaN or infinite") as caught:
        export(Buffered(0.0, mask=False), card_of(), tmp_path / "m.onnx")
    assert "found 6 of 6 values, the first " in str(caught.value)
    assert list(tmp_path.iterdir()) == []


class Several(nn.Module):
    """Gives what it is told to, from windows of sequence."""

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.shapes = shapes

    def forward(self, sequence: torch.Tensor) -> Any:
        base = sequence.sum(dim=(1, 2))
        return tuple(base.reshape(-1, *[1] * len(shape)).expand(-1, *shape) for shape in self.shapes)


@pytest.mark.parametrize(
    ("shapes", "words", "missing"),
    [
        ([(2, 40), (2,)], ["the net gives 2 outputs, the card names 1", "with head='profile_counts';"], "joint"),
        ([(2, 40), (1,)], ["with head='profile_counts' or head='profile_counts_joint'"], "reproduce"),
        ([(40,), (1,)], ["with head='profile_counts' or", "shapes (2, 40), (2, 1); wanted tss"], "reproduce"),
        ([(3,), (4,)], ["the net gives 2 outputs, the card names 1", "Name each of the net's outputs"], "head="),
        ([(3,), (3,), (3,)], ["the net gives 3 outputs, the card names 1"], "head="),
        ([], ["the net gives 0 outputs, the card names 1"], "head="),
    ],
)
def test_a_net_of_more_outputs_than_its_card_is_refused_with_the_head_that_would_fit(
    tmp_path: Path, shapes: list[tuple[int, ...]], words: list[str], missing: str
) -> None:
    with pytest.raises(ModelError) as caught:
        export(Several(*shapes), card_of(), tmp_path / "m.onnx")
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert missing not in message
    assert list(tmp_path.iterdir()) == []


def test_a_net_of_fewer_outputs_than_its_card_is_refused(tmp_path: Path) -> None:
    outputs = tuple(OutputSpec(name, "none", (ClassSpec(name),)) for name in ("one", "two"))
    with pytest.raises(ModelError, match=r"the net gives 1 output, the card names 2; .*wanted one, two"):
        export(net(), card_of(outputs=outputs), tmp_path / "m.onnx")


def test_outputs_that_are_no_tensors_are_refused(tmp_path: Path) -> None:
    class Named(nn.Module):
        def forward(self, sequence: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"tss": sequence[:, :3, 0]}

    with pytest.raises(ModelError, match=r"outputs are no tensors; found dict; wanted a tensor for each output"):
        export(Named(), card_of(), tmp_path / "m.onnx")


def test_a_net_that_cannot_run_on_the_cards_inputs_is_refused_with_their_shapes(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot run on the card's inputs \(Runtime.*sequence \(2, 4, 200\)"):
        export(nn.Linear(7, 3), card_of(), tmp_path / "m.onnx")


def test_the_values_of_a_cards_json_are_a_card(tmp_path: Path) -> None:
    path = export(net(), json.loads(json.dumps(card_of().to_dict())), tmp_path / "m.onnx")
    assert read_card(path) == card_of()
    with pytest.raises(ModelError, match=r"card field inputs: a required field is missing"):
        export(net(), {"schema_version": 1, "name": "x", "window": 200}, tmp_path / "m.onnx")


@pytest.mark.parametrize("card", ["card.json", None, 3])
def test_what_is_no_card_is_refused(tmp_path: Path, card: Any) -> None:
    with pytest.raises(UsageError, match=r"found (str|NoneType|int); wanted a trackgen.card.Card.*json.load") as caught:
        export(net(), card, tmp_path / "m.onnx")
    assert caught.value.exit_status == 2


def test_a_card_of_another_window_is_refused(tmp_path: Path) -> None:
    two = (OutputSpec("tss", "softmax", (ClassSpec("a"), ClassSpec("b")), role="probability"),)
    with pytest.raises(ModelError, match="contradicts the graph"):
        export(net(), card_of(outputs=two), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_onnx_cannot_hold_is_refused(tmp_path: Path) -> None:
    class Moody(nn.Module):
        def forward(self, sequence: torch.Tensor) -> torch.Tensor:
            return sequence[:, :3, 0] if float(sequence.sum()) > 0 else sequence[:, 1:, 0]

    with pytest.raises(ModelError, match="cannot be exported"):
        export(Moody(), card_of(), tmp_path / "m.onnx")


def test_several_inputs_and_outputs_are_checked_by_name(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(800, 2), nn.Linear(5, 3)

        def forward(self, sequence: torch.Tensor, expression: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.sigmoid(self.a(sequence.flatten(1))), self.b(expression)

    card = Card(
        name="two", window=200,
        inputs=(InputSpec("sequence", "sequence"), InputSpec("expression", "vector", length=5, default=(0.0,))),
        outputs=(
            OutputSpec("bound", "sigmoid", (ClassSpec("p"), ClassSpec("q")), role="probability"),
            OutputSpec("level", "none", (ClassSpec("x"), ClassSpec("y"), ClassSpec("z"))),
        ),
    )  # fmt: skip
    assert [output.name for output in read_card(export(Two(), card, tmp_path / "m.onnx")).outputs] == ["bound", "level"]


def test_a_saved_net_comes_back_and_exports_to_the_same_bytes(tmp_path: Path) -> None:
    module = architecture("tss-thesis").build()
    save_model(SavedModel("tss-thesis", module.state_dict(), CALIBRATION, card_of()), tmp_path / "model.pt")
    saved = load_saved(tmp_path / "model.pt")
    first = export(Calibrated(module, CALIBRATION), card_of(), tmp_path / "a.onnx")
    second = export(Calibrated(saved.build(), saved.calibration), saved.card, tmp_path / "b.onnx")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("content", [b"", b"not a net", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_trained_net_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ModelError, match="not a trained net"):
        load_saved(tmp_path / "model.pt")
    with pytest.raises(ModelError, match="does not exist"):
        load_saved(tmp_path / "none.pt")


def test_the_python_of_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (card,) = re.findall(r"cat > card.json <<'END'\n(.*?)\nEND\n", text, re.DOTALL)
    (tmp_path / "card.json").write_text(card)
    blocks: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, blocks)
    assert {read_card(path).name for path in tmp_path.glob("*.onnx")} == {"my-model", "my-profile"}
    missing = [name for name in HEADS if f'`"{name}"`' not in text]
    assert missing == []
