"""Calls and their agreement with sites, against slow counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trackgen.learn.metrics import CallTable, auprc, auroc, call_peaks, confusion, one_vs_all

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=40)


@given(SCORES, st.integers(0, 12))
@example([0.25, 0.0, 0.0], 1)
def test_a_call_is_the_first_highest_base_within_its_distance(scores: list[float], distance: int) -> None:
    wanted = []
    for i, score in enumerate(scores):
        around = scores[max(0, i - distance) : i + distance + 1]
        before = scores[max(0, i - distance) : i]
        if score == max(around) and score not in before:
            wanted.append(i)
    assert call_peaks(np.array(scores), distance).tolist() == wanted


@given(
    st.lists(st.integers(0, 60), max_size=12, unique=True), st.lists(st.integers(0, 60), max_size=8, unique=True),
    st.integers(0, 15), st.integers(0, 99),
)  # fmt: skip
def test_agreement_of_calls_and_sites_is_what_counting_gives(
    calls: list[int], sites: list[int], tolerance: int, seed: int
) -> None:
    calls, sites = sorted(calls), sorted(sites)
    scores = np.random.default_rng(seed).choice([0.1, 0.2, 0.3], len(calls))
    table = CallTable.of(np.array(calls, dtype=int), scores, np.array(sites, dtype=int), tolerance)
    for threshold in (0.05, 0.2, 0.3, 0.4):
        made = [c for c, s in zip(calls, scores, strict=True) if s >= threshold]
        matches = table.at(threshold)
        assert matches.calls == len(made)
        assert matches.true_calls == sum(any(abs(c - s) <= tolerance for s in sites) for c in made)
        assert matches.found_sites == sum(any(abs(c - s) <= tolerance for c in made) for s in sites)
    thresholds, precision, recall = table.curve()
    for t, p, r in zip(thresholds, precision, recall, strict=True):
        assert p == pytest.approx(table.at(t).precision)
        assert r == pytest.approx(table.at(t).recall, nan_ok=True) or not sites
    if calls and sites:
        assert table.best().f1 == max(table.at(t).f1 for t in thresholds)


def test_tables_of_strands_join() -> None:
    table = CallTable.of(np.array([5, 50]), np.array([0.9, 0.2]), np.array([6]), 1)
    joined = CallTable.join([table, table])
    assert (joined.at(0.5).precision, joined.at(0.5).recall, joined.at(0.1).precision) == (1.0, 1.0, 0.5)
    assert joined.area() == pytest.approx(1.0)


def test_areas_of_a_perfect_a_reversed_and_an_empty_class() -> None:
    truth = np.array([False, False, True, True])
    assert auroc(truth, np.array([0.1, 0.2, 0.3, 0.4])) == 1
    assert auroc(truth, np.array([0.4, 0.3, 0.2, 0.1])) == 0
    assert auprc(truth, np.array([0.1, 0.2, 0.3, 0.4])) == 1
    assert np.isnan(auroc(np.zeros(4, dtype=bool), np.arange(4.0)))
    assert np.isnan(auprc(np.zeros(4, dtype=bool), np.arange(4.0)))


def test_confusion_and_one_vs_all_count_by_class() -> None:
    labels = np.array([0, 0, 1, 2, 2])
    assert confusion(labels, np.array([0, 1, 1, 2, 0]), 3) == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    figures = one_vs_all(labels, np.eye(3)[labels], ("a", "b", "c"))
    assert {name: row["auroc"] for name, row in figures.items()} == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert figures["c"]["prevalence"] == pytest.approx(0.4)
