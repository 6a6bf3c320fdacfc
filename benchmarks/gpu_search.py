"""Seeks the fastest admissible way to run a net on a device: one factor at a time, then the best of each together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from gpu_nets import Net
from gpu_runs import Effort, Place, Row, Settings, measure

from trackgen.scan.modes import choose_tile

__all__ = ["CUDA_ONLY", "DEFAULT", "TOGETHER", "Variant", "admissible", "join", "search", "variants", "winner"]

DEFAULT = "as a scan does it"
TOGETHER = "the best of each together"
CUDA_ONLY = "CUDA only"
LEAST_GAIN = 1.02
"""A factor is taken over from this gain on: less is noise."""
Measure = Callable[[str, str, Net, Settings, Place, Effort], Row]


@dataclass(frozen=True)
class Variant:
    """One factor changed."""

    factor: str
    label: str
    changes: dict[str, Any]
    cuda_only: bool = True


def variants(tiles: Iterable[int], default: int) -> Iterator[Variant]:
    """What is tried beside the default; what may break a device comes last."""
    yield Variant("precision", "precision TF32", {"precision": "TF32"})
    yield Variant("precision", "precision float16", {"precision": "float16"}, cuda_only=False)
    yield Variant("search", "search DEFAULT", {"search": "DEFAULT"})
    yield Variant("search", "search EXHAUSTIVE", {"search": "EXHAUSTIVE"})
    yield Variant("form", "tile graph as for a CPU", {"form": "cpu"}, cuda_only=False)
    yield Variant("nhwc", "convolutions in NHWC", {"nhwc": True})
    yield Variant("bias", "bias fused into convolutions", {"fused_bias": True})
    for tile in tiles:
        if tile != default:
            yield Variant("tile", f"tile {tile:,}", {"tile": tile}, cuda_only=False)
    yield Variant("graph", "CUDA graph", {"cuda_graph": True})


def search(net: Net, place: Place, effort: Effort, measured: Measure = measure) -> list[Row]:
    """All rows of a net, the default's first."""

    def tell(row: Row) -> Row:
        speed = row.failure or f"{row.speed / 1e6:.4g} Mbase/s, largest difference {row.difference:.1e}"
        print(f"  {net.key}, {row.label}: {speed}", file=sys.stderr, flush=True)
        return row

    default = Settings(choose_tile([net.forms["cuda"]], place.name))
    rows = [tell(measured(DEFAULT, "", net, default, place, effort))]
    for variant in variants(effort.tiles, default.tile):
        settings = replace(default, **variant.changes)
        if variant.cuda_only and not place.on_cuda:
            rows.append(Row(variant.label, variant.factor, settings, failure=CUDA_ONLY))
        else:
            rows.append(tell(measured(variant.label, variant.factor, net, settings, place, effort)))
    together = join(rows)
    if together not in [row.settings for row in rows]:
        rows.append(tell(measured(TOGETHER, "", net, together, place, effort)))
        without = replace(together, cuda_graph=False)
        if together.cuda_graph and without not in [row.settings for row in rows]:
            rows.append(tell(measured(f"{TOGETHER}, no CUDA graph", "", net, without, place, effort)))
    return rows


def admissible(row: Row) -> bool:
    """Whether a scan could run this way: right values, the same ones on every run."""
    return row.passes and row.settings.repeatable


def join(rows: list[Row]) -> Settings:
    """The default's settings with the fastest admissible change of each factor that gains anything."""
    default = rows[0]
    settings = asdict(default.settings)
    for factor in dict.fromkeys(row.factor for row in rows[1:]):
        tried = [row for row in rows[1:] if row.factor == factor and admissible(row)]
        best = max(tried, key=lambda row: row.speed, default=None)
        if best is not None and best.speed >= LEAST_GAIN * default.speed:
            own = asdict(best.settings)
            settings |= {name: own[name] for name in own if own[name] != asdict(default.settings)[name]}
    return Settings(**settings)


def winner(rows: list[Row]) -> Row | None:
    """The fastest admissible row; None where there is none."""
    return max(filter(admissible, rows), key=lambda row: row.speed, default=None)
