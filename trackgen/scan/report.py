"""run.json: what was run, on what, how long it took and what the tracks hold. File names only, no folders or hosts."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trackgen
from trackgen.bigwig import TrackStatistics
from trackgen.genome import assembly_name
from trackgen.runtime import Session
from trackgen.scan.checks import WindowCheck
from trackgen.scan.digest import file_sha256
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import ModelPlan, ScanPlan, TrackPlan

__all__ = ["RunRecord", "peak_memory", "write_run_file"]

SCHEMA_VERSION = 1
STAGES = ("total", "read", "run", "encode", "commit", "assemble")


@dataclass(frozen=True)
class RunRecord:
    """What run.json is made from."""

    options: ScanOptions
    plan: ScanPlan
    session: Session
    statistics: Mapping[str, TrackStatistics]
    seconds: dict[str, float]
    check: WindowCheck
    folder: Path
    """Where the finished tracks lie."""


def write_run_file(path: Path, record: RunRecord) -> None:
    """Write run.json."""
    path.write_text(json.dumps(_run_values(record), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def peak_memory() -> int:
    """The largest resident size of this process so far, bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        # Not getrusage: on Linux its peak survives exec, so it would be that of whatever started this process.
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _run_values(record: RunRecord) -> dict[str, Any]:
    plan, options, session = record.plan, record.options, record.session
    return {
        "schema_version": SCHEMA_VERSION,
        "trackgen": trackgen.__version__,
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
        "device": {"asked": options.device, "used": session.device, "providers": list(session.providers)},
        "mode": {model.card.name: model.mode.name for model in plan.models},
        "tile": plan.tile,
        "threads": options.threads,
        "seconds": {stage: round(record.seconds.get(stage, 0.0), 3) for stage in STAGES},
        "bases": plan.bases,
        "peak_rss_bytes": peak_memory(),
        "checks": {
            "windows": {"n": record.check.windows, "max_abs_diff": record.check.largest_difference},
            "completeness": {"n": 0, "max_rel_error": None},
        },
        "plan": plan.summary(),
        "tracks": [_track_values(record, model, track) for model in plan.models for track in model.tracks],
    }


def _track_values(record: RunRecord, model: ModelPlan, track: TrackPlan) -> dict[str, Any]:
    output = model.card.outputs[track.output]
    entry = output.classes[track.class_index]
    statistics = record.statistics[track.file]
    return {
        "file": track.file,
        "model": model.card.name,
        "class": entry.name,
        "label": entry.title,
        "color": entry.color,
        "strand": track.strand,
        "role": output.role,
        "unit": output.unit,
        "resolution": track.grid.step,
        "rounding": track.rounding,
        "min": statistics.min,
        "max": statistics.max,
        "percentiles": statistics.percentiles,
        "values": statistics.values,
        "sha256": file_sha256(record.folder / track.file),
    }
