"""Genes as files of a hub: BED and bigBed say the same, and JBrowse's text search finds every name."""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path
from urllib.parse import unquote

import pyBigWig
import pytest

from tests.genome.test_annotation import GTF, LENGTHS
from trackgen.errors import DataError
from trackgen.hub.genes import compile_genes, gene_files, jbrowse_genes_track, jbrowse_text_search
from trackgen.hub.trix import BIN, search_index


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    (tmp_path / "mini.gtf").write_text(GTF)
    return gene_files(compile_genes(tmp_path / "mini.gtf", LENGTHS), LENGTHS, "mini")


def test_bed_has_one_line_a_gene_in_the_order_of_the_genome(files: dict[str, bytes]) -> None:
    assert files["genes.bed"].decode().splitlines() == [
        "chrI\t100\t900\tTFC3\t1000\t+\t200\t603\t0\t2\t200,400,\t0,400,",
        "chrII\t0\t20\tlonely\t1000\t-\t0\t0\t0\t1\t20,\t0,",
        "chrM\t10\t50\tQ1\t1000\t-\t10\t10\t0\t1\t40,\t0,",
    ]


def test_big_bed_holds_the_same_as_bed(files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "genes.bb"
    path.write_bytes(files["genes.bb"])
    with pyBigWig.open(str(path)) as reader:
        read = [
            f"{name}\t{start}\t{end}\t{rest}"
            for name, length in LENGTHS.items()
            for start, end, rest in reader.entries(name, 0, length)
        ]
    assert read == files["genes.bed"].decode().splitlines()
    assert struct.unpack_from("<HH", files["genes.bb"], 32) == (12, 12), "twelve columns, all of them BED's own"


def test_the_same_annotation_gives_the_same_bytes(files: dict[str, bytes], tmp_path: Path) -> None:
    assert gene_files(compile_genes(tmp_path / "mini.gtf", LENGTHS), LENGTHS, "mini") == files


def test_the_note_tells_how_names_were_read_and_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "mini.gtf").write_text(GTF)
    compiled = compile_genes(tmp_path / "mini.gtf", {"chrI": 10_000, "chrII": 5_000})
    assert compiled.note == (
        "mini.gtf: 2 genes; 1 more stands on sequences that the genome lacks (Mito) and is left out; "
        "sequence names: I as chrI, II as chrII"
    )
    assert (compiled.track.genes, compiled.track.source) == (2, "mini.gtf")
    one = compile_genes(tmp_path / "mini.gtf", {"chrI": 10_000})
    assert one.note.startswith(
        "mini.gtf: 1 gene; 2 more stand on sequences that the genome lacks (Mito, II) and are left"
    )


def test_names_with_white_space_stay_one_column(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_text("chrI\t1\t5\tO'Neil  2|x\n")
    files = gene_files(compile_genes(tmp_path / "a.bed", LENGTHS), LENGTHS, "mini")
    assert files["genes.bed"].split(b"\t")[3] == b"O'Neil_2|x"
    # As jbrowse text-index writes it.
    assert files["genes.ix"] == b"""o'neil_2|x ["chrI%3A2..5"|"genes"|"O'Neil_2%7Cx"],1\n"""


def found(index: bytes, prefixes: bytes, word: str) -> list[list[str]]:
    """What a reader of trix finds for the beginning of a word: it begins where ``.ixx`` says, and reads on."""
    begin = 0
    for line in prefixes.decode().splitlines():
        prefix, position = line[:-10], int(line[-10:], 16)
        if prefix <= word:
            begin = position
    records = []
    for line in index[begin:].decode().splitlines():
        term, *parts = line.split(" ")
        if term.startswith(word):
            records += [json.loads(part.rpartition(",")[0].replace("|", ",")) for part in parts]
        elif term > word:
            break
    return [[unquote(text) for text in record] for record in records]


def test_text_search_finds_a_gene_by_name_and_by_identifier(files: dict[str, bytes]) -> None:
    place = ["chrI:101..900", "genes"]
    # What is asked for comes first, since JBrowse goes there only then.
    for word, names in {"tfc3": ["TFC3", "Y1"], "tf": ["TFC3", "Y1"], "y1": ["Y1", "TFC3"]}.items():
        assert found(files["genes.ix"], files["genes.ixx"], word) == [place + names]
    assert found(files["genes.ix"], files["genes.ixx"], "zzz") == []
    assert json.loads(files["genes.meta.json"])["assemblyNames"] == ["mini"]


def test_text_search_of_many_genes_begins_near_the_word() -> None:
    entries = [(f"chr1:{number + 1}..{number + 9}", [f"GENE{number:05}", f"ID{number}"]) for number in range(20_000)]
    index, prefixes = search_index(entries, "genes")
    positions = [int(line[-10:], 16) for line in prefixes.decode().splitlines()]
    assert len(positions) >= len(index) // (3 * BIN) - 1
    assert max(after - before for before, after in itertools.pairwise(positions)) <= 10 * BIN
    for number in (0, 1234, 19_999):
        expected = [f"chr1:{number + 1}..{number + 9}", "genes", f"GENE{number:05}", f"ID{number}"]
        assert found(index, prefixes, f"gene{number:05}") == [expected]
        assert [*expected[:2], *expected[:1:-1]] in found(index, prefixes, f"id{number}")


def test_entries_for_jbrowse_name_the_files_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "mini.gtf").write_text(GTF)
    compiled = compile_genes(tmp_path / "mini.gtf", LENGTHS, name="genes_b", stem="genes.b")
    track = jbrowse_genes_track(compiled.track, "mini", "https://x.org/")
    assert track["adapter"]["bigBedLocation"]["uri"] == "https://x.org/genes.b.bb"
    search = jbrowse_text_search(compiled.track, "mini")
    named = {search[key]["uri"] for key in ("ixFilePath", "ixxFilePath", "metaFilePath")}
    assert named == {"genes.b.ix", "genes.b.ixx", "genes.b.meta.json"}
    assert named < set(gene_files(compiled, LENGTHS, "mini"))


def test_an_annotation_of_another_genome_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_text("scaffold_9\t1\t5\tb\n")
    with pytest.raises(DataError, match="scaffold_9"):
        compile_genes(tmp_path / "a.bed", LENGTHS)
