"""Small models for tests of contributions, and their tracks by the oracle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import onnx.reference

from tests.graph.contribution_oracle import Explained, constant_reference, explain_window
from tests.oracles import Window, contribution_track, window_tensors
from trackgen.card import Card, card_of

CONVOLUTION = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4, {window}] sequence{signal_input}) => (float[N, {classes}] out)
{{
  first = Conv<pads = [{pad}, {pad}]>(sequence, filters, filter_bias)
  active = Relu(first)
  pooled = MaxPool<kernel_shape = [{pool}], strides = [{pool}]>(active)
  flat = Flatten(pooled)
  {signal}
  hidden = Gemm(joined, first_weight, first_bias)
  bent = {bend}(hidden)
  logits = Gemm(bent, second_weight, second_bias)
  {tail}
}}
"""
FILTERS, WIDTH, HIDDEN = 5, 7, 6


def _class_entries(classes: tuple[str, ...], threshold: float | None, *, reverse: bool) -> list[dict[str, Any]]:
    """The classes as a card has them."""
    entries: list[dict[str, Any]] = [{"name": entry} for entry in classes]
    if threshold is not None:
        entries = [{**entry, "threshold": threshold} for entry in entries]
    if reverse:
        entries[-1]["reverse"], entries[-2]["reverse"] = classes[-2], classes[-1]
    return entries


def _weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> list[onnx.TensorProto]:
    """Random weights of usual sizes."""
    random = np.random.default_rng(seed)
    weights = []
    for key, shape in shapes.items():
        values = random.normal(0, 1.2 * max(1, np.prod(shape[:-1])) ** -0.5, shape).astype(np.float32)
        if key == "filters":
            values = random.normal(0, 0.6, shape).astype(np.float32)
        weights.append(onnx.numpy_helper.from_array(values, key))
    return weights


def convolution_model(
    folder: Path,
    *,
    name: str = "net",
    window: int = 40,
    bin_: int = 1,
    stride: int | None = None,
    strands: str = "forward",
    classes: tuple[str, ...] = ("background", "hit", "other"),
    activation: str = "softmax",
    pool: int = 4,
    pad: int = 0,
    bend: str = "Relu",
    signal: dict[str, Any] | None = None,
    thresholds: float | None = None,
    reverse: bool = False,
    seed: int = 0,
    **card_fields: Any,
) -> Path:
    """Write ``folder/name.onnx``: convolution, pool, two dense layers; with `pad` it is no dense model.

    Args:
        signal: the card's entry of a signal input, joined before the dense layers.
        thresholds: of every class.
        reverse: make the last two classes partners on the other strand.
    """
    pooled = (window + 2 * pad - WIDTH + 1) // pool * FILTERS
    elements = window // signal.get("resolution", 1) if signal else 0
    shapes = {
        "filters": (FILTERS, 4, WIDTH),
        "filter_bias": (FILTERS,),
        "first_weight": (pooled + elements, HIDDEN),
        "first_bias": (HIDDEN,),
        "second_weight": (HIDDEN, len(classes)),
        "second_bias": (len(classes),),
    }
    tail = {"softmax": "out = Softmax<axis = 1>(logits)", "sigmoid": "out = Sigmoid(logits)"}
    model = onnx.parser.parse_model(
        CONVOLUTION.format(
            window=window,
            classes=len(classes),
            pad=pad,
            pool=pool,
            bend=bend,
            tail=tail.get(activation, "out = Identity(logits)"),
            signal_input=f", float[N, 1, {elements}] {signal['name']}" if signal else "",
            signal=f"track = Flatten({signal['name']})\n  joined = Concat<axis = 1>(flat, track)"
            if signal
            else "joined = Identity(flat)",
        )
    )
    model.graph.initializer.extend(_weights(shapes, seed))
    entries = _class_entries(classes, thresholds, reverse=reverse)
    card = {
        "schema_version": 1, "name": name, "window": window, "bin": bin_, "stride": stride or bin_, "strands": strands,
        "inputs": [{"name": "sequence", "kind": "sequence"}, *([signal] if signal else [])],
        "outputs": [{"name": "out", "activation": activation, "classes": entries}],
        "reference": {"kind": "frequencies", "values": [0.3, 0.2, 0.2, 0.3]},
    } | card_fields  # fmt: skip
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


class Oracle:
    """The contribution tracks of a model, from windows in float64.

    Args:
        signals: per base of the chromosome, by key.
        reference: letters of another sequence, base for base, that contributions are measured against.
    """

    def __init__(
        self,
        path: Path,
        sequence: str,
        *,
        stride: int | None = None,
        signals: Mapping[str, np.ndarray] | None = None,
        reference: str | None = None,
        gradient: bool = False,
    ) -> None:
        self.model = onnx.load(str(path))
        self.card: Card = card_of(self.model, path)
        self.entries = self.card.to_dict()["inputs"]
        self.sequence, self.signals, self.reference, self.gradient = sequence, signals or {}, reference, gradient
        self.geometry = Window(self.card.window, self.card.bin, stride or self.card.stride)
        self._evaluator = onnx.reference.ReferenceEvaluator(self.model)

    def feed(self, starts: list[int], reverse: bool, sequence: str | None = None) -> dict[str, np.ndarray]:
        rows = [
            window_tensors(self.entries, sequence or self.sequence, self.signals, {}, start, self.card.window, reverse)
            for start in starts
        ]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def explain(self, starts: list[int], reverse: bool, class_index: int, tensor: str = "sequence") -> np.ndarray:
        feed = self.feed(starts, reverse)
        reference = constant_reference(self.card, feed)
        if self.reference is not None:
            reference["sequence"] = self.feed(starts, reverse, self.reference)["sequence"]
        return self._explain(feed, reference, reverse, class_index, tensor)

    def explain_against(self, starts: list[int], reverse: bool, class_index: int, sequence: np.ndarray) -> np.ndarray:
        """Against another sequence for each window, (N, 4, L)."""
        feed = self.feed(starts, reverse)
        reference = constant_reference(self.card, feed) | {"sequence": sequence}
        return self._explain(feed, reference, reverse, class_index, "sequence", constant=False)

    def _explain(
        self,
        feed: dict[str, np.ndarray],
        reference: dict[str, np.ndarray],
        reverse: bool,
        class_index: int,
        tensor: str,
        constant: bool = True,
    ) -> np.ndarray:
        found = explain_window(
            self.model, self.card, "out", self.partner(class_index, reverse), feed, reference,
            constant_reference=constant and self.reference is None, gradient=self.gradient,
        )  # fmt: skip
        return self.read(found, tensor, reference[tensor], reverse)

    def read(self, found: Explained, tensor: str, reference: np.ndarray, reverse: bool) -> np.ndarray:
        """What the track holds of explained windows, (N, L)."""
        return np.asarray(found.contributions[tensor].sum(axis=1))

    def probabilities(self, starts: list[int], reverse: bool, class_index: int) -> np.ndarray:
        feed = {name: values.astype(np.float32) for name, values in self.feed(starts, reverse).items()}
        (values,) = self._evaluator.run(None, feed)
        return np.asarray(values, np.float64)[:, self.partner(class_index, reverse)]

    def partner(self, class_index: int, reverse: bool) -> int:
        return self.card.outputs[0].partner(class_index) if reverse else class_index

    def track(
        self, class_index: int, strand: str, weight: str, threshold: float | None = None, tensor: str = "sequence"
    ) -> np.ndarray:
        (entry,) = (entry for entry in self.card.inputs if entry.name == tensor)
        return contribution_track(
            self.sequence,
            self.geometry,
            lambda starts, reverse: self.explain(starts, reverse, class_index, tensor),
            strand,
            weight,
            probabilities=lambda starts, reverse: self.probabilities(starts, reverse, class_index),
            distance=self.card.contributions.distance,
            threshold=threshold,
            element=entry.resolution,
        )


def assert_same_track(found: np.ndarray, wanted: np.ndarray, label: str) -> None:
    """To 2e-4 of the track's largest value, .5 % of bases excepted: ties closer than float32 can tell."""
    assert (np.isnan(found) == np.isnan(wanted)).all(), label
    known = ~np.isnan(wanted)
    if not known.any():
        return
    difference = np.abs(found[known] - wanted[known]) / (np.abs(wanted[known]).max() or 1.0)
    assert (difference > 2e-4).sum() <= max(1, 0.005 * known.sum()), f"{label}: {np.sort(difference)[-5:]}"
