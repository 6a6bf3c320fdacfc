"""Attributions other than DeepLIFT, profiles, vectors: against brute force and the oracle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.graph.contribution_oracle import constant_reference, explain_window
from tests.models import input_model, mixed_model
from tests.oracles import Window, contribution_track, reverse_complement
from tests.scan.explained import Oracle, assert_same_track, convolution_model
from tests.scan.test_contributions import scan, strand_names
from tests.scan.test_values import random_sequence, read_track
from trackgen.card import card_of
from trackgen.errors import ModelError, UsageError

REGION = ("a:91-130",)


def logit_of(oracle: Oracle, class_index: int, reverse: bool, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """What the class' logit is, less the mean of all, from probabilities: (N,)."""
    (values,) = oracle._evaluator.run(None, {name: array.astype(np.float32) for name, array in tensors.items()})
    logs = np.log(np.asarray(values, np.float64))
    return np.asarray(logs[:, oracle.partner(class_index, reverse)] - logs.mean(axis=1))


def losses(oracle: Oracle, starts: list[int], reverse: bool, class_index: int, kind: str) -> np.ndarray:
    """Each window changed at each base, one after the other."""
    feed = oracle.feed(starts, reverse)
    own = logit_of(oracle, class_index, reverse, feed)
    found = np.zeros((len(starts), oracle.card.window))
    for position in range(oracle.card.window):
        here = feed["sequence"][:, :, position]
        choices = [np.zeros_like(here)] if kind == "occlusion" else [np.roll(here, step, axis=1) for step in (1, 2, 3)]
        drops = []
        for choice in choices:
            changed = feed["sequence"].copy()
            changed[:, :, position] = choice
            drops.append(own - logit_of(oracle, class_index, reverse, feed | {"sequence": changed}))
        found[:, position] = np.max(drops, axis=0)
    return found


@pytest.mark.parametrize("kind", ["occlusion", "substitution"])
@pytest.mark.parametrize("strands", ["both", "average"])
def test_occlusion_is_what_a_window_loses(tmp_path: Path, kind: str, strands: str) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 200)}
    path = convolution_model(tmp_path, strands=strands, window=30, reverse=True)
    out, run = scan(tmp_path, path, sequences, attribution=kind, regions=REGION, contrib_weight="uniform", stride=3)
    oracle = Oracle(path, sequences["a"], stride=3)
    for suffix, strand in strand_names(strands).items():
        found = read_track(out / f"net.hit{suffix}.contrib.bw", sequences)["a"]
        wanted = contribution_track(
            sequences["a"], oracle.geometry, lambda starts, reverse: losses(oracle, starts, reverse, 1, kind), strand
        )
        # Logarithms of float32 probabilities lose digits.
        np.testing.assert_allclose(found[90:130], wanted[90:130], rtol=0, atol=2e-4 * np.nanmax(np.abs(wanted)))
        assert np.isnan(found[:90]).all()
    assert run["checks"]["completeness"] == {"n": 0, "max_rel_error": None}


def test_centred_regions_can_be_occluded(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 200).replace("N", "A")}
    path = convolution_model(tmp_path, window=30)
    out, _ = scan(tmp_path, path, sequences, attribution="occlusion", regions=REGION, centred=True)
    oracle = Oracle(path, sequences["a"])
    start = (90 + 130) // 2 - 14
    wanted = losses(oracle, [start], False, 1, "occlusion")[0]
    found = read_track(out / "net.hit.contrib.bw", sequences)["a"]
    np.testing.assert_allclose(found[start : start + 30], wanted, rtol=0, atol=2e-4 * np.abs(wanted).max())


def test_saliency_is_the_size_of_the_gradient(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 150)}
    path = convolution_model(tmp_path, strands="both", bend="Tanh")
    out, _ = scan(tmp_path, path, sequences, attribution="saliency", contrib_weight="uniform")
    oracle = Oracle(path, sequences["a"], gradient=True)

    def sizes(starts: list[int], reverse: bool) -> np.ndarray:
        feed = oracle.feed(starts, reverse)
        found = explain_window(
            oracle.model, oracle.card, "out", 1, feed, constant_reference(oracle.card, feed),
            constant_reference=True, gradient=True,
        )  # fmt: skip
        return np.asarray(np.abs(found.multipliers["sequence"]).sum(axis=1))

    for strand in ("plus", "minus"):
        wanted = contribution_track(sequences["a"], oracle.geometry, sizes, strand)
        assert_same_track(read_track(out / f"net.hit.{strand}.contrib.bw", sequences)["a"], wanted, strand)


@pytest.mark.parametrize("target", ["sum", "centre", "3"])
@pytest.mark.parametrize("strands", ["forward", "both"])
def test_profiles_are_explained_by_their_target(tmp_path: Path, target: str, strands: str) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 200)}
    model, _ = mixed_model(tmp_path, window=40, bin_=8, stride=4, positions=4, strands=strands)
    out, run = scan(tmp_path, model.path, sequences, contrib=("up", "count"), profile_target=target)
    oracle = Oracle(model.path, sequences["a"])
    graph, card = onnx.load(str(model.path)), card_of(onnx.load(str(model.path)), model.path)

    def explain(starts: list[int], reverse: bool) -> np.ndarray:
        feed = oracle.feed(starts, reverse)
        found = explain_window(
            graph, card, "profile", 1 if reverse else 0, feed, constant_reference(card, feed), constant_reference=True,
            profile_target=target if target in ("sum", "centre") else int(target),
        )  # fmt: skip
        return np.asarray(found.contributions["sequence"].sum(axis=1))

    for suffix, strand in strand_names(strands).items():
        wanted = contribution_track(sequences["a"], Window(40, 8, 4, 2), explain, strand)
        assert_same_track(read_track(out / f"mixed.up{suffix}.contrib.bw", sequences)["a"], wanted, suffix)
    assert run["plan"]["models"][0]["contributions"]["classes"] == [["up", "uniform"], ["count", "uniform"]]


@pytest.mark.parametrize("mode", ["auto", "window"])
def test_vectors_have_a_summary(tmp_path: Path, mode: str) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 120)}
    entries: list[dict[str, Any]] = [
        {"name": "sequence", "kind": "sequence"},
        {"name": "cell", "kind": "vector", "length": 3, "default": [0.5, -0.5, 0.0]},
    ]
    model = input_model(tmp_path, entries, window=30)
    values = tmp_path / "cell.tsv"
    values.write_text("x\t1.5\ny\t-0.5\nz\t-2\n")
    _, run = scan(
        tmp_path, model.path, sequences, contrib=("up",), contrib_weight="uniform", vectors=(("cell", values),),
        mode=mode,
    )  # fmt: skip
    (row,) = run["vector_contributions"]
    assert {key: row[key] for key in ("model", "class", "input")} == {"model": "inputs", "class": "up", "input": "cell"}
    assert len(row["mean"]) == 3
    assert row["mean"][1] == 0  # at its reference
    assert row["mean"][0] != 0 != row["mean"][2]
    if mode == "window":
        oracle = Oracle(model.path, sequences["a"])
        feed = oracle.feed(list(range(-14, 106)), False)
        feed["cell"] = np.repeat([[1.5, -0.5, -2.0]], 120, axis=0)
        found = explain_window(
            oracle.model, oracle.card, "out", 0, feed, constant_reference(oracle.card, feed), constant_reference=True
        )
        # Windows that hold nothing but gaps do not count.
        known = np.array(
            [
                any(sequences["a"][p].upper() in "ACGT" for p in range(max(0, s), min(120, s + 30)))
                for s in range(-14, 106)
            ]
        )
        np.testing.assert_allclose(row["mean"], found.contributions["cell"][known].mean(axis=0), rtol=1e-4, atol=1e-7)


def refused_model(folder: Path) -> Path:
    """A net with a softmax over positions inside, which DeepLIFT has no rule for."""
    path = convolution_model(folder)
    model = onnx.load(str(path))
    node = next(entry for entry in model.graph.node if "pooled" in entry.output)
    node.output[0] = "bare"
    place = list(model.graph.node).index(node)
    model.graph.node.insert(place + 1, onnx.helper.make_node("Softmax", ["bare"], ["pooled"], name="gate", axis=2))
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_without_rules_is_refused_by_name_and_occluded_instead(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 200)}
    path = refused_model(tmp_path)
    with pytest.raises(ModelError) as caught:
        scan(tmp_path, path, sequences, contrib_weight="uniform")
    assert caught.value.exit_status == 4
    message = str(caught.value)
    assert all(word in message for word in ("net.onnx", "gate", "Softmax", "--attribution")), message
    assert not (tmp_path / "out").exists()
    options = {"attribution": "occlusion", "regions": REGION, "contrib_weight": "uniform"}
    out, _ = scan(tmp_path, path, sequences, **options)
    track = read_track(out / "net.hit.contrib.bw", sequences)["a"]
    assert np.isfinite(track).any()
    assert (
        json.loads((out / "run.json").read_text())["plan"]["models"][0]["contributions"]["attribution"] == "occlusion"
    )


@pytest.mark.parametrize("attribution", ["saliency", "occlusion", "substitution"])
def test_attributions_without_a_reference_refuse_one(tmp_path: Path, attribution: str) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 200)}
    with pytest.raises(UsageError, match=f"--reference: {attribution} is not measured against a reference"):
        scan(
            tmp_path, convolution_model(tmp_path), sequences, attribution=attribution, reference="shuffle:3",
            regions=REGION,
        )  # fmt: skip


def test_the_reverse_complement_of_a_genome_has_the_mirrored_tracks(tmp_path: Path) -> None:
    """What the plus track says of a genome, the minus track says of its reverse complement."""
    letters = random_sequence(np.random.default_rng(3), 160)
    path = convolution_model(tmp_path, strands="both", bin_=2)
    (tmp_path / "r").mkdir()
    there, _ = scan(tmp_path, path, {"a": letters}, contrib_weight="uniform", stride=1)
    back, _ = scan(tmp_path / "r", path, {"a": reverse_complement(letters.upper())}, contrib_weight="uniform", stride=1)
    plus = read_track(there / "net.hit.plus.contrib.bw", {"a": letters})["a"]
    minus = read_track(back / "net.hit.minus.contrib.bw", {"a": letters})["a"]
    inner = slice(50, 110)  # windows that begin beyond the ends are not the mirror images of others
    np.testing.assert_allclose(plus[inner], minus[::-1][inner], rtol=0, atol=1e-6)
