"""A trained net on disk, before export: its architecture, weights, calibration and card, in one file."""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from trackgen.card import Card, card_from_dict
from trackgen.errors import ModelError
from trackgen.learn.architectures import architecture
from trackgen.learn.architectures.denoise import Denoiser
from trackgen.learn.architectures.layered import LayeredNet, spec_from_json
from trackgen.learn.architectures.rc_multitask import FactorLogits
from trackgen.learn.architectures.sequence_nets import SEQUENCE_NETS, sequence_net
from trackgen.learn.calibration import Calibration

__all__ = ["DENOISE", "FACTORS", "LogOdds", "SavedModel", "load_saved", "save_model"]

FORMAT = "trackgen net 1"
FACTORS = "rc_multitask"
"""The net whose size is that of its weights: as many factors as were kept."""
DENOISE = "denoise"
"""Likewise: as many channels as it was trained with."""


class LogOdds(nn.Module):
    """A net of two logits, unbound and bound, as one of their difference: a sigmoid of it is the softmax of the two."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.difference: Tensor
        self.register_buffer("difference", torch.tensor([[-1.0], [1.0]]))

    def forward(self, sequence: Tensor) -> Tensor:
        odds: Tensor = self.net(sequence) @ self.difference
        return odds


@dataclass(frozen=True)
class SavedModel:
    """Everything that `trackgen.learn.export.export` needs.

    Attributes:
        architecture: its name in `trackgen.learn.architectures`, or the JSON of a layered net.
        weights: the net's state.
        calibration: of its logits.
        card: of the exported model.
    """

    architecture: str
    weights: dict[str, Tensor]
    calibration: Calibration
    card: Card

    def build(self) -> nn.Module:
        """The net with its weights, in evaluation mode."""
        if self.architecture == FACTORS:
            return FactorLogits.of(self.weights).eval()
        if self.architecture == DENOISE:
            return Denoiser.of(self.weights).eval()
        if self.architecture.startswith("{"):
            layered = LayeredNet(spec_from_json(self.architecture))
            layered.load_state_dict(self.weights)
            return layered.eval()
        if self.architecture not in SEQUENCE_NETS:
            net = architecture(self.architecture).build()
            net.load_state_dict(self.weights)
            return net.eval()
        net = sequence_net(self.architecture).build(length=self.card.window)
        net.load_state_dict(self.weights)
        return (LogOdds(net) if self.card.outputs[0].activation == "sigmoid" else net).eval()


def save_model(model: SavedModel, path: Path) -> None:
    """Write `model`, whole or not at all."""
    state = {
        "format": FORMAT, "architecture": model.architecture, "weights": model.weights,
        "calibration": asdict(model.calibration), "card": model.card.to_dict(),
    }  # fmt: skip
    part = path.with_name(path.name + ".tmp")
    torch.save(state, part)
    os.replace(part, path)


def load_saved(path: Path) -> SavedModel:
    """The model in `path`; nothing in the file is executed.

    Raises:
        ModelError: missing, not such a file, or of an architecture that this version lacks.
    """
    if not path.is_file():
        raise ModelError("the file does not exist", path=path, wanted="the model.pt of a training run")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ModelError("the file is not a trained net", path=path, wanted="the model.pt of a training run")
        calibration = Calibration(state["calibration"]["scale"], tuple(state["calibration"]["shift"]))
        card = card_from_dict(state["card"], str(path))
        return SavedModel(state["architecture"], state["weights"], calibration, card)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ModelError(
            "the file is not a trained net", path=path, found=f"{type(error).__name__}: {str(error)[:80]}",
            wanted="the model.pt of a training run",
        ) from error  # fmt: skip
