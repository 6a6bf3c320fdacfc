"""Signals from fragments: bins, sweeps, cuts and BigWig tracks, held against arrays of bases and bedtools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reads import LENGTHS, bases_covered, chunks_of, fragment_rows, pair, write_bam
from trackgen.errors import DataError, ModelError, TrackgenError, UsageError
from trackgen.genome import Interval, open_signal
from trackgen.genome.fragments import FragmentOptions, Fragments
from trackgen.progress import NullProgress
from trackgen.signals import (
    Recipe,
    coverage_bins,
    cut_bins,
    cut_sites,
    make_signal,
    recipe_from_card,
    signal_bins,
    sweep,
    usual_depth,
)
from trackgen.signals.sweep import swept

Rows = list[tuple[str, int, int]]
COUNTS = Recipe(scale="none")


def write(path: Path, rows: Rows) -> Path:
    path.write_text("".join(f"{name}\t{start}\t{end}\n" for name, start, end in rows))
    return path


def in_bins(values: np.ndarray, resolution: int, statistic: str = "mean") -> np.ndarray:
    """Bins one at a time."""
    reduce = np.mean if statistic == "mean" else np.max
    return np.array([reduce(values[first : first + resolution]) for first in range(0, len(values), resolution)])


def cut_counts(rows: Rows, left: int = 4, right: int = 5) -> dict[str, np.ndarray]:
    """Cuts at each base, counted one at a time."""
    counts = {name: np.zeros(length) for name, length in LENGTHS.items()}
    for name, start, end in rows:
        for site in (start + left, end - right):
            if 0 <= site < LENGTHS[name]:
                counts[name][site] += 1
    return counts


def track(path: Path) -> dict[str, np.ndarray]:
    with open_signal(path) as reader:
        return {name: reader.values(name, 0, length) for name, length in LENGTHS.items()}


# Bins and sweeps.


@settings(max_examples=60)
@given(fragment_rows(), st.integers(1, 800))
def test_bins_are_the_means_of_their_bases(rows: Rows, resolution: int) -> None:
    covered = bases_covered(chunks_of(rows, 100))
    cuts = cut_counts(rows)
    for chunk in chunks_of(rows, 100):
        length = LENGTHS[chunk.name]
        found = coverage_bins(chunk.start, chunk.end, length, resolution)
        assert found.dtype == np.float32
        assert np.array_equal(found, in_bins(covered[chunk.name], resolution).astype(np.float32))
        found = cut_bins(cut_sites(chunk), length, resolution)
        assert np.array_equal(found, in_bins(cuts[chunk.name], resolution).astype(np.float32))
    assert coverage_bins(np.zeros(0, np.int64), np.zeros(0, np.int64), 7, 3).tolist() == [0, 0, 0]


@settings(max_examples=60)
@given(
    rows=fragment_rows(), resolution=st.integers(1, 800), size=st.integers(1, 50), piece=st.integers(1, 900),
    held=st.sampled_from([1, 10, 1 << 16]),
    measure=st.sampled_from(["coverage", "cuts"]), statistic=st.sampled_from(["mean", "max"]),
)  # fmt: skip
def test_a_sweep_has_every_bin_once_in_order_whatever_the_chunks_and_pieces(
    rows: Rows, resolution: int, size: int, piece: int, held: int, measure: str, statistic: str
) -> None:
    wanted = bases_covered(chunks_of(rows, 100)) if measure == "coverage" else cut_counts(rows)
    parts: dict[str, list[float]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "BASES_PER_PIECE", piece)
        patch.setattr(sweep, "EVENTS_HELD", held)
        chunks = chunks_of(rows, size)
        for name, first, values in swept(chunks, LENGTHS, resolution, measure=measure, statistic=statistic):
            own = parts.setdefault(name, [])
            assert first == len(own)
            own += values.tolist()
    assert parts.keys() == LENGTHS.keys()
    for name, made in parts.items():
        np.testing.assert_allclose(made, in_bins(wanted[name], resolution, statistic), rtol=1e-12)


def test_a_cut_between_two_fragments_lies_at_one_base_the_middle_of_the_nine_doubled() -> None:
    # bases 100..108 are doubled: one fragment ends with them, one begins with them
    left = Fragments("chrA", np.array([40]), np.array([109]))
    right = Fragments("chrA", np.array([100]), np.array([180]))
    assert cut_sites(left).tolist()[1] == cut_sites(right).tolist()[0] == 104
    reads = Fragments("chrA", np.array([59, 100]), np.array([109, 150]), np.array([-1, 1], np.int8))
    assert cut_sites(reads).tolist() == [104, 104]
    # 10x' starts and ends are moved already
    moved = Fragments("chrA", np.array([44]), np.array([104]))
    assert cut_sites(moved, shifted=True).tolist() == cut_sites(left).tolist()


# Usual depth.

GENOME = {"chr1": 3_000_000, "chr2": 1_000_000, "chrM": 16_000, "scaffold": 500}


def random_fragments(number: int, seed: int = 1) -> dict[str, Fragments]:
    random = np.random.default_rng(seed)
    found = {}
    for name, share in (("chr1", 0.75), ("chr2", 0.25)):
        start = np.sort(random.integers(0, GENOME[name] - 100, int(number * share)))
        found[name] = Fragments(name, start, start + 100)
    return found


def test_the_usual_depth_of_even_fragments_is_their_mean_coverage() -> None:
    # 40,000 fragments of 100 bp on 4 Mb
    assert usual_depth(random_fragments(40_000), GENOME) == pytest.approx(1.0, rel=1e-9)


def test_mitochondria_repeats_empty_sequences_and_exclusions_do_not_change_the_usual_depth() -> None:
    fragments = random_fragments(40_000)
    plain = usual_depth(fragments, GENOME)
    many = np.full(100_000, 15_000)
    fragments["chrM"] = Fragments("chrM", many - 10_000, many - 9_900)
    repeat = Fragments("chr2", np.sort(np.append(fragments["chr2"].start, many)), np.array([]))
    fragments["chr2"] = repeat._replace(end=repeat.start + 100)
    assert usual_depth(fragments, GENOME) == pytest.approx(plain, rel=0.01)
    assert usual_depth(fragments, {**GENOME, "chr3": 5_000_000}) == usual_depth(fragments, GENOME)
    masked = usual_depth(fragments, GENOME, [Interval("chr2", 15_000, 15_100), Interval("chr1", 0, 1_500_005)])
    assert masked == pytest.approx(plain, rel=0.02)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_the_usual_depth_follows_the_number_of_fragments_down_to_sparse_data(share: float) -> None:
    # 400 fragments of 40,000 are one on a piece
    whole, part = (usual_depth(random_fragments(number, 2), GENOME) for number in (40_000, int(40_000 * share)))
    assert part == pytest.approx(whole * share, rel=1e-9)


def test_without_a_fragment_on_the_usual_genome_there_is_no_usual_depth() -> None:
    only = {"chrM": Fragments("chrM", np.array([5]), np.array([50]))}
    with pytest.raises(DataError, match="no fragment lies on the usual part of the genome"):
        usual_depth(only, GENOME)


# Tracks.


@pytest.mark.parametrize("resolution", [1, 7, 1000])
def test_a_track_holds_scaled_bins_zeros_and_no_value_on_exclusions(tmp_path: Path, resolution: int) -> None:
    rows = [("chrA", 3, 90), ("chrA", 10, 20), ("chrA", 600, 700), ("chrB", 0, 90)]
    path, target = write(tmp_path / "f.bed", rows), tmp_path / "out.bw"
    recipe = Recipe(excluded=[Interval("chrA", 12, 15), Interval("chrA", 14, 18)])
    summary = make_signal(path, LENGTHS, target, recipe, NullProgress(), resolution=resolution)
    covered = bases_covered(chunks_of(rows, 9))
    usual = (sum(values.sum() for values in covered.values()) - 2 * 6) / (700 + 90 - 6)
    assert summary.fragments == 4
    assert summary.depth == pytest.approx(usual)
    assert summary.factor == pytest.approx(1 / usual)
    for name, values in track(target).items():
        wanted = np.repeat(in_bins(covered[name], resolution), resolution)[: LENGTHS[name]] / usual
        if name == "chrA":
            wanted[12:18] = np.nan
        np.testing.assert_allclose(values, wanted, rtol=1e-6)


def test_counts_per_million_add_up_and_bam_gives_what_its_fragments_give(tmp_path: Path) -> None:
    rows = [("chrA", 3, 90), ("chrA", 10, 30), ("chrA", 600, 700), ("chrB", 0, 90)]
    bam = write_bam(tmp_path / "a.bam", [read for row in rows for read in pair(*row)])
    bed = write(tmp_path / "f.bed", rows)
    recipe = Recipe("cuts", "cpm")
    summaries = [
        make_signal(path, LENGTHS, tmp_path / f"{path.suffix}.bw", recipe, NullProgress()) for path in (bam, bed)
    ]
    # eight cuts of four fragments
    total = sum(values.sum() for values in track(tmp_path / ".bed.bw").values())
    assert total == pytest.approx(8 / 4 * 1e6)
    assert summaries[0][:3] == summaries[1][:3]
    assert (tmp_path / ".bam.bw").read_bytes() == (tmp_path / ".bed.bw").read_bytes()


def test_the_bytes_do_not_depend_on_threads(tmp_path: Path) -> None:
    path = write(tmp_path / "f.bed", [("chrA", start, start + 30) for start in range(600)])
    for threads in (1, 3):
        make_signal(path, LENGTHS, tmp_path / f"{threads}.bw", Recipe(), NullProgress(), threads=threads)
    assert (tmp_path / "1.bw").read_bytes() == (tmp_path / "3.bw").read_bytes()


def test_a_thinned_track_and_its_complements_add_up(tmp_path: Path) -> None:
    rows = [("chrA", start, start + 30) for start in range(600)]
    path = write(tmp_path / "f.bed", rows)
    parts = []
    for complement in (False, True):
        fragments = FragmentOptions(fraction=0.3, seed=4, complement=complement)
        make_signal(path, LENGTHS, tmp_path / "x.bw", Recipe(scale="none", fragments=fragments), NullProgress())
        parts.append(track(tmp_path / "x.bw")["chrA"])
    assert np.array_equal(parts[0] + parts[1], bases_covered(chunks_of(rows, 1000))["chrA"])


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="the program bedtools is not installed")
@settings(max_examples=25)
@given(rows=fragment_rows(most=12))
def test_base_for_base_it_is_what_bedtools_genomecov_counts(
    tmp_path_factory: pytest.TempPathFactory, rows: Rows
) -> None:
    folder = tmp_path_factory.mktemp("bedtools")
    rows = rows or [("chrA", 0, 700)]
    path = write(folder / "f.bed", rows)
    (folder / "sizes").write_text("".join(f"{name}\t{length}\n" for name, length in LENGTHS.items()))
    command = ["bedtools", "genomecov", "-bga", "-i", str(path), "-g", str(folder / "sizes")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wanted = {name: np.full(length, np.nan) for name, length in LENGTHS.items()}
    for line in told.splitlines():
        name, start, end, depth = line.split("\t")
        wanted[name][int(start) : int(end)] = float(depth)
    make_signal(path, LENGTHS, folder / "x.bw", COUNTS, NullProgress())
    for name, values in track(folder / "x.bw").items():
        assert np.array_equal(values, wanted[name])


def test_bins_of_a_file_come_one_sequence_after_the_other(tmp_path: Path) -> None:
    path = write(tmp_path / "f.bed", [("chrB", 0, 90), ("chrA", 0, 14)])
    found = dict(signal_bins(path, LENGTHS, COUNTS, 7))
    assert list(found) == ["chrB", "chrA", "chrC"]
    assert found["chrA"].tolist() == [1, 1] + [0] * 98
    assert found["chrC"].tolist() == [0]
    assert found["chrC"].dtype == np.float32


# From tracks.


def write_track(path: Path, entries: dict[str, list[tuple[int, float]]]) -> Path:
    file = pyBigWig.open(str(path), "w")
    file.addHeader(list(LENGTHS.items()))
    for name, values in entries.items():
        starts = [start for start, _ in values]
        file.addEntries(
            [name] * len(values), starts, ends=[a + 1 for a in starts], values=[value for _, value in values]
        )
    file.close()
    return path


def test_a_track_of_counts_is_binned_and_scaled_and_bases_without_a_value_count_as_0(tmp_path: Path) -> None:
    path = write_track(tmp_path / "in.bw", {"chrA": [(0, 4.0), (1, 2.0), (8, 3.0)], "chrB": [(89, 7.0)]})
    summary = make_signal(path, LENGTHS, tmp_path / "x.bw", Recipe(), NullProgress(), resolution=7)
    assert summary.counts is None
    assert summary.depth == pytest.approx(16 / 790)
    found = track(tmp_path / "x.bw")
    np.testing.assert_allclose(found["chrA"][[0, 6, 7, 14]], np.array([6, 6, 3, 0]) / 7 / summary.depth, rtol=1e-6)
    make_signal(path, LENGTHS, tmp_path / "m.bw", COUNTS, NullProgress(), resolution=7, statistic="max")
    assert track(tmp_path / "m.bw")["chrA"][[0, 6, 7, 14]].tolist() == [4, 4, 3, 0]


def refused(path: Path, folder: Path, recipe: Recipe = Recipe(), status: int = 3) -> str:  # noqa: B008
    with pytest.raises(TrackgenError) as caught:
        make_signal(path, LENGTHS, folder / "out.bw", recipe, NullProgress())
    assert caught.value.exit_status == status
    assert not list(folder.glob("out.bw*"))
    return str(caught.value)


def test_negative_values_and_nan_are_refused_where_counts_are_wanted(tmp_path: Path) -> None:
    text = refused(write_track(tmp_path / "n.bw", {"chrA": [(5, 1.0), (7, -0.5)]}), tmp_path)
    assert (
        "n.bw, chrA:8: the track holds a negative value, where counts are wanted; found -0.5; wanted 0 or more." in text
    )
    text = refused(write_track(tmp_path / "x.bw", {"chrA": [(5, 1.0), (7, float("nan"))]}), tmp_path)
    assert "x.bw, summary in the header: the track holds values that are no number (NaN)" in text
    text = refused(write_track(tmp_path / "i.bw", {"chrA": [(5, 1.0), (7, float("inf"))]}), tmp_path)
    assert "infinite" in text


def test_a_track_cannot_be_thinned_nor_counted_per_million(tmp_path: Path) -> None:
    path = write_track(tmp_path / "in.bw", {"chrA": [(5, 1.0)]})
    text = refused(path, tmp_path, Recipe(fragments=FragmentOptions(fraction=0.5)), 2)
    assert "in.bw: a BigWig track holds no fragments that could be counted or drawn; found a fraction of 0.5." in text
    assert "found counts per million. Start from the BAM" in refused(path, tmp_path, Recipe(scale="cpm"), 2)


def test_what_lies_on_no_usual_part_cannot_be_divided_by_its_mean(tmp_path: Path) -> None:
    path = write(tmp_path / "f.bed", [("chrA", 0, 9)])
    text = refused(path, tmp_path, Recipe(excluded=[Interval("chrA", 0, 700)]))
    assert "f.bed: no fragment lies on the usual part of the genome" in text
    assert make_signal(path, LENGTHS, tmp_path / "c.bw", COUNTS, NullProgress()).factor == 1


# Recipes.


def test_a_recipe_goes_through_a_card_and_back() -> None:
    recipe = Recipe("cuts", "cpm", FragmentOptions("reads", 20, True, None, 150), depth=(0.03, 2.5))
    card = {"signals": {"atac": recipe.as_card()}}
    assert card["signals"]["atac"]["unit"] == "cuts at a base per million fragments"
    assert recipe_from_card(card, "atac") == recipe
    assert recipe_from_card(card, "other") is None
    assert recipe_from_card({}, "atac") is None
    assert recipe_from_card({"signals": {"atac": {}}}, "atac") == Recipe()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"measure": "peaks"}, "the recipe can't be followed: a signal can't be made so; found peaks."),
        ({"scale": "zscore"}, "found zscore."),
        ({"pairs": "some"}, "unknown kind of pairs; found some."),
        ({"depth": [3, 1]}, "the range of depths is not one; found [3, 1]."),
        ({"depth": "deep"}, "the recipe can't be followed"),
        ({"colour": "red"}, "the recipe has an unknown field; found colour. The model may need a newer trackgen."),
        ("coverage", "the recipe is no object; found coverage."),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_with_its_place_in_the_card(told: object, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        recipe_from_card({"signals": {"atac": told}}, "atac")
    assert "training.signals.atac: " in str(caught.value)
    assert message in str(caught.value)
    assert caught.value.exit_status == 4


def test_a_measure_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="found peaks; wanted coverage or cuts"):
        Recipe("peaks")
