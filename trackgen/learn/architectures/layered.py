"""Nets as data: a tuple of layer records, which is written as JSON, searched over, and built into a module.

A net maps float32 (N, 1, window) to (N, 1, outputs). A fold lays the window out as a square (64 x 64 for 4,096): along
Hilbert's curve, which keeps neighbours near each other (Fishman and Gurev), or row by row. It is a gather within the
net, so that the input of an exported graph stays one-dimensional.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trackgen.errors import UsageError
from trackgen.learn.architectures.tss import xavier_start

__all__ = ["SPECS", "ConcatInput", "Conv1d", "Conv2d", "Dense", "Flatten", "Hilbert", "Layer", "LayeredNet", "NetSpec",
           "Relu", "Rows", "hilbert_order", "named_spec", "spec_from_json", "spec_to_json"]  # fmt: skip

WINDOW = 4096
OUTPUTS = 1024
"""Fishman and Gurev: 4,096 bins in, of which the centre 1,024 are predicted."""


@dataclass(frozen=True)
class Conv1d:
    """Convolution along the window with zeros beyond its ends: (channels, n) -> (filters, n). `width` is odd."""

    filters: int
    width: int


@dataclass(frozen=True)
class Conv2d:
    """Convolution of the folded window, `width` x `width`: (channels, n, n) -> (filters, n, n). `width` is odd."""

    filters: int
    width: int


@dataclass(frozen=True)
class Hilbert:
    """Fold along Hilbert's curve: (channels, n x n) -> (channels, n, n), n a power of 2."""


@dataclass(frozen=True)
class Rows:
    """Fold row by row: (channels, n x n) -> (channels, n, n), n a power of 2."""


@dataclass(frozen=True)
class ConcatInput:
    """Another channel behind the others: the net's input, folded where they are."""


@dataclass(frozen=True)
class Flatten:
    """(channels, ...) -> (features), channel by channel."""


@dataclass(frozen=True)
class Dense:
    """(features) -> (units), with a bias."""

    units: int


@dataclass(frozen=True)
class Relu:
    """max(x, 0) of each value."""


Layer = Conv1d | Conv2d | Hilbert | Rows | ConcatInput | Flatten | Dense | Relu
Shape = tuple[int, ...]
KINDS: dict[str, type[Layer]] = {
    "conv1d": Conv1d, "conv2d": Conv2d, "hilbert": Hilbert, "rows": Rows, "concat-input": ConcatInput,
    "flatten": Flatten, "dense": Dense, "relu": Relu,
}  # fmt: skip
NAMES = {kind: name for name, kind in KINDS.items()}
DIMENSIONS = {Conv1d: 1, Conv2d: 2, Hilbert: 1, Rows: 1, Flatten: None, ConcatInput: None, Dense: 0}
"""How many axes beside channels a layer wants; None for one or two."""
AXES = {0: "features (behind flatten)", 1: "a line of values", 2: "a square of values (behind hilbert or rows)"}


@dataclass(frozen=True)
class NetSpec:
    """A net: its layers from input to output.

    Args:
        layers: a last dense layer gives the outputs.
        window: values of the input.

    Raises:
        UsageError: a layer cannot stand where it does, or has a size that it cannot have.
    """

    layers: tuple[Layer, ...]
    window: int = WINDOW

    def __post_init__(self) -> None:
        self.shapes()
        if not self.layers or not isinstance(self.layers[-1], Dense):
            raise UsageError("the net does not end with a dense layer", found=str(self), wanted="dense at the end")

    @property
    def outputs(self) -> int:
        """Values that the net gives for a window."""
        last = self.layers[-1]
        return last.units if isinstance(last, Dense) else 0

    @property
    def parameters(self) -> int:
        """Weights and biases in all."""
        shapes = (*self.shapes(), (0,))
        return sum(_weights(layer, shapes[i]) for i, layer in enumerate(self.layers))

    @property
    def multiplications(self) -> int:
        """Of the layers' weights, for one window: what a net costs."""
        shapes = (*self.shapes(), (0,))
        places = [math.prod(shape[1:]) for shape in shapes]
        return sum(_weights(layer, shapes[i], bias=0) * places[i] for i, layer in enumerate(self.layers))

    def shapes(self) -> tuple[Shape, ...]:
        """What each layer is given, without the batch: (channels, n), (channels, n, n) or (features,)."""
        shapes: list[Shape] = [(1, self.window)]
        for number, layer in enumerate(self.layers, start=1):
            shapes.append(_after(layer, shapes[-1], f"layer {number} ({NAMES[type(layer)]})"))
        return tuple(shapes[:-1])

    def __str__(self) -> str:
        return ", ".join(_words(layer) for layer in self.layers)


def _words(layer: Layer) -> str:
    if isinstance(layer, Conv1d | Conv2d):
        return f"{NAMES[type(layer)]} {layer.filters} x {layer.width}"
    return f"dense {layer.units}" if isinstance(layer, Dense) else NAMES[type(layer)]


def _weights(layer: Layer, shape: Shape, bias: int = 1) -> int:
    if isinstance(layer, Conv1d | Conv2d):
        return layer.filters * (shape[0] * math.prod((layer.width,) * (len(shape) - 1)) + bias)
    return layer.units * (shape[0] + bias) if isinstance(layer, Dense) else 0


def _after(layer: Layer, shape: Shape, place: str) -> Shape:
    """The shape behind a layer."""
    axes = len(shape) - 1
    wanted = DIMENSIONS.get(type(layer), axes)
    if (wanted is None and axes == 0) or wanted not in (None, axes):
        words = AXES[wanted] if wanted is not None else "values that are not flattened"
        raise UsageError("the layer cannot stand here", place=place, found=AXES[axes], wanted=words)
    for name, value in asdict(layer).items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1 or (name == "width" and value % 2 == 0):
            kind = "an odd whole number" if name == "width" else "a whole number from 1"
            raise UsageError(f"the layer cannot have this {name}", place=place, found=value, wanted=kind)
    if isinstance(layer, Conv1d | Conv2d):
        return (layer.filters, *shape[1:])
    if isinstance(layer, Hilbert | Rows):
        return (shape[0], *_square(shape[1], place))
    if isinstance(layer, ConcatInput):
        return (shape[0] + 1, *shape[1:])
    if isinstance(layer, Flatten):
        return (math.prod(shape),)
    return (layer.units,) if isinstance(layer, Dense) else shape


def _square(length: int, place: str) -> Shape:
    side = math.isqrt(length)
    if side * side != length or side & (side - 1):
        raise UsageError("the window does not fill a square", place=place, found=length, wanted="a power of 4")
    return (side, side)


def hilbert_order(side: int) -> NDArray[np.int64]:
    """For every cell of a `side` x `side` square, row by row: how far along Hilbert's curve it lies.

    The curve (Hilbert 1891) starts in the first cell of the first row and ends in its last; cells that follow each
    other on it share an edge. Twice as large, it is its transpose, itself twice in the row below, and its
    anti-transpose.

    Args:
        side: a power of 2.
    """
    order = np.zeros((1, 1), np.int64)
    while len(order) < side:
        cells = order.size
        above = np.hstack([order.T, order.T[::-1, ::-1] + 3 * cells])
        order = np.vstack([above, np.hstack([order + cells, order + 2 * cells])])
    return order.ravel()


def spec_to_json(spec: NetSpec) -> dict[str, Any]:
    """The values of a spec's JSON: ``{"window": 4096, "layers": [{"layer": "conv1d", ...}, ...]}``."""
    layers = [{"layer": NAMES[type(layer)], **asdict(layer)} for layer in spec.layers]
    return {"window": spec.window, "layers": layers}


def spec_from_json(values: Mapping[str, Any] | str) -> NetSpec:
    """The spec of JSON text, or of its values.

    Raises:
        UsageError: it is none, or names a layer that there is not or cannot be.
    """
    try:
        read = json.loads(values) if isinstance(values, str) else values
        layers = tuple(_layer(entry) for entry in read["layers"])
        return NetSpec(layers, int(read["window"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            "this is no net", found=f"{type(error).__name__}: {error}",
            wanted='{"window": 4096, "layers": [{"layer": "conv1d", "filters": 16, "width": 5}, ...]}',
        ) from error  # fmt: skip


def _layer(entry: Mapping[str, Any]) -> Layer:
    values = dict(entry)
    kind = values.pop("layer")
    if kind not in KINDS:
        raise UsageError("unknown layer", found=kind, wanted=", ".join(KINDS))
    return KINDS[kind](**values)


class LayeredNet(nn.Module):
    """The module of a spec: float32 (N, 1, window) -> (N, 1, outputs).

    Glorot's uniform start and zero biases, as Keras has them, with which the paper's nets were made.
    `layers[i]` is the module of `spec.layers[i]`; weights are ``layers.i.weight`` and ``layers.i.bias``.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.layers = nn.ModuleList(
            _module(layer, shape) for layer, shape in zip(spec.layers, spec.shapes(), strict=True)
        )
        xavier_start(self)

    def forward(self, values: Tensor) -> Tensor:
        source = features = values
        for layer, module in zip(self.spec.layers, self.layers, strict=True):
            if isinstance(layer, ConcatInput):
                features = torch.cat([features, source], dim=1)
            else:
                features = module(features)
                source = module(source) if isinstance(layer, Hilbert | Rows) else source
        return features.unsqueeze(1)


class _Fold(nn.Module):
    """(N, channels, n x n) -> (N, channels, n, n) in an order, None for row by row."""

    def __init__(self, side: int, order: NDArray[np.int64] | None) -> None:
        super().__init__()
        self.side = side
        self.order: Tensor | None
        self.register_buffer("order", None if order is None else torch.from_numpy(order), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        ordered = values if self.order is None else values.index_select(2, self.order)
        return ordered.reshape(ordered.shape[0], ordered.shape[1], self.side, self.side)


def _module(layer: Layer, shape: Shape) -> nn.Module:
    if isinstance(layer, Conv1d):
        return nn.Conv1d(shape[0], layer.filters, layer.width, padding=layer.width // 2)
    if isinstance(layer, Conv2d):
        return nn.Conv2d(shape[0], layer.filters, layer.width, padding=layer.width // 2)
    if isinstance(layer, Hilbert | Rows):
        side = math.isqrt(shape[1])
        return _Fold(side, hilbert_order(side) if isinstance(layer, Hilbert) else None)
    if isinstance(layer, Dense):
        return nn.Linear(shape[0], layer.units)
    module: nn.Module = {Flatten: nn.Flatten, Relu: nn.ReLU, ConcatInput: nn.Identity}[type(layer)]()
    return module


SPECS: dict[str, NetSpec] = {
    "hilbert-start": NetSpec((
        Hilbert(), Conv2d(4, 5), Relu(), Flatten(), Dense(64), Relu(), Dense(OUTPUTS),
    )),
    "hilbert-final": NetSpec((
        Hilbert(), Conv2d(16, 5), Relu(), Conv2d(16, 5), Relu(), ConcatInput(), Conv2d(8, 5), Relu(), Flatten(),
        Dense(128), Relu(), Dense(128), Relu(), Dense(OUTPUTS),
    )),
}  # fmt: skip
"""Named nets: what the paper's random search starts from, one convolution and one hidden layer, and where its search
by morphisms ended (its Figure 6). The figure gives no sizes; these are ours."""


def named_spec(name: str) -> NetSpec:
    """The net called `name`.

    Raises:
        UsageError: there is none.
    """
    if name not in SPECS:
        raise UsageError("unknown net", found=name, wanted=", ".join(SPECS))
    return SPECS[name]
