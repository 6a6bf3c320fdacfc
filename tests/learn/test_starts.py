"""Starts of a net: motifs in its kernels, and a signal learned before the classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trackgen.card import InputSpec
from trackgen.errors import UsageError
from trackgen.genome import Genome
from trackgen.learn.architectures.binding import ThesisBinding
from trackgen.learn.architectures.sequence_nets import SEQUENCE_NETS, DeepBind, ZengNet
from trackgen.learn.architectures.strands import RcMotifs
from trackgen.learn.datasets.tracks import Track
from trackgen.learn.datasets.windows import Sites, one_hot
from trackgen.learn.fit import FitOptions
from trackgen.learn.starts import ChipBatches, motif_kernel, pretrain, start_from_motifs

MOTIF = np.array([[0.97, 0.01, 0.01, 0.01], [0.01, 0.97, 0.01, 0.01], [0.01, 0.01, 0.01, 0.97]]).T
"""ACT."""


def test_a_kernel_is_the_motifs_log_odds_in_the_middle() -> None:
    kernel = motif_kernel(MOTIF, 8)
    assert kernel.shape == (4, 8)
    assert not kernel[:, [0, 1, 5, 6, 7]].any()
    assert kernel[0, 2] == pytest.approx(np.log(0.98 / 1.04 / 0.25), rel=1e-6)
    assert kernel.argmax(axis=0)[2:5].tolist() == [0, 1, 3]


def test_of_a_motif_that_is_too_wide_the_most_informative_stretch_is_kept() -> None:
    flat = np.full((4, 6), 0.25)
    kernel = motif_kernel(np.concatenate([flat, MOTIF, flat], axis=1), 3)
    np.testing.assert_array_equal(kernel, motif_kernel(MOTIF, 3))


def test_a_net_of_one_strand_gets_each_motif_on_both_and_keeps_half_of_its_kernels() -> None:
    net = ZengNet((8,))
    drawn = net.convolution.weight.detach().clone()
    assert start_from_motifs(net.convolution, [MOTIF] * 5) == 2
    weight = net.convolution.weight.detach()
    assert torch.equal(weight[4:], drawn[4:])
    assert torch.equal(weight[1], weight[0].flip(0, 1))
    torch.testing.assert_close(weight[:4].flatten(1).norm(dim=1), drawn.flatten(1).norm(dim=1).mean().expand(4))
    codes = np.full((1, 24), 4, dtype=np.uint8)
    codes[0, 10:13] = [0, 1, 3]
    with torch.no_grad():
        scores = net.convolution(torch.from_numpy(one_hot(codes)))[0, :, 0] - net.convolution.get_parameter("bias")
    assert scores[0] == pytest.approx(float(weight[0].clamp(min=0).sum()), rel=1e-5)


def test_a_net_of_both_strands_gets_each_motif_once() -> None:
    net = RcMotifs(8)
    assert start_from_motifs(net.convolution, [MOTIF] * 5, one_strand=False) == 4
    assert torch.equal(net.convolution.weight[0], net.convolution.weight[3])


def test_nothing_to_start_from_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to start from motifs; found 0 motifs, 16 kernels") as caught:
        start_from_motifs(ZengNet((16,)).convolution, [])
    assert caught.value.exit_status == 2
    with pytest.raises(UsageError, match="found 1 motifs, 3 kernels; wanted a motif or more, and 4 kernels or more"):
        start_from_motifs(ZengNet((3,)).convolution, [MOTIF])


@dataclass(frozen=True)
class Counts:
    """Windows, and how many As their first half has: a signal that sequence explains."""

    number: int = 128
    signal: bool = False
    length: int = 40

    def batches(self, epoch: int) -> Iterator[Any]:
        random = np.random.default_rng(epoch)
        for _ in range(0, self.number, 32):
            codes = random.integers(0, 4, (32, self.length)).astype(np.uint8)
            inputs = (one_hot(codes),) + ((np.zeros((32, 1, self.length), np.float32),) if self.signal else ())
            yield inputs, (codes == 0).mean(axis=1, keepdims=True).astype(np.float32)


def test_pretraining_teaches_all_but_the_last_layer() -> None:
    torch.manual_seed(3)
    net = SEQUENCE_NETS["1layer"].build(length=40, dropout=0.0)
    assert isinstance(net, ZengNet)
    kernels, output = net.convolution.weight.detach().clone(), net.output
    result = pretrain(net, Counts(), Counts(32), FitOptions(epochs=4, learning_rate=0.002, seed=1))
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert net.output is output
    assert net.output.out_features == 2
    assert not net.output.get_parameter("bias").any()
    assert not torch.equal(net.convolution.weight, kernels)


def test_the_thesis_net_can_be_pretrained_with_its_signal() -> None:
    net = ThesisBinding()
    result = pretrain(net, Counts(32, True, 1000), Counts(32, True, 1000), FitOptions(epochs=1))
    assert len(result.history) == 1
    assert net.eval()(torch.zeros(1, 4, 1000), torch.zeros(1, 1, 1000)).shape == (1, 1)


def test_nets_that_do_not_end_in_one_dense_layer_cannot_be_pretrained() -> None:
    net = DeepBind(length=40)
    layer = net.head[-1]
    with pytest.raises(UsageError, match=r"can't be trained on a signal first; found outputs \(32, 2\)") as caught:
        pretrain(net, Counts(), Counts(32), FitOptions(epochs=1))
    assert caught.value.exit_status == 2
    assert net.head[-1] is layer
    with pytest.raises(UsageError, match="found no dense layer"):
        pretrain(nn.Conv1d(4, 1, 40), Counts(), Counts(), FitOptions(epochs=1))


class Steps:
    """A reader of a signal that is the position itself."""

    path = "steps.bw"

    def __init__(self, lengths: dict[str, int]) -> None:
        self.lengths = lengths

    def values(self, name: str, start: int, end: int) -> np.ndarray:
        return np.arange(start, end, dtype=np.float32)


def test_targets_are_the_mean_of_the_log_signal_over_the_bin(genome: Genome) -> None:
    reader: Any = Steps(dict(genome.lengths))
    spec = InputSpec("chip", "signal", channels=("chip",), transform=(("log1p", ()),))
    track = Track(spec, reader, genome.lengths)
    name = next(iter(genome.lengths))
    sites = Sites((name,), np.zeros(3, np.int32), np.array([300, 400, 310]), np.array([False, True, False]))
    source = ChipBatches(genome, track, lambda epoch: sites, 100, 20, batch_size=2, beside=track)
    batches = list(source.batches(0))
    assert [len(targets) for _, targets in batches] == [2, 1]
    found = np.concatenate([targets for _, targets in batches])[:, 0]
    # on the minus strand the bin [p, p + b) is read the other way round
    wanted = [np.log1p(np.arange(p, p + 20)).mean() for p in (300, 400, 310)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    (sequence, signal), _ = batches[0]
    assert (sequence.shape, signal.shape) == ((2, 4, 100), (2, 1, 100))


def test_a_net_without_a_signal_gets_the_sequence_alone(genome: Genome) -> None:
    reader: Any = Steps(dict(genome.lengths))
    track = Track(InputSpec("chip", "signal", channels=("chip",)), reader, genome.lengths)
    sites = Sites((next(iter(genome.lengths)),), np.zeros(1, np.int32), np.array([300]), np.array([False]))
    ((inputs, _),) = ChipBatches(genome, track, lambda epoch: sites, 100, 20).batches(0)
    assert len(inputs) == 1
