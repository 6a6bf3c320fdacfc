"""Which windows are explained for motifs: those that a BED file names, or the highest of a scan's own tracks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.errors import DataError, UsageError
from trackgen.genome import reconcile
from trackgen.genome.signals import open_signal
from trackgen.learn.datasets.bed import read_peaks, read_stranded_bed
from trackgen.learn.datasets.windows import Sites
from trackgen.learn.metrics import call_peaks

__all__ = ["region_sites", "run_sites"]

Floats = NDArray[np.floating]


def region_sites(path: Path, card: Card, lengths: Mapping[str, int], number: int) -> Sites:
    """The bins at the centres of a BED file's intervals: those of the highest scores (column 5), at most `number`.

    A model of both strands takes the intervals' strands, and then needs six columns.

    Raises:
        DataError: the file is missing, malformed, empty, or has no strands where the model needs them.
    """
    stranded = card.strands == "both"
    rows = read_stranded_bed(path, lengths) if stranded else read_peaks(path, lengths)
    if not rows:
        raise DataError("there is no region", path=path, wanted="intervals, one a line")
    # Equal scores in random order: what takes only the first must not take one end of the genome.
    chance = np.random.default_rng(0).random(len(rows))
    order = np.lexsort((chance, np.array([-row.score for row in rows])))[:number]
    rows = [rows[place] for place in order]
    names = tuple(lengths)
    centre = np.array([(row.start + row.end) // 2 for row in rows], dtype=np.int64)
    return Sites(
        names, np.array([names.index(row.name) for row in rows], dtype=np.int32), centre - card.bin // 2,
        np.array([row.minus for row in rows], dtype=np.bool_),
    )  # fmt: skip


def run_sites(run: Path, card: Card, class_name: str, lengths: Mapping[str, int], number: int) -> Sites:
    """The bins where a scan's tracks of a class are highest, each the highest within half a window.

    Args:
        run: the folder of a finished scan.
        card: of the model.
        class_name: of the class.
        lengths: of the genome's sequences.
        number: of bins at most.

    Raises:
        DataError: the folder holds no finished scan, or a track is missing or of another genome.
        UsageError: the scan has no track of the class.
    """
    found: list[tuple[Floats, NDArray[np.int64], int, bool]] = []
    names = tuple(lengths)
    tracks = list(_tracks(run, card.name, class_name))
    for path, minus in tracks:
        with open_signal(path) as reader:
            own = reconcile(reader.lengths, lengths, path=path, what="track", allow_unknown=True)
            for theirs, name in own.items():
                values = np.nan_to_num(reader.values(theirs, 0, lengths[name]), nan=-np.inf)
                places = call_peaks(values, max(card.window // 2, 1))
                places = places[np.isfinite(values[places])]
                found.append((values[places], places, names.index(name), minus))
    if not tracks:
        raise UsageError(
            "the scan has no track of this class", path=run / "run.json", found=f"{card.name}, {class_name}",
            remedy="give another folder with --run, another class with --class, or regions with --regions",
        )  # fmt: skip
    value = np.concatenate([entry[0] for entry in found])
    best = np.argsort(-value, kind="stable")[:number]
    place = np.concatenate([entry[1] for entry in found])[best]
    chromosome = np.repeat([entry[2] for entry in found], [len(entry[0]) for entry in found])[best]
    minus_all = np.repeat([entry[3] for entry in found], [len(entry[0]) for entry in found])[best]
    # A track holds window i over [i s + off, (i + 1) s + off); its bin begins at i s.
    off = max(0, (card.bin - card.stride) // 2)
    first = (place - off) // card.stride * card.stride
    return Sites(names, chromosome.astype(np.int32), first, minus_all.astype(np.bool_))


def _tracks(run: Path, model: str, class_name: str) -> Iterator[tuple[Path, bool]]:
    """(file, minus) of the prediction tracks of one class of a model."""
    path = run / "run.json"
    try:
        entries: list[Any] = json.loads(path.read_text(encoding="utf-8"))["tracks"]
    except FileNotFoundError:
        raise DataError(
            "there is no run.json in the folder, so it holds no finished scan", path=run,
            remedy="run trackgen scan to its end first",
        ) from None  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("the file is no description of a scan", path=path, found=error) from error
    for entry in entries:
        if entry.get("model") == model and entry.get("class") == class_name and entry.get("role") != "contribution":
            yield run / Path(str(entry["file"])).name, entry.get("strand") in ("minus", "-")
