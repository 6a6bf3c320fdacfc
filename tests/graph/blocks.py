"""Random layers before the collapse: each takes a map and gives another, or None where it does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.graph.nets import INT64_MAX, Map, Net
from tests.graph.pointwise import pointwise

__all__ = ["BLOCKS", "Block", "convolution", "crop", "random_block"]

Block = Callable[[Net, Map], Map | None]


def _divisors(number: int) -> list[int]:
    return [value for value in range(1, number + 1) if number % value == 0]


def convolution(
    net: Net,
    value: Map,
    *,
    kernel: int | None = None,
    out: int | None = None,
    dilation: int = 1,
    stride: int = 1,
    pads: tuple[int, int] = (0, 0),
) -> Map:
    """A Conv of the given shape; groups where `out` is free."""
    value = net.first(value)
    kernel = kernel or net.random.randint(1, max(1, min(8, value.positions)))
    groups = 1
    if out is None:
        groups = net.random.choice(_divisors(value.channels)) if net.chance(0.3) else 1
        out = groups * net.random.randint(1, max(1, 6 // groups))
    if groups > 1:
        net.features.add("groups")
    fan = value.channels // groups * kernel
    weight = _rewritten(net, net.normal((out, value.channels // groups, kernel), (1.5 / fan) ** 0.5))
    attributes: dict[str, object] = {}
    if groups > 1 or net.chance(0.3):
        attributes["group"] = groups
    if dilation > 1 or net.chance(0.3):
        attributes["dilations"] = [dilation]
    if stride > 1 or net.chance(0.3):
        attributes["strides"] = [stride]
    if net.chance(0.5):
        attributes["kernel_shape"] = [kernel]
    if pads != (0, 0):
        attributes["pads"] = list(pads)
    elif net.chance(0.3):
        attributes.update(net.random.choice([{"auto_pad": "VALID"}, {"auto_pad": "NOTSET"}, {"pads": [0, 0]}]))
    net.features.add(f"Conv auto_pad {attributes.get('auto_pad', 'absent')}")
    bias = net.normal((out,), 0.3) if net.chance(0.7) else None
    name = net.add("Conv", value.name, weight, *([] if bias is None else [bias]), **attributes)
    positions = (value.positions + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1
    return Map(name, out, positions, value.step * stride)


def _rewritten(net: Net, weight: np.ndarray) -> np.ndarray | str:
    """Weights as exporters leave them: plain, behind an Identity, or a product (weight normalisation)."""
    if net.chance(0.9):
        return weight
    net.features.add("computed weight")
    if net.chance(0.5):
        return net.add("Identity", net.weight(weight))
    scale = net.numpy.uniform(0.5, 1.5, (len(weight),) + (1,) * (weight.ndim - 1)).astype(np.float32)
    return net.add("Mul", net.weight(weight / scale), net.weight(scale))


def random_convolution(net: Net, value: Map) -> Map | None:
    kernel = net.random.randint(1, min(8, value.positions))
    widest = (value.positions - 1) // (kernel - 1) if kernel > 1 else 3
    dilation = min(net.random.choice([1, 1, 1, 2, 3, 4]), widest)
    stride = net.random.choice([1, 1, 1, 2, 3, 5])
    net.features |= {"Conv"} | ({"dilation"} if dilation > 1 else set()) | ({"Conv stride"} if stride > 1 else set())
    return convolution(net, value, kernel=kernel, dilation=dilation, stride=stride)


def pool(net: Net, value: Map) -> Map | None:
    """MaxPool or AveragePool: overlapping, gapped or floor; ceil_mode where the last pool is full."""
    value = net.first(value)
    op = net.random.choice(["MaxPool", "MaxPool", "AveragePool"])
    kernel = net.random.randint(1, min(6, value.positions))
    stride = kernel if net.chance(0.5) else net.random.randint(1, kernel + 1)
    dilation = 1
    if (op == "MaxPool" or net.opset >= 19) and kernel > 1 and net.chance(0.2):
        dilation = min(2, (value.positions - 1) // (kernel - 1))
    reach = (kernel - 1) * dilation + 1
    attributes: dict[str, object] = {"kernel_shape": [kernel]}
    if stride > 1 or net.chance(0.5):
        attributes["strides"] = [stride]
    if dilation > 1:
        attributes["dilations"] = [dilation]
        net.features.add(f"{op} dilation")
    if (value.positions - reach) % stride == 0 and net.chance(0.4):
        attributes["ceil_mode"] = 1
        net.features.add("ceil_mode that divides")
    if op == "AveragePool" and net.chance(0.4):
        attributes["count_include_pad"] = net.random.choice([0, 1])
    if net.chance(0.2):
        attributes["auto_pad"] = "VALID"
        attributes.pop("ceil_mode", None)
    net.features |= {op, "overlapping pool" if stride < kernel else "pool"}
    name = net.add(op, value.name, **attributes)
    return Map(name, value.channels, (value.positions - reach) // stride + 1, value.step * stride)


def random_pointwise(net: Net, value: Map) -> Map | None:
    return replace(value, name=pointwise(net, value))


def channel_constant(net: Net, value: Map) -> Map | None:
    """An operation with one constant per channel: Add, Mul, Sub, Div, PRelu."""
    values = net.numpy.uniform(0.3, 1.2, value.channels).astype(np.float32)
    shaped = values if value.last else values[:, None]
    if net.chance(0.3):
        shaped = shaped[None]
    op = net.random.choice(["Add", "Mul", "Sub", "Div", "PRelu"])
    net.features.add(f"{op} per channel")
    if op in ("Add", "Mul") and net.chance(0.5):
        return replace(value, name=net.add(op, shaped, value.name))
    return replace(value, name=net.add(op, value.name, shaped))


def batch_normalization(net: Net, value: Map) -> Map | None:
    value = net.first(value)
    net.features.add("BatchNormalization")
    return replace(value, name=normalized(net, value.name, value.channels))


def normalized(net: Net, name: str, channels: int) -> str:
    """BatchNormalization of axis 1."""
    uniform = net.numpy.uniform
    parameters = [uniform(0.5, 1.5, channels), uniform(-0.5, 0.5, channels), uniform(-0.5, 0.5, channels)]
    variance = uniform(0.3, 2, channels)
    attributes = {"epsilon": 1e-3, "momentum": 0.9} if net.chance(0.5) else {}
    return net.add("BatchNormalization", name, *[p.astype(np.float32) for p in (*parameters, variance)], **attributes)


def convolution_with_two_uses(net: Net, value: Map) -> Map | None:
    """A Conv read by a BatchNormalization and by another node: folding it would change the other."""
    made = convolution(net, value)
    normal = normalized(net, made.name, made.channels)
    net.features.add("Conv with two uses")
    return replace(made, name=net.add("Add", net.add("Relu", normal), net.add("Tanh", made.name)))


def layer_normalization(net: Net, value: Map) -> Map | None:
    """Over the channels at each position: the op from opset 17 on, or in pieces."""
    if value.channels < 3:
        return None
    value = net.final(value)
    return replace(value, name=layer_normalized(net, value.name, value.channels))


def layer_normalized(net: Net, name: str, channels: int) -> str:
    scale, shift = (net.numpy.uniform(0.5, 1.5, channels).astype(np.float32) for _ in range(2))
    if net.opset >= 17 and net.chance(0.6):
        net.features.add("LayerNormalization")
        return net.add("LayerNormalization", name, scale, shift, axis=-1, epsilon=1e-2)
    net.features.add("LayerNormalization in pieces")
    # ONNX Runtime fuses the pieces, and takes 1e-5 for the epsilon of some.
    centred = net.add("Sub", name, net.reduce("ReduceMean", name, (-1,), True))
    square = net.add("Pow", centred, np.float32(2)) if net.chance(0.5) else net.add("Mul", centred, centred)
    deviation = net.add("Sqrt", net.add("Add", net.reduce("ReduceMean", square, (-1,), True), np.float32(1e-5)))
    return net.add("Add", net.add("Mul", net.add("Div", centred, deviation), scale), shift)


def channel_matmul(net: Net, value: Map) -> Map | None:
    """MatMul on the channels of (N, n, C), a Linear at each position."""
    value = net.final(value)
    out = net.random.randint(1, 6)
    name = net.add("MatMul", value.name, _rewritten(net, net.normal((value.channels, out), value.channels**-0.5)))
    if net.chance(0.7):
        bias = net.normal((out,), 0.3)
        name = net.add("Add", bias, name) if net.chance(0.5) else net.add("Add", name, bias)
    net.features.add("MatMul on channels")
    return replace(value, name=name, channels=out)


def channel_softmax(net: Net, value: Map) -> Map | None:
    axis = net.random.choice([2, -1] if value.last else [1, -2])
    net.features.add("Softmax over channels")
    return replace(value, name=net.add("Softmax", value.name, axis=axis))


def transpose(net: Net, value: Map) -> Map | None:
    net.features.add("Transpose")
    return net.transposed(value)


def crop(net: Net, value: Map, left: int, right: int) -> Map:
    """Slice `left` positions off the start and `right` off the end, written in one of the ways exporters have."""
    if left == right == 0:
        return value
    end = value.positions - right
    ends = [end] + ([-right] if right else [INT64_MAX, 2**31 - 1])
    start = net.random.choice([left, left - value.positions])
    axis = value.axis if net.chance(0.6) else value.axis - 3
    form = net.random.random()
    net.features.add("crop")
    if form < 0.15:
        starts, stops = [0] * value.axis + [start], [INT64_MAX] * value.axis + [net.random.choice(ends)]
        name = net.add("Slice", value.name, net.integers(*starts), net.integers(*stops))
        net.features.add("Slice without axes")
    elif form < 0.35:
        name = net.add("Slice", value.name, net.integers(start), _computed_end(net, value, end), net.integers(axis))
    else:
        steps = [net.integers(1)] if net.chance(0.5) else []
        bounds = [net.integers(start), net.integers(net.random.choice(ends)), net.integers(axis)]
        name = net.add("Slice", value.name, *bounds, *steps)
    return replace(value, name=name, positions=value.positions - left - right)


def _computed_end(net: Net, value: Map, end: int) -> str:
    """The end of a Slice in shape arithmetic: Shape -> Gather -> Sub, or Mul and Div, -> Unsqueeze, all int64."""
    net.features.add("shape arithmetic in a crop")
    length = net.add("Gather", net.add("Shape", value.name), np.array(value.axis, np.int64), axis=0)
    if net.chance(0.5):
        result = net.add("Sub", length, np.array(value.positions - end, np.int64))
    else:
        double = net.add("Mul", net.add("Add", length, np.array(end - value.positions, np.int64)), np.array(2))
        result = net.add("Cast", net.add("Div", double, np.array(2)), to=7)
    return net.unsqueeze(result, 0)


def random_crop(net: Net, value: Map) -> Map | None:
    if value.positions < 4:
        return None
    spare = value.positions - 2
    left = net.random.randint(0, spare // 2)
    return crop(net, value, left, net.random.randint(0, spare // 2))


def residual(net: Net, value: Map) -> Map | None:
    """Conv (dilated) -> Relu, plus the input cropped on both sides."""
    value = net.first(value)
    kernel, dilation = net.random.choice([(3, 1), (3, 2), (5, 1), (2, 1)])
    reach = (kernel - 1) * dilation
    if value.positions <= reach + 1:
        return None
    made = convolution(net, value, kernel=kernel, dilation=dilation, out=value.channels)
    made = replace(made, name=pointwise(net, made))
    skip = crop(net, value, reach // 2, reach - reach // 2)
    pair = [made.name, skip.name]
    net.random.shuffle(pair)
    net.features.add("residual with a crop")
    return replace(made, name=net.add("Add", *pair))


def gate(net: Net, value: Map) -> Map | None:
    """sigmoid(Conv) * tanh(Conv), from two Convs or one that is split."""
    kernel = net.random.randint(1, min(4, value.positions))
    if net.chance(0.5):
        left, right = (convolution(net, value, kernel=kernel, out=3) for _ in range(2))
        names = [left.name, right.name]
        net.features.add("gate")
    else:
        left = convolution(net, value, kernel=kernel, out=6)
        names = _halves(net, left)
        net.features.add("gate by Split")
    name = net.add("Mul", net.add("Sigmoid", names[0]), net.add("Tanh", names[1]))
    return replace(left, name=name, channels=3)


def _halves(net: Net, value: Map) -> list[str]:
    if net.chance(0.3):
        return [
            net.add("Slice", value.name, net.integers(a), net.integers(b), net.integers(1)) for a, b in ((0, 3), (3, 6))
        ]
    if net.opset >= 18 and net.chance(0.5):
        return net.node("Split", value.name, outputs=2, axis=1, num_outputs=2)
    return net.node("Split", value.name, net.integers(3, 3), outputs=2, axis=net.random.choice([1, -2]))


def branches(net: Net, value: Map) -> Map | None:
    """Two Convs of different width, the wider map cropped, channels concatenated (or added)."""
    value = net.first(value)
    kernels = sorted((net.random.randint(1, min(6, value.positions)) for _ in range(2)), reverse=True)
    same = net.chance(0.3)
    small, large = (convolution(net, value, kernel=kernel, out=3 if same else None) for kernel in kernels)
    left = net.random.randint(0, large.positions - small.positions)
    large = crop(net, large, left, large.positions - small.positions - left)
    small = replace(small, name=pointwise(net, small))
    if same:
        op = net.random.choice(["Add", "Sub", "Mul", "Max"])
        net.features.add(f"{op} of two maps")
        return replace(small, name=net.add(op, small.name, large.name))
    net.features.add("Concat of channels")
    name = net.add("Concat", small.name, large.name, axis=net.random.choice([1, -2]))
    return replace(small, name=name, channels=small.channels + large.channels)


def padded_and_trimmed(net: Net, value: Map) -> Map | None:
    """One or two padded Convs whose padding is cut away again."""
    value = net.first(value)
    layers = net.random.randint(1, 2)
    if value.positions <= 4 * layers + 2:
        return None
    made = value
    for _ in range(layers):
        made = convolution(net, made, kernel=3, pads=(1, 1))
        made = replace(made, name=pointwise(net, made))
    more = net.random.randint(0, 1)
    net.features.add("padded and trimmed")
    return crop(net, made, layers + more, layers)


def no_operation(net: Net, value: Map) -> Map | None:
    """What exporters leave behind: a Reshape to the same shape, Unsqueeze and Squeeze, a Pad of nothing."""
    axes = (value.positions, value.channels) if value.last else (value.channels, value.positions)
    form = net.random.choice(["Reshape", "Unsqueeze", "Pad", "two Transposes"])
    net.features.add(f"no-op {form}")
    if form == "Reshape":
        shape = net.random.choice([(0, 0, -1), (-1, *axes), (0, *axes), (0, -1, axes[1])])
        name = net.add("Reshape", value.name, net.integers(*shape))
    elif form == "Unsqueeze":
        axis = net.random.choice([1, 2, 3, -1])
        name = net.squeeze(net.unsqueeze(value.name, axis), axis)
    elif form == "Pad":
        name = net.add("Pad", value.name, net.integers(0, 0, 0, 0, 0, 0))
    else:
        name = net.transposed(net.transposed(value)).name
    return replace(value, name=name)


BLOCKS: list[tuple[int, Block]] = [
    (8, random_convolution),
    (6, pool),
    (8, random_pointwise),
    (2, channel_constant),
    (4, batch_normalization),
    (1, convolution_with_two_uses),
    (2, layer_normalization),
    (2, channel_matmul),
    (1, channel_softmax),
    (1, transpose),
    (2, random_crop),
    (3, residual),
    (2, gate),
    (3, branches),
    (1, padded_and_trimmed),
    (2, no_operation),
]
"""Weight and layer."""


def random_block(net: Net, value: Map) -> Map:
    """`value` after one more layer, or as it was."""
    block = net.random.choices([block for _, block in BLOCKS], [weight for weight, _ in BLOCKS])[0]
    return block(net, value) or value
