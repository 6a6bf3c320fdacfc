"""``trackgen explain tss``: the explanation part of ten Dijke 2017 for a TSS model, as one HTML report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from trackgen.errors import UsageError
from trackgen.genome import open_genome
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.explain.engine import Engine, default_engine
from trackgen.learn.explain.matching import FEWEST_MOTIFS
from trackgen.learn.explain.needs import require
from trackgen.learn.explain.page import Page, write_page
from trackgen.learn.explain.tss_context import Context, TssExplainOptions
from trackgen.learn.explain.tss_sections import (
    add_contributions,
    add_filters,
    add_maximisation,
    add_motifs,
    add_occlusion,
)  # fmt: skip
from trackgen.learn.explain.tss_windows import open_tss_model, read_tss_windows
from trackgen.learn.figures import rounded
from trackgen.progress import Progress

__all__ = ["TssExplainOptions", "explain_tss", "make_folder"]

REPORT, FIGURES = "report.html", "report.json"


def explain_tss(options: TssExplainOptions, progress: Progress, engine: Engine | None = None) -> Path:
    """Write ``report.html``, ``report.json`` and the motifs as MEME files into the output folder.

    Args:
        options: what to explain.
        progress: is told what goes on.
        engine: of gradients and contributions; the one of scans where None.

    Returns:
        The report.

    Raises:
        UsageError: a library of the extra ``explain`` is missing, or an option can't be honoured.
        ModelError: the model is of another kind.
        DataError: a file of start sites or motifs is missing or malformed.
    """
    require()
    model = open_tss_model(options.model, options.threads)
    database = None if options.motifs is None else read_motifs(options.motifs)
    with open_genome(options.genome) as genome:
        windows = read_tss_windows(model, genome, options.sources)
    make_folder(options.output)
    card = model.card
    page = Page(f"{card.name}, explained", card.title)
    figures: dict[str, Any] = {"model": card.name}
    context = Context(options, model, windows, database, engine or default_engine(), page, figures, progress)
    _add_beginning(context)
    sections: tuple[Callable[[Context], None], ...] = (
        add_filters, add_maximisation, add_contributions, add_occlusion, add_motifs,
    )  # fmt: skip
    for add in sections:
        add(context)
    (options.output / FIGURES).write_text(json.dumps(rounded(figures), indent=1) + "\n", encoding="utf-8")
    write_page(page, options.output / REPORT)
    return options.output / REPORT


def make_folder(path: Path) -> None:
    """Make an output folder, or take one that is there.

    Raises:
        UsageError: it can't be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            "the output folder can't be made", path=path, found=error.strerror, remedy="choose another with -o"
        ) from error


def _add_beginning(context: Context) -> None:
    page, windows, card = context.page, context.windows, context.model.card
    page.section("What was explained")
    page.text(card.description)
    labels = np.bincount(windows.labels, minlength=3)
    page.table(
        ["windows", "background", "sharp", "broad"],
        [
            [f"held out: {', '.join(windows.judged)}", *(int(count) for count in labels)],
            ["for contributions and motifs: all sequences", 0, *(len(codes) for codes in windows.windows.values())],
        ],
    )
    page.text(
        f"A window holds {card.window} bases; the base that the model judges stands at position 0, and negative "
        "positions lie upstream of it. Filters and occlusion use the windows of the held-out sequences. Contributions "
        "and motifs use start sites of all sequences, those of the training too, since they describe what was learned."
    )
    database = context.database
    if database is None:
        page.note("No motif database was given (--motifs), so motifs are shown without names.")
    else:
        few = " With so few motifs the p-values are rough." if len(database.motifs) < FEWEST_MOTIFS else ""
        page.note(
            f"Motifs are compared with the {len(database.motifs):,} of {database.path.name} by tomtom. E is the number "
            f"of motifs in the database that would match as well by chance; matches up to E = 0.1 are named.{few}"
        )
    context.figures["windows"] = {
        "judged": list(windows.judged), "held_out": [int(count) for count in labels],
        "contributions": {name: len(codes) for name, codes in windows.windows.items()},
    }  # fmt: skip
