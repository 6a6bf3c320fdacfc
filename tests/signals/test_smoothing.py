"""Smoothed tracks: held against base by base sums; gaps, ends, pieces; every refusal."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from trackgen.cli.smooth import command
from trackgen.errors import DataError, UsageError
from trackgen.progress import NullProgress
from trackgen.signals.smoothing import Kernel, parse_kernel, smooth_track, smoothed

KERNELS = st.sampled_from(["box:1", "box:3", "box:11", "gauss:0.4", "gauss:2.5"])
VALUES = st.lists(st.sampled_from([0.0, 1.0, -2.5, 1e6, 0.1, float("nan")]), min_size=1, max_size=40)


def slowly(values: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Base by base."""
    result = np.full(len(values), np.nan)
    for base in range(len(values)):
        sums = weights = 0.0
        for other in range(max(0, base - kernel.reach), min(len(values), base + kernel.reach + 1)):
            if not math.isnan(values[other]):
                weight = 1 if kernel.shape == "box" else math.exp(-0.5 * ((other - base) / kernel.size) ** 2)
                sums, weights = sums + weight * float(values[other]), weights + weight
        if not math.isnan(values[base]):
            result[base] = sums / weights
    return result


def write(path: Path, values: dict[str, np.ndarray]) -> Path:
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([(name, len(row)) for name, row in values.items()])
        for name, row in values.items():
            kept = np.flatnonzero(~np.isnan(row))
            file.addEntries([name] * len(kept), kept.tolist(), ends=(kept + 1).tolist(), values=row[kept].tolist())
    return path


def read(path: Path) -> dict[str, np.ndarray]:
    with pyBigWig.open(str(path)) as file:
        return {name: np.asarray(file.values(name, 0, length, numpy=True)) for name, length in file.chroms().items()}


@given(values=VALUES, kernel=KERNELS)
def test_smoothed_values_are_those_of_sums_base_by_base(values: list[float], kernel: str) -> None:
    row, chosen = np.array(values, np.float32), parse_kernel(kernel)
    padded = np.pad(row, chosen.reach, constant_values=np.nan)
    found = smoothed(padded, chosen)
    # Values of 1e6 leave 1e-10 of sums in double precision.
    np.testing.assert_allclose(found, slowly(row, chosen), rtol=1e-6, atol=1e-6)


@given(value=st.floats(-1e6, 1e6, width=32), kernel=KERNELS, gap=st.integers(0, 20))
def test_a_constant_stays_as_it_is_at_ends_and_gaps(value: float, kernel: str, gap: int) -> None:
    row = np.full(21, value, np.float32)
    row[gap] = np.nan
    chosen = parse_kernel(kernel)
    found = smoothed(np.pad(row, chosen.reach, constant_values=np.nan), chosen)
    np.testing.assert_allclose(found, row, rtol=1e-6)


@pytest.mark.parametrize("kernel", ["box:1", "box:7", "gauss:3"])
def test_a_track_read_in_pieces_gives_the_same_bytes(
    kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    values = {name: random.random(length).astype(np.float32) for name, length in (("a", 500), ("b", 3), ("c", 1))}
    values["a"][100:130] = np.nan
    source, chosen = write(tmp_path / "in.bw", values), parse_kernel(kernel)
    smooth_track(source, tmp_path / "whole.bw", chosen, NullProgress())
    monkeypatch.setattr("trackgen.signals.smoothing.BASES_AT_ONCE", 37)
    smooth_track(source, tmp_path / "pieces.bw", chosen, NullProgress())
    assert (tmp_path / "pieces.bw").read_bytes() == (tmp_path / "whole.bw").read_bytes()
    for name, row in read(tmp_path / "whole.bw").items():
        np.testing.assert_allclose(row, slowly(values[name], chosen), rtol=1e-6)


def test_zeros_stay_zeros_beside_the_largest_values(tmp_path: Path) -> None:
    row = np.zeros(3000, np.float32)
    row[1000:1100] = 3e7
    source = write(tmp_path / "in.bw", {"a": row})
    for kernel in ("box:101", "gauss:20"):
        smooth_track(source, tmp_path / "out.bw", parse_kernel(kernel), NullProgress())
        found = read(tmp_path / "out.bw")["a"]
        assert not found[:900].any()
        assert not found[1200:].any()


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("box", "this is no kernel; found box; wanted box:BASES or gauss:BASES"),
        ("box:4", "a box has a middle base; found 4; wanted odd bases"),
        ("box:2.5", "a box has a middle base"),
        ("hann:5", "there is no such kernel; found hann; wanted box or gauss"),
        ("gauss:0", "a kernel can't be so wide; found gauss:0"),
        ("gauss:inf", "a kernel can't be so wide"),
        ("gauss:nan", "a kernel can't be so wide"),
        ("box:200001", "a kernel can't be so wide; found box:200001; wanted more than 0 bases, and at most 100,001"),
    ],
)
def test_kernels_that_make_no_sense_are_refused(kernel: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        parse_kernel(kernel)
    assert caught.value.exit_status == 2
    assert "--kernel" in str(caught.value)


def test_sequences_that_are_not_asked_for_keep_no_value_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.bw", {"chr1": np.ones(50, np.float32), "chr2": np.ones(40, np.float32)})
    arguments = [str(source), "-o", str(tmp_path / "out.bw"), "--kernel", "box:3", "--chroms"]
    CliRunner().invoke(command, [*arguments, "2"], catch_exceptions=False)
    found = read(tmp_path / "out.bw")
    assert np.isnan(found["chr1"]).all()
    assert (found["chr2"] == 1).all()
    with pytest.raises(DataError, match="chr9"):
        smooth_track(source, tmp_path / "out.bw", parse_kernel("box:3"), NullProgress(), ["chr9"])


def test_the_command_writes_the_track_and_refuses_to_replace_its_source(tmp_path: Path) -> None:
    source = write(tmp_path / "in.bw", {"a": np.ones(50, np.float32)})
    done = CliRunner().invoke(command, [str(source), "-o", str(tmp_path / "out.bw"), "--kernel", "gauss:2"])
    assert done.stdout == f"{tmp_path / 'out.bw'}\n"
    assert (read(tmp_path / "out.bw")["a"] == 1).all()
    with pytest.raises(UsageError, match="can't be smoothed into itself"):
        smooth_track(source, source, parse_kernel("box:3"), NullProgress())
    with pytest.raises(DataError, match="the signal file does not exist"):
        smooth_track(tmp_path / "none.bw", tmp_path / "out.bw", parse_kernel("box:3"), NullProgress())
