"""Which genome a hub stands on: an assembly that UCSC knows by name, or a sequence file of our own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trackgen.bigwig import copy_renamed
from trackgen.errors import DataError, UsageError
from trackgen.genome import assembly_name, open_genome, rename_sequences, write_twobit
from trackgen.genome.assemblies import ASSEMBLIES
from trackgen.genome.sequence import TWOBIT_MAGIC
from trackgen.hub.runs import UCSC_NAME, Run
from trackgen.hub.text import quoted_names, unique_name
from trackgen.progress import Progress
from trackgen.scan.digest import file_sha256

__all__ = ["GenomeSource", "choose_genomes", "link_or_copy", "put_track", "put_two_bit"]

SEQUENCE_SUFFIXES = (".gz", ".bgz", ".fa", ".fasta", ".fna", ".2bit")


@dataclass(frozen=True)
class GenomeSource:
    """The genome's name and, for an assembly hub, the file that holds its sequence (None: UCSC has it).

    `names` holds the hub's name of each sequence of the runs. `assembly` is UCSC's name of it, where there is one: not
    `id` where the sequences have other names than there.
    """

    id: str
    file: Path | None
    names: Mapping[str, str] = field(default_factory=dict)
    assembly: str = ""

    @property
    def renamed(self) -> bool:
        """Whether any sequence has another name in the hub than in the runs."""
        return any(old != new for old, new in self.names.items())


def choose_genomes(
    runs: Sequence[Run], genomes: Sequence[str], output: Path, progress: Progress, style: str | None = None
) -> list[tuple[GenomeSource, list[Run]]]:
    """Settle which genomes the hub stands on, each with its runs, in the order of the runs.

    Args:
        genomes: files or UCSC assembly names, in any order, at most one for each genome of the runs. A genome that
            none is given for is the file that was scanned, in the current folder, beside `output` or the run; else
            the assembly that the runs recognised.
        style: how the hub names sequences: see `trackgen.genome.rename_sequences`; None keeps the names of the runs.

    Raises:
        UsageError: a genome cannot be found, or none of the runs is of one that is given.
        DataError: a file's names and lengths are not those of its runs.
    """
    groups: list[list[Run]] = []
    for run in runs:
        same = next((group for group in groups if dict(group[0].lengths) == dict(run.lengths)), None)
        if same is None:
            groups.append([run])
        else:
            same.append(run)
    wanted = _assigned(groups, genomes)
    used: set[str] = set()
    chosen = []
    for group, genome in zip(groups, wanted, strict=True):
        lengths = group[0].lengths
        names = {name: name for name in lengths} if style is None else rename_sequences(lengths, style)
        source = _choose(group[0], genome, list(names.values()), output, progress)
        chosen.append((replace(source, id=unique_name(source.id, used), names=names), group))
    return chosen


def _assigned(groups: Sequence[Sequence[Run]], genomes: Sequence[str]) -> list[str | None]:
    """Which of `genomes` each group of runs stands on; None where none is given for it."""
    result: list[str | None] = [None] * len(groups)
    for genome in genomes:
        fits = [place for place, group in enumerate(groups) if len(groups) == 1 or _fits(genome, group[0])]
        free = [place for place in fits if result[place] is None]
        if not free:
            runs = ", ".join(str(group[0].folder) for group in groups)
            raise UsageError(
                "this genome is given beside another for the same runs" if fits else "no run is of this genome",
                place="--genome",
                found=genome,
                wanted=f"one genome for each of: {runs}",
            )
        result[free[0]] = genome
    return result


def _fits(genome: str, run: Run) -> bool:
    """Whether `run` is of the genome in the file, or of the assembly, that `genome` names."""
    path = Path(genome)
    if path.is_file():
        with open_genome(path) as opened:
            return dict(opened.lengths) == dict(run.lengths)
    return genome in (run.assembly, assembly_name(run.lengths)) or (not run.assembly and not assembly_name(run.lengths))


def _choose(run: Run, genome: str | None, names: Sequence[str], output: Path, progress: Progress) -> GenomeSource:
    """The genome of `run`, whose sequences are called `names` in the hub."""
    if genome is None:
        file = _find_file(run, output)
        if file is not None:
            return _from_file(file, run, names)
        if run.assembly and all(name.startswith("chr") for name in names):
            progress.note(f"the hub stands on UCSC's own {run.assembly}; --genome FILE puts the sequence into it")
            return GenomeSource(run.assembly, None, assembly=run.assembly)
        raise UsageError(
            f"the genome file {run.genome_file or 'of the run'} is in none of the places looked at "
            "(the current folder, beside the hub, in and beside the run), or is another file of that name",
            path=run.folder / "run.json",
            remedy="say where it is: --genome FILE, or name the UCSC assembly: --genome NAME",
        )
    if Path(genome).is_file():
        return _from_file(Path(genome), run, names)
    return _named(genome, run, names, progress)


def put_two_bit(genome: GenomeSource, target: Path, progress: Progress) -> None:
    """Put the genome's sequence, if it has any, at `target` as 2bit: linked or copied where that is possible."""
    if genome.file is None:
        return
    with genome.file.open("rb") as file:
        is_two_bit = file.read(4) in TWOBIT_MAGIC
    if is_two_bit and not genome.renamed:
        link_or_copy(genome.file, target)
        return
    progress.note(f"writing {target.name} from {genome.file.name}")
    with open_genome(genome.file) as opened:
        write_twobit(opened, target, progress, names=genome.names)


def put_track(source: Path, genome: GenomeSource, target: Path) -> None:
    """Put a track at `target`: linked or copied, or written where sequences of its genome get other names.

    Files of hits are always written, since their writer puts the sequences' names where old JBrowse does not find them.
    """
    if genome.renamed or source.suffix == ".bb":
        copy_renamed(source, target, genome.names)
    else:
        link_or_copy(source, target)


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link, which costs no space; a copy where the file system has none, or the folders lie on two."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        with source.open("rb") as original, target.open("xb") as copy:
            while block := original.read(1 << 22):
                copy.write(block)


def _named(name: str, run: Run, names: Sequence[str], progress: Progress) -> GenomeSource:
    if not UCSC_NAME.fullmatch(name):
        raise DataError(
            "there is no such genome file, and it is no name of a UCSC assembly either",
            path=name,
            wanted="a FASTA or 2bit file, or a name such as hg38",
        )
    recognised = assembly_name(run.lengths)
    if recognised is not None and recognised != name:
        raise UsageError(
            "the run stands on another assembly",
            path=run.folder / "run.json",
            place="--genome",
            found=name,
            wanted=recognised,
        )
    if recognised is None and name in ASSEMBLIES:
        progress.note(f"the names and lengths of the run's sequences are not those of {name}: tracks may stay empty")
    elif recognised is None:
        progress.note(f"the names and lengths of the run's sequences could not be compared with those of {name}")
    if not any(sequence.startswith("chr") for sequence in names):
        shown = quoted_names(list(names), 3)
        progress.note(f"the sequence names ({shown}) are not those of UCSC; --names ucsc changes them")
    return GenomeSource(name, None, assembly=name)


def _from_file(path: Path, run: Run, names: Sequence[str]) -> GenomeSource:
    with open_genome(path) as genome:
        lengths = dict(genome.lengths)
    if lengths != dict(run.lengths):
        raise DataError(
            f"the genome is not the one that was scanned: {_difference(run.lengths, lengths)}",
            path=path,
            remedy=f"give the file that was scanned ({run.genome_file}) with --genome FILE",
        )
    assembly, stem = run.assembly or assembly_name(lengths) or "", _stem(run.genome_file)
    if not assembly or any(name.startswith("chr") for name in names):
        return GenomeSource(assembly or stem, path, assembly=assembly)
    # By its own name UCSC would show its own assembly, which has other names of sequences, and every track empty.
    return GenomeSource(stem if stem != assembly else f"{assembly}_renamed", path, assembly=assembly)


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
