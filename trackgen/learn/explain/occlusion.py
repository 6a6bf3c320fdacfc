"""In-silico occlusion: how much of a TSS model's judgement is left when only a region of the window is shown.

ten Dijke 2017, Table 10. Its text has the rest of the sequence zeroed during training as well; here the model is the
one that reads the whole window, and only what it is shown at the end is blanked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.metrics import one_vs_all
from trackgen.progress import Progress

__all__ = ["CENTRE", "REGIONS", "TATA", "Region", "occlusion_table", "shown"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """Bases first to last around the TSS, both included; the TSS is 0 and upstream is negative. None: all."""

    name: str
    first: int | None = None
    last: int | None = None

    def mask(self, window: int, site: int) -> NDArray[np.bool_]:
        """bool (window,), True inside; `site` is the TSS' index in the window."""
        if self.first is None or self.last is None:
            return np.ones(window, dtype=np.bool_)
        offset = np.arange(window) - site
        return np.asarray((offset >= self.first) & (offset <= self.last))

    @property
    def text(self) -> str:
        """The region in words."""
        return self.name if self.first is None else f"{self.name} ({self.first:+d} to {self.last:+d})"


TATA = Region("TATA region", -35, -20)
CENTRE = Region("centre", -10, 10)
REGIONS = (Region("entire window"), TATA, CENTRE, Region("TATA region to centre", -35, 10))
"""Safe regions of Table 10."""


def shown(one_hot: Float32, mask: NDArray[np.bool_], fill: NDArray[np.float32]) -> Float32:
    """(N, 4, L) with everything outside `mask` (L,) replaced by `fill` (4,)."""
    return np.where(mask, one_hot, fill[:, None]).astype(np.float32)


def occlusion_table(
    predict: Callable[[Float32], NDArray[np.floating]],
    one_hot: Float32,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    *,
    site: int,
    fill: NDArray[np.float32],
    progress: Progress,
) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """AUROC and AUPRC of each class against all others, by safe region.

    Args:
        predict: (N, 4, L) -> (N, K) probabilities.
        one_hot: (N, 4, L) windows.
        labels: (N,), the true classes.
        classes: K names.
        site: index of the TSS in the window.
        fill: (4,) what stands outside the safe region: zeros, or the base frequencies.
    """
    table = {}
    progress.start("occlusion", len(REGIONS) * len(one_hot), "windows")
    for region in REGIONS:
        probabilities = predict(shown(one_hot, region.mask(one_hot.shape[2], site), fill))
        table[region.text] = one_vs_all(labels, probabilities, classes)
        progress.advance(len(one_hot))
    progress.finish()
    return table
