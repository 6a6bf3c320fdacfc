"""Window mode: every window by itself, in batches. The plain path that every faster one is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec
from trackgen.errors import ModelError, ResourceError
from trackgen.genome import reverse_complement
from trackgen.runtime import OutOfMemory, Session
from trackgen.scan.inputs import SequenceEncoder

__all__ = ["WindowRunner", "default_batch_size"]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]

BATCH_FLOATS = 4 << 20
"""Input values of one batch: 16 MB of float32, so that activations of usual nets stay within some hundred MB."""
LARGEST_BATCH = 1024


def default_batch_size(window: int) -> int:
    """Windows run at a time when nobody says, from the window's length in bp."""
    return int(np.clip(BATCH_FLOATS // (4 * window), 1, LARGEST_BATCH))


class WindowRunner:
    """Runs one model on windows of a stretch of genome.

    Args:
        card: the model's card.
        session: the loaded model.
        batch_size: windows run at a time; halved by itself when memory runs out.
        tell: called with a sentence when the batch size was halved.
    """

    def __init__(self, card: Card, session: Session, batch_size: int, tell: Callable[[str], None]) -> None:
        self._card = card
        self.session = session
        self._tell = tell
        self._outputs = [output.name for output in card.outputs]
        self._sequences = [_encoder(entry) for entry in card.inputs]
        self.batch_size = batch_size

    def run(
        self,
        codes: Codes,
        starts: NDArray[np.int64],
        *,
        reverse: bool,
        tell_share: Callable[[float], None] = lambda share: None,
    ) -> list[Float32]:
        """The outputs for windows that start at `starts`.

        Args:
            codes: (T,) a stretch of genome, as codes.
            starts: (N,) first bases of the windows, counted in `codes`.
            reverse: read each window as its reverse complement.
            tell_share: called after each batch with its share of the windows.

        Returns:
            One array per output of the card: (N, K), or (N, K, M) for a profile; class and position order are
            those of the graph, so for `reverse` they are still those of the other strand.

        Raises:
            ModelError: an output has another shape than its card says.
            ResourceError: not even one window fits into memory.
        """
        window = self._card.window
        if reverse:
            # A window [q, q + L) of the stretch is [T - q - L, T - q) of its reverse complement.
            codes, starts = reverse_complement(codes), len(codes) - window - starts
        views = [encoder.windows(codes, window) for encoder in self._sequences]
        names = [entry.graph_name for entry in self._card.inputs]
        parts: list[list[Float32]] = [[] for _ in self._outputs]
        for batch in self._batches(starts):
            inputs = {name: np.ascontiguousarray(view[batch]) for name, view in zip(names, views, strict=True)}
            for part, values in zip(parts, self._run_batch(inputs), strict=True):
                part.append(values)
            tell_share(len(batch) / len(starts))
        return [np.concatenate(part) if part else np.zeros((0,), np.float32) for part in parts]

    def _batches(self, starts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        position = 0
        while position < len(starts):
            size = self.batch_size
            yield starts[position : position + size]
            position += size

    def _run_batch(self, inputs: dict[str, Float32]) -> list[Float32]:
        """Run one batch; when memory runs out, halve the batch size and run the halves."""
        count = len(next(iter(inputs.values())))
        try:
            results = self.session.run(inputs, self._outputs)
        except OutOfMemory as error:
            if count == 1:
                raise ResourceError(
                    f"model {self._card.name} does not fit into memory even with one window at a time",
                    found=str(error),
                    remedy="free memory, or use a machine or device with more",
                ) from error
            self.batch_size = max(1, count // 2)
            self._tell(f"memory ran out: batch size of {self._card.name} is now {self.batch_size}")
            halves = [slice(0, count // 2), slice(count // 2, count)]
            pairs = [self._run_batch({name: value[half] for name, value in inputs.items()}) for half in halves]
            return [np.concatenate(pair) for pair in zip(*pairs, strict=True)]
        for output, values in zip(self._card.outputs, results, strict=True):
            wanted: tuple[int, ...] = (count, len(output.classes))
            if output.resolution is not None:
                wanted = (*wanted, self._card.bin // output.resolution)
            if values.shape != wanted:
                raise ModelError(
                    f"output {output.name} of model {self._card.name} has a wrong shape",
                    found=values.shape,
                    wanted=wanted,
                    remedy="correct the card, or export the model again with an open batch axis",
                )
        return results


def _encoder(entry: InputSpec) -> SequenceEncoder:
    if entry.kind != "sequence":
        raise ModelError(
            f"the model needs the {entry.kind} input {entry.name}, which this version can't read yet",
            found=entry.kind,
            wanted="a model whose only inputs are sequences",
        )
    return SequenceEncoder(entry)
