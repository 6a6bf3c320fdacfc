"""Pools over many neighbours: a small graph, and the same contributions as from one that compares them one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.scan.explained import convolution_model
from trackgen.card import load_model, read_card
from trackgen.graph import compile_window_contributions
from trackgen.runtime import open_session

WINDOWS, WINDOW = 3, 130


def explained(path: Path, *, live: bool) -> tuple[int, np.ndarray]:
    """Nodes of the graph that explains windows, and the contributions that it gives for some."""
    graph = compile_window_contributions(load_model(path), read_card(path), "out", live=live)
    session = open_session(graph.model.SerializeToString(), device="cpu", threads=1)
    random = np.random.default_rng(2)
    letters = np.eye(4, dtype=np.float32)[random.integers(0, 4, (2, WINDOWS, WINDOW))].transpose(0, 1, 3, 2)
    # Repeats make ties, whose first place counts.
    letters[:, :, :, 60:120] = letters[:, :, :, :60]
    inputs = {"sequence": letters[0], "classes": np.array([0, 1, 2])}
    if live:
        inputs["reference.sequence"] = letters[1]
    return len(graph.model.graph.node), session.run(inputs, ["contributions"])[0]


@pytest.mark.parametrize("live", [False, True])
def test_a_pool_over_a_whole_window_is_a_small_graph_that_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    path = convolution_model(tmp_path, window=WINDOW, pool=120)
    nodes, found = explained(path, live=live)
    monkeypatch.setattr("trackgen.graph.deeplift.maxima.MOST_NEIGHBOURS", 1000)
    many, wanted = explained(path, live=live)
    assert nodes < 300
    assert many > 120 * 4
    # What is handed back is one product, whichever way it goes.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert np.abs(found).max() > 1e-3
