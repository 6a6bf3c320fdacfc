"""plan.json: what a run will do, fixed before its first shard, so that any number of processes do the same.

It holds all that is needed to put the shards together, so that assembly reads neither models nor the genome.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trackgen
from trackgen.bigwig.grid import Grid
from trackgen.errors import UsageError
from trackgen.genome import assembly_name
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import ModelPlan, ScanPlan
from trackgen.scan.shards import cut_into_shards
from trackgen.scan.sources import SignalPlan
from trackgen.scan.tracks import TrackPlan

__all__ = ["PLAN_FILE", "PlanRecord"]

PLAN_FILE = "plan.json"
SCHEMA_VERSION = 1
CONTRIBUTION_UNIT = "logit"


class PlanRecord:
    """What plan.json holds.

    Attributes:
        values: its JSON.
        version: of trackgen that made the plan; another one may compute other digits.
        plan: everything that can change a value, as `ScanPlan.summary` gives it.
        shards: number of shards.
        tracks: what run.json will say of each track before it is written, and the offset of its grid.
        inputs: of each signal that is made of reads the file in the work folder, and what run.json will say of it.
        replaces: tracks of an earlier run that vanish when this one is finished.
        lengths: bases of each sequence, in the genome's order.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.version: str = values["trackgen"]
        self.plan: dict[str, Any] = values["plan"]
        self.shards: int = values["shards"]
        self.replaces: list[str] = values["replaces"]
        self.run: dict[str, Any] = values["run"]
        self.tracks: list[dict[str, Any]] = self.run["tracks"]
        self.inputs: list[dict[str, Any]] = self.run.get("inputs", [])
        genome = self.run["genome"]
        self.lengths: dict[str, int] = dict(zip(genome["names"], genome["lengths"], strict=True))

    @staticmethod
    def of(options: ScanOptions, plan: ScanPlan, replaces: Sequence[str] = ()) -> PlanRecord:
        """The record of a new plan, whose results replace the tracks of an earlier one."""
        values = {
            "schema_version": SCHEMA_VERSION,
            "trackgen": trackgen.__version__,
            "plan": plan.summary(),
            "shard": plan.shard,
            "shards": len(cut_into_shards(plan.reached, plan.lengths, plan.tile, plan.shard)),
            "largest": {model.card.name: list(model.mode.largest) for model in plan.models},
            "largest_deltas": {
                model.card.name: list(model.explanation.largest) for model in plan.models if model.explanation
            },
            "replaces": list(replaces),
            "run": _run_values(options, plan),
        }
        return PlanRecord(json.loads(json.dumps(values)))

    @staticmethod
    def read(path: Path) -> PlanRecord | None:
        """The record in a file; None where there is no file.

        Raises:
            UsageError: it can't be read as a plan of this version.
        """
        try:
            return PlanRecord(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                "the plan of an unfinished run can't be read",
                path=path,
                found=f"{type(error).__name__}: {error}",
                wanted=f"a plan that trackgen {trackgen.__version__} wrote",
                remedy="start anew with --overwrite, or choose another folder with -o",
            ) from error

    @property
    def hash(self) -> str:
        """One number for all that a shard depends on: the plan, the cut, and the version that computes it."""
        parts = [self.version, self.plan, self.values["shard"], self.shards]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def ours(self) -> bool:
        """Whether this version of trackgen may go on with it."""
        return bool(self.version == trackgen.__version__)

    @property
    def settled(self) -> Mapping[str, Any]:
        """The choices that a process which joins takes over instead of choosing for itself."""
        kept = ("shard", "largest", "largest_deltas")
        return {**self.plan, **{name: self.values.get(name) for name in kept}}

    def grid(self, track: int) -> Grid:
        """Where the items of a track stand."""
        row = self.tracks[track]
        return Grid(row["resolution"], row["offset"])

    def text(self) -> str:
        return json.dumps(self.values, indent=1, ensure_ascii=False) + "\n"


def _run_values(options: ScanOptions, plan: ScanPlan) -> dict[str, Any]:
    """What run.json will say that is known beforehand. File names only, no folders or hosts."""
    return {
        "command": list(options.command),
        "models": [
            {"name": model.card.name, "file": model.path.name, "sha256": model.sha256, "card": model.card.to_dict()}
            for model in plan.models
        ],
        "genome": {
            "file": plan.genome_path.name,
            "assembly": assembly_name(plan.lengths),
            "names": list(plan.lengths),
            "lengths": list(plan.lengths.values()),
        },
        "asked": options.device,
        "mode": {model.card.name: model.mode.name for model in plan.models},
        "tile": plan.tile,
        "bases": plan.bases,
        "inputs": [_input_values(signal) for signal in plan.signals if signal.recipe is not None],
        "warnings": [text for signal in plan.signals for text in signal.warnings],
        "tracks": [_track_values(model, track) for model in plan.models for track in model.tracks],
    }


def _input_values(signal: SignalPlan) -> dict[str, Any]:
    """A signal that is made of reads: the file that holds it in the work folder, and what run.json says of it."""
    told = {
        "file": signal.kept_as,
        "model": signal.model,
        "input": signal.key,
        "source": signal.source.name,
    }
    return {"made": signal.path.name, "told": told}


def _track_values(model: ModelPlan, track: TrackPlan) -> dict[str, Any]:
    output = model.card.outputs[track.output]
    entry = output.classes[track.class_index]
    row = {
        "file": track.file,
        "model": model.card.name,
        "class": entry.name,
        "label": entry.title,
        "color": entry.color,
        "strand": track.strand,
        "role": output.role if track.slot is None else "contribution",
        "unit": output.unit if track.slot is None else CONTRIBUTION_UNIT,
        "resolution": track.grid.step,
        "offset": track.grid.offset,
        "rounding": track.rounding,
        "min_value": track.min_value,
    }
    if track.slot is not None and model.explanation is not None:
        slot = model.explanation.slots[track.slot]
        row |= {"input": track.input, "weight": slot.weight, "threshold": slot.threshold}
        row |= {} if track.base is None else {"base": track.base}
    return row
