"""What range of values a browser draws."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackgen.hub.limits import limits_of, nice_ceiling
from trackgen.hub.model import Limits
from trackgen.hub.runs import RunTrack
from trackgen.hub.text import number_text


def track(role: str, minimum: float | None, maximum: float | None, **percentiles: float) -> RunTrack:
    named = {key.lstrip("p").replace("_", "."): value for key, value in percentiles.items()}
    return RunTrack(
        path=Path("x.bw"),
        model="m",
        class_name="c",
        label="",
        color="",
        strand="",
        role=role,
        unit="",
        resolution=1,
        rounding="",
        min_value=None,
        minimum=minimum,
        maximum=maximum,
        percentiles=named,
        values=1,
        sha256="",
    )


def test_a_calibrated_probability_is_drawn_on_the_scale_of_its_calls() -> None:
    rare = track("probability", 0.0, 0.31, p99_95=0.02)
    assert limits_of("probability", [rare], [0.03]) == Limits(0.0, 0.15)


def test_a_probability_that_reaches_high_is_drawn_from_0_to_1() -> None:
    common = track("probability", 0.0, 0.99, p99_95=0.7)
    assert limits_of("probability", [common], []) == Limits(0.0, 1.0)


def test_a_probability_axis_does_not_end_far_above_the_highest_value() -> None:
    flat = track("probability", 0.0, 0.011, p99_95=0.01)
    assert limits_of("probability", [flat], [0.2]) == Limits(0.0, 0.015)


def test_strands_share_their_limits() -> None:
    plus, minus = track("probability", 0.0, 0.3, p99_95=0.02), track("probability", 0.0, 0.3, p99_95=0.06)
    assert limits_of("probability", [plus, minus], []) == limits_of("probability", [minus, plus], [])
    assert limits_of("probability", [plus, minus], []).high == 0.15


def test_a_signal_starts_at_zero_and_ends_at_a_whole_number() -> None:
    assert limits_of("signal", [track("signal", 0.0, 900.0, p0_05=0.0, p99_9=37.2)], []) == Limits(0.0, 40.0)
    assert limits_of("signal", [track("signal", -3.0, 9.0, p0_05=-1.2, p99_9=1.2)], []) == Limits(-2.0, 2.0)


def test_contributions_go_both_ways() -> None:
    both = track("contribution", -3.0, 4.0, p0_05=-0.11, p99_95=0.42)
    assert limits_of("contribution", [both], []) == Limits(-0.15, 0.5)


@pytest.mark.parametrize("role", ["probability", "signal", "contribution"])
def test_empty_and_constant_tracks_have_limits_all_the_same(role: str) -> None:
    for values in [(None, None), (0.0, 0.0)]:
        limits = limits_of(role, [track(role, *values)], [])
        assert limits.low < limits.high


@pytest.mark.parametrize("role", ["probability", "signal", "contribution"])
@pytest.mark.parametrize("size", [5e-324, 1e-45, 1e-30, 1e38, 1e300])
def test_values_of_any_size_have_limits_that_a_browser_can_draw(role: str, size: float) -> None:
    shown = track(role, -size, size, p0_05=-size, p99_9=size, p99_95=size)
    limits = limits_of(role, [shown], [])
    low, high = float(number_text(limits.low)), float(number_text(limits.high))
    assert low <= 0 < high < 4e38
    assert low > -4e38


@given(st.floats(5e-324, 1e300))
def test_the_round_number_is_the_next_one(value: float) -> None:
    ceiling = nice_ceiling(value)
    assert value * (1 - 1e-6) <= ceiling <= value * 1.51


def test_whole_limits_are_told_from_fractional_ones() -> None:
    assert Limits(0.0, 1.0).whole
    assert not Limits(0.0, 0.4).whole
