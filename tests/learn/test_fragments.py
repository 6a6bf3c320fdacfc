"""Fragments of ATAC-seq become a coverage track, base by base as counted by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from trackgen.cli.main import root
from trackgen.errors import DataError
from trackgen.genome import Interval, open_signal
from trackgen.learn.datasets import fragments as module
from trackgen.learn.datasets.fragments import CoverageOptions, CoverageSummary, write_coverage
from trackgen.progress import NullProgress

LENGTHS = {"chrA": 20, "chrB": 10, "chrC": 4}
LINES = ["chrA\t0\t5\tcell\t1", "chrA\t3\t8\tcell\t2", "chrA\t3\t4", "# a comment", "chrB\t9\t10"]


def write(folder: Path, lines: list[str]) -> Path:
    path = folder / "fragments.tsv"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def track(folder: Path, lines: list[str], options: CoverageOptions) -> tuple[CoverageSummary, dict[str, list[float]]]:
    summary = write_coverage(write(folder, lines), LENGTHS, folder / "c.bw", options, NullProgress())
    with open_signal(folder / "c.bw") as reader:
        return summary, {name: reader.values(name, 0, length).tolist() for name, length in LENGTHS.items()}


def test_each_base_has_the_number_of_fragments_over_it_and_none_is_0(tmp_path: Path) -> None:
    summary, found = track(tmp_path, LINES, CoverageOptions(scaled=False))
    assert summary == CoverageSummary(4, pytest.approx(12 / 34))
    assert found["chrA"] == [1, 1, 1, 3, 2, 1, 1, 1] + [0] * 12
    assert found["chrB"] == [0] * 9 + [1]
    assert found["chrC"] == [0] * 4


def test_the_scaled_track_has_a_mean_of_1_outside_of_exclusions_which_hold_nothing(tmp_path: Path) -> None:
    excluded = [Interval("chrA", 2, 5), Interval("chrA", 4, 6), Interval("chrC", 0, 4)]
    summary, found = track(tmp_path, LINES, CoverageOptions(excluded))
    # left are bases 0, 1, 6, 7 of chrA and 9 of chrB with one fragment each, of 16 + 10 bases
    assert summary == CoverageSummary(4, pytest.approx(5 / 26))
    every = np.concatenate([found[name] for name in LENGTHS])
    assert np.nanmean(every) == pytest.approx(1)
    assert np.flatnonzero(np.isnan(every)).tolist() == [2, 3, 4, 5, 30, 31, 32, 33]


def test_long_fragments_can_be_left_out(tmp_path: Path) -> None:
    _, found = track(tmp_path, LINES, CoverageOptions(longest=4, scaled=False))
    assert sum(found["chrA"]) == 1


def test_pieces_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    starts = random.integers(0, 19, 60)
    ends = np.minimum(20, starts + random.integers(1, 9, 60))
    lines = [f"chrA\t{a}\t{b}" for a, b in zip(starts, ends, strict=True)]
    wanted = [int(((starts <= base) & (ends > base)).sum()) for base in range(20)]
    for piece in (1, 3, 7, 100):
        monkeypatch.setattr(module, "BASES_PER_PIECE", piece)
        assert track(tmp_path, lines, CoverageOptions(scaled=False))[1]["chrA"] == wanted


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["chrA\t0"], "line 1: the line is not a fragment; found chrA 0"),
        (["chrA\t1\t2", "chrA\tx\t5"], "line 2: the line is not a fragment; found chrA x 5"),
        (
            ["chrA\t1\t2", "chrA\t15\t21"],
            "fragment 2 of chrA: the fragment does not lie on its sequence; found 15-21; wanted 0",
        ),
        (["chrA\t5\t5"], "fragment 1 of chrA: the fragment does not lie on its sequence; found 5-5"),
        (
            ["chrA\t1\t2", "chrB\t1\t2", "chrA\t3\t4"],
            "line 3: the fragments of a sequence stand in two places; found chrA. Sort the file",
        ),
        (["chrA\t1\t5\tchrA\t9\t14\tname"], "line 1: the file holds pairs of reads, not fragments"),
        (["chrQ\t1\t5"], "chrQ"),
        ([], "there is no fragment"),
    ],
)
def test_bad_lines_are_refused_by_number(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        track(tmp_path, lines, CoverageOptions())
    assert message in str(caught.value).replace("\t", " ")
    assert not (tmp_path / "c.bw").exists()


def test_a_missing_or_broken_file_is_refused(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(DataError) as caught:
            write_coverage(path, LENGTHS, tmp_path / "c.bw", CoverageOptions(), NullProgress())
        return str(caught.value)

    assert "the fragments file does not exist" in refused(tmp_path / "none.tsv")
    cut = tmp_path / "cut.tsv.gz"
    cut.write_bytes(gzip.compress("".join(f"{line}\n" for line in LINES).encode())[:-12])
    assert "cannot be read" in refused(cut)


def test_the_command_reads_gzip_and_says_where_the_track_is(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_text("".join(f">{name}\n{'A' * n}\n" for name, n in LENGTHS.items()))
    path = tmp_path / "f.bed.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in LINES).encode()))
    words = ["train", "coverage", str(path), "--genome", str(tmp_path / "genome.fa"), "-o", str(tmp_path / "c.bw")]
    result = CliRunner().invoke(root, [*words, "--exclude", "chrA:3-6", "--no-scale"])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "c.bw")
    assert "4 fragments" in result.stderr
    with open_signal(tmp_path / "c.bw") as reader:
        assert np.nansum(reader.values("chrA", 0, 20)) == 4
