"""A net that denoises a signal of bins: a convolutional trunk that decides, bin by bin, how to smooth.

The denoised signal is a sum over a fixed bank of Gaussian smoothings of the input, each weighted by a gate that the
trunk opens: ``signal = sum_k gate_k(context) * smooth_k(input)``. Gates are positive and smoothings of nothing are
nothing, so that an input of zeros gives zeros exactly, and the best single Gaussian is among what the net can say.
The logit of a peak is a value of the trunk and of all these signals, at most `HIGHEST`, plus
``log((signal + TINY) / (signal + LEAST))``: where there is no signal there is no peak, whatever the trunk says.

Convolutions are valid ones: a tile of any length loses `Denoiser.flank` bins on either side, and one window of
`Denoiser.window` bins gives one bin. Dilated convolutions in residual blocks are those of AtacWorks
(doi:10.1038/s41467-021-21765-5), its two losses and heads too; padding and batch normalisation are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["HIGHEST", "RESOLUTION", "DenoiseLoss", "Denoiser", "SignalAndPeak"]

RESOLUTION = 10
"""Bases of a bin."""
DILATIONS = (1, 2, 4, 8, 16, 32, 64)
WIDTHS = (0.0, 1.5, 3.0, 5.0, 8.0, 12.0, 20.0, 35.0, 60.0)
"""Standard deviations of the smoothings, bins; 0 is the input itself."""
FIRST = 15
"""Bins of the first convolution."""
JOINED = 64
"""Channels behind the trunk."""
MOTIF = 21
"""Bases of the convolution over the sequence, which sees 10 bases to either side."""
HIGHEST = 8.0
LEAST = 0.02
"""Signal, fold over the mean, below which a peak is less and less likely."""
TINY = 1e-12


class Denoiser(nn.Module):
    """float32 (N, 1, T) signal -> float32 (N, 2, T - 2 * flank): denoised signal, and logit of a peak.

    Args:
        channels: of the trunk.
        kernels: over the DNA sequence, as a second input float32 (N, 4, 10 * T), one-hot; 0 for a net without it.
    """

    def __init__(self, channels: int = 32, kernels: int = 0) -> None:
        super().__init__()
        self.flank = FIRST // 2 + sum(DILATIONS)
        self.window = 2 * self.flank + 1
        self.first = nn.Conv1d(1, channels, FIRST)
        self.wide = nn.ModuleList(nn.Conv1d(channels, channels, 3, dilation=step) for step in DILATIONS)
        self.narrow = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in DILATIONS)
        self.joined = nn.Conv1d(channels + len(WIDTHS), JOINED, 1)
        self.gates = nn.Conv1d(JOINED, len(WIDTHS), 1)
        self.peak = nn.Conv1d(JOINED + len(WIDTHS) + 1, 1, 1)
        self.bank: Tensor
        self.register_buffer("bank", gaussians(WIDTHS, self.flank))
        # at the start every gate is open by the same amount, and the gates add up to one
        nn.init.zeros_(self.gates.weight)
        assert self.gates.bias is not None
        nn.init.constant_(self.gates.bias, math.log(math.expm1(1 / len(WIDTHS))))
        self.motifs = nn.Conv1d(4, kernels, MOTIF) if kernels else None
        self.sequence = nn.Conv1d(kernels, channels, 5) if kernels else None

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> Denoiser:
        """The net whose weights these are."""
        kernels = len(weights["motifs.weight"]) if "motifs.weight" in weights else 0
        net = cls(len(weights["first.weight"]), kernels)
        net.load_state_dict(dict(weights))
        return net

    def forward(self, signal: Tensor, sequence: Tensor | None = None) -> Tensor:
        # coverage is never negative, whatever a track that somebody smoothed or subtracted from says
        signal = functional.relu(signal)
        hidden = self.first(torch.log1p(signal))
        if self.motifs is not None and self.sequence is not None:
            hidden = hidden + self._read(sequence)
        for wide, narrow, step in zip(self.wide, self.narrow, DILATIONS, strict=True):
            change = narrow(functional.relu(wide(functional.relu(hidden))))
            hidden = hidden[:, :, step:-step] + change
        smooth = functional.conv1d(signal, self.bank)
        level = torch.log1p(smooth)
        hidden = functional.relu(self.joined(torch.cat([functional.relu(hidden), level], dim=1)))
        denoised = (functional.softplus(self.gates(hidden)) * smooth).sum(dim=1, keepdim=True)
        peak = self.peak(torch.cat([hidden, level, torch.log1p(denoised)], dim=1))
        logit = peak.clamp(max=HIGHEST) + torch.log((denoised + TINY) / (denoised + LEAST))
        return torch.cat([denoised, logit], dim=1)

    def _read(self, sequence: Tensor | None) -> Tensor:
        """What the sequence says of the bins that the first convolution gives: (N, channels, T - FIRST + 1)."""
        assert sequence is not None
        assert self.motifs is not None
        assert self.sequence is not None
        # Kernels begin at every base; ten of them that lie around the bases of one bin make a bin, the first and the
        # last bin have none; two more on either side are taken by the next convolution.
        found = functional.max_pool1d(functional.relu(self.motifs(sequence)), RESOLUTION)
        read: Tensor = self.sequence(found)
        cut = FIRST // 2 - 3
        return read[:, :, cut:-cut]


def gaussians(widths: Sequence[float], flank: int) -> Tensor:
    """float32[widths, 1, 2 * flank + 1] kernels, each of which adds up to one; width 0 is the middle bin alone."""
    place = torch.arange(-flank, flank + 1, dtype=torch.float64)
    rows = [torch.exp(-0.5 * (place / width) ** 2) if width else (place == 0).double() for width in widths]
    return torch.stack([row / row.sum() for row in rows])[:, None, :].float()


class DenoiseLoss(nn.Module):
    """Mean loss of a batch: of the signal its squared error, Poisson likelihood and correlation; of peaks, likelihood.

    Each is the mean over the bins that count. The squared error and the likelihood are least where the signal is the
    expectation of the truth, so that noise in the truth, which is a sample itself, teaches nothing wrong.

    Args:
        squared, poisson, pearson, peak: weights.
    """

    def __init__(self, squared: float = 0.1, poisson: float = 1.0, pearson: float = 0.5, peak: float = 1.5) -> None:
        super().__init__()
        self.squared, self.poisson, self.pearson, self.peak = squared, poisson, pearson, peak

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss.

        Args:
            output: (N, 2, T) of a `Denoiser`.
            target: (N, 3, T): the true signal, fold over the mean; 1 in peaks, else 0; 1 where a bin counts, else 0.
        """
        signal, logit = output[:, 0], output[:, 1]
        truth, label, weight = target[:, 0], target[:, 1], target[:, 2]
        number = weight.sum().clamp(min=1)
        squared = ((signal - truth) ** 2 * weight).sum() / number
        poisson = ((signal - truth * torch.log(signal + 1e-3)) * weight).sum() / number
        own = (signal - (signal * weight).sum() / number) * weight
        true = (truth - (truth * weight).sum() / number) * weight
        alike = (own * true).sum() / torch.sqrt((own**2).sum() * (true**2).sum() + 1e-6)
        peaks = functional.binary_cross_entropy_with_logits(logit, label, weight=weight, reduction="sum") / number
        loss: Tensor = self.squared * squared + self.poisson * poisson + self.pearson * (1 - alike) + self.peak * peaks
        return loss


class SignalAndPeak(nn.Module):
    """A `Denoiser` of one window as a model's two outputs: (N, 1) signal, and (N, 1) calibrated probability.

    Args:
        net: called with the card's inputs.
        scale, shift: of the logit.
    """

    def __init__(self, net: nn.Module, scale: float, shift: float) -> None:
        super().__init__()
        self.net = net
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.tensor([scale], dtype=torch.float32))
        self.register_buffer("shift", torch.tensor([shift], dtype=torch.float32))

    def forward(self, *inputs: Tensor) -> Any:
        both = self.net(*inputs)[:, :, 0]
        return both[:, 0:1], torch.sigmoid(both[:, 1:2] * self.scale + self.shift)
