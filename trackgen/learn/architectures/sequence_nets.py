"""Classifiers of sequences of one length: float32 (N, 4, L) one-hot -> logits (N, 2), unbound and bound.

The ten nets of Zeng 2016 (doi:10.1093/bioinformatics/btw255, Figure 1 and Table 1) under their codes, DeepBind
(doi:10.1038/nbt.3300), and nets of our own. All are made of valid convolutions, floor pooling and dense layers: what a
window computes does not depend on where it was cut, so that neighbouring windows can share work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from trackgen.errors import UsageError
from trackgen.learn.architectures.counting import RcCounts
from trackgen.learn.architectures.pooled import pooled_convolution
from trackgen.learn.architectures.strands import RcDilated, RcMotifs, flipped, require_length
from trackgen.learn.architectures.tss import xavier_start

__all__ = ["SEQUENCE_NETS", "DeepBind", "SequenceNet", "ZengNet", "sequence_net"]

MOTIF = 24
"""Width of the first layer's kernels, bases: of DeepBind on ChIP-seq, and so of Zeng 2016."""
UPPER = 5
"""Width of the kernels of the second and third layer."""
BETWEEN = 2
"""Width and step of the pools between layers."""


class ZengNet(nn.Module):
    """The parameterized net of Zeng 2016, Figure 1: its ten codes differ in `kernels` and `top` alone.

    4xL -> convolutions of `kernels`, the first of width 24, each followed by max-pooling -> ReLU -> dense 32 -> ReLU ->
    dropout -> dense 2. Xavier start. The maximum is taken before the ReLU, which is the same function for less work.

    The paper leaves three things open. *Padding*: none here, as in its "part of the input within the neuron's window";
    the example that its authors published pads by 12 on either side, which lets half a motif at an end count, and makes
    what a window computes depend on where it was cut. *Width of upper kernels*: 5, the width in the authors' later
    published nets. *Pools between layers*: 2 wide, 2 apart, as the paper only asks that they be local: with 3, three
    positions would be left of 101 bases under the third layer's top pool, and `3layer_local_win3` would be `3layer`.
    Local pools are as far apart as they are wide, and a remainder that fills none is dropped (6 of 78 by 9).

    Args:
        kernels: number of kernels of each layer, the lowest first.
        top: width of the top layer's pool; None for all of its positions (global).
        length: L, bases.
        dropout: share of the dense layer's outputs that are masked in training.

    Raises:
        UsageError: `length` is too short for the layers.
    """

    def __init__(
        self, kernels: tuple[int, ...] = (16,), top: int | None = None, length: int = 101, dropout: float = 0.5
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, positions = 4, length
        self.pool = 0
        for depth, number in enumerate(kernels):
            width = UPPER if depth else MOTIF
            positions -= width - 1
            last = depth == len(kernels) - 1
            pool = (top or max(positions, 1)) if last else BETWEEN
            if positions < pool:
                raise UsageError(
                    "the sequences are too short for the net's layers", found=f"{length} bp", wanted="longer ones",
                    remedy="take a net of fewer layers, such as 1layer",
                )  # fmt: skip
            self.pool = self.pool or pool
            layers += [nn.Conv1d(channels, number, width), nn.MaxPool1d(pool), nn.ReLU()]
            channels, positions = number, positions // pool
        self.trunk = nn.Sequential(*layers)
        self.hidden = nn.Linear(channels * positions, 32)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(32, 2)
        xavier_start(self)

    @property
    def convolution(self) -> nn.Conv1d:
        """The first layer: its kernels are what motifs are read from, or written to."""
        layer = self.trunk[0]
        assert isinstance(layer, nn.Conv1d)
        return layer

    def forward(self, sequence: Tensor) -> Tensor:
        """Logits (N, 2) of float32 (N, 4, L) one-hot."""
        # the first convolution and its pool together: see `pooled`
        first = self.convolution
        features = pooled_convolution(
            sequence, first.weight, first.get_parameter("bias"), self.pool, training=self.training
        )
        features = self.trunk[2:](features).flatten(1)
        logits: Tensor = self.output(self.dropout(torch.relu(self.hidden(features))))
        return logits


class DeepBind(nn.Module):
    """DeepBind as its authors trained it on ENCODE ChIP-seq: 16 kernels of width 24, both strands, the better counts.

    4xL -> convolution 24 x 16 -> global max-pool -> ReLU -> dropout -> (dense 32 -> ReLU, where `hidden`) -> dense
    1, for either strand; the higher score wins. A score s is given as the logits (0, s), whose softmax is DeepBind's
    sigmoid. The other strand is read by the same kernels, reversed and complemented, never by reversing the input: the
    two are one computation, since the maximum over positions does not know their order.

    Its own choices (program published with doi:10.1038/nbt.3300): kernels start from a normal distribution of scale
    1e-7 to 1e-3 and dense layers from one of 1e-5 to 1e-2, both log-uniform; dropout of the pooled features by 0, .25
    or .5 (0 twice as often); gradient descent with momentum .95 to .99, rate .0005 to .05 log-uniform, batches of 64,
    20,000 steps; 30 settings are tried. Sequences were padded with N, which valid convolutions leave out.

    Args:
        hidden: whether there is a dense layer of 32 (a hyper-parameter in DeepBind).
        length: L, bases.
        dropout: share of pooled features that are masked in training.
        kernel_scale: standard deviation of the kernels at the start; the middle of DeepBind's range.
        dense_scale: the same of dense layers.

    Raises:
        UsageError: `length` is shorter than a kernel.
    """

    def __init__(
        self, *, hidden: bool = False, length: int = 101, dropout: float = 0.5,
        kernel_scale: float = 1e-3, dense_scale: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__()
        require_length(length, MOTIF)
        self.convolution = nn.Conv1d(4, 16, MOTIF)
        self.positions = length - MOTIF + 1
        self.dropout = nn.Dropout(dropout)
        layers: list[nn.Module] = [nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1)] if hidden else [nn.Linear(16, 1)]
        self.head = nn.Sequential(*layers)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.normal_(layer.weight, std=kernel_scale if layer is self.convolution else dense_scale)
                nn.init.constant_(layer.get_parameter("bias"), 0)

    def forward(self, sequence: Tensor) -> Tensor:
        """Logits (N, 2) of float32 (N, 4, L) one-hot."""
        pooled = pooled_convolution(sequence, *flipped(self.convolution), self.positions, training=self.training)
        features = torch.relu(pooled).flatten(1)
        strands = features[:, :16], features[:, 16:]
        score = torch.maximum(*(self.head(self.dropout(strand)) for strand in strands))
        return torch.cat([torch.zeros_like(score), score], dim=1)


@dataclass(frozen=True)
class SequenceNet:
    """A classifier of sequences.

    Attributes:
        build: ``build(length=101, dropout=0.5)`` makes the net, with random weights.
        summary: one sentence for people.
        strands: ``both`` where a sequence and its reverse complement get the same logits, else ``forward``.
        any_length: its weights do not know the length: those of a net for 101 bases fit one for any other.
        zeng: it is one of the ten nets of Zeng 2016.
    """

    build: Callable[..., nn.Module]
    summary: str
    strands: Literal["forward", "both"] = "forward"
    any_length: bool = False
    zeng: bool = False


def _zeng(summary: str, *kernels: int, top: int | None = None) -> SequenceNet:
    return SequenceNet(partial(ZengNet, kernels, top), summary, any_length=top is None, zeng=True)


SEQUENCE_NETS: dict[str, SequenceNet] = {
    "1layer": _zeng("16 kernels of width 24, global max-pool, dense 32", 16),
    "1layer_1motif": _zeng("1layer with 1 kernel", 1),
    "1layer_64motif": _zeng("1layer with 64 kernels", 64),
    "1layer_128motif": _zeng("1layer with 128 kernels", 128),
    "1layer_local_win9": _zeng("1layer with max-pools of 9 in place of the global one", 16, top=9),
    "1layer_local_win3": _zeng("1layer with max-pools of 3 in place of the global one", 16, top=3),
    "2layer": _zeng("two convolutions, of 16 and 32 kernels, global max-pool at the top", 16, 32),
    "3layer": _zeng("three convolutions, of 16, 32 and 64 kernels, global max-pool at the top", 16, 32, 64),
    "2layer_local_win3": _zeng("2layer with max-pools of 3 at the top", 16, 32, top=3),
    "3layer_local_win3": _zeng("3layer with max-pools of 3 at the top", 16, 32, 64, top=3),
    "deepbind": SequenceNet(
        DeepBind, "DeepBind: 16 kernels of width 24, either strand, global max-pool, one dense layer", "both", True
    ),
    "deepbind_fc": SequenceNet(
        partial(DeepBind, hidden=True), "deepbind with a dense layer of 32 before its output", "both", True
    ),
    "rc_128motif": SequenceNet(
        partial(RcMotifs, centre=False), "1layer_128motif whose kernels read both strands, with the same weights",
        "both", True,
    ),
    "rc_128motif_centre": SequenceNet(
        RcMotifs, "rc_128motif that looks a second time, at the middle 49 bases alone", "both", True
    ),
    "rc_128motif_words": SequenceNet(
        RcCounts, "rc_128motif beside 128 short kernels whose outputs are averaged over the window", "both", True
    ),
    "rc_dilated": SequenceNet(
        RcDilated, "32 kernels of width 21 and four residual dilated convolutions, on both strands with the same "
        "weights, global max-pool", "both", True,
    ),
}  # fmt: skip


def sequence_net(name: str) -> SequenceNet:
    """The classifier called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in SEQUENCE_NETS:
        raise UsageError("unknown architecture of sequences", found=name, wanted=", ".join(SEQUENCE_NETS))
    return SEQUENCE_NETS[name]
