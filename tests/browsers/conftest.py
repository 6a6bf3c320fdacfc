"""A hub of real tracks: both shipped models on a chromosome of yeast, with genes; and what tests do to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from tests.chromium import CHROMIUM
from tests.data import data_file
from tests.serve.test_process import running
from trackgen.genome import open_genome
from trackgen.genome.yeast import find_saccer3
from trackgen.hub import build_hub
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, JBROWSE, browser_assets
from trackgen.scan import ScanOptions, run_scan

MODELS = ("tss-yeast", "tss-yeast-centre")
LETTERS = "tss-yeast.sharp.plus.contrib.bw"
"""The track that tests change a value of."""
BROAD_VIEW = 380
"""bp; all letters fit on one screen."""
CLOSE = 44
"""bp; a base is wide enough to see which way its letter stands."""


@dataclass(frozen=True)
class Turn:
    """A base whose letter tells up from down, its contribution, and a close look at it (1-based, closed)."""

    sequence: str
    position: int
    letter: str
    value: float
    locus: str


@pytest.fixture(scope="session")
def real_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``trackgen scan`` and ``trackgen hub build``, as users run them, on chromosome I."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    assets = browser_assets()
    if assets is None or not all((assets / code.file).is_file() for code in (IGV_JS, JBROWSE)):
        pytest.skip("the browsers' code is not installed (make assets)")
    genes = data_file("yeast_annotation/Saccharomyces_cerevisiae.R64-1-1.96.gtf.gz")
    folder = tmp_path_factory.mktemp("real")
    genome, _ = find_saccer3(None, NullProgress())
    # By this weight every base has contributions, so that any place shows whether a track is drawn.
    options = ScanOptions(
        models=MODELS,
        genome=genome,
        output=folder / "tracks",
        contrib=("all",),
        contrib_weight="probability",
        chroms=("chrI",),
        threads=2,
    )
    run_scan(options, NullProgress())
    return build_hub(
        [folder / "tracks"],
        folder / "hub",
        genome=str(genome),
        email="me@example.org",
        url=None,
        genes=[genes],
        progress=NullProgress(),
    ).path


@pytest.fixture(scope="session")
def address(real_hub: Path) -> Iterator[str]:
    with running(str(real_hub), "--port", "0") as (_, address):
        yield address


@pytest.fixture(scope="session")
def without_data(real_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the same hub, of whose tracks nothing but the files' names is left."""
    folder = Path(shutil.copytree(real_hub, tmp_path_factory.mktemp("empty") / "hub"))
    for path in [*folder.glob("*.bw"), *folder.glob("*.bb")]:
        path.write_bytes(b"")
    with running(str(folder), "--port", "0") as (_, address):
        yield address


@pytest.fixture(scope="session")
def locus(real_hub: Path) -> str:
    """The start of the gene with the highest predictions there: 1-based, closed, narrow enough for letters."""
    tracks = json.loads((real_hub / "igv.json").read_text())["tracks"]
    predictions = [track for track in tracks if track["format"] == "bigwig" and "graphType" not in track]
    rows = [line.split("\t") for line in (real_hub / "genes.bed").read_text().splitlines()]
    starts = [int(row[1]) - 280 if row[5] == "+" else int(row[2]) - 100 for row in rows if row[0] == "chrI"]
    starts = [start for start in starts if 0 <= start < 230_218 - BROAD_VIEW]
    sight = np.zeros(len(starts))
    for track in predictions:
        with pyBigWig.open(str(real_hub / track["url"])) as values:
            sight += [values.stats("chrI", start, start + BROAD_VIEW, type="max")[0] / track["max"] for start in starts]
    start = starts[int(np.argmax(sight))]
    return f"chrI:{start + 1}-{start + BROAD_VIEW}"


@pytest.fixture(scope="session")
def turn(real_hub: Path, locus: str) -> Turn:
    """The tallest A or T on that screen that fits into the axis on both sides of zero."""
    session = json.loads((real_hub / "igv.json").read_text())
    low = next(track["min"] for track in session["tracks"] if track.get("url") == LETTERS)
    name, _, rest = locus.partition(":")
    start, end = (int(text) for text in rest.split("-"))
    with pyBigWig.open(str(real_hub / LETTERS)) as track:
        values = np.nan_to_num(np.array(track.values(name, start + CLOSE, end - CLOSE)))
    with open_genome(real_hub / "sacCer3.2bit") as genome:
        codes = genome.fetch(name, start + CLOSE, end - CLOSE)
    fit = np.isin(codes, (0, 3)) & (values < -0.9 * low)
    place = int(np.argmax(np.where(fit, values, -np.inf)))
    position = start + CLOSE + place
    locus = f"{name}:{position - CLOSE // 2 + 1}-{position + CLOSE // 2}"
    return Turn(name, position, "ACGT"[codes[place]], float(values[place]), locus)


@pytest.fixture(scope="session")
def turned(real_hub: Path, turn: Turn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the same hub, in which the sign of that one value is changed."""
    folder = Path(shutil.copytree(real_hub, tmp_path_factory.mktemp("turned") / "hub"))
    with pyBigWig.open(str(real_hub / LETTERS)) as old:
        sequences = list(old.chroms().items())
        start, end = turn.position - 400, turn.position + 400
        values = np.array(old.values(turn.sequence, start, end))
    values[turn.position - start] *= -1
    (folder / LETTERS).unlink()
    with pyBigWig.open(str(folder / LETTERS), "w") as new:
        new.addHeader(sequences)
        new.addEntries(turn.sequence, start, values=values.tolist(), span=1, step=1)
    with running(str(folder), "--port", "0") as (_, address):
        yield address
