"""Sets of labelled sequences: from Zeng's, DeepBind's and FASTA files, from peaks, and from files that are wrong."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.genome import decode, encode, open_genome
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.discovery import Marks, assembly_doubt, centres, discovery_set, windows_around
from trackgen.learn.datasets.importers import SetOptions, open_set
from trackgen.learn.datasets.sequence_files import read_deepbind, read_fasta, read_zeng, stacked
from trackgen.learn.datasets.sequences import SequenceSet
from trackgen.learn.datasets.windows import Sites

HEAD = "FoldID\tEventID\tseq\tBound\n"


def letters(number: int, length: int = 12, seed: int = 1) -> list[str]:
    return [decode(row) for row in np.random.default_rng(seed).integers(0, 4, (number, length)).astype(np.uint8)]


def write_zeng(folder: Path, number: int = 60, length: int = 12) -> Path:
    """`number` bound sequences, each followed by a shuffle; gzip; two lines a sequence."""
    rows = letters(number, length)
    text = "".join(
        f">chr1:{i + 1}-{i + length}\n{row}\n>chr1:{i + 1}-{i + length}_shuf\n{row[::-1]}\n"
        for i, row in enumerate(rows)
    )
    (folder / "toy.fa.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "toy.target").write_text("1\t0\n0\t1\n" * number)
    return folder / "toy.fa.gz"


def test_zengs_format_is_read_with_its_labels_and_places(tmp_path: Path) -> None:
    path = write_zeng(tmp_path)
    found = open_set(f"zeng:{path}")
    assert (found.name, len(found), found.window, int(found.labels.sum())) == ("toy", 120, 12, 60)
    assert found.places[:3] == ("chr1:1-12", "chr1:1-12", "chr1:2-13")
    assert [decode(row) for row in found.codes[::2]] == letters(60)
    assert open_set(f"CTCF=zeng:{path}+{path}").name == "CTCF"
    assert len(open_set(f"zeng:{path}+{path}")) == 240


def test_zengs_lines_of_three_columns_are_read(tmp_path: Path) -> None:
    (tmp_path / "toy.tsv").write_text(">chr1:1-4\tACGT\t1\n>chr1:1-4_shuf\tAGCT\t0\n\n")
    found = read_zeng(tmp_path / "toy.tsv")
    assert (found.labels.tolist(), found.places) == ([1, 0], ("chr1:1-4", "chr1:1-4"))
    assert [decode(row) for row in found.codes] == ["ACGT", "AGCT"]


def test_deepbinds_positives_are_shuffled_and_its_b_file_tests(tmp_path: Path) -> None:
    train, test = letters(60), letters(100, seed=2)
    rows = "".join(f"A\tseq_{i}_peak\t{row}\t1\n" for i, row in enumerate(train))
    held = "".join(f"A\tseq_{i}\t{row}\t{i % 2}\n" for i, row in enumerate(test))
    (tmp_path / "ELK1_GM12878_x_AC.seq").write_text(HEAD + rows)
    (tmp_path / "ELK1_GM12878_x_B.seq").write_text(HEAD + held)
    found = open_set(f"deepbind:{tmp_path / 'ELK1_GM12878_x_AC.seq'}")
    assert (found.name, len(found), int(found.test.sum())) == ("ELK1", 220, 100)
    pairs = [sorted(pairwise(row)) for row in found.codes[:120].tolist()]
    assert pairs[:60] == pairs[60:]
    assert found.labels[:120].tolist() == [1] * 60 + [0] * 60
    parts = [found.parts(seed) for seed in (1, 2)]
    assert parts[0].test.digest == parts[1].test.digest
    assert [decode(row) for row in parts[0].test.codes] == test
    assert parts[0].validation.digest != parts[1].validation.digest
    assert len(parts[0].validation) == round(60 / 8) * 2
    assert open_set(f"deepbind:{tmp_path / 'ELK1_GM12878_x_AC.seq'}").digest == found.digest


def test_two_fasta_files_make_a_set(tmp_path: Path) -> None:
    for name, seed in (("bound", 1), ("unbound", 2)):
        text = "".join(f">{i} more\n{row[:7]}\n{row[7:].lower()}\n" for i, row in enumerate(letters(50, seed=seed)))
        (tmp_path / f"{name}.fa").write_text(text)
    found = open_set(f"fasta:{tmp_path / 'bound.fa'},{tmp_path / 'unbound.fa'}")
    assert found.labels.tolist() == [1] * 50 + [0] * 50
    assert [decode(row) for row in found.codes] == letters(50) + letters(50, seed=2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ACGTNacgtnRY", min_size=5, max_size=5).filter(lambda t: set(t.upper()) & set("ACGT"))))
def test_sequences_survive_wrapping_and_compression(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    path.write_bytes(gzip.compress("".join(f">s{i}\n{row[:2]}\n{row[2:]}\n" for i, row in enumerate(rows)).encode()))
    if rows:
        assert np.array_equal(stacked(path, read_fasta(path)), np.stack([encode(row.encode()) for row in rows]))


@pytest.mark.parametrize(
    ("fasta", "target", "message"),
    [
        (">a\nACG\n>b\nAC\n", "1\t0\n0\t1\n", "b: the sequences are not of one length; found 2 bases; wanted 3"),
        (">a\nACG\n>b\nACG\n", "1\t0\n", r"x.target: labels and sequences do not match; found 1 labels; wanted 2"),
        (">a\nACG\n", "1\t1\n", "x.target, line 1: this is no label; found '1.t1'"),
        (">a_shuf\nACG\n", "1\t0\n", "labels and sequences do not match; found label 1 .bound. for a_shuf"),
        (">a\nNNN\n", "1\t0\n", "a sequence has no known base; found 3 x N"),
        (">a\nAQG\n", "1\t0\n", "sequence a, base 2: a letter stands for no nucleotide; found 'Q'"),
        (">a\n\n", "1\t0\n", "a sequence has no bases"),
        ("ACG\n", "1\t0\n", "line 1: this is no FASTA; found 'ACG'"),
        ("", "", "the file holds no sequence"),
        (">a\tACG\t2\n", "", "a line is not `>place<tab>sequence<tab>label`"),
        (">a\nACG\n", None, "x.target: the file does not exist"),
    ],
)  # fmt: skip
def test_wrong_files_of_zeng_are_refused(tmp_path: Path, fasta: str, target: str | None, message: str) -> None:
    (tmp_path / "x.fa").write_text(fasta)
    if target is not None:
        (tmp_path / "x.target").write_text(target)
    with pytest.raises(DataError, match=message) as caught:
        open_set(f"zeng:{tmp_path / 'x.fa'}")
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n", "these are no sequences in DeepBind's format"),
        (HEAD, "the file holds no sequence"),
        (HEAD + "A\tx\tACG\t7\n", "line 2: this is no label; found '7'; wanted 0 or 1"),
    ],
)
def test_wrong_files_of_deepbind_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x_AC.seq").write_text(text)
    with pytest.raises(DataError, match=message):
        read_deepbind(tmp_path / "x_AC.seq")


def test_a_class_that_is_missing_or_small_is_refused_with_the_number_it_needs(tmp_path: Path) -> None:
    path = write_zeng(tmp_path, number=20)
    with pytest.raises(DataError, match="toy: there are too few bound sequences; found 20; wanted 50 or more"):
        open_set(f"zeng:{path}")
    codes, labels = np.zeros((60, 4), np.uint8), np.ones(60, np.int64)
    with pytest.raises(DataError, match="too few unbound sequences; found 0"):
        SequenceSet("one", codes, labels, labels < 0).require_classes()
    with pytest.raises(DataError, match="sequences and labels do not match; found 60 sequences, 59 labels") as caught:
        SequenceSet("one", codes, labels[1:], labels < 0)
    assert caught.value.exit_status == 3


def test_files_of_different_lengths_do_not_make_a_set(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    paths = write_zeng(tmp_path), write_zeng(tmp_path / "b", length=10)
    with pytest.raises(DataError, match="the sequences are not of one length; found 10 bases; wanted 12"):
        open_set(f"zeng:{paths[0]}+{paths[1]}")
    with pytest.raises(UsageError, match="a set of FASTA files needs two"):
        open_set(f"fasta:{paths[0]}")


GENOME_LENGTHS = (3000, 2500)


@pytest.fixture
def small_genome(tmp_path: Path) -> Path:
    """Two random chromosomes; N at chr1:1,001-1,010."""
    random = np.random.default_rng(7)
    rows = [decode(random.integers(0, 4, length).astype(np.uint8)) for length in GENOME_LENGTHS]
    rows[0] = rows[0][:1000] + "N" * 10 + rows[0][1010:]
    (tmp_path / "g.fa").write_text("".join(f">chr{i + 1}\n{row}\n" for i, row in enumerate(rows)))
    return tmp_path / "g.fa"


def write_peaks(folder: Path, lines: list[str]) -> Path:
    (folder / "x.bed").write_text("".join(f"{line}\n" for line in lines))
    return folder / "x.bed"


def test_windows_lie_around_summits_and_midpoints_and_faulty_ones_are_counted(
    tmp_path: Path, small_genome: Path
) -> None:
    peaks = write_peaks(
        tmp_path,
        [
            "chr1\t100\t300\t.\t0\t.\t1.5\t-1\t2\t30",  # summit 130
            "chr1\t100\t300\t.\t0\t.\t1.5\t-1\t2\t-1",  # no summit: 200
            "chr2\t400\t401",
            "chr2\t400\t401",  # a second time
            "chr1\t10\t11",  # too near the end
            "chr1\t1020\t1021",  # N
            "chr2\t700\t701",  # excluded
        ],
    )
    with open_genome(small_genome) as genome:
        rows = read_peaks(peaks, genome.lengths)
        sites = centres(rows, genome)
        assert list(zip(sites.chromosome.tolist(), sites.position.tolist(), strict=True)) == [
            (0, 10), (0, 130), (0, 200), (0, 1020), (1, 400), (1, 700)
        ]  # fmt: skip
        excluded = read_peaks(write_peaks(tmp_path, ["chr2\t750\t760"]), genome.lengths)
        found = windows_around(genome, sites, 101, excluded)  # type: ignore[arg-type]
        assert found.sites.position.tolist() == [130, 200, 400]
        assert np.array_equal(found.codes[0], genome.fetch("chr1", 80, 181))
        assert [note.split(" ")[0] for note in found.notes] == ["1", "1", "1"]


def test_peaks_become_a_set_split_by_chromosome(tmp_path: Path, small_genome: Path) -> None:
    starts = range(60, 2400, 40)
    peaks = write_peaks(tmp_path, [f"chr{c}\t{s}\t{s + 1}\tReb1" for c in (1, 2) for s in starts] + ["chr1\t5\t6\tX"])
    options = SetOptions(genome=small_genome, test=("chr2",))
    found = open_set(f"{peaks}#Reb1", options)
    number = len(found) // 2
    assert found.name == "Reb1"
    assert found.labels.tolist() == [1] * number + [0] * number
    assert found.places[:number] == found.places[number:]
    assert all(place.startswith("chr2:") == bool(test) for place, test in zip(found.places, found.test, strict=True))
    assert np.array_equal(np.sort(found.codes[:number], axis=1), np.sort(found.codes[number:], axis=1))
    assert any("hold unknown bases" in note for note in found.notes)
    assert any("may be of different assemblies" in note for note in found.notes)
    kept = open_set(f"discovery:{peaks}#Reb1", SetOptions(small_genome, test=("chr2",), validation=("chr1",)))
    assert kept.parts(1).validation.places == kept.parts(2).validation.places
    assert not len(kept.parts(1).train)


@pytest.mark.parametrize(
    ("text", "options", "message", "status"),
    [
        ("{peaks}", {"genome": None}, "peaks need the genome that they lie on; .*wanted --genome FASTA", 2),
        ("{peaks}#Cbf1", {}, "no line is of what was asked for; found none with 'Cbf1' in column 4", 3),
        ("{peaks}", {"test": ("chr9",)}, "the test sequence chr9 is not in the genome; wanted chr1, chr2", 2),
        ("{peaks}", {"test": ("chr1",), "validation": ("chr1",)}, "validation and test at once; found chr1", 2),
        ("{peaks}", {"test": ("chr2",)}, "a class has no window on the test sequences; found none on chr2", 3),
        ("{peaks}", {"exclude": ("chr1",)}, "too few peaks to learn from; found 0 windows of 58 peaks; wanted 50", 3),
    ],
)
def test_peaks_that_make_no_set_are_refused(
    tmp_path: Path, small_genome: Path, text: str, options: dict[str, object], message: str, status: int
) -> None:
    peaks = write_peaks(tmp_path, [f"chr1\t{s}\t{s + 1}\tReb1" for s in range(60, 2380, 40)])
    settings_ = SetOptions(**({"genome": small_genome} | options))  # type: ignore[arg-type]
    with pytest.raises(TrackgenError, match=message) as caught:
        open_set(text.format(peaks=peaks), settings_)
    assert caught.value.exit_status == status


def test_peaks_beyond_the_genomes_ends_are_of_another_assembly(tmp_path: Path, small_genome: Path) -> None:
    peaks = write_peaks(tmp_path, ["chr1\t10\t20", "chr2\t2490\t2501"])
    with pytest.raises(DataError, match=r"line 2: the interval ends beyond.*the same assembly") as caught:
        open_set(str(peaks), SetOptions(genome=small_genome))
    assert caught.value.exit_status == 3


def test_places_in_zengs_headers_are_those_of_the_genome() -> None:
    found = open_set(f"zeng:{data_file('human_tf_seqs/zeng_ctcf/test.fa.gz')}")
    assert (len(found), int(found.labels.sum()), found.digest) == (19544, 9823, "e8762252daf77e1b")
    equal = 0
    with open_genome(data_file("human_hg19/hg19_chr20_chr22_part.fa.gz")) as genome:
        for place, label, codes in zip(found.places, found.labels, found.codes, strict=True):
            name, _, stretch = place.partition(":")
            if name in genome.lengths and label:
                start, end = map(int, stretch.split("-"))
                here = genome.fetch(name, start - 1, end)
                if (here < 4).all():
                    assert np.array_equal(here, codes), place
                    equal += 1
    assert equal == 36


@pytest.mark.parametrize("shift", [0, 3000, -5000])
def test_peaks_that_lie_elsewhere_are_doubted(shift: int) -> None:
    with open_genome(data_file("genome_yeast/sacCer3.fa.gz")) as genome:
        own = centres(read_peaks(data_file("yeast_tf/Reb1.chexmix.sacCer3.bed.gz"), genome.lengths), genome)
        lengths = np.array(list(genome.lengths.values()))[own.chromosome]
        moved = Sites(own.names, own.chromosome, np.clip(own.position + shift, 100, lengths - 100), own.minus)
        assert (assembly_doubt(genome, moved, 101) is None) == (shift == 0)


def test_reb1_peaks_of_yeast_make_a_discovery_set() -> None:
    with open_genome(data_file("genome_yeast/sacCer3.fa.gz")) as genome:
        rows = read_peaks(data_file("yeast_tf/Reb1.chexmix.sacCer3.bed.gz"), genome.lengths)
        found = discovery_set(genome, rows, 101, name="Reb1", marks=Marks(("chrIV", "chrXVI"), ("chrVII",)))
    parts = found.parts(1)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [1516, 230, 410]
    assert not found.notes
