"""`trackgen.open_model`, `trackgen.scan` and `trackgen.export`: what Python users have."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trackgen
import trackgen.scan.opened
from tests.data import data_file
from tests.models import small_model
from tests.scan.test_values import random_sequence, read_track, write_fasta
from trackgen.errors import UsageError


def sequences() -> dict[str, str]:
    random = np.random.default_rng(5)
    return {"chr1": random_sequence(random, 1500), "chr2": random_sequence(random, 300)}


@pytest.mark.parametrize("region", ["chr1:1-1,500", "chr1:701-760", "chr1:13-13", "chr2"])
@pytest.mark.parametrize(("bin_", "stride", "strands"), [(1, 1, "both"), (50, 7, "average"), (9, 25, "forward")])
def test_predict_gives_what_a_scan_writes(tmp_path: Path, region: str, bin_: int, stride: int, strands: str) -> None:
    letters = sequences()
    genome = write_fasta(tmp_path / "g.fa", letters)
    path = small_model(tmp_path, window=60, bin_=bin_, stride=stride, strands=strands).path
    result = trackgen.scan(path, genome, tmp_path / "out", digits="full")
    name, _, span = region.partition(":")
    first, last = (int(text.replace(",", "")) for text in (span or f"1-{len(letters[name])}").split("-"))
    values = trackgen.open_model(path).predict(genome, region)
    assert {f"small.{track}.bw" for track in values} == set(result.tracks)
    for track, row in values.items():
        assert row.dtype == np.float32
        wanted = read_track(tmp_path / "out" / f"small.{track}.bw", letters)[name][first - 1 : last]
        # a region is its own run: float32 sums may come in another order
        np.testing.assert_allclose(row, wanted, rtol=0, atol=1e-6)


def test_a_stride_other_than_the_cards(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", sequences())
    model = trackgen.open_model(small_model(tmp_path).path, mode="window", threads=1)
    row = model.predict(genome, "chr1:601-650", stride=10)["hit"]
    for held in row.reshape(-1, 10):
        assert len(set(held[~np.isnan(held)].tolist())) == 1


def test_an_unknown_region_is_refused(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", sequences())
    with pytest.raises(UsageError, match="chr9"):
        trackgen.open_model(small_model(tmp_path).path).predict(genome, "chr9:1-10")


@pytest.mark.data
def test_the_documented_example_runs() -> None:
    found = doctest.DocTestFinder().find(trackgen.scan.opened.Model.predict, globs={})
    (example,) = [test for test in found if test.examples]
    example.globs = {"genome": data_file("genome_yeast/sacCer3.2bit")}
    assert doctest.DocTestRunner().run(example).failed == 0


def test_importing_trackgen_imports_nothing_heavy() -> None:
    code = "import sys, trackgen; print(sorted({'numpy', 'onnx', 'onnxruntime', 'torch', 'click'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_export_is_the_training_islands() -> None:
    from trackgen.learn.export import export

    assert trackgen.export is export


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        trackgen.nothing  # noqa: B018
