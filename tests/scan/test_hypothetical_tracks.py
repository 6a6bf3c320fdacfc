"""Tracks of what each base would contribute: the estimate of every single-base change, from the same walk back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.graph.contribution_oracle import Explained
from tests.oracles import COMPLEMENT
from tests.scan.explained import Oracle, assert_same_track, convolution_model
from tests.scan.test_contribution_refusals import assert_words, refusal
from tests.scan.test_contributions import scan, strand_names
from tests.scan.test_values import random_sequence, read_track, write_fasta
from trackgen.card import read_card
from trackgen.errors import UsageError
from trackgen.genome import open_genome
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, assemble_folder, open_model, run_scan
from trackgen.scan.machinery import choose_room
from trackgen.scan.plan import make_plan
from trackgen.scan.slots import refuse_hypothetical_tracks

BASES = "ACGT"
SIGNAL_FREE = {"contributions": {"distance": 12}, "thresholds": 0.3}


class HypotheticalOracle(Oracle):
    """What one base of the forward strand would contribute, from windows in float64."""

    base = "A"

    def read(self, found: Explained, tensor: str, reference: np.ndarray, reverse: bool) -> np.ndarray:
        multipliers = found.multipliers[tensor]
        row = BASES.index(COMPLEMENT[self.base] if reverse else self.base)
        return np.asarray(multipliers[:, row] - (multipliers * reference).sum(axis=1))


def tracks_of(out: Path, suffix: str, sequences: dict[str, str]) -> dict[str, dict[str, np.ndarray]]:
    """Base -> sequence -> values."""
    return {base: read_track(out / f"net.hit{suffix}.{base}.hypothetical.bw", sequences) for base in BASES}


def check(
    out: Path, path: Path, sequences: dict[str, str], strands: str, weight: str, stride: int | None = None,
    letters: str = BASES, **oracle: Any,
) -> None:  # fmt: skip
    """Every base's track is the oracle's, and that of the base which stands there is the track of contributions."""
    for suffix, strand in strand_names(strands).items():
        every = tracks_of(out, suffix, sequences)
        contributions = read_track(out / f"net.hit{suffix}.contrib.bw", sequences)
        for name, sequence in sequences.items():
            for base in letters:
                reader = HypotheticalOracle(path, sequence, stride=stride, **oracle)
                reader.base = base
                wanted = reader.track(1, strand, weight, 0.3)
                assert_same_track(every[base][name], wanted, f"{name}{suffix} {base}")
            stacked = np.stack([every[base][name] for base in BASES])
            known = np.array([letter in BASES for letter in sequence])
            here = np.array([BASES.find(letter) for letter in sequence])
            standing = stacked[here, np.arange(len(sequence))][known]
            given_ = contributions[name][known]
            # One is a sum of differences, the other a difference of sums: the last digits of float32 differ.
            largest = np.nanmax(np.abs(stacked), initial=0.0, where=~np.isnan(stacked))
            np.testing.assert_allclose(standing, given_, rtol=0, atol=2e-6 * largest)


@pytest.mark.parametrize("mode", ["auto", "window"])
@pytest.mark.parametrize(("strands", "weight"), [("forward", "calls"), ("both", "probability"), ("average", "uniform")])
def test_every_base_has_a_track_that_equals_the_oracle(tmp_path: Path, strands: str, weight: str, mode: str) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(1), 113), "b": "ACGTA", "c": "N" * 50}
    path = convolution_model(tmp_path, strands=strands, reverse=True, **SIGNAL_FREE)
    out, run = scan(tmp_path, path, sequences, contrib_weight=weight, tile=64, mode=mode, hypothetical_tracks=True)
    check(out, path, sequences, strands, weight)
    assert run["plan"]["models"][0]["contributions"]["hypothetical"] is True
    rows = [row for row in run["tracks"] if "base" in row]
    assert [row["base"] for row in rows] == list(BASES) * len(strand_names(strands))
    for row in rows:
        assert row["file"].endswith(f".{row['base']}.hypothetical.bw")
        assert (row["role"], row["unit"], row["resolution"], row["input"]) == ("contribution", "logit", 1, None)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bin_=st.sampled_from([1, 10]),
    stride=st.sampled_from([1, 7, 47]),
    strands=st.sampled_from(["forward", "both", "average"]),
    weight=st.sampled_from(["uniform", "probability", "calls"]),
    tile=st.sampled_from([19, 64, 500]),
    pool=st.sampled_from([1, 3, 17]),
    pad=st.sampled_from([0, 0, 2]),
    bend=st.sampled_from(["Relu", "Tanh"]),
    seed=st.integers(0, 2**31),
)
def test_tracks_of_random_models_equal_the_oracle(
    tmp_path_factory: pytest.TempPathFactory, bin_: int, stride: int, strands: str, weight: str, tile: int, pool: int,
    pad: int, bend: str, seed: int,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("scan")
    random = np.random.default_rng(seed)
    sequences = {f"s{length}": random_sequence(random, length) for length in (1, 41, 90)}
    path = convolution_model(
        folder, bin_=bin_, strands=strands, pool=pool, pad=pad, bend=bend, reverse=seed % 2 == 0, seed=seed % 89,
        **SIGNAL_FREE,
    )  # fmt: skip
    out, _ = scan(folder, path, sequences, contrib_weight=weight, tile=tile, stride=stride, hypothetical_tracks=True)
    check(out, path, sequences, strands, weight, stride, letters=BASES[seed % 4])


@pytest.mark.parametrize("mode", ["auto", "window"])
def test_a_second_genome_is_what_hypothetical_bases_are_measured_against(tmp_path: Path, mode: str) -> None:
    random = np.random.default_rng(4)
    sequences, other = ({"a": random_sequence(random, 150)} for _ in range(2))
    path = convolution_model(tmp_path, strands="both", **SIGNAL_FREE)
    reference = str(write_fasta(tmp_path / "other.fa", other))
    out, _ = scan(
        tmp_path, path, sequences, contrib_weight="uniform", reference=reference, mode=mode, hypothetical_tracks=True
    )
    check(out, path, sequences, "both", "uniform", reference=other["a"])


def test_gradients_and_single_windows_of_regions_have_them_as_well(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(5), 150)}
    path = convolution_model(tmp_path, bend="Tanh", **SIGNAL_FREE)
    plain = {"contrib_weight": "uniform", "hypothetical_tracks": True}
    out, _ = scan(tmp_path, path, sequences, attribution="gradient", **plain)
    check(out, path, sequences, "forward", "uniform", gradient=True)
    regions = ("a:60-70", "a:110-115")
    for reference in (None, "shuffle:2"):
        out, _ = scan(
            tmp_path, path, sequences, f"c{reference}", centred=True, regions=regions, reference=reference, **plain
        )
        every, standing = tracks_of(out, "", sequences), read_track(out / "net.hit.contrib.bw", sequences)["a"]
        known = [place for place, letter in enumerate(sequences["a"]) if letter in BASES]
        found = np.array([every[sequences["a"][place]]["a"][place] for place in known])
        np.testing.assert_allclose(found, standing[known], rtol=0, atol=1e-6)
        assert np.isfinite(found).sum() > 30


def test_shards_regions_and_a_second_run_give_the_same_bytes_and_nothing_else_changes(tmp_path: Path) -> None:
    sequences = {
        "a": random_sequence(np.random.default_rng(6), 400),
        "b": random_sequence(np.random.default_rng(7), 90),
    }
    path = convolution_model(tmp_path, strands="both", **SIGNAL_FREE)
    options = {"tile": 50, "shard_size": 100, "regions": ("a:101-330", "b")}
    whole, run = scan(tmp_path, path, sequences, "whole", hypothetical_tracks=True, **options)
    for share in (2, 1):
        values: dict[str, Any] = {"contrib": ("hit",), "digits": "full", **options}
        asked = ScanOptions(
            (str(path),), tmp_path / "g.fa", tmp_path / "shared", hypothetical_tracks=True, share=(share, 2), **values
        )
        run_scan(asked)
    assemble_folder(tmp_path / "shared", 1, NullProgress())
    plain, without = scan(tmp_path, path, sequences, "plain", **options)
    names = {row["file"] for row in run["tracks"]}
    assert len(names) == 3 * 2 + 2 + 8
    for name in names:
        assert (whole / name).read_bytes() == (tmp_path / "shared" / name).read_bytes(), name
    # The other outputs are those of a run without: the walk back is the same.
    for row in without["tracks"]:
        assert (whole / row["file"]).read_bytes() == (plain / row["file"]).read_bytes(), row["file"]
    assert "hypothetical" not in json.dumps(without["plan"])
    again = run_scan(
        ScanOptions((str(path),), tmp_path / "g.fa", whole, hypothetical_tracks=True, contrib=("hit",), digits="full",
                    tile=50, shard_size=100, regions=("a:101-330", "b"))
    )  # fmt: skip
    assert again.skipped


def test_memory_is_counted_for_all_four(tmp_path: Path) -> None:
    path = convolution_model(tmp_path, strands="both", **SIGNAL_FREE)
    genome = open_genome(write_fasta(tmp_path / "g.fa", {"a": "ACGT" * 1000}))
    rooms = []
    for asked in (False, True):
        options = ScanOptions(
            (str(path),), genome.path, tmp_path / "out", contrib=("hit",), tile=1000, hypothetical_tracks=asked
        )
        rooms.append(choose_room(make_plan(options, genome), 1, None))
    assert rooms[1].memory > rooms[0].memory
    small = choose_room(make_plan(options, genome), 1, rooms[1].memory // 2)
    assert small.memory <= rooms[1].memory // 2


@pytest.mark.parametrize("attribution", ["saliency", "occlusion", "substitution"])
def test_an_attribution_without_multipliers_is_refused(tmp_path: Path, attribution: str) -> None:
    message = refusal(
        tmp_path, convolution_model(tmp_path), attribution=attribution, regions=("a:1-50",), hypothetical_tracks=True
    )
    assert_words(message, f"--hypothetical-tracks: {attribution} has no multipliers", "--attribution deeplift")


def test_it_is_refused_without_contributions_and_of_a_model_without_a_sequence(tmp_path: Path) -> None:
    message = refusal(tmp_path, convolution_model(tmp_path), contrib=(), hypothetical_tracks=True)
    assert_words(message, "--hypothetical-tracks: the option is about contributions", "--contrib A,B")
    card = read_card(convolution_model(tmp_path, signal={"name": "atac", "kind": "signal"}))
    card = replace(card, inputs=card.inputs[1:])
    options = ScanOptions(("net",), tmp_path / "g.fa", tmp_path, contrib=("hit",), hypothetical_tracks=True)
    with pytest.raises(UsageError) as caught:
        refuse_hypothetical_tracks(options, [card])
    assert caught.value.exit_status == 2
    assert_words(str(caught.value), "--hypothetical-tracks: net reads no sequence", "a model with a sequence input")


def test_an_open_model_gives_what_a_scan_writes(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(8), 120)}
    path = convolution_model(tmp_path, strands="both", **SIGNAL_FREE)
    out, _ = scan(tmp_path, path, sequences, contrib_weight="uniform", hypothetical_tracks=True)
    values = open_model(path).contributions(tmp_path / "g.fa", "a", "hit", weight="uniform", hypothetical=True)
    assert len(values) == 2 + 8
    for name in [f"hit.{strand}.{base}.hypothetical" for strand in ("plus", "minus") for base in BASES]:
        np.testing.assert_array_equal(values[name], read_track(out / f"net.{name}.bw", sequences)["a"])
