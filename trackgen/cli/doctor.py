"""``trackgen doctor``: what is installed, which devices really run, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from trackgen.errors import TrackgenError

if TYPE_CHECKING:
    from trackgen.runtime.doctor import Part, Report

__all__ = ["command"]

GIBIBYTE = 1 << 30


@click.command()
@click.option("--json", "as_json", envvar="TRACKGEN_DOCTOR_JSON", is_flag=True, help="Print the report as JSON.")
def command(as_json: bool) -> None:
    """Say what is installed, which devices really run a small graph, and what is missing and how to get it.

    The exit status is 0 when scanning is possible here.
    """
    from trackgen.runtime.doctor import diagnose

    report = diagnose()
    click.echo(json.dumps(report.to_dict(), indent=2) if as_json else "\n".join(_lines(report)))
    if not report.can_scan:
        raise TrackgenError("scanning is not possible here", remedy="the report names what is missing")


def _lines(report: Report) -> Iterator[str]:
    yield f"trackgen {report.trackgen}, Python {report.python}, {report.system}"
    yield f"{report.threads} cores and {report.memory_bytes / GIBIBYTE:.1f} GiB of memory for this process"
    yield f"shipped models: {', '.join(report.models) or 'none'}"
    yield "\nDevices"
    for device in report.devices:
        yield f"  {'runs    ' if device.runs else 'DOES NOT'}  {device.name:<8}{device.detail}"
    yield "\nPackages"
    yield from _table(report.packages)
    yield "\nPrograms"
    yield from _table(report.programs)
    if report.problems:
        yield "\nProblems"
        yield from (f"  {problem}" for problem in report.problems)
    yield "\nScanning is possible." if report.can_scan else "\nScanning is not possible."


def _table(parts: tuple[Part, ...]) -> Iterator[str]:
    width = max(len(part.name) for part in parts)
    for part in parts:
        state = part.found or f"missing, get it with: {part.command}"
        yield f"  {part.name:<{width}}  {state}  ({part.purpose})"
