"""Runs that are refused: another plan in the folder, and values that are no numbers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pytest

from tests.models import small_model
from tests.scan.test_values import random_sequence, write_fasta
from trackgen.errors import ModelError, UsageError
from trackgen.scan import ScanOptions, run_scan

TILE = 256
DIVIDES = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4, {window}] sequence) => (float[N, 1] out) {{
  flat = Flatten(sequence)
  others = Gemm(flat, weight, bias)
  out = Div(others, others)
}}
"""


def model_that_divides_by_other_bases_than_t(folder: Path, window: int) -> Path:
    """Its value is 1, and 0 / 0 for a window of T alone."""
    model = onnx.parser.parse_model(DIVIDES.format(window=window))
    weight = np.repeat(np.array([0, 0, 0, -1], np.float32), window)[:, None]
    for name, value in (("weight", weight), ("bias", np.full(1, window, np.float32))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    card = {
        "schema_version": 1, "name": "divides", "window": window, "inputs": [{"name": "sequence", "kind": "sequence"}],
        "outputs": [{"name": "out", "activation": "none", "classes": [{"name": "one"}]}],
    }  # fmt: skip
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / "divides.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("threads", [1, 3])
def test_a_value_that_is_no_number_is_refused_with_its_interval_and_earlier_shards_stay(
    tmp_path: Path, threads: int
) -> None:
    letters = random_sequence(np.random.default_rng(0), 6000).replace("N", "A")
    letters = letters[:4500] + "C" + "T" * 24 + "C" + letters[4526:]
    model = model_that_divides_by_other_bases_than_t(tmp_path, 24)
    genome = write_fasta(tmp_path / "g.fa", {"chr1": letters})
    out = tmp_path / "out"
    options = ScanOptions((str(model),), genome, out, tile=TILE, shard_size=TILE, threads=threads)
    made: dict[str, int] = {}
    for _ in range(2):
        with pytest.raises(ModelError, match=r"divides\.onnx, window at chr1:4,502-4,525: .*not a number") as caught:
            run_scan(options)
        assert caught.value.exit_status == 4
        assert [path.name for path in out.iterdir()] == [".trackgen"]
        shards = {path.name: path.stat().st_mtime_ns for path in (out / ".trackgen" / "shards").iterdir()}
        assert all(name.endswith(".shard") for name in shards)
        # All that were finished before the tile of the fault was begun.
        assert len(shards) >= 4502 // TILE - (threads + 2)
        assert "000018.shard" not in shards
        assert made.items() <= shards.items()
        made = shards


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"stride": 3}, "another stride of model small: 1 instead of 3"),
        ({"digits": 3}, "other tracks or rounding of model small"),
        ({"min_value": 0.5}, "other tracks or rounding of model small"),
        ({"classes": ("hit",)}, "other tracks or rounding of model small"),
        ({"tile": 2 * TILE}, f"its tiles have {TILE} bases, this command's {2 * TILE}"),
        ({"regions": ("a:1-9",)}, "other regions"),
        ({"mode": "window"}, "it ran model small in dense mode, this command in window mode"),
    ],
)
def test_another_plan_is_refused_with_what_differs(tmp_path: Path, changes: dict[str, Any], difference: str) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"a": "ACGT" * 300})
    options = ScanOptions((str(small_model(tmp_path).path),), genome, tmp_path / "out", tile=TILE)
    for first in (dataclasses.replace(options, plan_only=True), options):
        run_scan(first)
        with pytest.raises(UsageError, match=r"the output folder holds an? \w+ run of small; ") as caught:
            run_scan(dataclasses.replace(options, **changes))
        assert caught.value.found == difference
        assert caught.value.exit_status == 2


def test_what_changes_no_value_is_no_other_plan(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"a": "ACGT" * 300})
    options = ScanOptions((str(small_model(tmp_path).path),), genome, tmp_path / "out", tile=TILE)
    run_scan(dataclasses.replace(options, plan_only=True, shard_size=TILE))
    more = dataclasses.replace(options, threads=3, memory=1 << 30, batch_size=5, shard_size=4 * TILE, command=("x",))
    assert run_scan(more).shards == 5, "the plan's shards"
    assert run_scan(options).skipped


def test_a_plan_of_another_version_is_not_gone_on_with(tmp_path: Path) -> None:
    """It may compute other digits: half the track would be of one version, half of the other."""
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_sequence(np.random.default_rng(0), 600)})
    options = ScanOptions((str(small_model(tmp_path).path),), genome, tmp_path / "out", tile=TILE, plan_only=True)
    run_scan(options)
    path = tmp_path / "out" / ".trackgen" / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trackgen": "0.0.7"}))
    with pytest.raises(UsageError, match=r"unfinished run of small, begun by trackgen 0\.0\.7; found this is trackgen"):
        run_scan(options)
    run_scan(dataclasses.replace(options, overwrite=True, plan_only=False))
    assert not path.exists()
