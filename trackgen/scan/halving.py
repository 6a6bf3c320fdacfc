"""Batches of windows that halve themselves when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ResourceError
from trackgen.runtime import OutOfMemory, Session

__all__ = ["run_or_halve"]


def run_or_halve(
    session: Session,
    tensors: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    too_large: str,
    tell_smaller: Callable[[int], None],
) -> list[NDArray[np.float32]]:
    """Run a batch; when memory runs out, run its halves.

    Args:
        tensors: (N, ...) each.
        names: of the outputs that are asked for, (N, ...) each.
        too_large: what to say where not even one window fits.
        tell_smaller: called with the batch size that may fit, before the halves are run.

    Raises:
        ResourceError: not even one window fits into memory.
    """
    count = len(next(iter(tensors.values())))
    try:
        return session.run(dict(tensors), names)
    except OutOfMemory as error:
        if count <= 1:
            raise ResourceError(
                too_large, found=str(error), remedy="free memory, or use a machine or device with more"
            ) from error
    tell_smaller(max(1, count // 2))
    halves = [
        run_or_halve(session, {name: values[part] for name, values in tensors.items()}, names, too_large, tell_smaller)
        for part in (slice(0, count // 2), slice(count // 2, count))
    ]
    return [np.concatenate(pair) for pair in zip(*halves, strict=True)]
