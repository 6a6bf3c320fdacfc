"""PyTorch -> ONNX with the card inside, refused unless ONNX Runtime reproduces PyTorch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trackgen.card import Card, check_against_graph, embed_card, save_model
from trackgen.errors import ModelError
from trackgen.learn.calibration import Calibration
from trackgen.learn.heads import ProfileCounts, with_head
from trackgen.runtime import open_session

__all__ = ["BATCH_SIZES", "TOLERANCE", "Calibrated", "CalibratedSigmoid", "calibrated", "export"]

BATCH_SIZES = (1, 7, 256)
TOLERANCE = 1e-5
"""Largest difference between ONNX Runtime and PyTorch; for outputs beyond 1, relative to the largest of them."""
OPSET = 18
IR_VERSION = 10
"""Readable by ONNX Runtime 1.18 and later."""


class Calibrated(nn.Module):
    """A net of logits, its calibration, and the softmax, as one graph: Mul (unless 1), Add, Softmax."""

    def __init__(self, net: nn.Module, calibration: Calibration) -> None:
        super().__init__()
        self.net = net
        self.scale: Tensor | None
        self.shift: Tensor
        scale = None if calibration.scale == 1 else torch.tensor([calibration.scale], dtype=torch.float32)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", torch.tensor([calibration.shift], dtype=torch.float32))

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.net(*inputs)
        if self.scale is not None:
            logits = logits * self.scale
        return torch.softmax(logits + self.shift, dim=1)


class CalibratedSigmoid(nn.Module):
    """A net of one logit, its calibration, and the sigmoid, as one graph: Mul, Add, Sigmoid."""

    def __init__(self, net: nn.Module, calibration: Calibration) -> None:
        super().__init__()
        self.net = net
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.tensor([calibration.scale], dtype=torch.float32))
        self.register_buffer("shift", torch.tensor([calibration.shift[1]], dtype=torch.float32))

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.net(*inputs)
        return torch.sigmoid(logits * self.scale + self.shift)


def calibrated(net: nn.Module, calibration: Calibration, card: Card) -> nn.Module:
    """`net` with its calibration and the activation that the card's first output names, softmax or sigmoid."""
    wrapper = CalibratedSigmoid if card.outputs[0].activation == "sigmoid" else Calibrated
    return wrapper(net, calibration)


def export(module: nn.Module, card: Card, path: Path | str, head: str | None = None) -> Path:
    """Write `module` as ONNX with `card` inside; the same module and card give the same bytes.

    Args:
        module: called with the card's inputs in order (float32, batch first), returns the card's outputs in order,
            with each output's activation applied.
        card: names the graph's inputs and outputs.
        path: the file to write; it appears when it is complete and checked, or not at all.
        head: what joins the module's outputs into the card's, a name in `trackgen.learn.heads.HEADS`;
            ``profile_counts`` makes softmax(profile) x exp(counts) of the two outputs of a BPNet-like net.

    Raises:
        UsageError: an unknown head.
        ModelError: the net cannot be exported, contradicts the card, or ONNX Runtime's values differ from PyTorch's
            by more than `TOLERANCE` at a batch size of `BATCH_SIZES`.
    """
    path = Path(path)
    if head is not None:
        module = with_head(module, head, card, path)
    module = module.to("cpu").eval()
    if isinstance(module, ProfileCounts):
        module.check([torch.from_numpy(value) for value in example_inputs(card, 2, 0)], path)
    graph = _to_onnx(module, card, path)
    check_against_graph(card, graph, path)
    embed_card(graph, card)
    _compare(module, card, graph.SerializeToString(deterministic=True), path)
    save_model(graph, path)
    return path


def example_inputs(card: Card, batch: int, seed: int) -> tuple[NDArray[np.float32], ...]:
    """Inputs of the card's shapes: random one-hot bases (some unknown) for sequences, normal numbers otherwise."""
    random = np.random.default_rng([seed, batch])
    made: list[tuple[str, NDArray[np.float32]]] = []
    for spec in card.inputs:
        if spec.kind == "sequence":
            codes = random.choice(5, (batch, card.window), p=(0.24, 0.24, 0.24, 0.24, 0.04))
            rows = np.vstack([np.eye(4), np.full((1, 4), spec.unknown)]).astype(np.float32)[codes]
            value = rows if spec.layout == "NLC" else rows.transpose(0, 2, 1)
        elif spec.kind == "signal":
            shape = (batch, max(len(spec.channels), 1), card.window // spec.resolution)
            value = random.standard_normal(shape).astype(np.float32)
        else:
            value = random.standard_normal((batch, spec.length)).astype(np.float32)
        if made and made[-1][0] == spec.graph_name:
            value = np.concatenate([made.pop()[1], value], axis=1)
        made.append((spec.graph_name, np.ascontiguousarray(value)))
    return tuple(value for _, value in made)


def graph_input_names(card: Card) -> list[str]:
    """Names of the graph's inputs: one a tensor, stacked inputs once."""
    return list(dict.fromkeys(spec.graph_name for spec in card.inputs))


def _to_onnx(module: nn.Module, card: Card, path: Path) -> onnx.ModelProto:
    """The graph, with a dynamic batch, without anything that tells where or when it was made."""
    inputs = tuple(torch.from_numpy(value) for value in example_inputs(card, 2, 0))
    batch = torch.export.Dim("batch")
    try:
        with _quiet():
            program = torch.onnx.export(
                module, inputs, dynamo=True, opset_version=OPSET, verbose=False,
                input_names=graph_input_names(card), output_names=[spec.name for spec in card.outputs],
                dynamic_shapes=_dynamic_shapes(module, len(inputs), batch),
            )  # fmt: skip
        if program is None:
            raise ModelError("the net cannot be exported to ONNX", path=path)
        graph: onnx.ModelProto = program.model_proto
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ModelError(f"the net cannot be exported to ONNX ({str(error).splitlines()[0]})", path=path) from error
    _forget_origin(graph)
    onnx.checker.check_model(graph)
    return graph


def _dynamic_shapes(module: nn.Module, number: int, batch: Any) -> Any:
    """The batch axis is free for every input; forward(*inputs) takes them as one tuple."""
    import inspect

    parameters = list(inspect.signature(module.forward).parameters.values())
    each = tuple({0: batch} for _ in range(number))
    return (each,) if parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL else each


@contextmanager
def _quiet() -> Iterator[None]:
    """No chatter of the exporter on stderr."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _forget_origin(graph: onnx.ModelProto) -> None:
    """Drop stack traces and names of source files: they hold this machine's paths, and are not the model."""
    graph.ir_version = min(graph.ir_version, IR_VERSION)
    graph.producer_name, graph.producer_version, graph.doc_string = "trackgen", "", ""
    graph.graph.name, graph.graph.doc_string = "model", ""
    del graph.metadata_props[:], graph.graph.metadata_props[:]
    values = (*graph.graph.input, *graph.graph.output, *graph.graph.value_info)
    for item in (*graph.graph.node, *graph.graph.initializer, *values):
        item.doc_string = ""
        del item.metadata_props[:]


def _compare(module: nn.Module, card: Card, data: bytes, path: Path) -> None:
    session = open_session(data, device="cpu", threads=1, path_for_messages=path)
    names = [spec.name for spec in card.outputs]
    for batch in BATCH_SIZES:
        inputs = example_inputs(card, batch, 1)
        with torch.no_grad():
            wanted = module(*(torch.from_numpy(value) for value in inputs))
        wanted = [wanted] if isinstance(wanted, Tensor) else list(wanted)
        feed: Mapping[str, NDArray[np.float32]] = dict(zip(graph_input_names(card), inputs, strict=True))
        for name, value, reference in zip(names, session.run(feed, names), wanted, strict=True):
            expected = reference.numpy()
            scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
            same_shape = value.shape == expected.shape
            difference = float(np.abs(value - expected).max(initial=0.0)) if same_shape else float("inf")
            # written so that NaN is refused too
            if not difference <= TOLERANCE * scale:
                raise ModelError(
                    "ONNX Runtime does not reproduce PyTorch", path=path, place=f"output {name}, batch of {batch}",
                    found=f"a largest difference of {difference:.3g}" if same_shape else f"shape {value.shape}",
                    wanted=f"at most {TOLERANCE * scale:.0e}" if same_shape else f"shape {expected.shape}",
                    remedy="replace the operation that differs, or fix the batch size that was frozen at export",
                )  # fmt: skip
