"""``trackgen explain motifs``: from the contributions of any model to motifs, their names, and their hits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, OutputSpec, read_card
from trackgen.errors import UsageError
from trackgen.genome import Genome, open_genome
from trackgen.learn.datasets.motif_files import MotifDatabase, read_motifs, write_motifs
from trackgen.learn.datasets.windows import Sites
from trackgen.learn.explain.contributions import explain_windows
from trackgen.learn.explain.engine import Engine, ProfileTarget, default_engine
from trackgen.learn.explain.hits import Hit, genome_hits, write_hits
from trackgen.learn.explain.motif_table import NamedPattern, find_patterns, match_text, named, pattern_pictures
from trackgen.learn.explain.needs import LIBRARIES, require
from trackgen.learn.explain.page import Cell, Page, write_page
from trackgen.learn.explain.sites import region_sites, run_sites
from trackgen.learn.explain.tensors import sequence_tensor
from trackgen.learn.explain.tss import make_folder
from trackgen.learn.explain.window_reader import WindowReader
from trackgen.learn.figures import rounded
from trackgen.progress import Progress
from trackgen.scan.made_signals import opened_signals
from trackgen.scan.sources import card_vectors, match_inputs, read_vectors

__all__ = ["MotifOptions", "explain_motifs"]

Float32 = NDArray[np.float32]
NamedFiles = tuple[tuple[str, Path], ...]

REPORT, FIGURES = "report.html", "report.json"


@dataclass(frozen=True)
class MotifOptions:
    """What to explain.

    Attributes:
        model, genome: files.
        output: folder to write.
        run, regions: where the windows come from: a scan's folder, or a BED file; one of them.
        class_name: of the class; None: the model's first track.
        signals, vectors: files of those inputs, by name.
        motifs: a MEME file, or None.
        number: of windows at most.
        seqlets: that tfmodisco uses at most, of either sign.
        profile_target: for a profile, which position is explained.
        device, threads: to run on.
    """

    model: Path
    genome: Path
    output: Path
    run: Path | None = None
    regions: Path | None = None
    class_name: str | None = None
    signals: NamedFiles = ()
    vectors: NamedFiles = ()
    motifs: Path | None = None
    number: int = 1000
    seqlets: int = 2000
    profile_target: ProfileTarget = None
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class _Found:
    """Everything that the report tells of."""

    card: Card
    class_name: str
    sites: Sites
    patterns: list[NamedPattern]
    hits: list[Hit]
    database: MotifDatabase | None


def explain_motifs(options: MotifOptions, progress: Progress, engine: Engine | None = None) -> Path:
    """Write the report, the patterns and their hits into the output folder.

    Files: ``report.html``, ``report.json``, ``patterns.h5`` (tfmodisco's own), ``patterns.meme``, and the hits as
    ``<card>.<class>.motifs.bed``, ``.bb`` (bigBed) and ``.json``.

    Args:
        options: what to explain.
        progress: is told what goes on.
        engine: of contributions; the one of scans where None.

    Returns:
        The report.

    Raises:
        UsageError: a library of the extra ``explain`` is missing, or an option can't be honoured.
        ModelError: the model can't be explained.
        DataError: a genome, BED, signal, motif file or run is missing or malformed.
        TrackgenError: tfmodisco failed.
    """
    require((*LIBRARIES, "pybigtools"))
    card = read_card(options.model)
    tensor = sequence_tensor(card, options.model)
    output, class_name = chosen_class(card, options.class_name)
    match_inputs([card], options.signals, options.vectors)
    database = None if options.motifs is None else read_motifs(options.motifs)
    with open_genome(options.genome) as genome:
        lengths = dict(genome.lengths)
        sites = _sites(options, card, class_name, genome)
        make_folder(options.output)
        inputs = _inputs(options, card, genome, sites, progress)
    one_hot = tensor.take(inputs[tensor.name])
    chosen = engine or default_engine()
    explainer = chosen.open(
        options.model, card, output.name, device=options.device, threads=options.threads,
        profile_target=options.profile_target,
    )  # fmt: skip
    name = next(entry.name for entry in card.inputs if entry.kind == "sequence")
    index = [entry.name for entry in output.classes].index(class_name)
    reference = np.asarray(card.reference.values, dtype=np.float32)
    explained = explain_windows(explainer, chosen, tensor, name, inputs, index, reference, progress)
    patterns = find_patterns(
        one_hot, explained.hypothetical, largest=options.seqlets, threads=options.threads, progress=progress,
        keep=options.output / "patterns.h5",
    )  # fmt: skip
    matched = named(patterns, database)
    found = _Found(card, class_name, sites, matched, genome_hits(matched, card, sites, lengths), database)
    return _write(options.output, found, lengths)


def chosen_class(card: Card, name: str | None) -> tuple[OutputSpec, str]:
    """The output and the class that are explained.

    Raises:
        UsageError: the model has no such class.
    """
    tracks = [(output, entry.name) for output in card.outputs for entry in output.classes if entry.track]
    every = [(output, entry.name) for output in card.outputs for entry in output.classes]
    for output, own in tracks if name is None else every:
        if name is None or own == name:
            return output, own
    raise UsageError(
        f"model {card.name} has no such class", place="--class", found=name, wanted=", ".join(own for _, own in every)
    )


def _sites(options: MotifOptions, card: Card, class_name: str, genome: Genome) -> Sites:
    if (options.run is None) == (options.regions is None):
        raise UsageError(
            "say which windows to explain, in one way", found="neither" if options.run is None else "both",
            wanted="--run RUN (where a scan's tracks are highest) or --regions BED",
        )  # fmt: skip
    if options.run is not None:
        return run_sites(options.run, card, class_name, genome.lengths, options.number)
    assert options.regions is not None
    return region_sites(options.regions, card, genome.lengths, options.number)


def _inputs(
    options: MotifOptions, card: Card, genome: Genome, sites: Sites, progress: Progress
) -> dict[str, Float32]:  # fmt: skip
    wanted = sorted({sites.names[number] for number in sites.chromosome})
    vectors = card_vectors(card, read_vectors([card], options.vectors))
    with opened_signals(options.signals, card, genome.lengths, wanted, progress) as signals:
        return WindowReader(card, genome, signals, vectors).read(sites)


def _write(output: Path, found: _Found, lengths: dict[str, int]) -> Path:
    """The report and what belongs to it."""
    patterns = {entry.title: entry.pattern.motif for entry in found.patterns}
    write_motifs(output / "patterns.meme", patterns)
    prefix = output / f"{found.card.name}.{found.class_name}.motifs"
    written = write_hits(prefix, found.hits, found.patterns, found.card, found.class_name, lengths)
    figures = {
        "model": found.card.name, "class": found.class_name, "windows": len(found.sites), "hits": len(found.hits),
        "patterns": [
            {
                "name": entry.pattern.name, "seqlets": len(entry.pattern.seqlets),
                "matches": [{"name": match.name, "e_value": match.e_value} for match in entry.matches],
            }
            for entry in found.patterns
        ],
    }  # fmt: skip
    (output / FIGURES).write_text(json.dumps(rounded(figures), indent=1) + "\n", encoding="utf-8")
    write_page(_page(found, [path.name for path in written]), output / REPORT)
    return output / REPORT


def _page(found: _Found, files: list[str]) -> Page:
    card = found.card
    label = next(entry.title for entry in card.classes if entry.name == found.class_name)
    page = Page(f"Motifs of {card.name}: {label}", card.title)
    page.section("What was explained")
    page.text(card.description)
    page.text(
        f"{len(found.sites):,} windows of {card.window:,} bases were explained by DeepLIFT: what each base adds to the "
        f"logit of {found.class_name}, against an input that holds the genome's base frequencies. tfmodisco-lite "
        "aligned and clustered the stretches of high contribution (seqlets) into patterns. Positive patterns speak for "
        "the class, negative ones against it. Mean logit is what a seqlet of the pattern contributes in the mean."
    )
    page.section("Patterns")
    _add_table(page, found)
    page.section("Where they are")
    page.text(
        f"{len(found.hits):,} hits on the genome: the cores of the patterns' seqlets, each place once. They stand in "
        f"{' and '.join(files[:2])}; patterns.h5 is tfmodisco's own file, patterns.meme holds the patterns' cores."
    )
    page.note(
        "Hits are the stretches that made the patterns, in the windows that were explained: not every occurrence in "
        "the genome."
    )
    return page


def _add_table(page: Page, found: _Found) -> None:
    if not found.patterns:
        page.text("No pattern was found: too few stretches of high contribution resemble each other.")
        return
    background = np.asarray(found.card.reference.values, dtype=np.float64)
    counts = np.bincount([hit.pattern for hit in found.hits], minlength=len(found.patterns))
    rows: list[list[Cell]] = []
    for entry, count in zip(found.patterns, counts, strict=True):
        seqlets = entry.pattern.seqlets
        mean = float(seqlets.contribution.mean())
        pictures = pattern_pictures(entry.pattern, background)
        text = match_text(entry.matches, found.database)
        rows.append([entry.pattern.name, *pictures, text, len(seqlets), mean, int(count)])
    header = ["", "contributions", "bases", "resembles", "seqlets", "mean logit", "hits"]
    page.table(header, rows)
    if found.database is None:
        page.note("No motif database was given (--motifs), so patterns have no names.")
    else:
        page.note(
            f"Compared with the {len(found.database.motifs):,} motifs of {found.database.path.name} by tomtom; E is "
            "the number of them that would match as well by chance, named up to E = 0.1."
        )
