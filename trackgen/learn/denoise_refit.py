"""The last layer of a denoiser's peaks, fitted again on validation.

A net sees the peaks of its training part in every epoch and comes to know them: on other sequences it trusts its
context too much and the signal too little, the more so the deeper the data. So how much its logit, the smoothings and
the denoised signal weigh is fitted once more, by a logistic regression of twelve numbers on validation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trackgen.learn.architectures.denoise import JOINED, Denoiser
from trackgen.learn.datasets.denoise import DeepData, EveryTile

__all__ = ["refit_peak"]

MOST_TILES = 300
"""A depth."""
PENALTY = 1.0
"""C of the regression, as ever in scikit-learn: with 100,000s of bins the penalty hardly counts."""
ROUNDS = 300


def refit_peak(net: Denoiser, data: DeepData, depths: Sequence[float], seed: int, device: str) -> None:
    """Change the weights of the peak's last layer in place, by the bins of validation at all depths together.

    Args:
        net: trained.
        data: whose validation part is used.
        depths: fractions of the fragments.
        seed: of the thinning.
        device: of the net.
    """
    from sklearn.linear_model import LogisticRegression

    parts = [_values(net, data, depth, seed, device) for depth in depths]
    values, peak = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    fitted = LogisticRegression(C=PENALTY, max_iter=ROUNDS).fit(values, peak).coef_[0]
    # Divided by the weight of the logit itself: that and the constant are what the calibration finds. A net whose
    # logit tells nothing, or the contrary, stays as it is.
    if fitted[0] > 0.1:
        net.add_to_peak(torch.from_numpy((fitted[1:] / fitted[0]).astype(np.float32)).to(device))


def _values(
    net: Denoiser, data: DeepData, depth: float, seed: int, device: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """float32[n, 1 + widths + 1] logit and what is weighed beside it, and bool[n] whether a bin lies in a peak."""
    weighed: list[Tensor] = []

    def keep(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        weighed.append(given[0][:, JOINED:])

    values, peaks = [], []
    hook = net.peak.register_forward_pre_hook(keep)
    net.eval()
    try:
        for inputs, targets in EveryTile(data, net.flank, data.split.validation, (depth,), seed, MOST_TILES).batches(0):
            with torch.no_grad():
                output = net(*(torch.from_numpy(value).to(device) for value in inputs))
            counts = targets[:, 2] > 0
            both = torch.cat([output[:, 1:2], weighed.pop()], dim=1).cpu().numpy()
            values.append(both.transpose(0, 2, 1)[counts])
            peaks.append(targets[:, 1][counts] > 0)
    finally:
        hook.remove()
    return np.concatenate(values), np.concatenate(peaks)
