"""The error tree: what its docstring draws is what there is, and messages hold all that is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trackgen import errors
from trackgen.errors import DataError, ModelError, ResourceError, SelfCheckError, TrackgenError, UsageError

WANTED = {TrackgenError: 1, SelfCheckError: 1, UsageError: 2, DataError: 3, ModelError: 4, ResourceError: 75}


def test_each_class_has_its_exit_status() -> None:
    assert {kind: kind.exit_status for kind in WANTED} == WANTED


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"(\w+Error) +(\d+)", errors.__doc__ or ""))
    assert drawn == {kind.__name__: str(status) for kind, status in WANTED.items()}
    assert set(errors.__all__) == {*drawn, "DISK_ERRORS", "MACHINE_ERRORS"}
    assert all(issubclass(kind, TrackgenError) for kind in WANTED)


def test_a_message_names_file_place_values_and_remedy() -> None:
    error = DataError(
        "the end lies before the start",
        path=Path("peaks.bed"),
        place="line 3",
        found="20-10",
        wanted="start < end",
        remedy="swap the columns",
    )
    wanted = "peaks.bed, line 3: the end lies before the start; found 20-10; wanted start < end. Swap the columns."
    assert str(error) == wanted


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModelError("no card"), "no card."),
        (ModelError("no card", path="a.onnx"), "a.onnx: no card."),
        (UsageError("no such device", place="--device"), "--device: no such device."),
        (DataError("too many", found=0), "too many; found 0."),
    ],
)
def test_a_message_leaves_out_what_is_not_known(error: TrackgenError, message: str) -> None:
    assert str(error) == message
