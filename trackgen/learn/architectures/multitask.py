"""Nets for many factors at once: a shared trunk, hidden units that are a factor's own, and three nodes a factor.

The nodes stand for unknown, unbound and bound (ten Dijke 2017, section 5.5). The loss weighs them 0, 1 and the ratio of
unbound to bound examples, so that an error comes only from factors for which there are data at that place and in that
cell type; all others are left alone, and still profit from the trunk.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trackgen.learn.architectures.tss import xavier_start

__all__ = ["BOUND", "PRIVATE_UNITS", "UNBOUND", "UNKNOWN", "BoundLogits", "FactorHeads", "ThesisMultitask",
           "ThreeNodeLoss"]  # fmt: skip

UNKNOWN, UNBOUND, BOUND = range(3)
"""The nodes of a factor, and the labels of a window for it."""
PRIVATE_UNITS = 128
"""Hidden units of a factor's own, as the thesis has it."""


class FactorHeads(nn.Module):
    """float32 (N, features) -> logits (N, factors, 3), through `units` hidden units that each factor has for itself.

    All hidden units are one dense layer. The nodes of all factors are one convolution of width 1 in as many groups as
    there are factors: each group sees its own units alone.
    """

    def __init__(self, features: int, factors: int, units: int = PRIVATE_UNITS, dropout: float = 0.5) -> None:
        super().__init__()
        self.factors = factors
        self.hidden = nn.Linear(features, factors * units)
        self.dropout = nn.Dropout(dropout)
        self.nodes = nn.Conv1d(factors * units, factors * 3, 1, groups=factors)
        self.start()

    def start(self) -> None:
        """Xavier start of each factor's own layers, as if they stood alone: their fans are not those of all factors."""
        for weight in (self.hidden.weight, self.nodes.weight):
            for part in weight.chunk(self.factors):
                nn.init.xavier_uniform_(part)
        for layer in (self.hidden, self.nodes):
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, features: Tensor) -> Tensor:
        own = self.dropout(torch.relu(self.hidden(features)))
        logits: Tensor = self.nodes(own.unsqueeze(2)).reshape(-1, self.factors, 3)
        return logits


class ThesisMultitask(nn.Module):
    """The multi-task net of ten Dijke 2017: its program's trunk, and its text's 128 units of a factor's own.

    Sequence: 1000x4 -> convolution of width 30, 320 filters (971x320) -> max-pool 15/15 (64x320) -> ReLU -> dropout .2
    -> flatten 20480 -> dense 1000 -> ReLU -> dropout .5. Signal: 1000 -> max-pool 30/30 (33). Joined: 1033 -> dense
    1000 -> batch norm -> ReLU -> dropout .5, the 1,000 latent units that all factors share. Each factor: dense 128 ->
    ReLU -> dropout .5 -> dense 3. Xavier start.

    Args:
        factors: number of them.
        with_signal: False leaves the signal's path out.
        units: hidden units of each factor.
    """

    window = 1000

    def __init__(self, factors: int, *, with_signal: bool = True, units: int = PRIVATE_UNITS) -> None:
        super().__init__()
        self.with_signal = with_signal
        self.convolution = nn.Conv1d(4, 320, 30)
        self.sequence_path = nn.Sequential(
            nn.MaxPool1d(15), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(20480, 1000), nn.ReLU(),
            nn.Dropout(0.5),
        )  # fmt: skip
        self.signal_path = nn.Sequential(nn.MaxPool1d(30), nn.Flatten())
        self.joined = nn.Sequential(
            nn.Linear(1033 if with_signal else 1000, 1000), nn.BatchNorm1d(1000), nn.ReLU(), nn.Dropout(0.5)
        )
        xavier_start(self)
        self.heads = FactorHeads(1000, factors, units)

    def forward(self, sequence: Tensor, signal: Tensor | None = None) -> Tensor:
        """Logits (N, factors, 3) of float32 (N, 4, 1000) one-hot and, where it has the path, (N, 1, 1000) signal."""
        features = self.sequence_path(self.convolution(sequence))
        if self.with_signal:
            features = torch.cat([features, self.signal_path(signal)], dim=1)
        logits: Tensor = self.heads(self.joined(features))
        return logits


class BoundLogits(nn.Module):
    """A net of three nodes a factor, as one logit a factor (N, factors): bound against unbound, given it is either.

    Their difference is the log-odds of softmax over the two: where something is known, what is unknown is no answer.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.net(*inputs)
        return logits[:, :, BOUND] - logits[:, :, UNBOUND]


class ThreeNodeLoss(nn.Module):
    """Weighted cross entropy over all factors: unknown weighs 0, unbound 1, bound the ratio of the factor.

    The mean is over the weights of all labels that are not unknown; 0 where there is none.

    Args:
        ratios: unbound / bound examples of each factor.
    """

    def __init__(self, ratios: Sequence[float]) -> None:
        super().__init__()
        weights = torch.tensor([[0.0, 1.0, float(ratio)] for ratio in ratios], dtype=torch.float32)
        self.register_buffer("weights", weights)
        self.weights: Tensor

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of float32 (N, factors, 3) logits for int64 (N, factors) labels, 0 unknown, 1 unbound, 2 bound."""
        each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        weights = self.weights.to(logits.device).expand(len(labels), -1, -1)
        weight = weights.gather(2, labels.unsqueeze(2)).flatten()
        return (each * weight).sum() / weight.sum().clamp(min=1e-12)
