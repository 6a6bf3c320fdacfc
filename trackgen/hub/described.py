"""bigBed files that a JSON file beside them describes, as motif hits and calls are: what is common to reading both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trackgen.errors import DataError
from trackgen.hub.fields import Fields, genome_lengths, read_json
from trackgen.hub.runs import Run
from trackgen.hub.text import quoted_names

__all__ = ["big_bed_beside", "folders_by_genome", "refuse_another_genome", "refuse_unknown_kind"]

BIGBED_MAGIC = (b"\xeb\xf2\x89\x87", b"\x87\x89\xf2\xeb")


def folders_by_genome(
    folders: Sequence[Path], genomes: Sequence[Sequence[Run]], description: Callable[[Path], Path]
) -> list[list[Path]]:
    """Which of `folders` stand on each of the genomes, given by their runs; one that fits none goes to the first.

    Args:
        description: finds in a folder a JSON file whose ``genome`` holds names and lengths.
    """
    result: list[list[Path]] = [[] for _ in genomes]
    for folder in folders:
        path = description(folder)
        own = genome_lengths(Fields(read_json(path), path).inner("genome"))
        fits = [place for place, runs in enumerate(genomes) if any(own == dict(run.lengths) for run in runs)]
        result[fits[0] if fits else 0].append(folder)
    return result


def refuse_unknown_kind(values: Fields, wanted: dict[str, object], what: str, remedy: str) -> None:
    """Only descriptions whose fields have the values that we know.

    Raises:
        DataError: one has not.
    """
    for key, value in wanted.items():
        found = values.get(key, type(value))
        if found != value:
            raise DataError(
                f"the {what} are of an unknown kind", path=values.path, place=values.place + key, found=found,
                wanted=value, remedy=remedy,
            )  # fmt: skip


def refuse_another_genome(values: Fields, runs: Sequence[Run], what: str, remedy: str) -> None:
    """Only what stands on the genome of the runs.

    Raises:
        DataError: it does not.
    """
    own = genome_lengths(values.inner("genome"))
    if not any(own == dict(run.lengths) for run in runs):
        lengths = runs[0].lengths
        different = [name for name in {**lengths, **own} if own.get(name) != lengths.get(name)]
        raise DataError(
            f"the {what} stand on another genome than the runs", path=values.path,
            found=f"{quoted_names(different)} with another length, or in one of them alone", remedy=remedy,
        )  # fmt: skip


def big_bed_beside(values: Fields, key: str, what: str, remedy: str) -> Path:
    """The bigBed file that the description names under `key`, which stands beside it.

    Raises:
        DataError: it is not there, or is no bigBed.
    """
    name = values.get(key, str)
    if Path(name).name != name or Path(name).suffix != ".bb":
        raise DataError(
            "this is no name of a bigBed file", path=values.path, place=values.place + key, found=name, wanted="*.bb"
        )
    path = values.path.with_name(name)
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise DataError(f"the {what} are missing", path=path, found=error.strerror, remedy=remedy) from None
    if magic not in BIGBED_MAGIC:
        raise DataError(f"the {what} are not a bigBed file", path=path, found=magic.hex() or "an empty file")
    return path
