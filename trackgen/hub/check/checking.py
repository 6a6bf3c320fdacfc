"""Checks a whole hub: reads it, applies the rules to it, and says what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trackgen.errors import DataError
from trackgen.hub.check.companions import check_companions, check_pages
from trackgen.hub.check.files import check_files
from trackgen.hub.check.findings import Finding, Findings, shown
from trackgen.hub.check.hub_files import Genome, Hub, read_hub
from trackgen.hub.check.leaks import check_leaks
from trackgen.hub.check.published import Published
from trackgen.hub.check.rules import ERROR, WARNING
from trackgen.hub.check.server import check_servers
from trackgen.hub.check.setting_table import GENOME_SETTINGS, HUB_SETTINGS, LEVEL_ORDER, find_track_setting
from trackgen.hub.check.sources import FileFault, FolderSource, Source
from trackgen.hub.check.stanza_rules import check_genomes, check_hub_stanza
from trackgen.hub.check.stanzas import Stanza
from trackgen.hub.check.track_rules import check_quirks, check_tracks
from trackgen.hub.check.tree import check_containers, join_parents
from trackgen.hub.check.web import SECONDS, Web, WebSource

__all__ = ["HubCheck", "check_hub"]

REMEDY = "give the hub's folder, its hub.txt, or the address of that file"


@dataclass(frozen=True)
class HubCheck:
    """What a check found."""

    target: str
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    """By level, also of findings that were too many to keep."""
    left_out: int
    genomes: tuple[str, ...]
    tracks: int
    support_level: str
    """required, base, full or new: that of the setting that the fewest browsers know; empty without a hub."""
    support_settings: tuple[str, ...]
    """The settings of that level."""

    def passed(self, strict: bool = False) -> bool:
        """Whether there is no error; with `strict`, no warning either."""
        return not self.counts[ERROR] and not (strict and self.counts[WARNING])


def check_hub(target: str, *, seconds: float = SECONDS) -> HubCheck:
    """Check the hub in a folder, of a hub.txt, or at a web address.

    Args:
        target: a path, or an http or https address.
        seconds: how long a server may take to begin its answer.

    Raises:
        DataError: there is nothing at `target` that could be a hub.
    """
    findings = Findings()
    source, address, web = _open_target(target, seconds)
    try:
        hub = read_hub(source, address, findings)
    except FileFault as fault:
        raise DataError(
            fault.what,
            path=target,
            found=shown(fault.found) if fault.found else None,
            wanted=fault.wanted or None,
            remedy=fault.remedy or REMEDY,
        ) from None
    if hub is not None:
        _apply_rules(hub, source, web, findings)
    level, settings = _support_level(hub)
    return HubCheck(
        target=target,
        findings=findings.sorted(),
        counts=findings.counts(),
        left_out=findings.left_out(),
        genomes=tuple(shown(genome.name) for genome in hub.genomes) if hub else (),
        tracks=sum(len(genome.tracks) for genome in hub.genomes) if hub else 0,
        support_level=level,
        support_settings=settings,
    )


def _apply_rules(hub: Hub, source: Source, web: Web | None, findings: Findings) -> None:
    check_hub_stanza(hub, findings)
    check_genomes(hub, findings)
    for genome in hub.genomes:
        join_parents(genome, findings)
        check_tracks(genome, findings)
        check_containers(genome, findings)
        check_quirks(hub, genome, findings)
    files = check_files(hub, source, findings)
    published = Published()
    check_companions(hub, source, published, findings)
    check_pages(source, published, findings)
    published.check(source, findings)
    check_leaks(hub, source, findings)
    if web is not None:
        check_servers(web, files, findings)


def _open_target(target: str, seconds: float) -> tuple[Source, str, Web | None]:
    if target.startswith(("http://", "https://")):
        web = Web(seconds)
        url = target + "hub.txt" if target.endswith("/") else target
        return WebSource(url, web), url, web
    path = Path(target)
    try:
        if path.is_dir():
            return FolderSource(path), _hub_file(path).name, None
        if not path.exists():
            raise DataError("there is no such hub", path=target, remedy=REMEDY)
    except (OSError, ValueError) as error:
        raise DataError("the hub cannot be read", path=target, found=error, remedy=REMEDY) from None
    return FolderSource(path.parent), path.name, None


def _hub_file(folder: Path) -> Path:
    """hub.txt, or the one file whose name ends so."""
    if (folder / "hub.txt").is_file():
        return folder / "hub.txt"
    others = sorted(folder.glob("*hub.txt"))
    if len(others) == 1:
        return others[0]
    names = ", ".join(path.name for path in others) or None
    raise DataError("there is no hub in the folder", path=folder, found=names, wanted="hub.txt", remedy=REMEDY)


def _support_level(hub: Hub | None) -> tuple[str, tuple[str, ...]]:
    if hub is None:
        return "", ()
    levels = {name: HUB_SETTINGS[name].level for name in hub.stanza.settings if name in HUB_SETTINGS}
    for genome in hub.genomes:
        levels |= _levels_of(genome)
    lowest = max((level for level in levels.values() if level in LEVEL_ORDER), key=LEVEL_ORDER.index, default="")
    return lowest, tuple(sorted(shown(name) for name, level in levels.items() if level == lowest))


def _levels_of(genome: Genome) -> dict[str, str]:
    levels = {name: GENOME_SETTINGS[name].level for name in genome.stanza.settings if name in GENOME_SETTINGS}
    for stanza in _stanzas(genome):
        for name in stanza.settings:
            row = find_track_setting(name) if name not in levels else None
            if row is not None:
                levels[name] = row.level
    return levels


def _stanzas(genome: Genome) -> list[Stanza]:
    return [track.stanza for track in genome.tracks]
