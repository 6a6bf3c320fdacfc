"""The oracle of contributions against the package tangermeme, where both have the same rules."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.graph.contribution_oracle import explain_window
from tests.graph.texts import card_for

torch = pytest.importorskip("torch", reason="torch is not installed (trackgen[train])")
deep_lift_shap = pytest.importorskip(
    "tangermeme.deep_lift_shap", reason="tangermeme is not installed (trackgen[test])"
).deep_lift_shap

WINDOW, COUNT = 60, 5


def convolutions(*between: torch.nn.Module) -> list[torch.nn.Module]:
    """A Conv, `between`, and a dense layer on what comes out of it."""
    layers = [torch.nn.Conv1d(4, 6, 7), *between]
    with torch.no_grad():
        size = torch.nn.Sequential(*layers)(torch.zeros(1, 4, WINDOW)).numel()
    return [*layers, torch.nn.Flatten(), torch.nn.Linear(size, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)]


NETS = {
    "relu": lambda: convolutions(torch.nn.ReLU()),
    "smooth": lambda: convolutions(torch.nn.Tanh(), torch.nn.Conv1d(6, 5, 3, dilation=2), torch.nn.ELU()),
    "mean pool": lambda: convolutions(torch.nn.Sigmoid(), torch.nn.AvgPool1d(3, 2)),
    "padded": lambda: convolutions(torch.nn.ReLU(), torch.nn.Conv1d(6, 6, 5, padding=2, stride=2), torch.nn.ReLU()),
    "max pool": lambda: convolutions(torch.nn.ReLU(), torch.nn.MaxPool1d(4)),
    "overlapping max pools": lambda: convolutions(
        torch.nn.MaxPool1d(5, 2), torch.nn.ReLU(), torch.nn.Conv1d(6, 4, 3), torch.nn.MaxPool1d(3, 3, 1)
    ),
    "max pool over all": lambda: convolutions(torch.nn.Tanh(), torch.nn.MaxPool1d(54)),
}


def onnx_model(layers: list[torch.nn.Module]) -> onnx.ModelProto:
    """The same layers and weights in float64, without the exporter's own ideas."""
    nodes, weights, name = [], [], "sequence"
    plain = {"ReLU": "Relu", "Tanh": "Tanh", "Sigmoid": "Sigmoid", "ELU": "Elu", "Flatten": "Flatten"}
    for index, layer in enumerate(layers):
        made = "out" if index == len(layers) - 1 else f"v{index}"
        kind, operands, more = type(layer).__name__, [name], {}
        for key, value in layer.named_parameters():
            weights.append(numpy_helper.from_array(value.detach().numpy(), f"{key}{index}"))
            operands.append(f"{key}{index}")
        if kind == "Conv1d":
            more = {"strides": layer.stride, "dilations": layer.dilation, "pads": layer.padding * 2}
        elif kind == "Linear":
            more = {"transB": 1}
        elif kind in ("MaxPool1d", "AvgPool1d"):
            width, stride, pad = (
                np.ravel(value).tolist() for value in (layer.kernel_size, layer.stride, layer.padding)
            )
            more = {"kernel_shape": width, "strides": stride, "pads": pad * 2}
        op = {"Conv1d": "Conv", "Linear": "Gemm", "MaxPool1d": "MaxPool", "AvgPool1d": "AveragePool", **plain}[kind]
        nodes.append(helper.make_node(op, operands, [made], **more))
        name = made
    ends = [
        helper.make_tensor_value_info(end, onnx.TensorProto.DOUBLE, ["N", *shape])
        for end, shape in (("sequence", [4, WINDOW]), ("out", [3]))
    ]
    return helper.make_model(
        helper.make_graph(nodes, "net", ends[:1], ends[1:], weights), opset_imports=[helper.make_opsetid("", 18)]
    )


def sequences(count: int, seed: int) -> np.ndarray:
    codes = np.random.default_rng(seed).integers(0, 4, (count, WINDOW))
    return np.stack([codes == base for base in range(4)], axis=1).astype(np.float64)


def constant_references(x: torch.Tensor, n: int, random_state: int | None = None) -> torch.Tensor:
    values = torch.tensor([0.31, 0.19, 0.19, 0.31], dtype=x.dtype)
    return values[None, None, :, None].expand(len(x), n, 4, WINDOW)


def both(name: str, live: bool, wrong_rule: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers by the oracle and by tangermeme."""
    torch.manual_seed(0)
    layers = [layer.double() for layer in NETS[name]()]
    x = sequences(COUNT, 0)
    if live:
        reference = sequences(COUNT, 1)
        asked = {"references": torch.tensor(reference[:, None])}
    else:
        reference = np.broadcast_to(np.array([0.31, 0.19, 0.19, 0.31])[:, None], x.shape).copy()
        asked = {"references": constant_references, "n_shuffles": 1}
    found = explain_window(
        onnx_model(layers), card_for(window=WINDOW, classes=3), "out", 1, {"sequence": x}, {"sequence": reference},
        constant_reference=not live, wrong_rule=wrong_rule,
    )  # fmt: skip
    wanted = deep_lift_shap(
        torch.nn.Sequential(*layers), torch.tensor(x), target=1, raw_outputs=True, device="cpu", **asked
    )
    return found.multipliers["sequence"], wanted[:, 0].numpy()


CASES = [(name, True) for name in NETS] + [(name, False) for name in NETS if "max" not in name]


@pytest.mark.parametrize(("name", "live"), CASES)
def test_multipliers_are_those_of_tangermeme(name: str, live: bool) -> None:
    found, wanted = both(name, live)
    assert np.abs(wanted).max() > 1e-3
    # float64 on both sides; quotients lose digits down to differences of 1e-6
    assert np.abs(found - wanted).max() < 1e-9


@pytest.mark.parametrize(
    ("name", "live", "rule"), [("relu", False, "relu"), ("smooth", False, "smooth"), ("max pool", True, "max")]
)
def test_a_replaced_rule_is_not_that_of_tangermeme(name: str, live: bool, rule: str) -> None:
    found, wanted = both(name, live, rule)
    assert np.abs(found - wanted).max() > 1e-3 * np.abs(wanted).max()
