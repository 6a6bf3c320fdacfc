"""``trackgen signal`` as users run it, and on real reads: the seed's own ATAC-seq, and 10x fragments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam
import pytest
from click.testing import CliRunner, Result

from tests.data import data_file
from tests.reads import LENGTHS, Read, pair, write_bam
from trackgen.cli.main import root
from trackgen.errors import ResourceError, UsageError
from trackgen.genome import open_signal
from trackgen.genome.fragments import FragmentOptions, load_fragments, open_fragments
from trackgen.signals import coverage_bins, cut_bins, cut_sites


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name}\n{'A' * length}\n" for name, length in LENGTHS.items()))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(root, ["signal", *map(str, words)])


def values(path: Path, name: str = "chrA") -> np.ndarray:
    with open_signal(path) as reader:
        return reader.values(name, 0, LENGTHS[name])


def test_a_bam_file_becomes_a_track_and_what_was_counted_is_told(tmp_path: Path, genome: Path) -> None:
    bam = write_bam(tmp_path / "a.bam", [*pair("chrA", 10, 60), *pair("chrA", 30, 90, quality=1)], index=False)
    target = tmp_path / "out.bw"
    done = run(bam, "--genome", genome, "-o", target, "--scale", "none", "--exclude", "chrA:21-30", "--bin", 5)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(target)
    assert "1 fragments of 4 records; 2 left out: mapping quality below 10; 1 left out: right read" in done.stderr
    assert "0.058 fragments over a base of the usual genome; values are multiplied by 1" in done.stderr
    found = values(target)
    assert found[:10].tolist() == [0] * 10
    assert found[10:20].tolist() == [1] * 10
    assert np.isnan(found[20:30]).all()
    assert (tmp_path / "a.bam.bai").is_file()


def test_options_reach_the_fragments(tmp_path: Path, genome: Path) -> None:
    bam = write_bam(tmp_path / "a.bam", [Read("chrA", 100, 0), Read("chrA", 200, 16, quality=3, cigar="20M")])
    target = tmp_path / "out.bw"
    words = ("--genome", genome, "-o", target, "--scale", "none", "--mapping-quality", 0)
    assert run(bam, *words, "--extend", 50).exit_code == 0
    assert np.flatnonzero(values(target)).tolist() == [*range(100, 150), *range(170, 220)]
    assert run(bam, *words, "--measure", "cuts").exit_code == 0
    assert np.flatnonzero(values(target)).tolist() == [104, 215]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--pairs", "paired"), 3, "the BAM file holds single reads, where fragments of pairs are asked"),
        (("--complement",), 2, "nothing is left beside all fragments"),
        (("--fraction", "0"), 2, "fraction"),
        (("--exclude", "chrQ:1-2"), 2, "chrQ"),
    ],
)
def test_what_cannot_be_done_ends_with_its_status_and_without_a_track(
    tmp_path: Path, genome: Path, words: tuple[str, ...], status: int, message: str
) -> None:
    bam = write_bam(tmp_path / "a.bam", [Read("chrA", 100, 0)])
    done = run(bam, "--genome", genome, "-o", tmp_path / "out.bw", *words)
    error = done.exception
    assert getattr(error, "exit_status", done.exit_code) == status
    assert message in f"{done.output}{error}"
    assert not list(tmp_path.glob("out.bw*"))


@pytest.mark.parametrize(("name", "measure"), [("a.bed", "coverage"), ("a.narrowPeak", "peaks"), ("a.bw", "coverage")])
def test_a_signal_is_not_written_over_what_it_is_made_of(tmp_path: Path, genome: Path, name: str, measure: str) -> None:
    (tmp_path / "a.bed").write_text("chrA\t10\t60\n")
    assert run(tmp_path / "a.bed", "--genome", genome, "-o", tmp_path / "a.bw").exit_code == 0
    (tmp_path / "a.narrowPeak").write_text("chrA\t10\t60\tp\t1\t.\t5\t3\t2\t20\n")
    before = (tmp_path / name).read_bytes()
    done = run(tmp_path / name, "--genome", genome, "-o", tmp_path / name, "--measure", measure)
    assert isinstance(done.exception, UsageError)
    assert "a signal can't be written over the file that it is made of" in str(done.exception)
    assert done.exception.exit_status == 2
    assert (tmp_path / name).read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, genome: Path) -> None:
    (tmp_path / "a.bed").write_text("chrA\t10\t60\n")
    target = tmp_path / "none" / "out.bw"
    done = run(tmp_path / "a.bed", "--genome", genome, "-o", target)
    assert isinstance(done.exception, ResourceError)
    assert str(done.exception).startswith(f"{target}: the track cannot be written; found No such file")


# Real reads.


@pytest.mark.data
def test_the_seeds_own_reads_show_the_ladder_of_nucleosomes() -> None:
    """GL1.bam is ATAC-seq of SRR891270: fragments free of nucleosomes below 100 bp, of one at about 200."""
    path = data_file("human_atac_bam/GL1.bam")
    with pysam.AlignmentFile(str(path)) as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
    sizes = np.concatenate(
        [chunk.end - chunk.start for chunk in open_fragments(path, lengths, FragmentOptions()).chunks()]
    )
    histogram = np.bincount(sizes // 20, minlength=30)
    assert len(sizes) > 40_000
    # the first rung, the valley behind it and the second rung
    free, valley, one = histogram[2:5].max(), histogram[7:8].min(), histogram[9:11].max()
    assert free > 2 * one
    assert one > valley
    assert histogram[9:11].max() > 1.5 * histogram[13:15].max()


@pytest.mark.data
def test_cut_sites_of_reads_and_of_fragments_agree_on_the_seeds_own_reads() -> None:
    path = data_file("human_atac_bam/GL1.bam")
    with pysam.AlignmentFile(str(path)) as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
        ends = [
            (read.reference_end or 0) - 5 if read.is_reverse else read.reference_start + 4
            for read in file.fetch("chr1")
        ]
    reads = load_fragments(path, lengths, FragmentOptions("reads", 0))["chr1"]
    assert sorted(cut_sites(reads).tolist()) == sorted(ends)


@pytest.mark.data
def test_tenx_fragments_are_taken_as_moved_already_and_their_cuts_pile_up_in_peaks() -> None:
    path = data_file("human_atac_bam/macs_pbmc_scATAC_chr22_hg38.fragments.tsv.gz")
    lengths = {"chr22": 50_818_468}
    source = open_fragments(path, lengths, FragmentOptions(longest=None))
    assert source.shifted
    own = load_fragments(path, lengths, source.options)["chr22"]
    assert len(own.start) == 57_115
    cuts = cut_sites(own, shifted=True)
    assert cuts.tolist() == [*own.start.tolist(), *own.end.tolist()]
    # its lines stand cell by cell
    assert (np.diff(own.start) >= 0).all()
    bins = cut_bins(cuts, lengths["chr22"], 500) * 500
    assert bins.sum() == 2 * 57_115
    covered = coverage_bins(own.start, own.end, lengths["chr22"], 1)
    assert covered.sum(dtype=np.float64) == (own.end - own.start).sum()
    # a hundredth of the bins holds more than a fifth of the cuts
    assert np.sort(bins)[-len(bins) // 100 :].sum() > bins.sum() / 5
