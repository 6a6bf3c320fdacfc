"""Labels of bins by hand-made peaks, windows of sequence and signal, the motif, and the net of the thesis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from trackgen.bigwig import BigWigWriter
from trackgen.card import InputSpec
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, Interval, open_genome, open_signal
from trackgen.learn.architectures import architecture
from trackgen.learn.architectures.binding import ThesisBinding
from trackgen.learn.binding_training import start_from_motif
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.binding import BindingData, Peak, label_bins, widen
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.tracks import SignalBatches, Track
from trackgen.learn.datasets.windows import Sites
from trackgen.learn.metrics import recall_at
from trackgen.learn.motif import Motif, find_motif

ATAC = InputSpec("atac", "signal", transform=(("log1p", ()),))


def bins(labels: np.ndarray, label: int) -> list[int]:
    """Starts of the bins of one label, at stride 50."""
    return (np.flatnonzero(labels == label) * 50).tolist()


def test_a_midpoint_binds_the_bins_that_hold_it_and_blurs_those_within_100_bp() -> None:
    labels = label_bins([Peak(1010, 1011)], 2000)
    assert len(labels) == (2000 - 200) // 50 + 1
    # the peak becomes [910, 1110): half of a bin is covered from 810 on, and up to a start of 1010
    assert bins(labels, 1) == [850, 900, 950, 1000]
    assert bins(labels, -1) == [750, 800, 1050, 1100]


def test_half_a_bin_is_enough_and_one_base_less_is_not() -> None:
    assert bins(label_bins([Peak(300, 400)], 1000, peak_width=100), 1) == [200, 250, 300]
    assert bins(label_bins([Peak(300, 399)], 1000, peak_width=99), 1) == []
    # two peaks that together cover half of a bin do not bind it
    assert bins(label_bins([Peak(300, 360), Peak(400, 460)], 1000, peak_width=60), 1) == []
    assert bins(label_bins([Peak(300, 1000)], 1000), 1) == list(range(200, 850, 50))


def test_a_weak_peak_blurs_and_a_strong_one_wins() -> None:
    weak = Peak(1010, 1011, strong=False)
    assert bins(label_bins([weak], 2000), 1) == []
    assert bins(label_bins([weak], 2000), -1) == list(range(750, 1150, 50))
    assert bins(label_bins([weak, Peak(1010, 1011)], 2000), 1) == [850, 900, 950, 1000]


def test_peaks_at_the_ends_and_short_sequences() -> None:
    assert bins(label_bins([Peak(0, 1), Peak(999, 1000)], 1000), 1) == [0, 800]
    assert len(label_bins([Peak(0, 1)], 199)) == 0
    assert label_bins([], 200).tolist() == [0]
    assert widen(10, 13, 4) == (9, 13)
    assert widen(10, 20, 4) == (10, 20)


def test_finer_bins_are_labelled_by_the_same_rule() -> None:
    fine = label_bins([Peak(1010, 1011)], 2000, stride=10)
    coarse = label_bins([Peak(1010, 1011)], 2000)
    np.testing.assert_array_equal(fine[::5][: len(coarse)], coarse)
    assert (np.flatnonzero(fine == 1) * 10).tolist() == list(range(810, 1020, 10))


@pytest.fixture
def toy(tmp_path: Path) -> Genome:
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[np.random.default_rng(3).integers(0, 4, (3, 6000))]
    letters[0, 3000:3010] = ord("N")
    text = "".join(f">{n}\n{row.tobytes().decode()}\n" for n, row in zip(("a", "b", "c"), letters, strict=True))
    (tmp_path / "toy.fa").write_text(text)
    return open_genome(tmp_path / "toy.fa")


def data_of(genome: Genome) -> BindingData:
    split = Split.of(genome.names, validation=["b"], test=["c"])
    peaks = {name: [Peak(1000, 1001), Peak(4500, 4501)] for name in ("a", "b", "c")}
    return BindingData(genome, peaks, split, excluded=[Interval("c", 4400, 4700), Interval("b", 0, 10)])


def test_bins_with_unknown_bases_or_on_exclusions_are_not_used(toy: Genome) -> None:
    data = data_of(toy)
    sites, labels = data.all_bins("test")
    assert (sites.position[labels == 1]).tolist() == [800, 850, 900, 950, 1000]
    assert not ((sites.position > 4200) & (sites.position < 4700)).any()
    assert data.all_bins("validation")[0].position.min() == 50
    training = data.all_bins("train")[0].position
    assert set(np.diff(training)) > {10}
    assert not ((training > 2800) & (training < 3010)).any()
    assert {2800, 3010} <= set(training.tolist())


def test_a_draw_has_five_unbound_bins_to_a_bound_one_on_both_strands_and_is_repeatable(toy: Genome) -> None:
    data = data_of(toy)
    (sites, labels), (again, _) = data.draw("train", (1, 2)), data.draw("train", (1, 2))
    np.testing.assert_array_equal(sites.keys, again.keys)
    # 42 bins of the grid of 10 bp are bound; an epoch has as many as a grid of 50 bp would
    assert (int((labels == 1).sum()), int((labels == 0).sum())) == (9, 45)
    assert 0 < sites.minus.sum() < len(sites)
    assert not np.array_equal(sites.keys, data.draw("train", (1, 3))[0].keys)
    assert len(set(data.draw("validation", (1,))[0].keys.tolist())) == len(data.draw("validation", (1,))[1])


def test_a_part_without_bound_bins_is_refused(toy: Genome) -> None:
    split = Split.of(toy.names, validation=["b"], test=["c"])
    data = BindingData(toy, {"a": [Peak(1000, 1001)]}, split)
    with pytest.raises(DataError, match="there is no bound bin in the test part"):
        data.draw("test", (1,))


def test_windows_of_the_signal_follow_strand_ends_and_missing_values(toy: Genome, tmp_path: Path) -> None:
    raw = np.arange(6000, dtype=np.float32)
    raw[100:110] = np.nan
    with BigWigWriter(tmp_path / "s.bw", {"a": 6000, "other": 10}, stride=1) as writer:
        writer.add("a", 0, raw, np.zeros((0, 2), dtype=np.int64))
    with open_signal(tmp_path / "s.bw") as reader:
        track = Track(ATAC, reader, toy.lengths)
        position, minus = np.array([0, 5800, 3000, 3000, 3000]), np.array([False, False, False, True, False])
        sites = Sites(toy.names, np.array([0, 0, 0, 0, 1], dtype=np.int32), position, minus)
        found = track.windows(sites, 1000, 200)
        padded = np.concatenate([np.zeros(1000), np.log1p(np.nan_to_num(raw)), np.zeros(1000)]).astype(np.float32)
        for row, first in enumerate((-400, 5400, 2600)):
            np.testing.assert_allclose(found[row], padded[first + 1000 : first + 2000], rtol=1e-6)
        np.testing.assert_array_equal(found[3], found[2][::-1])
        assert not found[4].any()
        batches = SignalBatches(toy, track, lambda _: (sites, np.arange(5, dtype=np.float32)), 1000, 200, 2)
        made = list(batches.batches(0))
    assert [len(targets) for _, targets in made] == [2, 2, 1]
    assert made[0][0][0].shape == (2, 4, 1000)
    np.testing.assert_array_equal(np.concatenate([inputs[1][:, 0] for inputs, _ in made]), found)
    # the minus window is the reverse complement of the plus one: both axes reversed
    np.testing.assert_array_equal(made[1][0][0][1], made[1][0][0][0][::-1, ::-1])


def test_scores_of_peaks_are_read_and_strands_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "p.bed"
    path.write_text("track name=x\nchr1\t5\t6\tReb1\t84\t.\nchr1\t7\t9\n")
    assert [(row.start, row.end, row.score) for row in read_peaks(path, {"chr1": 20})] == [(5, 6, 84.0), (7, 9, 0.0)]
    path.write_text("chr1\t5\n")
    with pytest.raises(DataError, match="line 1: a line has too few columns; found 2; wanted at least 3"):
        read_peaks(path, {"chr1": 20})


def test_a_planted_motif_is_found_on_both_strands() -> None:
    random = np.random.default_rng(0)
    bound, unbound = (random.integers(0, 4, (300, 101)).astype(np.uint8) for _ in range(2))
    planted = np.array([3, 3, 0, 1, 1, 1, 2, 1], dtype=np.uint8)
    for row in range(200):
        place = random.integers(0, 90)
        bound[row, place : place + 8] = planted if row % 2 else 3 - planted[::-1]
    motif = find_motif(bound, unbound)
    assert "TTACCCGC" in motif.consensus or "GCGGGTAA" in motif.consensus
    score, place = motif.best(bound)
    assert np.median(score[:200]) > np.quantile(motif.best(unbound)[0], 0.99)
    assert 0.3 < (place[:200] < 101 - motif.width + 1).mean() < 0.7


def test_the_score_of_a_motif_is_that_of_its_best_place() -> None:
    table = np.log(np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1]]) / 0.25)
    codes = np.array([[1, 1, 0, 2, 4], [1, 3, 1, 1, 1], [4, 4, 4, 4, 4]], dtype=np.uint8)
    score, place = Motif(table).best(codes)
    # AG as it stands; CT on the other strand; nothing known
    np.testing.assert_allclose(score, [2 * np.log(2.8), 2 * np.log(2.8), 0])
    assert place.tolist()[:2] == [2, 4]


def test_the_thesis_net_has_its_layers_and_does_not_mind_the_batch() -> None:
    torch.manual_seed(1)
    net = architecture("binding-thesis", "binding").build().eval()
    sequence_path = (60 * 32 + 32) + 2 * 32 + (896 * 100 + 100) + 2 * 100
    assert sum(p.numel() for p in net.parameters()) == sequence_path + (133 * 1000 + 1000) + 2 * 1000 + (1000 + 1)
    sequence, signal = torch.rand(9, 4, 1000), torch.rand(9, 1, 1000)
    with torch.no_grad():
        together = net(sequence, signal)
        alone = torch.cat([net(sequence[i : i + 1], signal[i : i + 1]) for i in range(9)])
        blind = ThesisBinding(with_signal=False).eval()
        assert torch.equal(blind(sequence, signal), blind(sequence, 2 * signal))
    assert together.shape == (9, 1)
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
    assert not torch.equal(together, net(sequence, 2 * signal))


def test_half_of_the_filters_start_from_the_motif_on_either_strand() -> None:
    table = np.random.default_rng(0).normal(size=(15, 4))
    net = ThesisBinding()
    start_from_motif(net, Motif(table))
    weight = net.convolution.weight.detach().numpy()
    for i in range(16):
        np.testing.assert_allclose(weight[i], table.T if i % 2 == 0 else table.T[::-1, ::-1], rtol=1e-6)
    assert np.abs(weight[16:]).max() < 0.2


def test_nets_are_known_by_task() -> None:
    with pytest.raises(UsageError, match="unknown architecture; found tss-thesis; wanted binding-thesis"):
        architecture("tss-thesis", "binding")


def test_recall_at_a_false_discovery_rate() -> None:
    truth = np.array([1, 1, 0, 1, 0, 0, 1], dtype=bool)
    score = np.array([7, 6, 5, 4, 3, 2, 1.0])
    assert recall_at(truth, score, 0.1) == 0.5
    assert recall_at(truth, score, 0.5) == 1.0
    assert recall_at(~truth, score, 0.1) == 0
