"""Layers that dense mode may refuse, for random models: what it accepts all the same must be right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.graph.blocks import Block, convolution
from tests.graph.nets import INT64_MIN, Map, Net

__all__ = ["WILD_BLOCKS"]


def padded(net: Net, value: Map) -> Map | None:
    value = net.first(value)
    pads = net.random.choice([(1, 1), (0, 2), (3, 0)])
    return convolution(net, value, kernel=min(3, value.positions), pads=pads)


def padded_pool(net: Net, value: Map) -> Map | None:
    value = net.first(value)
    if value.positions < 4:
        return None
    op = net.random.choice(["MaxPool", "AveragePool"])
    name = net.add(op, value.name, kernel_shape=[3], strides=[2], pads=[1, 1])
    return Map(name, value.channels, (value.positions - 1) // 2 + 1, value.step * 2)


def partial_pool(net: Net, value: Map) -> Map | None:
    value = net.first(value)
    if value.positions < 4 or (value.positions - 3) % 3 == 0:
        return None
    op = net.random.choice(["MaxPool", "AveragePool"])
    name = net.add(op, value.name, kernel_shape=[3], strides=[3], ceil_mode=1)
    return Map(name, value.channels, -(-(value.positions - 3) // 3) + 1, value.step * 3)


def flipped(net: Net, value: Map) -> Map | None:
    axes = net.random.choice([(value.axis,), (1, 2)])
    bounds = [net.integers(*[number] * len(axes)) for number in (-1, INT64_MIN)]
    steps = net.integers(*[-1] * len(axes))
    return replace(value, name=net.add("Slice", value.name, *bounds, net.integers(*axes), steps))


def every_second(net: Net, value: Map) -> Map | None:
    if value.positions < 3:
        return None
    start = net.random.randint(0, 1)
    operands = [net.integers(number) for number in (start, value.positions, value.axis, 2)]
    name = net.add("Slice", value.name, *operands)
    return replace(value, name=name, positions=(value.positions - start + 1) // 2, step=value.step * 2)


def shuffled(net: Net, value: Map) -> Map | None:
    """A Gather of many positions: any, in order, or evenly spaced."""
    count = net.random.randint(1, value.positions)
    step = net.random.choice([1, 2])
    order = [net.random.randrange(-value.positions, value.positions) for _ in range(count)]
    if net.chance(0.5):
        order = list(range(0, value.positions, step))
    name = net.add("Gather", value.name, net.integers(*order), axis=value.axis)
    return replace(value, name=name, positions=len(order))


def softmax_over_positions(net: Net, value: Map) -> Map | None:
    return replace(value, name=net.add("Softmax", value.name, axis=value.axis))


def normalized_over_positions(net: Net, value: Map) -> Map | None:
    value = net.first(value)
    parameters = [net.normal((value.channels,), 1) for _ in range(2)]
    if net.chance(0.5):
        return replace(value, name=net.add("InstanceNormalization", value.name, *parameters, epsilon=1e-2))
    scale = net.normal((value.positions,), 1)
    return replace(value, name=net.add("LayerNormalization", value.name, scale, axis=-1, epsilon=1e-2)) if (
        net.opset >= 17
    ) else None  # fmt: skip


def mean_put_back(net: Net, value: Map) -> Map | None:
    op = net.random.choice(["ReduceMean", "ReduceMax", "ReduceSum"])
    mean = net.reduce(op, value.name, (value.axis,), True)
    if op == "ReduceSum":
        mean = net.add("Mul", mean, np.float32(1 / value.positions))
    return replace(value, name=net.add(net.random.choice(["Add", "Mul", "Sub"]), value.name, mean))


def by_position(net: Net, value: Map) -> Map | None:
    """A constant that differs between positions."""
    shape = [(value.positions, 1), (value.positions, value.channels)] if value.last else [
        (value.positions,), (value.channels, value.positions)
    ]  # fmt: skip
    constant = net.normal(net.random.choice(shape), 0.7)
    return replace(value, name=net.add(net.random.choice(["Add", "Mul"]), value.name, constant))


def folded(net: Net, value: Map) -> Map | None:
    """Positions into channels, or the other way."""
    value = net.first(value)
    factor = net.random.choice([2, 3])
    if value.positions % factor:
        return None
    shape = net.integers(0, value.channels * factor, value.positions // factor)
    name = net.add("Reshape", value.name, shape)
    return Map(name, value.channels * factor, value.positions // factor, value.step * factor)


def swapped(net: Net, value: Map) -> Map | None:
    """Channels taken for positions and positions for channels."""
    made = replace(value, name=net.add("Transpose", value.name, perm=[0, 2, 1]))
    return replace(made, channels=value.positions, positions=value.channels) if value.positions <= 40 else None


def joined_positions(net: Net, value: Map) -> Map | None:
    name = net.add("Concat", value.name, value.name, axis=value.axis)
    return replace(value, name=name, positions=2 * value.positions)


def attended(net: Net, value: Map) -> Map | None:
    value = net.first(value)
    turned = net.transposed(value)
    scores = net.add("Softmax", net.add("MatMul", turned.name, value.name), axis=-1)
    return replace(turned, name=net.add("MatMul", scores, turned.name))


def mixed_positions(net: Net, value: Map) -> Map | None:
    """A dense layer on the positions, as many out as in."""
    value = net.first(value)
    weight = net.normal((value.positions, value.positions), value.positions**-0.5)
    return replace(value, name=net.add("MatMul", value.name, weight))


def summed_up(net: Net, value: Map) -> Map | None:
    return replace(value, name=net.add("CumSum", value.name, np.array(value.axis, np.int64)))


def upsampled(net: Net, value: Map) -> Map | None:
    value = net.first(value)
    if value.positions > 100:
        return None
    weight = net.normal((value.channels, 3, 2), (2 * value.channels) ** -0.5)
    name = net.add("ConvTranspose", value.name, weight, strides=[2])
    return Map(name, 3, 2 * value.positions, max(1, value.step // 2))


def padded_by_hand(net: Net, value: Map) -> Map | None:
    amounts = [0, 0, 0, 0, 0, 0]
    amounts[value.axis], amounts[value.axis + 3] = net.random.choice([(1, 1), (0, 2), (-1, -1), (2, -1)])
    if value.positions < 4:
        return None
    name = net.add("Pad", value.name, net.integers(*amounts))
    return replace(value, name=name, positions=value.positions + amounts[value.axis] + amounts[value.axis + 3])


WILD_BLOCKS: list[Block] = [
    padded, padded_pool, partial_pool, flipped, every_second, shuffled, softmax_over_positions,
    normalized_over_positions, mean_put_back, by_position, folded, swapped, joined_positions, attended,
    mixed_positions, summed_up, upsampled, padded_by_hand,
]  # fmt: skip
