"""`trackgen.open_model`, `trackgen.scan` and `trackgen.export`: what Python users have."""

from __future__ import annotations

import doctest
import inspect
import pydoc
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trackgen
import trackgen.scan.opened
from tests.data import data_file
from tests.models import input_model, small_model
from tests.scan.test_signals import SEQUENCE, VECTORS
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


@pytest.mark.parametrize("several", [False, True])
def test_one_name_or_file_is_taken_where_several_can_be(tmp_path: Path, several: bool) -> None:
    def given(value: Any) -> Any:
        return [value] if several else value

    genome = write_fasta(tmp_path / "g.fa", sequences())
    (tmp_path / "no.bed").write_text("chr1\t0\t5\n")
    path = small_model(tmp_path, window=60, bin_=1, stride=1).path
    for number, model in enumerate((path, str(path))):
        result = trackgen.scan(
            given(model), str(genome), str(tmp_path / f"out{number}"), classes=given("hit"), chroms=given("chr1"),
            regions=given("chr1:1-500"), exclude=given(str(tmp_path / "no.bed")), temporary_folder=str(tmp_path),
        )  # fmt: skip
        assert list(result.tracks) == ["small.hit.bw"]
        row = read_track(result.folder / "small.hit.bw", sequences())["chr1"]
        known = [base for base in range(5, 500) if sequences()["chr1"][base] in "ACGTacgt"]
        assert np.flatnonzero(~np.isnan(row)).tolist() == known


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"region": "chr1"}, ["no such option", "found region", "Did you mean regions"]),
        ({"batchsize": 3}, ["found batchsize", "Did you mean batch_size"]),
        ({"zzz": 3}, ["found zzz", "wanted attribution, batch_size, centred, chroms, classes, cluster"]),
        ({"vectors": {"cell": [1, 2]}}, ["vectors, cell", "found [1, 2], of type list", "wanted the path of a TSV"]),
        ({"vectors": {"cell": np.zeros(900)}}, ["vectors, cell", "..., of type ndarray", "the path of a TSV file"]),
        ({"vectors": ["cell.tsv"]}, ["vectors", "of type list", "wanted a dict of names and paths, each of a TSV"]),
        ({"signals": {"atac": 1}}, ["signals, atac", "found 1, of type int", "the path of a BigWig file"]),
        ({"regions": 5}, ["regions", "found 5, of type int", "a str or a list of str"]),
        ({"regions": ["chr1", ("chr1", 1, 5)]}, ["regions", "found ('chr1', 1, 5), of type tuple", "a list of str"]),
        ({"chroms": b"chr1"}, ["chroms", "of type bytes"]),
        ({"exclude": {"a": "b"}}, ["exclude", "of type dict", "a path or a list of paths"]),
        ({"temporary_folder": 1}, ["temporary_folder", "wanted a path"]),
        ({"models": 3}, ["models", "found 3, of type int"]),
        ({"genome": None}, ["genome", "of type NoneType", "wanted a path"]),
    ],
)
def test_bad_options_of_a_scan_in_python_are_named(tmp_path: Path, options: dict[str, Any], words: list[str]) -> None:
    genome = write_fasta(tmp_path / "g.fa", sequences())
    model = input_model(tmp_path, [SEQUENCE, VECTORS[2]]).path
    with pytest.raises(UsageError) as caught:
        trackgen.scan(**{"models": model, "genome": genome, "output": tmp_path / "out"} | options)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


def test_help_and_signature_of_scan_list_every_option() -> None:
    names = [name for name in inspect.signature(trackgen.scan).parameters if name != "unknown"]
    text = pydoc.render_doc(trackgen.scan, renderer=pydoc.plaintext)
    assert names[:3] == ["models", "genome", "output"]
    description = text[: text.index("PACKAGE CONTENTS")]
    assert [name for name in names if f"        {name} (" not in description] == []
    options = set(inspect.signature(trackgen.scan.ScanOptions).parameters) - {"command"}
    assert {*names} == options | {"progress"}


def test_dir_holds_what_the_package_offers() -> None:
    assert {"__version__", "export", "open_model", "scan"} <= set(dir(trackgen))
    code = "import sys, trackgen; dir(trackgen); print('torch' in sys.modules, 'numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False False\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"signals": ["atac.bw"]}, ["signals", "of type list", "a BigWig file"]),
        ({"vectors": {"cell": [1.0]}}, ["vectors, cell", "of type list", "the path of a TSV file"]),
        ({"stride": 0}, ["--stride", "found 0", "1 or more"]),
        ({"stride": -3}, ["--stride", "found -3", "1 or more"]),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "window"])
def test_predictions_refuse_arguments_that_make_no_sense(
    tmp_path: Path, options: dict[str, Any], words: list[str], mode: Any
) -> None:
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 50})
    with pytest.raises(UsageError) as caught:
        trackgen.open_model(small_model(tmp_path).path, mode=mode).predict(fasta, "chr1", **options)
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)
