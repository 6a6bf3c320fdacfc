"""``--hypothetical PREFIX``: what each of the four bases would contribute, for a window about each region.

``PREFIX.ohe.npz`` holds the windows one-hot, int8 (N, 4, L), ``PREFIX.attr.npz`` the scores, float32 (N, 4, L), both in
the order A, C, G, T under the name ``arr_0``, as tfmodisco-lite reads them; N in the order of the regions. Of a model
with two strands each region is written as the strand reads it whose logit lies further above the reference's (or less
far below it), forward where both are alike. Both files are stamped with what they were made from, see `NpzStream`.

Positions where all four scores are exactly zero, which a pooling layer passes over, get `SILENT` with signs by chance:
see `audible`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import trackgen
from trackgen.card import OutputSpec
from trackgen.errors import UsageError
from trackgen.genome import Genome, Interval, reverse_complement
from trackgen.progress import Progress
from trackgen.scan.centred import middle_of
from trackgen.scan.explaining import (
    ExplainedWindows,
    WindowExplainer,
    first_sequence,
    hypothetical,
    sequence_multipliers,
)
from trackgen.scan.folder import essence
from trackgen.scan.inputs import Stretch
from trackgen.scan.npz_stream import NpzStream, read_stamp
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import ModelPlan, ScanPlan
from trackgen.scan.readings import Reading, classes_as_read, readings_of
from trackgen.scan.scorers import open_scorer
from trackgen.scan.single_windows import WindowSums, reference_tensors
from trackgen.scan.sources import SignalFiles
from trackgen.scan.stretches import region_rows

__all__ = [
    "audible",
    "holds_hypothetical",
    "hypothetical_files",
    "refuse_hypothetical",
    "refuse_unusable_prefix",
    "write_hypothetical",
]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
TABLE = np.vstack([np.eye(4, dtype=np.int8), np.zeros((1, 4), np.int8)])
"""Codes -> one-hot in the order A, C, G, T; zeros for what is no base."""
SILENT = np.float32(1e-12)
"""Far below any score that says something, and with a square that is still a normal float32."""


def hypothetical_files(prefix: Path) -> tuple[Path, Path]:
    """The files of the one-hot windows and of the scores."""
    return prefix.with_name(prefix.name + ".ohe.npz"), prefix.with_name(prefix.name + ".attr.npz")


def holds_hypothetical(options: ScanOptions, plan: ScanPlan, genome: Genome) -> bool:
    """Whether both files of ``options.hypothetical`` were made from this plan and these regions, by this version."""
    assert options.hypothetical is not None
    stamp = _stamp(plan, _rows(options, plan, genome))
    return all(read_stamp(path) == stamp for path in hypothetical_files(options.hypothetical))


def _rows(options: ScanOptions, plan: ScanPlan, genome: Genome) -> list[Interval]:
    """The regions that are written, in their order."""
    assert plan.centres is not None
    return [row for row in region_rows(options, genome, []) if row.name in plan.centres]


def _stamp(plan: ScanPlan, rows: Sequence[Interval]) -> str:
    """One number for all that the files depend on; the plan itself knows neither the order of regions nor repeats."""
    parts = [trackgen.__version__, essence(plan.summary()), [[row.name, row.start, row.end] for row in rows]]
    return "trackgen " + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Scores(NamedTuple):
    """Of some regions in one reading: codes as read (N, L), scores (N, 4, L), deltas (N,)."""

    codes: Codes
    scores: Float32
    deltas: Float32


def write_hypothetical(options: ScanOptions, plan: ScanPlan, genome: Genome, progress: Progress) -> None:
    """Write the two files of ``options.hypothetical``.

    Raises:
        DataError: the genome, or a signal, proves damaged.
        ModelError, ResourceError: the graph can't be run.
    """
    assert options.hypothetical is not None
    (model,) = (model for model in plan.models if model.explanation is not None)
    rows = _rows(options, plan, genome)
    shape, stamp = (len(rows), 4, model.card.window), _stamp(plan, rows)
    windows_file, scores_file = hypothetical_files(options.hypothetical)
    # The run is finished, and what it made of reads has its place among the tracks.
    kept = [
        signal if signal.recipe is None else replace(signal, path=options.output / signal.kept_as)
        for signal in plan.signals
    ]
    with SignalFiles(kept, plan.reference.path) as files:
        scorer = _Scorer(model, options, genome, files, progress)
        progress.start("hypothetical", len(rows), "regions")
        try:
            with (
                NpzStream(windows_file, shape, "|i1", stamp) as windows,
                NpzStream(scores_file, shape, "<f4", stamp) as scores,
            ):
                done = 0
                for codes, values in scorer.run(rows):
                    windows.write(TABLE[codes].transpose(0, 2, 1))
                    scores.write(audible(values, done))
                    progress.advance(len(codes))
                    done += len(codes)
        finally:
            progress.finish()


def audible(scores: Float32, first: int) -> Float32:
    """A copy of (N, 4, L) `scores` without positions where all four are zero: there they are `SILENT`, up or down.

    tfmodisco-lite (3.0, ``aggregator.SimilarPatternsCollapser``) moves the seqlets of one pattern to where they align
    with another's, and divides what two seqlets share by what they have together (``affinitymat.jaccard``). Where both
    come to lie on nothing but zeros that is 0 / 0, and scikit-learn's ``roc_auc_score`` fails: ``Input contains NaN``.
    Seqlets are scaled to a sum of 1 before, so any size will do; signs by chance keep them from being alike.

    Args:
        first: the number of the first window in its file: the signs are those of the window, whatever the batches.
    """
    result = scores.copy()
    silent = (scores == 0).all(axis=1)
    for row in np.flatnonzero(silent.any(axis=1)):
        signs = np.random.default_rng((first + int(row), 0)).choice(np.array([-SILENT, SILENT]), scores.shape[1:])
        result[row] = np.where(silent[row], signs, scores[row])
    return result


class _Scorer:
    """Hypothetical scores of regions, batch after batch."""

    def __init__(
        self, model: ModelPlan, options: ScanOptions, genome: Genome, files: SignalFiles, progress: Progress
    ) -> None:
        explanation = model.explanation
        assert explanation is not None
        (slot,) = explanation.slots
        explainer = open_scorer(model.path, explanation, slot.output, options, options.threads, progress)
        assert isinstance(explainer, WindowExplainer)
        self._explainer, self._explanation = explainer, explanation
        self._model, self._genome, self._files = model, genome, files
        self._windows = WindowSums(explanation.card, {slot.output: explainer}, model.vectors)
        self._output: OutputSpec = model.card.outputs[0]

    def run(self, rows: Sequence[Interval]) -> Iterator[tuple[Codes, Float32]]:
        """Codes (n, L) and scores (n, 4, L) of the regions, in their order."""
        size = self._explainer.batch_size
        readings = readings_of(self._model.card, self._model.grid(self._output))
        for begin in range(0, len(rows), size):
            found = [self._read(reading, rows[begin : begin + size]) for reading in readings]
            yield self._joined(found)

    def _joined(self, found: Sequence[_Scores]) -> tuple[Codes, Float32]:
        there = found[0]
        if len(found) == 1:
            return there.codes, there.scores
        back = found[1]
        if self._model.card.strands == "average":
            # On the other strand the complement stands at the mirrored place: A, C, G, T turned round is T, G, C, A.
            return there.codes, np.asarray((there.scores + back.scores[:, ::-1, ::-1]) / np.float32(2))
        # By sign, not by size: of a site that the model sees on one strand, it is that strand's reading that is wanted.
        larger = back.deltas > there.deltas
        return (
            np.where(larger[:, None], back.codes, there.codes),
            np.where(larger[:, None, None], back.scores, there.scores),
        )

    def _read(self, reading: Reading, rows: Sequence[Interval]) -> _Scores:
        explanation, reverse = self._explanation, reading.reverse
        stretches = [self._stretch(row, reading) for row in rows]
        first = np.zeros(1, np.int64)
        parts = [self._windows.tensors(stretch, first, reverse) for _, stretch, _ in stretches]
        tensors = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        codes = np.stack([_as_read(stretch.codes, reverse) for _, stretch, _ in stretches])
        classes = np.repeat(classes_as_read(explanation.card, explanation.classes, reverse=reverse), len(rows))
        found, scores = [], []
        references: list[Codes | None] = [*self._references(rows, stretches, codes, reverse)]
        for other in references or [None]:
            reference = None if other is None else reference_tensors(explanation.card, tensors, other)
            one = self._explainer.run(tensors, classes, reference)
            found.append(one)
            scores.append(self._scores(one, other))
        mean = np.asarray(sum(scores) / np.float32(len(scores)), np.float32)
        return _Scores(codes, mean, np.asarray(sum(one.deltas for one in found) / np.float32(len(found))))

    def _stretch(self, row: Interval, reading: Reading) -> tuple[int, Stretch, Codes | None]:
        """The window about a region: its first base, what lies under it, and the other genome there."""
        start = middle_of(row.start, row.end) - self._model.card.bin // 2 + reading.origin
        end = start + self._model.card.window
        other = None if self._files.reference is None else self._files.reference.fetch(row.name, start, end)
        codes = self._genome.fetch(row.name, start, end)
        return start, Stretch(codes, self._files.read(row.name, start, end)), other

    def _references(
        self,
        rows: Sequence[Interval],
        stretches: Sequence[tuple[int, Stretch, Codes | None]],
        codes: Codes,
        reverse: bool,
    ) -> list[Codes]:
        """References of the windows, (N, L) each, as they are read; empty for frequencies."""
        reference = self._explanation.reference
        if reference.kind == "genome":
            return [np.stack([_as_read(other, reverse) for _, _, other in stretches if other is not None])]
        shuffled = [
            reference.window_codes(codes[place : place + 1], row.name, np.array([stretches[place][0]]))
            for place, row in enumerate(rows)
        ]
        return [np.concatenate(part) for part in zip(*shuffled, strict=True)]

    def _scores(self, one: ExplainedWindows, reference: Codes | None) -> Float32:
        card = self._explanation.card
        multipliers = sequence_multipliers(card, one.multipliers)
        if reference is None:
            return hypothetical(multipliers, np.array(card.reference.values))
        sequence = first_sequence(card)
        assert sequence is not None
        one_hot = TABLE.astype(np.float32)
        one_hot[4] = sequence.unknown
        return hypothetical(multipliers, one_hot[reference].transpose(0, 2, 1))


def _as_read(codes: Codes, reverse: bool) -> Codes:
    return reverse_complement(codes) if reverse else codes


def refuse_hypothetical(options: ScanOptions, models: Sequence[ModelPlan]) -> None:
    """Refuse ``--hypothetical`` where it is not clear what is asked, or nothing can be written.

    Raises:
        UsageError: more than one class, or an attribution without multipliers.
    """
    if options.hypothetical is None:
        return
    explained = [
        f"{model.card.name}.{model.card.outputs[slot.output].classes[slot.class_index].name}"
        for model in models
        if model.explanation
        for slot in model.explanation.slots
    ]
    if len(explained) != 1:
        raise UsageError(
            "hypothetical scores are of one class",
            place="--hypothetical",
            found=", ".join(explained),
            wanted="one class in --contrib, of one model",
        )
    if options.attribution not in ("deeplift", "gradient"):
        raise UsageError(
            f"{options.attribution} has no multipliers to make hypothetical scores from",
            place="--hypothetical",
            wanted="--attribution deeplift or gradient",
        )


def refuse_unusable_prefix(options: ScanOptions) -> None:
    """Refuse a PREFIX that no files can be written under, before anything is run.

    A folder is taken for a slip, since the files would come to lie beside it; but for OUT, which may be named alike.

    Raises:
        UsageError: naming ``--hypothetical``.
    """
    prefix = options.hypothetical
    if prefix is None:
        return
    try:
        if prefix.is_dir() and prefix.resolve() != options.output.resolve():
            raise _a_folder(prefix)
        if not prefix.parent.is_dir():
            raise UsageError(
                "the folder of the files does not exist",
                path=prefix.parent,
                place="--hypothetical",
                wanted="PREFIX in a folder that is there",
            )
        for path in hypothetical_files(prefix):
            if path.is_dir():
                raise _a_folder(path)
            NpzStream.try_out(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            "the files can't be written",
            path=prefix,
            place="--hypothetical",
            found=error.strerror if isinstance(error, OSError) else str(error),
            wanted="PREFIX of files in a folder that you may write to",
        ) from error


def _a_folder(path: Path) -> UsageError:
    return UsageError(
        "there is a folder of this name",
        path=path,
        place="--hypothetical",
        wanted="PREFIX of two files, PREFIX.ohe.npz and PREFIX.attr.npz, such as FOLDER/motifs",
    )
