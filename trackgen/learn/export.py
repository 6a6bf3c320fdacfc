"""PyTorch -> ONNX with the card inside, refused unless ONNX Runtime reproduces PyTorch."""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trackgen.card import Card, card_from_dict, check_against_graph, embed_card, save_model
from trackgen.errors import ModelError, UsageError
from trackgen.learn.architectures.denoise import SignalAndPeak
from trackgen.learn.calibration import Calibration
from trackgen.learn.heads import ProfileCounts, fitting_heads, with_head
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
    """`net` with its calibration and the activation that the card's first output names; one without any is as it is.

    Of two outputs, the first is a signal without any and the second a probability.
    """
    if len(card.outputs) == 2:
        return SignalAndPeak(net, calibration.scale, calibration.shift[1])
    if card.outputs[0].activation == "none":
        return net
    wrapper = CalibratedSigmoid if card.outputs[0].activation == "sigmoid" else Calibrated
    return wrapper(net, calibration)


def export(module: nn.Module, card: Card | Mapping[str, Any], path: Path | str, head: str | None = None) -> Path:
    """Write `module` as ONNX with `card` inside; the same module and card give the same bytes.

    Args:
        module: called with the card's inputs in order (float32, batch first), returns the card's outputs in order,
            with each output's activation applied.
        card: names the graph's inputs and outputs; a `Card`, or the values of its JSON.
        path: the file to write; it appears when it is complete and checked, or not at all.
        head: what joins the module's outputs into the card's, a name in `trackgen.learn.heads.HEADS`;
            ``profile_counts`` makes softmax(profile) x exp(counts) of the two outputs of a BPNet-like net.

    Raises:
        UsageError: an unknown head, or a card that is none.
        ModelError: the card's values are no card; the net has weights or outputs that are NaN or infinite, cannot run
            or be exported, or contradicts the card; or ONNX Runtime's values differ from PyTorch's by more than
            `TOLERANCE` at a batch size of `BATCH_SIZES`.
    """
    path, card = Path(path), _as_card(card)
    _refuse_broken_weights(module, path)
    if head is not None:
        module = with_head(module, head, card, path)
    module = module.to("cpu").eval()
    if isinstance(module, ProfileCounts):
        module.check([torch.from_numpy(value) for value in example_inputs(card, 2, 0)], path)
    _outputs(module, card, example_inputs(card, 2, 0), path)
    graph = _to_onnx(module, card, path)
    check_against_graph(card, graph, path)
    embed_card(graph, card)
    _compare(module, card, graph.SerializeToString(deterministic=True), path)
    save_model(graph, path)
    return path


def _as_card(card: object) -> Card:
    if isinstance(card, Card):
        return card
    if isinstance(card, Mapping):
        return card_from_dict(card)
    raise UsageError(
        "the card is none", found=type(card).__name__, wanted="a trackgen.card.Card, or the values of a card's JSON",
        remedy="read a card's file with json.load",
    )  # fmt: skip


def _refuse_broken_weights(module: nn.Module, path: Path) -> None:
    """Buffers may be infinite, as masks are: the outputs show whether that does harm."""
    parameters = ((name, tensor.detach(), False) for name, tensor in module.named_parameters())
    buffers = ((name, tensor.detach(), True) for name, tensor in module.named_buffers())
    for name, tensor, may_be_infinite in itertools.chain(parameters, buffers):
        broken = torch.isnan(tensor) if may_be_infinite else ~torch.isfinite(tensor)
        if broken.any():
            raise ModelError(
                "the net has weights that are NaN or infinite", path=path, place=f"tensor {name}",
                found=f"{int(broken.sum())} of {broken.numel()} values, the first {tensor[broken][0].item()}",
                wanted="finite numbers", remedy="export the net as it was before its training diverged",
            )  # fmt: skip


def _outputs(
    module: nn.Module, card: Card, inputs: Sequence[NDArray[np.float32]], path: Path
) -> list[NDArray[np.float32]]:
    """What the net gives, one array for each output of the card, all finite."""
    shapes = ", ".join(f"{name} {value.shape}" for name, value in zip(graph_input_names(card), inputs, strict=True))
    try:
        with torch.no_grad():
            outputs = module(*(torch.from_numpy(value) for value in inputs))
    except Exception as error:  # a net may raise anything
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise ModelError(
            f"the net cannot run on the card's inputs ({reason})", path=path, found=shapes,
            wanted="a net that is called with the card's inputs in order",
        ) from error  # fmt: skip
    values = [outputs] if isinstance(outputs, Tensor) else outputs
    if not isinstance(values, tuple | list) or not all(isinstance(value, Tensor) for value in values):
        found = type(values).__name__
        raise ModelError("the net's outputs are no tensors", path=path, found=found, wanted="a tensor for each output")
    if len(values) != len(card.outputs):
        raise _another_number(values, card, path)
    for spec, value in zip(card.outputs, values, strict=True):
        broken = ~torch.isfinite(value)
        if broken.any():
            raise ModelError(
                "the net gives values that are NaN or infinite", path=path, place=f"output {spec.name}",
                found=f"{int(broken.sum())} of {broken.numel()} values, the first {value[broken][0].item()}",
                wanted="finite numbers", remedy="look for an overflow, a division by zero or a logarithm of zero",
            )  # fmt: skip
    return [value.numpy() for value in values]


def _another_number(values: Sequence[Tensor], card: Card, path: Path) -> ModelError:
    """The net has more outputs than its card, or fewer."""
    number = len(values)
    remedy = "name each of the net's outputs in the card, in order"
    heads = fitting_heads(values) if len(card.outputs) == 1 else []
    if heads:
        ways = " or ".join(f"head={name!r}" for name in heads)
        remedy = f"if they are profile logits and log counts, join them with {ways}; otherwise {remedy}"
    return ModelError(
        f"the net gives {number} output{'s' if number != 1 else ''}, the card names {len(card.outputs)}", path=path,
        found="shapes " + ", ".join(str(tuple(value.shape)) for value in values),
        wanted=", ".join(spec.name for spec in card.outputs), remedy=remedy,
    )  # fmt: skip


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
        wanted = _outputs(module, card, inputs, path)
        feed: Mapping[str, NDArray[np.float32]] = dict(zip(graph_input_names(card), inputs, strict=True))
        for name, value, expected in zip(names, session.run(feed, names), wanted, strict=True):
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
