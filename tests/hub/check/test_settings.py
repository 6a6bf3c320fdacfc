"""The table of settings and the rules for values; `trackhub` as a second opinion on both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trackhub import constants

from trackgen.hub.check.rules import RULES
from trackgen.hub.check.setting_table import (
    DEPRECATED,
    FORBIDDEN,
    GENOME_SETTINGS,
    GROUP_SETTINGS,
    HUB_SETTINGS,
    LEVEL_ORDER,
    TRACK_SETTINGS,
    find_track_setting,
)
from trackgen.hub.check.values import value_fault

TABLES = {"hub": HUB_SETTINGS, "genome": GENOME_SETTINGS, "group": GROUP_SETTINGS, "track": TRACK_SETTINGS}
TRACKHUB = constants.param_dict
PLACEHOLDER = "<fieldName>"
VALUES = {
    "off|on|group": (["on", "off", "group"], ["maybe", "On", "auto", "1"]),
    "color": (["0,0,0", "255,255,255"], ["256,0,0", "1,2", "1, 2, 3", "red", "#ff0000", "-1,0,0", "1.5,2,3"]),
    "colors": (["1,2,3 4,5,6"], ["1,2,3", "1,2,3 4,5,666"]),
    "limits": (
        ["0:1", "-0.15:0.35", "1e-5:1", "+1:2"],
        ["1:0", "1:1", "0", "0:1:2", "a:b", "0,1", "nan:1", "0:inf", ":"],
    ),
    "pair": (["0:99", "99:0"], ["0", "a:b"]),
    "height": (["128:40:16", "100:100:100"], ["16:40:128", "128:40", "128:40:-1", "a:b:c", "1.5:1:1"]),
    "number": (["0", "-1.5", "1e3", ".5"], ["", "x", "nan", "inf", "1.2.3", "0x10", "1_000", "٣"]),
    "integer": (["0", "-3"], ["1.5", "x", "", "٣"]),
    "smoothing": (["off", "1", "16"], ["0", "17", "on", "1.5", "99999999999999999999"]),
    "onoff": (["on", "off", "On"], ["yes", "1", "true"]),
    "dot": (["."], ["x"]),
    "super": (["on", "on show", "parent", "parent full"], ["on loud", "on show more"]),
    "pairs": (["a=b", "a=b c=+"], ["a", "a=b c", "=b", ""]),
    "subgroup": (
        ["view Views a=A", 'view "All views" a=A b=B'],
        ["view", "view Views", "view Views a", "a=b Views c=d"],
    ),
    "text": (["anything", ""], []),
    "hide|dense|squish|pack|full": (["full"], ["Full", "2", "all"]),
}
# Readable nonsense and near misses alike.
NONSENSE = st.one_of(
    st.text("abcxyz,:=.-+ 0123456789", min_size=1, max_size=12).map(str.strip).filter(bool),
    st.sampled_from(["maybe", "1,2", "300,1,1", "1:2:3:4", "yes", "-", "on off"]),
)


@pytest.mark.parametrize("rule", VALUES)
def test_right_values_pass_and_wrong_ones_are_told_what_is_wanted(rule: str) -> None:
    right, wrong = VALUES[rule]
    assert [value for value in right if value_fault(rule, value)] == []
    for value in wrong:
        fault = value_fault(rule, value)
        assert fault is not None, value
        assert fault.rule in RULES
        assert fault.wanted


def test_every_value_rule_of_the_tables_exists() -> None:
    for table in TABLES.values():
        for row in table.values():
            assert row.level in (*LEVEL_ORDER, DEPRECATED, FORBIDDEN), row
            if "|" not in row.rule:
                fault = value_fault(row.rule, "\0 neither this nor that")
                # A rule that is not in the list would be taken for a single word.
                assert fault is None or fault.wanted != row.rule or row.rule in ("on", "multiWig"), row


def test_every_setting_that_trackhub_knows_is_known() -> None:
    names = [name.replace(PLACEHOLDER, "score") for name in TRACKHUB]
    known = GENOME_SETTINGS.keys() | HUB_SETTINGS.keys()
    assert len(names) > 150
    assert [name for name in names if find_track_setting(name) is None and name not in known] == []


@pytest.mark.parametrize(
    "name", ["subGroup1", "subGroup9", "dimensionAchecked", "filterValues.name", "signalFilter", "yAxisLabel.0"]
)
def test_families_of_settings_are_known_by_their_pattern(name: str) -> None:
    assert find_track_setting(name) is not None


@pytest.mark.parametrize(
    "name", ["subGroup0", "subGroup10", "subGroupx", "filter_score", "autoscale", "Color", "", "."]
)
def test_what_is_not_in_the_table_is_unknown(name: str) -> None:
    assert find_track_setting(name) is None


def trackhub_refuses(name: str, value: str) -> bool:
    """Whether trackhub 1.0 objects to a value."""
    try:
        return not TRACKHUB[name].validate(value)
    except Exception:
        return True


COMPARED = [
    name
    for name, parameter in TRACKHUB.items()
    if name in TRACK_SETTINGS and parameter.validator is not str and TRACK_SETTINGS[name].rule != "text"
]


def test_enough_settings_are_compared() -> None:
    assert len(COMPARED) >= 45
    assert {"color", "autoScale", "viewLimits", "maxHeightPixels", "windowingFunction", "visibility"} <= set(COMPARED)


@pytest.mark.parametrize("name", COMPARED)
@given(value=NONSENSE)
def test_what_trackhub_refuses_is_refused(name: str, value: str) -> None:
    # Of what can only be on, UCSC passes over off, which trackhub refuses.
    if trackhub_refuses(name, value) and value.lower() not in ("on", "off"):
        fault = value_fault(TRACK_SETTINGS[name].rule, value)
        assert fault is not None or allowed_on_purpose(name, value), value


def allowed_on_purpose(name: str, value: str) -> bool:
    """Forms that UCSC's specification has and trackhub 1.0 does not know."""
    return (name, value) == ("compositeTrack", "faceted") or (name == "baseColorDefault" and value == "none")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("autoScale", "group"), ("color", "1,2,3"), ("viewLimits", "-0.15:0.35"), ("maxHeightPixels", "128:40:16"),
        ("windowingFunction", "mean+whiskers"), ("visibility", "full"), ("graphTypeDefault", "bar"), ("logo", "on"),
        ("yLineMark", "0.5"), ("aggregate", "transparentOverlay"), ("transformFunc", "LOG"), ("alwaysZero", "on"),
        ("smoothingWindow", "off"), ("priority", "1.5"), ("itemRgb", "on"), ("pairEndsByName", "."),
    ],
)  # fmt: skip
def test_what_both_know_both_accept(name: str, value: str) -> None:
    assert not trackhub_refuses(name, value)
    assert value_fault(TRACK_SETTINGS[name].rule, value) is None


def test_the_second_opinion_can_object() -> None:
    assert trackhub_refuses("color", "300,1,1")
    assert trackhub_refuses("autoScale", "maybe")
