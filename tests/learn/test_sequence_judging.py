"""Calibration, thresholds and figures at a prevalence; windows of a genome; parts of a set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.errors import DataError
from trackgen.genome import Interval, decode, open_genome, reverse_complement
from trackgen.learn import sequence_judging
from trackgen.learn.datasets.background import background_windows, bound_intervals
from trackgen.learn.datasets.sequences import SequenceSet
from trackgen.learn.sequence_judging import calibration_at
from trackgen.learn.thresholds import best_threshold


def drawn(bound: int, unbound: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """float[1, n, 2] logits whose log-odds are right where classes are as frequent as here, and bool[n]."""
    random = np.random.default_rng(seed)
    truth = np.arange(bound + unbound) < bound
    odds = random.normal(np.where(truth, 2.0, -2.0), 2.0) + np.log(bound / unbound)
    return np.stack([np.zeros(len(truth)), odds], axis=1)[None], truth


@pytest.mark.parametrize("prevalence", [0.3, 0.01, 0.001])
def test_probabilities_at_a_prevalence_add_up_to_it(prevalence: float) -> None:
    logits, truth = drawn(20_000, 20_000)
    found = calibration_at(logits, truth, prevalence)
    # log-odds of two normal distributions: 2 (x / 4 * 4) = x, at balance
    assert (found.scale, found.shift[1]) == pytest.approx((1.0, np.log(prevalence / (1 - prevalence))), abs=0.05)
    weight = sequence_judging._weights(truth, prevalence)
    assert weight[truth].sum() / weight.sum() == pytest.approx(prevalence)
    mean = (weight * found.apply(logits[0])[:, 1]).sum() / weight.sum()
    assert mean == pytest.approx(prevalence, rel=0.1)
    own = calibration_at(logits, truth, None)
    assert own.apply(logits[0])[:, 1].sum() == pytest.approx(truth.sum(), rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_weights_stand_for_sequences_that_are_there_so_many_times(seed: int, times: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.arange(30) < 10
    probability = random.random(30).round(2)
    prevalence = 10 / (10 + 20 * times)
    weight = sequence_judging._weights(truth, prevalence)
    np.testing.assert_allclose(weight[~truth], times)
    repeated = np.where(truth, 1, times)
    many, values = np.repeat(truth, repeated), np.repeat(probability, repeated)
    threshold = best_threshold(truth, probability, weight)
    assert threshold == best_threshold(many, values, np.ones(len(many)))
    found = sequence_judging._figures(truth, probability, weight, threshold)
    wanted = sequence_judging._figures(many, values, np.ones(len(many)), threshold)
    for name in ("auroc", "auprc", "precision", "recall"):
        assert found[name] == pytest.approx(wanted[name]), name
    for row, other in zip(found["reliability"], wanted["reliability"], strict=True):
        assert (row["predicted"], row["observed"]) == pytest.approx((other["predicted"], other["observed"]))


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    random = np.random.default_rng(5)
    rows = {name: decode(random.integers(0, 4, length).astype(np.uint8)) for name, length in (("a", 900), ("b", 20))}
    (tmp_path / "g.fa").write_text("".join(f">{name}\n{row}\n" for name, row in rows.items()))
    return tmp_path / "g.fa"


def test_windows_of_a_genome_are_those_that_touch_nothing_bound(genome: Path) -> None:
    with open_genome(genome) as opened:
        codes = opened.fetch("a", 0, 900)
        shut_out = [Interval("a", 100, 200), Interval("a", 300, 301)]
        free = {
            codes[s : s + 21].tobytes() for s in range(880) if not any(s < i.end and i.start < s + 21 for i in shut_out)
        }
        found = background_windows(opened, ("a", "b"), 21, shut_out, 3, number=600)
        assert {row.tobytes() for row in found} <= free
        assert len(np.unique(found, axis=0)) == len(found) > 400
        assert background_windows(opened, ("a",), 21, shut_out, 3, number=60).shape == (60, 21)
        assert np.array_equal(found, background_windows(opened, ("a", "b"), 21, shut_out, 3, number=600))
        for names in (("b",), ("a",)):
            with pytest.raises(DataError, match="too few windows that are not bound; found 0 on") as caught:
                background_windows(opened, names, 21, [Interval("a", 0, 900)], 3)
            assert caught.value.exit_status == 3


def test_bound_sequences_lie_where_the_set_says(genome: Path) -> None:
    labels = np.array([1, 0, 1, 1])
    places = ("a:11-31", "a:41-61", "c:1-21", "a:890-910")
    found = SequenceSet("x", np.zeros((4, 21), np.uint8), labels, labels > 1, places)
    with open_genome(genome) as opened:
        assert bound_intervals(found, opened) == [Interval("a", 10, 31)]
        assert bound_intervals(SequenceSet("x", found.codes, labels, labels > 1), opened) == []


@pytest.mark.parametrize("held_back", [False, True])
def test_no_sequence_for_testing_is_learned_from_on_either_strand(held_back: bool) -> None:
    random = np.random.default_rng(1)
    codes = random.integers(0, 4, (100, 30)).astype(np.uint8)
    codes = np.concatenate([codes, codes, reverse_complement(codes), random.integers(0, 4, (300, 30)).astype(np.uint8)])
    labels = np.arange(600) % 2
    test = (np.arange(600) < 50) & held_back
    parts = SequenceSet("x", codes, labels, test).parts(3)
    judged = {row.tobytes() for part in (parts.test.codes, reverse_complement(parts.test.codes)) for row in part}
    for part in (parts.train, parts.validation):
        assert len(part) > 30
        assert not judged & {row.tobytes() for row in part.codes}
    assert len(parts.test) == (50 if held_back else 120)


def test_parts_without_a_class_are_refused() -> None:
    codes = np.random.default_rng(1).integers(0, 4, (200, 30)).astype(np.uint8)
    labels = np.arange(200) % 2
    SequenceSet("x", codes, labels, labels < 0).parts(1).require_classes()
    with pytest.raises(DataError, match="x: there is no unbound sequence to test on; found 20 others") as caught:
        SequenceSet("x", codes, labels, (labels == 1) & (np.arange(200) < 40)).parts(1).require_classes()
    assert caught.value.exit_status == 3
    everywhere = np.arange(200) >= 40
    with pytest.raises(DataError, match="there is no bound sequence to train on; found 0 others"):
        SequenceSet("x", codes, labels, ~everywhere, (), everywhere).parts(1).require_classes()
