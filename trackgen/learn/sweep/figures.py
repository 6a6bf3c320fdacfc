"""From the records of a sweep to the figures of its report."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from trackgen.learn.sweep.statistics import Effect, r_squared, two_way_anova, ward

__all__ = [
    "BASE", "FAILED", "FINDINGS", "PAPER_SECONDS", "Finding", "Models", "against_deepbind", "anova", "change_by_size",
    "deltas", "examined", "seconds",
]  # fmt: skip

BASE = "1layer"
FAILED = 0.55
"""AUROC below which a net counts as one that learned nothing (Zeng 2016, Figure 2B: "close to 0.5")."""
PAPER_SECONDS = {
    "1layer": 64.34, "1layer_64motif": 79.45, "1layer_128motif": 94.47, "1layer_local_win9": 68.08,
    "1layer_local_win3": 73.12, "2layer": 91.82, "3layer": 124.12, "2layer_local_win3": 93.34,
    "3layer_local_win3": 125.5,
}  # fmt: skip
"""Zeng 2016, Table 2: seconds for 500,000 training samples with Caffe on a GPU of 2015."""
DEEPBIND = ("deepbind", "deepbind_fc")


class Finding(NamedTuple):
    """One of the paper's findings: `better` beats `worse`."""

    better: str
    worse: str
    words: str


FINDINGS = {
    "discovery": (
        Finding("1layer", "1layer_1motif", "16 kernels are better than 1"),
        Finding("1layer_64motif", "1layer", "64 kernels are better than 16"),
        Finding("1layer_128motif", "1layer_64motif", "128 kernels are a little better than 64"),
        Finding("1layer", "1layer_local_win9", "local pooling by 9 hurts"),
        Finding("1layer_local_win9", "1layer_local_win3", "the more local the pooling, the worse"),
        Finding("1layer", "2layer", "a second layer hurts"),
        Finding("1layer", "3layer", "two more layers hurt"),
        Finding("1layer", "2layer_local_win3", "local pooling at the top does not make two layers better than one"),
        Finding("1layer", "3layer_local_win3", "nor three"),
    ),
    "occupancy": (
        Finding("1layer_64motif", "1layer", "64 kernels are better than 16"),
        Finding("1layer_128motif", "1layer_64motif", "128 kernels are a little better than 64"),
        Finding("1layer_local_win3", "1layer", "local pooling is no worse, if not better"),
        Finding("2layer", "1layer", "a second layer is no worse, if not better"),
        Finding("3layer", "1layer", "two more layers are no worse, if not better"),
    ),
    "free": (
        Finding("1layer_local_win9", "1layer", "local pooling by 9 helps where the position counts"),
        Finding("1layer_local_win3", "1layer", "local pooling by 3 helps where the position counts"),
    ),
}
"""By task, from sections 3.2 and 3.3."""


@dataclass(frozen=True)
class Models:
    """Trained models with their test AUROC: {(set, fraction): {architecture: {seed: AUROC}}}.

    One that diverged counts as .5, what a coin gives.
    """

    table: Mapping[tuple[str, int | None], Mapping[str, Mapping[int, float]]]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Models:
        """Of the records of a sweep; the last counts where one stands twice."""
        table: dict[tuple[str, int | None], dict[str, dict[int, float]]] = {}
        for record in records:
            value = 0.5 if record["test_auroc"] is None else float(record["test_auroc"])
            cell = table.setdefault((record["set"], record["fraction"]), {})
            cell.setdefault(record["architecture"], {})[record["seed"]] = value
        return cls(table)

    def sets(self, fraction: int | None = None) -> list[str]:
        """Names of the sets, whole or cut down, in order of appearance."""
        return [name for name, size in self.table if size == fraction]

    @property
    def fractions(self) -> list[int]:
        """Sizes that sets were cut down to, the largest first."""
        return sorted({size for _, size in self.table if size is not None}, reverse=True)

    def architectures(self, fraction: int | None = None) -> list[str]:
        """In order of appearance."""
        cells = (cell for (_, size), cell in self.table.items() if size == fraction)
        return list(dict.fromkeys(name for cell in cells for name in cell))

    def seeds(self, name: str, architecture: str, fraction: int | None = None) -> list[float]:
        """AUROC of each seed, in order of the seeds; empty where there is no model."""
        found = self.table.get((name, fraction), {}).get(architecture, {})
        return [found[seed] for seed in sorted(found)]

    def mean(self, name: str, architecture: str, fraction: int | None = None) -> float | None:
        """Over the seeds; None where there is no model."""
        values = self.seeds(name, architecture, fraction)
        return statistics.fmean(values) if values else None


def deltas(models: Models, fraction: int | None = None) -> dict[str, Any] | None:
    """Change of the mean AUROC from `BASE` to each other architecture, sets clustered by Ward's method.

    Returns:
        sets (in order of the tree), architectures, values [architecture][set], and scipy's linkage with its own order
        of sets; None where no set has all architectures and another one than the base.
    """
    variants = [name for name in models.architectures(fraction) if name != BASE]
    rows = {}
    for name in models.sets(fraction):
        means = [models.mean(name, variant, fraction) for variant in [BASE, *variants]]
        if None not in means and variants:
            rows[name] = [mean - means[0] for mean in means[1:]]  # type: ignore[operator]
    if not rows:
        return None
    names = list(rows)
    tree, order = ward(np.array([rows[name] for name in names]))
    return {
        "sets": [names[i] for i in order], "architectures": variants,
        "values": [[rows[names[i]][j] for i in order] for j in range(len(variants))],
        "linkage": None if tree is None else tree.tolist(), "leaves": order,
    }  # fmt: skip


def examined(models: Models, task: str) -> list[dict[str, Any]]:
    """Each finding of the paper on the whole sets: the change, over sets and seeds, and whether it holds."""
    return [row for finding in FINDINGS.get(task, ()) if (row := _examined(models, finding)) is not None]


def _examined(models: Models, finding: Finding) -> dict[str, Any] | None:
    per_set: dict[str, float] = {}
    per_seed: dict[int, list[float]] = {}
    for name in models.sets():
        better, worse = (models.table[name, None].get(code, {}) for code in finding[:2])
        shared = sorted(better.keys() & worse.keys())
        for seed in shared:
            per_seed.setdefault(seed, []).append(better[seed] - worse[seed])
        if shared:
            per_set[name] = statistics.fmean(better[seed] - worse[seed] for seed in shared)
    if not per_set:
        return None
    means = [statistics.fmean(changes) for changes in per_seed.values()]
    wins = sum(change > 0 for change in per_set.values())
    return {
        "finding": finding.words, "better": finding.better, "worse": finding.worse,
        "change": statistics.fmean(per_set.values()), "lowest": min(means), "highest": max(means), "wins": wins,
        "sets": len(per_set), "verdict": _verdict(means, wins, len(per_set)),
    }  # fmt: skip


def _verdict(means: Sequence[float], wins: int, sets: int) -> str:
    """By the sign of the change with every seed, and in more than half of the sets."""
    if min(means) > 0 and 2 * wins > sets:
        return "holds"
    return "does not hold" if max(means) < 0 and 2 * wins < sets else "undecided"


def against_deepbind(models: Models) -> dict[str, Any] | None:
    """`BASE` against DeepBind, by set: Figure 2B; None where either is missing.

    DeepBind's dense layer is one of its hyper-parameters: of ``deepbind`` and ``deepbind_fc`` the one with the higher
    mean on a set would be chosen by test figures, so ``deepbind`` stands for it where there is one.
    """
    code = next((name for name in DEEPBIND if name in models.architectures()), None)
    points = {}
    for name in models.sets():
        pair = (models.seeds(name, BASE), models.seeds(name, code)) if code else ((), ())
        if all(pair):
            points[name] = pair
    if not points:
        return None
    kept = [(statistics.fmean(x), statistics.fmean(y)) for x, y in points.values()]
    kept = [pair for pair in kept if pair[1] >= FAILED]
    return {
        "architecture": code, "points": {name: {BASE: x, code: y} for name, (x, y) in points.items()},
        "r_squared": r_squared([x for x, _ in kept], [y for _, y in kept]), "sets": len(kept),
        "failed": {
            name: sum(value < FAILED for pair in points.values() for value in pair[i])
            for i, name in enumerate((BASE, code))
        },
        "models": sum(len(pair[1]) for pair in points.values()),
    }  # fmt: skip


def anova(models: Models, families: Mapping[str, str], fraction: int | None = None) -> dict[str, Any] | None:
    """Architecture x family on the AUROC of every model of a size; None where a factor has one level.

    The paper's observations are experiments; with few sets those here are models, several of a set, which share its
    sequences: the p of the family is smaller than independent sets would give, that of the architecture is not.
    """
    values, architectures, groups = [], [], []
    for name in models.sets(fraction):
        for code in models.architectures(fraction):
            for value in models.seeds(name, code, fraction):
                values.append(value)
                architectures.append(code)
                groups.append(families.get(name) or name)
    if len(set(architectures)) < 2 or len(set(groups)) < 2:
        return None
    effects = two_way_anova(values, architectures, groups, ("architecture", "family"))
    return {"observations": len(values), "families": len(set(groups)), "effects": [_row(one) for one in effects]}


def _row(effect: Effect) -> dict[str, Any]:
    return asdict(effect)


def seconds(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Architecture -> seconds for 500,000 samples, the lowest of its models of whole sets."""
    found: dict[str, float] = {}
    for record in records:
        if record["fraction"] is None:
            name, value = record["architecture"], record["seconds_per_500k"]
            found[name] = min(value, found.get(name, value))
    return found


def change_by_size(models: Models, sizes: Sequence[int]) -> dict[str, dict[int, float]]:
    """Architecture -> {size: mean over the sets that have all sizes of the change from `BASE`}."""
    sets = [name for name in models.sets(sizes[0]) if all(name in models.sets(size) for size in sizes)]
    found: dict[str, dict[int, float]] = {}
    for code in models.architectures(sizes[0]):
        for size in sizes:
            pairs = [(models.mean(name, code, size), models.mean(name, BASE, size)) for name in sets]
            if code != BASE and pairs and all(None not in pair for pair in pairs):
                changes = [own - base for own, base in pairs if own is not None and base is not None]
                found.setdefault(code, {})[size] = sum(changes) / len(changes)
    return found
