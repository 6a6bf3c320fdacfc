"""Nets as people write them in PyTorch, small, each with the card of what it computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec
from trackgen.learn.architectures.tss import CentreTss, ThesisTss
from trackgen.learn.calibration import Calibration
from trackgen.learn.export import Calibrated

__all__ = ["NETS", "Example"]

SEQUENCE = InputSpec("sequence", "sequence")


@dataclass(frozen=True)
class Example:
    """How to build a net, and its card.

    ``outputs``: name -> (classes, activation), or (classes, activation, positions, resolution) for a profile.
    """

    build: Callable[[], nn.Module]
    window: int
    outputs: dict[str, tuple] = field(default_factory=lambda: {"out": (2, "softmax")})  # type: ignore[type-arg]
    inputs: tuple[InputSpec, ...] = (SEQUENCE,)

    @property
    def card(self) -> Card:
        specs, bin_ = [], 1
        for name, (classes, activation, *profile) in self.outputs.items():
            entries = tuple(ClassSpec(f"{name}{index}") for index in range(classes))
            specs.append(OutputSpec(name, activation, entries, profile[1] if profile else None))
            bin_ = profile[0] * profile[1] if profile else bin_
        return Card("net", self.window, self.inputs, tuple(specs), bin=bin_)


class Lambda(nn.Module):
    """A function of tensors as a layer."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: Tensor) -> Tensor:
        return self.function(*values)


def softmax_head(features: int, hidden: int = 8, classes: int = 2) -> list[nn.Module]:
    return [nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, classes), nn.Softmax(dim=1)]


class Zeng(nn.Module):
    """Zeng 2016: convolution of width 24, global max-pool, dense 32, dropout, dense 2."""

    def __init__(self, motifs: int = 128) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, motifs, 24)
        self.hidden, self.drop, self.output = nn.Linear(motifs, 32), nn.Dropout(0.5), nn.Linear(32, 2)

    def forward(self, sequence: Tensor) -> Tensor:
        x = torch.relu(self.convolution(sequence))
        x = functional.max_pool1d(x, x.shape[-1]).squeeze(-1)
        return torch.softmax(self.output(self.drop(torch.relu(self.hidden(x)))), dim=-1)


def zeng_layers(layers: int, local: int) -> nn.Module:
    """Two or three convolutions with local pooling between and on top."""
    made: list[nn.Module] = []
    channels = 4
    for out in (16, 32, 64)[:layers]:
        made += [nn.Conv1d(channels, out, 8), nn.ReLU(), nn.MaxPool1d(local)]
        channels = out
    return nn.Sequential(
        *made, nn.Flatten(), nn.LazyLinear(32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 2), nn.Softmax(1)
    )


class Dream(nn.Module):
    """The thesis' two-input net, narrower: a convolutional path for the sequence, a pooled one for the signal."""

    def __init__(self, window: int = 300) -> None:
        super().__init__()
        pooled = (window - 14) // 35
        self.sequence = nn.Sequential(
            nn.Conv1d(4, 32, 15), nn.MaxPool1d(35), nn.BatchNorm1d(32), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5),
            nn.Linear(32 * pooled, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Dropout(0.5),
        )  # fmt: skip
        self.signal = nn.Sequential(nn.MaxPool1d(30), nn.Flatten())
        self.joined = nn.Sequential(
            nn.Linear(100 + window // 30, 50), nn.BatchNorm1d(50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 1)
        )

    def forward(self, sequence: Tensor, dnase: Tensor) -> Tensor:
        both = torch.cat([self.sequence(sequence), self.signal(dnase)], dim=1)
        return torch.sigmoid(self.joined(both))


class MultiTask(nn.Module):
    """The thesis' multi-task net: per factor a dense softmax over three nodes, each an output of its own."""

    def __init__(self, tasks: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(4, 20, 30), nn.MaxPool1d(15), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(20 * 8, 40),
            nn.ReLU(),
        )  # fmt: skip
        self.tasks = nn.ModuleList(nn.Linear(40, 3) for _ in range(tasks))

    def forward(self, sequence: Tensor) -> tuple[Tensor, ...]:
        latent = self.body(sequence)
        return tuple(torch.softmax(task(latent), dim=1) for task in self.tasks)


def basset() -> nn.Module:
    """Kelley 2016, narrower: three convolutions with batch normalisation and pooling, two dense layers."""
    layers: list[nn.Module] = []
    for channels, out, width, pool in ((4, 12, 19, 3), (12, 8, 11, 4), (8, 8, 7, 2)):
        layers += [nn.Conv1d(channels, out, width), nn.BatchNorm1d(out), nn.ReLU(), nn.MaxPool1d(pool)]
    dense = [nn.Flatten(), nn.LazyLinear(20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.3), nn.Linear(20, 5)]
    return nn.Sequential(*layers, *dense, nn.Sigmoid())


class BpNet(nn.Module):
    """Avsec 2021, narrower: dilated residual convolutions, a profile and a count.

    Valid convolutions with negative crops, or padded ones of which all that the padding reaches is trimmed.
    """

    def __init__(self, window: int, profile: int, *, padded: bool, layers: int = 3) -> None:
        super().__init__()
        self.padded, self.profile_length, self.trim = padded, profile, (window - profile) // 2
        pad = (lambda reach: reach) if padded else (lambda reach: 0)
        self.first = nn.Conv1d(4, 8, 21, padding=pad(10))
        self.dilated = nn.ModuleList(
            nn.Conv1d(8, 8, 3, dilation=2**layer, padding=pad(2**layer)) for layer in range(1, layers + 1)
        )
        self.profile = nn.Conv1d(8, 2, 15, padding=pad(7))
        self.count = nn.Linear(8, 1)

    def forward(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.first(sequence))
        for layer in self.dilated:
            made = torch.relu(layer(x))
            crop = 0 if self.padded else layer.dilation[0]
            x = made + (x if crop == 0 else x[:, :, crop:-crop])
        profile = self.profile(x)
        if self.padded:
            profile = profile[:, :, self.trim : -self.trim]
            x = x[:, :, self.trim : -self.trim]
        else:
            spare = (profile.shape[2] - self.profile_length) // 2
            profile = profile[:, :, spare : spare + self.profile_length]
        return profile, self.count(x.mean(dim=2))


class Residual(nn.Module):
    """A residual tower with GELU and layer normalisation over channels, mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 8, 9)
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(2))
        self.layers = nn.ModuleList(nn.Conv1d(8, 8, 5, dilation=d) for d in (1, 2))
        self.mix = nn.Linear(8, 8)
        self.output = nn.Linear(8, 3)

    def forward(self, sequence: Tensor) -> Tensor:
        x = functional.gelu(self.stem(sequence))
        for norm, layer in zip(self.norms, self.layers, strict=True):
            normal = norm(x.transpose(1, 2)).transpose(1, 2)
            reach = (layer.kernel_size[0] - 1) * layer.dilation[0] // 2
            x = x[..., reach:-reach] + functional.gelu(layer(normal), approximate="tanh")
        x = functional.silu(self.mix(x.permute(0, 2, 1)))
        return self.output(x.mean(1))


class Collapses(nn.Module):
    """Every way in which people pool over all positions."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 6, 7)
        self.average, self.maximum = nn.AdaptiveAvgPool1d(1), nn.AdaptiveMaxPool1d(1)
        self.output = nn.Linear(6 * 9, 2)

    def forward(self, sequence: Tensor) -> Tensor:
        x = torch.tanh(self.convolution(sequence))
        parts = [
            self.average(x).squeeze(-1), self.maximum(x).flatten(1), x.amax(dim=2), x.mean(-1), x.max(dim=2).values,
            x.sum(dim=2) / 10, x[:, :, x.shape[2] // 2], functional.avg_pool1d(x, x.size(2)).view(x.size(0), -1),
            functional.adaptive_avg_pool1d(x, 1)[:, :, 0],
        ]  # fmt: skip
        return torch.softmax(self.output(torch.cat(parts, dim=1)), dim=1)


class Gated(nn.Module):
    """Gates of three kinds: two convolutions, a chunked one, and F.glu; groups; a 1x1 convolution at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv1d(4, 8, 5), nn.Conv1d(4, 8, 5)
        self.both = nn.Conv1d(8, 16, 3, groups=4)
        self.weight = nn.Parameter(torch.randn(8, 2, 3) / 3)
        self.last = nn.Conv1d(6, 3, 1)
        self.dense = nn.Linear(4, 6)

    def forward(self, sequence: Tensor) -> Tensor:
        x = torch.sigmoid(self.left(sequence)) * torch.tanh(self.right(sequence))
        a, b = self.both(x).chunk(2, dim=1)
        x = functional.conv1d(a * torch.sigmoid(b), self.weight, groups=4)
        x = functional.glu(x, dim=1)
        x = functional.relu(self.dense(x.amax(2)))
        return torch.softmax(self.last(x.unsqueeze(-1)).squeeze(-1), dim=1)


class Broadcast(nn.Module):
    """A vector that enters before the collapse, by channel and expanded, and after it."""

    def __init__(self, expand: bool) -> None:
        super().__init__()
        self.expand = expand
        self.convolution = nn.Conv1d(4, 6, 9)
        self.vector = nn.Linear(5, 6)
        self.second = nn.Conv1d(11 if expand else 6, 5, 4, stride=3)
        self.output = nn.LazyLinear(2)

    def forward(self, sequence: Tensor, expression: Tensor) -> Tensor:
        x = torch.relu(self.convolution(sequence) + self.vector(expression).unsqueeze(-1))
        if self.expand:
            x = torch.cat([x, expression[:, :, None].expand(-1, -1, x.shape[2])], dim=1)
        x = functional.elu(self.second(x))
        return torch.softmax(self.output(torch.cat([x.flatten(1), expression], dim=1)), dim=1)


class Spline(nn.Module):
    """Positions times a constant matrix, as in Sei and Beluga's successors."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 6, 9)
        self.register_buffer("spline", torch.randn(92, 5) / 9)
        self.output = nn.Linear(30, 3)

    def forward(self, sequence: Tensor) -> Tensor:
        x = torch.relu(self.convolution(sequence)) @ self.spline
        return torch.sigmoid(self.output(x.reshape(x.shape[0], 30)))


ACTIVATIONS: dict[str, nn.Module] = {
    "gelu": nn.GELU(), "tanh-gelu": nn.GELU(approximate="tanh"), "silu": nn.SiLU(), "softplus": nn.Softplus(),
    "softplus of beta 2": nn.Softplus(beta=2, threshold=5), "elu": nn.ELU(), "selu": nn.SELU(), "celu": nn.CELU(0.5),
    "leaky": nn.LeakyReLU(0.2), "prelu": nn.PReLU(), "prelu by channel": nn.PReLU(6), "mish": nn.Mish(),
    "hardswish": nn.Hardswish(), "hardsigmoid": nn.Hardsigmoid(), "hardtanh": nn.Hardtanh(-0.3, 0.6),
    "relu6": nn.ReLU6(), "softsign": nn.Softsign(), "threshold": nn.Threshold(0.1, 0.1), "tanh": nn.Tanh(),
    "logsigmoid": nn.LogSigmoid(), "softshrink": nn.Softshrink(0.2), "tanhshrink": nn.Tanhshrink(),
    "exponential": Lambda(torch.exp), "square": Lambda(lambda x: x**2), "clamp": Lambda(lambda x: x.clamp(min=-0.1)),
}  # fmt: skip


def with_activation(activation: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(4, 6, 5), activation, nn.AvgPool1d(4, 2), nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2),
        nn.Softmax(1),
    )  # fmt: skip


def raw_normalized() -> nn.Module:
    """Batch normalisation of the raw sequence, after ReLU, after the pool and of flattened features."""
    return nn.Sequential(
        nn.BatchNorm1d(4), nn.Conv1d(4, 6, 8), nn.ReLU(), nn.BatchNorm1d(6), nn.MaxPool1d(4, 3), nn.BatchNorm1d(6),
        nn.Flatten(), nn.LazyBatchNorm1d(), nn.LazyLinear(8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2),
        nn.Softmax(-1),
    )  # fmt: skip


def channels_last() -> nn.Module:
    """(N, L, 4) in, features flattened in the order n * C."""
    return nn.Sequential(
        Lambda(lambda x: x.permute(0, 2, 1)), nn.Conv1d(4, 6, 6, stride=2), nn.ReLU(), nn.MaxPool1d(3, ceil_mode=True),
        Lambda(lambda x: x.permute(0, 2, 1).reshape(x.shape[0], -1)), nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2),
        nn.Softmax(-1),
    )  # fmt: skip


def weight_normalized() -> nn.Module:
    return nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 8, dilation=2)), nn.ReLU(),
        nn.AdaptiveAvgPool1d(4), nn.Flatten(), *softmax_head(24),
    )  # fmt: skip


TSS = {"tss": (3, "softmax")}
SIGNAL = InputSpec("dnase", "signal")
COARSE = InputSpec("marks", "signal", resolution=25, channels=("a", "b", "c"))
VECTOR = InputSpec("expression", "vector", length=5, default=(0.0,))
NETS: dict[str, Example] = {
    "tss-thesis": Example(lambda: Calibrated(ThesisTss(), Calibration(0.8, (0.0, -1.0, -0.5))), 200, TSS),
    "tss-centre": Example(lambda: Calibrated(CentreTss(), Calibration(1.0, (0.0, -1.0, -0.5))), 400, TSS),
    "zeng-1layer-128motif": Example(Zeng, 101),
    "zeng-2layer-local": Example(lambda: zeng_layers(2, 3), 101),
    "zeng-3layer-local": Example(lambda: zeng_layers(3, 2), 101),
    "dream": Example(Dream, 300, {"bound": (1, "sigmoid")}, (SEQUENCE, SIGNAL)),
    "multi-task": Example(MultiTask, 150, {f"task{index}": (3, "softmax") for index in range(3)}),
    "basset": Example(basset, 200, {"out": (5, "sigmoid")}),
    "bpnet-valid": Example(
        lambda: BpNet(150, 60, padded=False), 150, {"profile": (2, "none", 60, 1), "count": (1, "none")}
    ),
    "bpnet-trimmed": Example(
        lambda: BpNet(150, 60, padded=True), 150, {"profile": (2, "none", 60, 1), "count": (1, "none")}
    ),
    "residual": Example(Residual, 100, {"out": (3, "none")}),
    "collapses": Example(Collapses, 80),
    "gated": Example(Gated, 80, {"out": (3, "softmax")}),
    "vector": Example(lambda: Broadcast(False), 80, inputs=(SEQUENCE, VECTOR)),
    "vector-expanded": Example(lambda: Broadcast(True), 80, inputs=(SEQUENCE, VECTOR)),
    "spline": Example(Spline, 100, {"out": (3, "sigmoid")}),
    "raw-normalized": Example(raw_normalized, 100),
    "channels-last": Example(channels_last, 100, inputs=(InputSpec("sequence", "sequence", layout="NLC"),)),
    "weight-normalized": Example(weight_normalized, 100 - 2),
    "marks": Example(
        lambda: nn.Sequential(nn.Conv1d(3, 5, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), *softmax_head(5 * 5)),
        325, inputs=(COARSE,),
    ),
} | {
    f"activation-{name}": Example(lambda layer=layer: with_activation(layer), 60)  # type: ignore[misc]
    for name, layer in ACTIVATIONS.items()
}  # fmt: skip
