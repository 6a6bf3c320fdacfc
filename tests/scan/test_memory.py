"""Peak memory of a scan does not grow with the length of a chromosome."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.data import data_file
from tests.models import small_model
from trackgen.genome import open_genome, write_twobit

ALLOWED_GROWTH = 1.10
"""Ten times the chromosome may cost one tenth more memory at most: indexes hold a few bytes a section."""


def peak_memory(folder: Path, model: Path, length: int) -> int:
    letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(0, 4, length)]
    fasta = folder / f"{length}.fa"
    fasta.write_bytes(b">chr1\n" + letters.tobytes() + b"\n")
    with open_genome(fasta) as genome:
        write_twobit(genome, folder / f"{length}.2bit")
    out = folder / f"out{length}"
    command = ["scan", model, folder / f"{length}.2bit", "-o", out, "--stride", 100, "-q", "-t", 1]
    subprocess.run([sys.executable, "-m", "trackgen", *map(str, command)], check=True, capture_output=True)
    return int(json.loads((out / "run.json").read_text())["peak_rss_bytes"])


@pytest.mark.slow
@pytest.mark.data
def test_the_worm_needs_the_memory_of_yeast(tmp_path: Path) -> None:
    """12 Mb against 100 Mb of real genome, with a shipped model on both strands."""
    peaks = []
    for name in ("genome_yeast/sacCer3.2bit", "genome_worm/ce10.2bit"):
        out = tmp_path / Path(name).stem
        command = ["scan", "tss-yeast", data_file(name), "-o", out, "--stride", 200, "-q", "-t", 2]
        subprocess.run([sys.executable, "-m", "trackgen", *map(str, command)], check=True, capture_output=True)
        peaks.append(json.loads((out / "run.json").read_text())["peak_rss_bytes"])
    assert peaks[1] < ALLOWED_GROWTH * peaks[0], peaks


def test_ten_times_the_chromosome_needs_the_same_memory(tmp_path: Path) -> None:
    model = small_model(tmp_path).path
    small, large = (peak_memory(tmp_path, model, length) for length in (3_000_000, 30_000_000))
    assert large < ALLOWED_GROWTH * small, f"{small / 1e6:.0f} MB became {large / 1e6:.0f} MB"
