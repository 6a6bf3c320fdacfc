"""Nets for transcription-factor binding: sequence and a signal track -> one logit, of the bin in the window's middle.

Made of valid convolutions, floor pooling and dense layers, as those for start sites are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trackgen.learn.architectures.tss import xavier_start

__all__ = ["ThesisBinding", "ThesisDeepBinding"]


class ThesisBinding(nn.Module):
    """The shallow single-task net of ten Dijke 2017, as its program has it: a path for each kind of data, then joined.

    Sequence: 1000x4 -> convolution of width 15, 32 filters (986x32) -> max-pool 35/35 (28x32) -> batch norm -> ReLU ->
    flatten 896 -> dropout .5 -> dense 100 -> batch norm -> ReLU -> dropout .5. Signal: 1000 -> max-pool 30/30 (33).
    Joined: 133 -> dense 1000 -> batch norm -> ReLU -> dropout .5 -> dense 1. Xavier start.

    The plain variant of its program has convolutions of width 20 and pools the signal by 20; the rest is the same.

    Args:
        with_signal: False leaves the signal's path out, to see what it is worth; the signal is then ignored.
        width: of the convolution.
        signal_pool: width and step of the signal's max-pool.
    """

    window = 1000

    def __init__(self, *, with_signal: bool = True, width: int = 15, signal_pool: int = 30) -> None:
        super().__init__()
        self.with_signal = with_signal
        self.convolution = nn.Conv1d(4, 32, width)
        self.sequence_path = nn.Sequential(
            nn.MaxPool1d(35), nn.BatchNorm1d(32), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5),
            nn.Linear(896, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Dropout(0.5),
        )  # fmt: skip
        self.signal_path = nn.Sequential(nn.MaxPool1d(signal_pool), nn.Flatten())
        self.joined = _joined(100, self.window // signal_pool if with_signal else 0)
        xavier_start(self)

    def forward(self, sequence: Tensor, signal: Tensor | None = None) -> Tensor:
        """Logits (N, 1) of float32 (N, 4, 1000) one-hot and float32 (N, 1, 1000) signal."""
        features = self.sequence_path(self.convolution(sequence))
        if self.with_signal:
            features = torch.cat([features, self.signal_path(signal)], dim=1)
        logits: Tensor = self.joined(features)
        return logits


class ThesisDeepBinding(nn.Module):
    """The deep net of ten Dijke 2017: the shallow one with a sequence path of small filters, two convolutions a block.

    The thesis says so much ("a deeper architecture with convolutional filters with smaller receptive fields", after
    the VGG net); the rest of its Figure 17 can't be read, and is decided here. Four blocks of two convolutions of width
    3 (VGG's) with 32, 64, 64 and 128 filters, each followed by batch norm and ReLU, and of max-pool 4, 4, 3, 3: 1000x4
    -> 249x32 -> 61x64 -> 19x64 -> 5x128 -> flatten 640 -> dropout .5 -> dense 100, and on as in the shallow net. A
    position of the last block has seen about 500 bp. Xavier start.

    Args:
        with_signal: False leaves the signal's path out; the signal is then ignored.
    """

    window = 1000
    blocks = ((32, 4), (64, 4), (64, 3), (128, 3))

    def __init__(self, *, with_signal: bool = True) -> None:
        super().__init__()
        self.with_signal = with_signal
        layers: list[nn.Module] = []
        channels = 4
        for filters, pool in self.blocks:
            for _ in range(2):
                layers += [nn.Conv1d(channels, filters, 3), nn.BatchNorm1d(filters), nn.ReLU()]
                channels = filters
            layers.append(nn.MaxPool1d(pool))
        self.sequence_path = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(640, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Dropout(0.5)
        )
        self.signal_path = nn.Sequential(nn.MaxPool1d(30), nn.Flatten())
        self.joined = _joined(100, 33 if with_signal else 0)
        xavier_start(self)

    def forward(self, sequence: Tensor, signal: Tensor | None = None) -> Tensor:
        """Logits (N, 1) of float32 (N, 4, 1000) one-hot and float32 (N, 1, 1000) signal."""
        features = self.sequence_path(sequence)
        if self.with_signal:
            features = torch.cat([features, self.signal_path(signal)], dim=1)
        logits: Tensor = self.joined(features)
        return logits


def _joined(sequence: int, signal: int) -> nn.Sequential:
    """The layers on the features of both paths together."""
    return nn.Sequential(
        nn.Linear(sequence + signal, 1000), nn.BatchNorm1d(1000), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1000, 1)
    )
