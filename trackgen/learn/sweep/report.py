"""The report on sweeps: README.md, report.json and pictures, from their records alone."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trackgen.errors import DataError, UsageError
from trackgen.learn.figures import rounded
from trackgen.learn.sweep.families import families_of
from trackgen.learn.sweep.figures import Models, against_deepbind, anova, change_by_size, deltas, examined, seconds
from trackgen.learn.sweep.pictures import plot_cut_down, plot_deepbind, plot_deltas, plot_distributions
from trackgen.learn.sweep.plan import SweepFolder
from trackgen.learn.sweep.prose import readme
from trackgen.learn.sweep.records import read_records
from trackgen.learn.sweep.space import SPACE

__all__ = ["write_report"]


def write_report(
    sweeps: Sequence[Path], output: Path, *, families: Path | None = None, named: Mapping[str, str] | None = None,
    baselines: Path | None = None,
) -> Path:  # fmt: skip
    """Write the report on sweeps, finished or not; returns its README.md.

    Args:
        sweeps: their folders; a set is in one of them.
        output: folder of the report, made where it is absent.
        families: a file of factors' families; see `trackgen.learn.sweep.families.read_families`.
        named: set -> family, before the file.
        baselines: records of baselines; those of the sweeps' own sets are shown (``baselines.jsonl`` in the sweeps'
            folders where there is one).

    Raises:
        DataError: no sweep, nothing finished in it yet, or damaged records.
        UsageError: the report would be written into a sweep's folder; a set is in two sweeps.
    """
    if output.resolve() in [sweep.resolve() for sweep in sweeps]:
        raise UsageError("the report needs a folder of its own", path=output)
    joined = _joined(sweeps)
    paths = [sweep / "baselines.jsonl" for sweep in sweeps] if baselines is None else [baselines]
    others = [record for path in paths for record in read_records(path)]
    recorded = {record["set"]: record["family"] for record in joined.records if record["family"]}
    known = recorded | families_of(joined.sets, families, dict(named or {}))
    figures = _figures(joined, others, known)
    output.mkdir(parents=True, exist_ok=True)
    _draw(Models.of(joined.records), figures, output)
    _write(output / "report.json", json.dumps(rounded(figures), indent=1, allow_nan=False) + "\n")
    _write(output / "README.md", readme(figures))
    return output / "README.md"


class _Joined(NamedTuple):
    """Several sweeps: recipe by set, sets as plans describe them, records of models."""

    recipes: dict[str, dict[str, Any]]
    sets: dict[str, dict[str, Any]]
    records: list[dict[str, Any]]


def _joined(sweeps: Sequence[Path]) -> _Joined:
    joined, homes = _Joined({}, {}, []), dict[str, Path]()
    for sweep in sweeps:
        folder = SweepFolder(sweep)
        plan, records = folder.read(), read_records(folder.results)
        for name in _names(records):
            if homes.setdefault(name, sweep) != sweep:
                raise UsageError(
                    f"the set {name} is in two sweeps", path=sweep, found=homes[name], wanted="each set in one of them"
                )
            joined.recipes[name], joined.sets[name] = plan["recipe"], plan["sets"][name]
        joined.records.extend(records)
    if not joined.records:
        raise DataError(
            "nothing is trained yet", path=SweepFolder(sweeps[0]).results, wanted="one trained model at least",
            remedy="let `trackgen sweep` go on",
        )  # fmt: skip
    return joined


def _figures(joined: _Joined, baselines: list[dict[str, Any]], families: Mapping[str, str]) -> dict[str, Any]:
    """All that the report says, for report.json; the README and the pictures are made of it."""
    records, task = joined.records, joined.records[0]["task"]
    models = Models.of(records)
    sizes = [None, *models.fractions]
    return {
        "task": task, "recipes": joined.recipes, "space": SPACE,
        "sets": {name: joined.sets[name] | _sizes(records, name, families) for name in _names(records)},
        "models": len({(r["set"], r["fraction"], r["architecture"], r["seed"]) for r in records}),
        "auroc": {_size(size): _table(models, size) for size in sizes if models.sets(size)},
        "auprc": _auprc(records), "baselines": _baselines(baselines, joined.sets),
        "findings": examined(models, task), "deltas": deltas(models),
        "deepbind": against_deepbind(models), "seconds_per_500k": seconds(records),
        "anova": {_size(size): found for size in sizes if (found := anova(models, families, size)) is not None},
        "change_by_size": change_by_size(models, models.fractions) if models.fractions else {},
        "settings": _settings(records),
    }  # fmt: skip


def _size(size: int | None) -> str:
    return "all" if size is None else str(size)


def _names(records: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(record["set"] for record in records))


def _sizes(records: list[dict[str, Any]], name: str, families: Mapping[str, str]) -> dict[str, Any]:
    own = next(record for record in records if record["set"] == name)
    return {"family": families.get(name, ""), **{part: own[part] for part in ("train", "validation", "test")}}


def _table(models: Models, size: int | None) -> dict[str, dict[str, Any]]:
    """Architecture -> {set: AUROC of each seed}."""
    return {
        code: {name: values for name in models.sets(size) if (values := models.seeds(name, code, size))}
        for code in models.architectures(size)
    }


def _auprc(records: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Architecture -> {set: mean over seeds}, of whole sets."""
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        if record["fraction"] is None and record["test_auprc"] is not None:
            cell = found.setdefault(record["architecture"], {}).setdefault(record["set"], [])
            cell.append(record["test_auprc"])
    return {code: {name: statistics.fmean(cell) for name, cell in row.items()} for code, row in found.items()}


def _baselines(records: list[dict[str, Any]], sets: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Baseline -> {set: AUROC of each run}, of records on the sweep's very sequences."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        if sets.get(record["set"], {}).get("digest") == record["digest"] and record["test_auroc"] is not None:
            found.setdefault(record["baseline"], {}).setdefault(record["set"], []).append(record["test_auroc"])
    return found


def _settings(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each search of a whole set chose."""
    chosen = {(r["set"], r["architecture"]): r for r in records if r["fraction"] is None}
    return [
        {"set": name, "architecture": code, "distinct_draws": record["distinct_draws"], **record["hyper"]}
        for (name, code), record in chosen.items()
    ]


def _draw(models: Models, figures: Mapping[str, Any], output: Path) -> None:
    for size in (None, *models.fractions):
        if models.sets(size):
            plot_distributions(models, size, output / f"auroc{'' if size is None else f'_{size}'}.png")
    if figures["deltas"] is not None:
        bound = {name: entry["bound"] for name, entry in figures["sets"].items()}
        plot_deltas(figures["deltas"], bound, output / "deltas.png")
    if figures["deepbind"] is not None:
        plot_deepbind(figures["deepbind"], output / "deepbind.png")
    if figures["change_by_size"]:
        plot_cut_down(figures["change_by_size"], output / "sizes.png")


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".tmp")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
