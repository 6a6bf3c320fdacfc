"""What each of the four bases would contribute at a place of a tile, if multipliers stayed as they are.

With multipliers m_c and a reference r_c of the channels c, a base b in place of whatever stands there contributes::

    m_b - sum over c of r_c m_c

(hypothetical contributions: kundajelab/shap, `combine_mult_and_diffref`; Shrikumar et al., arXiv:1811.00416). The
multipliers of a tile are sums over windows, each times its weight, and so are these.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trackgen.card import InputSpec
from trackgen.graph.deeplift.tape import Tape

__all__ = ["write_hypothetical"]

BASES = "ACGT"


def write_hypothetical(
    tape: Tape, sources: Mapping[str, InputSpec], multipliers: Mapping[str, str], number: int
) -> None:
    """Write the output ``hypothetical.NUMBER`` (4, T), rows A, C, G, T, of all sequence inputs together.

    Args:
        sources: the inputs of the card, by the tile graph's name of what they read: (1, C, 1, T).
        multipliers: what reaches each source, (1, C, 1, T); a source is absent where nothing does.
    """
    build, parts = tape.build, []
    for source, spec in sources.items():
        if spec.kind != "sequence":
            continue
        found = multipliers.get(source) or build.emit("Mul", [tape.value(source), tape.zero()])
        expected = tape.reduce_sum(build.emit("Mul", [found, tape.reference(source)]), [1], keep=True)
        part = build.reshape(build.emit("Sub", [found, expected]), [4, -1])
        if spec.bases != BASES:
            order = build.constant(np.array([spec.bases.index(base) for base in BASES], np.int64))
            part = build.emit("Gather", [part, order], axis=0)
        parts.append(part)
    build.output(tape.sum(parts), f"hypothetical.{number}", [len(BASES), "bases"])
