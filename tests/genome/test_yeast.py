"""The demo's genome: any sound copy of sacCer3 passes, anything else is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pooch
import pytest

from tests.data import data_file
from tests.hub.conftest import Notes
from trackgen.errors import DataError
from trackgen.genome import decode, open_genome
from trackgen.genome.yeast import ATAC_FILE, find_saccer3, find_yeast_atac, verify_saccer3
from trackgen.progress import NullProgress


@pytest.mark.data
@pytest.mark.parametrize("name", ["genome_yeast/sacCer3.2bit", "genome_yeast/sacCer3.fa.gz"])
def test_every_sound_copy_passes(name: str) -> None:
    verify_saccer3(data_file(name))


@pytest.mark.data
def test_one_wrong_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "changed.fa"
    with open_genome(data_file("genome_yeast/sacCer3.2bit")) as genome, open(path, "w") as file:
        for name, length in genome.lengths.items():
            letters = decode(genome.fetch(name, 0, length))
            file.write(
                f">{name}\n{('A' if letters[0] != 'A' else 'C') if name == 'chrVI' else letters[0]}{letters[1:]}\n"
            )
    with pytest.raises(DataError, match=r"changed\.fa.*not that of sacCer3.*digest") as caught:
        verify_saccer3(path)
    assert caught.value.exit_status == 3


def test_another_genome_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.fa"
    path.write_text(">chr1\nACGT\n")
    with pytest.raises(DataError, match=r"not the yeast genome.*1 sequences, among them chr1 of 4 bp.*12,157,105"):
        verify_saccer3(path)
    with pytest.raises(DataError, match="not the yeast genome"):
        find_saccer3(path, NullProgress())


@pytest.mark.data
@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_demo_scans_builds_and_can_be_run_again(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = data_file("genome_yeast/sacCer3.2bit")
    monkeypatch.setenv("TRACKGEN_DATA", str(genome.parents[1]))
    command = [sys.executable, "-m", "trackgen", "demo", "out", "--genome", str(genome), "--stride", "2000"]
    for _ in range(times):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert "trackgen serve out/hub" in result.stdout
    assert "verified" in result.stderr
    assert {path.name for path in (tmp_path / "out" / "tracks").glob("*.bw")} >= {"tss-yeast.sharp.plus.bw"}
    assert (tmp_path / "out" / "hub" / "hub.txt").exists()
    other = subprocess.run([*command[:-1], "1000"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert other.returncode == 2
    assert "--overwrite" in other.stderr


def test_without_any_copy_it_is_downloaded_once_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The public server is replaced: once by one that sends something else, once by one that does not answer."""
    wrong = tmp_path / "download.2bit"
    wrong.write_text(">chr1\nACGT\n")
    monkeypatch.delenv("TRACKGEN_DATA", raising=False)
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: str(wrong))
    with pytest.raises(DataError, match="not the yeast genome"):
        find_saccer3(None, NullProgress())

    def refuse(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    with pytest.raises(DataError, match=r"can't be downloaded; found no route to host.*--genome FILE") as caught:
        find_saccer3(None, NullProgress())
    assert caught.value.exit_status == 3


@pytest.mark.data
def test_fragments_in_the_data_folder_are_verified_and_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data_file(f"yeast_atac/{ATAC_FILE}")
    monkeypatch.setenv("TRACKGEN_DATA", str(path.parents[1]))
    assert find_yeast_atac(NullProgress()) == (path, "the data folder TRACKGEN_DATA")
    (tmp_path / "yeast_atac").mkdir()
    (tmp_path / "yeast_atac" / ATAC_FILE).write_bytes(path.read_bytes()[:-1])
    monkeypatch.setenv("TRACKGEN_DATA", str(tmp_path))
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **named: str(tmp_path / named["fname"]))
    notes = Notes()
    assert find_yeast_atac(notes) == (tmp_path / ATAC_FILE, "MACS3's public repository, cached")
    assert "is not the file that the demo knows (md5" in notes.texts[0]


def test_where_fragments_cannot_be_had_the_demo_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    monkeypatch.setenv("TRACKGEN_DATA", str(tmp_path))
    notes = Notes()
    assert find_yeast_atac(notes) is None
    assert f"has no yeast_atac/{ATAC_FILE}" in notes.texts[0]
    assert "can't be had (no route to host): the demo goes on without them" in notes.texts[-1]
