"""Convolutions of the tile graph, each written in the form that a CPU runs fastest.

**Wide kernels: fewer multiplications** (Toom-Cook, also called Winograd convolution: Lavin and Gray 2016,
arXiv:1509.09308). Four outputs of a kernel of four taps are the coefficients of a product of polynomials, known from
its values at seven points: 7 multiplications instead of 16. A kernel of k taps is k/4 such pieces, whose values are
added before the way back, so transforms are cheap::

    y = A^T [ sum over pieces of (G w) * (B^T x) ]      B^T: 7 x 7 on inputs, G: 7 x 4 on weights, A^T: 4 x 7

Rounding grows, to about 1e-6 of the largest value at seven points (the direct form: 3e-7; at eleven points 1e-5, too
much). What comes out has four outputs in the batch axis: layers on single positions go on in that order, and only what
leaves them is put in order again.

**Few outputs, wide kernel** (a profile's head, 64 -> 1 of width 75): a CPU computes 16 channels at a time, so P shifted
copies of the kernel with stride P fill them; the values stay the same in every bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trackgen.graph.nodes import Array

__all__ = ["LANES", "PIECE", "POINTS_OF_PRODUCT", "FastKernel", "fast_kernel", "shifted_copies"]

LANES = 16
"""Channels that a CPU with AVX-512 computes at a time, and that ONNX Runtime's layout holds together."""
PIECE = 4
"""Taps of a piece, and outputs of a block."""
POINTS_OF_PRODUCT = 2 * PIECE - 1
POINTS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0)
"""Where the product is evaluated, beside infinity."""
SHORTEST = 12
"""Taps below which the transforms cost more than they save."""
GAIN = 1.5
"""By how much multiplications must fall: those of the transforms run slower."""


@dataclass(frozen=True)
class FastKernel:
    """A convolution by Toom-Cook.

    Attributes:
        transform: (7 I, I, 1, 7) for a convolution of stride 4 over blocks of inputs.
        weight: (7 O, I, 1, pieces) for a convolution in 7 groups.
        bias: (7 O,), which reaches each output once.
        back: (4, 7).
        pieces: of four taps.
    """

    transform: Array
    weight: Array
    bias: Array
    back: Array
    pieces: int


def fast_kernel(weight: Array, bias: Array | None) -> FastKernel | None:
    """The Toom-Cook form of a convolution with `weight` (O, I, k) and stride 1; None where it is not worth while."""
    outputs, inputs, taps = weight.shape
    pieces = -(-taps // PIECE)
    direct = outputs * inputs * taps
    fast = POINTS_OF_PRODUCT / PIECE * (POINTS_OF_PRODUCT * inputs**2 + outputs * inputs * pieces)
    if taps < SHORTEST or inputs % LANES or outputs % LANES or direct < GAIN * fast:
        return None
    back, on_weights, on_inputs = _toom_cook()
    padded = np.zeros((outputs, inputs, pieces * PIECE))
    padded[:, :, :taps] = weight
    values = np.einsum("pb,oiab->poia", on_weights, padded.reshape(outputs, inputs, pieces, PIECE))
    transform = np.zeros((POINTS_OF_PRODUCT, inputs, inputs, POINTS_OF_PRODUCT))
    for channel in range(inputs):
        transform[:, channel, channel] = on_inputs
    # The value at the point 1 enters all four outputs as it is.
    offsets = np.zeros((POINTS_OF_PRODUCT, outputs))
    offsets[POINTS.index(1.0)] = 0.0 if bias is None else bias
    return FastKernel(
        transform=transform.reshape(-1, inputs, 1, POINTS_OF_PRODUCT).astype(np.float32),
        weight=values.reshape(-1, inputs, 1, pieces).astype(np.float32),
        bias=offsets.reshape(-1).astype(np.float32),
        back=back.astype(np.float32),
        pieces=pieces,
    )


def _toom_cook() -> tuple[Array, Array, Array]:
    """A^T (4, 7), G (7, 4) and B^T (7, 7), by transposing the multiplication of two polynomials of degree 3."""

    def powers(count: int) -> Array:
        """Each point's powers below `count`; infinity picks the highest."""
        rows = np.array([[point**exponent for exponent in range(count)] for point in POINTS])
        return np.vstack([rows, np.eye(count)[-1]])

    interpolate = np.linalg.inv(powers(POINTS_OF_PRODUCT))
    on_inputs, on_weights = interpolate.T, powers(PIECE)
    # Rows of one size: what a row of the inputs' transform loses, that of the weights' gets.
    size = np.abs(on_inputs).max(1, keepdims=True)
    return powers(PIECE).T, on_weights * size, on_inputs / size


def shifted_copies(weight: Array) -> int:
    """How many shifted copies of a kernel (O, I, k) fill the lanes; 1 where it is not worth while."""
    outputs, _, taps = weight.shape
    copies = LANES // outputs
    return copies if copies >= 2 and taps >= LANES else 1
