"""The whole of ``trackgen score``: a look at the file, the model on a device, records in batches, the result."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from trackgen.card import Card, read_card
from trackgen.errors import UsageError
from trackgen.genome import Genome, describe, open_genome
from trackgen.progress import Progress
from trackgen.resources import find_model
from trackgen.runtime import open_session
from trackgen.scan.made_signals import opened_signals
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import refuse_swapped
from trackgen.scan.sources import card_vectors, match_inputs, read_vectors
from trackgen.score.columns import Column, choose_columns
from trackgen.score.options import ScoreOptions
from trackgen.score.records import Reader, Record
from trackgen.score.survey import Survey, look_over, sequence_names
from trackgen.score.target import check_output, indexed_output, is_vcf, opened_target
from trackgen.score.vcf import info_fields, info_lines
from trackgen.score.windows import WindowScorer
from trackgen.score.written import Table, Variants, Writer

__all__ = ["ScoreResult", "run_score"]

LINES_AT_ONCE = 4096
"""Lines without anything to score that wait for those before them at most."""


class ScoreResult(NamedTuple):
    """What was done.

    Attributes:
        records: that were scored.
        left_out: why records or alleles were left out -> how many.
    """

    records: int
    left_out: Mapping[str, int]


def run_score(options: ScoreOptions, progress: Progress, stream: BinaryIO | None = None) -> ScoreResult:
    """Score the records of a file.

    Memory is that of a batch of windows; of an annotation, also of its transcripts.

    Args:
        stream: where the table goes where there is no output file.

    Raises:
        UsageError: an option, class, signal or output that can't be honoured; MODEL and GENOME swapped.
        DataError: a genome or file that is missing or malformed; a record that can't be scored, with its line.
        ModelError: a model that is missing or malformed, or yields NaN.
    """
    _refuse_swapped(options)
    check_output(options.output, options.file)
    path = find_model(options.model)
    card = read_card(path)
    columns = choose_columns(card, options.classes)
    match_inputs([card], options.signals, options.vectors)
    vectors = card_vectors(card, read_vectors([card], options.vectors))
    with contextlib.ExitStack() as stack:
        genome = stack.enter_context(open_genome(options.genome))
        survey = look_over(options.file)
        names = sequence_names(survey, genome.lengths, skip=options.unfit == "skip")
        _tell_names(survey, names, progress)
        writer = _writer(options, survey, card, columns)
        reached = list(dict.fromkeys(names[name] for name in survey.places if name in names))
        signals = stack.enter_context(opened_signals(options.signals, card, genome.lengths, reached, progress))
        session = open_session(path, device=options.device, threads=options.threads)
        progress.note(f"device: {session.device} ({session.reason})")
        scorer = WindowScorer(card, path, session, columns, genome, signals, vectors, progress.note)
        reader = Reader(survey, genome, names, card, options.unfit)
        return _score(options, reader, scorer, writer, survey, genome, progress, stream)


def _score(
    options: ScoreOptions,
    reader: Reader,
    scorer: WindowScorer,
    writer: Writer,
    survey: Survey,
    genome: Genome,
    progress: Progress,
    stream: BinaryIO | None,
) -> ScoreResult:
    index = indexed_output(survey, options.output, max(genome.lengths.values()))
    scored = 0
    with opened_target(options.output, index, stream) as write:
        head = writer.head()
        progress.start("scoring", survey.records, "records")
        for batch in _batches(reader, scorer.batch):
            places = [record.place for record in batch if record.place is not None]
            write(head + writer.text(batch, scorer.values(places)))
            head = b""
            scored += len(places)
            progress.advance(len(places))
        progress.finish()
    for what, count in reader.left_out.items():
        progress.note(f"left out: {count:,} times {what}")
    packed = is_vcf(options.output) and str(options.output).lower().endswith(".gz")
    if packed and (index is None or not index.exists()):
        progress.note("no index: the records are not sorted, or a position or a line is none that it could hold")
    return ScoreResult(scored, dict(reader.left_out))


def _batches(reader: Reader, windows: int) -> Iterator[list[Record]]:
    """Records in order, as many at a time as have so many windows."""
    batch: list[Record] = []
    waiting = 0
    for record in reader.records():
        batch.append(record)
        waiting += 0 if record.place is None else 1 + len(record.place.edits)
        if waiting >= windows or len(batch) >= LINES_AT_ONCE:
            yield batch
            batch, waiting = [], 0
    yield batch


def _writer(options: ScoreOptions, survey: Survey, card: Card, columns: Sequence[Column]) -> Writer:
    if not is_vcf(options.output):
        return Table(survey, columns)
    if survey.kind != "vcf" or survey.variant:
        raise UsageError(
            f"a {survey.title} can't be written as VCF",
            place="-o",
            found=options.output,
            wanted="a .tsv, or a VCF as input",
        )
    fields = info_fields(columns, card.name, options.prefix)
    return Variants(fields, info_lines(fields, survey.header, options.file), columns, options.file)


def _tell_names(survey: Survey, names: Mapping[str, str], progress: Progress) -> None:
    text = describe({name: names[name] for name in survey.places if name in names})
    if text:
        progress.note(text)


def _refuse_swapped(options: ScoreOptions) -> None:
    """Say it plainly where MODEL and GENOME were given in the wrong order."""
    try:
        refuse_swapped(ScanOptions((options.model,), options.genome, Path()))
    except UsageError as error:
        words = ["trackgen", "score", os.fspath(options.genome), options.model, os.fspath(options.file)]
        raise UsageError(
            error.what,
            found=error.found,
            wanted="MODEL first, GENOME second",
            remedy="run: " + shlex.join(words),
        ) from None
