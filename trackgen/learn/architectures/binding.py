"""Nets for transcription-factor binding: sequence and a signal track -> one logit, of the bin in the window's middle.

Made of valid convolutions, floor pooling and dense layers, as those for start sites are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trackgen.learn.architectures.tss import xavier_start

__all__ = ["ThesisBinding"]


class ThesisBinding(nn.Module):
    """The shallow single-task net of ten Dijke 2017, as its program has it: a path for each kind of data, then joined.

    Sequence: 1000x4 -> convolution of width 15, 32 filters (986x32) -> max-pool 35/35 (28x32) -> batch norm -> ReLU ->
    flatten 896 -> dropout .5 -> dense 100 -> batch norm -> ReLU -> dropout .5. Signal: 1000 -> max-pool 30/30 (33).
    Joined: 133 -> dense 1000 -> batch norm -> ReLU -> dropout .5 -> dense 1. Xavier start.

    Args:
        with_signal: False leaves the signal's path out, to see what it is worth; the signal is then ignored.
    """

    window = 1000

    def __init__(self, *, with_signal: bool = True) -> None:
        super().__init__()
        self.with_signal = with_signal
        self.convolution = nn.Conv1d(4, 32, 15)
        self.sequence_path = nn.Sequential(
            nn.MaxPool1d(35), nn.BatchNorm1d(32), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5),
            nn.Linear(896, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Dropout(0.5),
        )  # fmt: skip
        self.signal_path = nn.Sequential(nn.MaxPool1d(30), nn.Flatten())
        self.joined = nn.Sequential(
            nn.Linear(133 if with_signal else 100, 1000), nn.BatchNorm1d(1000), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(1000, 1),
        )  # fmt: skip
        xavier_start(self)

    def forward(self, sequence: Tensor, signal: Tensor) -> Tensor:
        """Logits (N, 1) of float32 (N, 4, 1000) one-hot and float32 (N, 1, 1000) signal."""
        features = self.sequence_path(self.convolution(sequence))
        if self.with_signal:
            features = torch.cat([features, self.signal_path(signal)], dim=1)
        logits: Tensor = self.joined(features)
        return logits
