"""A net that asks which motifs stand in a window, and also how often short words do.

The maximum over positions tells that a motif is there once. What a stretch of genome is made of (CpG islands, runs of
A, words that real sequence has more of than its own shuffles) stands in how often short words come, and models that
count k-mers know it. A second layer of short kernels is therefore averaged over the window instead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trackgen.learn.architectures.pooled import pooled_convolution
from trackgen.learn.architectures.strands import flipped, require_length, stronger_strand
from trackgen.learn.architectures.tss import xavier_start

__all__ = ["RcCounts"]


class RcCounts(nn.Module):
    """rc_128motif with a second layer of short kernels, whose outputs are averaged over positions and strands.

    Motifs: 4xL -> convolution of width 24, `motifs` kernels on both strands -> maximum over positions and strands ->
    ReLU. Words: 4xL -> convolution of width 8, `words` kernels on both strands -> ReLU -> mean over positions, sum of
    both strands. Both -> dense 32 -> ReLU -> dropout -> dense 2. The other strand is read by flipped weights.

    Raises:
        UsageError: `length` is shorter than a kernel.
    """

    def __init__(self, motifs: int = 128, words: int = 128, *, length: int = 101, dropout: float = 0.5) -> None:
        super().__init__()
        require_length(length, 24)
        self.convolution = nn.Conv1d(4, motifs, 24)
        self.words = nn.Conv1d(4, words, 8)
        self.counted = nn.AvgPool1d(length - 7)
        self.positions = length - 23
        self.hidden = nn.Linear(motifs + words, 32)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(32, 2)
        xavier_start(self)

    def forward(self, sequence: Tensor) -> Tensor:
        """Logits (N, 2) of float32 (N, 4, L) one-hot."""
        kernels = flipped(self.convolution)
        highest = stronger_strand(pooled_convolution(sequence, *kernels, self.positions, training=self.training))
        counts = self.counted(torch.relu(functional.conv1d(sequence, *flipped(self.words))))
        half = counts.shape[1] // 2
        features = torch.cat([torch.relu(highest), counts[:, :half] + counts[:, half:]], dim=1).flatten(1)
        logits: Tensor = self.output(self.dropout(torch.relu(self.hidden(features))))
        return logits
