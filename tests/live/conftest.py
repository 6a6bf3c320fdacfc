"""A small genome and models of all kinds, open for live questions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest

from tests.models import mixed_model, small_model
from tests.scan.explained import convolution_model
from trackgen.genome import Genome, open_genome
from trackgen.live import LiveEngine, Stop
from trackgen.scan.opened import Model, open_model

LENGTHS = {"chrA": 5000, "chrB": 43, "chrC": 1}
SIGNAL = {"name": "atac", "kind": "signal", "resolution": 1, "missing": 0.25}
MODELS = ("dense", "strided", "averaged", "windows", "mixed")


def outputs(**fields: Any) -> list[dict[str, Any]]:
    """One probability of three classes, the first of which has no track."""
    classes = [{"name": "background", "track": False}, {"name": "hit", "threshold": 0.2}, {"name": "other"}]
    return [{"name": "out", "activation": "softmax", "role": "probability", "classes": classes} | fields]


class StopAfter(Stop):
    """Withdraws the work at the n-th look at it; never where that is 0."""

    def __init__(self, most: int = 0) -> None:
        super().__init__()
        self.looks, self._most = 0, most

    def check(self, _share: float = 0) -> None:
        self.looks += 1
        if self.looks == self._most:
            self.withdraw()
        super().check()


@pytest.fixture(scope="session")
def genome_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(5)
    texts = {name: "".join(random.choice([*"ACGT"], length)) for name, length in LENGTHS.items()}
    texts["chrA"] = texts["chrA"][:2000] + "N" * 90 + "ACGTACG" + "N" * 3 + texts["chrA"][2100:]
    path = tmp_path_factory.mktemp("live") / "g.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    return path


@pytest.fixture(scope="session")
def genome(genome_file: Path) -> Genome:
    return open_genome(genome_file)


@pytest.fixture(scope="session")
def signals(genome_file: Path) -> Mapping[str, Path]:
    path = genome_file.with_name("atac.bw")
    random = np.random.default_rng(6)
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(LENGTHS.items()))
        file.addEntries("chrA", 100, values=random.random(4500).tolist(), span=1, step=1)
    return {"atac": path}


@pytest.fixture(scope="session")
def models(genome_file: Path) -> dict[str, Model]:
    """Dense on both strands, with a stride, read both ways with a signal, window by window, and with a profile."""
    folder = genome_file.parent
    both: dict[str, Any] = {"strands": "both", "outputs": outputs()}
    paths = {
        "dense": convolution_model(folder, name="dense", **both),
        "strided": convolution_model(folder, name="strided", bin_=8, stride=4, outputs=outputs(), seed=1),
        "averaged": convolution_model(
            folder, name="averaged", bin_=2, strands="average", signal=SIGNAL, activation="sigmoid", seed=2
        ),
        "windows": small_model(
            folder, name="windows", bin_=5, stride=3, outputs=outputs(), classes=("a", "b", "c")
        ).path,
        "mixed": mixed_model(folder, window=30, bin_=12, stride=6, positions=4, strands="both")[0].path,
    }
    return {
        name: open_model(path, device="cpu", threads=1, mode="window" if name == "windows" else "auto")
        for name, path in paths.items()
    }


@pytest.fixture(scope="session")
def engine(models: dict[str, Model], genome: Genome, signals: Mapping[str, Path]) -> LiveEngine:
    return LiveEngine(list(models.values()), genome, signals=signals)
