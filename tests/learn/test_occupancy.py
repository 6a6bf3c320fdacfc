"""Motif instances against every word's exact p-value, overlaps and matching against slow ones, and whole sets."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from trackgen.errors import TrackgenError, UsageError
from trackgen.genome import Genome, decode, open_genome, reverse_complement
from trackgen.learn.datasets import occupancy
from trackgen.learn.datasets.bed import BedRow, read_peaks
from trackgen.learn.datasets.discovery import Marks
from trackgen.learn.datasets.importers import SetOptions, open_set
from trackgen.learn.datasets.motif_files import read_motifs, write_motifs
from trackgen.learn.datasets.occupancy import Manner, matched, motif_instances, occupancy_set, overlapping
from trackgen.learn.datasets.windows import Sites

MATRIX = np.array([[0.7, 0.1, 0.1, 0.1], [0.01, 0.97, 0.01, 0.01], [0.05, 0.05, 0.85, 0.05], [0.4, 0.1, 0.1, 0.4],
                   [0.1, 0.1, 0.1, 0.7], [0.02, 0.02, 0.02, 0.94]]).T  # fmt: skip
BIN = 0.1
"""FIMO's scores are rounded to this."""


def open_letters(folder: Path, rows: list[np.ndarray]) -> Genome:
    (folder / "g.fa").write_text("".join(f">c{i}\n{decode(row)}\n" for i, row in enumerate(rows)))
    return open_genome(folder / "g.fa")


LOG_ODDS = (np.log2(MATRIX + 1e-4) + 2).tolist()


def exact_scores(width: int) -> np.ndarray:
    """Scores of all words of the motif's width, sorted."""
    return np.sort(
        [sum(LOG_ODDS[b][i] for i, b in enumerate(word)) for word in itertools.product(range(4), repeat=width)]
    )


def best_score(word: np.ndarray) -> float:
    strands = (word.tolist(), reverse_complement(word).tolist())
    return max(sum(LOG_ODDS[b][i] for i, b in enumerate(strand)) for strand in strands)


@pytest.mark.slow
def test_instances_are_the_places_with_a_low_p_value_on_the_better_strand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(5)
    rows = [random.integers(0, 4, length).astype(np.uint8) for length in (3000, 5, 6, 400)]
    rows[0][[7, 900]] = 4
    monkeypatch.setattr(occupancy, "PIECE", 170)
    monkeypatch.setattr(occupancy, "_strongest", lambda chromosome, *_: np.arange(len(chromosome)))
    threshold, width = 0.01, MATRIX.shape[1]
    with open_letters(tmp_path, rows) as genome:
        found = motif_instances(genome, MATRIX, threshold)
    at = dict(zip(zip(found.sites.chromosome.tolist(), found.sites.position.tolist(), strict=True),
                  10.0**-found.strength, strict=True))  # fmt: skip
    assert len(at) == len(found.sites) > 20
    scores = exact_scores(width)
    for chromosome, row in enumerate(rows):
        for start in range(len(row) - width + 1):
            word = row[start : start + width]
            if (word == 4).any():
                assert (chromosome, start) not in at
                continue
            # p of a score a rounding of each column better, and worse
            low, high = (
                (len(scores) - np.searchsorted(scores, best_score(word) + side * width * BIN)) / len(scores)
                for side in (1, -1)
            )
            if (chromosome, start) in at:
                assert low * (1 - 1e-9) <= at[chromosome, start] <= high * (1 + 1e-9)
            else:
                assert high >= threshold


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40), st.integers(0, 3)), max_size=25), st.integers(1, 6))
def test_of_overlapping_instances_the_strongest_stays(entries: list[tuple[int, int, int]], width: int) -> None:
    entries = sorted({(c, p): s for c, p, s in entries}.items())  # type: ignore[assignment]
    chromosome = np.array([entry[0][0] for entry in entries], np.int32)  # type: ignore[index]
    position = np.array([entry[0][1] for entry in entries], np.int64)  # type: ignore[index]
    strength = np.array([entry[1] for entry in entries], np.float64)
    kept = occupancy._strongest(chromosome, position, strength, width)
    slow: list[int] = []
    for row in sorted(range(len(entries)), key=lambda i: (-strength[i], chromosome[i], position[i])):
        if all(chromosome[row] != chromosome[k] or abs(position[row] - position[k]) >= width for k in slow):
            slow.append(row)
    assert kept.tolist() == sorted(slow)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(-2, 2)), max_size=60), st.integers(0, 9))
def test_matching_keeps_all_of_the_rarer_class_in_each_cell(rows: list[tuple[int, int, int]], seed: int) -> None:
    labels, first, second = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    kept = matched(labels, [first, second], seed)
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert kept.tolist() == matched(labels, [first, second], seed).tolist()
    for cell in {row[1:] for row in rows}:
        here = [i for i, row in enumerate(rows) if row[1:] == cell]
        wanted = min(sum(labels[i] == label for i in here) for label in (0, 1))
        for label in (0, 1):
            assert sum(labels[i] == label for i in kept if i in here) == wanted


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(0, 300), max_size=12), st.lists(st.tuples(st.integers(0, 280), st.integers(1, 20)), max_size=8)
)
def test_overlaps_are_those_of_every_pair(middles: list[int], peaks: list[tuple[int, int]]) -> None:
    sites = Sites(("a", "b"), np.array([m % 2 for m in middles], np.int32), np.array(middles, np.int64),
                  np.zeros(len(middles), np.bool_))  # fmt: skip
    rows = [BedRow("a", start, start + length, 0, False, None) for start, length in peaks]
    wanted = [
        m % 2 == 0 and any(max(m - 5, row.start) < min(m + 6, row.end) for row in rows) for m in middles
    ]  # fmt: skip
    assert overlapping(sites, 11, rows).tolist() == wanted


def reb1(manner: Manner, **more: object):  # type: ignore[no-untyped-def]
    (matrix,) = read_motifs(data_file("motifs/SwissRegulon_s_cer.meme")).find("REB1").values()
    with open_genome(data_file("genome_yeast/sacCer3.2bit")) as genome:
        rows = read_peaks(data_file("yeast_tf/Reb1.chexmix.sacCer3.bed.gz"), genome.lengths)
        found = occupancy_set(genome, rows, matrix, manner, name="Reb1", **more)  # type: ignore[arg-type]
        return found, rows, matrix


def slow_motif(codes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """int64[n]: the first base of the best hit of each window, either strand."""
    log_odds = np.log2(matrix + 1e-4) + 2
    width = matrix.shape[1]
    scores = np.full((len(codes), codes.shape[1] - width + 1), -np.inf)
    for table in (log_odds, log_odds[::-1, ::-1]):
        for start in range(scores.shape[1]):
            own = sum(table[codes[:, start + i], i] for i in range(width))
            scores[:, start] = np.maximum(scores[:, start], own)
    return scores.argmax(axis=1)


def test_reb1_instances_are_labelled_by_peaks_and_matched() -> None:
    found, rows, matrix = reb1(Manner(threshold=1e-3), marks=Marks(("chrIV", "chrXVI")))
    bound = found.labels == 1
    assert bound.sum() == (~bound).sum() == 533
    places = [place.replace("-", ":").split(":") for place in found.places]
    for (name, start, end), label in zip(places, found.labels, strict=True):
        near = any(row.name == name and int(start) - 1 < row.end and row.start < int(end) for row in rows)
        assert near == bool(label)
    gc = np.isin(found.codes, (1, 2)).mean(axis=1)
    own, other = (np.sort(np.floor(gc[mask] / 0.05 + 1e-9)) for mask in (bound, ~bound))
    assert np.array_equal(own, other)
    assert "matched: their distributions differ by at most" in found.notes[-1]
    # the strongest hit of nearly all windows is the instance in the middle
    first = 50 - matrix.shape[1] // 2
    assert (slow_motif(found.codes, matrix) == first).mean() > 0.6


def test_the_third_task_scatters_the_motif_in_bound_windows_alone() -> None:
    found, _, matrix = reb1(Manner(threshold=1e-4, centred=False))
    first, width = slow_motif(found.codes, matrix), matrix.shape[1]
    middle = 50 - width // 2
    bound = found.labels == 1
    assert (first[~bound] == middle).mean() > 0.9
    assert (first[bound] == middle).mean() < 0.1
    spread = np.histogram(first[bound], bins=5, range=(0, 102 - width))[0]
    assert spread.min() > 0.5 * spread.mean()


def write_world(folder: Path) -> tuple[Path, Path, Path]:
    random = np.random.default_rng(3)
    (folder / "g.fa").write_text(f">a\n{decode(random.integers(0, 4, 9000).astype(np.uint8))}\n")
    (folder / "x.bed").write_text("".join(f"a\t{s}\t{s + 200}\n" for s in range(0, 8000, 500)))
    write_motifs(folder / "m.meme", {"GAT": MATRIX, "GAT.2": MATRIX[:, :5]})
    return folder / "x.bed", folder / "m.meme", folder / "g.fa"


def test_instances_make_a_set_by_its_text(tmp_path: Path) -> None:
    peaks, motifs, genome = write_world(tmp_path)
    found = open_set(f"X=occupancy:{peaks},{motifs},GAT", SetOptions(genome, 41, threshold=0.03))
    assert (found.name, found.window, found.labels.mean()) == ("X", 41, 0.5)


@pytest.mark.parametrize(
    ("text", "threshold", "message", "status"),
    [
        ("free:{0}", 1e-4, "motif instances need a file of motifs and the name of one; found neither", 2),
        ("free:{0},{1},GAT", 1e-4, "too few motif instances to learn from; found 0 matched pairs of", 3),
        ("free:{0},{1},X", 1e-4, "no motif has this name; found X", 3),
        ("free:{0},{1},gat", 1e-4, "several motifs have this name; found gat; wanted one of GAT, GAT.2", 2),
    ],
)
def test_texts_that_name_no_set_are_refused(
    tmp_path: Path, text: str, threshold: float, message: str, status: int
) -> None:
    peaks, motifs, genome = write_world(tmp_path)
    with pytest.raises(TrackgenError, match=message) as caught:
        open_set(text.format(peaks, motifs), SetOptions(genome, threshold=threshold))
    assert caught.value.exit_status == status


@pytest.mark.parametrize("task", ["occupancy", "free"])
def test_a_motif_that_no_window_holds_is_refused_and_one_that_fills_it_is_not(tmp_path: Path, task: str) -> None:
    peaks, motifs, genome = write_world(tmp_path)
    text = f"{task}:{peaks},{motifs},GAT"
    assert open_set(text, SetOptions(genome, 6, threshold=0.03)).window == 6
    with pytest.raises(UsageError, match="the motif is wider than the window; found a motif of 6 bases, a window of 5"):
        open_set(text, SetOptions(genome, 5, threshold=0.03))


def test_the_best_of_all_words_has_a_strength_that_is_a_number(tmp_path: Path) -> None:
    """memelite gives a p-value of 0 to perfect matches of some motifs; of eight random ones at least one is such."""
    random, zeros = np.random.default_rng(0), 0
    for _ in range(8):
        motif = random.dirichlet([0.2] * 4, random.integers(6, 16)).T
        row = np.random.default_rng(3).integers(0, 4, 400).astype(np.uint8)
        row[50 : 50 + motif.shape[1]] = motif.argmax(axis=0)
        zeros += int((occupancy._scan(row, motif, 1e-3)[1] == 0).any())
        with open_letters(tmp_path, [row]) as genome:
            found = motif_instances(genome, motif, 1e-3)
        assert np.isfinite(found.strength).all()
        (tmp_path / "g.fa.fai").unlink(missing_ok=True)
    assert zeros
