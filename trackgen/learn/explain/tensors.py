"""Where the sequence stands in a graph's input: tensor, channels, layout, order of bases.

Inside this package sequences and all that belongs to them are (N, 4, L), channels A, C, G, T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec
from trackgen.errors import ModelError

__all__ = ["BASES", "SequenceTensor", "sequence_tensor"]

BASES = "ACGT"
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class SequenceTensor:
    """The graph input that holds the sequence.

    Attributes:
        name: of the graph input.
        channels: the channel of A, C, G and T.
        total: channels of the whole tensor.
        channels_last: whether the tensor is (N, L, channels).
        unknown: what a base without a letter reads in every channel.
    """

    name: str
    channels: tuple[int, int, int, int]
    total: int
    channels_last: bool
    unknown: float

    @property
    def alone(self) -> bool:
        """Whether the tensor holds nothing but the sequence."""
        return self.total == len(BASES)

    def take(self, tensor: Float32) -> Float32:
        """The sequence's channels of a whole tensor: (N, 4, L)."""
        channels_first = tensor.transpose(0, 2, 1) if self.channels_last else tensor
        return np.ascontiguousarray(channels_first[:, list(self.channels)])

    def put(self, values: Float32) -> Float32:
        """The tensor of (N, 4, L) values, for a tensor that holds nothing else."""
        tensor = np.empty_like(values)
        tensor[:, list(self.channels)] = values
        return np.ascontiguousarray(tensor.transpose(0, 2, 1)) if self.channels_last else tensor

    def put_codes(self, codes: NDArray[np.uint8]) -> Float32:
        """The tensor of (N, L) codes, for a tensor that holds nothing else."""
        rows = np.vstack([np.eye(4, dtype=np.float32), np.full((1, 4), self.unknown, np.float32)])
        return self.put(np.ascontiguousarray(rows[codes].transpose(0, 2, 1)))


def sequence_tensor(card: Card, path: object = None) -> SequenceTensor:
    """Where the model of `card` reads its sequence.

    Raises:
        ModelError: it reads none, or more than one.
    """
    found = [entry for entry in card.inputs if entry.kind == "sequence"]
    if len(found) != 1:
        raise ModelError(
            "the model can't be explained: it does not have one sequence input",
            path=None if path is None else str(path), place="card field inputs", found=f"{len(found)} sequence inputs",
            wanted="one",
        )  # fmt: skip
    spec = found[0]
    members = next(members for name, members in card.tensors if name == spec.graph_name)
    before = sum(_channels(entry) for entry in members[: members.index(spec)])
    first, second, third, fourth = (before + spec.bases.index(base) for base in BASES)
    return SequenceTensor(
        spec.graph_name, (first, second, third, fourth), sum(map(_channels, members)),
        any(entry.layout == "NLC" for entry in members), spec.unknown,
    )  # fmt: skip


def _channels(spec: InputSpec) -> int:
    return len(BASES) if spec.kind == "sequence" else max(1, len(spec.channels))
