"""Questions are read strictly: what the schemas refuse is refused, with the place and what was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.plugins.protocol.schemas import EXAMPLES
from trackgen.live import Refused, read_body, read_parameters
from trackgen.live.questions import BodyEdit, ValuesQuestion, WhatIfQuestion

PLACE = "model=m&chr=c&start=1&end=9"
BODY: dict[str, Any] = {"model": "m", "chr": "c", "start": 1, "end": 9}
MUTATED = BODY | {"class": "a"}
EDIT = {"start": 1, "end": 2, "sequence": "A"}


def examples(kind: str) -> list[Path]:
    found = sorted((EXAMPLES / kind).glob("*-*.json"))
    asked = [path for path in found if path.name.partition(".")[0].endswith(("-request", "-question"))]
    # In an address every number is a text.
    return [path for path in asked if path.stem != "predictions-question.start-as-text.type"]


def read_example(path: Path) -> object:
    """As its kind is asked: parameters of an address as texts, a body as it is."""
    name, _, way = path.name.partition(".")[0].rpartition("-")
    if way == "request":
        return read_body(name, path.read_bytes())
    pairs = json.loads(path.read_text())
    joined = {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in pairs.items()}
    return read_parameters(name, list(joined.items()))


@pytest.mark.parametrize("path", examples("valid"), ids=lambda path: path.stem)
def test_valid_examples_of_the_protocol_are_read(path: Path) -> None:
    assert read_example(path)


@pytest.mark.parametrize("path", examples("invalid"), ids=lambda path: path.stem)
def test_invalid_examples_of_the_protocol_are_refused(path: Path) -> None:
    with pytest.raises(Refused) as caught:
        read_example(path)
    assert caught.value.status == 400


def test_a_whole_question_is_read() -> None:
    pairs = parse_qsl("model=m&chr=c&start=1.5&end=9e2&classes=a,b&step=7&weight=calls")
    wanted = ValuesQuestion("m", "c", 1.5, 900, "contributions", ("a", "b"), 7, "calls")
    assert read_parameters("contributions", pairs) == wanted
    body = BODY | {"edits": [{"start": 3, "end": 3, "sequence": "acgtn"}], "classes": [], "contributions": ["a"]}
    wanted_body = WhatIfQuestion("m", "c", 1, 9, (BodyEdit(3, 3, "ACGTN"),), (), ("a",))
    assert read_body("whatif", json.dumps(body).encode()) == wanted_body


@pytest.mark.parametrize(
    ("kind", "query", "message"),
    [
        ("predictions", "chr=c&start=1&end=9", "model: the parameter is missing."),
        ("predictions", "model=&chr=c&start=1&end=9", "model: this is no name; found ."),
        ("predictions", f"{PLACE}&start=2", "start: the parameter is given twice."),
        ("predictions", f"{PLACE}&color=red", "color: the parameter is not known here."),
        ("predictions", f"{PLACE}&weight=uniform", "weight: the parameter is not known here."),
        ("predictions", "model=m&chr=c&start=nan&end=9", "start: this is no finite number; found nan."),
        ("predictions", "model=m&chr=c&start=1&end=1e999", "end: this is no finite number; found 1e999."),
        ("predictions", "model=m&chr=c&start=0x10&end=9", "start: this is no finite number; found 0x10."),
        ("predictions", "model=m&chr=c&start=1_0&end=90", "start: this is no finite number; found 1_0."),
        ("predictions", f"{PLACE}&step=0", "step: this is no number of bases; found 0; wanted 1 or more."),
        ("predictions", f"{PLACE}&step=1.5", "step: this is no number of bases; found 1.5; wanted 1 or more."),
        ("predictions", f"{PLACE}&step=9999999999", "step: this is no number of bases; found 9999999999"),
        ("predictions", f"{PLACE}&classes=a,,b", 'classes: these are no names; found ["a", "", "b"].'),
        ("predictions", f"{PLACE}&classes=a,a", 'classes: a class is named twice; found ["a", "a"].'),
        ("contributions", f"{PLACE}&weight=all", "weight: there is no such weight; found all; wanted uniform, "),
        ("features", PLACE, "track: the parameter is missing."),
    ],
)  # fmt: skip
def test_parameters_that_are_wrong_are_named(kind: str, query: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        read_parameters(kind, parse_qsl(query, keep_blank_values=True))
    assert caught.value.status == 400
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("whatif", b"", "body: the body is no JSON; found Expecting value"),
        ("whatif", b"\xff", "body: the body is no JSON; found 'utf-8' codec"),
        ("whatif", b"[1]", "body: the body is no JSON object; found [1]."),
        ("whatif", b"[" * 100_000, "body: the body is no JSON; found"),
        ("whatif", b'{"start": NaN}', "body: the body is no JSON; found NaN is no number of JSON."),
        ("whatif", b'{"start": 1, "start": 2}', "body: the body is no JSON; found a name stands there twice."),
        ("whatif", b'{"start": ' + b"9" * 5000 + b"}", "body: the body is no JSON; found Exceeds the limit"),
        ("whatif", BODY, "edits: the name is missing."),
        ("whatif", BODY | {"edits": {}}, "edits: this is no list; found {}."),
        ("whatif", BODY | {"edits": [], "more": 1}, "more: the name is not known here."),
        ("whatif", BODY | {"edits": [], "schema_version": 2}, "schema_version: this is another version"),
        ("whatif", BODY | {"edits": [], "start": "1"}, "start: this is no finite number; found 1."),
        ("whatif", BODY | {"edits": [], "start": True}, "start: this is no finite number; found true."),
        ("whatif", BODY | {"edits": [], "classes": [1]}, "classes: these are no names; found [1]."),
        ("whatif", BODY | {"edits": [EDIT, 7]}, "edits, number 2: this is no edit; found 7"),
        ("whatif", BODY | {"edits": [EDIT | {"start": 3}]}, "edits, number 1: these are no bases; found [3, 2]"),
        ("whatif", BODY | {"edits": [EDIT | {"end": 2.5}]}, "edits, number 1: these are no bases; found [1, 2.5]"),
        ("whatif", BODY | {"edits": [EDIT | {"sequence": "<DEL>"}]}, "edits, number 1: an edit puts in "),
        ("mutagenesis", MUTATED | {"strand": "+"}, "at: the name is missing."),
        ("mutagenesis", MUTATED | {"strand": "plus", "at": None}, "strand: there is no such strand; found plus"),
        ("mutagenesis", MUTATED | {"strand": "+", "at": -1}, "at: this is no base; found -1"),
        ("mutagenesis", MUTATED | {"strand": "+", "at": 1.5}, "at: this is no base; found 1.5"),
        ("mutagenesis", MUTATED | {"strand": "+", "at": 1, "edits": [EDIT]}, "edits: changes of an edited "),
        ("keep", BODY, "contributions: the name is missing."),
    ],
)  # fmt: skip
def test_bodies_that_are_wrong_are_named(kind: str, body: Any, message: str) -> None:
    with pytest.raises(Refused) as caught:
        read_body(kind, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert caught.value.status == 400
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 300
