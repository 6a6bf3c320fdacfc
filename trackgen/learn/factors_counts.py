"""What short k-mers say of each factor, beside the net: a regression on their numbers, written into the plain net.

Much of where a factor's peaks lie shows in the composition of a hundred bases: promoters without nucleosomes are rich
in runs of A and T. A bank of motif kernels, of which a maximum is taken, cannot count; a regression on k-mers does
nothing else, and needs few peaks. On validation chromosome VII of yeast, peaks of 60 factors against windows from
anywhere, the median AUROC is .892 of the net, .875 of the regression, and .908 of both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.architectures.rc_multitask import COUNTED, FactorLogits
from trackgen.learn.datasets.factors import FactorData, no_nearer_than
from trackgen.learn.datasets.windows import read_windows
from trackgen.learn.factors_training import score_sites
from trackgen.learn.kmer import KmerModel, fit_kmer_model

__all__ = ["APART", "with_kmer_counts"]

APART = 150
"""Windows from anywhere whose middles are this near to a peak of the factor do not count, bp."""
ANYWHERE = 3000
"""Training windows from anywhere that a factor's peaks are held against."""
PENALTY = 0.01
"""Inverse strength C of the L2 penalty."""
STREAM = 13


def with_kmer_counts(net: FactorLogits, data: FactorData, seed: int) -> FactorLogits:
    """The net with a factor's logit and its k-mer regression's added up, each of variance 1 on windows from anywhere.

    Args:
        net: of the data's factors, in their order.
        data: of which the training part is used.
        seed: of the windows from anywhere.
    """
    anywhere = data.anywhere("train", ANYWHERE, [seed, STREAM])
    codes = read_windows(data.genome, anywhere, net.window)
    spread = np.maximum(score_sites(net, data.genome, anywhere).std(axis=0), 1e-6)
    weights = np.zeros((4**COUNTED, len(data.factors)))
    for column, name in enumerate(data.factors):
        unbound = codes[no_nearer_than(anywhere, data.centres[name]) > APART]
        bound = read_windows(data.genome, data.peaks(name, "train"), net.window)
        if len(unbound):
            model = _regression(bound, unbound)
            logits = model.logits(codes)
            # all k-mers of a window number as many: less this mean, what is unknown says as much as a window from
            # anywhere, and others differ by a constant, which the calibration takes up
            level = (logits.mean() - model.bias[0]) / (net.window - COUNTED + 1)
            weights[:, column] = (model.weights[:-1, 0] - level) / max(float(logits.std()), 1e-6)
    scaled = net.chosen(range(len(data.factors)), (1 / spread).tolist(), [0.0] * len(data.factors))
    return scaled.with_counts(weights)


def _regression(bound: NDArray[np.uint8], unbound: NDArray[np.uint8]) -> KmerModel:
    windows = (np.concatenate([bound, unbound]), np.repeat([1, 0], [len(bound), len(unbound)]).astype(np.int64))
    return fit_kmer_model(windows, windows, lengths=(COUNTED,), penalties=(PENALTY,), both_strands=True)
