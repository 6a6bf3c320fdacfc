"""How well a net tells the deep bins of stretches, beside the input itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trackgen.learn.datasets.stretches import CENTRE, FLANK, StretchBatches

__all__ = ["judge_stretches"]


class _Sums:
    """Moments of pairs of values, batch by batch, in double precision."""

    def __init__(self) -> None:
        self.moments = np.zeros(6)

    def add(self, told: NDArray[np.float32], truth: NDArray[np.float32]) -> None:
        x, y = told.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
        self.moments += np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])

    def figures(self) -> dict[str, float]:
        """Mean squared error, the share of the truth's variance that it leaves explained, and Pearson's r."""
        number, x, y, xx, yy, xy = self.moments
        error = (xx - 2 * xy + yy) / number
        own, true = xx / number - (x / number) ** 2, yy / number - (y / number) ** 2
        both = xy / number - x * y / number**2
        return {
            "mse": float(error), "explained": float(1 - error / true) if true > 0 else float("nan"),
            "pearson": float(both / np.sqrt(own * true)) if own > 0 and true > 0 else float("nan"),
        }  # fmt: skip


def judge_stretches(net: nn.Module, batches: StretchBatches, device: str = "cpu") -> dict[str, Any]:
    """Figures of a net over all bins that stretches tell, and of their noisy values as they are.

    Args:
        net: float32 (N, 1, 4096) -> (N, 1, 1024), in evaluation mode.
        batches: of validation or test.
        device: where the net is.

    Returns:
        ``bins``, ``net`` and ``input``: each ``mse``, ``explained`` (one minus the error's share of the truth's
        variance) and ``pearson`` (NaN where one side does not vary).
    """
    own, noisy = _Sums(), _Sums()
    with torch.no_grad():
        for (values,), truth in batches.batches(0):
            told = net(torch.from_numpy(values).to(device)).cpu().numpy()
            own.add(told, truth)
            noisy.add(values[:, :, FLANK : FLANK + CENTRE], truth)
    return {"bins": int(own.moments[0]), "net": own.figures(), "input": noisy.figures()}
