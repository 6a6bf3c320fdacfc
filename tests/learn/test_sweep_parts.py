"""The parts of `trackgen sweep` by themselves: draws, records, searches, statistics, cut sets, families."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import f as f_distribution
from scipy.stats import linregress

from trackgen.errors import DataError, UsageError
from trackgen.learn.datasets.sequences import SequenceSet
from trackgen.learn.sweep.families import families_of, read_families
from trackgen.learn.sweep.figures import Models, against_deepbind, anova, change_by_size, deltas, examined, seconds
from trackgen.learn.sweep.plan import Plan, Recipe, SweepFolder
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.learn.sweep.space import SPACE, Setting, draw_settings, first_of_each
from trackgen.learn.sweep.statistics import r_squared, two_way_anova, ward
from trackgen.learn.sweep.study import run_search
from trackgen.learn.sweep.training import at_most, cut_down
from trackgen.learn.sweep.units import draws_of, pairs_of, steps_of

EXACT = 1e-9
"""Sums of some tens of numbers of order 1."""


def made_set(bound: int = 120, unbound: int = 180, held_back: int = 0, name: str = "toy") -> SequenceSet:
    random = np.random.default_rng(3)
    labels = np.repeat([1, 0], [bound, unbound]).astype(np.int64)
    test = np.zeros(len(labels), dtype=np.bool_)
    test[:held_back] = test[bound : bound + held_back] = True
    codes = random.integers(0, 4, (len(labels), 41)).astype(np.uint8)
    codes[labels == 1, 10:18] = [0, 2, 3, 3, 1, 0, 0, 2]
    return SequenceSet(name, codes, labels, test)


def test_draws_come_from_the_papers_table_and_are_the_same_for_the_same_seed() -> None:
    drawn = draw_settings(30, 7, "x")
    assert drawn == draw_settings(30, 7, "x") != draw_settings(30, 8, "x")
    assert drawn[:5] == draw_settings(5, 7, "x")
    assert all(getattr(setting, name) in SPACE[name] for setting in drawn for name in SPACE)
    assert len(set(draw_settings(2000, 1))) == 27


@given(st.lists(st.sampled_from([Setting(0.5, 0.9, e) for e in SPACE["epsilon"]]), max_size=9))
def test_a_repeated_draw_is_known_by_its_first(drawn: list[Setting]) -> None:
    firsts = first_of_each(drawn)
    for number, first in enumerate(firsts):
        assert drawn[first] == drawn[number]
        assert drawn[number] not in drawn[:first]


def test_records_are_read_whole_whatever_was_torn_off(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    written: list[dict[str, object]] = [{"a": 1}, {"b": [1.5, None]}, {"c": "ü"}]
    for record in written:
        append_record(path, record)
    content = path.read_bytes()
    assert read_records(path) == written
    for end in range(len(content) + 1):
        path.write_bytes(content[:end])
        left = read_records(path)
        assert left == written[: content[:end].count(b"\n")]
        append_record(path, {"d": 1})
        assert read_records(path) == [*left, {"d": 1}]


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff\xfe"])
def test_a_damaged_record_is_told_by_its_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n")
    with pytest.raises(DataError, match=r"records\.jsonl, line 2: the line is no record.*Delete the line") as caught:
        read_records(path)
    assert caught.value.exit_status == 3


class Interrupted(BaseException):
    """What a kill looks like from inside."""


def value_of(setting: Setting) -> float:
    return 0.5 + setting.dropout / 10 + setting.rho / 100 - setting.epsilon


def test_a_search_that_is_stopped_anywhere_goes_on_and_trains_nothing_twice(tmp_path: Path) -> None:
    drawn = draw_settings(8, 5)
    distinct = len(set(drawn))
    whole = run_search(tmp_path / "whole.log", drawn, value_of)
    assert (whole.draws, whole.distinct) == (8, distinct)
    assert whole.value == max(whole.values) == value_of(whole.best)
    for stop in range(distinct):
        journal = tmp_path / f"{stop}.log"
        trained: list[Setting] = []

        def train(setting: Setting, stop: int = stop, trained: list[Setting] = trained) -> float:
            if len(trained) == stop:
                raise Interrupted
            trained.append(setting)
            return value_of(setting)

        with pytest.raises(Interrupted):
            run_search(journal, drawn, train)
        # What a kill in the midst of a write leaves behind.
        with open(journal, "ab") as file:
            file.write(b'{"op_code":4,"wor')
        journal.with_name(journal.name + ".lock").symlink_to(journal)
        again: list[Setting] = []

        def go_on(setting: Setting, again: list[Setting] = again) -> float:
            again.append(setting)
            return value_of(setting)

        outcome = run_search(journal, drawn, go_on)
        assert outcome == whole
        assert len(trained) + len(again) == distinct == len({*trained, *again})


def test_of_equal_draws_the_first_is_chosen(tmp_path: Path) -> None:
    drawn = draw_settings(6, 5)
    assert run_search(tmp_path / "a.log", drawn, lambda _: 0.7).best == drawn[0]


def test_a_journal_of_another_search_is_refused(tmp_path: Path) -> None:
    run_search(tmp_path / "a.log", draw_settings(3, 1), value_of)
    with pytest.raises(
        UsageError, match=r"a\.log, trial \d: the journal is of another search.*Delete the file"
    ) as caught:
        run_search(tmp_path / "a.log", draw_settings(3, 2), value_of)
    assert caught.value.exit_status == 2


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (2, 3, 4), elements=st.floats(-1, 1, width=32)))
def test_analysis_of_variance_of_equal_cells_is_the_textbooks(values: np.ndarray) -> None:
    """Sums of squares of marginal and cell means, as any textbook has them."""
    rows, columns, repeats = values.shape
    mean = values.mean()
    of_a = columns * repeats * ((values.mean(axis=(1, 2)) - mean) ** 2).sum()
    of_b = rows * repeats * ((values.mean(axis=(0, 2)) - mean) ** 2).sum()
    cells = repeats * ((values.mean(axis=2) - mean) ** 2).sum()
    left = ((values - values.mean(axis=2, keepdims=True)) ** 2).sum()
    total = ((values - mean) ** 2).sum()
    names = [(str(i), str(j)) for i, j, _ in np.ndindex(values.shape)]
    found = two_way_anova(values.ravel().tolist(), [a for a, _ in names], [b for _, b in names], ("A", "B"))
    assert [row.name for row in found] == ["A", "B", "interaction", "residual"]
    wanted = [of_a, of_b, cells - of_a - of_b, left]
    assert [row.squares for row in found] == pytest.approx(wanted, abs=EXACT)
    assert [row.freedom for row in found] == [1, 2, 2, 18]
    if left > 1e-3:  # else a quotient of two roundings
        f = [square / free / (left / 18) for square, free in zip(wanted[:3], (1, 2, 2), strict=True)]
        assert [row.f for row in found[:3]] == pytest.approx(f, abs=1e-6)
        p = [f_distribution.sf(row.f, row.freedom, 18) for row in found[:3]]
        assert [row.p for row in found[:3]] == pytest.approx(p)
        assert [row.eta_squared for row in found] == pytest.approx([square / total for square in wanted], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_analysis_of_variance_of_unequal_cells_is_what_projections_leave(seed: int) -> None:
    """Type II by Frisch and Waugh: what is left of A beside B explains of what is left of the values beside B."""
    random = np.random.default_rng(seed)
    a, b = (np.concatenate([np.arange(3), random.integers(0, 3, 20)]) for _ in range(2))
    values = random.normal(size=23) + a
    found = two_way_anova(values.tolist(), [str(x) for x in a], [str(x) for x in b], ("A", "B"))
    for row, own, other in ((found[0], a, b), (found[1], b, a)):
        base, new = np.eye(3)[other], np.eye(3)[own]
        beside = np.eye(23) - base @ np.linalg.pinv(base)
        rest = beside @ new
        explained = rest @ np.linalg.pinv(rest, rcond=1e-8) @ (beside @ values)
        assert row.squares == pytest.approx((explained**2).sum(), abs=1e-8)
    cells = {(x, y): values[(a == x) & (b == y)] for x, y in zip(a, b, strict=True)}
    assert found[3].squares == pytest.approx(sum(((v - v.mean()) ** 2).sum() for v in cells.values()), abs=1e-8)
    assert found[3].freedom == 23 - len(cells)


def test_without_repeats_there_is_no_p() -> None:
    found = two_way_anova([1.0, 2.0, 3.0, 5.0], ["x", "x", "y", "y"], ["u", "v", "u", "v"], ("A", "B"))
    assert [row.p for row in found] == [None] * 4
    assert found[3].freedom == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30))
def test_r_squared_is_scipys(seed: int, number: int) -> None:
    x, y = np.random.default_rng(seed).normal(size=(2, number))
    assert r_squared(x.tolist(), y.tolist()) == pytest.approx(linregress(x, y).rvalue ** 2, abs=EXACT)


def test_r_squared_of_too_little_is_nothing() -> None:
    assert r_squared([0.1, 0.2], [0.3, 0.4]) is None
    assert r_squared([0.1, 0.1, 0.1], [0.3, 0.4, 0.5]) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
def test_wards_tree_merges_what_adds_least_to_the_squares_within(seed: int, number: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(number, 3))
    tree, leaves = ward(rows)
    assert tree is not None
    assert sorted(leaves) == list(range(number))
    clusters = {i: frozenset([i]) for i in range(number)}

    def within(members: frozenset[int]) -> float:
        own = rows[sorted(members)]
        return float(((own - own.mean(axis=0)) ** 2).sum())

    for step, (left, right, height, size) in enumerate(tree):
        added = {
            (i, j): within(clusters[i] | clusters[j]) - within(clusters[i]) - within(clusters[j])
            for i, j in itertools.combinations(sorted(clusters), 2)
        }
        merged = (min(int(left), int(right)), max(int(left), int(right)))
        assert added[merged] == pytest.approx(min(added.values()), abs=EXACT)
        assert height**2 / 2 == pytest.approx(added[merged], abs=EXACT)
        clusters[number + step] = clusters.pop(merged[0]) | clusters.pop(merged[1])
        assert len(clusters[number + step]) == size
        places = sorted(leaves.index(leaf) for leaf in clusters[number + step])
        assert places == list(range(places[0], places[0] + len(places))), "a cluster's leaves lie side by side"


def test_one_row_is_no_tree() -> None:
    assert ward(np.zeros((1, 4))) == (None, [0])


@pytest.mark.parametrize("held_back", [0, 20])
def test_a_set_that_is_cut_down_keeps_its_test_part_and_its_proportions(held_back: int) -> None:
    whole = made_set(held_back=held_back)
    small, smaller = cut_down(whole, 80), cut_down(whole, 60)
    test = whole.parts(0).test
    for cut, number in ((small, 80), (smaller, 60)):
        assert cut.parts(5).test.codes.tobytes() == test.codes.tobytes()
        learned = cut.take(~cut.test)
        assert int(learned.labels.sum()) == number
        pool = len(whole) - len(test)
        bound = int(whole.labels.sum()) - int(test.labels.sum())
        assert len(learned) == pytest.approx(pool * number / bound, abs=1)
    rows = {row.tobytes() for row in small.codes}
    assert {row.tobytes() for row in smaller.codes} < rows < {row.tobytes() for row in whole.codes}


def test_what_a_set_keeps_for_validation_validates_in_a_sweep_too(tmp_path: Path) -> None:
    validation = np.isin(np.arange(300), [*range(20, 60), *range(150, 200)])
    whole = replace(made_set(held_back=20), validation=validation)
    folder = SweepFolder(tmp_path / "sweep")
    folder.prepare(Recipe(), [whole])
    loaded = folder.load_set("toy")
    assert loaded.digest == whole.digest
    assert np.array_equal(loaded.parts(1).validation.codes, whole.codes[validation])
    cut = cut_down(loaded, 50)
    kept = {row.tobytes() for row in whole.codes[validation]}
    assert {row.tobytes() for row in cut.parts(1).validation.codes} < kept
    assert not kept & {row.tobytes() for row in cut.parts(1).train.codes}


@pytest.mark.parametrize("left", ["sets", "plan", "lock", "half"])
def test_a_folder_that_was_left_while_it_was_made_is_made_whole(tmp_path: Path, left: str) -> None:
    """What kill -9 leaves at each moment before the first piece."""
    folder = SweepFolder(tmp_path)
    if left in ("sets", "half"):
        folder.prepare(Recipe(), [made_set()])
        folder.set_file("toy").unlink()
    if left == "half":
        (tmp_path / "sets" / "toy.npz.tmp").write_bytes(b"PK")
    if left == "plan":
        (tmp_path / "plan.json.tmp").write_text("{")
    if left == "lock":
        (tmp_path / "0a1b.sweep.lock").write_text("{")
    folder.prepare(Recipe(), [made_set()])
    assert folder.load_set("toy").digest == made_set().digest == folder.read()["sets"]["toy"]["digest"]


def test_at_most_so_many_validate_in_their_order() -> None:
    whole = made_set()
    drawn = at_most(50, whole, 4)
    assert len(drawn) == 50
    places = [np.flatnonzero((whole.codes == row).all(axis=1))[0] for row in drawn.codes]
    assert places == sorted(places)
    assert drawn.codes.tobytes() == at_most(50, whole, 4).codes.tobytes() != at_most(50, whole, 5).codes.tobytes()
    assert at_most(300, whole, 4) is whole


def test_pairs_are_in_the_order_given_and_cut_sets_come_last() -> None:
    plan = Plan(Recipe(), ("A", "B"), ("x", "y"), 2, (100, 1000))
    sets = {"A": {"digest": "1", "trainable": 500}, "B": {"digest": "2", "trainable": 2000}}
    pairs, notes = pairs_of(plan, sets)
    assert [pair.label for pair in pairs] == [
        "A x", "A y", "B x", "B y", "B-1000 x", "B-1000 y", "A-100 x", "A-100 y", "B-100 x", "B-100 y"
    ]  # fmt: skip
    assert notes == ["A has 500 bound sequences to learn from: not cut down to 1,000"]


def test_the_steps_that_are_left_count_repeated_draws_once() -> None:
    plan = Plan(Recipe(draws=30, search_steps=100, train_steps=500), ("A",), ("x",), 3)
    pairs, _ = pairs_of(plan, {"A": {"digest": "1", "trainable": 500}})
    distinct = len(set(draws_of(pairs[0], plan.recipe)))
    assert distinct < 30
    assert steps_of(pairs, plan, set(), set()) == distinct * 100 + 3 * 500
    assert steps_of(pairs, plan, {pairs[0].key}, {(pairs[0].key, 2)}) == 2 * 500


def test_steps_that_end_between_two_looks_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"--search-steps: the last look.*found 150; wanted a multiple of 100"
    ) as caught:
        Recipe(search_steps=150)
    assert caught.value.exit_status == 2
    assert Recipe(search_steps=30).searched_every == 30


def record(name: str, code: str, seed: int, auroc: float | None, size: int | None = None) -> dict[str, object]:
    return {
        "set": name, "architecture": code, "seed": seed, "test_auroc": auroc, "fraction": size,
        "seconds_per_500k": 10.0 + seed,
    }  # fmt: skip


def test_changes_from_the_base_are_of_means_over_seeds() -> None:
    values = {"A": {"1layer": (0.8, 0.9), "2layer": (0.7, 0.7)}, "B": {"1layer": (0.6, 0.6), "2layer": (0.8, 0.7)}}
    records = [record(n, c, s, v) for n, row in values.items() for c, cell in row.items() for s, v in enumerate(cell)]
    models = Models.of([*records, record("C", "1layer", 1, 0.5)])
    found = deltas(models)
    assert found is not None
    assert found["architectures"] == ["2layer"]
    assert dict(zip(found["sets"], found["values"][0], strict=True)) == pytest.approx({"A": -0.15, "B": 0.15})
    (row,) = [row for row in examined(models, "discovery") if row["worse"] == "2layer"]
    assert (row["wins"], row["sets"], row["verdict"]) == (1, 2, "undecided")
    assert (row["lowest"], row["change"], row["highest"]) == pytest.approx((-0.05, 0.0, 0.05))
    assert deltas(Models.of([record("C", "1layer", 1, 0.5)])) is None
    assert seconds(records)["1layer"] == 10.0


def test_a_finding_holds_where_every_seed_and_most_sets_agree() -> None:
    records = [
        record(n, c, s, 0.8 + (c == "1layer") * 0.05 + s / 1000)
        for n in "ABC"
        for c in ("1layer", "2layer")
        for s in (1, 2)
    ]
    (row,) = examined(Models.of(records), "discovery")
    assert (row["verdict"], row["wins"]) == ("holds", 3)
    turned = [one | {"architecture": "2layer" if one["architecture"] == "1layer" else "1layer"} for one in records]
    assert examined(Models.of(turned), "discovery")[0]["verdict"] == "does not hold"


def test_deepbind_is_compared_without_the_sets_that_it_failed_on() -> None:
    records = [record(n, "1layer", 1, v) for n, v in zip("ABCD", (0.7, 0.8, 0.9, 0.95), strict=True)]
    records += [record(n, "deepbind", 1, v) for n, v in zip("ABCD", (0.71, 0.79, 0.9, None), strict=True)]
    found = against_deepbind(Models.of(records))
    assert found is not None
    assert found["sets"] == 3
    assert found["failed"] == {"1layer": 0, "deepbind": 1}
    assert found["r_squared"] == pytest.approx(linregress([0.71, 0.79, 0.9], [0.7, 0.8, 0.9]).rvalue ** 2)
    assert against_deepbind(Models.of(records[:4])) is None


def test_analysis_of_variance_needs_two_families() -> None:
    records = [record(n, c, s, 0.7 + s / 100) for n in "AB" for c in ("1layer", "2layer") for s in (1, 2)]
    assert anova(Models.of(records), {"A": "f", "B": "f"}) is None
    found = anova(Models.of(records), {"A": "f", "B": "g"})
    assert found is not None
    assert found["observations"] == 8


def test_changes_by_size_are_of_sets_that_have_all_sizes() -> None:
    records = [record("A", c, 1, v, s) for s in (100, 50) for c, v in (("1layer", 0.8), ("2layer", 0.7 + s / 1000))]
    records += [record("B", c, 1, 0.9, 50) for c in ("1layer", "2layer")]
    models = Models.of(records)
    assert models.fractions == [100, 50]
    assert change_by_size(models, [100, 50])["2layer"] == pytest.approx({100: 0.0, 50: -0.05})


def test_families_come_from_a_table_or_from_jaspars_file(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("# name\tfamily\nCTCF\tZinc fingers\n\nElk1\tEts\n")
    (tmp_path / "j.txt").write_text("AC MA1\nXX\nID Elk1\nPO\tA\nCC tf_family:Ets-related\nCC tf_class:x\n//\n")
    assert read_families(tmp_path / "t.tsv") == {"CTCF": "Zinc fingers", "ELK1": "Ets"}
    assert read_families(tmp_path / "j.txt") == {"ELK1": "Ets-related"}
    found = families_of(["ELK1_GM12878", "ctcf", "X"], tmp_path / "t.tsv", {"X": "own"})
    assert found == {"ELK1_GM12878": "Ets", "ctcf": "Zinc fingers", "X": "own"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the file does not exist"),
        (b"CTCF zinc\n", "line 1: the line does not name a family"),
        (b"", "no factor has a family here"),
        (b"\xff\xfe\x00", "this is no text"),
    ],
)
def test_what_names_no_families_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "families.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_families(path)
    assert caught.value.exit_status == 3


def test_a_journal_is_one_that_optuna_reads(tmp_path: Path) -> None:
    import optuna

    run_search(tmp_path / "a.log", draw_settings(4, 1), value_of)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "a.log")))
    (study,) = optuna.get_all_study_summaries(storage)
    assert study.n_trials == 4
    assert all(json.loads(line) for line in (tmp_path / "a.log").read_text().splitlines())
