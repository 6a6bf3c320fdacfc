"""Operations on one element at a time, whole and in the pieces that exporters write."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.graph.nets import FLOAT, Map, Net, Vector

__all__ = ["POINTWISE", "pointwise"]

Write = Callable[[Net, str], str]


def _plain(op: str, **attributes: float) -> Write:
    return lambda net, x: net.add(op, x, **attributes)


def _clip(net: Net, x: str) -> str:
    low, high = net.random.choice([(-0.5, 1.0), (0.0, 6.0), (None, 0.8), (-0.3, None)])
    return net.add("Clip", x, *[None if end is None else np.float32(end) for end in (low, high)])


def _exp(net: Net, x: str) -> str:
    return net.add("Exp", net.add("Mul", net.add("Tanh", x), np.float32(0.7)))


def _log(net: Net, x: str) -> str:
    return net.add("Log", net.add("Add", net.add("Abs", x), np.float32(1)))


def _root(net: Net, x: str) -> str:
    return net.add("Sqrt", net.add("Add", net.add("Mul", x, x), np.float32(0.1)))


def _power(net: Net, x: str) -> str:
    return net.add("Pow", net.add("Tanh", x), np.float32(net.random.choice([2, 3])))


def _gelu(net: Net, x: str) -> str:
    """x / sqrt(2) -> Erf -> + 1 -> * x -> * .5, as TorchScript writes it."""
    one = net.add("Add", net.add("Erf", net.add("Div", x, np.float32(math.sqrt(2)))), np.float32(1))
    return net.add("Mul", net.add("Mul", x, one), np.float32(0.5))


def _gelu_tanh(net: Net, x: str) -> str:
    cubic = net.add("Mul", net.add("Pow", x, np.float32(3)), np.float32(0.044715))
    inner = net.add("Mul", net.add("Add", x, cubic), np.float32(math.sqrt(2 / math.pi)))
    one = net.add("Add", net.add("Tanh", inner), np.float32(1))
    return net.add("Mul", net.add("Mul", np.float32(0.5), x), one)


def _silu(net: Net, x: str) -> str:
    return net.add("Mul", x, net.add("Sigmoid", x))


def _threshold(net: Net, x: str) -> str:
    """Where(x <= t, t, x): the value stands at the threshold, since float noise would flip a jump."""
    return net.add("Where", net.add("LessOrEqual", x, np.float32(0.2)), np.float32(0.2), x)


def _softplus_where(net: Net, x: str) -> str:
    scaled = net.add("Mul", x, np.float32(2))
    soft = net.add("Div", net.add("Softplus", scaled), np.float32(2))
    return net.add("Where", net.add("Greater", scaled, np.float32(20)), x, soft)


def _log_sigmoid(net: Net, x: str) -> str:
    return net.add("Neg", net.add("Softplus", net.add("Neg", x)))


def _bounds(net: Net, x: str) -> str:
    return net.add("Min", net.add("Max", x, np.float32(-0.4)), np.float32(0.9))


def _affine(net: Net, x: str) -> str:
    value = net.add(net.random.choice(["Mul", "Div"]), x, np.float32(1.3))
    if net.chance(0.5):
        return net.add("Sub", np.float32(0.2), value)
    return net.add(net.random.choice(["Add", "Sub"]), value, np.array([0.25], np.float32))


def _cast(net: Net, x: str) -> str:
    return net.add("Cast", x, to=FLOAT)


def _dropout(net: Net, x: str) -> str:
    return net.add("Dropout", x) if net.chance(0.5) else net.add("Dropout", x, np.float32(0.5), np.array(False))


POINTWISE: dict[str, tuple[int, Write]] = {
    "Relu": (13, _plain("Relu")),
    "LeakyRelu": (13, _plain("LeakyRelu", alpha=0.1)),
    "Elu": (13, _plain("Elu")),
    "Selu": (13, _plain("Selu")),
    "Celu": (13, _plain("Celu", alpha=0.7)),
    "Sigmoid": (13, _plain("Sigmoid")),
    "Tanh": (13, _plain("Tanh")),
    "Softplus": (13, _plain("Softplus")),
    "Softsign": (13, _plain("Softsign")),
    "Erf": (13, _plain("Erf")),
    "Abs": (13, _plain("Abs")),
    "Neg": (13, _plain("Neg")),
    "HardSigmoid": (13, _plain("HardSigmoid", alpha=0.3, beta=0.4)),
    "HardSwish": (14, _plain("HardSwish")),
    "Mish": (18, _plain("Mish")),
    "Gelu": (20, _plain("Gelu")),
    "Shrink": (13, _plain("Shrink", lambd=0.2, bias=0.2)),
    "Clip": (13, _clip),
    "Exp": (13, _exp),
    "Log": (13, _log),
    "Sqrt": (13, _root),
    "Pow": (13, _power),
    "Gelu in pieces": (13, _gelu),
    "tanh-Gelu": (13, _gelu_tanh),
    "SiLU": (13, _silu),
    "Threshold": (13, _threshold),
    "Softplus with Where": (13, _softplus_where),
    "LogSigmoid": (13, _log_sigmoid),
    "Min and Max": (13, _bounds),
    "scalar arithmetic": (13, _affine),
    "Identity": (13, _plain("Identity")),
    "Cast": (13, _cast),
    "Dropout": (13, _dropout),
}
"""Name -> first opset that has it, and how it is written."""


def pointwise(net: Net, value: Map | Vector) -> str:
    """One operation on every element, half of the time Relu; returns the name of the result."""
    names = [name for name, (opset, _) in POINTWISE.items() if opset <= net.opset]
    name = "Relu" if net.chance(0.4) else net.random.choice(names)
    net.features.add(name)
    return POINTWISE[name][1](net, value.name)
