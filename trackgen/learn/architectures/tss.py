"""Nets for transcription start sites: float32 (N, 4, L) one-hot -> float32 (N, 3) logits, background, sharp, broad.

All are made of valid convolutions, floor pooling, crops and dense layers: what a window computes does not depend on
where it was cut, so that neighbouring windows can share work.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CentreTss", "ThesisTss", "xavier_start"]


class ThesisTss(nn.Module):
    """The net of ten Dijke 2017, Table 9.

    200x4 -> convolution of width 10, 16 filters (191x16) -> max-pool 4/4 (47x16) -> ReLU -> flatten 752 -> dense 128 ->
    ReLU -> dropout .5 -> dense 3. Xavier start, as the thesis has it.
    """

    window = 200

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 16, 10)
        self.pool = nn.MaxPool1d(4)
        self.hidden = nn.Linear(752, 128)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(128, 3)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        features = torch.relu(self.pool(self.convolution(sequence))).flatten(1)
        logits: Tensor = self.output(self.dropout(torch.relu(self.hidden(features))))
        return logits

    def along(self, sequence: Tensor) -> Tensor:
        """Logits (N, 3, n) of all windows along float32 (N, 4, n + 199), each convolution computed once."""
        number = sequence.shape[2] - self.window + 1
        features = _pooled_everywhere(self.convolution(sequence), 4)
        # a window drops its last bases, which do not fill a pool: without the cut there would be a few more
        hidden = _dense_everywhere(features, self.hidden.weight, 4)[:, :, :number] + self.hidden.bias[:, None]
        return _dense_everywhere(torch.relu(hidden), self.output.weight, 1) + self.output.bias[:, None]


class CentreTss(nn.Module):
    """The thesis' convolution with a wider view, and a second path that keeps the register.

    Max-pooling by 4 blurs which base the window is about, and a TSS is one base: nine in ten start at the A or G of a
    YR pair. The second path is a crop of the 41 bases around the window's base, convolved without pooling (width 7,
    16 filters, 35x16), so that the dense layer sees every base near the start at its exact place. The first path sees
    400 bases, the nucleosome-free region and what lies on both sides of it, pooled by 8 (48x16): wider and coarser
    than the thesis' for 1.7 times its cost. Both are flattened and joined (768 + 560), then dense 64, dropout .5,
    dense 3. While it learns, a second head predicts log(1 + count) of the base.
    """

    window = 400
    pooling = 8
    centre = (window - 1) // 2
    reach = 20
    context_features = (window - 9) // pooling * 16
    register_features = (2 * reach + 1 - 6) * 16

    def __init__(self) -> None:
        super().__init__()
        self.context = nn.Conv1d(4, 16, 10)
        self.pool = nn.MaxPool1d(self.pooling)
        self.register = nn.Conv1d(4, 16, 7)
        self.hidden = nn.Linear(self.context_features + self.register_features, 64)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(64, 3)
        self.count = nn.Linear(64, 1)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        logits: Tensor = self.output(self._features(sequence))
        return logits

    def with_count(self, sequence: Tensor) -> Tensor:
        """float32 (N, 4): the logits, and the prediction of log(1 + count)."""
        features = self._features(sequence)
        return torch.cat([self.output(features), self.count(features)], dim=1)

    def _features(self, sequence: Tensor) -> Tensor:
        context = torch.relu(self.pool(self.context(sequence)))
        middle = sequence[:, :, self.centre - self.reach : self.centre + self.reach + 1]
        joined = torch.cat([context.flatten(1), torch.relu(self.register(middle)).flatten(1)], dim=1)
        features: Tensor = self.dropout(torch.relu(self.hidden(joined)))
        return features

    def along(self, sequence: Tensor) -> Tensor:
        """Logits (N, 3, n) of all windows along float32 (N, 4, n + 399), each convolution computed once."""
        number = sequence.shape[2] - self.window + 1
        context = _pooled_everywhere(self.context(sequence), self.pooling)
        middle = sequence[:, :, self.centre - self.reach : self.centre + self.reach + number]
        weights = self.hidden.weight[:, : self.context_features], self.hidden.weight[:, self.context_features :]
        hidden = _dense_everywhere(context, weights[0], self.pooling)[:, :, :number] + self.hidden.bias[:, None]
        hidden = hidden + _dense_everywhere(torch.relu(self.register(middle)), weights[1], 1)
        return _dense_everywhere(torch.relu(hidden), self.output.weight, 1) + self.output.bias[:, None]


def _pooled_everywhere(values: Tensor, width: int) -> Tensor:
    """ReLU of the maximum of `width` neighbours at every position: every phase of a pool of stride `width`."""
    return torch.relu(functional.max_pool1d(values, width, stride=1))


def _dense_everywhere(values: Tensor, weight: Tensor, step: int) -> Tensor:
    """A dense layer on flattened (C, n) features, `step` apart, at every position: its weights as a convolution."""
    return functional.conv1d(values, weight.reshape(len(weight), values.shape[1], -1), dilation=step)


def xavier_start(module: nn.Module) -> None:
    """Xavier (Glorot 2010) uniform weights and zero biases for every convolution and dense layer."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
