"""What the live engine answers is what a scan of the region, or of an edited genome's file, would write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest

from tests.live.conftest import LENGTHS, MODELS, StopAfter
from tests.plugins.protocol.schemas import fits
from trackgen.errors import UsageError
from trackgen.genome import Genome
from trackgen.live import Limits, LiveEngine, Refused, Stop, Withdrawn, json_pieces
from trackgen.live.questions import BodyEdit, FeaturesQuestion, Kind, ValuesQuestion, WhatIfQuestion
from trackgen.scan.opened import Model
from trackgen.scan.options import ContributionWeight

CLOSE = 2e-6
"""Runs of other lengths add float32 numbers in another order; of probabilities, and of logits near 1."""
REGIONS = [
    ("chrA", 0, 1),
    ("chrA", 3, 1030),
    ("chrA", 1020, 2110),
    ("chrA", 4090, 5000),
    ("chrB", 0, 43),
    ("chrC", 0, 1),
]


def ask(engine: LiveEngine, question: Any) -> dict[str, Any]:
    """The answer, whole, as JSON gives it back."""
    return cast("dict[str, Any]", json.loads(b"".join(json_pieces(engine.answer(question, Stop())))))


def rows(answer: Mapping[str, Any], key: str = "values") -> dict[str, np.ndarray]:
    """Track -> values, NaN for null."""
    return {track["name"]: np.array(track[key], np.float32) for track in answer["tracks"]}


def values(model: str, name: str, start: float, end: float, kind: Kind = "predictions", **more: Any) -> ValuesQuestion:
    return ValuesQuestion(model, name, start, end, kind, **more)


def assert_close(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(wanted)
    for name, track in wanted.items():
        np.testing.assert_allclose(found[name], track, rtol=0, atol=CLOSE, err_msg=name)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("name", "start", "end"), REGIONS)
def test_predictions_are_those_of_the_region(
    engine: LiveEngine, models: dict[str, Model], genome: Genome, signals: Mapping[str, Path],
    model: str, name: str, start: int, end: int,
) -> None:  # fmt: skip
    answer = ask(engine, values(model, name, start, end))
    fits("values", answer)
    files = signals if model == "averaged" else {}
    wanted = models[model].predict(genome, f"{name}:{start + 1}-{end}", signals=files)
    assert_close(rows(answer), wanted)


@pytest.mark.parametrize(
    ("model", "weight", "default"),
    [
        ("dense", None, "probability"),
        ("dense", "uniform", "uniform"),
        ("strided", "probability", "probability"),
        ("averaged", None, "probability"),
        ("windows", None, "probability"),
        ("mixed", None, "uniform"),
    ],
)
@pytest.mark.parametrize(("name", "start", "end"), [("chrA", 1000, 1100), ("chrA", 1980, 2130), ("chrB", 0, 43)])
def test_contributions_are_those_of_the_region(
    engine: LiveEngine, models: dict[str, Model], genome: Genome, signals: Mapping[str, Path],
    model: str, weight: ContributionWeight | None, default: ContributionWeight, name: str, start: int, end: int,
) -> None:  # fmt: skip
    answer = ask(engine, values(model, name, start, end, "contributions", weight=weight))
    fits("values", answer)
    files = signals if model == "averaged" else {}
    wanted = models[model].contributions(
        genome, f"{name}:{start + 1}-{end}", "all", weight=default, signals=files,
        profile_target="sum" if model == "mixed" else None,
    )  # fmt: skip
    assert_close(rows(answer), {key: row for key, row in wanted.items() if "atac" not in key})


def test_calls_weigh_as_in_a_scan(engine: LiveEngine, models: dict[str, Model], genome: Genome) -> None:
    found = ask(engine, values("dense", "chrA", 900, 1300, "contributions", classes=("hit",), weight="calls"))
    wanted = models["dense"].contributions(genome, "chrA:901-1300", "hit", weight="calls")
    assert np.isfinite(wanted["hit.plus.contrib"]).any()
    assert_close(rows(found), wanted)


def test_a_base_has_one_value_whatever_is_asked_for_around_it(
    models: dict[str, Model], genome: Genome, engine: LiveEngine
) -> None:
    random = np.random.default_rng(3)
    whole = rows(ask(engine, values("dense", "chrA", 0, 5000)))
    other = LiveEngine([models["dense"]], genome, cache_bytes=50_000)
    for _ in range(20):
        start, end = sorted(random.choice(5001, 2, replace=False).tolist())
        part = rows(ask(other, values("dense", "chrA", start, end)))
        for name, row in part.items():
            np.testing.assert_array_equal(row, whole[name][start:end])


def test_classes_and_whole_bases_are_those_asked_for(engine: LiveEngine) -> None:
    answer = ask(engine, values("dense", "chrA", -20.5, 10.2, classes=("other",)))
    assert (answer["start"], answer["end"], answer["step"], answer["mode"]) == (0, 11, 1, "dense")
    assert list(rows(answer)) == ["other.plus", "other.minus"]
    end = ask(engine, values("dense", "chrA", 4990.9, 9e15))
    assert (end["start"], end["end"]) == (4990, 5000)


def test_the_description_fits_its_schema_and_names_what_can_be_asked(engine: LiveEngine) -> None:
    described = json.loads(b"".join(json_pieces(engine.describe())))
    fits("description", described)
    assert described["genome"]["lengths"] == LENGTHS
    by_name = {model["name"]: model for model in described["models"]}
    assert by_name["windows"]["mode"] == "window"
    for name, model in by_name.items():
        for kind in get_args(Kind):
            listed = [entry["name"] for entry in model["tracks" if kind == "predictions" else "contributions"]]
            assert listed == list(rows(ask(engine, values(name, "chrB", 0, 5, kind)))), name


def test_features_are_stretches_of_one_value(engine: LiveEngine) -> None:
    found = ask(engine, FeaturesQuestion("strided", "chrA", 1980, 2120, "hit"))
    fits("features", found)
    row = np.full(140, np.nan, np.float32)
    for entry in cast("list[dict[str, Any]]", found):
        assert np.isnan(row[entry["start"] - 1980 : entry["end"] - 1980]).all()
        row[entry["start"] - 1980 : entry["end"] - 1980] = entry["value"]
    np.testing.assert_array_equal(row, rows(ask(engine, values("strided", "chrA", 1980, 2120)))["hit"])
    letters = ask(engine, FeaturesQuestion("dense", "chrA", 100, 110, "hit.minus.contrib", 4))
    assert [entry["end"] - entry["start"] for entry in cast("list[dict[str, Any]]", letters)] == [4, 4, 2]


EDITS = [
    [BodyEdit(1500, 1501, "G")],
    [BodyEdit(1490, 1490, "ACGTT"), BodyEdit(1510, 1514, ""), BodyEdit(1520, 1522, "TAC")],
    [BodyEdit(0, 3, "")],
    [BodyEdit(2040, 2050, "ACGTACGTAA")],
    [],
]


@pytest.mark.parametrize("edits", EDITS)
@pytest.mark.parametrize("model", ["dense", "strided", "averaged", "windows"])
def test_the_alternative_is_what_a_genome_with_the_edits_in_it_gives(
    engine: LiveEngine, models: dict[str, Model], genome_file: Path, signals: Mapping[str, Path], tmp_path: Path,
    model: str, edits: list[BodyEdit],
) -> None:  # fmt: skip
    question = WhatIfQuestion(model, "chrA", 1000, 2100, tuple(edits), None, ("hit",))
    if edits[:1] == [BodyEdit(0, 3, "")]:
        question = WhatIfQuestion(model, "chrA", 0, 60, tuple(edits), None, ("hit",))
    answer = ask(engine, question)
    fits("whatif", answer)
    lines = genome_file.read_text().splitlines()
    text = lines[1]
    for edit in reversed(edits):
        text = text[: edit.start] + edit.sequence + text[edit.end :]
    path = tmp_path / "edited.fa"
    path.write_text("\n".join([lines[0], text, *lines[2:], ""]))
    start, end = answer["alternative"]["start"], answer["alternative"]["end"]
    assert answer["sequence"]["alternative"] == text[start:end]
    assert answer["sequence"]["reference"] == lines[1][int(question.start) : int(question.end)]
    for edit, told in zip(edits, answer["edits"], strict=True):
        assert told["reference"] == lines[1][edit.start : edit.end]
    if model == "averaged":
        return  # no file of its own has the signal at the edited bases; see below
    region = f"chrA:{start + 1}-{end}"
    weight: ContributionWeight = "probability"
    wanted = models[model].predict(path, region) | models[model].contributions(path, region, "hit", weight=weight)
    assert_close(rows(answer, "alternative"), wanted)


def test_a_signal_stays_with_the_bases_it_was_measured_at(
    engine: LiveEngine, models: dict[str, Model], genome: Genome, signals: Mapping[str, Path]
) -> None:
    taken_out = WhatIfQuestion("averaged", "chrA", 1000, 1300, (BodyEdit(1100, 1103, ""),))
    alternative = rows(ask(engine, taken_out), "alternative")["hit"]
    reference = models["averaged"].predict(genome, "chrA:1001-1300", signals=signals)["hit"]
    # Beyond a window's reach to the right everything has moved by three; windows stand at even places.
    assert not np.allclose(alternative[150:200], reference[150:200])
    put_back = WhatIfQuestion("averaged", "chrA", 1000, 1300, (BodyEdit(1100, 1102, ""), BodyEdit(1150, 1150, "AA")))
    both = rows(ask(engine, put_back), "alternative")["hit"]
    np.testing.assert_allclose(both[200:], reference[200:], rtol=0, atol=CLOSE)


def test_without_edits_and_before_the_first_nothing_differs_in_any_bit(engine: LiveEngine) -> None:
    letter = {"A": "C"}.get(ask(engine, WhatIfQuestion("dense", "chrA", 3000, 3001))["sequence"]["reference"], "A")
    answer = ask(engine, WhatIfQuestion("dense", "chrA", 0, 4000, (BodyEdit(3000, 3001, letter),), None, ("hit",)))
    for track in answer["tracks"]:
        assert track["reference"][:2900] == track["alternative"][:2900]
        assert track["reference"][3100:] == track["alternative"][3100:]
    assert answer["tracks"][0]["reference"][2990:3010] != answer["tracks"][0]["alternative"][2990:3010]


LARGE = Limits(predictions=1000, contributions=100, whatif=200, mutagenesis=10, edits=2)


@pytest.mark.parametrize(
    ("question", "status", "message"),
    [
        (values("nope", "chrA", 0, 10), 404, "model: there is no model of this name; found nope; wanted dense."),
        (
            values("dense", "chra", 0, 10), 404,
            "chr: there is no sequence of this name; found chra; wanted chrC, chrB, chrA.",
        ),
        (values("dense", "chrA", 10, 10), 400, "start, end: the region is empty; found 10, 10."),
        (values("dense", "chrA", 11, 10), 400, "start, end: the region is reversed; found 11, 10."),
        (
            values("dense", "chrA", 5000, 5010), 400,
            "the region lies beside chrA; found 5000 to 5010; wanted bases of 0 to 5000.",
        ),
        (values("dense", "chrA", -9, 0), 400, "the region lies beside chrA; found -9 to 0; wanted bases of 0 to 5000."),
        (
            values("dense", "chrA", 0, 1001), 413,
            "the region is too large for predictions; found 1,001 bases; wanted at most 1,000. "
            "Zoom in, or scan it with trackgen scan --regions.",
        ),
        (
            values("dense", "chrA", 0, 101, "contributions"), 413,
            "the region is too large for contributions; found 101 bases; wanted at most 100. "
            "Zoom in, or scan it with trackgen scan --regions.",
        ),
        (
            values("dense", "chrA", 0, 9, classes=("background",)), 404,
            "classes: there is no class of dense with predictions of this name; found background; wanted hit, other.",
        ),
        (
            FeaturesQuestion("dense", "chrA", 0, 9, "hit"), 404,
            "track: there is no track of dense of this name; found hit; wanted hit.plus, hit.minus, other.plus, "
            "other.minus, hit.plus.contrib, ....",
        ),
        (
            WhatIfQuestion("dense", "chrA", 0, 9, (BodyEdit(1, 2, "A"),) * 3), 413,
            "edits: these are too many edits; found 3; wanted 2.",
        ),
        (
            WhatIfQuestion("dense", "chrA", 0, 9, (BodyEdit(1, 3, "A"), BodyEdit(2, 4, "A"))), 400,
            "chrA:3-4 -> A: two edits overlap; found chrA:2-3 -> A. Write them as one edit.",
        ),
        (
            WhatIfQuestion("dense", "chrA", 0, 9, (BodyEdit(4999, 5001, "A"),)), 400,
            "chrA:5000-5001 -> A: an edit reaches beyond its sequence; wanted chrA:1-5000.",
        ),
        (
            WhatIfQuestion("dense", "chrA", 0, 9, (BodyEdit(4, 4, "A" * 200),)), 413,
            "the region is too large for a what-if; found 209 bases; wanted at most 200. "
            "Zoom in, or scan it with trackgen scan --regions.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_its_reason(
    models: dict[str, Model], genome: Genome, question: Any, status: int, message: str
) -> None:
    small = LiveEngine([models["dense"]], genome, limits=LARGE)
    with pytest.raises(Refused) as caught:
        small.answer(question, Stop())
    assert (caught.value.status, str(caught.value)) == (status, message)


def test_an_answer_of_too_many_values_is_refused_but_not_its_summary(
    engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackgen.live.limits.MOST_VALUES", 1000)
    with pytest.raises(Refused, match="the answer is too long; found 1,004 values; wanted at most 1,000") as caught:
        engine.answer(values("dense", "chrA", 0, 251), Stop())
    assert caught.value.status == 413
    assert len(rows(ask(engine, values("dense", "chrA", 0, 5000, step=50)))) == 4
    monkeypatch.setattr("trackgen.live.engine.MOST_FEATURES", 100)
    with pytest.raises(Refused, match="found 101 values; wanted at most 100"):
        engine.answer(FeaturesQuestion("dense", "chrA", 0, 101, "hit.plus"), Stop())
    assert engine.answer(FeaturesQuestion("dense", "chrA", 0, 101, "hit.plus", 2), Stop())


def test_a_weight_that_does_not_fit_is_refused(engine: LiveEngine) -> None:
    with pytest.raises(UsageError, match="so its windows have no probability to be weighted by"):
        engine.answer(values("mixed", "chrA", 0, 10, "contributions", weight="probability"), Stop())


def test_two_models_of_one_name_are_refused(models: dict[str, Model], genome: Genome) -> None:
    with pytest.raises(UsageError, match="--model: two models have one name; found dense") as caught:
        LiveEngine([models["dense"], models["dense"]], genome)
    assert caught.value.exit_status == 2


def test_a_signal_that_is_missing_is_told_before_anything_is_asked(models: dict[str, Model], genome: Genome) -> None:
    with pytest.raises(UsageError, match="--signal") as caught:
        LiveEngine([models["averaged"]], genome)
    assert caught.value.exit_status == 2


def test_work_that_is_withdrawn_ends_between_tiles_and_what_was_done_is_kept(
    models: dict[str, Model], genome: Genome
) -> None:
    engine, stop = LiveEngine([models["dense"]], genome), StopAfter(6)
    with pytest.raises(Withdrawn):
        engine.answer(values("dense", "chrA", 0, 5000), stop)
    assert stop.looks == 6
    rest, whole = StopAfter(), StopAfter()
    answers = [
        engine.answer(values("dense", "chrA", 0, 5000), rest),
        LiveEngine([models["dense"]], genome).answer(values("dense", "chrA", 0, 5000), whole),
    ]
    assert rest.looks < whole.looks
    one, other = (rows(cast("dict[str, Any]", answer)) for answer in answers)
    np.testing.assert_array_equal(one["hit.plus"], other["hit.plus"])


def test_tiles_that_run_at_a_time_have_the_values_of_those_that_run_one_by_one(
    engine: LiveEngine, models: dict[str, Model], genome: Genome
) -> None:
    other = LiveEngine([models["dense"], models["windows"]], genome, tiles_at_once=3)
    for name in ("dense", "windows"):
        for kind in ("predictions", "contributions"):
            question = values(name, "chrA", 0, 20_000, kind)
            for track, row in rows(ask(engine, question)).items():
                np.testing.assert_array_equal(rows(ask(other, question))[track], row)


def test_of_tiles_that_run_at_a_time_those_that_were_made_stay_when_the_work_ends(
    models: dict[str, Model], genome: Genome
) -> None:
    engine = LiveEngine([models["dense"]], genome, tiles_at_once=2)
    with pytest.raises(Withdrawn):
        engine.answer(values("dense", "chrA", 0, 20_000), StopAfter(12))
    rest, whole = StopAfter(), StopAfter()
    engine.answer(values("dense", "chrA", 0, 20_000), rest)
    LiveEngine([models["dense"]], genome, tiles_at_once=2).answer(values("dense", "chrA", 0, 20_000), whole)
    assert 0 < rest.looks < whole.looks


def test_many_classes_are_explained_one_by_one_and_the_same(
    engine: LiveEngine, models: dict[str, Model], genome: Genome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackgen.live.models.MOST_TOGETHER", 1)
    other = LiveEngine([models["dense"]], genome)
    for question in (
        values("dense", "chrA", 1000, 1100, "contributions"),
        values("dense", "chrA", 1000, 1100, "contributions", classes=("other",)),
        values("dense", "chrA", 1000, 1100, "contributions", classes=("hit",), weight="calls"),
    ):
        assert_close(rows(ask(other, question)), rows(ask(engine, question)))
    both = WhatIfQuestion("dense", "chrA", 1000, 1100, (BodyEdit(1050, 1050, "TT"),), None, ("hit", "other"))
    found, wanted = ask(other, both), ask(engine, both)
    assert [track["name"] for track in found["tracks"]] == [track["name"] for track in wanted["tracks"]]
    for key in ("reference", "alternative"):
        assert_close(rows(found, key), rows(wanted, key))
