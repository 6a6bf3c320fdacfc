"""Window mode: every window by itself, in batches. The plain path that every faster one is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.errors import ModelError
from trackgen.runtime import Session
from trackgen.scan.halving import run_or_halve
from trackgen.scan.inputs import Stretch, tensor_encoders

__all__ = ["WindowRunner", "default_batch_size"]

Float32 = NDArray[np.float32]

BATCH_FLOATS = 4 << 20
"""Input values of one batch: 16 MB of float32, so that activations of usual nets stay within some hundred MB."""
LARGEST_BATCH = 1024


def default_batch_size(card: Card) -> int:
    """Windows run at a time when nobody says, from the input values of one window."""
    values = 0
    for entry in card.inputs:
        if entry.kind == "vector":
            values += entry.length
        else:
            channels = 4 if entry.kind == "sequence" else max(1, len(entry.channels))
            values += channels * card.window // entry.resolution
    return min(max(1, BATCH_FLOATS // values), LARGEST_BATCH)


class WindowRunner:
    """Runs one model on windows of a stretch of genome.

    Args:
        card: the model's card.
        session: the loaded model.
        batch_size: windows run at a time; halved by itself when memory runs out.
        tell: called with a sentence when the batch size was halved.
        vectors: the values of vector inputs, (length,) each; the card's default where a name is absent.
    """

    def __init__(
        self,
        card: Card,
        session: Session,
        batch_size: int,
        tell: Callable[[str], None],
        vectors: Mapping[str, Float32] | None = None,
    ) -> None:
        self._card = card
        self.session = session
        self._tell = tell
        self._outputs = [output.name for output in card.outputs]
        self._tensors = tensor_encoders(card, vectors or {})
        self.batch_size = batch_size

    def run(
        self,
        stretch: Stretch,
        starts: NDArray[np.int64],
        *,
        reverse: bool,
        tell_share: Callable[[float], None] = lambda share: None,
    ) -> list[Float32]:
        """The outputs for windows that start at `starts`.

        Args:
            stretch: a stretch of genome, with the signals that the model needs.
            starts: (N,) first bases of the windows, counted in `stretch`.
            reverse: read each window as its reverse complement.
            tell_share: called after each batch with its share of the windows.

        Returns:
            One array per output of the card: (N, K), or (N, K, M) for a profile; class and position order are
            those of the graph, so for `reverse` they are still those of the other strand.

        Raises:
            ModelError: an output has another shape than its card says.
            ResourceError: not even one window fits into memory.
        """
        if not len(starts):
            return [np.zeros((0,), np.float32) for _ in self._outputs]
        windows = [tensor.windows(stretch, starts, reverse=reverse) for tensor in self._tensors]
        parts: list[list[Float32]] = [[] for _ in self._outputs]
        for batch in self._batches(len(starts)):
            inputs = {
                tensor.name: tensor.take(members, batch) for tensor, members in zip(self._tensors, windows, strict=True)
            }
            for part, values in zip(parts, self._run_batch(inputs), strict=True):
                part.append(values)
            tell_share((batch.stop - batch.start) / len(starts))
        return [np.concatenate(part) for part in parts]

    def _batches(self, count: int) -> Iterator[slice]:
        position = 0
        while position < count:
            size = self.batch_size
            yield slice(position, min(position + size, count))
            position += size

    def _smaller(self, size: int) -> None:
        self.batch_size = size
        self._tell(f"memory ran out: batch size of {self._card.name} is now {size}")

    def _run_batch(self, inputs: dict[str, Float32]) -> list[Float32]:
        """Run one batch; when memory runs out, halve the batch size and run the halves."""
        count = len(next(iter(inputs.values())))
        too_large = f"model {self._card.name} does not fit into memory even with one window at a time"
        results = run_or_halve(self.session, inputs, self._outputs, too_large, self._smaller)
        for output, values in zip(self._card.outputs, results, strict=True):
            wanted: tuple[int, ...] = (count, len(output.classes))
            if output.resolution is not None:
                wanted = (*wanted, self._card.bin // output.resolution)
            if values.shape != wanted:
                raise ModelError(
                    f"output {output.name} of model {self._card.name} has another shape than its card says",
                    path=self.session.path,
                    found=values.shape,
                    wanted=wanted,
                    remedy="correct the card, or export the model again with an open batch axis",
                )
        return results
