"""What a check found, as text for a terminal and as JSON for programs."""

from __future__ import annotations

import itertools
import json

from trackgen import __version__
from trackgen.hub.check.checking import HubCheck
from trackgen.hub.check.findings import Finding
from trackgen.hub.check.rules import ERROR, LEVELS, NOTE, WARNING

__all__ = ["SCHEMA_VERSION", "report_json", "report_text"]

SCHEMA_VERSION = 1
MOST_OF_A_RULE = 10
"""Shown of one rule in one file; the rest is counted."""
COLORS = {ERROR: "31", WARNING: "33", NOTE: "36"}
REACH = {
    "required": "every browser that reads hubs knows all its settings",
    "base": "every browser that reads hubs knows all its settings",
    "full": "browsers other than UCSC may not know all its settings",
    "new": "browsers other than a current UCSC may not know all its settings",
}
MOST_SETTINGS = 5


def report_text(check: HubCheck, *, color: bool = False) -> str:
    """All findings by file, and a summary as the last lines."""

    def painted(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color else text

    lines: list[str] = []
    by_file = sorted(check.findings, key=lambda finding: (finding.place.file, finding.place.line, finding.order()))
    for file, group in itertools.groupby(by_file, key=lambda finding: finding.place.file):
        lines.append(painted(file, "1"))
        shown: dict[str, int] = {}
        for finding in group:
            shown[finding.rule] = shown.get(finding.rule, 0) + 1
            if shown[finding.rule] <= MOST_OF_A_RULE:
                line = str(finding.place.line or "")
                lines.append(f"{line:>6}  {painted(f'{finding.level:<8}', COLORS[finding.level])} {finding.rule}")
                lines.append(f"        {finding.text}")
        lines += [
            f"        ... and {count - MOST_OF_A_RULE:,} more of {rule}"
            for rule, count in shown.items()
            if count > MOST_OF_A_RULE
        ]
        lines.append("")
    if check.left_out:
        lines.append(f"{check.left_out:,} more findings were counted and are not listed\n")
    return "\n".join([*lines, *_summary(check)]) + "\n"


def _summary(check: HubCheck) -> list[str]:
    counts = ", ".join(_counted(check.counts[level], level) for level in LEVELS)
    genomes = ", ".join(check.genomes[:MOST_SETTINGS]) or "no genome"
    lines = [f"{counts}; {_counted(check.tracks, 'track')} on {genomes}"]
    if check.support_level:
        names = ", ".join(check.support_settings[:MOST_SETTINGS])
        if len(check.support_settings) > MOST_SETTINGS:
            names += f" and {len(check.support_settings) - MOST_SETTINGS} more"
        reach = REACH[check.support_level]
        lines.append(f"support level: {check.support_level} ({names}): {reach}")
    return lines


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def report_json(check: HubCheck) -> str:
    """One JSON object; docs/hub-check.md names its members."""
    values = {
        "schema_version": SCHEMA_VERSION,
        "trackgen": __version__,
        "hub": check.target,
        "genomes": list(check.genomes),
        "tracks": check.tracks,
        "support_level": check.support_level,
        "support_settings": list(check.support_settings),
        "errors": check.counts[ERROR],
        "warnings": check.counts[WARNING],
        "notes": check.counts[NOTE],
        "left_out": check.left_out,
        "findings": [_entry(finding) for finding in check.findings],
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _entry(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "rule": finding.rule,
        "file": finding.place.file,
        "line": finding.place.line or None,
        "what": finding.what,
        "found": finding.found or None,
        "wanted": finding.wanted or None,
        "remedy": finding.remedy or None,
    }
