"""Nets as data: what may stand where, JSON, Hilbert's curve, and the exported graph."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional

from trackgen.errors import UsageError
from trackgen.learn.architectures.layered import (
    SPECS,
    ConcatInput,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    Hilbert,
    LayeredNet,
    NetSpec,
    Relu,
    Rows,
    hilbert_order,
    named_spec,
    spec_from_json,
    spec_to_json,
)

END = (Flatten(), Dense(4))


@pytest.mark.parametrize("side", [1, 2, 4, 8, 64])
def test_hilberts_curve_visits_every_cell_once_from_neighbour_to_neighbour(side: int) -> None:
    order = hilbert_order(side)
    assert sorted(order) == list(range(side * side))
    rows, columns = np.divmod(np.argsort(order), side)
    assert (np.abs(np.diff(rows)) + np.abs(np.diff(columns)) == 1).all()
    assert (rows[0], columns[0]) == (0, 0)
    assert (rows[-1], columns[-1]) == (0, side - 1)


@pytest.mark.parametrize("name", SPECS)
def test_a_named_net_makes_1024_values_of_4096_and_counts_its_weights(name: str) -> None:
    spec = named_spec(name)
    net = LayeredNet(spec)
    assert net(torch.zeros(2, 1, 4096)).shape == (2, 1, 1024)
    assert spec.parameters == sum(weights.numel() for weights in net.parameters())
    assert spec_from_json(json.dumps(spec_to_json(spec))) == spec


def test_what_a_net_costs_is_counted_by_hand() -> None:
    spec = NetSpec((Hilbert(), Conv2d(2, 3), Relu(), ConcatInput(), Flatten(), Dense(5)), window=16)
    assert spec.parameters == 2 * (9 + 1) + 5 * (3 * 16 + 1)
    assert spec.multiplications == 16 * 2 * 9 + 5 * 3 * 16


def test_the_papers_final_net_has_two_convolutions_the_input_another_one_and_three_dense_layers() -> None:
    kinds = [type(layer) for layer in SPECS["hilbert-final"].layers if not isinstance(layer, Relu)]
    assert kinds == [Hilbert, Conv2d, Conv2d, ConcatInput, Conv2d, Flatten, Dense, Dense, Dense]


def test_a_net_computes_what_its_layers_say_one_by_one() -> None:
    spec = NetSpec((Conv1d(2, 3), Hilbert(), ConcatInput(), Conv2d(3, 3), Relu(), *END), window=16)
    net = LayeredNet(spec)
    values = torch.randn(5, 1, 16)
    weights = dict(net.named_parameters())

    lines = functional.conv1d(values, weights["layers.0.weight"], weights["layers.0.bias"], padding=1)
    square = torch.zeros(5, 3, 4, 4)
    for cell, along in enumerate(hilbert_order(4)):
        square[:, :2, cell // 4, cell % 4] = lines[:, :, along]
        square[:, 2, cell // 4, cell % 4] = values[:, 0, along]
    square = functional.conv2d(square, weights["layers.3.weight"], weights["layers.3.bias"], padding=1).clamp(min=0)
    wanted = square.reshape(5, 48) @ weights["layers.6.weight"].T + weights["layers.6.bias"]

    torch.testing.assert_close(net(values), wanted[:, None], rtol=1e-5, atol=1e-6)


def test_rows_fold_row_by_row() -> None:
    net = LayeredNet(NetSpec((Rows(), *END), window=16))
    folded = net.layers[0](torch.arange(16.0)[None, None])
    assert folded[0, 0].tolist() == torch.arange(16.0).reshape(4, 4).tolist()


def test_the_curve_lies_within_the_exported_graph(tmp_path) -> None:  # type: ignore[no-untyped-def]
    net = LayeredNet(NetSpec((Hilbert(), Conv2d(2, 3), Relu(), ConcatInput(), Conv2d(1, 3), *END), window=64)).eval()
    values = torch.randn(3, 1, 64)
    path = tmp_path / "net.onnx"
    batch = torch.export.Dim("batch")
    torch.onnx.export(net, (values,), path, dynamo=True, verbose=False, dynamic_shapes=({0: batch},))
    session = onnxruntime.InferenceSession(path)
    (outputs,) = session.run(None, {session.get_inputs()[0].name: values.numpy()})
    assert session.get_inputs()[0].shape[1:] == [1, 64]
    np.testing.assert_allclose(outputs, net(values).detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (END[:1], "the net does not end with a dense layer; found flatten"),
        ((), "the net does not end with a dense layer"),
        ((Dense(4),), "layer 1 (dense): the layer cannot stand here; found a line of values; wanted features"),
        (
            (Conv2d(2, 3), *END),
            "layer 1 (conv2d): the layer cannot stand here; found a line of values; wanted a square",
        ),
        ((Rows(), Conv1d(2, 3), *END), "layer 2 (conv1d): the layer cannot stand here; found a square of values"),
        ((Rows(), Hilbert(), *END), "layer 2 (hilbert): the layer cannot stand here"),
        ((Flatten(), ConcatInput(), Dense(4)), "layer 2 (concat-input): the layer cannot stand here; found features"),
        ((Conv1d(2, 4), *END), "layer 1 (conv1d): the layer cannot have this width; found 4; wanted an odd whole"),
        ((Conv1d(0, 3), *END), "layer 1 (conv1d): the layer cannot have this filters; found 0; wanted a whole"),
        ((Flatten(), Dense(True)), "layer 2 (dense): the layer cannot have this units; found True"),
    ],
)
def test_a_layer_where_it_cannot_stand_is_named(layers: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        NetSpec(layers, window=16)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("window", [2, 36, 4095])
def test_a_window_that_fills_no_square_cannot_be_folded(window: int) -> None:
    with pytest.raises(UsageError, match="the window does not fill a square"):
        NetSpec((Hilbert(), *END), window=window)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is no net; found JSONDecodeError"),
        ("[]", "this is no net; found TypeError"),
        ('{"window": 16}', "this is no net; found KeyError: 'layers'"),
        ('{"window": 16, "layers": [{"layer": "lstm"}]}', "unknown layer; found lstm; wanted conv1d, conv2d, hilbert"),
        ('{"window": 16, "layers": [{"layer": "dense"}]}', "this is no net; found TypeError"),
        (
            '{"window": 16, "layers": [{"layer": "flatten"}, {"layer": "dense", "units": 1.5}]}',
            "cannot have this units",
        ),
    ],
)
def test_json_that_is_no_net_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        spec_from_json(text)
    assert message in str(caught.value)


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown net; found hilbert-last; wanted hilbert-start, hilbert-final"):
        named_spec("hilbert-last")
