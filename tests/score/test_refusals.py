"""What scoring refuses, with which words and which exit status; and that nothing is written then."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pysam
import pytest

from tests.models import small_model
from tests.score.files import GTF, VCF_HEAD, bases_at, other, refused, score_table, write_bed, write_vcf
from trackgen.errors import DataError, ModelError, ResourceError, UsageError
from trackgen.genome.bgzf_writer import BgzfWriter
from trackgen.progress import NullProgress
from trackgen.score import ScoreOptions, run_score


def test_a_transcript_without_strand_is_refused_or_left_out(tmp_path: Path, model: Path, genome: Path) -> None:
    (tmp_path / "genes.gtf").write_text(GTF.replace("-", "."))
    message = refused(model, genome, tmp_path / "genes.gtf")
    assert "genes.gtf, line 5: the transcript has no strand, so no start; found t2; wanted + or -." in message
    rows = score_table(model, genome, tmp_path / "genes.gtf", unfit="skip")
    assert [row["name"] for row in rows] == ["t1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["the file is empty"]),
        ("# nothing\n\n", ["the file has no record; found 2 lines without data"]),
        (">chrI\nACGT\n", ["this looks like a genome, not like records on one", "MODEL comes first, then GENOME"]),
        ("chrI\t5\trs1\tA\tG\t.\t.\t.\n", ["line 1: this looks like VCF without its header", "##fileformat=VCFv4.2"]),
        ("##fileformat=VCFv4.2\nchrI\t5\t.\tA\tG\t.\t.\t.\n", ["line 2: a record stands before the line of columns"]),
        ("##fileformat=VCFv4.2\n", ["the VCF has no line of columns"]),
        (VCF_HEAD + "chrI\t5\t.\tA\tG\n", ["line 3: the line of the VCF has too few columns; found 5"]),
        (VCF_HEAD + "chrI\tx\t.\tA\tG\t.\t.\t.\n", ["line 3: the position is not a whole number; found 'x'"]),
        (
            VCF_HEAD + f"chrI\t{'9' * 5000}\t.\tA\tG\t.\t.\t.\n",
            ["line 3: the position is not a whole number", "18 at most"],
        ),
        (f"chrI\t5\t9\nchrI\t5\t{'9' * 5000}\n", ["line 2: this is no interval"]),
        (GTF + f"chrI\ts\tgene\t5\t{'9' * 5000}\t.\t+\t.\t\n", ["line 9: the positions are no stretch of a sequence"]),
        ("chrI 5 9\n", ["this is neither BED, GTF, GFF3 nor VCF; its columns are separated by spaces"]),
        ("chrI\t5\t9\nchrI\t6\t\u00b2\n", ["line 2: this is no interval"]),
        ("chrI\t5\t9\nchrI\t9\t5\n", ["line 2: the interval is empty or ends before it starts; found 9 to 5"]),
        ("chrI\t5\t9\nchrI\t290\t301\n", ["line 2: the record ends beyond its sequence", "to base 301", "at most 300"]),
        ("chrI\t5\t9\nchrX\t5\t9\n", ["line 2: the BED file names a sequence that the genome does not have", "chrX"]),
        ("chrI\ts\tregion\t5\t9\t.\t+\t.\tgene_id\n", ["the annotation has no transcript and no gene"]),
        ('chrI\ts\tgene\t5\t301\t.\t+\t.\tgene_id "g";\n', ["line 1: the record ends beyond its sequence"]),
        ("\0\1\2\n", ["line 1: this is not a text file"]),
        ("BCF\2\2xx\n", ["this is BCF, the binary form of VCF", "Bcftools view FILE.bcf > FILE.vcf"]),
    ],
)
def test_a_bad_file_is_refused_with_its_line(
    tmp_path: Path, model: Path, genome: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "bad").write_text(text, encoding="utf-8")
    message = refused(model, genome, tmp_path / "bad")
    assert message.startswith(str(tmp_path / "bad"))
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            "chrI\t{pos}\t.\t{wrong}\tA",
            ["the variant's reference is not what stands in the genome", "{wrong} at chrI:12"],
        ),
        ("chrI\t{pos}\t.\t{base}\t<DEL>", ["the allele is symbolic: it says no bases; found <DEL> at chrI:12"]),
        ("chrI\t{pos}\t.\t{base}\t*", ["the allele is symbolic", "found * at chrI:12"]),
        ("chrI\t{pos}\t.\t{base}\t{base}]chrI:9]", ["the allele is symbolic"]),
        ("chrI\t{pos}\t.\t{base}\tAR", ["the alternative allele has letters that are no bases; found 'AR'"]),
        ("chrI\t{pos}\t.\t{base}\tA,", ["the alternative allele has letters that are no bases; found ''"]),
        (
            "chrI\t{pos}\t.\tR\tA",
            ["the reference allele has letters that are no bases; found 'R'", "--unfit skip leaves"],
        ),
        ("chrI\t0\t.\tN\tA", ["the position is before its sequence; found 0; wanted 1 or more", "--unfit skip leaves"]),
        ("chrI\t301\t.\tA\tC", ["the record ends beyond its sequence; found chrI to base 301; wanted at most 300"]),
        ("chrX\t5\t.\tA\tC", ["the VCF file names a sequence that the genome does not have; found chrX"]),
    ],
)
def test_a_variant_that_cannot_be_scored_is_refused_with_its_line_or_left_out(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path, record: str, words: list[str]
) -> None:
    base = bases_at(sequences, "chrI", 12)
    given = {"pos": "12", "base": base, "wrong": other(base)}
    good = f"chrI\t12\t.\t{base}\t{other(base)}\t.\t.\t.\n"
    line = record.format(**given) + "\t.\t.\t.\n"
    (tmp_path / "bad.vcf").write_text(VCF_HEAD + good + line)
    message = refused(model, genome, tmp_path / "bad.vcf")
    assert message.startswith(f"{tmp_path / 'bad.vcf'}, line 4: ")
    for word in words:
        assert word.format(**given) in message
    if "not what stands" in message:
        assert f"wanted {base}, which stands there" in message
    (tmp_path / "good.vcf").write_text(VCF_HEAD + good)
    rows = score_table(model, genome, tmp_path / "bad.vcf", unfit="skip")
    wanted = score_table(model, genome, tmp_path / "good.vcf")
    assert rows[:1] == wanted
    # Of several alleles the others stay.
    assert len(rows) == (2 if record.endswith("A,") else 1)
    run_score(
        ScoreOptions(str(model), genome, tmp_path / "bad.vcf", tmp_path / "o.vcf", device="cpu", unfit="skip"),
        NullProgress(),
    )
    last = (tmp_path / "o.vcf").read_text().splitlines(keepends=True)[-1]
    assert last == line or record.endswith("A,")


def test_a_vcf_of_another_assembly_is_told_by_its_contigs(tmp_path: Path, model: Path, genome: Path) -> None:
    head = "##fileformat=VCFv4.2\n##contig=<ID=chrI,length=301>\n" + VCF_HEAD.split("\n")[1] + "\n"
    message = refused(model, genome, write_vcf(tmp_path / "in.vcf", [("chrI", 5, "A", "C")], head))
    assert "a sequence of the VCF file has another length than in the genome" in message


def test_none_of_the_sequences_known_is_refused_even_where_unfit_ones_are_skipped(
    tmp_path: Path, model: Path, genome: Path
) -> None:
    message = refused(model, genome, write_bed(tmp_path / "x.bed", [("chrX", 1, 2)]), unfit="skip")
    assert "x.bed, line 1: the BED file names a sequence that the genome does not have; found chrX" in message


@pytest.mark.parametrize("named", ["-", "pipe"])
def test_a_pipe_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, genome: Path, named: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    message = refused(model, genome, Path(named))
    assert f"{named}: this is a pipe, which can't be read twice; wanted a BED, GTF, GFF3 or VCF file." in message
    assert "Write it to a file first: COMMAND > FILE." in message


@pytest.mark.parametrize("blocks", [True, False])
def test_a_packed_file_that_was_cut_off_is_refused_before_anything_is_written(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path, blocks: bool
) -> None:
    text = write_vcf(tmp_path / "in.vcf", [("chrI", 12, bases_at(sequences, "chrI", 12), "A")] * 3000).read_bytes()
    packed = io.BytesIO()
    if blocks:
        with BgzfWriter(packed) as writer:
            writer.write(text)
    else:
        packed.write(gzip.compress(text))
    (tmp_path / "cut.vcf.gz").write_bytes(packed.getvalue()[: -40 if blocks else -9])
    with pytest.raises(DataError, match="truncated") as caught:
        run_score(ScoreOptions(str(model), genome, tmp_path / "cut.vcf.gz", tmp_path / "o.vcf"), NullProgress())
    assert caught.value.exit_status == 3
    assert not list(tmp_path.glob("o.vcf*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output": Path("out.bed")}, ["-o: the output's suffix says no format", ".tsv, .vcf or .vcf.gz"]),
        ({"output": Path("nowhere/out.tsv")}, ["-o: the output's folder does not exist"]),
        ({"output": Path("in.vcf")}, ["-o: the output is the input"]),
        ({"output": Path("o.vcf"), "prefix": "1"}, ["--prefix: no name of an INFO field begins so; found 1"]),
        ({"classes": ("hat",)}, ["--classes: no model has such a class; found hat", "Did you mean hit"]),
        ({"signals": (("atac", Path("x.bw")),)}, ["no model has a signal input of this name"]),
    ],
)
def test_options_that_cannot_be_honoured_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    genome: Path,
    options: dict[str, object],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_vcf(Path("in.vcf"), [])
    with pytest.raises(UsageError) as caught:
        run_score(ScoreOptions(str(model), genome, Path("in.vcf"), **options), NullProgress())  # type: ignore[arg-type]
    assert caught.value.exit_status == 2
    for word in words:
        assert word in str(caught.value)


def test_regions_cannot_be_written_as_vcf(tmp_path: Path, model: Path, genome: Path) -> None:
    bed = write_bed(tmp_path / "in.bed", [("chrI", 1, 2)])
    with pytest.raises(UsageError, match="a BED file can't be written as VCF"):
        run_score(ScoreOptions(str(model), genome, bed, tmp_path / "o.vcf"), NullProgress())


def test_fields_that_the_vcf_has_already_are_refused_and_another_prefix_helps(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    file = write_vcf(tmp_path / "in.vcf", [("chrI", 12, bases_at(sequences, "chrI", 12), "ACGT")])
    once, twice = tmp_path / "once.vcf", tmp_path / "twice.vcf"
    run_score(ScoreOptions(str(model), genome, file, once, ("hit",), device="cpu"), NullProgress())
    with pytest.raises(DataError) as caught:
        run_score(ScoreOptions(str(model), genome, once, twice, ("hit",), device="cpu"), NullProgress())
    assert "once.vcf, INFO: the VCF has a field of this name already; found TG_hit_plus_ref" in str(caught.value)
    assert "bcftools annotate -x INFO/TG_hit_plus_ref" in str(caught.value)
    assert caught.value.exit_status == 3
    run_score(ScoreOptions(str(model), genome, once, twice, ("hit",), device="cpu", prefix="B"), NullProgress())
    info = twice.read_text().splitlines()[-1].split("\t")[7]
    assert info.count(";") == 15
    assert "B_hit_minus_delta=" in info


def test_a_field_that_the_header_does_not_tell_of_is_refused_all_the_same(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    base = bases_at(sequences, "chrI", 12)
    (tmp_path / "in.vcf").write_text(VCF_HEAD + f"I\t12\t.\t{base}\tACG\t.\t.\tDP=3;TG_hit_plus_ref=0.5\n")
    options = ScoreOptions(str(model), genome, tmp_path / "in.vcf", tmp_path / "o.vcf", ("hit",), device="cpu")
    with pytest.raises(DataError) as caught:
        run_score(options, NullProgress())
    wanted = "in.vcf, INFO at I:12: the VCF has a field of this name already; found TG_hit_plus_ref; wanted names"
    assert wanted in str(caught.value)
    assert caught.value.exit_status == 3
    assert [path.name for path in tmp_path.iterdir()] == ["in.vcf"]


def test_class_names_that_vcf_does_not_let_are_spelled_otherwise_and_stay_different(
    tmp_path: Path, sequences: dict[str, str], genome: Path
) -> None:
    model = small_model(tmp_path, classes=("a-b", "a_b")).path
    file = write_vcf(tmp_path / "in.vcf", [("chrI", 12, bases_at(sequences, "chrI", 12), "ACGT")])
    run_score(ScoreOptions(str(model), genome, file, tmp_path / "o.vcf", device="cpu"), NullProgress())
    with pysam.VariantFile(str(tmp_path / "o.vcf")) as found:
        names = list(found.header.info)
    assert names[0] == "TG_a_b_ref"
    assert len(set(names)) == 8


def test_a_result_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, genome: Path
) -> None:
    bed = write_bed(tmp_path / "in.bed", [("chrI", 1, 2)])
    output = tmp_path / "o.tsv"
    output.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trackgen.score.target.os.replace", full)
    with pytest.raises(ResourceError, match="the output can't be written; found No space left"):
        run_score(ScoreOptions(str(model), genome, bed, output, device="cpu"), NullProgress())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.bed", "o.tsv"]
    assert output.read_text() == "before"


def test_a_model_that_yields_nan_is_told_with_its_place(tmp_path: Path, genome: Path) -> None:
    path = small_model(tmp_path, activation="none").path
    net = onnx.load(path)
    for entry in net.graph.initializer:
        if entry.name.endswith("_bias"):
            shape = onnx.numpy_helper.to_array(entry).shape
            entry.CopyFrom(onnx.numpy_helper.from_array(np.full(shape, 3e38, np.float32), entry.name))
        elif entry.name == "second_weight":
            entry.CopyFrom(onnx.numpy_helper.from_array(np.ones((6, 2), np.float32), entry.name))
    onnx.save(net, path)
    with pytest.raises(
        ModelError, match=r"the window about chrI:12: output out of model small is not a number"
    ) as caught:
        score_table(path, genome, write_bed(tmp_path / "in.bed", [("chrI", 11, 12)]))
    assert caught.value.exit_status == 4


def test_the_command_writes_a_table_to_stdout_and_tells_the_rest_on_stderr(
    tmp_path: Path, model: Path, genome: Path
) -> None:
    write_bed(tmp_path / "in.bed", [("chrI", 11, 12)])
    result = run("score", model, genome, tmp_path / "in.bed", "--classes", "hit", "--device", "cpu", "-t", 1)
    assert result.returncode == 0, result.stderr
    head, row = result.stdout.splitlines()
    assert head == "#chrom\tstart\tend\tname\tscore\tstrand\thit.plus\thit.minus"
    assert row.startswith("chrI\t11\t12\t.\t.\t.\t0.")
    assert "scoring: 1 records" in result.stderr


def test_model_and_genome_in_the_wrong_order_are_told_so(tmp_path: Path, model: Path, genome: Path) -> None:
    bed = write_bed(tmp_path / "in.bed", [("chrI", 11, 12)])
    result = run("score", genome, model, bed)
    assert result.returncode == 2
    assert "MODEL and GENOME are swapped" in result.stderr
    assert f"Run: trackgen score {model} {genome} {bed}" in result.stderr


def test_a_bad_record_ends_the_command_with_status_3_file_and_line(tmp_path: Path, model: Path, genome: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [("chrX", 5, "A", "C")])
    result = run("score", model, genome, vcf, "-o", tmp_path / "out.tsv")
    assert result.returncode == 3
    assert f"{vcf}, line 3: the VCF file names a sequence that the genome does not have" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out.tsv").exists()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trackgen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_variant_in_words_is_refused_by_what_is_wrong_with_it(
    tmp_path: Path, sequences: dict[str, str], model: Path, genome: Path
) -> None:
    base = bases_at(sequences, "chrI", 12)
    message = refused(model, genome, Path(f"chrI:12 {other(base)}>{base}"))
    assert message.startswith("chrI:12: the variant's reference is not what stands in the genome")
    assert f"wanted {base}, which stands there" in message
    message = refused(model, genome, Path("chrX:12 A>C"))
    assert "chrX:12 A>C, variant: the variant names a sequence that the genome does not have" in message
    message = refused(model, genome, Path("chrI:g.300_301del"))
    assert "the record ends beyond its sequence; found chrI to base 301; wanted at most 300" in message
    with pytest.raises(UsageError, match="there are several alternatives"):
        score_table(model, genome, Path("chrI:12 A>C,G"))
    with pytest.raises(UsageError, match="a variant can't be written as VCF"):
        run_score(ScoreOptions(str(model), genome, Path("chrI:g.12del"), tmp_path / "o.vcf"), NullProgress())
    assert "the file does not exist" in refused(model, genome, tmp_path / "12.vcf")
