"""``--names``: the same values under the sequence names of another browser, in every file of the hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import py2bit
import pybigtools
import pyBigWig
import pytest

from tests.hub.conftest import Build, Notes
from tests.hub.stanzas import read_stanzas
from tests.hubs import LENGTHS, change_run, sequences
from trackgen.bigwig import BigWigWriter, copy_renamed
from trackgen.bigwig.trees import chromosome_tree, read_chromosome_tree
from trackgen.errors import DataError, UsageError
from trackgen.genome import rename_sequences, unused_names
from trackgen.genome.assemblies import ASSEMBLIES

YEAST = {f"chr{row.label}": row.length for row in ASSEMBLIES["sacCer3"]}


def table(path: Path, text: str = "chrI\tone\nchrII\tAtwo\n") -> str:
    path.write_text(text)
    return str(path)


def test_every_file_of_the_hub_has_the_new_names_and_the_old_data(build: Build, finished: Path, tmp_path: Path) -> None:
    folder = build(names=table(tmp_path / "names.tsv")).path
    names = {"chrI": "one", "chrII": "Atwo", "chrM": "chrM"}
    for path in folder.glob("*.bw"):
        with pyBigWig.open(str(path)) as new, pyBigWig.open(str(finished / "out" / path.name)) as old:
            assert new.chroms() == {names[name]: length for name, length in LENGTHS.items()}
            assert new.header() == old.header()
            for name, length in LENGTHS.items():
                np.testing.assert_array_equal(new.values(names[name], 0, length), old.values(name, 0, length))
                assert new.stats(names[name], nBins=7, type="max") == old.stats(name, nBins=7, type="max")
        with pybigtools.open(str(path)) as second:
            assert second.chroms() == {names[name]: length for name, length in LENGTHS.items()}
            assert second.zooms()
            with pybigtools.open(str(finished / "out" / path.name)) as first:
                for reduction in first.zooms():
                    zoomed = list(first.zoom_records(reduction, "chrI"))
                    assert list(second.zoom_records(reduction, "one")) == zoomed != []
            assert second.values("one", 29_990, 30_010, fillna=None).tolist() == pytest.approx(
                pyBigWig.open(str(finished / "out" / path.name)).values("chrI", 29_990, 30_010)
            )
    with py2bit.open(str(folder / "mini.2bit")) as genome:
        assert genome.chroms() == {names[name]: length for name, length in LENGTHS.items()}
        assert genome.sequence("one") == sequences()["chrI"]
    assert (folder / "mini.chrom.sizes").read_text() == "one\t60000\nAtwo\t20001\nchrM\t700\n"
    assert json.loads((folder / "igv.json").read_text())["locus"].startswith("one:")
    text = "".join(path.read_text() for path in folder.iterdir() if path.suffix in (".txt", ".json", ".xml", ".ini"))
    assert "chrI:" not in text


@pytest.mark.parametrize("count", [1, 3, 255, 256, 257, 70_000])
def test_a_tree_is_read_back_with_its_numbers(count: int) -> None:
    names = sorted(f"s{number * 7919 % 100_003}".encode() for number in range(count))
    ids = list(np.random.default_rng(count).permutation(count))
    data = bytes(100) + chromosome_tree(names, range(1, count + 1), 100, ids)
    found = read_chromosome_tree(lambda offset, size: data[offset : offset + size], 100)
    assert found == [(name.decode(), ids[place], place + 1) for place, name in enumerate(names)]


def test_a_damaged_tree_is_refused() -> None:
    good = chromosome_tree([b"a", b"b"], [1, 2], 0)
    for data in (b"\0" + good[1:], good[:40], good[:32] + b"\0" + good[33:]):
        with pytest.raises(DataError, match="chromosome tree"):
            read_chromosome_tree(lambda offset, size, data=data: data[offset : offset + size], 0)  # type: ignore[misc]


def test_many_sequences_are_renamed_in_files_of_our_own_writer(tmp_path: Path) -> None:
    lengths = {f"contig{number}": 40 + number % 7 for number in range(600)}
    names = {name: f"{name[6:]}.{'x' * (int(name[6:]) % 9)}" for name in lengths}
    with BigWigWriter(tmp_path / "a.bw", lengths, stride=1) as writer:
        for number, (name, length) in enumerate(lengths.items()):
            writer.add(name, 0, np.full(length, number, np.float32), np.empty((0, 2), np.int64))
    copy_renamed(tmp_path / "a.bw", tmp_path / "b.bw", names)
    with pyBigWig.open(str(tmp_path / "b.bw")) as track:
        assert track.chroms() == {names[name]: length for name, length in lengths.items()}
        for number, name in enumerate(lengths):
            assert set(track.values(names[name], 0, lengths[name])) == {number}
    assert (tmp_path / "b.bw").read_bytes()[-4:] == (tmp_path / "a.bw").read_bytes()[:4]


def test_items_of_a_bigbed_keep_their_places_and_the_names_come_before_them(tmp_path: Path) -> None:
    lengths = {f"chr{number}": 100_000 + number for number in range(40)}
    sql = 'table items "x" (string chrom; "" uint chromStart; "" uint chromEnd; "" string name; "")'
    rows = [(name, start, start + 5, f"item{start}") for name in sorted(lengths) for start in range(0, 90_000, 130)]
    pybigtools.open(str(tmp_path / "a.bb"), "w").write(lengths, iter(rows), sql)
    names = {name: name.removeprefix("chr") + "_renamed" for name in lengths}
    copy_renamed(tmp_path / "a.bb", tmp_path / "b.bb", names)
    old, new = pybigtools.open(str(tmp_path / "a.bb")), pyBigWig.open(str(tmp_path / "b.bb"))
    second = pybigtools.open(str(tmp_path / "b.bb"))
    assert new.chroms() == {names[name]: length for name, length in lengths.items()}
    assert (second.sql(), second.info()["summary"]) == (old.sql(), old.info()["summary"])
    for name in lengths:
        records = list(old.records(name))
        assert [(start, end, rest) for start, end, rest in new.entries(names[name], 0, lengths[name])] == records
        assert list(second.records(names[name], 50_000, 51_000)) == list(old.records(name, 50_000, 51_000))
        for reduction in old.zooms():
            assert list(second.zoom_records(reduction, names[name])) == list(old.zoom_records(reduction, name))
    assert old.zooms()
    data = (tmp_path / "b.bb").read_bytes()
    tree, first_item = (int.from_bytes(data[offset : offset + 8], "little") for offset in (8, 16))
    assert tree < first_item


def test_a_file_of_another_kind_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    for data in (b"", b"no track at all, but longer than a header would be"):
        (tmp_path / "x.bw").write_bytes(data)
        with pytest.raises(DataError, match="neither a BigWig nor a bigBed"):
            copy_renamed(tmp_path / "x.bw", tmp_path / "y.bw", {})
        assert not (tmp_path / "y.bw").exists()


def test_yeast_in_both_styles() -> None:
    ensembl = rename_sequences(YEAST, "ensembl")
    assert (ensembl["chrI"], ensembl["chrX"], ensembl["chrXVI"], ensembl["chrM"]) == ("I", "X", "XVI", "Mito")
    back = rename_sequences({ensembl[name]: length for name, length in YEAST.items()}, "ucsc")
    assert list(back.values()) == list(YEAST)
    accessions = {row.accession: row.length for row in ASSEMBLIES["sacCer3"]}
    assert list(rename_sequences(accessions, "ucsc").values()) == list(YEAST)


@pytest.mark.parametrize("assembly", sorted(ASSEMBLIES))
def test_names_of_a_known_assembly_come_back(assembly: str) -> None:
    lengths = {f"chr{row.label}": row.length for row in ASSEMBLIES[assembly] if row.label != "MT"}
    ensembl = rename_sequences(lengths, "ensembl")
    # The chrM of hg19 is not the MT of Ensembl.
    assert [name for name in ensembl.values() if name.startswith("chr")] == ["chrM"] * (assembly == "hg19")
    back = rename_sequences({ensembl[name]: length for name, length in lengths.items()}, "ucsc")
    assert [back[ensembl[name]] for name in lengths] == list(lengths)


@pytest.mark.parametrize(
    ("name", "ensembl"),
    [
        ("chr7", "7"),
        ("chrUn_KI270302v1", "KI270302.1"),
        ("chr1_KI270706v1_random", "KI270706.1"),
        ("chr17_gl000204_random", "GL000204.1"),
        ("chrM", "MT"),
        ("scaffold_12", "scaffold_12"),
    ],
)
def test_human_contigs_as_ensembl_names_them(name: str, ensembl: str) -> None:
    assert rename_sequences({name: 1234}, "ensembl") == {name: ensembl}


@pytest.mark.parametrize(
    ("name", "ucsc"), [("1", "chr1"), ("2L", "chr2L"), ("W", "chrW"), ("MT", "chrM"), ("KI270706.1", "KI270706.1")]
)
def test_names_of_unknown_genomes_as_ucsc_writes_them(name: str, ucsc: str) -> None:
    assert rename_sequences({name: 1234}, "ucsc") == {name: ucsc}


def test_the_names_decide_whether_the_assembly_of_ucsc_can_be_taken(build: Build, finished: Path) -> None:
    run = finished / "out"
    assert "genome hg38" in (build(run, genome="hg38", names="ucsc").path / "hub.txt").read_text()


def test_an_assembly_under_other_names_is_none_that_ucsc_has(build: Build, finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished / "out", tmp_path / "out"))
    change_run(run, "genome", "assembly", value="sacCer3")
    genome = read_stanzas((build(run).path / "hub.txt").read_text())[1]
    assert (genome["genome"], genome["organism"]) == ("sacCer3", "Saccharomyces cerevisiae")
    genome = read_stanzas((build(run, names="ensembl").path / "hub.txt").read_text())[1]
    assert (genome["genome"], genome["organism"]) == ("mini", "Saccharomyces cerevisiae")
    change_run(run, "genome", "file", value="sacCer3.fa.gz")
    genome = read_stanzas((build(run, names="ensembl").path / "hub.txt").read_text())[1]
    assert genome["genome"] == "sacCer3_renamed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("chrI one\n", r"line 1: this is no line of a table of names.*found 'chrI one'"),
        ("chrI\ta b\n", "no line of a table"),
        ("chrI\tone\nchrI\ttwo\n", "line 2: a sequence has two new names"),
        ("nowhere\tone\n", "the table names none of the genome's sequences"),
        ("chrI\tchrII\n", "sequences chrI and chrII: two sequences would have one name; found chrII"),
        ("chrI\tx\nchrII\tx\n", "two sequences would have one name"),
        ("", "names none"),
        ("chrI\tHLA|A\n", "no line of a table"),
        ("chrI\tA+1\n", "no line of a table"),
    ],
)
def test_a_table_that_is_no_good_is_refused(build: Build, tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        build(names=table(tmp_path / "names.tsv", text))
    assert caught.value.exit_status == 3
    assert not (tmp_path / "hub").exists()


def test_names_that_no_run_has_are_told(build: Build, notes: Notes, tmp_path: Path) -> None:
    build(names=table(tmp_path / "names.tsv", "chrI\tone\nchr2\ttwo\n"))
    assert "names.tsv renames what no run has: chr2" in notes.texts


def test_a_style_that_is_none_is_refused(build: Build) -> None:
    with pytest.raises(UsageError, match=r"no way to name sequences.*found refseq.*wanted ucsc, ensembl or a file"):
        build(names="refseq")


def test_a_table_that_begins_with_a_byte_order_mark_loses_no_line(tmp_path: Path) -> None:
    (tmp_path / "names.tsv").write_text("chrI\tone\nchrII\ttwo\n", encoding="utf-8-sig")
    renamed = rename_sequences(LENGTHS, str(tmp_path / "names.tsv"))
    assert renamed == {"chrI": "one", "chrII": "two", "chrM": "chrM"}


def test_lines_of_a_table_that_no_sequence_has_are_told(tmp_path: Path) -> None:
    names = table(tmp_path / "names.tsv", "chrI\tone\nchr2\ttwo\nchrX\tx\n")
    assert unused_names(names, LENGTHS) == ("chr2", "chrX")
    assert unused_names(names, {*LENGTHS, "chrX"}) == ("chr2",)
    assert unused_names("ucsc", LENGTHS) == ()
