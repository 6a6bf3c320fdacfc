"""Which genome a hub stands on: an assembly that UCSC knows by name, or a sequence file of our own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trackgen.errors import DataError, UsageError
from trackgen.genome import assembly_name, open_genome, rename_sequences, unused_names
from trackgen.genome.assemblies import ASSEMBLIES
from trackgen.hub.runs import UCSC_NAME, Run
from trackgen.hub.text import quoted_names, unique_name
from trackgen.progress import Progress
from trackgen.scan.digest import file_sha256

__all__ = ["GenomeSource", "choose_genomes", "file_source"]

SEQUENCE_SUFFIXES = (".gz", ".bgz", ".fa", ".fasta", ".fna", ".2bit")


@dataclass(frozen=True)
class GenomeSource:
    """A genome of a hub, and the runs on it.

    `id` is its name in the hub; `file` holds its sequence (an assembly hub), or is None where UCSC has it. `assembly`
    is UCSC's name of it, where there is one: not `id` where its sequences have other names than there. `names` holds
    the hub's name of each sequence of the runs, and `lengths` the bases of each under the hub's name.
    """

    id: str
    file: Path | None
    assembly: str
    runs: tuple[Run, ...]
    names: Mapping[str, str]
    lengths: Mapping[str, int]

    @property
    def renamed(self) -> bool:
        """Whether any sequence has another name in the hub than in the runs."""
        return any(old != new for old, new in self.names.items())


@dataclass
class _Group:
    """Runs on one genome, as `GenomeSource` has them."""

    runs: list[Run] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)

    def add(self, run: Run, names: Mapping[str, str]) -> None:
        self.runs.append(run)
        self.names |= names
        self.lengths |= _hub_lengths(run, names)

    def of_file(self, path: Path) -> bool:
        """Whether the file at `path` is the genome of one of the runs, by names and lengths."""
        with open_genome(path) as genome:
            return any(dict(genome.lengths) == dict(run.lengths) for run in self.runs)


def choose_genomes(
    runs: Sequence[Run], genomes: Sequence[str], output: Path, progress: Progress, style: str | None = None
) -> list[GenomeSource]:
    """Settle which genomes the hub stands on, each with its runs, in the order of the runs.

    Runs are of one genome where its sequences have the same names and lengths in the hub, or where UCSC has it under
    one name.

    Args:
        genomes: files or UCSC assembly names, in any order, at most one for each genome of the runs. A genome that
            none is given for is the file that was scanned, in the current folder, beside `output` or the run; else
            the assembly that the runs recognised.
        style: how the hub names sequences: see `trackgen.genome.rename_sequences`; None keeps the names of the runs.

    Raises:
        UsageError: a genome cannot be found, or none of the runs is of one that is given.
        DataError: a file's names and lengths are not those of its runs.
    """
    groups: list[_Group] = []
    for run in runs:
        names = {name: name for name in run.lengths} if style is None else rename_sequences(run.lengths, style)
        group = next((group for group in groups if group.lengths == _hub_lengths(run, names)), None)
        if group is None:
            group = _Group()
            groups.append(group)
        group.add(run, names)
    if style is not None:
        _tell_unused(style, {name for run in runs for name in run.lengths}, progress)
    wanted = _assigned(groups, genomes)
    used: set[str] = set()
    chosen: dict[str, tuple[Path | None, str, _Group]] = {}
    for group, genome in zip(groups, wanted, strict=True):
        name, file, assembly = _choose(group, genome, output, progress)
        if file is None and name in chosen:
            _unite(name, chosen[name], group)
            continue
        chosen[unique_name(name, used)] = (file, assembly, group)
    return [
        GenomeSource(name, file, assembly, tuple(group.runs), group.names, group.lengths)
        for name, (file, assembly, group) in chosen.items()
    ]


def file_source(path: Path) -> GenomeSource:
    """The genome in a FASTA or 2bit file, without any runs.

    Raises:
        DataError: the file is missing, damaged or no genome.
    """
    with open_genome(path) as genome:
        lengths = genome.lengths
    group = _Group(names={name: name for name in lengths}, lengths=lengths)
    assembly = assembly_name(lengths) or ""
    return GenomeSource(_id(path.name, assembly, group), path, assembly, (), group.names, lengths)


def _tell_unused(style: str, names: set[str], progress: Progress) -> None:
    unused = unused_names(style, names)
    if unused:
        progress.note(f"{Path(style).name} renames what no run has: {quoted_names(list(unused))}")


def _hub_lengths(run: Run, names: Mapping[str, str]) -> dict[str, int]:
    return {names[name]: length for name, length in run.lengths.items()}


def _unite(name: str, first: tuple[Path | None, str, _Group], group: _Group) -> None:
    """Add runs with other sequences of UCSC's own assembly `name`, such as those without its alternative ones."""
    file, _, known = first
    conflict = next(
        (key for key in group.lengths if known.lengths.get(key, group.lengths[key]) != group.lengths[key]), ""
    )
    if file is not None or conflict:
        raise UsageError(
            f"two runs are of {name}, and their sequences are not the same",
            path=group.runs[0].folder / "run.json",
            place=conflict or None,
            remedy="give the file of each genome with --genome FILE, or build a hub for each",
        )
    for run in group.runs:
        known.add(run, group.names)


def _assigned(groups: Sequence[_Group], genomes: Sequence[str]) -> list[str | None]:
    """Which of `genomes` each group of runs stands on; None where none is given for it."""
    result: list[str | None] = [None] * len(groups)
    for genome in genomes:
        fits = [place for place, group in enumerate(groups) if len(groups) == 1 or _fits(genome, group)]
        free = [place for place in fits if result[place] is None]
        if not free:
            runs = ", ".join(str(group.runs[0].folder) for group in groups)
            raise UsageError(
                "this genome is given beside another for the same runs" if fits else "no run is of this genome",
                place="--genome",
                found=genome,
                wanted=f"one genome for each of: {runs}",
            )
        result[free[0]] = genome
    return result


def _fits(genome: str, group: _Group) -> bool:
    """Whether `group` is of the genome in the file, or of the assembly, that `genome` names."""
    if Path(genome).is_file():
        return group.of_file(Path(genome))
    recognised = _assembly(group)
    return genome == recognised or not recognised


def _assembly(group: _Group) -> str:
    """UCSC's name of the assembly that the runs are of; empty where that is unknown."""
    return group.runs[0].assembly or assembly_name(group.lengths) or ""


def _as_ucsc_has_it(assembly: str, group: _Group) -> bool:
    """Whether the hub's names of sequences are those of UCSC's `assembly`."""
    own = {row.length: f"chr{row.label}" for row in ASSEMBLIES.get(assembly, ())}
    differs = any(own.get(length, name) != name for name, length in group.lengths.items())
    return not differs and any(name.startswith("chr") for name in group.lengths)


def _choose(group: _Group, genome: str | None, output: Path, progress: Progress) -> tuple[str, Path | None, str]:
    """The genome's name, the file that holds its sequence, if any, and UCSC's name of it, if it has one."""
    run = group.runs[0]
    if genome is None:
        file = _find_file(run, output)
        if file is not None:
            return _from_file(file, group)
        if run.assembly and _as_ucsc_has_it(run.assembly, group):
            progress.note(f"the hub stands on UCSC's own {run.assembly}; --genome FILE puts the sequence into it")
            return run.assembly, None, run.assembly
        raise UsageError(
            f"the genome file {run.genome_file or 'of the run'} is in none of the places looked at "
            "(the current folder, beside the hub, in and beside the run), or is another file of that name",
            path=run.folder / "run.json",
            remedy="say where it is: --genome FILE, or name the UCSC assembly: --genome NAME",
        )
    if Path(genome).is_file():
        return _from_file(Path(genome), group)
    return _named(genome, group, progress)


def _named(name: str, group: _Group, progress: Progress) -> tuple[str, Path | None, str]:
    if not UCSC_NAME.fullmatch(name):
        raise DataError(
            "there is no such genome file, and it is no name of a UCSC assembly either",
            path=name,
            wanted="a FASTA or 2bit file, or a name such as hg38",
        )
    path = group.runs[0].folder / "run.json"
    recognised = assembly_name(group.lengths)
    if recognised is not None and recognised != name:
        raise UsageError(
            "the run stands on another assembly", path=path, place="--genome", found=name, wanted=recognised
        )
    if recognised is None and name in ASSEMBLIES:
        progress.note(f"the names and lengths of the run's sequences are not those of {name}: tracks may stay empty")
    elif recognised is None:
        progress.note(f"the names and lengths of the run's sequences could not be compared with those of {name}")
    if not _as_ucsc_has_it(name, group):
        shown = quoted_names(list(group.lengths), 3)
        if recognised is not None:
            raise UsageError(
                f"UCSC would show every track on its {name} empty, since it has other names of sequences",
                path=path,
                place="--names",
                found=shown,
                remedy="add --names ucsc, or give the genome's file: --genome FILE",
            )
        progress.note(f"the sequence names ({shown}) are not those of UCSC; --names ucsc changes them")
    return name, None, name


def _from_file(path: Path, group: _Group) -> tuple[str, Path | None, str]:
    run = group.runs[0]
    if not group.of_file(path):
        with open_genome(path) as genome:
            difference = _difference(run.lengths, genome.lengths)
        raise DataError(
            f"the genome is not the one that was scanned: {difference}",
            path=path,
            remedy=f"give the file that was scanned ({run.genome_file}) with --genome FILE",
        )
    assembly = _assembly(group)
    return _id(run.genome_file, assembly, group), path, assembly


def _id(file: str, assembly: str, group: _Group) -> str:
    """The genome's name in the hub: that of its `assembly`, or that of its `file`."""
    stem = _stem(file)
    if not assembly or _as_ucsc_has_it(assembly, group):
        return assembly or stem
    # By its own name UCSC would show its own assembly, which has other names of sequences, and every track empty.
    return stem if stem != assembly else f"{assembly}_renamed"


def _stem(file: str) -> str:
    """A genome's file name without its suffixes, as a word that browsers take for a name."""
    while file.lower().endswith(SEQUENCE_SUFFIXES):
        file = file[: file.rindex(".")]
    return re.sub(r"[^A-Za-z0-9_]+", "_", file).strip("_") or "genome"


def _find_file(run: Run, output: Path) -> Path | None:
    """The file that was scanned, where it lies in an obvious place."""
    for folder in (Path.cwd(), output.parent, run.folder, run.folder.parent):
        path = folder / run.genome_file
        # Found by its name alone, it must be the very file that was scanned.
        if run.genome_file and path.is_file() and run.genome_sha256 in ("", file_sha256(path)):
            return path
    return None


def _difference(wanted: Mapping[str, int], found: Mapping[str, int]) -> str:
    """The first difference between two genomes, in words."""
    missing = [name for name in wanted if name not in found]
    if missing:
        return f"{quoted_names(missing)} not in it"
    extra = [name for name in found if name not in wanted]
    if extra:
        return f"{quoted_names(extra)} in it but not in the run"
    name = next(name for name in wanted if wanted[name] != found[name])
    return f"{name} has {found[name]:,} bases, in the run {wanted[name]:,}"
