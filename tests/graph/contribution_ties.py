"""Which of the oracle's numbers hang on a difference that float32 can't tell.

A maximum over elements that are closer than `CLOSER` hands what reaches it to one of them, and which one is up to the
last digit; so is a quotient whose two ends lie that close on both sides of a corner. The oracle is run a second time
with every such choice replaced by large random shares of all that could be chosen, which sum to 1, and with every
quotient off by as much as `ROUNDING` of what it is a quotient of can make: whatever comes out otherwise hangs on
float32, and whatever comes out the same does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from tests.graph import window_arithmetic as arithmetic
from tests.graph.contribution_oracle import _Backward, _seed
from tests.graph.window_arithmetic import Values
from tests.graph.window_graph import Twin, WindowGraph, reference_hashes
from trackgen.card import Card

__all__ = ["CLOSER", "undetermined"]

CLOSER = 1e-5
"""Of a tensor's largest value: some ten layers of float32 sums leave less than this."""
ROUNDING = 1e-6
"""Of a tensor's largest value, by which its others are off in float32."""
LARGE = 100.0
"""Size of random shares, so that choices show that make a hundredth of what `MOVED` allows."""
MOVED = 1e-4
"""Of the largest contribution: what changes by more hangs on float32."""


class _Shaken(_Backward):
    """The walk back with random shares in place of every choice that is too close."""

    random = np.random.default_rng(0)

    def _signs(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.random.choice([-1.0, 1.0], shape)

    def _routed(self, elements: np.ndarray, base: np.ndarray, equal: np.ndarray | None) -> np.ndarray:
        top, bottom = self._shares(elements), self._shares(base)
        if self.gradient:
            return top
        out, out0 = elements.max(axis=-1)[..., None], base.max(axis=-1)[..., None]
        cross = np.zeros(elements.shape)
        changes = np.where(np.isfinite(elements), elements, 0) - np.where(np.isfinite(base), base, 0)
        tiny = np.abs(changes) < _distance(elements)
        for shares, rise in ((top, np.maximum(out, out0) - out0), (bottom, out - np.maximum(out, out0))):
            rise = np.broadcast_to(rise, changes.shape)
            factor = np.where(rise == 0, 0, rise / np.where((rise == 0) | (changes == 0), 1, changes))
            # where an element hardly moved, the quotient may be anything from 0 to 1
            factor = np.where(tiny, LARGE * self.random.random(factor.shape), factor)
            off = ROUNDING / CLOSER * _distance(elements) / np.where(changes == 0, 1, np.abs(changes))
            factor = factor + np.where(tiny | (rise == 0), 0, off * self._signs(off.shape))
            cross += shares * factor
        return cross if equal is None else np.where(equal[..., None], top, cross)

    def _shares(self, elements: np.ndarray) -> np.ndarray:
        """1 for the largest; random numbers that sum to 1 for all that come close to it."""
        top = elements.max(axis=-1, keepdims=True)
        # Zeros of a Relu are equal in any arithmetic.
        close = (elements >= top - _distance(elements)) & ((elements != 0) | (top != 0))
        first = np.arange(elements.shape[-1]) == elements.argmax(axis=-1)[..., None]
        close |= first
        shares = np.where(close, self.random.normal(0, LARGE, elements.shape), 0)
        rest = 1 - shares.sum(axis=-1, keepdims=True)
        made: np.ndarray = shares + np.where(first, rest, 0)
        return made

    def _slope_part(
        self, node: onnx.NodeProto, group: Sequence[onnx.NodeProto], root: str, received: np.ndarray
    ) -> np.ndarray:
        right = super()._slope_part(node, group, root, received)
        function, x = self._function(node, group, root, self.here), self.here[root]
        sides = [arithmetic.slope(function, x + side * _distance(x)) for side in (-1, 1)]
        jump = np.abs(sides[0] - sides[1]) > 1e-2 * (1 + np.abs(sides[0]))
        if not jump.any():
            return right
        noise = np.where(jump, received * self.random.normal(0, LARGE, jump.shape), 0)
        made: np.ndarray = right + arithmetic.unbroadcast(noise, right.shape)
        return made

    def _rescale(self, node: onnx.NodeProto, group: Sequence[onnx.NodeProto], root: str) -> np.ndarray:
        right = super()._rescale(node, group, root)
        jump = np.ptp(self._quotients(node, group, root, right, CLOSER), axis=0) > 1e-2 * (1 + np.abs(right))
        off = np.ptp(self._quotients(node, group, root, right, ROUNDING), axis=0) * self._signs(right.shape)
        return right + np.where(jump, self.random.normal(0, LARGE, right.shape), off)

    def _quotients(
        self, node: onnx.NodeProto, group: Sequence[onnx.NodeProto], root: str, right: np.ndarray, share: float
    ) -> list[np.ndarray]:
        """(y - y0) / (x - x0) with either end a little to the left and to the right."""
        x, x0 = np.broadcast_arrays(self.here[root], self.there[root])
        step, found = share / CLOSER * _distance(x), []
        for left, start in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            at, base = x + left * step, x0 + start * step
            y, y0 = (
                self._function(node, group, root, values)(place)
                for values, place in ((self.here, at), (self.there, base))
            )
            difference = at - base
            found.append(np.where(difference == 0, right, (y - y0) / np.where(difference == 0, 1, difference)))
        return found


def _distance(values: np.ndarray) -> float:
    return CLOSER * float(np.abs(values[np.isfinite(values)]).max(initial=1e-30))


def undetermined(
    model: onnx.ModelProto,
    card: Card,
    output: str,
    class_index: int,
    feed: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    contributions: Values,
    *,
    constant_reference: bool,
    profile_target: str | int | None,
    gradient: bool,
) -> Values:
    """Graph input -> whether each element's contribution hangs on a choice; arguments as for `explain_window`.

    Args:
        contributions: what `explain_window` found.
    """
    spec = next(entry for entry in card.outputs if entry.name == output)
    graph = WindowGraph.of_model(model, output, spec.activation)
    here, there = (
        graph.run({name: np.asarray(x, np.float64) for name, x in case.items()}) for case in (feed, reference)
    )
    equal: Values = {}
    if constant_reference and not gradient:
        equal = Twin(graph, reference_hashes(card, {name: (1, *x.shape[1:]) for name, x in feed.items()})).equal
    seed = _seed(here[graph.output].shape, class_index, profile_target)
    if spec.activation == "softmax":
        seed = seed - seed.sum(axis=1, keepdims=True) / seed.shape[1]
    with np.errstate(all="ignore"):
        found = _Shaken(graph, here, there, equal, gradient, None).run(seed)
    largest = max(float(np.abs(values).max(initial=0)) for values in contributions.values())
    result = {}
    for name, right in contributions.items():
        moved = found.get(name, np.zeros(right.shape)) * (here[name] - there[name])
        result[name] = ~(np.abs(moved - right) <= MOVED * largest)
    return result
