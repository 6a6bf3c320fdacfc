"""Export: what is written is what was trained, or nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec, read_card
from trackgen.errors import ModelError
from trackgen.learn import export as export_module
from trackgen.learn.architectures import architecture
from trackgen.learn.calibration import Calibration
from trackgen.learn.export import Calibrated, export
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


def test_nan_is_refused(tmp_path: Path) -> None:
    module = net()
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="does not reproduce"):
        export(module, card_of(), tmp_path / "m.onnx")


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
