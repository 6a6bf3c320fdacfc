"""A net for many factors at once that reads both strands with the same weights, and the plain net that is exported.

Factors of one genome share most of what there is to know (known motifs, promoters, each other's sites), and most have
few peaks. So the first layer is a bank of kernels that may start from known motifs, a shared trunk sees where in the
window they stand, and each factor adds a path of its own straight from the bank, and hidden units of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trackgen.errors import UsageError
from trackgen.learn.architectures.multitask import BOUND, FactorHeads
from trackgen.learn.architectures.strands import PairedConv1d, both_strands
from trackgen.learn.architectures.tss import xavier_start

__all__ = ["COUNTED", "FactorLogits", "RcMultitask", "exchanged"]

POOL = 10
"""Positions of a max-pool, bp: the stride of a scan, so that neighbouring windows share every pool."""
POOLS = 9
"""Pools of a window: an odd number, so that one lies in the middle."""
START_ABOVE = 0.5
"""A kernel that starts from a motif passes its ReLU above its mean by so many standard deviations."""
COUNTED = 4
"""Length of the k-mers whose numbers in the window count, bp."""


class RcMultitask(nn.Module):
    """Logits of three nodes a factor, the same for a window and its reverse complement.

    4xL -> convolution of `width`, `kernels` on both strands -> max-pool 10/10 (9 positions) -> ReLU -> dropout. From
    there two paths. Trunk: paired convolution over all 9 positions, `shared` -> ReLU -> sum of both strands -> dropout
    -> `units` hidden units of a factor's own -> three nodes. Direct: one weight for each factor and kernel wherever it
    stands, and one for each position, the same for both strands, onto the node "bound"; they start from zero. So few
    peaks are enough to tell a motif, and many tell its place. L = width - 1 + 90.

    Args:
        factors: number of them.
        kernels, width: of the first layer.
        shared, units: of the trunk, and of each factor.
        dropout: in front of and behind each factor's units; the bank's features lose `bank_dropout`.
    """

    def __init__(
        self, factors: int, *, kernels: int = 128, width: int = 16, shared: int = 64, units: int = 8,
        dropout: float = 0.3, bank_dropout: float = 0.3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.window = width - 1 + POOL * POOLS
        self.factors = factors
        self.convolution = nn.Conv1d(4, kernels, width)
        self.pool = nn.MaxPool1d(POOL)
        self.bank_dropout = nn.Dropout(bank_dropout)
        self.trunk = PairedConv1d(kernels, shared, POOLS)
        self.direct = nn.Parameter(torch.zeros(factors, 2 * kernels, POOLS))
        self.anywhere = nn.Parameter(torch.zeros(factors, 2 * kernels, 1))
        self.dropout = nn.Dropout(dropout)
        xavier_start(self)
        self.heads = FactorHeads(shared, factors, units, dropout)

    def forward(self, sequence: Tensor) -> Tensor:
        """Logits (N, factors, 3) of float32 (N, 4, L) one-hot."""
        bank = self.bank_dropout(torch.relu(self.pool(both_strands(self.convolution, sequence))))
        both = torch.relu(self.trunk(bank))[:, :, 0]
        half = both.shape[1] // 2
        logits = self._nodes(self.dropout(both[:, :half] + both[:, half:]))
        own = functional.conv1d(bank, self._direct())
        # onto the node "bound" alone: only its distance from "unbound" tells anything
        return logits + functional.pad(own, (BOUND, 0))

    def _nodes(self, shared: Tensor) -> Tensor:
        """`FactorHeads`, with the last layer as products and sums: a convolution in many groups trains slowly."""
        own = self.dropout(torch.relu(self.heads.hidden(shared))).reshape(-1, self.factors, 1, self._units)
        weight = self.heads.nodes.weight.reshape(self.factors, 3, self._units)
        bias = self.heads.nodes.get_parameter("bias").reshape(self.factors, 3)
        logits: Tensor = (own * weight).sum(3) + bias
        return logits

    def start_from_motifs(self, motifs: Sequence[NDArray[np.floating]], background: Tensor) -> None:
        """Make the first kernels the log-odds of motifs, scaled by what they give on background windows.

        A kernel's pooled values on the background have mean -`START_ABOVE` and standard deviation 1. Of a motif wider
        than a kernel the stretch of most information is taken; a narrower one stands in the middle, zeros around it.

        Args:
            motifs: float[4, w] probabilities; no more than there are kernels.
            background: float32 (N, 4, L) one-hot.

        Raises:
            UsageError: there are more motifs than kernels.
        """
        weight = self.convolution.weight
        if len(motifs) > len(weight):
            raise UsageError("there are more motifs than kernels", found=len(motifs), wanted=f"at most {len(weight)}")
        with torch.no_grad():
            for row, motif in zip(weight, motifs, strict=False):
                row.copy_(torch.from_numpy(_kernel(np.asarray(motif, np.float64), row.shape[1])))
            self.convolution.get_parameter("bias").zero_()
            values = self.pool(both_strands(self.convolution, background))[:, : len(weight)]
            mean, deviation = values.mean((0, 2)), values.std((0, 2)).clamp(min=1e-6)
            weight /= deviation[:, None, None]
            self.convolution.get_parameter("bias").copy_(-mean / deviation - START_ABOVE)

    def plain(self) -> FactorLogits:
        """The plain net of all factors, whose path of short k-mers adds nothing yet."""
        kernels = len(self.convolution.weight)
        net = FactorLogits(
            self.factors, kernels, self.convolution.weight.shape[2], self.trunk.out_channels, self._units
        )  # fmt: skip
        with torch.no_grad():
            bank, trunk = self.convolution.weight, self.trunk.weight
            hidden = self.heads.hidden.weight
            nodes = self.heads.nodes.weight.reshape(self.factors, 3, self._units)
            biases = self.heads.nodes.get_parameter("bias").reshape(self.factors, 3)
            net.bank.weight.copy_(torch.cat([bank, bank.flip(1, 2)]))
            net.bank.get_parameter("bias").copy_(self.convolution.get_parameter("bias").repeat(2))
            net.trunk.weight.copy_(torch.cat([trunk, exchanged(trunk)]))
            net.trunk.get_parameter("bias").copy_(self.trunk.get_parameter("bias").repeat(2))
            net.hidden.weight.copy_(torch.cat([hidden, hidden], dim=1)[:, :, None])
            net.hidden.get_parameter("bias").copy_(self.heads.hidden.get_parameter("bias"))
            net.nodes.weight.copy_((nodes[:, BOUND] - nodes[:, BOUND - 1])[:, :, None])
            net.nodes.get_parameter("bias").copy_(biases[:, BOUND] - biases[:, BOUND - 1])
            net.direct.weight.copy_(self._direct())
        return net.eval()

    def _direct(self) -> Tensor:
        """Weights (factors, 2 x kernels, 9) of the direct path, the same for both strands."""
        one = self.direct + self.anywhere
        return one + exchanged(one)

    @property
    def _units(self) -> int:
        return len(self.heads.hidden.weight) // self.factors


class FactorLogits(nn.Module):
    """What is exported: plain convolutions, one calibrated logit a factor, bound against unbound.

    Its layers are those of `RcMultitask` with the flipped weights written out, so that nothing is left to fold, and
    every window shares its work with its neighbours. One path is not of `RcMultitask`: how often each k-mer of
    `COUNTED` bases stands in the window, times a weight for each factor (`with_counts`). A kernel that holds a k-mer
    and subtracts k - 1 is 1 where the k-mer stands and nowhere else above 0. The weights of a k-mer and of its reverse
    complement are the same.

    Args:
        factors, kernels, width, shared, units: as of `RcMultitask`.
    """

    def __init__(self, factors: int, kernels: int, width: int, shared: int, units: int) -> None:
        super().__init__()
        self.bank = nn.Conv1d(4, 2 * kernels, width)
        self.pool = nn.MaxPool1d(POOL)
        self.trunk = nn.Conv1d(2 * kernels, 2 * shared, POOLS)
        self.hidden = nn.Conv1d(2 * shared, factors * units, 1)
        self.nodes = nn.Conv1d(factors * units, factors, 1, groups=factors)
        self.direct = nn.Conv1d(2 * kernels, factors, POOLS, bias=False)
        self.kmers = nn.Conv1d(4, 4**COUNTED, COUNTED)
        self.counts = nn.Conv1d(4**COUNTED, factors, 1, bias=False)
        with torch.no_grad():
            self.kmers.weight.copy_(_every_kmer(COUNTED))
            self.kmers.get_parameter("bias").fill_(1 - COUNTED)
            self.counts.weight.zero_()

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> FactorLogits:
        """The net that these weights are of."""
        bank, trunk, nodes = (weights[f"{name}.weight"] for name in ("bank", "trunk", "nodes"))
        net = cls(len(nodes), len(bank) // 2, bank.shape[2], len(trunk) // 2, nodes.shape[1])
        net.load_state_dict(dict(weights))
        return net

    def chosen(self, factors: Sequence[int], scale: Sequence[float], shift: Sequence[float]) -> FactorLogits:
        """The net of some factors, with ``scale x logit + shift`` of each in its weights.

        Args:
            factors: their indices.
            scale, shift: one number for each of them.
        """
        rows, factor = torch.tensor(list(factors)), torch.tensor(list(scale))
        units = self.nodes.weight.shape[1]
        weights = dict(self.state_dict())
        for name in ("hidden.weight", "hidden.bias"):
            weights[name] = weights[name].unflatten(0, (-1, units))[rows].flatten(0, 1)
        for name in ("nodes.weight", "direct.weight", "counts.weight"):
            weights[name] = weights[name][rows] * factor[:, None, None]
        weights["nodes.bias"] = weights["nodes.bias"][rows] * factor + torch.tensor(list(shift))
        return FactorLogits.of(weights).eval()

    def with_counts(self, weights: NDArray[np.floating]) -> FactorLogits:
        """The same net, with these weights of the number of each k-mer in the window added to its logits.

        Args:
            weights: float[4**COUNTED, factors], of k-mers as `trackgen.learn.kmer` numbers them; those of a k-mer and
                of its reverse complement alike.
        """
        positions = self.window - COUNTED + 1
        more = dict(self.state_dict())
        # a mean over the positions follows
        more["counts.weight"] = torch.from_numpy(np.asarray(weights.T * positions, dtype=np.float32))[:, :, None]
        return FactorLogits.of(more).eval()

    @property
    def window(self) -> int:
        """L, bases."""
        return self.bank.kernel_size[0] - 1 + POOL * POOLS

    def forward(self, sequence: Tensor) -> Tensor:
        """Logits (N, factors) of float32 (N, 4, L) one-hot."""
        return self.along(sequence)[:, :, 0]

    def along(self, sequence: Tensor) -> Tensor:
        """Logits (N, factors, n) of the windows that begin at every 10th base of float32 (N, 4, L + 10 (n - 1))."""
        bank = torch.relu(self.pool(self.bank(sequence)))
        own = self.nodes(torch.relu(self.hidden(torch.relu(self.trunk(bank)))))
        # weighted before the mean is taken: there are fewer factors than k-mers
        counted = self.counts(torch.relu(self.kmers(sequence)))
        means = functional.avg_pool1d(counted, self.window - COUNTED + 1, POOL)
        logits: Tensor = own + self.direct(bank) + means
        return logits


def exchanged(weight: Tensor) -> Tensor:
    """Weights (O, 2 I, width) over paired channels, as the other strand has them: halves exchanged, taps reversed."""
    half = weight.shape[1] // 2
    return torch.cat([weight[:, half:], weight[:, :half]], dim=1).flip(2)


def _every_kmer(k: int) -> Tensor:
    """One-hot float32 (4**k, 4, k) of every k-mer, in the order of their numbers to the base 4."""
    number = torch.arange(4**k)[:, None] // 4 ** torch.arange(k - 1, -1, -1)
    return functional.one_hot(number % 4, 4).transpose(1, 2).float()


def _kernel(matrix: NDArray[np.float64], width: int) -> NDArray[np.float32]:
    """float32[4, width] log-odds of float64[4, w] probabilities, against equal bases."""
    softened = (matrix + 0.01) / (matrix + 0.01).sum(axis=0)
    odds = np.log(4 * softened)
    if odds.shape[1] > width:
        information = (softened * odds).sum(axis=0)
        first = int(np.argmax(np.convolve(information, np.ones(width), mode="valid")))
        odds = odds[:, first : first + width]
    kernel = np.zeros((4, width), dtype=np.float32)
    before = (width - odds.shape[1]) // 2
    kernel[:, before : before + odds.shape[1]] = odds
    return kernel
