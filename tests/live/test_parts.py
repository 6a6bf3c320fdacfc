"""The engine's parts: tiles in bounded memory, joined values, numbers that read back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from trackgen.live import json_pieces
from trackgen.live.steps import Rule, reduced, stretches
from trackgen.live.tiles import OVERHEAD, TileCache
from trackgen.scan.tile import TrackValues


def tile(values: int) -> dict[str, TrackValues]:
    return {"one": TrackValues(0, np.zeros(values, np.float32), np.zeros((0, 2), np.int64))}


def test_the_cache_stays_within_its_bytes_and_drops_what_was_asked_for_the_longest_ago() -> None:
    size = 400 + OVERHEAD
    cache = TileCache(3 * size)
    for number in range(3):
        cache.put(number, tile(100))
    assert cache.get(0) is not None
    cache.put(3, tile(100))
    assert (cache.get(1), len(cache), cache.bytes) == (None, 3, 3 * size)
    assert cache.get(0) is not None
    cache.put("large", tile(10_000))
    assert (cache.get("large"), len(cache)) == (None, 3)
    cache.put(3, tile(100))
    assert cache.bytes == 3 * size


@pytest.mark.parametrize("rule", ["largest", "mean", "largest size"])
@pytest.mark.parametrize("step", [1, 2, 7, 100, 1000])
def test_joined_values_are_those_of_a_plain_loop(rule: Rule, step: int) -> None:
    random = np.random.default_rng(step)
    values = random.normal(size=333).astype(np.float32)
    values[random.random(333) < 0.4] = np.nan
    values[100:205] = np.nan
    found = reduced(values, step, rule)
    wanted = []
    for start in range(0, 333, step):
        some = [value for value in values[start : start + step].tolist() if not np.isnan(value)] or [np.nan]
        by_rule = {"largest": max(some), "mean": sum(some) / len(some), "largest size": max(some, key=abs)}
        wanted.append(by_rule[rule])
    # The mean adds in another order.
    np.testing.assert_allclose(found, np.array(wanted, np.float32), rtol=1e-6 if rule == "mean" else 0, atol=0)
    assert found.dtype == np.float32


def test_of_equal_sizes_the_first_is_told() -> None:
    values = np.array([1, -2, 2, np.nan], np.float32)
    assert reduced(values, 4, "largest size").tolist() == [-2]
    assert len(reduced(values[:0], 4, "mean")) == 0


def test_stretches_of_one_value_leave_gaps_out() -> None:
    values = np.array([1, 1, np.nan, np.nan, 0.1, 3], np.float32)
    assert list(stretches(values, 10, 27, 3)) == [(10, 16, 1.0), (22, 25, 0.100000001), (25, 27, 3.0)]
    assert list(stretches(values[:0], 0, 0, 1)) == []


def test_every_float_reads_back_in_every_bit_and_gaps_are_null() -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 2**32, 20_001, dtype=np.uint32).view(np.float32)
    values[~np.isfinite(values)] = np.nan
    text = b"".join(json_pieces({"name": 'a "b"\n', "values": values, "none": [], "of": [{"x": values[:1]}]}))
    read = json.loads(text)
    assert read["name"] == 'a "b"\n'
    assert read["none"] == []
    again = np.array([np.nan if value is None else value for value in read["values"]]).astype(np.float32)
    np.testing.assert_array_equal(again, values)
    assert [value is None for value in read["values"]] == np.isnan(values).tolist()


def test_writing_ends_where_it_is_told_to() -> None:
    def check() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        list(json_pieces({"values": np.zeros(10, np.float32)}, check))
