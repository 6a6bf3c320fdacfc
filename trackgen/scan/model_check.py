"""Runs a model on random windows at several batch sizes and says whether it is fit to scan with."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, OutputSpec, read_card
from trackgen.errors import ModelError
from trackgen.runtime import Session, open_session
from trackgen.scan.bars import allowed_differences
from trackgen.scan.inputs import Stretch
from trackgen.scan.samples import random_inputs
from trackgen.scan.windows import WindowRunner

__all__ = ["BATCH_SIZES", "ModelCheck", "check_model"]

BATCH_SIZES = (1, 7, 256)
"""Exporters freeze batch sizes: 1 is the usual frozen one, 7 divides nothing, 256 is what a scan uses."""
SUM_BAR = 1e-4


@dataclass(frozen=True)
class ModelCheck:
    """What the check measured."""

    card: Card
    windows: int
    largest_difference: float
    """Largest difference of one window's values between batch sizes."""
    windows_per_second: float
    device: str


def check_model(path: str | os.PathLike[str], *, device: str = "cpu", threads: int = 1, seed: int = 0) -> ModelCheck:
    """Run the model on 256 random windows (some bases unknown) at batch sizes 1, 7 and 256 and compare.

    Raises:
        ModelError: no or a wrong card, a frozen batch size, values that are not finite, that depend on the batch
            size, or that are not what the card's activation says.
    """
    card = read_card(path)
    session = open_session(path, device=device, threads=threads)
    count = max(BATCH_SIZES)
    random = np.random.default_rng(seed)
    stretch, vectors = random_inputs(card, count + card.window - 1, random)
    starts = np.arange(count, dtype=np.int64)
    results, seconds = [], 0.0
    for size in BATCH_SIZES:
        began = time.perf_counter()
        results.append(_run(card, session, size, stretch, vectors, starts, path))
        seconds = time.perf_counter() - began  # of the largest size, in the end
    largest, bars = 0.0, allowed_differences(card.outputs, results[0])
    for number, (output, bar) in enumerate(zip(card.outputs, bars, strict=True)):
        single, others = results[0][number], [values[number] for values in results[1:]]
        _check_values(output, single, path)
        for size, values in zip(BATCH_SIZES[1:], others, strict=True):
            difference = float(np.abs(values - single).max())
            largest = max(largest, difference)
            if not difference <= bar:
                raise ModelError(
                    f"output {output.name} depends on the batch size",
                    path=path,
                    place=f"batch sizes 1 and {size}",
                    found=f"a difference of {difference:.3g}",
                    wanted=f"at most {bar:.3g}",
                    remedy="export the model in evaluation mode with an open batch axis",
                )
    return ModelCheck(card, count, largest, count / max(seconds, 1e-9), session.device)


def _run(
    card: Card,
    session: Session,
    size: int,
    stretch: Stretch,
    vectors: Mapping[str, NDArray[np.float32]],
    starts: NDArray[np.int64],
    path: str | os.PathLike[str],
) -> list[NDArray[np.float32]]:
    runner = WindowRunner(card, session, size, lambda text: None, vectors)
    try:
        return runner.run(stretch, starts, reverse=False)
    except ModelError as error:
        if size == min(BATCH_SIZES):
            raise  # not for the batch size
        raise ModelError(
            "the model does not run at every batch size",
            path=path,
            place=f"batch size {size}",
            found=str(error),
            wanted=f"batch sizes {', '.join(map(str, BATCH_SIZES))}",
            remedy="export it again with an open batch axis, such as dynamic_axes={'sequence': {0: 'N'}}",
        ) from error


def _check_values(output: OutputSpec, values: NDArray[np.float32], path: str | os.PathLike[str]) -> None:
    def error(what: str, found: object, wanted: str, remedy: str) -> ModelError:
        return ModelError(what, path=path, place=f"output {output.name}", found=found, wanted=wanted, remedy=remedy)

    if not np.isfinite(values).all():
        raise error(
            "the output is not a number or infinite", "NaN or infinity", "finite numbers", "look for broken weights"
        )
    if output.activation == "softmax":
        off = float(np.abs(values.sum(axis=1) - 1).max())
        if off > SUM_BAR:
            raise error(
                "the card says softmax, and the values of the classes do not sum to 1", f"off by {off:.3g}",
                f"at most {SUM_BAR}", "put the softmax into the graph, or set activation to none",
            )  # fmt: skip
    if output.activation in ("softmax", "sigmoid") and (values.min() < 0 or values.max() > 1):
        raise error(
            f"the card says {output.activation}, and values lie outside 0..1",
            f"{values.min():.3g}..{values.max():.3g}", "0..1", "set activation to none, or put it into the graph",
        )  # fmt: skip
