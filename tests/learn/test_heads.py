"""Heads of BPNet-like nets: the exported graph gives the reads that the net's two outputs mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec, read_card
from trackgen.errors import ModelError, UsageError
from trackgen.learn.export import export
from trackgen.runtime import open_session

WINDOW, POSITIONS = 120, 40


class SmallBpnet(nn.Module):
    """Valid convolutions, two of them dilated and residual; a profile of the 40 central bases and its counts."""

    def __init__(self, strands: int, counts: int, *, flat: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 8, 11)
        self.dilated = nn.ModuleList(nn.Conv1d(8, 8, 3, dilation=2**i) for i in (1, 2))
        self.profile = nn.Conv1d(8, strands, 9)
        self.counts = nn.Linear(8, counts)
        self.flat = flat

    def forward(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.relu(self.stem(sequence))
        for layer in self.dilated:
            edge = layer.dilation[0]
            features = features[:, :, edge:-edge] + torch.relu(layer(features))
        logits = self.profile(features)
        edge = (logits.shape[2] - POSITIONS) // 2
        logits = logits[:, :, edge : edge + POSITIONS]
        return (logits[:, 0] if self.flat else logits), self.counts(features.mean(dim=2)) + 3


def card_of(strands: int, **output: Any) -> Card:
    names = ("plus", "minus")[:strands]
    classes = tuple(ClassSpec(f"reads_{name}") for name in names)
    outputs = (OutputSpec("reads", **{"activation": "none", "classes": classes, "resolution": 1} | output),)
    return Card(
        name="bpnet", window=WINDOW, bin=POSITIONS, inputs=(InputSpec("sequence", "sequence"),), outputs=outputs
    )


def run_both(net: nn.Module, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(the graph's values, the net's logits, the net's log counts) of nine windows."""
    x = np.eye(4, dtype=np.float32)[np.random.default_rng(5).integers(0, 4, (9, WINDOW))].transpose(0, 2, 1).copy()
    (values,) = open_session(path, device="cpu", threads=1).run({"sequence": x}, ["reads"])
    with torch.no_grad():
        logits, counts = net(torch.from_numpy(x))
    return values, logits.double().numpy(), counts.double().numpy()


def shares(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize(("strands", "counts"), [(1, 1), (2, 2), (2, 1)])
def test_each_strand_has_its_own_softmax_and_adds_up_to_its_count(tmp_path: Path, strands: int, counts: int) -> None:
    torch.manual_seed(3)
    net = SmallBpnet(strands, counts)
    path = export(net, card_of(strands), tmp_path / "m.onnx", head="profile_counts")
    assert read_card(path) == card_of(strands)
    values, logits, log_counts = run_both(net, path)
    assert values.shape == (9, strands, POSITIONS)
    # float32 through a dozen layers; reads are near 1 a base
    np.testing.assert_allclose(values, shares(logits) * np.exp(log_counts)[:, :, None], rtol=1e-4)
    np.testing.assert_allclose(values.sum(axis=2), np.exp(log_counts) * np.ones((1, strands)), rtol=1e-4)


def test_a_joint_head_spreads_one_count_over_both_strands(tmp_path: Path) -> None:
    torch.manual_seed(4)
    net = SmallBpnet(2, 1)
    path = export(net, card_of(2), tmp_path / "m.onnx", head="profile_counts_joint")
    values, logits, log_counts = run_both(net, path)
    expected = shares(logits.reshape(9, -1)).reshape(logits.shape) * np.exp(log_counts)[:, :, None]
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    np.testing.assert_allclose(values.sum(axis=(1, 2)), np.exp(log_counts[:, 0]), rtol=1e-4)


def test_a_profile_without_an_axis_of_strands_is_of_one(tmp_path: Path) -> None:
    torch.manual_seed(5)
    net = SmallBpnet(1, 1, flat=True)
    values, logits, counts = run_both(net, export(net, card_of(1), tmp_path / "m.onnx", head="profile_counts"))
    np.testing.assert_allclose(values[:, 0], shares(logits) * np.exp(counts), rtol=1e-4)


@pytest.mark.parametrize("head", ["profile", "counts_profile", ""])
def test_an_unknown_head_is_refused_with_those_that_there_are(tmp_path: Path, head: str) -> None:
    with pytest.raises(UsageError, match=r"unknown head.*wanted profile_counts, profile_counts_joint") as caught:
        export(SmallBpnet(1, 1), card_of(1), tmp_path / "m.onnx", head=head)
    assert caught.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", [{"resolution": None}, {"activation": "softmax"}])
def test_a_card_without_a_bare_profile_is_refused(tmp_path: Path, output: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="does not fit the head profile_counts; found reads: activation"):
        export(SmallBpnet(1, 1), card_of(1, **output), tmp_path / "m.onnx", head="profile_counts")


def test_nets_that_give_something_else_are_refused_with_the_shapes_they_give(tmp_path: Path) -> None:
    def refused(net: nn.Module, head: str) -> str:
        with pytest.raises(ModelError, match="not a profile and its counts") as caught:
            export(net, card_of(2), tmp_path / "m.onnx", head=head)
        return str(caught.value)

    assert "(2, 2, 40) and (2, 3)" in refused(SmallBpnet(2, 3), "profile_counts")
    assert "(2, 2, 40) and (2, 2)" in refused(SmallBpnet(2, 2), "profile_counts_joint")
    assert "found Tensor" in refused(nn.Conv1d(4, 2, 9), "profile_counts")
    assert list(tmp_path.iterdir()) == []
