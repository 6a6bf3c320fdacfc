"""A small hub made by hand, whose values are known, and readers of the figures that are made of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyBigWig
import pytest

from trackgen.plot import PlotOptions, PlotReport, hub_source, plot_locus

LENGTH = 20_000
SEQUENCE = "ACGT" * (LENGTH // 4)
SVG = "{http://www.w3.org/2000/svg}"
PIXEL = 0.42
"""Points that a pixel of a panel's height in igv.json becomes."""


def write_bigwig(path: Path, values: dict[str, np.ndarray]) -> None:
    """Every value that is no NaN."""
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([(name, len(array)) for name, array in values.items()])
        for name, array in values.items():
            known = np.flatnonzero(np.isfinite(array))
            if len(known):
                file.addEntries(
                    [name] * len(known), known.tolist(), ends=(known + 1).tolist(), values=array[known].tolist()
                )


@dataclass
class MadeHub:
    """The folder of a hub with igv.json, to which tracks are added."""

    folder: Path
    tracks: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, values: np.ndarray, /, **settings: Any) -> None:
        write_bigwig(self.folder / f"{name}.bw", {"chrI": values, "chrII": np.zeros(500)})
        track = {"id": name, "name": f"track {name}", "type": "wig", "format": "bigwig", "url": f"{name}.bw"}
        self.tracks.append({**track, "color": "rgb(200,30,30)", "height": 100, "windowFunction": "max", **settings})
        self.write()

    def write(self, **more: Any) -> None:
        reference = {"id": "mini", "twoBitURL": "mini.fa", "chromSizesURL": "mini.chrom.sizes"}
        config = {"reference": reference, "locus": "chrI:1-100", "tracks": self.tracks, **more}
        (self.folder / "igv.json").write_text(json.dumps(config))

    def plot(self, locus: str, *outputs: str, **options: Any) -> PlotReport:
        paths = [self.folder / name for name in outputs]
        return plot_locus(locus, hub_source(self.folder), paths, PlotOptions(**options))

    def picture(self, locus: str, **options: Any) -> Picture:
        self.plot(locus, "picture.svg", **options)
        return Picture(self.folder / "picture.svg")


class Picture:
    """An SVG file: its groups by name, with the points of their outlines, in points of the page (y grows downwards)."""

    def __init__(self, path: Path) -> None:
        self.root = ElementTree.parse(path).getroot()
        self.text = path.read_text(encoding="utf-8")

    @property
    def words(self) -> list[str]:
        return ["".join(element.itertext()) for element in self.root.iter(f"{SVG}text")]

    def has(self, name: str) -> bool:
        return any(element.get("id") == name for element in self.root.iter())

    def outlines(self, name: str) -> list[np.ndarray]:
        """(n, 2) points of each closed or open outline of a group."""
        group = next(element for element in self.root.iter() if element.get("id") == name)
        found = []
        for element in group.iter(f"{SVG}path"):
            for part in re.split(r"(?=M)", element.get("d", "")):
                numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", part)]
                if numbers:
                    found.append(np.array(numbers).reshape(-1, 2))
        return found

    def extent(self, name: str) -> tuple[float, float]:
        """From the upper to the lower edge of a group."""
        points = np.concatenate(self.outlines(name))
        return float(points[:, 1].min()), float(points[:, 1].max())


@pytest.fixture
def hub(tmp_path: Path) -> MadeHub:
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "mini.fa").write_text(f">chrI\n{SEQUENCE}\n>chrII\n{'A' * 500}\n")
    (folder / "mini.chrom.sizes").write_text(f"chrI\t{LENGTH}\nchrII\t500\n")
    return MadeHub(folder)
