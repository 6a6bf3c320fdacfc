"""An open model plans and loads once for each kind of question, and again when a file has changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest

from tests.scan.explained import convolution_model
from trackgen.genome import Edit, EditedGenome, Genome, open_genome
from trackgen.scan import opened
from trackgen.scan.opened import open_model

SIGNAL = {"name": "atac", "kind": "signal", "resolution": 1}


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    path = tmp_path / "g.fa"
    letters = np.random.default_rng(0).choice([*"ACGT"], 900)
    path.write_text(f">one\n{''.join(letters)}\n>two\n{''.join(letters[:200])}\n")
    return open_genome(path)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was planned."""
    made: list[Any] = []
    real = opened.make_plan

    def make_plan(options: Any, *more: Any, **named: Any) -> Any:
        made.append(options)
        return real(options, *more, **named)

    monkeypatch.setattr(opened, "make_plan", make_plan)
    return made


def write_signal(path: Path, value: float) -> Mapping[str, Path]:
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([("one", 900), ("two", 200)])
        file.addEntries("one", 0, values=[value] * 900, span=1, step=1)
    return {"atac": path}


def test_regions_of_one_kind_share_a_plan_and_other_questions_do_not(
    tmp_path: Path, genome: Genome, plans: list[Any]
) -> None:
    model = open_model(convolution_model(tmp_path), device="cpu", threads=1)
    for region in ("one:1-50", "one:100-300", "two"):
        model.predict(genome, region)
    model.predict(genome.path, "two:5-9")
    # An edited genome is run as the one that it edits, wherever its sequences end.
    model.predict(EditedGenome(genome, [Edit("one", 3, 9, "A")]), "one:1-50")
    assert len(plans) == 1
    model.contributions(genome, "one:1-50", "hit")
    model.contributions(genome, "one:60-90", "hit")
    model.contributions(genome, "one:60-90", "hit", weight="uniform")
    model.predict(genome, "one:1-50", stride=2)
    assert len(plans) == 4


def test_a_file_that_has_changed_is_read_again(tmp_path: Path, genome: Genome, plans: list[Any]) -> None:
    model = open_model(convolution_model(tmp_path, signal=SIGNAL), device="cpu", threads=1)
    signals = write_signal(tmp_path / "a.bw", 0.5)
    before = model.predict(genome, "one:100-300", signals=signals)
    model.predict(genome, "one:100-300", signals=signals)
    assert len(plans) == 1
    write_signal(tmp_path / "a.bw", 2.0)
    os.utime(tmp_path / "a.bw", ns=(1, 1))
    after = model.predict(genome, "one:100-300", signals=signals)
    assert len(plans) == 2
    assert not np.allclose(before["hit"], after["hit"])


def test_no_more_kinds_are_kept_than_fit(
    tmp_path: Path, genome: Genome, plans: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "MOST_PREPARED", 2)
    model = open_model(convolution_model(tmp_path), device="cpu", threads=1)
    for stride in (1, 2, 1, 3, 1, 2):
        model.predict(genome, "two:1-20", stride=stride)
    assert [options.stride for options in plans] == [1, 2, 3, 2]


def test_a_graph_explains_the_other_classes_of_its_output_too(tmp_path: Path, genome: Genome) -> None:
    classes = ("a", "b", "c", "d", "e", "f")
    path = convolution_model(tmp_path, classes=classes, activation="sigmoid", strands="both", thresholds=0.1)
    model = open_model(path, device="cpu", threads=1)
    for weight in ("probability", "uniform", "calls"):
        first = model.prepare(genome, {"contrib": ("a",), "contrib_weight": weight})
        for name in ("a", "e"):
            found = first.explaining(name).tracks(genome, "one", 100, 300)
            wanted = model.contributions(genome, "one:101-300", name, weight=weight)  # type: ignore[arg-type]
            assert set(wanted) == {f"{name}.plus.contrib", f"{name}.minus.contrib"} <= set(found)
            for track, row in wanted.items():
                np.testing.assert_array_equal(found[track], row)
