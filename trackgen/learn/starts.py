"""Where a net's weights start from, beside Xavier's draw: known motifs, and a signal learned first.

Both are the thesis' options (ten Dijke 2017, section 5.5): first-layer filters from JASPAR, which brought it nothing,
and regression on the ChIP-seq fold change before classification, which brought it little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trackgen.errors import UsageError
from trackgen.genome import Genome
from trackgen.learn.datasets.motif_files import Matrix
from trackgen.learn.datasets.tracks import Track
from trackgen.learn.datasets.windows import Sites, one_hot, read_windows
from trackgen.learn.fit import BatchSource, FitOptions, FitResult, fit, seed_everything
from trackgen.progress import Progress

__all__ = ["ChipBatches", "motif_kernel", "pretrain", "start_from_motifs"]

PSEUDOCOUNT = 0.01
"""Added to each probability, so that a base that was never seen costs about 3 nats."""


def motif_kernel(motif: Matrix, width: int) -> NDArray[np.float32]:
    """Log-odds float32[4, width] of (4, w) probabilities, natural logarithm, against a quarter for each base.

    A narrower motif stands in the middle, zeros on both sides; of a wider one the most informative stretch is kept.
    """
    odds = np.log((motif + PSEUDOCOUNT) / (1 + 4 * PSEUDOCOUNT) / 0.25)
    information = (motif * odds).sum(axis=0)
    if odds.shape[1] > width:
        sums = np.convolve(information, np.ones(width), mode="valid")
        first = int(sums.argmax())
        return odds[:, first : first + width].astype(np.float32)
    kernel = np.zeros((4, width), dtype=np.float32)
    left = (width - odds.shape[1]) // 2
    kernel[:, left : left + odds.shape[1]] = odds
    return kernel


def start_from_motifs(convolution: nn.Conv1d, motifs: Sequence[Matrix], *, one_strand: bool = True) -> int:
    """Write motifs over the first kernels of a net's first layer; at least half of the kernels stay as they were drawn.

    Kernels keep the norm that their draw had on average, so that motifs do not drown the other features at the start.

    Args:
        convolution: (kernels, 4, width).
        motifs: (4, w) probabilities each, the most important first.
        one_strand: the kernels read one strand: each motif is written as it is, and reverse-complemented.

    Returns:
        Number of motifs that found room.

    Raises:
        UsageError: there are no motifs, or fewer than 2 kernels (4 where they read one strand).
    """
    each = 2 if one_strand else 1
    room = len(convolution.weight) // 2 // each
    if not motifs or not room:
        raise UsageError(
            "there is nothing to start from motifs", found=f"{len(motifs)} motifs, {len(convolution.weight)} kernels",
            wanted=f"a motif or more, and {2 * each} kernels or more",
        )  # fmt: skip
    used = motifs[:room]
    with torch.no_grad():
        norm = convolution.weight.flatten(1).norm(dim=1).mean()
        for number, motif in enumerate(used):
            kernel = torch.from_numpy(motif_kernel(motif, convolution.kernel_size[0]))
            kernel = kernel * (norm / kernel.norm().clamp(min=1e-12))
            for strand in range(each):
                convolution.weight[each * number + strand] = kernel.flip(0, 1) if strand else kernel
    return len(used)


@dataclass(frozen=True)
class ChipBatches:
    """Batches ((float32[n, 4, L] one-hot[, float32[n, 1, L] signal]), float32[n, 1] mean of `chip` over the bin).

    With a `chip` whose transform is ``log1p`` the target is the mean of log(1 + signal).

    Attributes:
        genome: of the bases.
        chip: the signal to predict.
        draw: bins of an epoch, in the order they come.
        window, bin_: L and b, bp.
        batch_size: windows in a batch.
        beside: the signal that the net sees beside the sequence; None where it sees none.
    """

    genome: Genome
    chip: Track
    draw: Callable[[int], Sites]
    window: int
    bin_: int
    batch_size: int = 256
    beside: Track | None = None

    def batches(self, epoch: int) -> Iterator[tuple[tuple[NDArray[Any], ...], NDArray[Any]]]:
        sites = self.draw(epoch)
        for start in range(0, len(sites), self.batch_size):
            part = sites.take(np.arange(start, min(start + self.batch_size, len(sites))))
            inputs = [one_hot(read_windows(self.genome, part, self.window, self.bin_))]
            if self.beside is not None:
                inputs.append(self.beside.windows(part, self.window, self.bin_)[:, None, :])
            targets = self.chip.windows(part, self.bin_, self.bin_).mean(axis=1, keepdims=True)
            yield tuple(inputs), targets.astype(np.float32)


def pretrain(
    net: nn.Module, train: BatchSource, validation: BatchSource, options: FitOptions, *,
    checkpoint: Path | None = None, resume: bool = False, progress: Progress | None = None,
) -> FitResult:  # fmt: skip
    """Let `net` learn a signal by squared error, and leave it with what its layers learned.

    Its last dense layer is replaced by one with a single, linear output while it learns, and drawn anew (Xavier)
    afterwards: what is kept is all before it.

    Args:
        net: ends in a dense layer, whose outputs are its own.
        train, validation: inputs of the net, and float32 (N, 1) targets; `ChipBatches` makes them from a BigWig.
        options: as of `trackgen.learn.fit.fit`.
        checkpoint, resume, progress: the same.

    Raises:
        UsageError: the net does not end so.
    """
    parent, name, layer = _last_dense(net)
    seed_everything(options.seed)
    setattr(parent, name, nn.Linear(layer.in_features, 1))
    try:
        result = fit(net, _squared_error, train, validation, options, checkpoint=checkpoint, resume=resume,
                     progress=progress)  # fmt: skip
    finally:
        setattr(parent, name, layer)
    # a run that was stopped behind the last epoch goes on with the same draw
    seed_everything(options.seed, options.epochs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.get_parameter("bias"))
    layer.to(options.device)
    return result


def _squared_error(output: Tensor, target: Tensor) -> Tensor:
    if output.shape != target.shape:
        raise UsageError(
            "the net can't be trained on a signal first", found=f"outputs {tuple(output.shape)}",
            wanted=f"{tuple(target.shape)}: a net that ends in one dense layer",
        )  # fmt: skip
    return functional.mse_loss(output, target)


def _last_dense(net: nn.Module) -> tuple[nn.Module, str, nn.Linear]:
    """(module that holds it, its name there, the last dense layer)."""
    found = [(name, layer) for name, layer in net.named_modules() if isinstance(layer, nn.Linear)]
    if not found:
        raise UsageError("the net can't be trained on a signal first", found="no dense layer", wanted="one at its end")
    path, layer = found[-1]
    parent, _, name = path.rpartition(".")
    return net.get_submodule(parent), name, layer
