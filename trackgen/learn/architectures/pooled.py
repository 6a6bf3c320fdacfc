"""The maximum of a convolution over wide pools, learned from at the price of its maxima.

Of all positions of a pool only the highest passes a gradient on. The gradient of a kernel is therefore a sum over one
window of input for each pool, where automatic differentiation adds up a window for every position, all but one of them
times zero. Values are the same, and so are gradients; a step of `1layer` takes two thirds of the time, and one
of `1layer_128motif` half of it (one core, 78 positions, batches of 100).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["WORTHWHILE", "pooled_convolution"]

WORTHWHILE = 32
"""Width of a pool from which gathering is faster: with pools of 9 it takes twice as long, with all 78 half as long."""


def pooled_convolution(sequence: Tensor, weight: Tensor, bias: Tensor, pool: int, *, training: bool) -> Tensor:
    """float32 (N, kernels, pools): maxima over pools, `pool` wide and apart, of a valid convolution of stride 1.

    Args:
        sequence: (N, channels, L).
        weight: (kernels, channels, width).
        bias: (kernels,).
        pool: positions that share a maximum; a remainder that fills no pool is dropped.
        training: whether only gradients of weight and bias are wanted. Else, or where `sequence` takes a gradient too,
            or where pools are narrow, it is the plain convolution and pool, which exporters and compilers know.
    """
    if training and torch.is_grad_enabled() and pool >= WORTHWHILE and not sequence.requires_grad:
        found: Tensor = _PooledConvolution.apply(sequence, weight, bias, pool)  # type: ignore[no-untyped-call]
        return found
    return functional.max_pool1d(functional.conv1d(sequence, weight, bias), pool)


class _PooledConvolution(torch.autograd.Function):
    """See the module."""

    @staticmethod
    def forward(context: Any, sequence: Tensor, weight: Tensor, bias: Tensor, pool: int) -> Tensor:
        maxima, places = functional.max_pool1d(functional.conv1d(sequence, weight, bias), pool, return_indices=True)
        context.save_for_backward(sequence, places)
        context.width = weight.shape[2]
        return maxima

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor, None]:
        sequence, places = context.saved_tensors
        gradient = gradients[0].to(sequence.dtype)  # half precision sums too coarsely
        number, kernels, pools = places.shape
        windows = sequence.unfold(2, context.width, 1).permute(0, 2, 1, 3)
        rows = torch.arange(number, device=sequence.device)[:, None]
        seen = windows[rows, places.flatten(1)].reshape(number, kernels, pools, -1)
        weights = torch.einsum("nkp,nkpf->kf", gradient, seen)
        return None, weights.reshape(kernels, sequence.shape[1], context.width), gradient.sum(dim=(0, 2)), None
