"""The modules of live tracks without a web browser: variants, an alternative's places, questions that are withdrawn."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.source import ROOT
from trackgen.genome import Edit, EditedGenome, open_genome
from trackgen.genome.codes import decode

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")

CORPUS = ROOT / "plugins" / "protocol" / "variants.json"
CHECKS = Path(__file__).parent / "live_checks.mjs"
BASES = 60
TRACK = "a"


def node(*arguments: object) -> Any:
    command = ["node", "--no-warnings", str(CHECKS), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_variants_are_read_as_the_corpus_has_them() -> None:
    cases = json.loads(CORPUS.read_bytes())
    for case, found in zip(cases, node("variants", CORPUS), strict=True):
        if "edit" in case:
            assert found == {"edit": {"operation": "", **case["edit"]}}, case
        else:
            assert found["kind"] == "VariantError", case
            assert case["refused"] in found["refused"], case


def test_edits_say_what_stands_there_and_their_texts_mean_the_same() -> None:
    result = node("edits", '{"c":12}', "ACGTACGTACGA")
    assert [(edit["start"], edit["end"], edit["sequence"], edit["reference"]) for edit in result["found"]] == [
        (1, 2, "T", "C"),
        (2, 4, "", "GT"),
        (4, 5, "AGG", "A"),
        (6, 8, "GTGT", "GT"),
        (8, 10, "GT", "AC"),
    ]
    assert result["again"] == result["found"]
    assert result["apart"] is None
    assert result["clash"] == ["c:2C>T", "c:2C>G"]


def answers(fasta: Path) -> Iterator[tuple[dict[str, Any], EditedGenome]]:
    """Answers as the protocol has them, for random edits; each value tells its own place."""
    rng = np.random.default_rng(9)
    with open_genome(fasta) as genome:
        for _ in range(80):
            borders = np.sort(rng.choice(BASES, 2 * rng.integers(1, 5), replace=False)).tolist()
            edits = []
            for first, last in zip(borders[::2], borders[1::2], strict=True):
                end = first if rng.random() < 0.3 else last
                put = "".join(rng.choice(list("ACGT"), rng.integers(1 if end == first else 0, 6)))
                edits.append(Edit("c", first, end, put))
            edited = EditedGenome(genome, edits)
            start, end = sorted(rng.choice(BASES + 1, 2, replace=False).tolist())
            low, high = edited.span("c", start, end)
            values = {"reference": list(range(start, end)), "alternative": [1000 + place for place in range(low, high)]}
            yield (
                {
                    "chr": "c",
                    "start": start,
                    "end": end,
                    "alternative": {"start": low, "end": high},
                    "sequence": {
                        "reference": decode(genome.fetch("c", start, end)),
                        "alternative": decode(edited.fetch("c", low, high)),
                    },
                    "aligned": [list(piece) for piece in edited.aligned("c", start, end)],
                    "tracks": [{"name": TRACK, **values}],
                },
                edited,
            )


def test_an_alternative_stands_at_the_references_coordinates_and_nothing_is_lost(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    fasta = tmp_path / "c.fa"
    fasta.write_text(">c\n" + "".join(rng.choice(list("ACGT"), BASES)) + "\n")
    asked = list(answers(fasta))
    file = tmp_path / "answers.json"
    file.write_text(json.dumps([answer for answer, _ in asked]))
    for (answer, _), found in zip(asked, node("features", file, TRACK), strict=True):
        start, end, low = answer["start"], answer["end"], answer["alternative"]["start"]
        bases = answer["sequence"]["alternative"]
        expected = {
            reference + place: 1000 + edited + place
            for reference, edited, length in answer["aligned"]
            for place in range(length)
        }
        over = [part for part in found["alternative"] if "kind" not in part]
        assert {part["start"]: part["value"] for part in over} == expected
        assert all(part["base"] == bases[part["value"] - 1000 - low] for part in over)
        gone = {
            place
            for part in found["alternative"]
            if part.get("kind") == "gap"
            for place in range(part["start"], part["end"])
        }
        assert gone == set(range(start, end)) - expected.keys()
        put = [part for part in found["alternative"] if part.get("kind") == "insertion"]
        inserted = [value for part in put for value in part["values"]]
        everything = {1000 + low + place for place in range(len(bases))}
        assert set(inserted) == everything - set(expected.values())
        assert [base for part in put for base in part["bases"]] == [bases[value - 1000 - low] for value in inserted]
        changes = {part["start"]: part["value"] for part in found["difference"] if "kind" not in part}
        assert changes == {place: value - place for place, value in expected.items()}
        steps = {part["start"]: part["value"] for part in found["steps"] if "kind" not in part}
        assert steps == {
            place - place % 4: max(value for other, value in expected.items() if other // 4 == place // 4)
            for place in expected
        }


def test_the_view_comes_first_is_asked_for_once_and_left_questions_are_withdrawn() -> None:
    result = node("source")
    assert result["once"] == ["100-200"]
    assert result["isShared"]
    assert result["asked"] == [
        "100-200",
        "400-500",
        "gone 400-500",
        "700-801",
        # What lies beside the view, once it rests; the view that is too wide is not asked for at all.
        "600-900",
        "steps",
        "0-900",
    ]
    assert result["gone"] is None
    assert result["tooWide"] is None
    assert (result["kept"], result["wide"], result["step"]) == ([700, 801], [600, 900], 4)
    assert result["told"] == ["busy", "idle", "busy", "idle", "wider", "busy", "idle"]


def test_a_refusal_is_thrown_or_told_and_the_next_question_is_asked_again() -> None:
    assert node("errors") == {"thrown": "no", "heard": [404], "answer": None, "later": [0, 300]}
