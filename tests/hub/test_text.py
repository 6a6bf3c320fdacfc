"""Labels, names and numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackgen.hub.templates import stanza
from trackgen.hub.text import clean, counted, number_text, quoted_names, shorten, track_name, unique_name


@pytest.mark.parametrize(("number", "text"), [(0, "0 tracks"), (1, "1 track"), (2000, "2,000 tracks")])
def test_one_thing_is_no_plural(number: int, text: str) -> None:
    assert counted(number, "track") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.00001, "0.00001"),
        (1.23456789e-7, "0.000000123457"),
        (1234567.0, "1234570"),
        (1e21, "1000000000000000000000"),
        (100.0, "100"),
    ],
)
def test_numbers_have_no_exponent(value: float, text: str) -> None:
    assert number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_as_what_they_were(value: float) -> None:
    text = number_text(value)
    assert "e" not in text.lower()
    assert float(text) == pytest.approx(value, rel=1e-5, abs=0)


@given(st.text(max_size=300))
def test_labels_are_one_line_without_what_browsers_take_for_code(text: str) -> None:
    label = clean(text)
    assert not set(label) & set("<>\\\n\r\t\x00\u2028")
    assert label == label.strip()
    assert len(shorten(label, 17)) <= 17


def test_a_label_is_cut_with_two_dots() -> None:
    assert shorten("transcription starts", 17) == "transcription s.."
    assert shorten("seventeen letters", 17) == "seventeen letters"


@given(st.text(min_size=1, max_size=30))
def test_track_names_are_what_ucsc_takes(text: str) -> None:
    name = track_name(text)
    assert name[0].isalpha()
    assert name.isascii() or not name[0].isascii()
    assert all(character.isalnum() or character == "_" for character in name)


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    used: set[str] = set()
    assert unique_name("a", used) == "a"
    assert unique_name("A", used) == "A_2"
    assert unique_name("a", used) == "a_3"
    assert unique_name("a", used, suffix=".bw", mark=".") == "a.bw"
    assert unique_name("a", used, suffix=".bw", mark=".") == "a.2.bw"


def test_a_setting_without_a_value_is_left_out() -> None:
    text = stanza("genome.txt", id="hg38", track_db="")
    assert text == "genome hg38\n"
    text = stanza("composite.txt", name="a", section="", short_label="b", long_label="c d")
    assert "group" not in text
    assert "longLabel c d\n" in text


def test_many_names_are_not_all_listed() -> None:
    assert quoted_names(["a", "b"]) == "a, b"
    assert quoted_names(list("abcdefg")) == "a, b, c, d, e and 2 more"
