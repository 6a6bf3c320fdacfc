"""Contributions of single windows: the plain path that dense contributions are held against.

A window's contributions add up to how far its explained scalar (the logit of one class) lies from that of the
reference. `trackgen.graph.deeplift` writes the graph; this runs it in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec, load_model
from trackgen.errors import ModelError, UsageError
from trackgen.graph import ContributionGraph, compile_window_contributions
from trackgen.runtime import Session, open_session
from trackgen.scan.halving import run_or_halve
from trackgen.scan.windows import default_batch_size

__all__ = [
    "ExplainedWindows",
    "WindowExplainer",
    "all_hypothetical",
    "first_sequence",
    "hypothetical",
    "sequence_multipliers",
]

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
ProfileTarget = str | int | None

BACKWARD = 4
"""What a window takes more than for its prediction, in time and in memory, about."""
CONTRIBUTIONS, MULTIPLIERS, REFERENCE, DELTAS = "contributions", "multipliers.", "reference.", "deltas"
SEQUENCE = "ACGT"


@dataclass(frozen=True)
class ExplainedWindows:
    """What `WindowExplainer.run` gives for N windows.

    Attributes:
        multipliers: per input tensor of the graph, in its shape; empty where nobody asked for them.
        contributions: per input of the card, summed over channels: (N, L); a signal's (N, L / resolution), a vector's
            (N, length). All sequence inputs together stand under the name of the first. Positions are those of the
            windows as they were read: from the right for a reverse complement.
        deltas: (N,) explained scalar less that of the reference, in logits.
        predictions: per output of the card (N, K), or (N, K, M) for a profile.
        hypothetical: (N, 4, L), what each of A, C, G, T would contribute, as `hypothetical` says; empty where nobody
            asked.
    """

    multipliers: Mapping[str, Float32]
    contributions: Mapping[str, Float32]
    deltas: Float32
    predictions: list[Float32]
    hypothetical: Float32 = field(default_factory=lambda: np.zeros((0, 4, 0), np.float32))


class WindowExplainer:
    """Explains one output of a model, window by window.

    Args:
        path: the model's file.
        card: its card; another `reference` than the file's own is what contributions are measured against.
        output: the name of the output.
        attribution: ``deeplift``, or ``gradient`` for gradient times (input - reference).
        profile_target: for a profile: ``sum``, ``centre`` or a position.
        device, threads: as for `open_session`.
        batch_size: windows run at a time; chosen by the window where None, halved by itself when memory runs out.
        tell: called with a sentence when the batch size was halved.
    """

    def __init__(
        self,
        path: Path,
        card: Card,
        output: str,
        *,
        attribution: Literal["deeplift", "gradient"] = "deeplift",
        profile_target: ProfileTarget = None,
        device: str = "cpu",
        threads: int = 1,
        batch_size: int | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path, self.card, self.output = path, card, output
        self.batch_size = batch_size or max(1, default_batch_size(card) // BACKWARD)
        self._attribution, self._profile_target = attribution, profile_target
        self._device, self._threads, self._tell = device, threads, tell
        self._open: dict[bool, tuple[ContributionGraph, Session]] = {}

    def graph(self, live: bool = False) -> ContributionGraph:
        """The graph that is run, with the reference as an input where `live`.

        Raises:
            NotExplained: an operator has no rule.
        """
        return self._opened(live)[0]

    def run(
        self,
        inputs: Mapping[str, Float32],
        classes: Int64,
        reference: Mapping[str, Float32] | None = None,
        *,
        multipliers: bool = True,
        tell_share: Callable[[float], None] = lambda share: None,
    ) -> ExplainedWindows:
        """Explain N windows.

        Args:
            inputs: per tensor of the graph (N, ...): one-hot, or any real values.
            classes: (N,) index of the class that each window is explained for, in the card's order.
            reference: the same tensors of a reference for each window; the card's constants where None.
            multipliers: whether they are wanted: they take the memory of the inputs.
            tell_share: called after each batch with its share of the windows.

        Raises:
            UsageError: a class that the output lacks, or arrays that do not go together.
            NotExplained: an operator has no rule.
            ModelError: the graph can't be run.
            ResourceError: not even one window fits into memory.
        """
        tensors = {name: np.asarray(values, np.float32) for name, values in inputs.items()}
        if reference is not None:
            tensors |= {REFERENCE + name: np.asarray(values, np.float32) for name, values in reference.items()}
        self._refuse_unfit(tensors, classes, live=reference is not None)
        graph, session = self._opened(reference is not None)
        names = self._names(graph, multipliers)
        parts: list[list[Float32]] = []
        position, count = 0, len(classes)
        if not count:
            # Graphs can't reshape nothing: of one window, none is kept.
            one = {name: np.zeros((1, *values.shape[1:]), np.float32) for name, values in tensors.items()}
            parts.append([values[:0] for values in self._run_batch(session, names, one, np.zeros(1, np.int64))])
        while position < count:
            end = min(position + self.batch_size, count)
            batch = {name: values[position:end] for name, values in tensors.items()}
            parts.append(self._run_batch(session, names, batch, np.asarray(classes[position:end], np.int64)))
            tell_share((end - position) / count)
            position = end
        joined = [np.concatenate(values) for values in zip(*parts, strict=True)]
        return self._explained(graph, dict(zip(names, joined, strict=True)))

    def _opened(self, live: bool) -> tuple[ContributionGraph, Session]:
        if live not in self._open:
            try:
                graph = compile_window_contributions(
                    load_model(self.path),
                    self.card,
                    self.output,
                    live=live,
                    attribution=self._attribution,
                    profile_target=self._profile_target,
                )
            except ModelError as error:
                raise error.in_file(self.path) from None
            data = graph.model.SerializeToString()
            session = open_session(data, device=self._device, threads=self._threads, path_for_messages=self.path)
            self._open[live] = graph, session
        return self._open[live]

    def _names(self, graph: ContributionGraph, multipliers: bool) -> list[str]:
        """The outputs of the graph that are asked for."""
        names = list(dict.fromkeys(graph.outputs))
        if first_sequence(self.card) is not None:
            names.append(CONTRIBUTIONS)
        names += [f"{CONTRIBUTIONS}.{name}" for name in graph.explained]
        if multipliers:
            names += [MULTIPLIERS + name for name, _ in self.card.tensors]
        return [*names, DELTAS]

    def _run_batch(
        self, session: Session, names: Sequence[str], tensors: Mapping[str, Float32], classes: Int64
    ) -> list[Float32]:
        """Run one batch; when memory runs out, halve the batch size and run the halves."""
        too_large = f"model {self.card.name} can't be explained in this memory even one window at a time"
        return run_or_halve(session, {**tensors, "classes": classes}, names, too_large, self._smaller)

    def _smaller(self, size: int) -> None:
        self.batch_size = size
        self._tell(f"memory ran out: contributions of {self.card.name} now in batches of {size}")

    def _explained(self, graph: ContributionGraph, values: Mapping[str, Float32]) -> ExplainedWindows:
        contributions = {name: values[f"{CONTRIBUTIONS}.{name}"] for name in graph.explained}
        sequence = first_sequence(self.card)
        if sequence is not None:
            contributions[sequence.name] = values[CONTRIBUTIONS]
        multipliers = {
            name: values[MULTIPLIERS + name] for name, _ in self.card.tensors if MULTIPLIERS + name in values
        }
        return ExplainedWindows(
            multipliers, contributions, values[DELTAS], [values[output.name] for output in self.card.outputs]
        )

    def _refuse_unfit(self, tensors: Mapping[str, Float32], classes: Int64, *, live: bool) -> None:
        """Say what is wrong with the arrays of a call before the graph does in other words."""
        prefixes = ("", REFERENCE) if live else ("",)
        wanted = [prefix + name for prefix in prefixes for name, _ in self.card.tensors]
        if sorted(tensors) != sorted(wanted):
            raise UsageError(
                "the tensors are not those of the model", found=", ".join(sorted(tensors)), wanted=", ".join(wanted)
            )
        for name, values in tensors.items():
            if len(values) != len(classes):
                raise UsageError(
                    f"tensor {name} has another number of windows",
                    found=len(values),
                    wanted=f"{len(classes)} (classes)",
                )
        (output,) = (entry for entry in self.card.outputs if entry.name == self.output)
        if len(classes) and not 0 <= np.min(classes) <= np.max(classes) < len(output.classes):
            raise UsageError(
                f"output {self.output} of {self.card.name} has no such class",
                found=f"{int(np.min(classes))} to {int(np.max(classes))}",
                wanted=f"0 to {len(output.classes) - 1}",
            )


def first_sequence(card: Card) -> InputSpec | None:
    """The first sequence input of a card, under whose name the contributions of all of them stand."""
    return next((entry for entry in card.inputs if entry.kind == "sequence"), None)


def sequence_multipliers(card: Card, multipliers: Mapping[str, Float32]) -> Float32:
    """The multipliers of the first sequence input: (N, 4, L), channels in the order A, C, G, T."""
    sequence = first_sequence(card)
    assert sequence is not None
    return _bases_of(card, sequence, multipliers)


def all_hypothetical(
    card: Card, multipliers: Mapping[str, Float32], reference: Mapping[str, Float32] | None
) -> Float32:
    """`hypothetical` of all sequence inputs together.

    Args:
        multipliers: per tensor, as `ExplainedWindows` has them.
        reference: the same tensors of the reference; the card's frequencies where None.
    """
    constant = np.array(card.reference.values)
    parts = [
        hypothetical(
            _bases_of(card, entry, multipliers), constant if reference is None else _bases_of(card, entry, reference)
        )
        for entry in card.inputs
        if entry.kind == "sequence"
    ]
    return np.asarray(sum(parts), np.float32)


def _bases_of(card: Card, sequence: InputSpec, tensors: Mapping[str, Float32]) -> Float32:
    """What tensors hold of a sequence input: (N, 4, L), channels in the order A, C, G, T."""
    (members,) = (members for name, members in card.tensors if name == sequence.graph_name)
    values = tensors[sequence.graph_name]
    if any(entry.layout == "NLC" for entry in members):
        values = values.transpose(0, 2, 1)
    before = members[: members.index(sequence)]
    first = sum(4 if entry.kind == "sequence" else max(1, len(entry.channels)) for entry in before)
    return np.ascontiguousarray(values[:, [first + sequence.bases.index(base) for base in SEQUENCE]])


def hypothetical(multipliers: Float32, reference: NDArray[np.floating]) -> Float32:
    """The contribution that each base would have at each position, with the same multipliers.

    Args:
        multipliers: (N, 4, L), in the order A, C, G, T.
        reference: (4,) frequencies in that order, or (N, 4, L).

    Returns:
        (N, 4, L): multiplier k less the sum over j of reference j times multiplier j.
    """
    given = np.asarray(reference, np.float64)
    weights = given[None, :, None] if given.ndim == 1 else given
    base = (multipliers * weights).sum(axis=1, keepdims=True)
    return np.asarray(multipliers - base, np.float32)
