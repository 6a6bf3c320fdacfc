"""Heads that join the outputs of a net into the one that a track is made of.

A BPNet-like net gives the shape of a profile and its size apart: logits over positions, and the log of the number of
reads. Reads expected at a position are the softmax of the logits times the exponential of the size.

Which positions share one softmax, and whose reads the size counts, is the habit of the program that trained the net:

* ``profile_counts``: each strand has a softmax of its own over its positions, and a size of its own (N, S) as in BPNet
  (Avsec 2021, doi:10.1038/s41588-021-00782-6), or the one size there is, (N, 1), as in chrombpnet, which has one
  strand. With several strands and one size, every strand adds up to that size.
* ``profile_counts_joint``: one softmax over the positions of all strands together, and one size, (N, 1), of all reads,
  as bpnet-lite trains its nets. With one strand it is the same as ``profile_counts``.

Both take the exponential as these programs do when they write tracks, although they train on log(1 + reads).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from trackgen.card import Card
from trackgen.errors import ModelError, UsageError

__all__ = ["HEADS", "ProfileCounts", "fitting_heads", "with_head"]


class ProfileCounts(nn.Module):
    """Profile logits (N, S, M), or (N, M) of one strand, and log counts (N, S) or (N, 1) -> reads (N, S, M).

    Args:
        net: gives the pair of them.
        joint: one softmax over all strands and positions, instead of one a strand.
    """

    def __init__(self, net: nn.Module, *, joint: bool = False) -> None:
        super().__init__()
        self.net = net
        self.joint = joint

    def forward(self, *inputs: Tensor) -> Tensor:
        logits, log_counts = self.net(*inputs)
        if logits.dim() == 2:
            logits = logits.unsqueeze(1)
        if self.joint:
            shares = torch.softmax(logits.flatten(1), dim=1).reshape(logits.shape)
        else:
            shares = torch.softmax(logits, dim=2)
        return shares * torch.exp(log_counts).unsqueeze(2)

    def check(self, inputs: Sequence[Tensor], path: Path) -> None:
        """Refuse a net whose outputs are not such a pair.

        Raises:
            ModelError: naming the shapes that it gives.
        """
        with torch.no_grad():
            outputs = self.net(*inputs)
        shapes = _pair_of_shapes(outputs)
        if _fits(shapes, joint=self.joint):
            return
        found = " and ".join(map(str, shapes)) or f"{type(outputs).__name__}"
        wanted = "profile logits (N, strands, positions) and log counts (N, 1)"
        raise ModelError(
            "the net's outputs are not a profile and its counts", path=path, found=found,
            wanted=wanted if self.joint else f"{wanted} or (N, strands)",
        )  # fmt: skip


HEADS: dict[str, Callable[[nn.Module], ProfileCounts]] = {
    "profile_counts": ProfileCounts,
    "profile_counts_joint": lambda net: ProfileCounts(net, joint=True),
}


def fitting_heads(outputs: object) -> list[str]:
    """The names in `HEADS` of those that fit what a net gives; none for anything but a profile and its counts."""
    shapes = _pair_of_shapes(outputs)
    return [name for name, head in HEADS.items() if _fits(shapes, joint=head(nn.Identity()).joint)]


def _pair_of_shapes(outputs: object) -> list[tuple[int, ...]]:
    """The shapes of two tensors; empty for anything else."""
    if not isinstance(outputs, tuple | list) or [isinstance(value, Tensor) for value in outputs] != [True, True]:
        return []
    return [tuple(value.shape) for value in outputs]


def _fits(shapes: list[tuple[int, ...]], *, joint: bool) -> bool:
    """Whether they are those of profile logits and log counts."""
    if not shapes:
        return False
    profile, counts = shapes
    if len(profile) not in (2, 3):
        return False
    strands = profile[1] if len(profile) == 3 else 1
    return counts == (profile[0], 1) or (not joint and counts == (profile[0], strands))


def with_head(net: nn.Module, head: str, card: Card, path: Path) -> ProfileCounts:
    """`net` under the head of that name.

    Args:
        net: called with the card's inputs in order.
        head: a name in `HEADS`.
        card: of the joined model.
        path: the file it becomes, for messages.

    Raises:
        UsageError: there is no head of that name.
        ModelError: the card does not describe one profile output without activation.
    """
    if head not in HEADS:
        raise UsageError("unknown head", found=head, wanted=", ".join(HEADS))
    profile = [f"{o.name}: activation {o.activation}, resolution {o.resolution}" for o in card.outputs]
    if len(card.outputs) != 1 or card.outputs[0].resolution is None or card.outputs[0].activation != "none":
        raise ModelError(
            f"the card does not fit the head {head}", path=path, place="outputs", found="; ".join(profile),
            wanted="one output with activation none and a resolution",
        )  # fmt: skip
    return HEADS[head](net)
