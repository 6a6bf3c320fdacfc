"""Rounding: small relative error, in order, and stable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trackgen.bigwig.rounding import TEN_BITS, round_values
from trackgen.errors import UsageError

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
finite = arrays(np.float32, st.integers(1, 50), elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
roundings = st.sampled_from([TEN_BITS, None, 0, 1, 3, 7, 200])


@given(finite)
def test_ten_bits_change_no_normal_value_by_more_than_a_2048th(values: np.ndarray) -> None:
    rounded = round_values(values, TEN_BITS).astype(np.float64)
    error = np.abs(rounded - values.astype(np.float64))
    # The largest values are rounded down rather than to infinity: up to a whole last place, still below .1 %.
    normal = (np.abs(values) >= SMALLEST_NORMAL) & (np.abs(values) < 3.4e38)
    assert (error[normal] <= np.abs(values[normal].astype(np.float64)) * 2.0**-11).all()
    assert np.isfinite(rounded).all()


@given(finite)
def test_ten_bits_leave_thirteen_zero_bits(values: np.ndarray) -> None:
    assert not (round_values(values, TEN_BITS).view(np.uint32) & np.uint32(0x1FFF)).any()


@given(finite, roundings)
def test_rounding_twice_is_rounding_once(values: np.ndarray, rounding: str | int | None) -> None:
    once = round_values(values, rounding)
    np.testing.assert_array_equal(round_values(once, rounding).view(np.uint32), once.view(np.uint32))


@given(finite, roundings)
def test_rounding_keeps_the_order(values: np.ndarray, rounding: str | int | None) -> None:
    rounded = round_values(np.sort(values), rounding)
    assert (rounded[1:] >= rounded[:-1]).all()


@given(roundings)
def test_there_is_one_zero(rounding: str | int | None) -> None:
    values = np.array([-0.0, 0.0], np.float32)
    assert not np.signbit(round_values(values, rounding)).any()
    assert np.signbit(values[0]), "the caller's array is not changed"


def test_ties_go_to_even() -> None:
    half = 2.0**-11
    values = np.array([1 + half, 1 + 3 * half, -1 - half, 1 + half + 2.0**-23], np.float32)
    assert round_values(values, TEN_BITS).tolist() == [1.0, 1 + 4 * half, -1.0, 1 + 2 * half]


def test_decimals_and_none() -> None:
    values = np.array([[0.12345, -0.0004], [1e30, 2.5]], np.float32)
    assert round_values(values, 3).tolist() == np.array([[0.123, 0.0], [1e30, 2.5]], np.float32).tolist()
    np.testing.assert_array_equal(round_values(values, None), values)


@pytest.mark.parametrize("rounding", [TEN_BITS, None, 2])
def test_missing_values_and_infinities_pass(rounding: str | int | None) -> None:
    odd = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00001], np.uint32).view(np.float32)
    assert np.isnan(round_values(odd, rounding)).all()
    assert round_values(np.array([np.inf, -np.inf], np.float32), rounding).tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize("rounding", ["3 bits", -1, True, 2.0])
def test_other_roundings_are_refused(rounding: object) -> None:
    with pytest.raises(UsageError, match="unknown rounding of values") as caught:
        round_values(np.zeros(1, np.float32), rounding)  # type: ignore[arg-type]
    assert caught.value.exit_status == 2
