"""One hub for several genomes: three files for UCSC, a session for each genome, names that do not collide."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyBigWig
import pytest

from tests.hub.conftest import Build
from tests.hub.stanzas import read_stanzas
from tests.hubs import LENGTHS, OTHER_LENGTHS, change_run, write_fasta, write_run
from trackgen.errors import DataError, UsageError
from trackgen.genome import rename_sequences
from trackgen.genome.assemblies import ASSEMBLIES


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The same model on another genome: ``other.fa`` and the run ``other``."""
    write_fasta(tmp_path / "other.fa", lengths=OTHER_LENGTHS)
    return write_run(tmp_path / "other", genome="other.fa", lengths=OTHER_LENGTHS)


@pytest.fixture
def folder(build: Build, finished: Path, other: Path) -> Path:
    genomes = [str(other.parent / "other.fa"), str(finished / "mini.fa")]
    return build(finished / "out", other, genome=genomes).path


def test_the_genomes_stand_in_a_file_and_each_has_its_tracks(folder: Path) -> None:
    (hub,) = read_stanzas((folder / "hub.txt").read_text())
    assert "useOneFile" not in hub
    genomes = read_stanzas((folder / hub["genomesFile"]).read_text())
    assert [genome["genome"] for genome in genomes] == ["mini", "other"]
    names: list[str] = []
    for genome, lengths in zip(genomes, (LENGTHS, OTHER_LENGTHS), strict=True):
        for key in ("twoBitPath", "groups", "htmlPath"):
            assert (folder / genome[key]).is_file()
        sizes = (folder / genome["chromSizes"]).read_text().split()
        assert dict(zip(sizes[::2], map(int, sizes[1::2]), strict=True)) == lengths
        leaves = [s for s in read_stanzas((folder / genome["trackDb"]).read_text()) if "bigDataUrl" in s]
        assert len(leaves) == 4
        assert all((folder / leaf["bigDataUrl"]).is_file() and (folder / leaf["html"]).is_file() for leaf in leaves)
        names += [leaf["track"] for leaf in leaves]
    assert len(set(names)) == 8


def test_labels_of_one_model_on_two_genomes_have_no_numbers(folder: Path) -> None:
    for file in ("trackDb.mini.txt", "trackDb.other.txt"):
        stanzas = read_stanzas((folder / file).read_text())
        assert stanzas[0]["longLabel"] == "Transcription starts, a small test: predictions"
        labels = [s["shortLabel"] for s in stanzas if "bigDataUrl" in s]
        assert labels == ["sharp TSS +", "sharp TSS -", "broad TSS +", "sharp contrib +"]
    assert (folder / "tss-mini.sharp.plus.other.bw").is_file()


def test_each_genome_has_its_session(folder: Path) -> None:
    for file, genome in (("igv.json", "mini"), ("igv.other.json", "other")):
        session = json.loads((folder / file).read_text())
        assert session["reference"]["id"] == genome
        assert len(session["tracks"]) == 4
        assert all((folder / track["url"]).is_file() for track in session["tracks"])
    page = (folder / "index.html").read_text()
    assert "mini, 80,701 bases; other, 69,000 bases" in page


def test_the_manifest_says_which_genome_a_track_stands_on(folder: Path) -> None:
    manifest = json.loads((folder / "trackgen.json").read_text())
    assert manifest["genomes"] == ["mini", "other"]
    assert [track["genome"] for track in manifest["tracks"]] == 4 * ["mini"] + 4 * ["other"]


def test_one_genome_can_have_three_files_too(build: Build) -> None:
    folder = build(layout="three-file").path
    assert (folder / "genomes.txt").is_file()
    assert (folder / "trackDb.mini.txt").is_file()
    one_file = read_stanzas((build(output=folder.with_name("one")).path / "hub.txt").read_text())
    assert read_stanzas((folder / "trackDb.mini.txt").read_text()) == one_file[2:]


def test_several_genomes_in_one_file_are_refused(build: Build, finished: Path, other: Path) -> None:
    genomes = [str(finished / "mini.fa"), str(other.parent / "other.fa")]
    with pytest.raises(UsageError, match=r"a hub in one file has one genome.*mini, other") as caught:
        build(finished / "out", other, genome=genomes, layout="one-file")
    assert caught.value.exit_status == 2
    assert not (other.parent / "hub").exists()


def test_a_genome_of_no_run_is_refused(build: Build, finished: Path, other: Path, tmp_path: Path) -> None:
    third = write_fasta(tmp_path / "third.fa", lengths={"chrI": 50_600})
    with pytest.raises(UsageError, match=r"no run is of this genome.*third\.fa.*one genome for each of"):
        build(finished / "out", other, genome=[str(finished / "mini.fa"), str(third)])


def test_two_genomes_for_one_run_are_refused(build: Build, finished: Path) -> None:
    with pytest.raises(UsageError, match="beside another for the same runs"):
        build(genome=[str(finished / "mini.fa"), "hg38"])


def test_the_other_genome_is_not_taken_for_a_run(build: Build, other: Path) -> None:
    with pytest.raises(DataError, match="not the one that was scanned"):
        build(genome=str(other.parent / "other.fa"))


def yeast(folder: Path, leave_out: str = "", style: str = "") -> Path:
    """A run with the names and lengths of sacCer3, whose tracks hold next to nothing."""
    lengths = {f"chr{row.label}": row.length for row in ASSEMBLIES["sacCer3"] if row.label != leave_out}
    names = rename_sequences(lengths, style) if style else {name: name for name in lengths}
    run = write_run(folder, tracks=[("sharp", "plus", "probability", "probability", 0.3)])
    with pyBigWig.open(str(run / "tss-mini.sharp.plus.bw"), "w") as track:
        track.addHeader([(names[name], length) for name, length in lengths.items()])
        track.addEntries([names["chrI"]], [1000], ends=[1010], values=[0.25])
    digest = hashlib.sha256((run / "tss-mini.sharp.plus.bw").read_bytes()).hexdigest()
    change_run(run, "tracks", 0, "sha256", value=digest)
    change_run(run, "genome", value={
        "file": "elsewhere.fa", "assembly": "sacCer3",
        "names": [names[name] for name in lengths], "lengths": list(lengths.values()),
    })  # fmt: skip
    return run


def test_runs_on_more_and_fewer_sequences_of_an_assembly_of_ucsc_share_it(build: Build, tmp_path: Path) -> None:
    report = build(yeast(tmp_path / "all"), yeast(tmp_path / "few", leave_out="M"), genome=None)
    hub = read_stanzas((report.path / "hub.txt").read_text())
    assert hub[1] == {"genome": "sacCer3"}
    assert sum("bigDataUrl" in stanza for stanza in hub) == 2


def test_runs_under_two_kinds_of_names_share_a_genome_once_they_are_renamed(build: Build, tmp_path: Path) -> None:
    report = build(yeast(tmp_path / "one"), yeast(tmp_path / "two", style="ensembl"), genome=None, names="ucsc")
    assert read_stanzas((report.path / "hub.txt").read_text())[1] == {"genome": "sacCer3"}
    for name in report.tracks:
        with pyBigWig.open(str(report.path / name)) as track:
            assert (track.chroms("chrI"), track.values("chrI", 999, 1001)[1]) == (230_218, 0.25)


@pytest.mark.parametrize("style", ["ensembl", "table"])
def test_tracks_that_ucsc_would_show_empty_are_refused(build: Build, tmp_path: Path, style: str) -> None:
    if style == "table":
        style = str(tmp_path / "names.tsv")
        Path(style).write_text("chrI\tchr01\n")
    run = yeast(tmp_path / "all")
    with pytest.raises(UsageError, match=r"UCSC would show every track on its sacCer3 empty.*--names ucsc"):
        build(run, genome="sacCer3", names=style)
    with pytest.raises(UsageError, match=r"elsewhere\.fa is in none of the places"):
        build(run, genome=None, names=style)


def test_genomes_of_one_name_are_told_apart(build: Build, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write_fasta(tmp_path / "below" / "mini.fa", lengths=OTHER_LENGTHS)
    run = write_run(tmp_path / "below" / "run", lengths=OTHER_LENGTHS)
    genomes = [str(finished / "mini.fa"), str(tmp_path / "below" / "mini.fa")]
    folder = build(finished / "out", run, genome=genomes).path
    assert (folder / "mini_2.2bit").is_file()
    assert json.loads((folder / "trackgen.json").read_text())["genomes"] == ["mini", "mini_2"]
