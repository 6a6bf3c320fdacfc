"""Windows, items and tiles against the definitions, by brute force."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import every_tile
from trackgen.genome.tiling import Grid


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    window = draw(st.integers(1, 60))
    bin_ = draw(st.integers(1, window))
    if draw(st.booleans()):
        divisors = [value for value in range(1, bin_ + 1) if bin_ % value == 0]
        resolution = draw(st.sampled_from(divisors))
        stride = resolution * draw(st.integers(1, bin_ // resolution))
        return Grid(window, bin_, stride, resolution)
    return Grid(window, bin_, draw(st.integers(1, 70)))


@given(grids(), st.integers(1, 200), st.integers(1, 80))
def test_every_base_is_in_exactly_one_item_of_exactly_one_tile(grid: Grid, length: int, bases: int) -> None:
    covered = [0] * length
    for tile in every_tile("c", length, bases):
        for item in grid.items(tile.start, tile.end):
            start, end = grid.item_span(item, length)
            assert tile.start <= start < tile.end
            for position in range(start, end):
                covered[position] += 1
    assert covered == [1] * length


@given(grids(), st.integers(1, 200))
def test_the_windows_are_those_of_the_definition(grid: Grid, length: int) -> None:
    offset = 0 if grid.resolution else max(0, (grid.bin - grid.stride) // 2)
    first = -offset // grid.stride
    last = (length - 1 - offset) // grid.stride
    assert list(grid.windows(length)) == list(range(first, last + 1))
    assert grid.pad + grid.bin + grid.tail == grid.window


@given(grids(), st.integers(1, 200), st.integers(1, 80))
def test_the_windows_of_a_tile_are_those_that_fill_its_items(grid: Grid, length: int, bases: int) -> None:
    for tile in every_tile("c", length, bases):
        items = grid.items(tile.start, tile.end)
        wanted = [
            window
            for window in grid.windows(length)
            if any(
                item in items
                for item in range(window * grid.stride // grid.step, window * grid.stride // grid.step + grid.positions)
            )
        ]
        assert list(grid.windows_of_items(items, length)) == wanted


@given(grids(), st.integers(-5, 5))
def test_plus_and_minus_windows_share_their_bin(grid: Grid, index: int) -> None:
    bin_start = index * grid.stride
    assert grid.plus_start(index) + grid.pad == bin_start
    # Read backwards, the bin begins pad letters from the window's end.
    assert grid.minus_start(index) + grid.window - grid.pad - grid.bin == bin_start
