"""A genome and a model that the tests of scoring share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models import small_model
from tests.scan.test_values import write_fasta

LENGTHS = {"chrI": 300, "chrII": 200, "chrM": 50}


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("score")


@pytest.fixture(scope="package")
def sequences() -> dict[str, str]:
    random = np.random.default_rng(1)
    found = {name: "".join(random.choice(list("ACGT"), size)) for name, size in LENGTHS.items()}
    return {**found, "chrII": found["chrII"][:100] + "N" * 20 + found["chrII"][120:]}


@pytest.fixture(scope="package")
def genome(folder: Path, sequences: dict[str, str]) -> Path:
    return write_fasta(folder / "genome.fa", sequences)


@pytest.fixture(scope="package")
def model(folder: Path) -> Path:
    return small_model(folder, strands="both").path
