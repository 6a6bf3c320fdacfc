"""Layers with constant weights: what reaches the result goes back through the transposed operation.

Algebra. y = W x + b: a contribution m to each element of y is W^T m to the elements of x. Of a convolution with kernel
k, stride 1 and dilation d that is a convolution with the kernel turned round and (k - 1) d zeros at both ends. With
stride t, place q of x is reached by those m of the kernel with m d = q (mod t): for each of the t remainders a
convolution of its own, whose results are put in turn. What floor dropped at the end, nothing reaches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from trackgen.graph.deeplift.evaluate import pool_counts, same_pads
from trackgen.graph.deeplift.tape import Rule, Tape
from trackgen.graph.nodes import Array, Node

__all__ = ["RULES", "kernel_pads"]

Parts = Iterator[tuple[str, str]]


def kernel_pads(tape: Tape, node: Node, kernel: Sequence[int]) -> list[int]:
    """Elements of padding in front of each axis a kernel slides along, then behind."""
    spatial = len(kernel)
    automatic = node.attributes.get("auto_pad", "NOTSET")
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        none = (0,) * (2 * spatial)
        return list(none if automatic == "VALID" else node.integers("pads", none))
    sizes = tape.shape(node.inputs[0])[2:]
    if any(size is None for size in sizes):
        raise tape.refuse(node, "it pads an axis whose length is not known")
    dilations, strides = (node.integers(name, (1,) * spatial) for name in ("dilations", "strides"))
    reaches = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilations, strict=True)]
    return same_pads(automatic, [int(size or 0) for size in sizes], reaches, strides)


def convolution(tape: Tape, node: Node, part: str) -> Parts:
    weight = tape.constant(node.inputs[1])
    if weight is None:
        raise tape.refuse(node, "its weights depend on the data")
    if not tape.wants(node.inputs[0]):
        return
    groups = int(node.attributes.get("group", 1))
    yield node.inputs[0], _convolved_back(tape, node, part, weight, groups)


def _convolved_back(tape: Tape, node: Node, part: str, weight: Array, groups: int) -> str:
    """What reaches a convolution's input."""
    name, spatial = node.inputs[0], weight.ndim - 2
    pads = kernel_pads(tape, node, weight.shape[2:])
    strides, dilations = node.integers("strides", (1,) * spatial), node.integers("dilations", (1,) * spatial)
    reaches = [(taps - 1) * step for taps, step in zip(weight.shape[2:], dilations, strict=True)]
    turned = _turned(weight, groups)
    if all(step == 1 for step in strides):
        front = [reach - pad for reach, pad in zip(reaches, pads[:spatial], strict=True)]
        behind = [reach - pad for reach, pad in zip(reaches, pads[spatial:], strict=True)]
        if min(*front, *behind, 0) == 0:
            return _convolve(tape, part, turned, groups, dilations, front + behind)
    length = tape.shape(node.outputs[0])
    (axis, *others) = sorted(range(spatial), key=lambda number: (-strides[number], -weight.shape[2 + number]))
    if all(weight.shape[2 + number] == strides[number] == 1 and not pads[number] for number in others):
        whole, longer = _by_remainders(tape, part, weight, groups, axis, strides[axis], dilations[axis])
        size = length[axis + 2]
        return tape.fit(whole, name, axis + 2, -pads[axis], None if size is None else (size + longer) * strides[axis])
    for axis in range(spatial):
        part = tape.spread(part, spatial + 2, axis + 2, strides[axis])
    whole = _convolve(tape, part, turned, groups, dilations, [*reaches, *reaches])
    for axis in range(spatial):
        size = length[axis + 2]
        full = None if size is None else (size - 1) * strides[axis] + reaches[axis] + 1
        if full is None and strides[axis] == 1 and not pads[axis]:
            continue
        whole = tape.fit(whole, name, axis + 2, -pads[axis], full)
    return whole


def _by_remainders(
    tape: Tape, part: str, weight: Array, groups: int, axis: int, stride: int, dilation: int
) -> tuple[str, int]:
    """The transposed convolution along one axis with a stride; and how many elements of `part` longer it is."""
    build, spatial, taps = tape.build, weight.ndim - 2, weight.shape[axis + 2]
    places = np.arange(taps) * dilation
    longest = int(places[-1]) // stride
    step = dilation // math.gcd(dilation, stride)
    columns: list[str] = []
    zero: list[int] = []
    for remainder in range(stride):
        mine = np.flatnonzero(places % stride == remainder)
        if not len(mine):
            zero.append(remainder)
            continue
        shift, reach = int(places[mine[0]]) // stride, (len(mine) - 1) * step
        pads = [0] * (2 * spatial)
        pads[axis], pads[spatial + axis] = reach + shift, longest - shift
        steps = [step if number == axis else 1 for number in range(spatial)]
        kernel = _turned(weight.take(mine, axis=axis + 2), groups)
        columns.append(_convolve(tape, part, kernel, groups, steps, pads))
    if zero:
        nothing = build.emit("Mul", [columns[0], build.constant(np.zeros((), np.float32))])
        for remainder in zero:
            columns.insert(remainder, nothing)
    return tape.in_turn(columns, spatial + 2, axis + 2), longest


def _turned(weight: Array, groups: int) -> Array:
    """Weights (O, I / groups, k...) of the transposed convolution: (I, O / groups, k...), kernels turned round."""
    outputs, inputs, *kernel = weight.shape
    split = weight.reshape(groups, outputs // groups, inputs, *kernel)
    split = np.flip(split.swapaxes(1, 2), axis=tuple(range(3, split.ndim)))
    return np.ascontiguousarray(split.reshape(groups * inputs, outputs // groups, *kernel))


def _convolve(tape: Tape, part: str, weight: Array, groups: int, dilations: Sequence[int], pads: Sequence[int]) -> str:
    """A convolution with stride 1; along the open axis of a tile in the form that runs fastest."""
    if weight.ndim == 4 and weight.shape[2] == 1 and not pads[0] and not pads[2]:
        return tape.build.convolve(
            part, weight[:, :, 0], None, groups=groups, dilation=dilations[1], pads=(pads[1], pads[3]), exact=True
        )
    inputs = [part, tape.build.constant(weight.astype(np.float32))]
    kernel = list(weight.shape[2:])
    return tape.build.emit(
        "Conv", inputs, kernel_shape=kernel, dilations=list(dilations), pads=list(pads), group=groups
    )


def transposed_convolution(tape: Tape, node: Node, part: str) -> Parts:
    """Its transposed operation is the convolution with the same weights."""
    weight = tape.constant(node.inputs[1])
    if weight is None or node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise tape.refuse(node, "its weights depend on the data, or its padding on its length")
    spatial = weight.ndim - 2
    attributes = {
        "kernel_shape": list(weight.shape[2:]),
        "strides": list(node.integers("strides", (1,) * spatial)),
        "dilations": list(node.integers("dilations", (1,) * spatial)),
        "pads": list(node.integers("pads", (0,) * 2 * spatial)),
        "group": int(node.attributes.get("group", 1)),
    }
    yield node.inputs[0], tape.build.emit("Conv", [part, tape.build.constant(weight)], **attributes)


def mean_pool(tape: Tape, node: Node, part: str) -> Parts:
    """A share of what reaches a mean goes to each of its elements."""
    name = node.inputs[0]
    shape = tape.shape(name)
    kernel = node.integers("kernel_shape", ())
    channels = shape[1]
    if channels is None:
        raise tape.refuse(node, "its channels are not known")
    made = tape.shape(node.outputs[0])
    if any(size is None for size in shape[2:]):
        shares = np.array(1.0 / np.prod(kernel))
    else:
        shares = 1.0 / pool_counts([size or 1 for size in shape], [size or 1 for size in made], node.attributes)
    part = tape.build.emit("Mul", [part, tape.build.constant(shares.astype(np.float32))])
    ones = np.ones((channels, 1, *kernel), np.float32)
    plain = Node("Conv", node.inputs, node.outputs, _without_ceil(node), given_name=node.given_name)
    yield name, _convolved_back(tape, plain, part, ones, channels)


def _without_ceil(node: Node) -> dict[str, object]:
    return {key: node.attributes[key] for key in ("auto_pad", "dilations", "pads", "strides") if key in node.attributes}


def gemm(tape: Tape, node: Node, part: str) -> Parts:
    """alpha * A B + beta * C: the constant side transposed."""
    weight = tape.constant(node.inputs[1])
    if weight is None or node.attributes.get("transA"):
        raise tape.refuse(node, "a product of two activations", has_gradient=False)
    weight = (weight if node.attributes.get("transB") else weight.T) * node.attributes.get("alpha", 1.0)
    if tape.wants(node.inputs[0]):
        matrix = tape.build.constant(np.ascontiguousarray(weight, np.float32))
        yield node.inputs[0], tape.build.emit("MatMul", [part, matrix])
    if len(node.inputs) > 2 and tape.wants(node.inputs[2]):
        beta = tape.build.constant(np.array(node.attributes.get("beta", 1.0), np.float32))
        scaled = tape.build.emit("Mul", [part, beta])
        yield node.inputs[2], tape.to_shape_of(scaled, tape.shape(node.outputs[0]), node.inputs[2])


def matmul(tape: Tape, node: Node, part: str) -> Parts:
    left, right = node.inputs
    made = tape.shape(node.outputs[0])
    if tape.constant(right) is not None:
        weight, name, constant_left = tape.constant(right), left, False
    else:
        weight, name, constant_left = tape.constant(left), right, True
    if weight is None:
        yield from _product_of_two(tape, node, part)
        return
    if weight.ndim == 1:
        weight, axis = weight[:, None] if not constant_left else weight[None], -2 if constant_left else -1
        part = tape.build.emit("Unsqueeze", [part, tape.number(axis)])
        made = (*made[:-1], 1, made[-1]) if constant_left and made else (*made, 1)
    matrix = tape.build.constant(np.ascontiguousarray(weight.swapaxes(-1, -2)))
    back = tape.build.emit("MatMul", [matrix, part] if constant_left else [part, matrix])
    shape = tape.shape(name)
    extra = len(made) - len(shape)
    if extra > 0:
        back = tape.reduce_sum(back, range(extra), keep=False)
    axes = [axis for axis in range(len(shape) - 2) if shape[axis] == 1 and made[axis + max(extra, 0)] != 1]
    yield name, tape.reduce_sum(back, axes, keep=True)


def _product_of_two(tape: Tape, node: Node, part: str) -> Parts:
    """Of two activations: for gradients only."""
    left, right = node.inputs
    if tape.attribution != "gradient" or tape.rank(left) != tape.rank(right):
        raise tape.refuse(node, "a product of two activations (attention)")

    def turned(name: str) -> str:
        order = [*range(tape.rank(name) - 2), tape.rank(name) - 1, tape.rank(name) - 2]
        return tape.build.emit("Transpose", [tape.value(name)], perm=order)

    made = tape.shape(node.outputs[0])
    if tape.wants(left):
        back = tape.build.emit("MatMul", [part, turned(right)])
        yield left, tape.to_shape_of(back, (*made[:-1], tape.shape(left)[-1]), left)
    if tape.wants(right):
        back = tape.build.emit("MatMul", [turned(left), part])
        yield right, tape.to_shape_of(back, (*made[:-2], tape.shape(right)[-2], made[-1]), right)


def batch_normalization(tape: Tape, node: Node, part: str) -> Parts:
    """At inference a product with a constant of each channel."""
    parameters = [tape.constant(name) for name in node.inputs[1:5]]
    if any(entry is None for entry in parameters) or node.attributes.get("training_mode"):
        raise tape.refuse(node, "batch statistics of training: export the model in evaluation mode")
    gain, _, _, variance = (np.asarray(entry, np.float64) for entry in parameters)
    scale = gain / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    scale = scale.reshape(-1, *[1] * (tape.rank(node.inputs[0]) - 2))
    yield node.inputs[0], tape.build.emit("Mul", [part, tape.build.constant(scale.astype(np.float32))])


RULES: dict[str, Rule] = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "AveragePool": mean_pool,
    "Gemm": gemm,
    "MatMul": matmul,
    "BatchNormalization": batch_normalization,
}
