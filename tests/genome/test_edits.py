"""A genome with edits in it reads as one whose file has them, and knows what stands over what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackgen.errors import DataError
from trackgen.genome import decode, open_genome
from trackgen.genome.edits import Edit, EditedGenome

SEQUENCE = "ACGTTGCAACGGTTAACCGTNACGTACGATCGATTAGCGCGAT"


@pytest.fixture(scope="module")
def fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("edits") / "small.fa"
    path.write_text(f">one\n{SEQUENCE}\n>two\nACGT\n")
    return path


@st.composite
def edits(draw: st.DrawFn) -> list[Edit]:
    found, at = [], 0
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(at, min(len(SEQUENCE), at + 8)))
        end = draw(st.integers(start, min(len(SEQUENCE), start + 4)))
        found.append(Edit("one", start, end, draw(st.text("ACGTN", max_size=4))))
        at = max(end, start + 1)
        if at > len(SEQUENCE):
            break
    return found


def plainly_edited(some: list[Edit]) -> str:
    text = SEQUENCE
    for edit in sorted(some, reverse=True):
        text = text[: edit.start] + edit.sequence + text[edit.end :]
    return text


@given(some=edits(), start=st.integers(-5, 50), length=st.integers(0, 60))
def test_an_edited_genome_reads_as_the_edited_text(fasta: Path, some: list[Edit], start: int, length: int) -> None:
    text = plainly_edited(some)
    with open_genome(fasta) as genome:
        edited = EditedGenome(genome, some)
        assert edited.lengths == {"one": len(text), "two": 4}
        wanted = "".join(text[place] if 0 <= place < len(text) else "N" for place in range(start, start + length))
        assert decode(edited.fetch("one", start, start + length)) == wanted
        assert decode(edited.fetch("two", 0, 4)) == "ACGT"


@given(some=edits(), start=st.integers(0, len(SEQUENCE)), length=st.integers(0, 60))
def test_aligned_bases_outside_edits_are_the_same_and_each_is_there_once(
    fasta: Path, some: list[Edit], start: int, length: int
) -> None:
    end = min(start + length, len(SEQUENCE))
    text = plainly_edited(some)
    touched = {place for edit in some for place in range(edit.start, edit.end)}
    lost = {place for edit in some for place in range(edit.start + len(edit.sequence), edit.end)}
    with open_genome(fasta) as genome:
        edited = EditedGenome(genome, some)
        pieces = edited.aligned("one", start, end)
        low, high = edited.span("one", start, end)
    pairs = [(piece.reference + k, piece.edited + k) for piece in pieces for k in range(piece.length)]
    assert [reference for reference, _ in pairs] == [place for place in range(start, end) if place not in lost]
    assert all(SEQUENCE[reference] == text[other] for reference, other in pairs if reference not in touched)
    assert all(low <= other < high for _, other in pairs)
    assert np.all(np.diff([other for _, other in pairs]) > 0)


def test_an_insertion_lies_inside_a_region_that_begins_or_ends_with_it(fasta: Path) -> None:
    with open_genome(fasta) as genome:
        edited = EditedGenome(genome, [Edit("one", 10, 10, "TTT")])
        assert edited.span("one", 10, 20) == (10, 23)
        assert edited.span("one", 0, 10) == (0, 13)
        assert edited.span("one", 11, 20) == (14, 23)


@pytest.mark.parametrize(
    ("some", "text"),
    [
        ([Edit("one", 42, 44, "A")], "beyond its sequence"),
        ([Edit("one", 5, 4, "A")], "beyond its sequence"),
        ([Edit("one", 3, 4, "x")], "no base"),
        ([Edit("one", 3, 6, "A"), Edit("one", 5, 7, "C")], "overlap"),
        ([Edit("one", 3, 3, "A"), Edit("one", 3, 3, "C")], "overlap"),
        ([Edit("three", 3, 3, "A")], "three"),
    ],
)
def test_edits_that_cannot_be_made_are_refused(fasta: Path, some: list[Edit], text: str) -> None:
    with open_genome(fasta) as genome, pytest.raises(DataError, match=text):
        EditedGenome(genome, some)
