"""Every change of a base against a prediction of the genome with that change in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.live.conftest import StopAfter
from tests.live.test_engine import ask
from tests.plugins.protocol.schemas import fits
from trackgen.genome import Edit, EditedGenome, Genome
from trackgen.live import LiveEngine, Refused, Stop, Withdrawn
from trackgen.live.questions import MutagenesisQuestion
from trackgen.scan.opened import Model

NAMES = {"+": ".plus", "-": ".minus", ".": ""}
CASES = [
    ("dense", "hit", "+", 1010, 1030),
    ("dense", "other", "-", 0, 12),
    ("dense", "hit", "-", 4990, 5000),
    ("strided", "hit", ".", 2088, 2104),
    ("averaged", "hit", ".", 95, 110),
    ("windows", "hit", ".", 30, 43),
    ("mixed", "up", "+", 1000, 1008),
    ("mixed", "down", "-", 4992, 5000),
    ("mixed", "count", "-", 0, 8),
]


@pytest.mark.parametrize(("model", "class_", "strand", "start", "end"), CASES)
def test_changes_are_those_of_an_edited_genome(
    engine: LiveEngine, models: dict[str, Model], genome: Genome, signals: Mapping[str, Path],
    model: str, class_: str, strand: str, start: int, end: int,
) -> None:  # fmt: skip
    name = "chrB" if model == "windows" else "chrA"
    length = genome.lengths[name]
    low, high = max(0, start - 100), min(length, end + 100)
    track, region = class_ + NAMES[strand], f"{name}:{low + 1}-{high}"
    files = signals if model == "averaged" else {}
    before = models[model].predict(genome, region, signals=files)[track]
    watched = [None, start + 3, low, min(end + 9, length - 1)]
    answers = [ask(engine, MutagenesisQuestion(model, name, start, end, class_, strand, at)) for at in watched]
    for answer in answers:
        fits("mutagenesis", answer)
    letters = answers[0]["sequence"]
    for place in range(start, end):
        for base in "ACGT":
            found = [answer["deltas"][base][place - start] for answer in answers]
            if letters[place - start] == "N":
                assert found == [None] * 4
                continue
            edited = EditedGenome(genome, [Edit(name, place, place + 1, base)])
            change = models[model].predict(edited, region, signals=files)[track] - before
            size = np.where(np.isnan(change), -1, np.abs(change))
            # Of nearly equal sizes either may be told: float32 sums of another order.
            assert abs(abs(found[0]) - max(size.max(), 0)) < 1e-5
            if size.max() > 1e-4:
                assert np.min(np.abs(change - found[0])[~np.isnan(change)]) < 1e-5
            for at, told in zip(watched[1:], found[1:], strict=True):
                assert at is not None
                wanted = change[at - low]
                assert (told is None) == bool(np.isnan(before[at - low]))
                assert told is None or abs(told - wanted) < 1e-5
            if letters[place - start] == base:
                assert found[0] == 0
    for at, answer in zip(watched[1:], answers[1:], strict=True):
        assert at is not None
        wanted = before[at - low]
        assert np.isnan(wanted) if answer["reference"] is None else abs(answer["reference"] - wanted) < 1e-5
    assert answers[0]["reference"] is None


@pytest.mark.parametrize(
    ("question", "status", "message"),
    [
        (MutagenesisQuestion("dense", "chrA", 0, 401, "hit", "+"), 413, "too large for mutagenesis; found 401 bases"),
        (MutagenesisQuestion("dense", "chrA", 0, 4, "hits", "+"), 404, "class of dense with predictions of this name"),
        (
            MutagenesisQuestion("dense", "chrA", 0, 4, "hit", "."),
            404,
            r"of dense has no track of this strand; found '\.'; wanted \+ or -",
        ),
        (MutagenesisQuestion("dense", "chrA", 0, 4, "hit", "+", 5000), 400, "at: .* found 5000; wanted 0 to 4999"),
    ],
)
def test_what_cannot_be_changed_is_refused(
    engine: LiveEngine, question: MutagenesisQuestion, status: int, message: str
) -> None:
    with pytest.raises(Refused, match=message) as caught:
        engine.answer(question, Stop())
    assert caught.value.status == status


def test_work_that_is_withdrawn_ends_between_runs(engine: LiveEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trackgen.live.mutagenesis.BASES_AT_ONCE", 500)
    stop = StopAfter(12)
    with pytest.raises(Withdrawn):
        engine.answer(MutagenesisQuestion("dense", "chrA", 100, 300, "hit", "+"), stop)
    assert stop.looks == 12
