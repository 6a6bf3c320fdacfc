"""Layers and nets that read both strands with the same weights, by flipping the weights and never the input.

A binding site is the same on either strand, and a net that has to learn it twice spends half of its kernels on that.
Here channels come in pairs: the first half holds what a kernel gives along the strand that is read, the second half, in
the same order, what it gives on the other strand at the same bases (Shrikumar 2017, doi:10.1101/103663, with the second
half not turned round). The reverse complement of a window then gives the same values, halves exchanged and positions
reversed, and what sums up both, as the maximum over positions and strands does, is the same for both.

Flipped weights are constants once a net is trained. The exporter folds them, and what is left are plain convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trackgen.errors import UsageError
from trackgen.learn.architectures.pooled import pooled_convolution
from trackgen.learn.architectures.tss import xavier_start

__all__ = ["PairedConv1d", "RcDilated", "RcMotifs", "both_strands", "flipped", "require_length", "stronger_strand"]


def both_strands(convolution: nn.Conv1d, sequence: Tensor) -> Tensor:
    """A convolution of one-hot by kernels as they are (the first half of the channels), and reverse-complemented.

    Args:
        convolution: of stride 1, undilated and valid.
        sequence: float32 (N, 4, L).

    Returns:
        float32 (N, 2 x kernels, L - width + 1).
    """
    return functional.conv1d(sequence, *flipped(convolution))


def flipped(convolution: nn.Conv1d) -> tuple[Tensor, Tensor]:
    """Weights (2 x kernels, 4, width) and biases (2 x kernels,): a layer's kernels, then those of the other strand.

    Channels A, C, G, T reversed are T, G, C, A, their complements: flipping a kernel along both axes turns it into that
    of the other strand. Both halves are one convolution.
    """
    weight, bias = convolution.weight, convolution.get_parameter("bias")
    return torch.cat([weight, weight.flip(1, 2)]), torch.cat([bias, bias])


def stronger_strand(paired: Tensor) -> Tensor:
    """The larger of both strands: float32 (N, 2 C, ...) in pairs -> (N, C, ...)."""
    half = paired.shape[1] // 2
    return torch.maximum(paired[:, :half], paired[:, half:])


class PairedConv1d(nn.Conv1d):
    """A convolution of paired channels, (N, 2 I, n) -> (N, 2 O, n - dilation x (width - 1)), that keeps them paired.

    Its weight (O, 2 I, width) makes the first half of the outputs. The second half sees the same on the other strand:
    the halves of its inputs exchanged, and its taps in reverse.
    """

    def __init__(self, inputs: int, outputs: int, width: int, dilation: int = 1) -> None:
        super().__init__(2 * inputs, outputs, width, dilation=dilation)

    def forward(self, input: Tensor) -> Tensor:
        half = self.in_channels // 2
        other = torch.cat([self.weight[:, half:], self.weight[:, :half]], dim=1).flip(2)
        bias = self.get_parameter("bias")
        weight, biases = torch.cat([self.weight, other]), torch.cat([bias, bias])
        return functional.conv1d(input, weight, biases, dilation=self.dilation)


class RcMotifs(nn.Module):
    """1layer_128motif with kernels that read both strands, and with a second look at the middle.

    4xL -> convolution of width 24, `kernels` of them, on both strands -> maximum over positions and strands, once over
    the whole window and, where `centre`, once over the middle 26 -> ReLU -> dense 32 -> ReLU -> dropout -> dense 2.

    Each kernel counts on both strands, so that 128 of them hold as many motifs as 256 that read one strand. Peaks have
    their sites near the middle: a maximum over the middle (26 of 78 positions, 49 of 101 bases) says whether a motif is
    there, where local pools (Zeng's `local_win3`) spend a weight on every place of every kernel.

    Raises:
        UsageError: `length` is shorter than a kernel.
    """

    middle = 26

    def __init__(
        self, kernels: int = 128, width: int = 24, *, centre: bool = True, length: int = 101, dropout: float = 0.5
    ) -> None:
        super().__init__()
        require_length(length, width)
        self.convolution = nn.Conv1d(4, kernels, width)
        self.positions = length - width + 1
        self.centre = centre
        self.hidden = nn.Linear(2 * kernels if centre else kernels, 32)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(32, 2)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        """Logits (N, 2) of float32 (N, 4, L) one-hot."""
        kernels, positions = flipped(self.convolution), self.positions
        if self.centre:
            # rounded so that the middle is its own mirror image
            side = max(0, positions - self.middle) // 2
            along = functional.conv1d(sequence, *kernels)
            middle = functional.max_pool1d(along[:, :, side : positions - side], positions - 2 * side)
            pooled = torch.cat([stronger_strand(functional.max_pool1d(along, positions)), stronger_strand(middle)], 1)
        else:
            pooled = stronger_strand(pooled_convolution(sequence, *kernels, positions, training=self.training))
        features = pooled.flatten(1)
        logits: Tensor = self.output(self.dropout(torch.relu(self.hidden(torch.relu(features)))))
        return logits


class RcDilated(nn.Module):
    """Residual dilated convolutions that read both strands: what stands near a motif counts, and how far away.

    4xL -> convolution of width 21, `kernels` pairs -> ReLU -> blocks x + ReLU(convolution of width 3, dilated by 1, 2,
    4, 8) -> maximum over positions and strands -> dense 32 -> ReLU -> dropout -> dense 2. After the blocks a position
    has seen 51 bases. Convolutions are valid, and x is cut to what is left of them. As in BPNet (Avsec 2021,
    doi:10.1038/s41588-021-00782-6) there is no batch norm; kernels start from He's normal distribution.

    Raises:
        UsageError: `length` is shorter than the 51 bases that a position sees.
    """

    width = 21

    def __init__(
        self, kernels: int = 32, dilations: Sequence[int] = (1, 2, 4, 8), *, length: int = 101, dropout: float = 0.5
    ) -> None:
        super().__init__()
        reach = self.width - 1 + 2 * sum(dilations)
        require_length(length, reach + 1)
        self.convolution = nn.Conv1d(4, kernels, self.width)
        self.blocks = nn.ModuleList(PairedConv1d(kernels, kernels, 3, dilation) for dilation in dilations)
        self.pool = nn.MaxPool1d(length - reach)
        self.hidden = nn.Linear(kernels, 32)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(32, 2)
        xavier_start(self)
        for block in self.blocks:
            weight = block.get_parameter("weight")
            nn.init.normal_(weight, std=math.sqrt(2 / weight[0].numel()))

    def forward(self, sequence: Tensor) -> Tensor:
        """Logits (N, 2) of float32 (N, 4, L) one-hot."""
        along = torch.relu(both_strands(self.convolution, sequence))
        for block in self.blocks:
            made = torch.relu(block(along))
            cut = (along.shape[2] - made.shape[2]) // 2
            along = along[:, :, cut : along.shape[2] - cut] + made
        features = stronger_strand(self.pool(along)).flatten(1)
        logits: Tensor = self.output(self.dropout(torch.relu(self.hidden(features))))
        return logits


def require_length(length: int, wanted: int) -> None:
    """Refuse sequences of `length` bases where the net needs `wanted`.

    Raises:
        UsageError: they are shorter.
    """
    if length < wanted:
        raise UsageError("the sequences are too short for the net", found=f"{length} bp", wanted=f"{wanted} bp or more")
