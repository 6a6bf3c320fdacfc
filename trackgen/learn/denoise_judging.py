"""How good a denoiser is, at several depths, beside its own input and the best Gaussian; its calibration and threshold.

Everything is of bins of 10 bp that count. The truth is always the fragments that the input does not hold, so it has
noise of its own, which no method can tell: errors are to be compared, not read as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trackgen.learn.architectures.denoise import Denoiser
from trackgen.learn.calibration import Calibration, fit_calibration, prior_shift, reliability
from trackgen.learn.datasets.denoise import DeepData, EveryTile
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.plots import Curve
from trackgen.learn.thresholds import best_threshold
from trackgen.progress import Progress

__all__ = ["VALIDATION_SEED", "Judged", "Told", "judge", "judged_depths", "tell"]

DEPTHS = (0.01, 0.05, 0.1, 0.25, 0.5)
"""Fractions of the fragments that a denoiser is judged at, of those that it learned from."""
VALIDATION_SEED = 500
TEST_SEED = 900
"""Seeds of the thinning; those of `benchmarks/denoise.py` are others, so that nothing there was seen here."""
GAUSSIANS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 40.0)
"""Standard deviations of smoothings to choose from, bins."""
CUT = 3.3
"""They are cut so many standard deviations from the middle: the widest just fits what the net sees."""
MOST_TILES = 2000
"""Tiles a depth; of larger genomes they are spread evenly."""


class Told(NamedTuple):
    """Bins that count, of one depth, as arrays of n.

    Attributes:
        noisy, truth: float32, fold over the mean.
        peak: bool.
        signal: float32[m, n], what the net tells; m is 2 where it reads both strands, else 1.
        logit: float32[m, n].
        smooth: float32[len(GAUSSIANS), n], the input smoothed.
    """

    noisy: NDArray[np.float32]
    truth: NDArray[np.float32]
    peak: NDArray[np.bool_]
    signal: NDArray[np.float32]
    logit: NDArray[np.float32]
    smooth: NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """What came of it.

    Attributes:
        calibration: of the logit.
        threshold: of the probability.
        figures: see `judge`.
        curves: model -> (recall, precision) on the bins of the test part at the middle depth.
    """

    calibration: Calibration
    threshold: float
    figures: dict[str, Any]
    curves: dict[str, Curve]


def judged_depths(depths: tuple[float, float]) -> tuple[float, ...]:
    """Those of `DEPTHS` within the range; the range's ends and middle (on a logarithmic scale) where there are few."""
    inside = tuple(depth for depth in DEPTHS if depths[0] <= depth <= depths[1])
    if len(inside) >= 3:
        return inside
    low, high = depths
    return tuple(dict.fromkeys((low, float(f"{(low * high) ** 0.5:.2g}"), high)))


def middle(depths: Sequence[float]) -> float:
    """The depth that the threshold is chosen at."""
    return depths[len(depths) // 2]


def tell(net: Denoiser, data: DeepData, part: str, depth: float, seed: int, *, device: str = "cpu") -> Told:
    """What the net tells of all tiles of a part."""
    from scipy.ndimage import gaussian_filter1d

    net.eval()
    flank, columns = net.flank, []
    for turned in (False, True) if data.with_sequence else (False,):
        source = EveryTile(data, flank, getattr(data.split, part), (depth,), seed, MOST_TILES, turned)
        rows: list[tuple[NDArray[Any], ...]] = []
        for inputs, targets in source.batches(0):
            with torch.no_grad():
                given = [torch.from_numpy(value).to(device) for value in inputs]
                output = net(*given).cpu().numpy()
            step = -1 if turned else 1
            output, targets, noisy = output[..., ::step], targets[..., ::step], inputs[0][:, 0, ::step]
            counts = targets[:, 2] > 0
            values = [output[:, 0][counts], output[:, 1][counts]]
            if not turned:
                smooth = [
                    gaussian_filter1d(noisy, width, mode="constant", truncate=CUT)[:, flank:-flank]
                    for width in GAUSSIANS
                ]
                values += [noisy[:, flank:-flank][counts], targets[:, 0][counts], targets[:, 1][counts] > 0]
                values += [row[counts] for row in smooth]
            rows.append(tuple(values))
        columns.append([np.concatenate(parts) for parts in zip(*rows, strict=True)])
    signal, logit = (np.stack([own[i] for own in columns]) for i in (0, 1))
    _, _, noisy, truth, peak, *smooth = columns[0]
    return Told(noisy, truth, peak, signal, logit, np.stack(smooth))


def judge(net: Denoiser, data: DeepData, depths: Sequence[float], device: str, progress: Progress) -> Judged:
    """Calibrate and choose on validation, then figures there and on test.

    Returns:
        In ``figures``: ``depths``; ``gaussian`` (depth -> its width in bins, of the least squared error on validation);
        ``validation`` and ``test``: depth -> model -> ``mse``, ``pearson``, ``auprc``, and of the net ``auroc``,
        ``precision``, ``recall``, ``called``, ``bins``, ``peak_bins``; ``threshold``; ``calibration``, with its
        reliability on test at the middle depth.
    """
    progress.start("judging", 2 * len(depths), "depths")
    told = {}
    for depth in depths:
        told[depth] = tell(net, data, "validation", depth, VALIDATION_SEED, device=device)
        progress.advance(1)
    calibration = _calibrate(list(told.values()))
    chosen = middle(depths)
    threshold = best_threshold(told[chosen].peak, probability(told[chosen].logit, calibration))
    widths = {depth: _best_width(own) for depth, own in told.items()}
    figures: dict[str, Any] = {"depths": list(depths), "middle": chosen}
    figures["gaussian"] = {f"{depth:g}": GAUSSIANS[index] for depth, index in widths.items()}
    figures["validation"] = _part(told, calibration, threshold, widths)
    del told
    tested: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    table: list[dict[str, Any]] = []
    for depth in depths:
        one = tell(net, data, "test", depth, TEST_SEED, device=device)
        tested |= _part({depth: one}, calibration, threshold, widths)
        if depth == chosen:
            curves = _curves(one, calibration, widths[depth])
            table = reliability(probability(one.logit, calibration), one.peak)
        progress.advance(1)
    progress.finish()
    figures["test"], figures["threshold"] = tested, threshold
    figures["calibration"] = {"scale": calibration.scale, "shift": calibration.shift[1], "reliability": table}
    return Judged(calibration, threshold, figures, curves)


def probability(logit: NDArray[np.floating], calibration: Calibration) -> NDArray[np.float64]:
    """float64[n]: calibrated probability, the mean over the strands of float[m, n] logits."""
    scores = np.asarray(logit, dtype=np.float64) * calibration.scale + calibration.shift[1]
    return np.asarray((1 / (1 + np.exp(-scores))).mean(axis=0))


def _calibrate(told: Sequence[Told]) -> Calibration:
    """One for all depths, each with the same share."""
    logit = np.concatenate([own.logit.ravel() for own in told])
    peak = np.concatenate([np.tile(own.peak, len(own.logit)) for own in told])
    both = np.stack([np.zeros_like(logit), logit], axis=1)
    return fit_calibration(both, peak.astype(np.int64), prior_shift(np.array([1, 1]), np.array([1, 1])))


def _best_width(told: Told) -> int:
    """Index of the Gaussian of the least squared error."""
    return int(np.argmin([_mse(row, told.truth) for row in told.smooth]))


def _mse(value: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    return float(np.mean((value.astype(np.float64) - truth) ** 2))


def _pearson(value: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """NaN where either does not vary."""
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(value.astype(np.float64), truth.astype(np.float64))[0, 1])


def _part(
    told: Mapping[float, Told], calibration: Calibration, threshold: float, widths: Mapping[float, int]
) -> dict[str, Any]:
    """Depth -> model -> figures."""
    found = {}
    for depth, own in told.items():
        score = probability(own.logit, calibration)
        models = {"noisy": own.noisy, "gaussian": own.smooth[widths[depth]], "net": own.signal.mean(axis=0)}
        found[f"{depth:g}"] = {
            name: {
                "mse": _mse(value, own.truth), "pearson": _pearson(value, own.truth),
                "auprc": auprc(own.peak, score if name == "net" else value),
            }
            for name, value in models.items()
        }  # fmt: skip
        called = score >= threshold
        right = int((called & own.peak).sum())
        found[f"{depth:g}"]["net"] |= {
            "auroc": auroc(own.peak, score), "bins": len(own.peak), "peak_bins": int(own.peak.sum()),
            "called": int(called.sum()), "sum": float(score.sum()),
            "precision": right / max(int(called.sum()), 1), "recall": right / max(int(own.peak.sum()), 1),
        }  # fmt: skip
    return found


def _curves(told: Told, calibration: Calibration, width: int) -> dict[str, Curve]:
    from sklearn.metrics import precision_recall_curve

    scores = {"noisy": told.noisy, "gaussian": told.smooth[width], "net": probability(told.logit, calibration)}
    curves = {}
    for name, score in scores.items():
        precision, recall, _ = precision_recall_curve(told.peak, score)
        curves[name] = (recall, precision)
    return curves
