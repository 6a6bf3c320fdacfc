"""Clusters, counts, classes, background and windows of the TSS task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.learn.conftest import COMPLEMENT, World
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, Interval, decode
from trackgen.learn.datasets.clusters import Clusters, load_clusters
from trackgen.learn.datasets.counted import CountedBases
from trackgen.learn.datasets.counts import open_counts
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.tss import BROAD, SHARP, TssData, class_labels
from trackgen.learn.datasets.windows import Sites, one_hot, read_windows


def load(world: World, genome: Genome) -> Clusters:
    counts = open_counts([world.counts()], [], [], genome.lengths)
    return load_clusters([world.clusters()], counts, genome.lengths)


def data_of(world: World, genome: Genome, **settings: object) -> TssData:
    split = Split.of(genome.names, validation=["two"], test=["three"])
    return TssData(genome, load(world, genome), split, **settings)  # type: ignore[arg-type]


def test_the_base_at_index_99_is_the_dominant_tss_on_both_strands(world: World, genome: Genome) -> None:
    clusters = load(world, genome)
    codes = read_windows(genome, clusters.sites, 200)
    truth = {(p.name, p.dominant): p.strand for p in world.planted}
    assert len(clusters) == len(truth) == 90
    for row, chromosome, position, minus in zip(
        codes, clusters.sites.chromosome, clusters.sites.position, clusters.sites.minus, strict=True
    ):
        name = genome.names[chromosome]
        assert truth[name, int(position)] == ("-" if minus else "+")
        start = position - 100 if minus else position - 99
        wanted = world.sequences[name][start : start + 200]
        assert decode(row) == (wanted.translate(COMPLEMENT)[::-1] if minus else wanted)
        base = world.sequences[name][position]
        assert decode(row[99:100]) == (base.translate(COMPLEMENT) if minus else base)


def test_windows_that_overhang_a_sequence_read_unknown_bases_there(world: World, genome: Genome) -> None:
    ends = np.array([0, 19_999, 0, 19_999], dtype=np.int64)
    sites = Sites(genome.names, np.zeros(4, dtype=np.int32), ends, np.array([False, False, True, True]))
    codes = read_windows(genome, sites, 200)
    assert [int((row == 4).sum()) for row in codes[1:3]] == [100, 100]
    assert (codes[0][:99] == 4).all()
    assert codes[0][99] != 4
    assert (codes[2][100:] == 4).all()
    assert (codes[3][:99] == 4).all()
    assert one_hot(codes[:1])[0, :, :99].sum() == 0
    assert one_hot(codes[:1]).shape == (1, 4, 200)


def test_ties_go_to_the_first_base_in_the_direction_of_transcription(world: World, genome: Genome) -> None:
    bed = world.write("tie.bed", ["one\t100\t120\t.\t9\t+", "one\t200\t220\t.\t9\t-"])
    rows = [f"one\t{p}\t{p + 1}\t.\t5\t{s}" for s, start in (("+", 100), ("-", 200)) for p in (start + 4, start + 9)]
    counts = open_counts([world.write("tie.counts.bed", rows)], [], [], genome.lengths)
    clusters = load_clusters([bed], counts, genome.lengths)
    assert clusters.sites.position.tolist() == [104, 209]
    assert clusters.count.tolist() == [10, 10]


def test_overlapping_clusters_of_replicates_are_united_and_counts_summed(world: World, genome: Genome) -> None:
    first = world.write("r1.bed", ["one\t100\t105\t.\t3\t+", "one\t300\t310\t.\t3\t+"])
    second = world.write("r2.bed", ["one\t104\t120\t.\t3\t+", "one\t100\t105\t.\t3\t-", "one\t310\t320\t.\t3\t+"])
    files = [world.write(f"c{i}.bed", [f"one\t{102 + i}\t{103 + i}\t.\t{2 + i}\t+"]) for i in (0, 1)]
    counts = open_counts(files, [], [], genome.lengths)
    clusters = load_clusters([first, second], counts, genome.lengths)
    found = list(zip(clusters.start.tolist(), clusters.end.tolist(), clusters.sites.minus.tolist(), strict=True))
    assert found == [(100, 120, False), (100, 105, True), (300, 310, False), (310, 320, False)]
    assert clusters.count.tolist() == [5, 0, 0, 0]
    assert clusters.sites.position[0] == 103


def test_a_cluster_of_11_bp_is_sharp_and_one_of_12_bp_is_broad(genome: Genome) -> None:
    sites = Sites(genome.names, np.zeros(2, dtype=np.int32), np.array([5, 50]), np.zeros(2, dtype=np.bool_))
    nothing = np.zeros(0, dtype=np.int64)
    ends, counts = np.array([11, 62]), np.array([9.0, 9.0])
    clusters = Clusters(sites, np.array([0, 50]), ends, counts, np.zeros(3, dtype=np.int64), nothing, nothing * 1.0)
    assert class_labels(clusters).tolist() == [SHARP, BROAD]


def test_cage_clusters_give_their_own_dominant_tss_and_score(world: World, genome: Genome) -> None:
    with_counts, cage = load(world, genome), load_clusters([world.cage()], None, genome.lengths)
    assert (cage.sites.position == with_counts.sites.position).all()
    assert (cage.count == 10).all()


def test_counts_as_bigwig_equal_counts_as_bed(world: World, genome: Genome, tmp_path: Path) -> None:
    pyBigWig = pytest.importorskip("pyBigWig")
    bed = open_counts([world.counts()], [], [], genome.lengths)
    assert bed is not None
    paths = []
    for minus, sign in ((False, 1), (True, -1)):
        path = tmp_path / f"{minus}.bw"
        with pyBigWig.open(str(path), "w") as file:
            file.addHeader(list(genome.lengths.items()))
            for name, length in genome.lengths.items():
                values = sign * bed.values(name, 0, length, minus)
                file.addEntries(name, 0, values=values.tolist(), span=1, step=1)
        paths.append(path)
    signal = open_counts([], paths[:1], paths[1:], genome.lengths)
    loaded = load_clusters([world.clusters()], signal, genome.lengths)
    assert (loaded.sites.position == load(world, genome).sites.position).all()
    assert (loaded.count == 40).all()


@pytest.mark.parametrize("seed", range(5))
def test_background_keeps_its_distances_and_its_number(world: World, genome: Genome, seed: int) -> None:
    excluded = [Interval("one", 5_000, 9_000)]
    data = data_of(world, genome, excluded=excluded)
    examples = data.examples("train", (seed,))
    labels, sites = examples.labels, examples.sites
    positives = int((labels > 0).sum())
    assert int((labels == 0).sum()) == 9 * positives
    assert int(examples.near.sum()) == 9 * positives // 2
    tss = {"+": [], "-": []}  # type: dict[str, list[int]]
    for p in world.planted:
        if p.name == "one":
            tss[p.strand].append(p.dominant)
    seen = set()
    for i in np.flatnonzero(labels == 0):
        position, strand = int(sites.position[i]), "-" if sites.minus[i] else "+"
        distance = min(abs(position - other) for other in tss[strand])
        assert (3 <= distance <= 100) if examples.near[i] else distance > 100
        assert not 5_000 <= position < 9_000
        assert world.sequences["one"][position] != "N"
        assert genome.names[sites.chromosome[i]] == "one"
        seen.add((position, strand))
    assert len(seen) == 9 * positives


def test_background_is_the_same_for_the_same_seed_and_another_for_another(world: World, genome: Genome) -> None:
    data = data_of(world, genome)
    one, same, other = (data.examples("test", (seed,)).sites.position for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_drawn_tss_are_counted_bases_of_their_clusters_in_proportion(world: World, genome: Genome) -> None:
    clusters = load(world, genome)
    random = np.random.default_rng(0)
    draws = np.stack([clusters.drawn(random, 1.0).position for _ in range(400)])
    at_dominant = (draws == clusters.sites.position).mean(axis=0)
    # 38 of 40 counts stand at the dominant base; seven standard errors of 400 draws
    np.testing.assert_allclose(at_dominant, 38 / 40, atol=0.08)
    assert ((draws >= clusters.start) & (draws < clusters.end)).all()
    assert set(np.unique(draws - clusters.sites.position)) == {-20, -3, 0, 3, 20}
    assert (clusters.drawn(random, 50.0).position == clusters.sites.position).all()
    part = clusters.take(np.array([7, 3]))
    assert (part.drawn(random, 50.0).position == clusters.sites.position[[7, 3]]).all()
    cage = load_clusters([world.cage()], None, genome.lengths)
    assert (cage.drawn(random, 1.0).position == cage.sites.position).all()


def test_excluded_and_weak_clusters_are_no_tss(world: World, genome: Genome) -> None:
    excluded = [Interval("one", 500, 501), Interval("one", 1_140, 1_141)]
    assert len(data_of(world, genome, excluded=excluded).kept) == 88
    assert len(data_of(world, genome, min_count=40).kept) == 90
    assert len(data_of(world, genome, min_count=41).kept) == 0


def test_usable_bases_are_known_and_not_excluded(world: World, genome: Genome) -> None:
    usable = data_of(world, genome, excluded=[Interval("one", 10, 20)]).usable_bases("one")
    assert int((~usable).sum()) == 10 + 60 + 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["one\t1\t5\t.\t3"], "line 1: a line has too few columns; found 5"),
        (["one\t1\t5\t.\t3\t+", "one\tx\t5\t.\t3\t+"], "line 2: start, end or score is not a number"),
        (["one\t5\t5\t.\t3\t+"], "line 1: wanted 0 <= start < end"),
        (["one\t1\t5\t.\t3\t."], "line 1: the strand is not given"),
        (["one\t1\t50000\t.\t3\t+"], "line 1: the interval ends beyond its sequence"),
        ([], "there is no cluster"),
        (["one\t1\t5\t.\t3\t+"], "the clusters do not say where their dominant TSS is"),
    ],
)
def test_bad_clusters_are_refused_with_their_place(
    world: World, genome: Genome, lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message.replace("(", r"\(").replace("+", r"\+")) as caught:
        load_clusters([world.write("bad.bed", lines)], None, genome.lengths)
    assert caught.value.exit_status == 3


def test_a_missing_cluster_file_is_a_data_error(world: World, genome: Genome) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load_clusters([world.folder / "none.bed"], None, genome.lengths)


def test_counts_in_two_forms_are_refused(world: World, genome: Genome) -> None:
    with pytest.raises(UsageError, match="both as BED and as BigWig"):
        open_counts([world.counts()], [world.counts()], [], genome.lengths)


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (["four"], ["three"], "four is not in the genome"),
        (["two"], ["two"], "validation and test at once"),
        (["one"], ["two", "three"], "no sequence is left for train"),
        ([], ["three"], "no sequence is left for validation"),
    ],
)
def test_a_split_that_cannot_be_is_refused(validation: list[str], test: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Split.of(("one", "two", "three"), validation=validation, test=test)


def test_counted_bases_are_found_drawn_and_looked_up(world: World, genome: Genome) -> None:
    counts = open_counts([world.counts()], [], [], genome.lengths)
    counted = CountedBases.find(data_of(world, genome, counts=counts, excluded=[Interval("one", 0, 600)]), "train")
    rows = {(p.name, b, p.strand) for p in world.planted if p.name == "one" for b in (p.start, p.dominant, p.end - 1)}
    wanted = {row for row in rows if row[1] >= 600 and world.sequences["one"][row[1]] != "N"}
    sites = counted.sites
    found = {
        (genome.names[c], int(p), "-" if m else "+")
        for c, p, m in zip(sites.chromosome, sites.position, sites.minus, strict=True)
    }
    assert found == wanted
    dominant = np.array([p.dominant for p in world.planted if p.name == "one"][1:], dtype=np.int64)
    minus = np.array([p.strand == "-" for p in world.planted if p.name == "one"][1:])
    asked = Sites(genome.names, np.zeros(len(dominant), dtype=np.int32), dominant, minus)
    assert (counted.at(asked) == 38).all()
    assert (counted.at(Sites(genome.names, asked.chromosome, dominant + 1, minus)) == 0).all()
    assert (counted.at(Sites(genome.names, asked.chromosome, dominant, ~minus)) == 0).all()
    drawn = counted.draw(5_000, np.random.default_rng(0))
    # the share of dominant bases is log(39) / (log(39) + 2 log(2)); seven standard errors
    assert (counted.at(drawn) == 38).mean() == pytest.approx(3.664 / (3.664 + 1.386), abs=0.05)


def test_without_counts_there_are_no_counted_bases(world: World, genome: Genome) -> None:
    counted = CountedBases.find(data_of(world, genome), "train")
    sites = counted.draw(10, np.random.default_rng(0))
    assert len(sites) == 0
    assert counted.at(data_of(world, genome).kept.sites).sum() == 0
