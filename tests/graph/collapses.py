"""Random ways from maps to a vector, and layers on vectors: what collapses the position axis, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.graph.blocks import convolution, layer_normalized, normalized
from tests.graph.nets import Map, Net, Vector
from tests.graph.pointwise import pointwise

__all__ = ["collapse", "dense", "flatten", "joined", "random_layer"]


def flatten(net: Net, value: Map) -> Vector:
    """(N, C, n) -> (N, C * n), or (N, n * C) after a Transpose, written in one of the ways exporters have."""
    if net.chance(0.2):
        value = net.transposed(value)
    net.features.add("flattened n*C" if value.last else "flattened C*n")
    size = value.channels * value.positions
    form = net.random.choice(["Flatten", "Reshape", "allowzero", "arithmetic"])
    if form == "Flatten":
        name = net.add("Flatten", value.name, **({"axis": 1} if net.chance(0.5) else {}))
    elif form == "Reshape":
        name = net.add("Reshape", value.name, net.integers(*net.random.choice([(0, -1), (-1, size), (0, size)])))
    elif form == "allowzero":
        attributes = {"allowzero": 1} if net.opset >= 14 else {}
        name = net.add("Reshape", value.name, net.integers(-1, size), **attributes)
        net.features.add("Reshape allowzero")
    else:
        name = net.add("Reshape", value.name, _computed_shape(net, value))
        net.features.add("Reshape to a computed shape")
    return Vector(name, size)


def _computed_shape(net: Net, value: Map) -> str:
    """[N, -1] or [N, C * n] in int64, from Shape nodes."""
    shape = net.add("Shape", value.name)
    batch = net.unsqueeze(net.add("Gather", shape, np.array(0, np.int64), axis=0), 0)
    if net.chance(0.5):
        rest: str | np.ndarray = net.integers(-1)
    else:
        sides = [net.add("Gather", shape, net.integers(axis), axis=0) for axis in (1, 2)]
        rest = net.add("Cast", net.add("Mul", *sides), to=7)
    return net.add("Concat", batch, rest, axis=0)


def dense(net: Net, value: Vector, out: int | None = None) -> Vector:
    """A dense layer as Gemm (transB, alpha, beta) or MatMul and Add."""
    out = out or net.random.randint(1, 8)
    weight = net.normal((value.size, out), (1.5 / value.size) ** 0.5)
    bias = net.normal((out,), 0.3) if net.chance(0.8) else None
    if net.chance(0.35):
        net.features.add("MatMul")
        operand: str | np.ndarray = weight
        if net.chance(0.3):
            operand = net.add("Transpose", net.weight(np.ascontiguousarray(weight.T)), perm=[1, 0])
            net.features.add("transposed weight")
        name = net.add("MatMul", value.name, operand)
        if bias is not None:
            name = net.add("Add", bias, name) if net.chance(0.5) else net.add("Add", name, bias)
        return Vector(name, out)
    attributes: dict[str, object] = {}
    if net.chance(0.5):
        attributes["transB"], weight = 1, np.ascontiguousarray(weight.T)
    if net.chance(0.2):
        attributes["alpha"], weight = 0.5, weight * 2
    if net.chance(0.2):
        attributes["beta"] = 0.5
    if bias is not None and net.chance(0.3):
        bias = net.random.choice([bias[None], bias[:1]])
    net.features |= {"Gemm", *(f"Gemm {key}" for key in attributes)}
    return Vector(net.add("Gemm", value.name, weight, *([] if bias is None else [bias]), **attributes), out)


def by_flattening(net: Net, value: Map) -> Vector:
    return dense(net, _prepared(net, flatten(net, value)))


def _prepared(net: Net, flat: Vector) -> Vector:
    """The flattened values as they come, after one operation on elements, or after a BatchNormalization."""
    if net.chance(0.15):
        net.features.add("pointwise on flattened")
        flat = replace(flat, name=pointwise(net, flat))
    if net.chance(0.15):
        net.features.add("BatchNormalization on flattened")
        flat = replace(flat, name=normalized(net, flat.name, flat.size))
    return flat


def joined(net: Net, values: list[Map], vectors: list[Vector]) -> Vector:
    """A dense layer on the Concat of several flattened maps and vectors."""
    parts = [flatten(net, value) for value in values] + vectors
    net.random.shuffle(parts)
    net.features |= {"Concat of flattened", *(["Concat with a vector"] if vectors else [])}
    name = net.add("Concat", *[part.name for part in parts], axis=net.random.choice([1, -1]))
    return dense(net, _prepared(net, Vector(name, sum(part.size for part in parts))))


def to_one_position(net: Net, value: Map) -> Map:
    """A map of one position: pooling over all, a Conv as wide as the map, or one position of it."""
    form = net.random.choice(["GlobalMaxPool", "GlobalAveragePool", "MaxPool", "AveragePool", "reduce", "Conv", "one"])
    net.features.add(f"collapse by {form}")
    if form == "reduce":
        op = net.random.choice(["ReduceMax", "ReduceMean", "ReduceSum"])
        axis = net.random.choice([value.axis, value.axis - 3])
        net.features.add(op)
        return replace(value, name=_reduced(net, op, value, axis, True), positions=1, step=0)
    value = net.first(value)
    if form == "Conv":
        return replace(convolution(net, value, kernel=value.positions), step=0)
    if form == "one":
        return _one_position(net, value)
    attributes: dict[str, object] = {}
    if form in ("MaxPool", "AveragePool"):
        attributes["kernel_shape"] = [value.positions]
        if net.chance(0.5):
            attributes["strides"] = [value.positions]
    return replace(value, name=net.add(form, value.name, **attributes), positions=1, step=0)


def _one_position(net: Net, value: Map) -> Map:
    index = net.random.randrange(value.positions)
    if net.chance(0.5):
        index_or_negative = net.random.choice([index, index - value.positions])
        name = net.add("Gather", value.name, net.integers(index_or_negative), axis=2)
    else:
        name = net.add("Slice", value.name, net.integers(index), net.integers(index + 1), net.integers(2))
    return replace(value, name=name, positions=1, step=0)


def by_one_position(net: Net, value: Map) -> Vector:
    """To one position, perhaps a 1x1 Conv and an operation there, then Squeeze, Flatten or Reshape."""
    if value.positions > 1:
        value = to_one_position(net, value)
    if net.chance(0.3):
        value = convolution(net, value, kernel=1)
        value = replace(value, name=pointwise(net, value))
        net.features.add("Conv after the collapse")
    form = net.random.choice(["Squeeze", "Flatten", "Reshape"])
    if form == "Squeeze":
        name = net.squeeze(value.name, net.random.choice([value.axis, value.axis - 3]))
    else:
        name = flatten(net, value).name
    return Vector(name, value.channels)


def by_reducing(net: Net, value: Map) -> Vector:
    """ReduceMax, ReduceMean or ReduceSum without the position axis."""
    op = net.random.choice(["ReduceMax", "ReduceMean", "ReduceSum"])
    axis = net.random.choice([value.axis, value.axis - 3])
    net.features |= {op, "keepdims 0"}
    return Vector(_reduced(net, op, value, axis, False), value.channels)


def _reduced(net: Net, op: str, value: Map, axis: int, keepdims: bool) -> str:
    """A reduction; a sum is scaled, so that float32 has digits left for what follows."""
    made = net.reduce(op, value.name, (axis,), keepdims)
    return net.add("Mul", made, np.float32(1 / value.positions)) if op == "ReduceSum" else made


def by_gather(net: Net, value: Map) -> Vector:
    """One position by a Gather with a scalar index."""
    index = net.random.randrange(-value.positions, value.positions)
    net.features.add("Gather of one position")
    return Vector(net.add("Gather", value.name, np.array(index, np.int64), axis=value.axis), value.channels)


def by_adaptive_mean(net: Net, value: Map) -> Vector:
    """Adaptive pooling as exporters write it: Unsqueeze, ReduceMean over two axes, Squeeze, Reshape."""
    value = net.first(value)
    lifted = net.unsqueeze(value.name, net.random.choice([2, -2]))
    mean = net.reduce("ReduceMean", lifted, net.random.choice([(2, 3), (-1, -2), (-2, -1)]), True)
    net.features.add("adaptive mean over two axes")
    return flatten(net, Map(net.squeeze(mean, 2), value.channels, 1, 0))


def by_spline(net: Net, value: Map) -> Vector:
    """MatMul by a constant on the position axis, perhaps an operation, then a dense layer."""
    degrees = net.random.randint(1, 4)
    weight = net.normal((value.positions, degrees), value.positions**-0.5)
    if value.last:
        name = net.add("MatMul", np.ascontiguousarray(weight.T), value.name)
    else:
        name = net.add("MatMul", value.name, weight)
    net.features.add("spline")
    splined = replace(value, name=name, positions=degrees, step=0)
    if net.chance(0.4):
        splined = replace(splined, name=pointwise(net, splined))
    return by_flattening(net, splined)


COLLAPSES: list[tuple[int, Callable[[Net, Map], Vector]]] = [
    (6, by_flattening),
    (5, by_one_position),
    (2, by_reducing),
    (1, by_gather),
    (1, by_adaptive_mean),
    (2, by_spline),
]


def collapse(net: Net, value: Map) -> Vector:
    """One of the ways above, the one that needs one position only where there is one."""
    if value.positions == 1 and value.step == 0:
        return by_one_position(net, value)
    way = net.random.choices([way for _, way in COLLAPSES], [weight for weight, _ in COLLAPSES])[0]
    return way(net, value)


def residual_layer(net: Net, value: Vector) -> Vector:
    made = dense(net, value, value.size)
    net.features.add("residual of vectors")
    return replace(made, name=net.add("Add", value.name, pointwise(net, made)))


def concatenated_layer(net: Net, value: Vector) -> Vector:
    made = dense(net, value)
    net.features.add("Concat of vectors")
    return Vector(net.add("Concat", value.name, made.name, axis=-1), value.size + made.size)


def normal_layer(net: Net, value: Vector) -> Vector:
    if value.size >= 3 and net.chance(0.3):
        return replace(value, name=layer_normalized(net, value.name, value.size))
    net.features.add("BatchNormalization of a vector")
    return replace(value, name=normalized(net, value.name, value.size))


def lifted_layer(net: Net, value: Vector) -> Vector:
    """Unsqueeze, Conv 1x1, Squeeze."""
    net.features.add("Unsqueeze, Conv 1x1, Squeeze")
    made = convolution(net, Map(net.unsqueeze(value.name, net.random.choice([2, -1])), value.size, 1, 0), kernel=1)
    return Vector(net.squeeze(made.name, 2), made.channels)


def random_layer(net: Net, value: Vector) -> Vector:
    """`value` after one more layer."""
    form = net.random.choice(["dense", "dense", "pointwise", "pointwise", "normal", "residual", "concat", "lifted"])
    if form == "pointwise":
        return replace(value, name=pointwise(net, value))
    layers = {
        "dense": dense, "normal": normal_layer, "residual": residual_layer, "concat": concatenated_layer,
        "lifted": lifted_layer,
    }  # fmt: skip
    return layers[form](net, value)
