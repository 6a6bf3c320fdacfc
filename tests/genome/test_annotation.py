"""Gene annotations: GTF, GFF3 and BED say the same genes; malformed lines are named."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from trackgen.errors import DataError
from trackgen.genome.annotation import Gene, read_annotation

LENGTHS = {"chrI": 10_000, "chrII": 5_000, "chrM": 1_000}

GTF = """#!genome-build mini
I\tx\tgene\t101\t900\t.\t+\t.\tgene_id "Y1"; gene_name "TFC3"; gene_biotype "protein_coding";
I\tx\ttranscript\t101\t900\t.\t+\t.\tgene_id "Y1"; transcript_id "Y1.1"; gene_name "TFC3";
I\tx\texon\t101\t300\t.\t+\t.\tgene_id "Y1"; transcript_id "Y1.1"; gene_name "TFC3";
I\tx\tCDS\t201\t300\t.\t+\t0\tgene_id "Y1"; transcript_id "Y1.1"; gene_name "TFC3";
I\tx\texon\t501\t900\t.\t+\t.\tgene_id "Y1"; transcript_id "Y1.1"; gene_name "TFC3";
I\tx\tCDS\t501\t600\t.\t+\t0\tgene_id "Y1"; transcript_id "Y1.1"; gene_name "TFC3";
I\tx\tstop_codon\t601\t603\t.\t+\t0\tgene_id "Y1"; transcript_id "Y1.1"; gene_name "TFC3";
I\tx\texon\t101\t400\t.\t+\t.\tgene_id "Y1"; transcript_id "Y1.2"; gene_name "TFC3";
Mito\tx\texon\t11\t50\t.\t-\t.\tgene_id "Q1"; transcript_id "Q1_t";
II\tx\tgene\t1\t20\t.\t-\t.\tgene_id "lonely";
"""
GFF3 = """##gff-version 3
I\tx\texon\t501\t900\t.\t+\t.\tParent=transcript:Y1.1
I\tx\tgene\t101\t900\t.\t+\t.\tID=gene:Y1;Name=TFC3;gene_id=Y1
I\tx\tmRNA\t101\t900\t.\t+\t.\tID=transcript:Y1.1;Parent=gene:Y1
I\tx\texon\t101\t300\t.\t+\t.\tParent=transcript:Y1.1
I\tx\tCDS\t201\t300\t.\t+\t0\tID=p;Parent=transcript:Y1.1
I\tx\tCDS\t501\t603\t.\t+\t0\tID=p;Parent=transcript:Y1.1
I\tx\tmRNA\t101\t400\t.\t+\t.\tID=transcript:Y1.2;Parent=gene:Y1
I\tx\texon\t101\t400\t.\t+\t.\tParent=transcript:Y1.2
Mito\tx\tncRNA_gene\t11\t50\t.\t-\t.\tID=gene:Q1
Mito\tx\tncRNA\t11\t50\t.\t-\t.\tID=transcript:Q1_t;Parent=gene:Q1
Mito\tx\texon\t11\t50\t.\t-\t.\tParent=transcript:Q1_t
II\tx\tgene\t1\t20\t.\t-\t.\tID=gene:lonely
II\tx\tregion\t1\t5000\t.\t.\t.\tID=II
##FASTA
>I
ACGT
"""
BED = """track name=genes
I\t100\t900\tTFC3\t0\t+\t200\t603\t0\t2\t200,400,\t0,400,
Mito\t10\t50\tQ1\t0\t-\t10\t10\t0\t1\t40,\t0,
II\t0\t20\tlonely\t0\t-
"""


def simple(gene: Gene) -> tuple[object, ...]:
    return gene.name, gene.sequence, gene.start, gene.end, gene.strand, gene.exons, gene.coding


EXPECTED = [
    ("TFC3", "chrI", 100, 900, "+", ((100, 300), (500, 900)), (200, 603)),
    ("lonely", "chrII", 0, 20, "-", ((0, 20),), None),
    ("Q1", "chrM", 10, 50, "-", ((10, 50),), None),
]


@pytest.mark.parametrize("text", [GTF, GFF3, BED], ids=["gtf", "gff3", "bed"])
@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:])]
)
def test_every_form_says_the_same_genes_whatever_the_file_is_called(
    text: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "dataset_7.dat"
    path.write_bytes(pack(text.encode()))
    annotation = read_annotation(path, LENGTHS)
    assert [simple(gene) for gene in annotation.genes] == EXPECTED
    assert annotation.left_out == 0


@pytest.mark.parametrize("text", [GTF.partition("\n")[2], GFF3.partition("\n")[2], BED.partition("\n")[2]])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_byte_order_mark_is_no_part_of_the_first_name(
    text: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "genes.txt"
    path.write_bytes(pack(text.encode("utf-8-sig")))
    annotation = read_annotation(path, LENGTHS)
    assert [simple(gene) for gene in annotation.genes] == EXPECTED
    assert annotation.lacking == ()


def test_a_name_with_letters_that_cannot_be_seen_is_written_out(tmp_path: Path) -> None:
    path = tmp_path / "genes.bed"
    path.write_text("\u200bchrI\t1\t5\tb\n", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape("found '\\u200bchrI'; wanted ")):
        read_annotation(path, LENGTHS)
    path.write_text("chrI\t1\t50000\t\x1b[2J\n")
    with pytest.raises(DataError, match=re.escape("found '\\x1b[2J' to base 50,000")):
        read_annotation(path, LENGTHS)


def test_the_identifier_is_kept_beside_the_name(tmp_path: Path) -> None:
    for name, text in (("a.gtf", GTF), ("a.gff3", GFF3)):
        (tmp_path / name).write_text(text)
        assert [gene.identifier for gene in read_annotation(tmp_path / name, LENGTHS).genes] == ["Y1", "lonely", "Q1"]


def test_a_canonical_transcript_goes_before_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "a.gtf"
    path.write_text(GTF.replace('transcript_id "Y1.2";', 'transcript_id "Y1.2"; tag "Ensembl_canonical";'))
    assert read_annotation(path, LENGTHS).genes[0].exons == ((100, 400),)


def test_a_gff3_gene_without_exons_has_its_coding_parts(tmp_path: Path) -> None:
    path = tmp_path / "bacterium.gff"
    path.write_text(
        "chrI\tR\tgene\t11\t40\t.\t-\t.\tID=gene-b1;Name=dnaA;gene=dnaA%2C1\n"
        "chrI\tR\tCDS\t11\t40\t.\t-\t0\tID=cds-1;Parent=gene-b1\n"
    )
    (gene,) = read_annotation(path, LENGTHS).genes
    assert simple(gene) == ("dnaA,1", "chrI", 10, 40, "-", ((10, 40),), (10, 40))
    assert gene.identifier == "b1"


def test_parents_in_a_circle_end(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    path.write_text(
        "chrI\tR\tgene\t11\t40\t.\t-\t.\tID=a;Parent=b\nchrI\tR\tmRNA\t11\t40\t.\t-\t.\tID=b;Parent=a\n"
        "chrI\tR\texon\t11\t40\t.\t-\t.\tParent=a\n"
    )
    assert [simple(gene)[1:4] for gene in read_annotation(path, LENGTHS).genes] == [("chrI", 10, 40)]


def test_a_gene_over_the_origin_of_a_circle_is_cut_there(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    rest = "chrM\tR\tgene\t901\t1100\t.\t+\t.\tID=g\n"
    path.write_text("chrM\tR\tregion\t1\t1000\t.\t+\t.\tID=r;Is_circular=true\n" + rest)
    (gene,) = read_annotation(path, LENGTHS).genes
    assert (gene.start, gene.end, gene.exons) == (900, 1000, ((900, 1000),))
    path.write_text(rest)
    with pytest.raises(
        DataError, match="line 1: a gene ends beyond its sequence; found g to base 1,100; wanted at most 1,000"
    ):
        read_annotation(path, LENGTHS)


def test_genes_on_sequences_that_the_genome_lacks_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text("chrI\t1\t5\ta\nscaffold_9\t1\t5\tb\nscaffold_9\t7\t8\tc\n")
    annotation = read_annotation(path, LENGTHS)
    assert [gene.name for gene in annotation.genes] == ["a"]
    assert (annotation.left_out, annotation.lacking) == (2, ("scaffold_9",))


def test_an_annotation_of_another_genome_is_refused_with_both_kinds_of_names(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_text("scaffold_9\t1\t5\tb\n")
    with pytest.raises(DataError, match="found scaffold_9; wanted one of chrI, chrII, chrM"):
        read_annotation(path, LENGTHS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "genes.txt: the annotation has no line of data; found an empty file"),
        ("# only a comment\n\n", "genes.txt: the annotation has no line of data; found 2 lines without data"),
        ("hello\n", "line 1: this is no annotation of genes; found 'hello'"),
        ("chrI 1 5 name\n", "separated by spaces"),
        ("chrI\t1\t5\ta\nchrI\t7\n", "line 2: this is no interval; found 'chrI"),
        ("chrI\t1\t5\ta\nchrI\t7\t7\tb\n", "line 2: the interval is empty or ends before it starts; found 7 to 7"),
        ("chrI\t1\t9\ta\t0\t+\t1\t1\t0\t2\t3,3\t0\n", "line 1: the blocks do not fit together"),
        ("chrI\t1\t9\ta\t0\t+\t1\t1\t0\t2\t3,2\t0,5\n", "line 1: the blocks do not span the interval; found 1 to 8"),
        (GTF + "I\tx\texon\t9\t5\t.\t+\t.\tgene_id \"Y\";\n", "line 12: the positions are no stretch of a sequence"),
        (GTF + "I\tx\texon\t5\t9\t.\t+\t.\tnothing\n", "line 12: the exon says no gene that it belongs to"),
        (GTF + "I\tx\texon\t5\t9\n", "line 12: the line has not nine columns; found 5"),
        ("I\tx\trepeat\t5\t9\t.\t+\t.\tgene_id \"Y\";\n", "the annotation has no gene"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_annotation(path, LENGTHS)
    assert error.value.path == str(path)


def test_files_that_are_none_are_said(tmp_path: Path) -> None:
    (tmp_path / "genes.gtf").write_bytes(gzip.compress(GTF.encode())[:-20])
    with pytest.raises(DataError, match="the gzip file is damaged"):
        read_annotation(tmp_path / "genes.gtf", LENGTHS)
    with pytest.raises(
        DataError, match=r"does not exist; wanted GTF, GFF3 or BED, plain or gzip\. Did you mean genes\.gtf"
    ):
        read_annotation(tmp_path / "gene.gtf", LENGTHS)
    with pytest.raises(DataError, match="a folder"):
        read_annotation(tmp_path, LENGTHS)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00" * 100)
    with pytest.raises(DataError, match="binary: this is not a text file"):
        read_annotation(tmp_path / "binary", LENGTHS)
