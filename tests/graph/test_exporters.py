"""Nets exported by both of PyTorch's exporters run dense, and give what PyTorch gives."""

from __future__ import annotations

import copy
import functools
import io
import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.graph.dense_oracle import assert_dense_equals_windows, make_sample, on_runtime, window_feed
from tests.graph.torch_nets import NETS, Example

SCRIPT_OPSETS = range(13, 21)
DYNAMO_OPSETS = (18, 20, 21, 23, 25)
NOT_SCRIPTED = ("activation-threshold",)
"""The scripting exporter knows no threshold but 0."""
SCRIPTED = [name for name in NETS if name not in NOT_SCRIPTED]
QUICK_DYNAMO = ("dream", "bpnet-trimmed", "residual")


@functools.cache
def net(name: str) -> nn.Module:
    """The net with random weights, and statistics of batch normalisation that are not the defaults."""
    torch.manual_seed(len(name))
    example = NETS[name]
    module = example.build().eval()
    inputs = example_inputs(example, 4)
    with torch.no_grad():
        module(*inputs)  # sizes the lazy layers
        for layer in module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.3, 2)
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.3)
    return module


def example_inputs(example: Example, batch: int) -> tuple[torch.Tensor, ...]:
    card = example.card
    sample = make_sample(card, card.window + 11 * (batch - 1), 1)
    feed = window_feed(card, sample, [11 * index for index in range(batch)])
    return tuple(torch.from_numpy(value) for value in feed.values())


@functools.cache
def exported(name: str, dynamo: bool, opset: int) -> onnx.ModelProto:
    """The graph as the exporter writes it, the batch axis open."""
    example, module = NETS[name], net(name)
    inputs = example_inputs(example, 2)
    names = {"input_names": list(dict.fromkeys(spec.graph_name for spec in example.card.inputs))}
    names["output_names"] = list(example.outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        if dynamo:
            batch = torch.export.Dim("batch")
            shapes = tuple({0: batch} for _ in inputs)
            varied = isinstance(module, nn.Sequential) or type(module).__name__ == "Calibrated"
            program = torch.onnx.export(
                copy.deepcopy(module), inputs, dynamo=True, opset_version=opset, verbose=False, **names,
                dynamic_shapes=(shapes,) if varied and type(module).__name__ == "Calibrated" else shapes,
            )  # fmt: skip
            return program.model_proto
        buffer = io.BytesIO()
        axes = {name: {0: "N"} for name in (*names["input_names"], *names["output_names"])}
        torch.onnx.export(
            module, inputs, buffer, dynamo=False, opset_version=opset, dynamic_axes=axes, **names
        )  # fmt: skip
    return onnx.load_from_string(buffer.getvalue())


def check(name: str, dynamo: bool, opset: int, strides: tuple[int, ...]) -> None:
    example, model = NETS[name], exported(name, dynamo, opset)
    card = example.card
    assert model.opset_import[0].version == opset
    inputs = example_inputs(example, 3)
    with torch.no_grad():
        wanted = net(name)(*inputs)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    feed = {entry.name: value.numpy() for entry, value in zip(model.graph.input, inputs, strict=True)}
    for value, expected in zip(on_runtime(model)(feed, list(example.outputs)), wanted, strict=True):
        np.testing.assert_allclose(value, expected.numpy(), rtol=1e-4, atol=1e-5)
    for stride in strides:
        values = assert_dense_equals_windows(model, card, stride, seed=stride)
        assert all(value.std(axis=0).max() > 1e-4 for value in values.values())


@pytest.mark.parametrize("name", SCRIPTED)
def test_nets_written_by_the_scripting_exporter_run_dense(name: str) -> None:
    check(name, False, 17, (1,))


@pytest.mark.parametrize("name", QUICK_DYNAMO)
def test_nets_written_by_the_dynamo_exporter_run_dense(name: str) -> None:
    check(name, True, 18, (1,))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTED)
@pytest.mark.parametrize("opset", SCRIPT_OPSETS)
def test_every_opset_of_the_scripting_exporter_runs_dense(name: str, opset: int) -> None:
    check(name, False, opset, (1, 3, 50))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("opset", DYNAMO_OPSETS)
def test_every_opset_of_the_dynamo_exporter_runs_dense(name: str, opset: int) -> None:
    check(name, True, opset, (1, 3, 50))
