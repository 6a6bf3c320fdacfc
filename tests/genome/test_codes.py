from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackgen.genome import UNKNOWN, decode, encode, reverse_complement

codes = st.lists(st.integers(0, 4)).map(lambda values: np.array(values, np.uint8))


def test_letters_of_both_cases_have_the_four_codes() -> None:
    assert encode(b"ACGTacgt").tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


@pytest.mark.parametrize("letter", [letter for letter in range(256) if chr(letter) not in "ACGTacgt"])
def test_every_other_byte_is_unknown(letter: int) -> None:
    assert encode(bytes([letter])).tolist() == [UNKNOWN]


def test_arrays_of_letters_are_encoded_like_bytes() -> None:
    assert encode(np.frombuffer(b"GATTACA", np.uint8)).tolist() == encode(b"GATTACA").tolist()


def test_encoding_makes_a_new_array_that_may_be_written_to() -> None:
    array = encode(b"ACGT")
    array[0] = UNKNOWN
    assert decode(array) == "NCGT"


@given(codes)
def test_decoding_is_undone_by_encoding(values: np.ndarray) -> None:
    assert encode(decode(values).encode()).tolist() == values.tolist()


@given(codes)
def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence(values: np.ndarray) -> None:
    assert reverse_complement(reverse_complement(values)).tolist() == values.tolist()


def test_the_reverse_complement_reads_the_other_strand() -> None:
    assert decode(reverse_complement(encode(b"AACGTNT"))) == "ANACGTT"


def test_many_sequences_are_reversed_along_the_last_axis() -> None:
    both = reverse_complement(np.stack([encode(b"AAC"), encode(b"GTN")]))
    assert [decode(row) for row in both] == ["GTT", "NAC"]
