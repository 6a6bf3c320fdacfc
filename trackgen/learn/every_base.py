"""Scores of a model at every base of both strands of some sequences: the natural prevalence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trackgen.genome import Genome, reverse_complement
from trackgen.learn.datasets.windows import window_flanks
from trackgen.progress import Progress

__all__ = ["NetScorer", "Scorer", "StrandScores", "score_sequences"]

_CHANNELS = np.hstack([np.eye(4, dtype=np.float32), np.zeros((4, 1), dtype=np.float32)])


class Scorer(Protocol):
    """A model that can be run along a stretch of genome."""

    @property
    def window(self) -> int:
        """L, bases."""

    def along(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, K] logits of all windows along uint8[n + L - 1] codes."""


@dataclass(frozen=True)
class NetScorer:
    """A net from float32 (N, 4, L) to (N, K) logits.

    Where the net has a method ``along``, from float32 (1, 4, n + L - 1) to (1, K, n), it is used: the same numbers
    with the work of neighbouring windows shared. Otherwise the net runs window by window.
    """

    net: nn.Module
    window: int
    batch_size: int = 4096
    device: str = "cpu"

    def along(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        channels = torch.from_numpy(_CHANNELS[:, codes]).to(self.device)
        self.net.eval()
        along: Callable[[Tensor], Tensor] | None = getattr(self.net, "along", None)
        with torch.no_grad():
            if along is not None:
                shared: NDArray[np.float32] = along(channels[None])[0].T.contiguous().cpu().numpy()
                return shared
            windows = channels.unfold(1, self.window, 1).transpose(0, 1)
            parts = [
                self.net(windows[start : start + self.batch_size].contiguous()).cpu()
                for start in range(0, len(windows), self.batch_size)
            ]
        scores: NDArray[np.float32] = torch.cat(parts).numpy()
        return scores


@dataclass(frozen=True)
class StrandScores:
    """Logits of one strand of one sequence: float32[length, K], entry i for base i whatever the strand."""

    name: str
    minus: bool
    logits: NDArray[np.float32]


def score_sequences(
    scorer: Scorer, genome: Genome, names: Sequence[str], progress: Progress, *, piece: int = 1 << 17
) -> list[StrandScores]:
    """Logits at every base of both strands of `names`; windows that overhang an end read code 4 there."""
    progress.start("scoring every base", 2 * sum(genome.lengths[name] for name in names), "bases")
    scores = []
    for name in names:
        for minus in (False, True):
            parts = []
            for start in range(0, genome.lengths[name], piece):
                end = min(start + piece, genome.lengths[name])
                parts.append(_score_piece(scorer, genome, name, start, end, minus=minus))
                progress.advance(end - start)
            scores.append(StrandScores(name, minus, np.concatenate(parts)))
    progress.finish()
    return scores


def _score_piece(
    scorer: Scorer, genome: Genome, name: str, start: int, end: int, *, minus: bool
) -> NDArray[np.float32]:
    pad, tail = window_flanks(scorer.window)
    if not minus:
        return scorer.along(genome.fetch(name, start - pad, end + tail))
    codes = reverse_complement(genome.fetch(name, start - tail, end + pad))
    return np.ascontiguousarray(scorer.along(codes)[::-1])
