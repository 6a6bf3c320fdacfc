"""The nets whose scans are timed, each also written by hand in its fully convolutional form.

Weights are random but seeded; what a net costs does not depend on them. `along` gives the values of all windows of a
stretch in one go, each convolution computed once: what a person who knows PyTorch and the net would write; None for
padded nets, which have no such form. Where a window drops its last bases, which fill no pool, `along` gives a few
values more than there are windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec, load_model
from trackgen.learn.architectures.tss import ThesisTss, xavier_start
from trackgen.learn.export import export

SMALL_POOL = 8
"""Up to this width PyTorch's own max-pool is the fastest sliding maximum, above it pairwise maxima (measured)."""


def sliding_max(values: Tensor, width: int, step: int = 1) -> Tensor:
    """The maximum of `width` neighbours at every `step`-th position, the fastest way that PyTorch has on a CPU."""
    if width <= SMALL_POOL:
        return functional.max_pool1d(values, width, step)
    reach = 1
    while reach < width:
        shift = min(reach, width - reach)
        values = torch.maximum(values[..., :-shift], values[..., shift:])
        reach += shift
    return values[..., ::step]


def dense_along(values: Tensor, layer: nn.Linear, dilation: int = 1, step: int = 1) -> Tensor:
    """A dense layer on flattened (C, n) features, as a convolution."""
    weight = layer.weight.reshape(layer.out_features, values.shape[1], -1)
    return functional.conv1d(values, weight, layer.bias, dilation=dilation, stride=step)


class Tss(nn.Module):
    """The thesis' TSS net with its softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ThesisTss()

    def forward(self, sequence: Tensor) -> Tensor:
        return torch.softmax(self.net(sequence), dim=1)

    def along(self, sequence: Tensor, stride: int) -> Tensor:
        return torch.softmax(self.net.along(sequence)[:, :, ::stride], dim=1)


class Zeng(nn.Module):
    """Zeng 2016, 1layer_128motif: convolution 4 -> 128 of width 24, global max-pool, dense 32, dropout, dense 2.

    The paper names no non-linearity after the convolution; a global maximum is one by itself.
    """

    def __init__(self, window: int = 101) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 128, 24)
        self.pooled = window - 23
        self.hidden = nn.Linear(128, 32)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(32, 2)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        features = torch.amax(self.convolution(sequence), dim=2)
        return torch.softmax(self.output(self.dropout(torch.relu(self.hidden(features)))), dim=1)

    def along(self, sequence: Tensor, stride: int) -> Tensor:
        features = sliding_max(self.convolution(sequence), self.pooled, stride)
        hidden = torch.relu(dense_along(features, self.hidden))
        return torch.softmax(dense_along(hidden, self.output), dim=1)


class Shallow(nn.Module):
    """The thesis' single-task net of transcription factors, its sequence path alone, on 1,000 bp.

    Convolution 32 of the given width, max-pool 35/35, batch norm, ReLU, dense 100, batch norm, ReLU, dense 1, sigmoid.
    """

    pooling = 35

    def __init__(self, width: int, window: int = 1000) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 32, width)
        self.pool = nn.MaxPool1d(self.pooling)
        self.first_norm = nn.BatchNorm1d(32)
        self.hidden = nn.Linear((window - width + 1) // self.pooling * 32, 100)
        self.second_norm = nn.BatchNorm1d(100)
        self.output = nn.Linear(100, 1)
        xavier_start(self)
        for norm in (self.first_norm, self.second_norm):
            nn.init.normal_(norm.running_mean, 0, 0.1)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)

    def forward(self, sequence: Tensor) -> Tensor:
        features = torch.relu(self.first_norm(self.pool(self.convolution(sequence)))).flatten(1)
        hidden = torch.relu(self.second_norm(self.hidden(features)))
        return torch.sigmoid(self.output(hidden))

    def along(self, sequence: Tensor, stride: int) -> Tensor:
        step = math.gcd(stride, self.pooling)
        features = torch.relu(self.first_norm(sliding_max(self.convolution(sequence), self.pooling, step)))
        hidden = self.second_norm(dense_along(features, self.hidden, self.pooling // step, stride // step))
        return torch.sigmoid(dense_along(torch.relu(hidden), self.output))


class Profile(nn.Module):
    """A BPNet-like net of valid convolutions: 64 filters, dilations 2 to 64, residual sums cropped, 1,000 positions."""

    dilations = (2, 4, 8, 16, 32, 64)
    positions = 1000
    window = positions + 20 + 2 * sum(dilations) + 74

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 64, 21)
        self.tower = nn.ModuleList(nn.Conv1d(64, 64, 3, dilation=dilation) for dilation in self.dilations)
        self.profile = nn.Conv1d(64, 1, 75)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        values = torch.relu(self.first(sequence))
        for layer, dilation in zip(self.tower, self.dilations, strict=True):
            values = values[:, :, dilation:-dilation] + torch.relu(layer(values))
        return self.profile(values)

    def along(self, sequence: Tensor, stride: int) -> Tensor:
        """(1, 1, positions of all windows): windows `positions` apart lie side by side."""
        return self(sequence)


class Basset(nn.Module):
    """A net of Basset's kind (Kelley 2016): three valid convolutions with batch norm and max-pools 3, 4, 4; 600 bp."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv1d(4, 300, 19), nn.Conv1d(300, 200, 11), nn.Conv1d(200, 200, 7)])
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for channels in (300, 200, 200))
        self.pools = (3, 4, 4)
        self.hidden = nn.ModuleList([nn.Linear(2000, 1000), nn.Linear(1000, 1000)])
        self.output = nn.Linear(1000, 164)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        values = sequence
        for convolution, norm, pool in zip(self.convolutions, self.norms, self.pools, strict=True):
            values = functional.max_pool1d(torch.relu(norm(convolution(values))), pool)
        values = values.flatten(1)
        for layer in self.hidden:
            values = torch.relu(layer(values))
        return torch.sigmoid(self.output(values))

    def along(self, sequence: Tensor, stride: int) -> Tensor:
        values, cumulative, step = sequence, 1, 1
        for convolution, norm, pool in zip(self.convolutions, self.norms, self.pools, strict=True):
            dilation, next_step = cumulative // step, math.gcd(stride, cumulative * pool)
            values = functional.conv1d(values, convolution.weight, convolution.bias, dilation=dilation)
            values = functional.max_pool1d(torch.relu(norm(values)), pool, next_step // step, dilation=dilation)
            cumulative, step = cumulative * pool, next_step
        values = torch.relu(dense_along(values, self.hidden[0], cumulative // step, stride // step))
        values = torch.relu(dense_along(values, self.hidden[1]))
        return torch.sigmoid(dense_along(values, self.output))


class PaddedShallow(Shallow):
    """The shallow net with its convolution padded to the window's length, as many published nets have it."""

    along = None

    def __init__(self, width: int = 15, window: int = 1000) -> None:
        super().__init__(width, window)
        self.convolution = nn.Conv1d(4, 32, width, padding=width // 2)
        self.hidden = nn.Linear(window // self.pooling * 32, 100)
        xavier_start(self)


class PaddedDeep(nn.Module):
    """Three padded convolutions of 64 channels and Basset's widths and pools, dense 100, sigmoid; 600 bp."""

    along = None

    def __init__(self, window: int = 600) -> None:
        super().__init__()
        sizes = ((4, 19), (64, 11), (64, 7))
        self.convolutions = nn.ModuleList(nn.Conv1d(inputs, 64, width, padding=width // 2) for inputs, width in sizes)
        self.pools = (3, 4, 4)
        self.hidden = nn.Linear(64 * (window // math.prod(self.pools)), 100)
        self.output = nn.Linear(100, 1)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        values = sequence
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            values = functional.max_pool1d(torch.relu(convolution(values)), pool)
        return torch.sigmoid(self.output(torch.relu(self.hidden(values.flatten(1)))))


@dataclass(frozen=True)
class Case:
    """A net, how it is scanned, and the bars that its scan is held against."""

    key: str
    title: str
    make: Callable[[], nn.Module]
    window: int
    stride: int
    bars: tuple[tuple[str, float], ...] = ()
    """Rival -> the least ratio of rates; the rival ``operations`` stands for ONNX Runtime on windows, and the bar then
    counts in ratios of operation counts."""
    classes: int = 1
    activation: str = "sigmoid"
    positions: int | None = None
    """Positions of a profile, one a base; None for one value a window."""

    @property
    def card(self) -> Card:
        """The card of the exported model."""
        classes = tuple(ClassSpec(f"class{index}") for index in range(self.classes))
        resolution = None if self.positions is None else 1
        output = OutputSpec("output", self.activation, classes, resolution=resolution)  # type: ignore[arg-type]
        return Card(
            name=self.key,
            window=self.window,
            inputs=(InputSpec("sequence", "sequence"),),
            outputs=(output,),
            bin=self.positions or 1,
            stride=self.stride,
        )

    def build(self) -> nn.Module:
        """The net with its seeded weights, ready for prediction."""
        torch.manual_seed(1)
        return self.make().eval()


WINDOWS = "ONNX Runtime, windows"
TORCH = "PyTorch, windows"
CASES = (
    Case("tss", "thesis' TSS net, 200 bp, stride 1", Tss, 200, 1, ((WINDOWS, 7), (TORCH, 20)), 3, "softmax"),
    Case("zeng", "Zeng 1layer_128motif, 101 bp, stride 1", Zeng, 101, 1, ((WINDOWS, 45), (TORCH, 80)), 2, "softmax"),
    Case(
        "shallow", "thesis' shallow net, 1,000 bp, stride 50", lambda: Shallow(15), 1000, 50, (("operations", 1.1),)
    ),
    Case(
        "shallow20", "the same, width 20, stride 50", lambda: Shallow(20), 1000, 50, (("operations", 1.1),)
    ),
    Case("shallow1", "thesis' shallow net, stride 1", lambda: Shallow(15), 1000, 1),
    Case(
        "basset", "Basset's kind, 600 bp, stride 50", Basset, 600, 50, classes=164
    ),
    Case("padded", "thesis' shallow net, padded, stride 50", PaddedShallow, 1000, 50),
    Case("padded1", "the same, stride 1", PaddedShallow, 1000, 1),
    Case("padded3", "three padded layers, 600 bp, stride 10", PaddedDeep, 600, 10),
    Case(
        "profile", f"BPNet's kind, {Profile.window:,} bp, profile of 1,000, stride 1,000", Profile, Profile.window,
        Profile.positions, activation="none", positions=Profile.positions,
    ),
)  # fmt: skip


def exported(case: Case, net: nn.Module, folder: Path) -> onnx.ModelProto:
    """The net as the ONNX model that a user would have: PyTorch's exporter, an open batch axis, the card inside."""
    path = folder / f"{case.key}.onnx"
    export(net, case.card, path)
    model: onnx.ModelProto = load_model(path)
    return model
