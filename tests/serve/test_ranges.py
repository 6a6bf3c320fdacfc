"""The Range header, reduced to what lies in the file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackgen.serve.ranges import UNSATISFIABLE, served_ranges


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-15", "bytes=0-15"),
        ("bytes=0-0", "bytes=0-0"),
        ("bytes=90-", "bytes=90-99"),
        ("bytes=90-1000", "bytes=90-99"),
        ("bytes=90-999999999999999999999999", "bytes=90-99"),
        ("bytes=-999999999999999999999999", "bytes=0-99"),
        ("bytes=000000000000000000000000000090-95", "bytes=90-95"),
        ("bytes=0-" + "9" * 5000, "bytes=0-99"),
        ("bytes=0-1,", "bytes=0-1"),
        ("bytes=, ,0-1,,5-6 ,", "bytes=0-1,5-6"),
        ("bytes=99-99", "bytes=99-99"),
        ("bytes=-10", "bytes=90-99"),
        ("bytes=-1000", "bytes=0-99"),
        ("bytes=0-9,20-29", "bytes=0-9,20-29"),
        ("bytes=0-9, 500-600", "bytes=0-9"),
        ("Bytes = 5-6", "bytes=5-6"),
        ("bytes=100-", UNSATISFIABLE),
        ("bytes=100-200", UNSATISFIABLE),
        ("bytes=999999999999999999-", UNSATISFIABLE),
        ("bytes=-0", UNSATISFIABLE),
        ("bytes=" + "9" * 5000 + "-", UNSATISFIABLE),
        (None, None),
        ("", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=9-5", None),
        ("bytes=a-b", None),
        ("bytes=0-5,x", None),
        ("bytes=-5-6", None),
        ("bytes=+1-2", None),
        ("bytes=٣-٤", None),
        ("items=0-5", None),
        ("bytes=,", None),
        ("bytes=999999999999999999999999-5", None),
        ("bytes=" + ",".join(["0-1"] * 17), None),
    ],
)
def test_a_range_header_of_a_file_of_100_bytes(header: str | None, wanted: str | None) -> None:
    assert served_ranges(header, 100) == wanted


def test_no_range_of_an_empty_file_can_be_served() -> None:
    assert served_ranges("bytes=0-", 0) == UNSATISFIABLE
    assert served_ranges("bytes=-5", 0) == UNSATISFIABLE


@given(st.text(alphabet="bytes=0123456789-, ", max_size=40), st.integers(0, 1000))
def test_whatever_is_asked_the_ranges_lie_in_the_file(header: str, size: int) -> None:
    served = served_ranges(header, size)
    if served not in (None, UNSATISFIABLE):
        for part in served.removeprefix("bytes=").split(","):
            start, end = map(int, part.split("-"))
            assert 0 <= start <= end < size
