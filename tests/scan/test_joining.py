"""Processes that join a run: what they take over, what they are refused, and what two of them may do at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models import small_model
from tests.scan.test_values import random_sequence, write_fasta
from trackgen.errors import DataError, ResourceError, UsageError
from trackgen.graph import CompilerFault, NotDense
from trackgen.scan import ScanOptions, assemble_folder, assembly, run_scan
from trackgen.scan.folder import OutputFolder
from trackgen.scan.lock import Lock
from trackgen.scan.shard_file import verify_shard

TILE = 256


def options(folder: Path, **more: Any) -> ScanOptions:
    """A scan of 4,000 bases in 16 tiles."""
    genome = folder / "g.fa"
    if not genome.exists():
        write_fasta(genome, {"chr1": random_sequence(np.random.default_rng(0), 4000)})
    model = folder / "small.onnx"
    if not model.exists():
        model = small_model(folder).path
    return ScanOptions(
        **{
            "models": (str(model),),
            "genome": genome,
            "output": folder / "out",
            "tile": TILE,
            "shard_size": TILE,
            **more,
        }
    )


def plan_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ".trackgen" / "plan.json").read_text())
    return found


def test_a_process_that_loses_the_race_for_the_plan_cuts_as_the_winner_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shards carry the winner's hash: cut otherwise, they would be accepted and bases would be missing."""
    run_scan(options(tmp_path, output=tmp_path / "whole"))
    begin = OutputFolder.begin

    def lose(self: OutputFolder, record: Any, needed: int) -> Any:
        monkeypatch.setattr(OutputFolder, "begin", begin)
        run_scan(options(tmp_path, shard_size=4 * TILE, share=(1, 3)))
        return begin(self, record, needed)

    monkeypatch.setattr(OutputFolder, "begin", lose)
    assert run_scan(options(tmp_path)).shards == 4
    for name in ("small.hit.bw", "skipped.bed"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_overwriting_takes_over_no_choice_of_the_run_that_it_replaces(tmp_path: Path) -> None:
    run_scan(options(tmp_path, mode="window", tile=512))
    run_scan(options(tmp_path, tile=None, overwrite=True))
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["mode"] == {"small": "dense"}
    assert record["tile"] != 512


def test_other_tiles_are_not_cut_into_the_shards_of_an_earlier_plan(tmp_path: Path) -> None:
    run_scan(options(tmp_path, plan_only=True))
    with pytest.raises(UsageError, match=r"its tiles have 256 bases, this command's 4096"):
        run_scan(options(tmp_path, tile=4096))
    run_scan(options(tmp_path, tile=4096, overwrite=True, plan_only=True, shard_size=None))
    assert plan_of(tmp_path / "out")["shard"] % 4096 == 0


def test_shares_go_on_with_a_plan_that_is_to_replace_a_finished_run(tmp_path: Path) -> None:
    """As the refusal of `--shard` with `--overwrite` tells the user to."""
    run_scan(options(tmp_path, stride=3))
    run_scan(options(tmp_path, plan_only=True, overwrite=True))
    for share in ((1, 2), (2, 2)):
        assert not run_scan(options(tmp_path, share=share)).skipped
    assemble_folder(tmp_path / "out", 1)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["tracks"][0]["resolution"] == 1
    assert run_scan(options(tmp_path)).skipped


def test_a_renamed_copy_is_no_other_genome(tmp_path: Path) -> None:
    run_scan(options(tmp_path))
    copy = tmp_path / "copy.fa"
    copy.write_bytes((tmp_path / "g.fa").read_bytes())
    assert run_scan(options(tmp_path, genome=copy)).skipped


def test_assembling_too_early_touches_no_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that another process finishes while the others are read is not damaged."""
    run_scan(options(tmp_path, share=(1, 2)))

    def absent_until_now(path: Path) -> Any:
        try:
            return verify_shard(path)
        except FileNotFoundError:
            monkeypatch.setattr(assembly, "verify_shard", verify_shard)
            run_scan(options(tmp_path, share=(2, 2)))
            raise

    monkeypatch.setattr(assembly, "verify_shard", absent_until_now)
    with pytest.raises(DataError, match=r"found 1 of 16 missing: 9; .*Run the scan's command"):
        assemble_folder(tmp_path / "out", 1)
    assert len(list((tmp_path / "out" / ".trackgen" / "shards").glob("*.shard"))) == 16
    assemble_folder(tmp_path / "out", 1)
    assert run_scan(options(tmp_path)).skipped


def take(path: Path, start: float, results: Any, all_tried: Any) -> None:
    time.sleep(max(0.0, start - time.time()))
    try:
        Lock(path)
    except UsageError:
        results.put(0)
        return
    results.put(1)
    all_tried.wait(20)  # until then it is held


@pytest.mark.parametrize("stale", [False, True])
def test_of_many_processes_one_gets_a_lock(tmp_path: Path, stale: bool) -> None:
    context = multiprocessing.get_context("fork")
    for trial in range(12):
        path = tmp_path / f"{trial}.lock"
        if stale:
            path.write_text(json.dumps({"host": os.uname().nodename, "process": 2**22 + 1, "since": "2020-01-01"}))
        results: Any = context.Queue()
        start, all_tried = time.time() + 0.05, context.Event()
        takers = [context.Process(target=take, args=(path, start, results, all_tried)) for _ in range(4)]
        for taker in takers:
            taker.start()
        assert sum(results.get(timeout=20) for _ in takers) == 1
        all_tried.set()
        for taker in takers:
            taker.join()
        assert [entry.name for entry in tmp_path.iterdir() if entry.name.endswith(path.name)] == [path.name]


@pytest.mark.parametrize(
    "error",
    [
        NotDense("conv1", "Conv", "its weights are no constant"),
        CompilerFault("fold", "2 nodes", "1"),
        ResourceError("memory ran out", path="m.onnx", found="12 bytes", remedy="buy more"),
    ],
)
def test_errors_travel_between_processes_whole(error: Any) -> None:
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert other.__dict__ == error.__dict__
    assert "somewhere else" in str(other.at("somewhere else"))
