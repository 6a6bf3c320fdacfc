"""Occlusion by passes over changed genomes is what windows say that are changed one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.models import input_model, mixed_model
from tests.scan.explained import convolution_model
from tests.scan.test_contributions import scan, strand_names
from tests.scan.test_values import random_sequence, read_track
from trackgen.scan.dense_occlusion import DenseOcclusion

CLOSE = 1e-5
"""Of the largest value: both are differences of the same float32 logits, added up in another order."""


def form_of(run: dict[str, Any]) -> str:
    return str(run["plan"]["models"][0]["contributions"]["form"])


def assert_both_ways_agree(
    folder: Path, path: Path, sequences: dict[str, str], tracks: list[str], **options: Any
) -> dict[str, Any]:
    """Scan densely and window by window; run.json of the dense one."""
    dense, run = scan(folder, path, sequences, out="dense", mode="dense", **options)
    singly, other = scan(folder, path, sequences, out="windows", mode="window", **options)
    assert (form_of(run), form_of(other)) == ("dense", "windows")
    for track in tracks:
        found, wanted = (read_track(out / track, sequences) for out in (dense, singly))
        for name in sequences:
            assert (np.isnan(found[name]) == np.isnan(wanted[name])).all()
            known = ~np.isnan(wanted[name])
            if known.any():
                largest = max(np.nanmax(np.abs(values)) for values in wanted.values() if (~np.isnan(values)).any())
                np.testing.assert_allclose(found[name][known], wanted[name][known], rtol=0, atol=CLOSE * largest)
    return run


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["occlusion", "substitution"]),
    bin_=st.sampled_from([1, 2, 10]),
    stride=st.sampled_from([1, 3, 7, 10]),
    strands=st.sampled_from(["forward", "both", "average"]),
    weight=st.sampled_from(["uniform", "probability"]),
    activation=st.sampled_from(["softmax", "sigmoid", "none"]),
    tile=st.sampled_from([19, 64, 500]),
    pool=st.sampled_from([1, 3, 4]),
    pad=st.sampled_from([0, 0, 2]),
    region=st.sampled_from([(), ("a:91-130",), ("a:1-7", "a:60-61")]),
    seed=st.integers(0, 1000),
)
def test_passes_over_changed_genomes_equal_changed_windows(
    tmp_path_factory: pytest.TempPathFactory, kind: str, bin_: int, stride: int, strands: str, weight: str,
    activation: str, tile: int, pool: int, pad: int, region: tuple[str, ...], seed: int,
) -> None:  # fmt: skip
    # ONNX Runtime's Sigmoid gives probabilities of a millionth to three digits only: no weights to compare by.
    assume(not (activation == "sigmoid" and weight == "probability"))
    folder = tmp_path_factory.mktemp("occlusion")
    sequences = {"a": random_sequence(np.random.default_rng(seed), 170), "b": "ACGTA", "c": "N" * 20}
    path = convolution_model(
        folder,
        window=30,
        bin_=bin_,
        strands=strands,
        activation=activation,
        pool=pool,
        pad=pad,
        reverse=True,
        seed=seed,
    )
    assert_both_ways_agree(
        folder, path, sequences, [f"net.hit{suffix}.contrib.bw" for suffix in strand_names(strands)], attribution=kind,
        contrib_weight="uniform" if activation == "none" else weight, stride=stride, tile=tile,
        regions=region or tuple(f"{name}:1-{len(letters)}" for name, letters in sequences.items()),
    )  # fmt: skip


@pytest.mark.parametrize("target", ["sum", "2"])
def test_several_outputs_and_profiles_share_their_passes(tmp_path: Path, target: str) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 150)}
    model, _ = mixed_model(tmp_path, window=40, bin_=8, stride=4, positions=4, strands="both")
    tracks = [f"mixed.{name}.{strand}.contrib.bw" for name in ("up", "count") for strand in ("plus", "minus")]
    run = assert_both_ways_agree(
        tmp_path, model.path, sequences, tracks, attribution="occlusion", contrib=("up", "count"),
        profile_target=target, regions=("a:40-90",),
    )  # fmt: skip
    assert run["checks"]["contributions"]["n"] > 0
    assert run["checks"]["contributions"]["max_rel_diff"] <= CLOSE


def test_the_runs_own_check_finds_a_wrong_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trackgen.errors import SelfCheckError
    from trackgen.scan import dense_occlusion

    def shifted(codes: np.ndarray, residue: int, window: int, change: int) -> np.ndarray:
        made = codes.copy()
        made[(residue + 1) % window :: window] = 4
        return made

    monkeypatch.setattr(dense_occlusion, "_changed", shifted)
    sequences = {"a": random_sequence(np.random.default_rng(3), 150)}
    options: dict[str, Any] = {"attribution": "occlusion", "contrib_weight": "uniform", "regions": ("a:40-90",)}
    with pytest.raises(SelfCheckError):
        scan(tmp_path, convolution_model(tmp_path), sequences, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"contrib_weight": "calls", "regions": ("a:40-90",)},
        {"contrib_weight": "uniform", "regions": ("a:40-90",), "centred": True},
    ],
)
def test_few_windows_are_changed_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(DenseOcclusion, "run", None)
    sequences = {"a": random_sequence(np.random.default_rng(3), 150)}
    path = convolution_model(tmp_path, thresholds=0.1)
    _, run = scan(tmp_path, path, sequences, attribution="occlusion", **options)
    assert form_of(run) == "windows"


@pytest.mark.parametrize(
    "entries",
    [
        [{"name": "sequence", "kind": "sequence", "unknown": 0.25}],
        [{"name": "sequence", "kind": "sequence"}, {"name": "cell", "kind": "vector", "length": 3, "default": 0.5}],
    ],
)
def test_inputs_that_a_pass_can_not_blank_are_changed_one_by_one(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 120)}
    model = input_model(tmp_path, entries, window=30)
    _, run = scan(
        tmp_path, model.path, sequences, contrib=("up",), contrib_weight="uniform", attribution="occlusion",
        regions=("a:40-50",),
    )  # fmt: skip
    assert form_of(run) == "windows"


def test_progress_of_a_pass_is_told_and_sums_to_one(tmp_path: Path) -> None:
    from trackgen.card import read_card
    from trackgen.runtime import open_session
    from trackgen.scan.dense_occlusion import compile_targets
    from trackgen.scan.inputs import Stretch

    path = convolution_model(tmp_path, window=30)
    targets = compile_targets(path, read_card(path), 1, [0], None, "cpu")
    session = open_session(targets.compiled.model.SerializeToString(), device="cpu", threads=1, path_for_messages=path)
    stretch = Stretch(np.random.default_rng(0).integers(0, 4, 80).astype(np.uint8))
    starts = np.arange(50, dtype=np.int64)
    shares: list[float] = []
    for weights in (np.ones((1, 50)), np.zeros((1, 50))):
        sums = DenseOcclusion(targets, session, "substitution").run(
            stretch, starts, [0], np.array([1]), weights, reverse=False, tell_share=shares.append
        )
        assert sum(shares) == pytest.approx(1, abs=1e-9)  # of 91 floats
        shares.clear()
    assert not sums.bases[None].any()
