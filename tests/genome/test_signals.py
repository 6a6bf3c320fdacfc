"""Signals from BigWig, through both libraries."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from tests.genome.conftest import refused
from trackgen.errors import UsageError
from trackgen.genome import SignalReader, open_signal

pyBigWig = pytest.importorskip("pyBigWig")
pytest.importorskip("pybigtools")

LENGTHS = {"chrI": 100, "chrII": 30}
VALUES = {10: 1.5, 11: -2.0, 12: 0.0, 20: 1e-30, 99: 3.0}


def hide(patch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        # None makes an import fail as if the module were not installed.
        patch.setitem(__import__("sys").modules, module, None)


@pytest.fixture(params=["pyBigWig", "pybigtools"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pybigtools":
        hide(monkeypatch, "pyBigWig")
    return str(request.param)


def write_bigwig(path: Path, values: dict[int, float]) -> Path:
    file = pyBigWig.open(str(path), "w")
    file.addHeader(list(LENGTHS.items()))
    starts = sorted(values)
    if starts:
        file.addEntries(
            ["chrI"] * len(starts), starts, ends=[at + 1 for at in starts], values=[values[at] for at in starts]
        )
    file.close()
    return path


@pytest.fixture
def signal(library: str, tmp_path: Path) -> Iterator[SignalReader]:
    with open_signal(write_bigwig(tmp_path / "dataset.dat", VALUES)) as reader:
        assert library.lower() in type(reader).__name__.lower()
        yield reader


def expected(values: dict[int, float], start: int, end: int) -> np.ndarray:
    return np.array([values.get(at, np.nan) for at in range(start, end)], np.float32)


def test_lengths_are_those_of_the_header(signal: SignalReader) -> None:
    assert signal.lengths == LENGTHS
    assert signal.path.name == "dataset.dat"


@pytest.mark.parametrize(
    ("start", "end"), [(0, 100), (9, 14), (-5, 12), (95, 130), (-10, -2), (200, 210), (30, 30), (12, 13), (13, 20)]
)
def test_values_are_nan_where_there_are_none_and_outside(signal: SignalReader, start: int, end: int) -> None:
    values = signal.values("chrI", start, end)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected(VALUES, start, end))


def test_a_sequence_without_values_is_all_nan(signal: SignalReader) -> None:
    assert np.isnan(signal.values("chrII", 0, 30)).all()


@pytest.mark.parametrize(
    ("statistic", "first", "second"), [("max", 1.5, 1e-30), ("min", -2.0, 1e-30), ("mean", -1 / 6, 1e-30)]
)
def test_summaries_are_of_the_bases_that_have_a_value(
    signal: SignalReader, statistic: str, first: float, second: float
) -> None:
    parts = signal.summary("chrI", 0, 100, 10, statistic)
    np.testing.assert_allclose(parts[[1, 2, 9]], [first, second, 3.0], rtol=1e-6)
    assert np.isnan(parts[[0, 3, 4, 5, 6, 7, 8]]).all()


def test_summaries_of_an_unknown_sequence_are_refused(signal: SignalReader) -> None:
    with refused("dataset.dat", "no sequence of this name", "found chrIII", "chrII"):
        signal.summary("chrIII", 0, 10, 2, "max")


def test_summaries_of_nothing_are_nan(signal: SignalReader) -> None:
    assert np.isnan(signal.summary("chrII", 0, 30, 3, "mean")).all()


def test_an_empty_file_is_all_nan(library: str, tmp_path: Path) -> None:
    # pyBigWig writes an empty file without an index, which pybigtools does not read by itself.
    with open_signal(write_bigwig(tmp_path / "none.bw", {})) as reader:
        assert reader.lengths == LENGTHS
        for values in (reader.values("chrI", 0, 30), reader.summary("chrI", 0, 30, 30, "mean")):
            assert values.shape == (30,)
            assert np.isnan(values).all()


def test_damage_of_the_index_is_refused_when_it_is_met(library: str, tmp_path: Path) -> None:
    content = bytearray(write_bigwig(tmp_path / "x.bw", VALUES).read_bytes())
    (index,) = struct.unpack_from("<Q", content, 24)
    content[index : index + 4] = bytes(4)
    (tmp_path / "x.bw").write_bytes(content)
    with refused("x.bw", "damaged", "Get the file again"), open_signal(tmp_path / "x.bw") as signal:
        signal.values("chrI", 0, 100)


def test_an_unknown_sequence_is_refused(signal: SignalReader) -> None:
    with refused("dataset.dat", "no sequence of this name", "found chrIII", "chrII"):
        signal.values("chrIII", 0, 1)


def test_closing_twice_is_fine(signal: SignalReader) -> None:
    signal.close()
    signal.close()


def test_a_signal_is_a_context(library: str, tmp_path: Path) -> None:
    with open_signal(write_bigwig(tmp_path / "x.bw", VALUES)) as signal:
        assert signal.values("chrI", 10, 11).tolist() == [1.5]


@given(
    values=st.dictionaries(st.integers(0, 99), st.floats(-1e6, 1e6, width=32), min_size=1),
    start=st.integers(-20, 120),
    size=st.integers(0, 140),
)
@settings(max_examples=25, deadline=None)
def test_both_libraries_read_the_same(
    values: dict[int, float], start: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_bigwig(tmp_path_factory.mktemp("signal") / "x.bw", values)
    for hidden in ((), ("pyBigWig",)):
        with pytest.MonkeyPatch.context() as patch:
            hide(patch, *hidden)
            with open_signal(path) as signal:
                found = signal.values("chrI", start, start + size)
        np.testing.assert_array_equal(found, expected(values, start, start + size))


@pytest.mark.data
def test_both_libraries_read_a_real_track_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(iter(sorted(data_file("README.md").parent.glob("human_hg19/signals/*.b*[wW]*"))), None)
    if path is None:
        pytest.skip("the data folder has no BigWig in human_hg19/signals")
    with open_signal(path) as first:
        hide(monkeypatch, "pyBigWig")
        with open_signal(path) as second:
            assert first.lengths == second.lengths
            for start in range(16_000_000, 22_000_000, 1_000_000):
                stretch = ("chr22", start, start + 20_000)
                np.testing.assert_array_equal(first.values(*stretch), second.values(*stretch))


# Bad input


def test_a_missing_signal_is_refused_with_near_names(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "dnase.bw", VALUES)
    with refused("dnas.bw", "does not exist", "Did you mean dnase.bw"):
        open_signal(tmp_path / "dnas.bw")


@pytest.mark.parametrize(("content", "found"), [(b"", "an empty file"), (b"chrI\t0\t1\t2\n", "63 68 72 49")])
def test_what_is_no_bigwig_is_refused(content: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "x.bw").write_bytes(content)
    with refused("x.bw", "not a BigWig file", found, "wanted 26 fc 8f 88"):
        open_signal(tmp_path / "x.bw")


def test_a_bigbed_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.bb").write_bytes(struct.pack("<I", 0x8789F2EB) + bytes(60))
    with refused("x.bb", "bigBed file, which holds intervals"):
        open_signal(tmp_path / "x.bb")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with refused("can't be read", "directory"):
        open_signal(tmp_path)


def test_every_truncation_before_the_index_is_refused(library: str, tmp_path: Path) -> None:
    whole = write_bigwig(tmp_path / "x.bw", VALUES).read_bytes()
    (index,) = struct.unpack_from("<Q", whole, 24)
    for size in range(4, index + 32):
        (tmp_path / "x.bw").write_bytes(whole[:size])
        with refused("x.bw", "truncated", f"found {size:,} bytes", "wanted at least", "Get the file again"):
            open_signal(tmp_path / "x.bw")


def test_damage_behind_the_header_is_refused_when_it_is_met(library: str, tmp_path: Path) -> None:
    content = bytearray(write_bigwig(tmp_path / "x.bw", VALUES).read_bytes())
    (data,) = struct.unpack_from("<Q", content, 16)
    content[data + 8 : data + 40] = bytes(32)
    (tmp_path / "x.bw").write_bytes(content)
    with refused("x.bw", "damaged", "Get the file again"), open_signal(tmp_path / "x.bw") as signal:
        signal.values("chrI", 0, 100)


def test_without_any_library_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_bigwig(tmp_path / "x.bw", VALUES)
    hide(monkeypatch, "pyBigWig", "pybigtools")
    with refused("no library that reads BigWig", "pip install pybigtools", error=UsageError, status=2):
        open_signal(path)
