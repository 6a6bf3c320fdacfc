"""What the oracle of contributions holds to be equal by structure is so, and nothing else."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.graph.architectures import random_model
from tests.graph.contribution_oracle import Refused, constant_reference
from tests.graph.dense_oracle import make_sample, window_feed
from tests.graph.texts import card_for, text_model
from tests.graph.wild import WILD_BLOCKS
from tests.graph.window_graph import Twin, WindowGraph, reference_hashes


@pytest.mark.parametrize(
    ("body", "structural"),
    [
        ("m1 = MaxPool<kernel_shape=[2], pads=[1, 1]>(c) m = GlobalMaxPool(m1)", True),
        ("p = Pad(c, one) m = GlobalMaxPool(p)", False),
        ("p = AveragePool<kernel_shape=[3], pads=[1, 1]>(c) m = GlobalMaxPool(p)", False),
        ("p = Conv<pads=[1, 0]>(c, two) m = GlobalMaxPool(p)", False),
        ("p = Conv<pads=[1, 0]>(c, two) s = Slice(p, first, last, axis) m = GlobalMaxPool(s)", True),
        ("p = Mul(c, row) m = GlobalMaxPool(p)", False),
        ("p = Mul(c, scalar) r = Relu(p) m = GlobalMaxPool(r)", True),
        ("e = Expand(scalar, shape) p = Add(c, e) m = GlobalMaxPool(p)", True),
        ("u = Add(c, scalar) p = Concat<axis=2>(c, u) m = GlobalMaxPool(p)", False),
        ("p = Concat<axis=2>(c, c) m = GlobalMaxPool(p)", True),
        ("p = CumSum(c, place) m = GlobalMaxPool(p)", False),
    ],
)
def test_what_is_equal_by_structure_goes_by_computation_not_by_value(body: str, structural: bool) -> None:
    # All of these constants are the same at every position, and the reference may be 0: floats would say "equal".
    weights = {
        "one": np.array([0, 0, 1, 0, 0, 1]), "two": np.ones((1, 1, 2), np.float32), "row": np.ones(4, np.float32),
        "scalar": np.array(1.0, np.float32), "shape": np.array([1, 1, 4]), "first": np.array([1]),
        "last": np.array([4]), "axis": np.array([2]), "place": np.array(2),
    }  # fmt: skip
    body = f"c = Conv(sequence, k) {body} f = Flatten(m) out = Gemm(f, w)"
    graph = WindowGraph.of_model(
        text_model(body, {**weights, "k": (1, 4, 1), "w": (1, 1)}, window=4, out="1"), "out", "none"
    )
    hashes = reference_hashes(card_for(window=4, classes=1), {"sequence": (1, 4, 4)})
    assert bool(Twin(graph, hashes).equal["m"].all()) is structural


def test_what_is_equal_by_structure_is_equal() -> None:
    found = 0
    for seed in range(400):
        made = random_model(random.Random(seed), WILD_BLOCKS if seed % 2 else ())
        spec, feed = made.card.outputs[0], window_feed(made.card, make_sample(made.card, 500, seed), [0])
        graph = WindowGraph.of_model(made.model, spec.name, spec.activation)
        try:
            twin = Twin(graph, reference_hashes(made.card, {name: values.shape for name, values in feed.items()}))
        except Refused:
            continue
        values = graph.run(constant_reference(made.card, feed))
        for node in graph.nodes:
            equal = twin.equal.get(node.output[0])
            if equal is None:
                continue
            elements, _ = graph.elements(node, values)
            lowest = np.where(np.isinf(elements), np.inf, elements).min(axis=-1)
            # the same operations in the same order, but for how a product of matrices is cut into blocks
            assert np.abs(np.where(equal, elements.max(axis=-1) - lowest, 0)).max() < 1e-12, made
            found += int(equal.any())
    assert found > 50
