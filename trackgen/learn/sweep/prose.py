"""The words and tables of a sweep's report."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from trackgen.learn.sweep.figures import BASE, FAILED, PAPER_SECONDS
from trackgen.learn.tss_report import markdown_table

__all__ = ["readme"]


def readme(figures: Mapping[str, Any]) -> str:
    """README.md of a report, from its figures alone."""
    sections = [
        _head(figures), _sets(figures), _auroc(figures), _findings(figures), _deltas(figures), _deepbind(figures),
        _seconds(figures), _anova(figures), _sizes(figures), _settings(figures),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def _head(figures: Mapping[str, Any]) -> str:
    recipe = next(iter(figures["recipes"].values()))
    bound = f"at most {recipe['validation']:,} sequences of it are used"
    phases = {
        name: f"{own['draws']} draws of {own['search_steps']:,} mini-batches, trained for {own['train_steps']:,}"
        for name, own in figures["recipes"].items()
    }
    rows = [
        [", ".join(name for name in phases if phases[name] == text), text] for text in dict.fromkeys(phases.values())
    ]
    return f"""# Architectures against data sets: {figures["task"]}

{figures["models"]:,} trained models, after Zeng et al. 2016 (doi:10.1093/bioinformatics/btw255). For each set and
architecture, settings of dropout and of AdaDelta's rho and epsilon are drawn from the paper's Table 3 (27 combinations;
a repeat is not trained again). Each is trained for a while on mini-batches of {recipe["batch_size"]}, with a look at
validation every {recipe["search_every"]} of them. The setting with the highest AUROC there is trained from each seed,
with a look every {recipe["train_every"]}; the best look is kept, and tested once. Validation is one in eight of what is
not test ({bound}). Seeds change weights, order, dropout and the draw of validation,
never the test part.

{markdown_table(["sets", "search and training"], rows)}"""


def _sets(figures: Mapping[str, Any]) -> str:
    rows = [
        [name, entry["family"], f"`{entry['digest']}`", f"{entry['bound']:,}",
         *(f"{entry[part]:,}" for part in ("train", "validation", "test"))]
        for name, entry in figures["sets"].items()
    ]  # fmt: skip
    header = ["set", "family", "digest", "bound", "training", "validation", "test"]
    return f"## Sets\n\n{markdown_table(header, rows)}"


def _auroc(figures: Mapping[str, Any]) -> str:
    table, sets = figures["auroc"].get("all", {}), list(figures["sets"])
    rows = [_row(code, cells, sets) for code, cells in table.items()]
    rows += [_row(f"*{name}*", cells, sets) for name, cells in figures["baselines"].items()]
    precision = [
        [code, *(f"{cells[name]:.4f}" if name in cells else "" for name in sets)]
        for code, cells in figures["auprc"].items()
    ]
    cut = "".join(
        f"\n\nCut down to {int(size):,} bound sequences:\n\n"
        f"{_cut_table(part)}\n\n![AUROC by architecture](auroc_{size}.png)"
        for size, part in figures["auroc"].items() if size != "all"
    )  # fmt: skip
    others = " Baselines are in italics." if figures["baselines"] else ""
    return f"""## AUROC on test

Mean over seeds, lowest and highest in brackets, with the number of models where it is below the row's most; the last
column is the median over the sets, for architectures that have them all.{others}

{markdown_table(_columns(sets), rows)}

![AUROC by architecture](auroc.png)

Area under the precision-recall curve, mean over seeds:

{markdown_table(["architecture", *sets], precision)}{cut}"""


def _cut_table(part: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    sets = list(dict.fromkeys(name for cells in part.values() for name in cells))
    return markdown_table(_columns(sets), [_row(code, cells, sets) for code, cells in part.items()])


def _columns(sets: Sequence[str]) -> list[str]:
    return ["architecture", *sets, "median"]


def _row(code: str, cells: Mapping[str, Sequence[float]], sets: Sequence[str]) -> list[str]:
    most = max(len(values) for values in cells.values())
    means = [statistics.fmean(values) for values in cells.values()]
    texts = [_range(cells[name], most) if name in cells else "" for name in sets]
    return [code, *texts, f"{statistics.median(means):.4f}" if len(means) == len(sets) else ""]


def _range(values: Sequence[float], most: int) -> str:
    text = f"{statistics.fmean(values):.4f}"
    if len(values) > 1:
        text += f" ({min(values):.4f}-{max(values):.4f})"
    return text if len(values) == most else f"{text} of {len(values)}"


def _findings(figures: Mapping[str, Any]) -> str:
    if not figures["findings"]:
        return ""
    rows = [
        [row["finding"], f"`{row['better']}` - `{row['worse']}`", f"{row['change']:+.4f}",
         f"{row['lowest']:+.4f} to {row['highest']:+.4f}", f"{row['wins']} of {row['sets']}", row["verdict"]]
        for row in figures["findings"]
    ]  # fmt: skip
    header = ["finding of the paper", "difference", "mean over sets", "over seeds", "sets", "here"]
    return f"""## What the paper found, and what holds here

A finding holds where the mean over the sets has its sign with every seed and more than half of the sets agree; it does
not hold where both are the other way round; else it is undecided.

{markdown_table(header, rows)}"""


def _deltas(figures: Mapping[str, Any]) -> str:
    if figures["deltas"] is None:
        return ""
    return f"""## Change of AUROC from {BASE}

Sets in the order of Ward's clustering of their changes, their bound sequences below (Figure 4A and B).

![change of AUROC by set and architecture](deltas.png)"""


def _deepbind(figures: Mapping[str, Any]) -> str:
    comparison = figures["deepbind"]
    if comparison is None:
        return ""
    code, failed = comparison["architecture"], comparison["failed"]
    fit = "too few sets for a regression" if comparison["r_squared"] is None else f"R2 {comparison['r_squared']:.3f}"
    return f"""## {BASE} against DeepBind

Linear regression of `{BASE}` on `{code}` over {comparison["sets"]} sets on which DeepBind reaches {FAILED}: {fit} (the
paper: 0.886 over 690). Models below {FAILED}: {failed[code]} of `{code}`, {failed[BASE]} of `{BASE}`. DeepBind's net
and starting scales are its own; it is searched and trained as the others are, not by its own optimiser.

![{BASE} against DeepBind](deepbind.png)"""


def _seconds(figures: Mapping[str, Any]) -> str:
    own = figures["seconds_per_500k"]
    paper = {code: f"{PAPER_SECONDS[code]:.2f}" if code in PAPER_SECONDS else "" for code in own}
    ratio = {
        code: f"{own[code] / own[BASE]:.2f}, {PAPER_SECONDS[code] / PAPER_SECONDS[BASE]:.2f}"
        for code in own if code in PAPER_SECONDS and BASE in own
    }  # fmt: skip
    rows = [[code, f"{value:.1f}", paper[code], ratio.get(code, "")] for code, value in own.items()]
    return f"""## Time

Seconds to train on 500,000 sequences: here processor time of one core, of the fastest stretch between two looks at
validation; the paper's Table 2 beside it (a GPU of 2015).

{markdown_table(["architecture", "here", "paper", f"times {BASE}: here, paper"], rows)}"""


def _anova(figures: Mapping[str, Any]) -> str:
    if not figures["anova"]:
        return ""
    parts = []
    for size, found in figures["anova"].items():
        rows = [
            [one["name"], f"{one['squares']:.5f}", str(one["freedom"]), _number(one["f"], ".2f"),
             _number(one["p"], ".2g"), f"{one['eta_squared']:.4f}"]
            for one in found["effects"]
        ]  # fmt: skip
        what = "Whole sets" if size == "all" else f"Cut down to {int(size):,} bound sequences"
        header = ["", "sum of squares", "freedom", "F", "p", "eta squared"]
        share = {one["name"]: one["eta_squared"] for one in found["effects"]}
        ratio = (
            ""
            if not share["architecture"]
            else (
                f" Eta squared of the family is {share['family'] / share['architecture']:.2g} times that of the "
                f"architecture, of the interaction {share['interaction'] / share['architecture']:.2g} times."
            )
        )
        parts.append(
            f"{what}, {found['observations']} models, {found['families']} families.{ratio}\n\n"
            f"{markdown_table(header, rows)}"
        )
    return f"""## Analysis of variance: architecture and family

Two-way, type II. Observations are models; those of a set share its sequences, and a family of one set can't be told
from that set: the p of the family says that sets differ. The paper, with 112 experiments in 10 families, found the
architecture alone significant (p 3.3e-11, 3.7e-10 and below 1e-16 at 40,000, 10,000 and 2,500), and eta squared of
family and interaction more than 50 times smaller than that of the architecture.

{chr(10).join(part + chr(10) for part in parts)}"""


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _sizes(figures: Mapping[str, Any]) -> str:
    changes = figures["change_by_size"]
    if not changes:
        return ""
    sizes = sorted({size for line in changes.values() for size in line}, reverse=True)
    rows = [[code, *(_number(line.get(size), "+.4f") for size in sizes)] for code, line in changes.items()]
    return f"""## Smaller training sets

Mean change of AUROC from `{BASE}` by bound sequences in the training part, over the sets that have all sizes. Test
sequences are the same for all sizes, and each smaller training set is part of the larger ones.

{markdown_table(["architecture", *(f"{size:,}" for size in sizes)], rows)}

![change of AUROC by size](sizes.png)"""


def _settings(figures: Mapping[str, Any]) -> str:
    chosen = {(row["set"], row["architecture"]): row for row in figures["settings"]}
    sets, codes = (list(dict.fromkeys(key[i] for key in chosen)) for i in (0, 1))
    rows = [[code, *(_setting(chosen.get((name, code))) for name in sets)] for code in codes]
    table = markdown_table(["architecture", *sets], rows)
    return f"## Settings chosen\n\nDropout / rho / epsilon, and how many of the draws were distinct.\n\n{table}"


def _setting(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    return f"{row['dropout']:g} / {row['rho']:g} / {row['epsilon']:g} ({row['distinct_draws']})"
