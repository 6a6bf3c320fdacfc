"""Which bases get a value, against sets of positions."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trackgen.scan.gaps import REASONS, VALUE, Skip, SkippedBases, classify, runs_of

spans = st.lists(st.tuples(st.integers(-10, 60), st.integers(1, 15)), max_size=5)


def disjoint(rows: list[tuple[int, int]]) -> np.ndarray:
    positions = sorted({p for start, size in rows for p in range(max(0, start), max(0, start + size))})
    found: list[list[int]] = []
    for position in positions:
        if found and found[-1][1] == position:
            found[-1][1] += 1
        else:
            found.append([position, position + 1])
    return np.array(found, np.int64).reshape(-1, 2)


def inside(rows: np.ndarray, position: int) -> bool:
    return any(start <= position < end for start, end in rows)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 20), spans, spans, st.integers(1, 60))
def test_states_and_skipped_lines_equal_brute_force(
    codes: list[int], start: int, asked: list[tuple[int, int]], left_out: list[tuple[int, int]], cut: int
) -> None:
    wanted, excluded = disjoint(asked), disjoint(left_out)
    state = classify(np.array(codes, np.uint8), start, wanted, excluded)
    lines: list[tuple[int, str]] = []
    for index, code in enumerate(codes):
        position = start + index
        if not inside(wanted, position):
            reason = "not asked"
        elif code == 4:
            reason = "N"
        else:
            reason = "excluded" if inside(excluded, position) else "value"
        assert (state[index] == VALUE) == (reason == "value")
        if reason in ("N", "excluded"):
            lines.append((position, reason))

    # Written in two pieces, as by two tiles: the pieces join.
    class Kept(io.StringIO):
        def close(self) -> None:
            self.text = self.getvalue()

    file = Kept()
    skipped = SkippedBases(file)
    for begin, part in ((start, state[:cut]), (start + cut, state[cut:])):
        rows = [Skip("c", *run, REASONS[code]) for code in REASONS for run in runs_of(part == code, begin).tolist()]
        for row in sorted(rows, key=lambda row: row.start):
            skipped.add(row)
    skipped.close()
    found, last = [], None
    for line in file.text.splitlines():
        _, begin, end, reason = line.split("\t")
        assert last != (int(begin), reason), "two lines of one reason touch"
        last = (int(end), reason)
        found += [(position, reason) for position in range(int(begin), int(end))]
    assert found == lines


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 5))
def test_runs_cover_the_mask(mask: list[bool], start: int) -> None:
    runs = runs_of(np.array(mask, bool), start)
    positions = [p - start for begin, end in runs for p in range(begin, end)]
    assert positions == [index for index, value in enumerate(mask) if value]
