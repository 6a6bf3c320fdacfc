"""The sections of the report on a TSS model, in the order of ten Dijke 2017, chapter 6."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import TrackgenError
from trackgen.learn.datasets.motif_files import write_motifs
from trackgen.learn.datasets.tss import CLASSES
from trackgen.learn.datasets.windows import one_hot
from trackgen.learn.explain.contributions import explain_windows
from trackgen.learn.explain.discovery import discover
from trackgen.learn.explain.enrichment import enrichment
from trackgen.learn.explain.filters import (
    KEPT_SHARE,
    FilterLayer,
    FilterMatrices,
    filter_layers,
    filter_matrices,
    positive_part,
)  # fmt: skip
from trackgen.learn.explain.graphs import logit_model
from trackgen.learn.explain.logos import information, probabilities
from trackgen.learn.explain.matching import match_motifs
from trackgen.learn.explain.maximisation import PENALTY, RATE, START, maximise, strongest_part
from trackgen.learn.explain.modisco import core_starts
from trackgen.learn.explain.motif_table import find_patterns, match_text, named, pattern_pictures
from trackgen.learn.explain.occlusion import CENTRE, REGIONS, TATA, occlusion_table
from trackgen.learn.explain.page import Cell
from trackgen.learn.explain.pictures import logo, logo_grid, mean_profiles, places, site_logos
from trackgen.learn.explain.tss_context import Context

__all__ = ["add_contributions", "add_filters", "add_maximisation", "add_motifs", "add_occlusion"]

Float32 = NDArray[np.float32]

UPSTREAM, DOWNSTREAM = 100, 50
"""Bases around the TSS that a picture of letters shows: more would be too small to read."""
LARGEST_BACKGROUND = 5000
"""Background windows that motifs are compared with, at most: enough for a share of 5 %, and quick to scan."""


def add_filters(context: Context) -> None:
    """Filter logos, and the matrices of what activates each filter most with their matches."""
    page, model = context.page, context.model
    page.section("Filters")
    page.text(
        "The filters of the layer that reads the sequence, as logos of their positive weights (negative weights are "
        "zeroed): the taller a letter, the more that base at that place activates the filter."
    )
    layers = filter_layers(model.graph, model.tensor, model.path)
    for layer in layers:
        page.picture(
            logo_grid(
                list(positive_part(layer.weights)), [f"filter {n + 1}" for n in range(len(layer))], "weight",
                f"logos of the {len(layer)} filters of {layer.name}",
            ),
            f"{layer.name}: {len(layer)} filters of {layer.weights.shape[2]} bases, one scale for all.",
        )  # fmt: skip
    page.section("What activates the filters")
    page.text(
        "In every held-out window the place where a filter is activated most; of the windows where it is activated "
        f"most strongly ({KEPT_SHARE:.0%} of all), the bases under the filter, counted into a matrix (after DeepBind). "
        "The shares tell in how many windows of each class the filter passes that threshold: a filter with "
        f"{KEPT_SHARE:.0%} everywhere does not tell the classes apart by itself."
    )
    collected: dict[str, NDArray[np.float64]] = {}
    for layer in layers:
        matrices = filter_matrices(
            model.graph, layer, model.tensor, context.windows.codes,
            threads=model.threads, progress=context.progress,
        )  # fmt: skip
        collected |= _add_matrices(context, layer, matrices)
    write_motifs(context.options.output / "filters.meme", collected)
    page.note("Logos show information against the genome's base frequencies. The matrices stand in filters.meme.")


def _add_matrices(
    context: Context, layer: FilterLayer, matrices: FilterMatrices
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """The table of one layer; returns its matrices by name."""
    background, labels = context.model.background, context.windows.labels
    used = [number for number in range(len(layer)) if matrices.kept[number]]
    frequencies = [probabilities(matrices.counts[number], background) for number in used]
    found = match_motifs(frequencies, context.database) if context.database else [[] for _ in used]
    shares = [[float(matrices.passed[labels == label, number].mean()) for label in range(3)] for number in used]
    rows: list[list[Cell]] = []
    strongest = np.argsort([-max(share[1], share[2]) for share in shares], kind="stable")
    for row in strongest:
        number = used[row]
        picture = logo(information(frequencies[row], background), f"what activates filter {number + 1}")
        texts = [f"{share:.1%}" for share in shares[row]]
        rows.append([f"filter {number + 1}", picture, *texts, match_text(found[row], context.database)])
    if len(used) > 0:
        context.page.heading(layer.name)
        context.page.table(["", "bases under it", *CLASSES, "resembles"], rows)
    context.figures.setdefault("filters", {})[layer.name] = [
        {"filter": number + 1, "shares": share, "matches": [match.name for match in matches]}
        for number, share, matches in zip(used, shares, found, strict=True)
    ]
    return {f"{layer.name}.{number + 1}": matrix for number, matrix in zip(used, frequencies, strict=True)}


def add_maximisation(context: Context) -> None:
    """The inputs that the logits of sharp and broad like best."""
    page, model = context.page, context.model
    page.section("Inputs that maximise a class")
    page.text(
        f"Starting from an input in which every base is equally likely ({START}), each entry is moved along the "
        f"gradient of the class's logit, less {PENALTY} times the squared size of the input, for "
        f"{context.options.steps:,} steps of {RATE}. The result is no sequence but what the net would like best. "
        "Entries below the 85th percentile are left out of the picture."
    )
    classes = {name: model.columns[CLASSES.index(name)] for name in CLASSES[1:]}
    with logit_model(model.path, model.card, model.output) as (path, card):
        explainer = context.engine.open(
            path, card, model.output, attribution="gradient",
            device=context.options.device, threads=model.threads,
        )  # fmt: skip
        found = maximise(
            explainer, model.tensor, model.card.window, list(classes.values()), model.background, context.progress,
            steps=context.options.steps, seed=context.options.sources.seed,
        )  # fmt: skip
    best = found.values
    first = max(0, model.site - UPSTREAM)
    shown = slice(first, model.site + DOWNSTREAM + 1)
    pictures = {name: strongest_part(values)[:, shown] for name, values in zip(classes, best, strict=True)}
    if found.starts:
        page.text(
            "On that start most of this net is silent: the gradient is zero and the ascent can't begin. It "
            f"begins from {found.starts} random sequences instead; shown is what it added to them, in the mean."
        )
    page.picture(
        site_logos(pictures, model.site - first, "score", "inputs that maximise sharp and broad"),
        f"From {UPSTREAM} bases upstream of the TSS to {DOWNSTREAM} downstream, each class on its own scale.",
    )
    page.note(
        "Another training run of the same net can prefer another input: this picture shows one net, not the biology."
    )
    context.figures["maximisation"] = {
        name: {region.name: _largest_in(values, region, model.site) for region in (TATA, CENTRE)}
        for name, values in zip(classes, best, strict=True)
    }


def _largest_in(values: Float32, region: Any, site: int) -> str:
    """The base that each place of a region would like best."""
    inside = region.mask(values.shape[1], site)
    return "".join("ACGT"[base] for base in values[:, inside].argmax(axis=0))


def add_contributions(context: Context) -> None:
    """The mean DeepLIFT profile of each class around the TSS."""
    page, model = context.page, context.model
    page.section("DeepLIFT contributions around the TSS")
    page.text(
        "How much each base adds to the logit of its class (less the mean logit), against an input that holds the "
        "genome's base frequencies everywhere; the mean over the start sites of the class. Positive: the bases that "
        "are usually there speak for the class."
    )
    profiles, figures = {}, {}
    rows: list[list[Cell]] = []
    for name in CLASSES[1:]:
        actual = class_contributions(context, name)[0]
        profile = actual.mean(axis=0)
        profiles[f"{name} ({len(actual):,} start sites)"] = profile
        sums = [float(profile[region.mask(len(profile), model.site)].sum()) for region in REGIONS]
        widths = [int(region.mask(len(profile), model.site).sum()) for region in REGIONS]
        rows.append([name, *sums, *(sums[number] / widths[number] for number in (1, 2))])
        figures[name] = dict(zip([region.name for region in REGIONS], sums, strict=True))
    page.picture(mean_profiles(profiles, model.site, "mean contribution at each base around the TSS"))
    page.table(
        ["summed mean contribution", *(region.text for region in REGIONS), "per base, TATA region", "per base, centre"],
        rows,
    )
    context.figures["contributions"] = figures


def class_contributions(context: Context, name: str) -> tuple[Float32, Float32]:
    """(N, L) contributions and (N, 4, L) hypothetical ones of the start sites of a class; computed once."""
    if name not in context.cache:
        model = context.model
        explainer = context.engine.open(
            model.path, model.card, model.output, device=context.options.device, threads=model.threads
        )
        found = explain_windows(
            explainer, context.engine, model.tensor, model.card.inputs[0].name,
            {model.tensor.name: model.tensor.put_codes(context.windows.windows[name])},
            model.columns[CLASSES.index(name)], model.background.astype(np.float32), context.progress,
        )  # fmt: skip
        context.cache[name] = (found.actual, found.hypothetical)
    return context.cache[name]


def add_occlusion(context: Context) -> None:
    """Table 10: what is left when only a region is shown, with two ways to blank the rest."""
    page, model, windows = context.page, context.model, context.windows
    page.section("What is left when only a part is shown")
    page.text(
        "The model judges the held-out windows while everything outside a safe region is blanked. AUROC and AUPRC of "
        "each class against all others (9 background windows for each start site)."
    )
    values, figures = one_hot(windows.codes), {}
    ways = {
        "zeros": ("The rest zeroed, as in the thesis", np.zeros(4, np.float32)),
        "frequencies": ("The rest at the genome's base frequencies", model.background.astype(np.float32)),
    }
    for way, (title, fill) in ways.items():
        table = occlusion_table(
            model.predictor(), values, windows.labels, CLASSES, site=model.site, fill=fill, progress=context.progress
        )
        page.heading(title)
        names = [f"{name}, {figure}" for name in CLASSES for figure in ("AUROC", "AUPRC")]
        rows: list[list[Cell]] = [
            [region, *(classes[name][figure] for name in CLASSES for figure in ("auroc", "auprc"))]
            for region, classes in table.items()
        ]
        page.table(["safe region", *names], rows)
        figures[way] = table
    page.note(
        "Positions are relative to the TSS, both ends included. The thesis (its Table 10) blanked the rest during "
        "training too; here the model that was trained on whole windows is only shown less. Zeros are an input it "
        "never saw, base frequencies stay nearer to sequences: where the two tables differ, trust the second."
    )
    context.figures["occlusion"] = figures


def add_motifs(context: Context) -> None:
    """Patterns in the contributions of each class, and motifs that the sequences alone tell apart."""
    page, windows = context.page, context.windows
    page.section("Motifs in the contributions")
    page.text(
        "Stretches of high contribution, aligned and clustered by tfmodisco-lite into patterns. The first logo shows "
        "mean contributions, the second the bases. Places tells where the stretches begin, relative to the TSS. AUROC "
        "tells how well the pattern's best hit anywhere in the window separates the class from background (.5: not at "
        "all): a pattern that speaks only at its place, such as an initiator, does not."
    )
    background = windows.codes[windows.labels == 0][:LARGEST_BACKGROUND]
    motifs: dict[str, NDArray[np.float64]] = {}
    for name in CLASSES[1:]:
        page.heading(f"{name}, {len(windows.windows[name]):,} start sites")
        motifs |= _add_patterns(context, name, background)
    page.section("Motifs in the sequences alone")
    _add_discovery(context, background, motifs)
    write_motifs(context.options.output / "motifs.meme", motifs)


def _add_patterns(
    context: Context, name: str, background: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    page, model, codes = context.page, context.model, context.windows.windows[name]
    try:
        patterns = find_patterns(
            one_hot(codes), class_contributions(context, name)[1], largest=context.options.seqlets,
            threads=model.threads, progress=context.progress, keep=context.options.output / f"{name}.modisco.h5",
        )  # fmt: skip
    except TrackgenError as error:
        # The rest of the report does not depend on it, and a class may well have too few windows.
        page.note(str(error))
        patterns = []
    rows: list[list[Cell]] = []
    figures = []
    for entry in named(patterns, context.database):
        pattern = entry.pattern
        found = enrichment(pattern.motif, codes, background, model.background)
        where = places(core_starts(pattern), codes.shape[1], model.site, f"where {pattern.name} begins")
        rows.append([
            pattern.name, *pattern_pictures(pattern, model.background), len(pattern.seqlets), where, found.auroc,
            match_text(entry.matches, context.database),
        ])  # fmt: skip
        core = pattern.frequencies[:, slice(*pattern.core)]
        figures.append({
            "name": pattern.name, "seqlets": len(pattern.seqlets), "auroc": found.auroc, "consensus": consensus(core),
            "matches": [match.name for match in entry.matches],
        })  # fmt: skip
    if rows:
        header = ["", "contributions", "bases", "seqlets", "places", "AUROC", "resembles"]
        page.table(header, rows)
    else:
        page.text("No pattern was found: too few stretches of high contribution resemble each other.")
    context.figures.setdefault("patterns", {})[name] = figures
    return {f"{name}.{pattern.name}": pattern.motif for pattern in patterns}


def consensus(frequencies: NDArray[np.float64]) -> str:
    """The likeliest base at each place, in lower case below one half."""
    letters = ("ACGT"[int(column.argmax())] for column in frequencies.T)
    return "".join(a if b > 0.5 else a.lower() for a, b in zip(letters, frequencies.max(axis=0), strict=True))


def _add_discovery(
    context: Context, background: NDArray[np.uint8], motifs: dict[str, NDArray[np.float64]]
) -> None:  # fmt: skip
    page, model = context.page, context.model
    page.text(
        "For comparison, as the thesis compared with MEME-ChIP: motifs that tell the class's windows from background "
        "windows, found without the model. Windows is the share of the class's windows with a hit that only 5 % of "
        "background windows have; places tells where those hits begin."
    )
    for name in CLASSES[1:]:
        codes = context.windows.windows[name]
        found = discover(codes, background, context.progress)
        page.heading(f"{name}, by {found.method}")
        matrices = list(found.motifs.values())
        matches = match_motifs(matrices, context.database) if context.database else [[] for _ in matrices]
        rows: list[list[Cell]] = []
        for (title, matrix), resembling in zip(found.motifs.items(), matches, strict=True):
            told = enrichment(matrix, codes, background, model.background)
            where = places(told.places, codes.shape[1], model.site, f"where hits of {title} begin")
            picture = logo(information(matrix, model.background), title)
            text = match_text(resembling, context.database)
            rows.append([title, picture, where, f"{told.share:.1%}", told.auroc, text])
            motifs[f"{name}.sequence.{title}"] = matrix
        page.table(["", "bases", "places", "windows", "AUROC", "resembles"], rows)
    if found.method != "STREME":
        page.note(
            "This finder is a plain one: no Python package carries STREME or MEME. With the MEME suite's program "
            "streme on the PATH, this section uses it."
        )
