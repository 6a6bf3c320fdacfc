"""Peaks by MACS3: what it is given, what its peaks become in bins, and what is told where it is missing or fails."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from tests.learn.commands import run
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.genome import Interval, open_signal
from trackgen.genome.fragments import FragmentOptions, Fragments, load_fragments
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.peak_calling import (
    call_peaks,
    macs3,
    peak_bins,
    read_signal_peaks,
    write_peak_signal,
)

LENGTHS = {"a": 1000, "b": 310}
FAKE = """#!{python}
import sys, shutil
given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
shutil.copy(given["-t"], {seen!r})
open({seen!r} + ".words", "w").write(" ".join(sys.argv[1:]))
{end}
open(given["--outdir"] + "/called_peaks.narrowPeak", "w").write({peaks!r})
"""
PEAK = "a\t90\t200\tp1\t50\t.\t7.5\t5.1\t3\t40\nb\t0\t20\tp2\t9\t.\t2.25\t2\t1\t3\n"


def fragments(name: str, pairs: list[tuple[int, int]]) -> Fragments:
    spans = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return Fragments(name, spans[:, 0], spans[:, 1])


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program macs3 on the PATH that keeps what it was given; ``seen`` beside it."""
    return fake_program(tmp_path, monkeypatch, "")


def fake_program(folder: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> Path:
    programs = folder / "bin"
    programs.mkdir()
    program, seen = programs / "macs3", folder / "seen"
    program.write_text(FAKE.format(python=sys.executable, seen=str(seen), peaks=PEAK, end=end))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    # an installed one beside this Python comes first
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return seen


def test_the_program_is_given_fragments_off_the_masks_and_the_size_of_the_rest(tmp_path: Path, fake: Path) -> None:
    given_ = {"a": fragments("a", [(10, 90), (90, 101), (100, 150), (149, 160), (150, 170)])}
    peaks = call_peaks(given_, LENGTHS, tmp_path / "p.narrowPeak", excluded=[Interval("a", 100, 150)], threshold=0.05)
    assert fake.read_text() == "a\t10\t90\na\t150\t170\n"
    words = fake.with_name("seen.words").read_text()
    assert words.startswith("callpeak -t ")
    for part in ("-f BEDPE", "-g 1260", "-p 0.05", "--keep-dup all"):
        assert part in words
    assert (tmp_path / "p.narrowPeak").read_text() == PEAK
    assert [(peak.name, peak.start, peak.end, peak.signal, peak.summit) for peak in peaks] == [
        ("a", 90, 200, 7.5, 130),
        ("b", 0, 20, 2.25, 3),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "p.narrowPeak", "seen", "seen.words"]


def test_a_program_that_fails_is_told_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(tmp_path, monkeypatch, "sys.exit('No room in the ark')")
    with pytest.raises(TrackgenError, match=r"macs3 failed; found No room in the ark\. See that the file") as caught:
        call_peaks({"a": fragments("a", [(1, 2)])}, LENGTHS, tmp_path / "p.narrowPeak")
    assert caught.value.exit_status == 1
    assert not list(tmp_path.glob("*.narrowPeak"))


def test_no_fragment_is_told(tmp_path: Path, fake: Path) -> None:
    with pytest.raises(DataError, match="there is no fragment to call peaks on") as caught:
        call_peaks({"a": fragments("a", [])}, LENGTHS, tmp_path / "p.narrowPeak")
    assert caught.value.exit_status == 3
    assert not fake.exists()


def test_a_missing_program_is_told_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UsageError, match=r"needs the program macs3.+pip install 'trackgen\[peaks\]'") as caught:
        macs3()
    assert caught.value.exit_status == 2


def test_a_peak_without_a_signal_is_told(tmp_path: Path) -> None:
    (tmp_path / "p.bed").write_text("a\t10\t20\tx\t5\t.\n")
    with pytest.raises(DataError, match=r"p\.bed, a:11-20: a peak has no signal; wanted.+column 7") as caught:
        read_signal_peaks(tmp_path / "p.bed", LENGTHS)
    assert caught.value.exit_status == 3


@st.composite
def some_peaks(draw: st.DrawFn) -> list[BedRow]:
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        name = draw(st.sampled_from(sorted(LENGTHS)))
        start = draw(st.integers(0, LENGTHS[name] - 1))
        end = draw(st.integers(start + 1, LENGTHS[name]))
        rows.append(BedRow(name, start, end, 0, False, None, signal=draw(st.sampled_from([0.5, 2.0, 3.25, 9.0]))))
    return rows


@given(peaks=some_peaks(), resolution=st.sampled_from([1, 7, 25]))
@settings(deadline=None)
def test_a_bin_has_the_largest_signal_that_touches_it(peaks: list[BedRow], resolution: int) -> None:
    bins = peak_bins(peaks, LENGTHS, resolution)
    for name, length in LENGTHS.items():
        bases = [
            max((p.signal or 0 for p in peaks if p.name == name and p.start <= base < p.end), default=0)
            for base in range(length)
        ]
        assert bins[name].tolist() == [max(bases[i : i + resolution]) for i in range(0, length, resolution)]


def test_the_track_of_peaks_holds_the_bins(tmp_path: Path) -> None:
    peaks = [BedRow("a", 30, 60, 0, False, None, signal=2.5), BedRow("a", 55, 56, 0, False, None, signal=4.0)]
    write_peak_signal(peaks, LENGTHS, tmp_path / "p.bw", 25)
    with open_signal(tmp_path / "p.bw") as track:
        values = track.values("a", 0, 1000)
        assert not np.isnan(track.values("b", 0, 310)).any()
    assert values[::25].tolist()[:4] == [0, 2.5, 4, 0]


def test_the_command_makes_a_track_of_peaks_that_were_called_or_are_called_now(tmp_path: Path, fake: Path) -> None:
    (tmp_path / "genome.fa").write_text("".join(f">{name}\n{'A' * length}\n" for name, length in LENGTHS.items()))
    (tmp_path / "called.narrowPeak").write_text(PEAK)
    (tmp_path / "reads.bed").write_text("a\t5\t50\na\t100\t180\n")
    for name in ("called.narrowPeak", "reads.bed"):
        result = run(
            "signal", tmp_path / name, "--genome", tmp_path / "genome.fa", "--measure", "peaks", "--bin", "25",
            "--exclude", "a:1-10", "-o", tmp_path / "peaks.bw",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        with open_signal(tmp_path / "peaks.bw") as track:
            assert track.values("a", 0, 1000)[::25].tolist()[2:9] == [0, 7.5, 7.5, 7.5, 7.5, 7.5, 0]
            assert track.values("b", 0, 50)[::25].tolist() == [2.25, 0]
    assert fake.read_text() == "a\t100\t180\n"


def test_real_peaks_of_yeast_are_those_that_hold_the_fragments(tmp_path: Path) -> None:
    try:
        macs3()
    except UsageError as error:
        pytest.skip(str(error))
    lengths = {f"chr{name}": size for name, size in (("I", 230_218), ("VI", 270_161))}
    source = data_file("yeast_atac/yeast_500k_SRR1822137.bedpe.gz")
    text = tmp_path / "two.bed"
    with gzip.open(source, "rt") as lines:
        text.write_text("".join(line for line in lines if line.split("\t")[0] in lengths))
    data = load_fragments(text, lengths, FragmentOptions())
    peaks = call_peaks(data, lengths, tmp_path / "p.narrowPeak")
    assert 40 < len(peaks) < 400
    inside = sum(
        int(((own.start < peak.end) & (own.end > peak.start)).sum())
        for name, own in data.items()
        for peak in peaks
        if peak.name == name
    )
    bases = sum(peak.end - peak.start for peak in peaks)
    # accessible bases hold several times their share
    assert inside / sum(len(own.start) for own in data.values()) > 3 * bases / sum(lengths.values())
