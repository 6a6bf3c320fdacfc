"""Keeps regions that were seen live: scans them as ``trackgen scan --regions`` does, and puts the tracks into the hub.

All regions that are kept of a model are scanned anew with the one that is added, so that its tracks are those of one
scan, byte for byte.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from trackgen.card import Card, read_card
from trackgen.errors import ResourceError, UsageError
from trackgen.genome import open_genome
from trackgen.genome.regions import Interval
from trackgen.hub.built import BuiltHub, read_built
from trackgen.hub.kept import KEPT, KeptModel, kept_before, merged_regions, read_regions, regions_text
from trackgen.hub.kept_change import HubChange
from trackgen.hub.runs import read_run
from trackgen.progress import NullProgress, Progress
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.digest import file_sha256
from trackgen.scan.options import ContributionWeight

__all__ = ["KeptReport", "keep_region"]

NOT_LET = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV)


@dataclass(frozen=True)
class KeptReport:
    """What the hub keeps now: names of files in its folder, and how many regions, neighbours joined."""

    files: tuple[str, ...]
    regions: int


@dataclass(frozen=True)
class _Asked:
    """What is to be kept of one model: `before` with what is new; `regions` are all of them."""

    path: Path
    card: Card
    kept: KeptModel
    before: KeptModel | None
    regions: list[Interval]
    there: bool
    """The hub has all of it already."""


def keep_region(
    hub: Path,
    models: Sequence[Path],
    genome: Path,
    interval: Interval,
    *,
    contributions: Mapping[str, Sequence[str]],
    signals: Sequence[tuple[str, Path]] = (),
    vectors: Sequence[tuple[str, Path]] = (),
    device: str = "auto",
    threads: int = 1,
    progress: Progress | None = None,
) -> KeptReport:
    """Put tracks of `interval` into the hub, beside those that it keeps already; doing it twice is as once.

    Predictions are of all classes. Contributions are weighted as live ones: by probability, of signals uniformly.

    Args:
        hub: a folder that `build_hub` or `build_bare_hub` made. Another keeping there is waited for.
        genome: FASTA or 2bit, with the hub's names of sequences.
        contributions: classes by the model's name; those kept before stay.
        signals, vectors: files of the models' other inputs, as in `trackgen.scan.ScanOptions`.

    Raises:
        UsageError: the region is not one of the genome, or an option of the scan is no good.
        DataError: this is no hub of trackgen, or of another genome; and as `trackgen.scan.run_scan` does.
        ResourceError: the disk is full, or the folder cannot be written.
    """
    # What a link leads to may lie on another file system than the link.
    hub, progress = Path(hub).resolve(), progress or NullProgress()
    with open_genome(genome) as opened:
        lengths = opened.lengths
    _refuse_unfit(interval, lengths)
    with _alone(hub) as work:
        built = read_built(hub, "regions can be kept in")
        name = built.genome_of(lengths, genome)
        listed = KEPT + (".bed" if name == next(iter(built.lengths)) else f".{name}.bed")
        regions = read_regions((hub / listed).read_text(encoding="utf-8")) if listed in built.files else {}
        asked = [_asked(built, name, Path(path), interval, regions, contributions) for path in models]
        change = HubChange(built)
        for one in asked:
            if not one.there:
                folder = work / one.card.name
                _scan(one, genome, folder, signals, vectors, device, threads, progress)
                regions[one.card.name] = one.regions
                change.add(one.kept, one.before, read_run(folder, verify=False), len(one.regions))
        if not all(one.there for one in asked):
            _refuse_rebuilt(built)
            change.commit(work, listed, regions_text(regions, lengths))
        after = read_built(hub, "regions can be kept in")
    now = [kept for one in asked if (kept := kept_before(after, name, one.card.name))]
    every = merged_regions([region for one in asked for region in one.regions])
    return KeptReport(tuple(file for kept in now for file in kept.files), len(every))


def _refuse_unfit(interval: Interval, lengths: Mapping[str, int]) -> None:
    length = lengths.get(interval.name, 0)
    if not 0 <= interval.start < interval.end <= length:
        raise UsageError(
            "the region is none of the genome",
            found=f"{interval.name}, {interval.start:,} to {interval.end:,}",
            wanted=f"bases of 0 to {length:,}" if length else "a sequence of the genome",
        )


def _refuse_rebuilt(before: BuiltHub) -> None:
    """Refuse a hub that another was put in the place of while regions were scanned: its texts are others."""
    if read_built(before.folder, "regions can be kept in").manifest != before.manifest:
        raise ResourceError(
            "the region could not be kept: the hub was built again meanwhile",
            path=before.folder,
            remedy="keep it once more",
        )


def _asked(
    built: BuiltHub,
    genome: str,
    path: Path,
    interval: Interval,
    regions: Mapping[str, Sequence[Interval]],
    contributions: Mapping[str, Sequence[str]],
) -> _Asked:
    card = read_card(path)
    before = kept_before(built, genome, card.name)
    old = regions.get(card.name, [])
    every = merged_regions([*old, interval._replace(label="")])
    classes = dict.fromkeys([*(before.contributions if before else ()), *contributions.get(card.name, ())])
    kept = KeptModel(genome, card.name, file_sha256(path), tuple(classes))
    there = (
        before is not None
        and replace(before, names=(), files=(), pages=()) == kept
        and merged_regions(old) == every
        and all((built.folder / file).is_file() for file in before.files)
    )
    return _Asked(path, card, kept, before, every, there)


def _scan(
    asked: _Asked,
    genome: Path,
    folder: Path,
    signals: Sequence[tuple[str, Path]],
    vectors: Sequence[tuple[str, Path]],
    device: str,
    threads: int,
    progress: Progress,
) -> None:
    bed = folder.with_suffix(".bed")
    bed.write_text("".join(f"{one.name}\t{one.start}\t{one.end}\n" for one in asked.regions), encoding="utf-8")
    names = {entry.name for entry in asked.card.inputs}
    explained = asked.kept.contributions
    profiles = any(
        output.resolution is not None and {entry.name for entry in output.classes} & set(explained)
        for output in asked.card.outputs
    )
    options = ScanOptions(
        models=(str(asked.path),),
        genome=genome,
        output=folder,
        contrib=explained,
        contrib_weight=_weight(asked.card, explained),
        profile_target="sum" if profiles else None,
        regions=(str(bed),),
        signals=tuple(entry for entry in signals if entry[0].partition(".")[0] in names),
        vectors=tuple(entry for entry in vectors if entry[0] in names),
        device=device,
        threads=threads,
    )
    run_scan(options, progress)


def _weight(card: Card, explained: Sequence[str]) -> ContributionWeight | None:
    """The weight that live contributions have; None, the card's, where it differs between the classes' outputs."""
    outputs = [out for out in card.outputs if {entry.name for entry in out.classes} & set(explained)]
    weighted = {out.role == "probability" and out.resolution is None for out in outputs}
    return None if len(weighted) != 1 else "probability" if weighted.pop() else "uniform"


@contextmanager
def _alone(hub: Path) -> Iterator[Path]:
    """A new folder beside the hub for work in progress, while nobody else keeps anything in the hub.

    Raises:
        ResourceError: the file system fails on the way.
    """
    work = hub.with_name(f".{hub.name}.keep")
    lock = None
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            lock = os.open(hub, os.O_RDONLY | os.O_DIRECTORY)
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.access(hub, os.W_OK):
                # Said now, not after the scan.
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(hub))
        # What is there was left by one that was killed: the lock is ours.
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        yield work
    except OSError as error:
        raise ResourceError(
            "the region could not be kept",
            path=error.filename or hub,
            found=error.strerror or str(error),
            remedy=f"let the server write into {hub} and into the folder that it lies in, on one file system"
            if error.errno in NOT_LET
            else None,
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if lock is not None:
            os.close(lock)
