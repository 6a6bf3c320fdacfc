"""Variants in the forms people write: the corpus that the page's parser is held against, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackgen.errors import DataError, UsageError
from trackgen.genome import Edit
from trackgen.genome.variants import parse_variant

CORPUS = Path(__file__).parents[2] / "plugins" / "protocol" / "variants.json"
ENTRIES: list[dict[str, Any]] = json.loads(CORPUS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if "edit" in entry], ids=lambda entry: repr(entry["text"])
)
def test_every_good_variant_of_the_corpus_is_read_as_it_says(entry: dict[str, Any]) -> None:
    found = parse_variant(entry["text"], entry.get("chr"))
    wanted = {"operation": "", **entry["edit"]}
    assert found._asdict() == {"name": wanted.pop("chr"), **wanted}


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if "edit" not in entry], ids=lambda entry: repr(entry["text"])
)
def test_every_bad_variant_of_the_corpus_is_refused_with_its_word(entry: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_variant(entry["text"], entry.get("chr"))
    assert entry["refused"] in str(caught.value)
    assert caught.value.exit_status == 2


def test_the_corpus_has_both_kinds_and_no_text_twice() -> None:
    keys = [(entry["text"], entry.get("chr")) for entry in ENTRIES]
    assert len(set(keys)) == len(keys)
    assert sum("edit" in entry for entry in ENTRIES) >= 30
    assert sum("refused" in entry for entry in ENTRIES) >= 50
    assert all(("edit" in entry) != ("refused" in entry) for entry in ENTRIES)


@pytest.mark.parametrize(
    ("text", "bases", "edit"),
    [
        ("chrI:5 A>G", "A", Edit("chrI", 4, 5, "G")),
        ("chrI:g.5_7del", "ACG", Edit("chrI", 4, 7, "")),
        ("chrI:g.5_6insAC", "", Edit("chrI", 5, 5, "AC")),
        ("chrI:g.5_7dup", "ACG", Edit("chrI", 4, 7, "ACGACG")),
        ("chrI:g.5_7inv", "AAC", Edit("chrI", 4, 7, "GTT")),
        ("chrI:g.5_7invAAC", "AAC", Edit("chrI", 4, 7, "GTT")),
    ],
)
def test_a_variant_becomes_an_edit_of_the_bases_that_stand_there(text: str, bases: str, edit: Edit) -> None:
    assert parse_variant(text).edit(bases) == edit


def test_a_variant_whose_reference_is_not_there_is_told_what_is() -> None:
    with pytest.raises(DataError) as caught:
        parse_variant("chrI:1,234 AC>G").edit("AT")
    assert str(caught.value) == (
        "chrI:1,234: the variant's reference is not what stands in the genome; found AC; wanted AT, which stands "
        "there. Check that the variant and the genome are of one assembly."
    )
    assert caught.value.exit_status == 3


def test_a_refusal_says_what_was_found_and_what_would_be_read() -> None:
    with pytest.raises(UsageError) as caught:
        parse_variant("chrI:5 A>G,T")
    assert str(caught.value) == "variant: there are several alternatives; found 'A>G,T'; wanted one allele at a time."


@given(
    position=st.integers(1, 2**32 - 1),
    old=st.text("ACGTN", min_size=1, max_size=5),
    new=st.text("ACGTN", min_size=1, max_size=5),
    low=st.booleans(),
)
def test_all_ways_to_write_a_replacement_mean_the_same(position: int, old: str, new: str, low: bool) -> None:
    if old == new:
        return
    texts = [
        f"chrI:{position} {old}>{new}",
        f"chrI:{position:,}{old}>{new}",
        f"chrI:g.{position}_{position + len(old) - 1}del{old}ins{new}",
        f"chrI\t{position}\t.\t{old}\t{new}",
        f"chrI {position:,} id {old} {new} . . .",
    ]
    if position + len(old) - 1 > 2**32 - 1:
        texts.pop(2)
    found = {parse_variant(text.lower().replace("chri", "chrI") if low else text) for text in texts}
    assert [variant[:5] for variant in found] == [("chrI", position - 1, position - 1 + len(old), new, old)]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_variant(text, "chrI")
    except UsageError:
        return
    assert 0 <= found.start <= found.end
