"""How far contributions can be trusted: calls, shuffles, known motifs, and what is said of them."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from tests.learn.commands import run
from tests.learn.conftest import INITIATOR, World
from tests.learn.explain_model import SITE, WINDOW, tss_model
from trackgen.card import Card, add_card, read_card
from trackgen.errors import DataError, UsageError
from trackgen.genome import open_genome, reverse_complement
from trackgen.genome.tiling import Grid
from trackgen.hub.pages import _training
from trackgen.learn.datasets.windows import one_hot
from trackgen.learn.trust.calls import Call, called_on
from trackgen.learn.trust.explained import FREQUENCIES, REFERENCES, STANDARD, CallExplainer, Shuffles, Sources
from trackgen.learn.trust.instances import Instance, KnownMotif, find_instances, instances_in, is_recalled
from trackgen.learn.trust.measure import TrustOptions, correlation, measure_trust
from trackgen.learn.trust.report import card_figures, put_section, section
from trackgen.progress import NullProgress
from trackgen.resources import exported_models
from trackgen.scan.explaining import WindowExplainer
from trackgen.scan.sources import SignalFiles

FEW = Shuffles(3, 8)
NAN = float("nan")


def with_thresholds(path: Path, **changes: object) -> Path:
    """The toy model with calls; sharp is where the whole initiator stands, broad much else."""
    card = read_card(path)
    (output,) = card.outputs
    thresholds = {"sharp": 0.8, "broad": 0.1}
    classes = tuple(dataclasses.replace(entry, threshold=thresholds.get(entry.name)) for entry in output.classes)
    changed = dataclasses.replace(card, outputs=(dataclasses.replace(output, classes=classes),), **changes)
    add_card(path, changed, path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_thresholds(tss_model(tmp_path_factory.mktemp("toy"), held_out=["three"]))


@pytest.fixture(scope="module")
def options(world: World, model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrustOptions:
    motifs = (
        KnownMotif("initiator", INITIATOR, world.clusters(), 0, True),
        KnownMotif("nowhere", "ACGTACGTACGT", world.clusters()),
    )
    return TrustOptions(
        model, world.genome, tmp_path_factory.mktemp("trust"), motifs=motifs, number=12, shuffles=FEW
    )  # fmt: skip


@pytest.fixture(scope="module")
def figures(options: TrustOptions) -> dict[str, list[dict[str, float]]]:
    return measure_trust(options, NullProgress())


def explainer(world: World, model: Path, genome: object) -> CallExplainer:
    return CallExplainer(model, read_card(model), 0, Sources(genome, SignalFiles(()), {}), FEW, 1, 1)  # type: ignore[arg-type]


def test_correlation_is_pearsons_where_both_have_values() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(2, 50))
    one[3] = other[7] = np.nan
    both = np.isfinite(one + other)
    assert correlation(one, other) == pytest.approx(np.corrcoef(one[both], other[both])[0, 1], abs=1e-12)
    assert correlation(one, 2 * one + 1) == pytest.approx(1)
    assert math.isnan(correlation(one, np.zeros(50)))


@pytest.mark.parametrize("grid", [Grid(11, 1, 1), Grid(40, 20, 5), Grid(12, 3, 3)])
def test_calls_are_the_largest_within_the_distance(grid: Grid) -> None:
    random = np.random.default_rng(1)
    track = np.full(203, np.nan, np.float32)
    values = {}
    for window in grid.windows(len(track)):
        low, high = grid.item_span(window, len(track))
        # Few different values, so that some tie.
        values[window] = track[low:high] = np.float32(random.integers(0, 9) / 10)
    track[50:57] = np.nan
    seen = {w: (-1 if np.isnan(track[grid.item_span(w, 203)[0]]) else v) for w, v in values.items()}
    wanted = []
    for window, value in seen.items():
        near = {w: v for w, v in seen.items() if abs(w - window) * grid.stride <= 12}
        if value >= np.float32(0.5) and window == min(w for w, v in near.items() if v == max(near.values())):
            wanted.append(window)
    assert called_on(track, grid, 0.5, 12).tolist() == wanted
    assert wanted


def test_a_place_is_recalled_up_to_one_in_twenty() -> None:
    values = np.arange(100.0)
    assert is_recalled(values, 94, 1)  # five of a hundred places contribute more
    assert not is_recalled(values, 93, 1)
    values[95:] = np.nan  # none is known there: 95 places are left
    assert is_recalled(values, 90, 1)
    assert not is_recalled(values, 89, 1)
    assert is_recalled(np.repeat([0.0, 1.0], 50), 98, 2)


def test_instances_are_words_near_peaks_on_either_strand(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    letters = "".join(random.choice(list("ACGTN"), 4000, p=[0.3, 0.2, 0.2, 0.28, 0.02]))
    (tmp_path / "genome.fa").write_text(f">one\n{letters}\n>two\nAC\n")
    middles = sorted(random.choice(4000, 60, replace=False).tolist())
    (tmp_path / "peaks.bed").write_text("".join(f"one\t{m - 1}\t{m + 2}\n" for m in middles))
    patterns = {"TAWAR": ("(?=TA[AT]A[AG])", "(?=[CT]T[AT]TA)"), "ACGT": ("(?=ACGT)", "(?=ACGT)")}
    with open_genome(tmp_path / "genome.fa") as genome:
        for word, (there, back) in patterns.items():
            found = find_instances(KnownMotif("m", word, tmp_path / "peaks.bed", 9), genome, ["one", "two"])
            starts = [{match.start() for match in re.finditer(pattern, letters)} for pattern in (there, back)]
            near = {s for s in starts[0] | starts[1] if any(abs(s + len(word) // 2 - m) <= 9 for m in middles)}
            assert found == [Instance("one", s, s in starts[0], s in starts[1]) for s in sorted(near)]
            assert found


def test_instances_count_when_they_lie_whole_in_the_window_on_its_strand(tmp_path: Path) -> None:
    rows = [Instance("one", start, True, start == 7) for start in (4, 5, 7, 11, 12)] + [Instance("two", 7, True, True)]
    either, own = (KnownMotif("m", "ACG", tmp_path, stranded=stranded) for stranded in (False, True))
    assert instances_in(Call("one", "plus", 5), 9, either, rows) == [0, 2, 6]
    assert instances_in(Call("one", "plus", 5), 9, own, rows) == [0, 2, 6]
    assert instances_in(Call("one", "minus", 5), 9, own, rows) == [2]
    assert instances_in(Call("one", None, 5), 9, own, rows) == [0, 2, 6]


def test_a_word_of_other_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=re.escape("the word of motif tata is none; found TATA5; wanted IUPAC letters")
    ):
        KnownMotif("tata", "TATA5", tmp_path)


@pytest.mark.parametrize("strands", ["both", "average"])
def test_windows_are_explained_in_forward_order(world: World, tmp_path: Path, strands: str) -> None:
    model = with_thresholds(tss_model(tmp_path), strands=strands)
    plain = WindowExplainer(model, read_card(model), "tss")

    def one(codes: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
        other = None if reference is None else {"sequence": one_hot(reference[None])}
        run = plain.run({"sequence": one_hot(codes[None])}, np.ones(1, np.int64), other)
        return run.contributions["sequence"][0]

    with open_genome(world.genome) as genome:
        own = explainer(world, model, genome)
        # One on minus; or on plus, where the reverse complement of the same window has it a base beside its place.
        start = world.planted[1].dominant - SITE - 1 if strands == "both" else world.planted[0].dominant - SITE
        codes = genome.fetch("one", start, start + WINDOW)
        back = one(reverse_complement(codes))[::-1]
        wanted = back if strands == "both" else (one(codes) + back) / 2
        call = Call("one", "minus" if strands == "both" else None, start)
        np.testing.assert_allclose(own.against_frequencies(call, 1), wanted, atol=1e-6)
        found = own.against_all(call, 1)
        assert tuple(found) == REFERENCES
        np.testing.assert_array_equal(found[FREQUENCIES], own.against_frequencies(call, 1))
        # The planted initiator is what counts, whatever it is measured against.
        for values in found.values():
            assert correlation(values, wanted) > 0.8
        assert len({values.tobytes() for values in found.values()}) == len(REFERENCES)
        again = own.against_all(call, 1)
        assert all(np.array_equal(found[name], again[name]) for name in found)


def test_bases_that_are_not_known_contribute_nothing_that_counts(world: World, model: Path) -> None:
    with open_genome(world.genome) as genome:
        for values in explainer(world, model, genome).against_all(Call("one", "plus", -20), 1).values():
            assert np.isnan(values[:20]).all()
            assert np.isfinite(values[20:]).all()


def test_a_model_that_reads_what_was_planted_is_trusted(figures: dict[str, list[dict[str, float]]]) -> None:
    assert json.loads(json.dumps(figures)) == figures
    assert [row["class"] for row in figures["agreement"]] == ["sharp", "broad"]
    sharp = figures["agreement"][0]
    assert (sharp["calls"], sharp["explained"]) == (30, 12)
    assert min(sharp[name] for name in REFERENCES if name != STANDARD) > 0.8
    (recall,) = (row for row in figures["motif_recall"] if row["class"] == "sharp")
    assert (recall["motif"], recall["instances"]) == ("initiator", 12)
    assert {recall[name] for name in REFERENCES} == {1.0}
    rows = figures["tracks"]
    assert [row["class"] for row in rows] == ["sharp", "broad", "all"]
    assert rows[2]["windows"] == rows[0]["windows"] + rows[1]["windows"] > rows[0]["windows"] == 30
    # sharp calls lie farther apart than a window is long: each has its bases for itself
    assert rows[0]["calls"] == pytest.approx(1, abs=1e-5)
    assert rows[0]["calls"] >= rows[0]["probability"] > rows[0]["uniform"]


def test_the_same_seed_gives_the_same_figures(
    options: TrustOptions, figures: dict[str, list[dict[str, float]]]
) -> None:
    assert measure_trust(options, NullProgress()) == figures
    other = measure_trust(dataclasses.replace(options, seed=2), NullProgress())
    assert other["agreement"] != figures["agreement"]
    assert other["tracks"] == figures["tracks"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"sequences": ("four",)},
            "--test: the sequences whose calls are to be explained are not in the genome; found four; wanted",
        ),
        ({"number": 12}, "found none named, none held out by the card"),
    ],
)
def test_without_sequences_to_judge_by_nothing_is_measured(
    world: World, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    model = with_thresholds(tss_model(tmp_path))
    with pytest.raises(UsageError, match=re.escape(words)):
        measure_trust(TrustOptions(model, world.genome, tmp_path, **changes), NullProgress())  # type: ignore[arg-type]


def test_a_model_without_thresholds_has_no_calls_to_explain(world: World, tmp_path: Path) -> None:
    model = tss_model(tmp_path, held_out=["three"])
    with pytest.raises(UsageError, match="model toy has no calls, so there are no called windows to explain"):
        measure_trust(TrustOptions(model, world.genome, tmp_path), NullProgress())


def test_sequences_without_a_call_are_named(tmp_path: Path, model: Path) -> None:
    (tmp_path / "genome.fa").write_text(f">three\n{'AC' * 200}\n")
    with pytest.raises(
        DataError, match=r"genome\.fa, three: the model calls nothing as sharp, so there is nothing to explain"
    ):
        measure_trust(TrustOptions(model, tmp_path / "genome.fa", tmp_path / "out"), NullProgress())


def test_a_readme_gets_the_section_once_and_before_how_to_make_the_model(
    model: Path, figures: dict[str, list[dict[str, float]]]
) -> None:
    card = read_card(model)
    text = section(card, figures, "trackgen explain trust")
    before = "# toy: Toy\n\nWords.\n\n## Figures\n\n1\n\n## To make it again\n\n```\nmake\n```\n"
    once = put_section(before, text)
    assert put_section(once, text) == once
    assert re.findall("^## .*", once, re.MULTILINE) == ["## Figures", "## Contributions", "## To make it again"]
    assert put_section("# toy\n", text).endswith(text + "\n")
    assert "| initiator | 12 | 1.000 |" in text
    assert f"initiator: {INITIATOR} on the strand of the call within 0 bp of a peak in clusters.bed." in text


def test_the_page_of_a_track_shows_the_figures(model: Path, figures: dict[str, list[dict[str, float]]]) -> None:
    card = read_card(model)
    shown = _training(dataclasses.replace(card, training={"contributions": card_figures(card, figures)}))
    assert shown.startswith("<h2>Contributions</h2>")
    for part in ("Median over called windows of Pearson", '<th class="number">frequencies</th>', "three", "initiator"):
        assert part in shown
    assert "None" not in shown


def test_the_command_puts_the_figures_beside_and_into_a_copy_of_the_model(
    world: World, model: Path, tmp_path: Path
) -> None:
    (model.parent / "README.md").write_text("# toy: Toy\n\n## To make it again\n\nTrain.\n")
    clusters = world.clusters()
    done = run(
        "explain", "trust", model, world.genome, "-o", tmp_path / "out", "-n", 2, "-t", 1, "-q",
        "--stranded-motif", "initiator", INITIATOR, clusters, 0, "--test", "two",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.output.split() == [str(tmp_path / "out" / "README.md")]
    figures = json.loads((tmp_path / "out" / "contributions.json").read_text())
    card = read_card(tmp_path / "out" / "model.onnx")
    assert card.training["contributions"] == card_figures(card, figures)
    assert dataclasses.replace(card, training={}) == dataclasses.replace(read_card(model), training={})
    text = (tmp_path / "out" / "README.md").read_text()
    assert "--test two" in text
    assert f"--stranded-motif initiator {INITIATOR} clusters.bed 0" in text
    assert str(tmp_path) not in text


def test_a_motif_without_its_peaks_is_told_before_any_work(world: World, model: Path, tmp_path: Path) -> None:
    motif = KnownMotif("m", "ACG", tmp_path / "none.bed")
    with pytest.raises(DataError, match="the file does not exist") as error:
        measure_trust(TrustOptions(model, world.genome, tmp_path / "out", motifs=(motif,)), NullProgress())
    assert error.value.exit_status == 3
    assert not (tmp_path / "out").exists()


def test_hostile_words_in_the_figures_stay_words() -> None:
    for value in ("<b>", ["<b>"], {"<b>": "<b>", "deep": {"<b>": [{"<b>": "<b>"}], "meaning": "<b>"}}):
        shown = _training(dataclasses.replace(Card("m", 1, (), ()), training={"contributions": value}))
        assert "&lt;b&gt;" in shown
        assert "<b>" not in shown


@pytest.mark.parametrize("name", ["tss-yeast", "tss-yeast-centre", "reb1-yeast"])
def test_shipped_models_say_how_far_their_contributions_can_be_trusted(name: str) -> None:
    card = read_card(exported_models() / name / "model.onnx")
    text = (exported_models() / name / "README.md").read_text()
    said = card.training["contributions"]
    assert said["measured_on"] == card.training["held_out"]
    assert f"trackgen explain trust {name} $TRACKGEN_DATA/" in text
    for rows in (said["agreement"]["classes"], said["motif_recall"]["motifs"], said["tracks"]["classes"]):
        for row in rows:
            assert all(f"{value:.3f} |" in text for value in row.values() if isinstance(value, float))
    for row in said["agreement"]["classes"]:
        # twenty shuffles are nearly the standard, and those of the genome in place as good as those of the window
        assert row["other"] > 0.99
        assert row["in_place"] > max(0.95, row["own"] - 0.02)
    for row in said["tracks"]["classes"]:
        assert row["calls"] >= 0.95
        assert row["calls"] >= row["probability"] > row["uniform"]
    # over all calls; those of sharp alone .469: their probabilities hardly rise above their neighbours'
    assert said["tracks"]["classes"][-1]["probability"] >= 0.6
