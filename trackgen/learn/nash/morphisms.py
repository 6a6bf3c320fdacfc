"""Network morphisms: changes of a net, with its weights, that leave the function that it computes as it is.

- Wider (Net2WiderNet, Chen 2015): more filters or units. New ones are copies of old ones, drawn at random; what follows
  gives each copy a share of the weight that it gave the original. The shares are drawn, not equal as in Chen: copies
  with equal shares have equal gradients, and would stay copies for ever. Noise, Chen's remedy, would change the
  function; it is an option, 0 by default.
- Deeper (Net2DeeperNet): an identity and a ReLU behind a ReLU, whose values are never negative, so that it changes
  nothing.
- Input (Elsken 2017, section 3: a skip connection by concatenation): the net's input is joined to a layer's, which
  gives it weights of 0.

A net is (spec, weights), weights by the names of `LayeredNet`'s state. The same random numbers give the same net.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trackgen.errors import UsageError
from trackgen.learn.architectures.layered import (
    ConcatInput,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    LayeredNet,
    NetSpec,
    Relu,
)

__all__ = ["KINDS", "WEIGHTED", "Change", "Net", "change_net", "change_spec", "consumer", "size_of"]

Weighted = Conv1d | Conv2d | Dense
WEIGHTED = (Conv1d, Conv2d, Dense)
KINDS = ("wider", "deeper", "input")
SHARES = (0.5, 1.5)
"""What the shares of copies are in proportion to is drawn between these."""


@dataclass(frozen=True)
class Change:
    """One morphism.

    Attributes:
        kind: one of `KINDS`.
        layer: which layer, from 0: the one that is to be wider; the ReLU behind which there are to be another layer and
            its ReLU; the convolution or flatten before which the input is to be joined.
        size: filters or units that a wider layer is to have; width of a deeper net's new convolution (1 for a dense
            layer); 0 for an input.
    """

    kind: str
    layer: int
    size: int = 0

    def to_json(self) -> dict[str, Any]:
        """The values of its JSON."""
        return asdict(self)

    def __str__(self) -> str:
        size = f" to {self.size}" if self.kind == "wider" else f", width {self.size}" if self.size > 1 else ""
        return f"{self.kind} at layer {self.layer + 1}{size}"


@dataclass(frozen=True)
class Net:
    """A net with its weights: tensors by the names of `LayeredNet`'s state."""

    spec: NetSpec
    weights: Mapping[str, Tensor]

    @classmethod
    def of(cls, module: LayeredNet) -> Net:
        """The net that a module is now; the weights are copies, on the CPU."""
        return cls(module.spec, {name: value.detach().cpu().clone() for name, value in module.state_dict().items()})

    def build(self) -> LayeredNet:
        """A module of its own, with these weights."""
        module = LayeredNet(self.spec)
        module.load_state_dict(self.weights)
        return module


def change_spec(spec: NetSpec, change: Change) -> NetSpec:
    """The layers after a change.

    Raises:
        UsageError: the change can't be made there.
    """
    layers, at = list(spec.layers), change.layer
    layer = layers[at] if 0 <= at < len(layers) else None
    if change.kind == "wider" and isinstance(layer, WEIGHTED) and at < len(layers) - 1:
        if change.size > size_of(layer):
            layers[at] = _resized(layer, change.size)
            return NetSpec(tuple(layers), spec.window)
    elif change.kind == "deeper" and isinstance(layer, Relu):
        return NetSpec((*layers[: at + 1], _identity(spec.shapes()[at], change.size), *layers[at:]), spec.window)
    elif change.kind == "input" and isinstance(layer, Conv1d | Conv2d | Flatten) and at > 0:
        return NetSpec((*layers[:at], ConcatInput(), *layers[at:]), spec.window)
    raise UsageError("the net can't be changed so", place=str(change), found=str(spec))


def size_of(layer: Weighted) -> int:
    """Filters or units of a layer."""
    return layer.units if isinstance(layer, Dense) else layer.filters


def _resized(layer: Weighted, size: int) -> Layer:
    return replace(layer, units=size) if isinstance(layer, Dense) else replace(layer, filters=size)


def _identity(shape: tuple[int, ...], width: int) -> Layer:
    """The layer, behind values of a shape, that can be their identity."""
    if len(shape) == 1:
        return Dense(shape[0])
    return Conv1d(shape[0], width) if len(shape) == 2 else Conv2d(shape[0], width)


def consumer(spec: NetSpec, layer: int) -> int:
    """The first layer behind `layer` that has weights."""
    return next(i for i in range(layer + 1, len(spec.layers)) if isinstance(spec.layers[i], WEIGHTED))


def change_net(net: Net, change: Change, random: np.random.Generator, noise: float = 0.0) -> Net:
    """The net after a change; it computes the same, unless there is noise.

    Args:
        net: is left as it is.
        change: where and what.
        random: draws copies, shares and noise.
        noise: standard deviation of what is added to the weights of copies, relative to that of the layer's weights.

    Raises:
        UsageError: the change can't be made there.
    """
    spec = change_spec(net.spec, change)
    if change.kind == "wider":
        return Net(spec, _wider(net, change, random, noise))
    added = 2 if change.kind == "deeper" else 1
    behind = change.layer + 1 if change.kind == "deeper" else change.layer
    weights = {_moved(name, behind, added): value for name, value in net.weights.items()}
    if change.kind == "deeper":
        return Net(spec, weights | _identity_weights(spec.layers[behind], spec.shapes()[behind][0], behind))
    name = f"layers.{consumer(spec, change.layer)}.weight"
    return Net(spec, weights | {name: _with_zeros(weights[name], net.spec, change.layer)})


def _with_zeros(weight: Tensor, spec: NetSpec, layer: int) -> Tensor:
    """A weight with zeros for one more channel before `layer`; behind a flatten, for its features."""
    flat = isinstance(spec.layers[layer], Flatten)
    columns = int(np.prod(spec.shapes()[layer][1:])) if flat else 1
    return torch.cat([weight, weight.new_zeros(len(weight), columns, *weight.shape[2:])], dim=1)


def _moved(name: str, behind: int, by: int) -> str:
    """A weight's name after layers came in before layer `behind`."""
    prefix, number, kind = name.split(".")
    return f"{prefix}.{int(number) + by}.{kind}" if int(number) >= behind else name


def _identity_weights(layer: Layer, channels: int, number: int) -> dict[str, Tensor]:
    weight = torch.eye(channels)
    if isinstance(layer, Conv1d | Conv2d):
        axes = 1 if isinstance(layer, Conv1d) else 2
        # zeros around the middle
        middle = weight.reshape(channels, channels, *(1,) * axes)
        weight = functional.pad(middle, (layer.width // 2,) * 2 * axes)
    return {f"layers.{number}.weight": weight, f"layers.{number}.bias": torch.zeros(channels)}


def _wider(net: Net, change: Change, random: np.random.Generator, noise: float) -> dict[str, Tensor]:
    weights = dict(net.weights)
    own = [f"layers.{change.layer}.{kind}" for kind in ("weight", "bias")]
    units = len(weights[own[0]])
    origin = np.concatenate([np.arange(units), random.integers(0, units, change.size - units)])
    for name in own:
        value = weights[name][origin]
        if noise:
            scale = noise * float(weights[name].std(correction=0))
            value[units:] += torch.from_numpy(random.normal(0.0, scale, value[units:].shape)).to(value.dtype)
        weights[name] = value
    last = consumer(net.spec, change.layer)
    origin, shares = _through(net.spec, change.layer, last, origin, _shares(origin, random))
    name = f"layers.{last}.weight"
    value = weights[name][:, origin]
    parts = torch.from_numpy(shares).to(value.dtype)
    weights[name] = value * parts.reshape(1, -1, *(1,) * (value.dim() - 2))
    return weights


def _shares(origin: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
    """float64[n]: the part of its original's weight that each unit has; those of one original add up to 1."""
    drawn = random.uniform(*SHARES, len(origin))
    return np.asarray(drawn / np.bincount(origin, drawn)[origin])


def _through(
    spec: NetSpec, first: int, last: int, origin: NDArray[np.int64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which of its former inputs each input of layer `last` is, and its share, when layer `first` became wider."""
    shapes = spec.shapes()
    for number in range(first + 1, last):
        if isinstance(spec.layers[number], ConcatInput):
            origin, shares = np.append(origin, shapes[number][0]), np.append(shares, 1.0)
        elif isinstance(spec.layers[number], Flatten):
            # a channel is a block of as many features as it has places
            places = int(np.prod(shapes[number][1:]))
            origin = (origin[:, None] * places + np.arange(places)).ravel()
            shares = np.repeat(shares, places)
    return origin, shares
