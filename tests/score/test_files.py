"""What is read of BED, GTF, GFF3 and VCF, and what is written: the table, and the VCF line for line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest

from tests.models import small_model
from tests.score.conftest import LENGTHS
from tests.score.files import GTF, VCF_HEAD, Told, bases_at, number, other, score_table, write_bed, write_vcf
from trackgen.genome.bgzf_writer import BgzfWriter
from trackgen.progress import NullProgress
from trackgen.score import ScoreOptions, run_score


@pytest.fixture(scope="module")
def at_base(model: Path, genome: Path, folder: Path) -> dict[tuple[str, int, str], float]:
    """The value of ``hit`` at every base and strand."""
    bases = [(name, base, base + 1) for name, length in LENGTHS.items() for base in range(length)]
    rows = score_table(model, genome, write_bed(folder / "every.bed", bases))
    return {
        (row["chrom"], int(row["start"]), strand): number(row[f"hit.{strand}"])
        for row in rows
        for strand in ("plus", "minus")
    }


def test_a_bed_keeps_its_columns_and_its_names_of_sequences(
    tmp_path: Path, model: Path, genome: Path, at_base: dict[tuple[str, int, str], float]
) -> None:
    bed = write_bed(tmp_path / "regions.txt", [("1", 10, 21, "a", 7, "-", "more"), ("MT", 3, 4), ("I", 0, 2, "b")])
    bed.write_text("track name=x\n# a comment\n\n" + bed.read_text().replace("I\t0", "1\t0"))
    rows = score_table(model, genome, bed)
    assert [[row[name] for name in ("chrom", "start", "end", "name", "score", "strand")] for row in rows] == [
        ["1", "10", "21", "a", "7", "-"],
        ["MT", "3", "4", ".", ".", "."],
        ["1", "0", "2", "b", ".", "."],
    ]
    wanted = [("chrI", 15), ("chrM", 3), ("chrI", 1)]
    for row, place in zip(rows, wanted, strict=True):
        assert number(row["hit.plus"]) == pytest.approx(at_base[(*place, "plus")], abs=1e-6)
        assert number(row["hit.minus"]) == pytest.approx(at_base[(*place, "minus")], abs=1e-6)


def test_classes_leave_out_the_other_columns(tmp_path: Path, model: Path, genome: Path) -> None:
    bed = write_bed(tmp_path / "one.bed", [("chrI", 5, 6)])
    (row,) = score_table(model, genome, bed, classes=("hit",))
    assert list(row)[6:] == ["hit.plus", "hit.minus"]


GFF3 = """##gff-version 3
chrI\ts\tgene\t21\t80\t.\t+\t.\tID=g1;Name=ABC1
chrI\ts\tmRNA\t21\t80\t.\t+\t.\tID=t%3B1;Parent=g1
chrI\ts\texon\t21\t80\t.\t+\t.\tParent=t%3B1
chrI\ts\tncRNA\t31\t90\t.\t-\t.\tID=t2;Parent=g1
chrII\ts\tpseudogene\t5\t9\t.\t-\t.\tID=g2
"""


def test_gtf_gives_every_transcripts_start_on_its_strand_and_genes_without_transcripts(
    tmp_path: Path, model: Path, genome: Path, at_base: dict[tuple[str, int, str], float]
) -> None:
    (tmp_path / "genes.txt").write_text(GTF)
    rows = score_table(model, genome, tmp_path / "genes.txt")
    assert [tuple(row[name] for name in ("chrom", "start", "end", "name", "strand", "gene")) for row in rows] == [
        ("chrI", "20", "21", "t1", "+", "ABC1"),
        ("chrI", "89", "90", "t2", "-", "ABC1"),
        ("chrII", "8", "9", "g2", "-", "g2"),
        ("chrII", "49", "50", "t3", "-", "g3"),
    ]
    for row in rows:
        own, other = ("plus", "minus") if row["strand"] == "+" else ("minus", "plus")
        place = row["chrom"], int(row["start"])
        assert number(row["hit.sense"]) == pytest.approx(at_base[(*place, own)], abs=1e-6)
        assert number(row["hit.antisense"]) == pytest.approx(at_base[(*place, other)], abs=1e-6)


def test_gff3_gives_the_same_starts_under_its_own_identifiers(tmp_path: Path, model: Path, genome: Path) -> None:
    (tmp_path / "genes.gff").write_text(GFF3)
    (tmp_path / "genes.gff.gz").write_bytes(gzip.compress(GFF3.encode()))
    rows = score_table(model, genome, tmp_path / "genes.gff")
    assert [(row["start"], row["name"], row["strand"], row["gene"]) for row in rows] == [
        ("20", "t;1", "+", "g1"),
        ("89", "t2", "-", "g1"),
        ("8", "g2", "-", "g2"),
    ]
    assert score_table(model, genome, tmp_path / "genes.gff.gz") == rows


def test_a_segment_of_a_gene_stands_for_its_transcript(tmp_path: Path, model: Path, genome: Path) -> None:
    lines = ["gene\t21\t80\t.\t-\t.\tID=g1", "V_gene_segment\t21\t80\t.\t-\t.\tID=v1;Parent=g1"]
    (tmp_path / "genes.gff").write_text("".join(f"chrI\ts\t{line}\n" for line in lines))
    rows = score_table(model, genome, tmp_path / "genes.gff")
    assert [(row["start"], row["name"], row["gene"]) for row in rows] == [("79", "v1", "g1")]


def test_an_escaped_tab_or_line_end_in_a_name_does_not_break_the_table(
    tmp_path: Path, model: Path, genome: Path
) -> None:
    (tmp_path / "genes.gff").write_text("chrI\ts\tgene\t21\t80\t.\t-\t.\tID=a%09b%0Ac\n")
    (row,) = score_table(model, genome, tmp_path / "genes.gff")
    assert (row["name"], row["gene"], row["start"]) == ("a b c", "a b c", "79")


def test_a_model_without_strands_gives_a_transcript_one_column(tmp_path: Path, folder: Path, genome: Path) -> None:
    forward = small_model(tmp_path, strands="average").path
    (tmp_path / "genes.gtf").write_text(GTF)
    assert list(score_table(forward, genome, tmp_path / "genes.gtf")[0])[6:] == ["gene", "background", "hit"]


HEAD = (
    "##fileformat=VCFv4.2\r\n##contig=<ID=I,assembly=x,length=300>\r\n##contig=<ID=elsewhere,length=7>\r\n"
    '##INFO=<ID=AF,Number=A,Type=Float,Description="x, y">\r\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone\r\n"
)


def mixed_vcf(path: Path, sequences: dict[str, str]) -> Path:
    """Windows line ends, several alleles, one without bases, none at all, over unknown bases."""
    base = {position: bases_at(sequences, "chrI", position) for position in (10, 20, 30)}
    unknown = "II\t105\t.\tN\tA\t.\t.\t.\tGT\t0|1\r\n"
    path.write_text(
        HEAD
        + f"I\t10\trs1\t{base[10]}\t{other(base[10])},<DEL>,{base[10]}AC\t50\tPASS\tAF=0.1,0.2,0.3\tGT\t0|1\r\n"
        + f"I\t20\t.\t{base[20].lower()}\t.\t.\t.\tAF=.\tGT\t0|0\r\n"
        + f"I\t30\t.\t{base[30]}\t{other(base[30])}\t.\t.\t.\tGT\t0|1\r\n"
        + unknown,
        newline="",
    )
    return path


def test_a_vcf_keeps_its_lines_byte_for_byte_and_gets_fields(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    file, told = mixed_vcf(tmp_path / "in.vcf", sequences), Told()
    output = tmp_path / "out.vcf"
    result = run_score(ScoreOptions(str(model), genome, file, output, ("hit",), device="cpu", unfit="skip"), told)
    assert result == (3, {"the allele is symbolic: it says no bases": 1})
    assert "left out: 1 times the allele is symbolic: it says no bases" in told.notes
    assert any(text.startswith("sequence names: I as chrI, II as chrII") for text in told.notes)
    before, after = file.read_bytes().splitlines(keepends=True), output.read_bytes().splitlines(keepends=True)
    new = [line for line in after if line.startswith(b"##INFO=<ID=TG_")]
    assert len(new) == 8
    assert all(line.endswith(b">\r\n") for line in new)
    kept = [line for line in after if line not in new]
    assert kept[:5] == before[:5]
    assert kept[6] == before[6]
    for line, old in zip(kept[5:], before[5:], strict=True):
        fields, wanted = line.split(b"\t"), old.split(b"\t")
        assert fields[:7] + fields[8:] == wanted[:7] + wanted[8:]
    info = dict(entry.split("=") for entry in kept[5].decode().split("\t")[7].split(";"))
    assert info["AF"] == "0.1,0.2,0.3"
    table = score_table(model, genome, file, unfit="skip")
    assert info["TG_hit_plus_ref"] == table[0]["hit.plus.ref"]
    for kind in ("alt", "delta", "logodds"):
        shown = [row[f"hit.minus.{kind}"] for row in table[:2]]
        assert info[f"TG_hit_minus_{kind}"] == f"{shown[0]},.,{shown[1]}"
    assert b"TG_hit_plus_ref=.;" in kept[8]
    assert [row["hit.plus.ref"] for row in table[2:]] == [table[2]["hit.plus.ref"], "NA"]


def test_the_fields_are_read_back_by_htslib(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    records = [("chrI", position, bases_at(sequences, "chrI", position), "ACGT") for position in (5, 50, 200)]
    head = "##fileformat=VCFv4.2\n##contig=<ID=chrI,length=300>\n" + VCF_HEAD.split("\n")[1] + "\n"
    file = write_vcf(tmp_path / "in.vcf", records, head)
    output = tmp_path / "out.vcf.gz"
    run_score(ScoreOptions(str(model), genome, file, output, device="cpu"), NullProgress())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.vcf", "out.vcf.gz", "out.vcf.gz.tbi"]
    table = score_table(model, genome, file)
    with pysam.VariantFile(str(output)) as found:
        assert found.header.info["TG_hit_plus_delta"].number == "A"
        assert "plus strand by small" in found.header.info["TG_hit_plus_delta"].description
        (record,) = found.fetch("chrI", 49, 50)
        assert record.info["TG_hit_plus_delta"][0] == pytest.approx(number(table[1]["hit.plus.delta"]), abs=1e-7)
        assert record.info["TG_hit_plus_ref"] == pytest.approx(number(table[1]["hit.plus.ref"]), abs=1e-7)


def test_a_vcf_that_is_not_sorted_gets_no_index_and_an_old_one_goes(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    told, output = Told(), tmp_path / "out.vcf.gz"
    for index in (".tbi", ".csi"):
        (tmp_path / f"out.vcf.gz{index}").write_bytes(b"of another file")
    places = [("chrI", 50), ("chrI", 5)]
    file = write_vcf(tmp_path / "in.vcf", [(*place, bases_at(sequences, *place), "A") for place in places])
    run_score(ScoreOptions(str(model), genome, file, output, device="cpu"), told)
    assert "no index: the records are not sorted, or a position or a line is none that it could hold" in told.notes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.vcf", "out.vcf.gz"]
    assert gzip.decompress(output.read_bytes()).count(b"TG_hit_plus_ref=") == 2


def test_packed_files_give_what_plain_ones_give(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    records = [("chrI", position, bases_at(sequences, "chrI", position), "A,C") for position in range(1, 301)]
    plain = write_vcf(tmp_path / "in.vcf", records)
    (tmp_path / "zipped").write_bytes(gzip.compress(plain.read_bytes()))
    with open(tmp_path / "blocks", "wb") as file, BgzfWriter(file) as packed:
        packed.write(plain.read_bytes())
    wanted = score_table(model, genome, plain)
    assert len(wanted) == 600
    assert score_table(model, genome, tmp_path / "zipped") == wanted
    assert score_table(model, genome, tmp_path / "blocks") == wanted


def test_an_index_of_the_other_kind_does_not_outlive_its_file(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    output = tmp_path / "out.vcf.gz"
    (tmp_path / "out.vcf.gz.csi").write_bytes(b"of another file, and htslib would take it")
    file = write_vcf(tmp_path / "in.vcf", [("chrI", 5, bases_at(sequences, "chrI", 5), "A,C")])
    run_score(ScoreOptions(str(model), genome, file, output, device="cpu"), NullProgress())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.vcf", "out.vcf.gz", "out.vcf.gz.tbi"]


@pytest.mark.parametrize(
    "line", ["\n", "chrX\t999999999\t.\tN\tA\t.\t.\t.\n", "chrI\t999999999999\t.\tN\tA\t.\t.\t.\n"]
)
def test_lines_that_no_index_can_hold_cost_the_index_and_nothing_else(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path, line: str
) -> None:
    told, output = Told(), tmp_path / "out.vcf.gz"
    (tmp_path / "out.vcf.gz.tbi").write_bytes(b"of another file")
    file = write_vcf(tmp_path / "in.vcf", [("chrI", 5, bases_at(sequences, "chrI", 5), "A,C")])
    file.write_text(file.read_text() + line)
    run_score(ScoreOptions(str(model), genome, file, output, device="cpu", unfit="skip"), told)
    assert any(note.startswith("no index: ") for note in told.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.vcf", "out.vcf.gz"]
    assert gzip.decompress(output.read_bytes()).endswith(line.encode())


def test_a_byte_order_mark_before_a_vcf_is_not_written(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    file = write_vcf(tmp_path / "in.vcf", [("chrI", 5, bases_at(sequences, "chrI", 5), "A,C")])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    run_score(ScoreOptions(str(model), genome, file, tmp_path / "o.vcf.gz", device="cpu"), NullProgress())
    with pysam.VariantFile(str(tmp_path / "o.vcf.gz")) as found:
        assert [record.pos for record in found.fetch("chrI", 0, 10)] == [5]


def test_info_that_ends_with_a_semicolon_gets_no_entry_without_a_name(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    text = f"chrI\t5\t.\t{bases_at(sequences, 'chrI', 5)}\tA\t.\t.\tDP=3;\n"
    (tmp_path / "in.vcf").write_text(VCF_HEAD + text)
    run_score(ScoreOptions(str(model), genome, tmp_path / "in.vcf", tmp_path / "o.vcf", device="cpu"), NullProgress())
    info = (tmp_path / "o.vcf").read_text().splitlines()[-1].split("\t")[7]
    assert info.startswith("DP=3;TG_background_plus_ref=")


def test_a_vcf_without_records_is_written_as_it_is_with_its_new_header(
    tmp_path: Path, model: Path, genome: Path
) -> None:
    file, output = write_vcf(tmp_path / "in.vcf", []), tmp_path / "out.vcf"
    assert run_score(ScoreOptions(str(model), genome, file, output, device="cpu"), NullProgress()).records == 0
    assert output.read_text().count("##INFO=<ID=TG_") == 16
    assert score_table(model, genome, file) == []


@pytest.mark.parametrize(
    ("words", "position", "old", "new"),
    [
        ("I:g.41{old}>{new}", 41, 1, "{new}"),
        ("chrI:41 {old}>{old}ACG", 41, 1, "{old}ACG"),
        ("chrI 41 . {old} {new}", 41, 1, "{new}"),
        ("chrI:g.41_43dup", 41, 3, "{three}{three}"),
        ("chrI:g.41_43delinsTT", 41, 3, "TT"),
    ],
)
def test_a_variant_in_words_scores_as_its_line_of_vcf(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path, words: str, position: int, old: int, new: str
) -> None:
    base = bases_at(sequences, "chrI", 41)
    given = {"old": base, "new": other(base), "three": bases_at(sequences, "chrI", 41, 3)}
    record = ("chrI", position, bases_at(sequences, "chrI", position, old), new.format(**given))
    (wanted,) = score_table(model, genome, write_vcf(tmp_path / "in.vcf", [record]))
    (found,) = score_table(model, genome, Path(words.format(**given)))
    assert list(found.values())[1:] == list(wanted.values())[1:]
    assert found["chrom"] == words[: len("chrI" if words.startswith("chr") else "I")]


def test_deleted_and_inserted_bases_in_words_are_told_by_a_dash(
    sequences: dict[str, str], model: Path, genome: Path
) -> None:
    (deleted,) = score_table(model, genome, Path("chrI:g.41_42del"))
    (inserted,) = score_table(model, genome, Path("chrI:g.41_42insA"))
    assert (deleted["ref"], deleted["alt"]) == (bases_at(sequences, "chrI", 41, 2), "-")
    assert (inserted["start"], inserted["end"], inserted["ref"], inserted["alt"]) == ("41", "41", "-", "A")


def test_a_bed_whose_name_and_score_are_numbers_is_no_gtf(tmp_path: Path, model: Path, genome: Path) -> None:
    bed = write_bed(tmp_path / "in.bed", [("chrI", 10, 21, 5, 1000, "+", 10, 21, 0)])
    (row,) = score_table(model, genome, bed)
    assert (row["name"], row["score"], row["strand"]) == ("5", "1000", "+")


def test_what_a_header_lists_beside_the_records_sequences_does_no_harm(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    record = ("chrI", 12, bases_at(sequences, "chrI", 12), "A")
    for more in ("chrM,length=50>\n##contig=<ID=MT,length=50", "chrII,length=7"):
        head = VCF_HEAD.replace("#CHROM", f"##contig=<ID={more}>\n#CHROM")
        assert len(score_table(model, genome, write_vcf(tmp_path / "in.vcf", [record], head))) == 1
