"""run.json: what was run, on what, how long it took and what the tracks hold. File names only, no folders or hosts."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trackgen
from trackgen.bigwig import TrackStatistics
from trackgen.scan.digest import file_sha256
from trackgen.scan.durable import write_durably
from trackgen.scan.explained_plan import ROUNDING
from trackgen.scan.record import PlanRecord

__all__ = ["RunFacts", "peak_memory", "write_run_file"]

SCHEMA_VERSION = 1
STAGES = ("total", "read", "run", "encode", "commit", "assemble")


@dataclass(frozen=True)
class RunFacts:
    """What run.json is made from.

    Attributes:
        shards: the facts of every shard, in order.
        statistics: of every track, in the plan's order.
        assembling: seconds that putting the tracks together took.
        since: seconds since the last moment that a shard counts.
        folder: where the finished tracks lie.
        inputs: what run.json says of the signals that were made of reads, and warnings of each.
    """

    record: PlanRecord
    shards: Sequence[Mapping[str, Any]]
    statistics: Sequence[TrackStatistics]
    assembling: float
    since: float
    folder: Path
    inputs: Sequence[Mapping[str, Any]] = ()

    def seconds(self) -> dict[str, float]:
        """Of each stage and in total, summed over all processes that had a part in it."""
        found = {name: sum(entry["seconds"].get(name, 0.0) for entry in self.shards) for name in STAGES}
        found["assemble"] = self.assembling
        found["total"] += self.since
        return {name: round(value, 3) for name, value in found.items()}

    def input_warnings(self) -> list[str]:
        """What was told of signals before anything was run."""
        return [*self.record.run.get("warnings", []), *(text for entry in self.inputs for text in entry["warnings"])]

    def warnings(self) -> list[str]:
        """What a user has to know of the results."""
        return self._no_calls() + self._nothing()

    def _nothing(self) -> list[str]:
        """Of tracks in which no base contributes anything."""
        found = []
        for track, statistics in zip(self.record.tracks, self.statistics, strict=True):
            zero = statistics.values and statistics.min == statistics.max == 0
            if track.get("role") == "contribution" and zero:
                key = f"{track['model']}.{track['class']}"
                deltas = [shard["contributions"].get("deltas", {}).get(key) for shard in self.shards]
                known = [delta for delta in deltas if delta is not None]
                text = f"nothing contributes: every value of {track['file']} is 0"
                if known and max(known) <= ROUNDING:
                    text += (
                        "; neither windows of random sequence nor any that was looked at in this run differ from the "
                        "reference by more than rounding, so the reference may make the model constant: choose another "
                        "--reference"
                    )
                found.append(text)
        return found

    def _no_calls(self) -> list[str]:
        """Of tracks that are empty because nothing was called."""
        return [
            f"no call: no window of class {track['class']} of {track['model']} in what was scanned reaches its "
            f"threshold {track['threshold']:g}, so {track['file']} is empty; --contrib-weight probability weighs all "
            "windows instead"
            for track, statistics in zip(self.record.tracks, self.statistics, strict=True)
            if track.get("weight") == "calls" and not statistics.values
        ]


def write_run_file(path: Path, facts: RunFacts) -> None:
    """Write run.json."""
    write_durably(path, json.dumps(_run_values(facts), indent=1, ensure_ascii=False) + "\n")


def peak_memory() -> int:
    """The largest resident size of this process so far, bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        # Not getrusage: on Linux its peak survives exec, so it would be that of whatever started this process.
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _run_values(facts: RunFacts) -> dict[str, Any]:
    run, shards = facts.record.run, facts.shards
    devices = [entry["device"] for entry in shards]
    return {
        "schema_version": SCHEMA_VERSION,
        "trackgen": trackgen.__version__,
        "command": run["command"],
        "models": run["models"],
        "genome": run["genome"],
        "device": {"asked": run["asked"], "used": _used(devices), "providers": devices[0]["providers"]},
        "mode": run["mode"],
        "tile": run["tile"],
        "threads": devices[0]["threads"],
        "shards": len(shards),
        "seconds": facts.seconds(),
        "bases": run["bases"],
        "peak_rss_bytes": max(peak_memory(), *(entry["peak_rss_bytes"] for entry in shards)),
        "checks": {
            "windows": {
                "n": sum(entry["windows"] for entry in shards),
                "max_abs_diff": max(entry["difference"] for entry in shards),
            },
            **_contribution_checks(shards),
        },
        **_vector_means(shards),
        "warnings": facts.input_warnings() + facts.warnings(),
        **_inputs(facts.inputs),
        "plan": facts.record.plan,
        "tracks": [
            _track_values(track, statistics, facts.folder)
            for track, statistics in zip(facts.record.tracks, facts.statistics, strict=True)
        ],
    }


def _inputs(inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [{name: value for name, value in entry.items() if name != "warnings"} for entry in inputs]
    return {"inputs": rows} if rows else {}


def _contribution_checks(shards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of all shards: whether windows' contributions add up, and whether dense tracks are theirs."""
    found = {}
    for name, kind, figure in (
        ("completeness", "completeness", "max_rel_error"),
        ("contributions", "tracks", "max_rel_diff"),
    ):
        rows = [shard["contributions"][kind] for shard in shards]
        count = sum(row["n"] for row in rows)
        found[name] = {"n": count, figure: max(row[figure] for row in rows) if count else None}
    return found


def _vector_means(shards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What each element of vector inputs contributes to each class, mean over the windows that were checked."""
    joined: dict[str, dict[str, Any]] = {}
    for shard in shards:
        for key, row in shard["contributions"]["vectors"].items():
            known = joined.setdefault(key, {**row, "sums": [0.0] * len(row["sums"]), "weight": 0.0})
            known["sums"] = [there + here for there, here in zip(known["sums"], row["sums"], strict=True)]
            known["weight"] += row["weight"]
    means = [
        {
            **{name: row[name] for name in ("model", "class", "input")},
            "mean": [value / row["weight"] if row["weight"] else None for value in row["sums"]],
        }
        for row in joined.values()
    ]
    return {"vector_contributions": means} if means else {}


def _used(devices: Sequence[Mapping[str, Any]]) -> str:
    """Every device that had a part in it, once, in the order of the shards."""
    return ", ".join(dict.fromkeys(entry["used"] for entry in devices))


def _track_values(track: Mapping[str, Any], statistics: TrackStatistics, folder: Path) -> dict[str, Any]:
    return {
        **{name: value for name, value in track.items() if name != "offset"},
        "min": statistics.min,
        "max": statistics.max,
        "percentiles": statistics.percentiles,
        "values": statistics.values,
        "sha256": file_sha256(folder / track["file"]),
    }
