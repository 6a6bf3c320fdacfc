"""`trackgen sweep` from sets to records to a report: stopped and resumed, in one process and in two, on a cluster."""

from __future__ import annotations

import itertools
import json
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from tests.learn.test_sweep_parts import made_set
from tests.source import ROOT
from trackgen.cli.main import root
from trackgen.errors import DataError, ResourceError, TrackgenError, UsageError
from trackgen.learn.fit import FitResult
from trackgen.learn.sweep import pools, training
from trackgen.learn.sweep.plan import Plan, Recipe, SweepFolder
from trackgen.learn.sweep.pools import open_pool
from trackgen.learn.sweep.records import read_records
from trackgen.learn.sweep.report import write_report
from trackgen.learn.sweep.runner import Makers, sweep
from trackgen.learn.sweep.space import draw_settings
from trackgen.learn.sweep.training import Manner, train_once
from trackgen.learn.sweep.units import Pair, Piece
from trackgen.learn.sweep.work import Task
from trackgen.progress import NullProgress

RECIPE = Recipe(draws=3, search_steps=4, train_steps=8, search_every=2, train_every=4, batch_size=20, validation=60)
PLAN = Plan(RECIPE, ("toy",), ("1layer_1motif", "1layer_local_win9"), 2, (60,), {"toy": "Toys"})


def records(folder: Path) -> list[dict[str, Any]]:
    """All records without what differs from run to run, in one order."""
    kept = read_records(folder / "searches.jsonl") + read_records(folder / "results.jsonl")
    for record in kept:
        record.pop("seconds_per_500k", None)
    return sorted(kept, key=lambda record: json.dumps(record, sort_keys=True))


def run(folder: Path, plan: Plan = PLAN, makers: Makers | None = None, **more: Any) -> list[dict[str, Any]]:
    sweep(plan, [made_set()], folder, makers or Makers(), more.get("progress", NullProgress()))
    return records(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that nothing disturbed."""
    folder = tmp_path_factory.mktemp("sweep") / "whole"
    run(folder)
    return folder


def test_a_sweep_searches_each_pair_once_and_trains_it_from_each_seed(whole: Path) -> None:
    searches, results = (read_records(whole / f"{name}.jsonl") for name in ("searches", "results"))
    pairs = set(itertools.product((None, 60), PLAN.architectures))
    assert sorted(map(str, pairs)) == sorted(str((r["fraction"], r["architecture"])) for r in searches)
    assert {(r["fraction"], r["architecture"], r["seed"]) for r in results} == {
        (*pair, seed) for pair in pairs for seed in (1, 2)
    }
    assert len(results) == 8
    for record in results:
        assert record["digest"] == made_set().digest
        assert record["family"] == "Toys"
        assert record["draws"] == 3
        assert record["best_step"] in (4, 8)
        assert 0 <= record["test_auroc"] <= 1
        assert record["seconds_per_500k"] > 0
        parts = made_set().parts(record["seed"])
        assert record["test"] == len(parts.test)
        assert record["validation"] == min(60, record["validation"])
        (search,) = [
            s for s in searches if (s["fraction"], s["architecture"]) == (record["fraction"], record["architecture"])
        ]
        assert record["hyper"] == search["hyper"]
        assert search["validation_auroc"] == max(search["values"])


def test_what_matters_first_is_done_first(whole: Path) -> None:
    done = [(r["fraction"], r["architecture"]) for r in read_records(whole / "results.jsonl")]
    first, second = PLAN.architectures
    assert list(dict.fromkeys(done)) == [(None, first), (None, second), (60, first), (60, second)]


@pytest.mark.slow
def test_two_processes_give_the_figures_of_one(whole: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "two", makers=Makers(2)) == records(whole)


def test_a_finished_sweep_makes_nothing_again(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(whole, tmp_path / "again")
    monkeypatch.setattr(training, "fit", None)
    assert run(folder) == records(whole)


class Stopping(NullProgress):
    """Stops the sweep when so many pieces are done."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces

    def advance(self, amount: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_sweep_that_is_stopped_goes_on_and_ends_with_the_same_records(
    whole: Path, tmp_path: Path, pieces: int
) -> None:
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        run(folder, progress=Stopping(pieces))
    assert len(records(folder)) == pieces
    with open(folder / "results.jsonl", "ab") as file:
        file.write(b'{"task": "disc')  # a kill in the midst of a write
    assert run(folder) == records(whole)


def test_more_seeds_sets_and_architectures_may_come_to_a_sweep(whole: Path, tmp_path: Path) -> None:
    small = Plan(RECIPE, ("toy",), PLAN.architectures[:1], 1, (), {"toy": "Toys"})
    first = run(tmp_path / "grown", small)
    assert len(first) == 2
    assert run(tmp_path / "grown") == records(whole)


@pytest.mark.slow
def test_a_sweep_that_is_killed_leaves_no_process_behind_and_goes_on(whole: Path, tmp_path: Path) -> None:
    """kill -9 of the process that asks; those that it started end by themselves."""
    folder = tmp_path / "killed"
    code = (
        f"from tests.learn.test_sweep import *\nif __name__ == '__main__': run(Path({str(folder)!r}), makers=Makers(2))"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for done in (1, 4):
        with subprocess.Popen([sys.executable, str(script)], env=environment, start_new_session=True) as process:
            while process.poll() is None and (not folder.exists() or len(records(folder)) < done):
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, check=False).stdout:
            assert time.monotonic() < deadline, "an orphan"
            time.sleep(0.05)
    assert len(records(folder)) < len(records(whole))
    assert run(folder) == records(whole)


def test_a_process_that_dies_is_told_and_the_machine_blamed(whole: Path) -> None:
    piece = Piece(Pair(0, "toy", made_set().digest, None, "1layer"), 1, draw_settings(1, 1)[0])
    task = Task(whole, Recipe(train_steps=100_000), piece)
    with open_pool(2, None, NullProgress()) as pool:
        pool.give(task)
        assert pool.free() == 1
        (maker, _) = next(iter(pool._busy.values()))  # type: ignore[attr-defined]
        maker.process.kill()
        maker.process.join()
        with pytest.raises(
            ResourceError, match="toy 1layer: a process of the sweep died; found killed by signal 9"
        ) as caught:
            pool.take()
    assert caught.value.exit_status == 75
    assert "goes on where it stopped" in str(caught.value)


@pytest.mark.parametrize("end", [0, 3, 20, 100, -1])
def test_a_damaged_set_is_told_and_made_again_when_it_is_gone(whole: Path, tmp_path: Path, end: int) -> None:
    folder = shutil.copytree(whole, tmp_path / "broken")
    (folder / "results.jsonl").unlink()
    content = (folder / "sets" / "toy.npz").read_bytes()
    (folder / "sets" / "toy.npz").write_bytes(content[:end])
    with pytest.raises(DataError, match=r"toy\.npz: a set of the sweep can't be read.*Delete the file") as caught:
        run(folder)
    assert caught.value.exit_status == 3
    if end != 100:
        return
    (folder / "sets" / "toy.npz").unlink()
    assert run(folder) == records(whole)


def test_errors_of_a_process_travel_to_the_one_that_asked(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(whole, RECIPE, Piece(Pair(0, "absent", "", None, "1layer")))
    found = pools._outcome(task)
    assert isinstance(found, DataError)
    assert str(pickle.loads(pickle.dumps(found))) == str(found)
    for error, kind, message in (
        (MemoryError(), ResourceError, "memory ran out"),
        (KeyError("x"), RuntimeError, "Traceback"),
    ):

        def fail(_: Task, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(pools, "make", fail)
        told = pools._outcome(task)
        assert isinstance(told, kind)
        assert message in str(told)


def test_a_net_whose_weights_leave_all_bounds_counts_as_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise TrackgenError("the training loss became nan in epoch 0")

    monkeypatch.setattr(training, "fit", diverge)
    trained = train_once("1layer", draw_settings(1, 1)[0], made_set().parts(1), Manner(4, 2, 20, 1))
    assert (trained.net, trained.best_step, trained.auroc) == (None, 0, 0.0)

    def overflow(net: nn.Module, *_: object, **__: object) -> FitResult:
        with torch.no_grad():
            next(net.parameters()).fill_(math.inf)
        return FitResult(0, 0.0)

    monkeypatch.setattr(training, "fit", overflow)
    trained = train_once("1layer", draw_settings(1, 1)[0], made_set().parts(1), Manner(4, 4, 20, 1))
    assert (trained.net, trained.best_step, trained.auroc) == (None, 0, 0.0)

    def refuse(*_: object, **__: object) -> None:
        raise DataError("there is nothing to train on")

    monkeypatch.setattr(training, "fit", refuse)
    with pytest.raises(DataError):
        train_once("1layer", draw_settings(1, 1)[0], made_set().parts(1), Manner(4, 2, 20, 1))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("draws", 4, "another draws; found 3; wanted 4"), ("seed", 1, "another seed; found 0; wanted 1")],
)
def test_a_folder_of_another_recipe_is_refused(whole: Path, name: str, value: int, message: str) -> None:
    recipe = Recipe(**(RECIPE.__dict__ | {name: value}))
    with pytest.raises(
        UsageError, match=f"plan.json: the sweep in this folder has {message}.*another folder"
    ) as caught:
        sweep(Plan(recipe, ("toy",), ("1layer",)), [made_set()], whole, Makers(), NullProgress())
    assert caught.value.exit_status == 2


def test_another_set_of_the_same_name_is_refused(whole: Path) -> None:
    with pytest.raises(UsageError, match=r"another set called toy; found .*Choose another name"):
        sweep(PLAN, [made_set(bound=121)], whole, Makers(), NullProgress())


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(UsageError, match="the folder holds something else than a sweep"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": "other"}', '{"format": "trackgen sweep 1", "recipe": 1, "sets": 2}']
)
def test_a_damaged_plan_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(DataError, match=r"plan\.json: this is no plan of a sweep"):
        SweepFolder(tmp_path).read()


def test_what_can_not_be_learned_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown architecture of sequences; found 9layer; wanted 1layer"):
        run(tmp_path / "a", Plan(RECIPE, ("toy",), ("9layer",)))
    with pytest.raises(DataError, match="too few bound sequences; found 49; wanted 50 or more") as caught:
        sweep(PLAN, [made_set(bound=49)], tmp_path / "a", Makers(), NullProgress())
    assert caught.value.exit_status == 3
    with pytest.raises(UsageError, match="--positives: too few bound sequences to learn from; found 10") as told:
        run(tmp_path / "a", Plan(RECIPE, ("toy",), ("1layer",), 1, (10,)))
    assert told.value.exit_status == 2
    with pytest.raises(UsageError, match="--cluster: no address of a Dask cluster"):
        run(tmp_path / "a", makers=Makers(1, "nonsense"))
    both = Plan(RECIPE, ("toy", "toy-60"), ("1layer",), 1, (60,))
    with pytest.raises(UsageError, match="two pieces of the sweep would have one name; found toy-60 1layer"):
        sweep(both, [made_set(), made_set(name="toy-60")], tmp_path / "a", Makers(), NullProgress())
    one_class = made_set()
    one_class.test[:20] = True
    with pytest.raises(DataError, match="toy: there is no unbound sequence to test on"):
        sweep(PLAN, [one_class], tmp_path / "a", Makers(), NullProgress())
    assert not (tmp_path / "a").exists()


def test_two_sweeps_do_not_share_a_folder(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "held")
    holder = {"host": os.uname().nodename, "process": os.getppid(), "since": "now"}
    (folder / "sweep.lock").write_text(json.dumps(holder))
    with pytest.raises(UsageError, match="another run is writing here"):
        run(folder)


@pytest.mark.slow
def test_workers_of_a_cluster_give_the_same_figures(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    assert run(tmp_path / "dask", makers=Makers(2, "local:2")) == records(whole)


def test_the_report_says_what_the_records_say(whole: Path, tmp_path: Path) -> None:
    first = write_report([whole], tmp_path / "report", named={"toy": "Other"})
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    results = [r for r in read_records(whole / "results.jsonl") if r["fraction"] is None]
    for code in PLAN.architectures:
        values = [r["test_auroc"] for r in sorted(results, key=lambda r: r["seed"]) if r["architecture"] == code]
        assert found["auroc"]["all"][code]["toy"] == pytest.approx(values, abs=1e-4)
        assert f"{np.mean(values):.4f} (" in first.read_text()
    assert found["sets"]["toy"]["family"] == "Other"
    assert found["models"] == 8
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "README.md", "report.json", "auroc.png", "auroc_60.png"
    }  # fmt: skip
    again = write_report([whole], tmp_path / "again", named={"toy": "Other"}).parent
    for path in (tmp_path / "report").iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_the_report_shows_baselines_on_the_same_sequences_alone(whole: Path, tmp_path: Path) -> None:
    own = {"task": "discovery", "set": "toy", "baseline": "motif", "seed": 1, "digest": made_set().digest}
    lines = [own | {"test_auroc": 0.777}, own | {"test_auroc": 0.111, "digest": "other"}, own | {"test_auroc": None}]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = write_report([whole], tmp_path / "report", baselines=tmp_path / "b.jsonl").read_text()
    assert "| *motif* | 0.7770 | 0.7770 |" in text


def test_a_report_on_nothing_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no sweep; wanted a folder of `trackgen sweep`"):
        write_report([tmp_path], tmp_path / "report")
    SweepFolder(tmp_path / "new").prepare(RECIPE, [made_set()])
    with pytest.raises(DataError, match=r"nothing is trained yet; wanted one trained model at least.*go on"):
        write_report([tmp_path / "new"], tmp_path / "report")
    with pytest.raises(UsageError, match="the report needs a folder of its own"):
        write_report([whole], whole)


def test_sweeps_of_several_recipes_make_one_report(whole: Path, tmp_path: Path) -> None:
    other = Plan(Recipe(**(RECIPE.__dict__ | {"train_steps": 4})), ("second",), ("1layer_1motif",), 1)
    sweep(other, [made_set(name="second")], tmp_path / "other", Makers(), NullProgress())
    text = write_report([whole, tmp_path / "other"], tmp_path / "report").read_text()
    assert "9 trained models" in text
    assert "| toy | 3 draws of 4 mini-batches, trained for 8 |" in text
    assert "| second | 3 draws of 4 mini-batches, trained for 4 |" in text
    shutil.copytree(whole, tmp_path / "copy")
    with pytest.raises(UsageError, match=r"copy.*the set toy is in two sweeps; found .*whole") as caught:
        write_report([whole, tmp_path / "copy"], tmp_path / "report")
    assert caught.value.exit_status == 2


def command(*words: object) -> Result:
    return CliRunner().invoke(root, ["sweep", *map(str, words)])


def test_the_command_takes_files_to_records_and_a_report(tmp_path: Path) -> None:
    from trackgen.genome import decode

    toy = made_set()
    for label, name in ((1, "bound"), (0, "unbound")):
        text = "".join(f">{i}\n{decode(row)}\n" for i, row in enumerate(toy.codes[toy.labels == label]))
        (tmp_path / f"{name}.fa").write_text(text)
    words = (
        "--set", f"toy(1)=fasta:{tmp_path}/bound.fa,{tmp_path}/unbound.fa", "--architecture", "1layer_1motif",
        "--draws", 2, "--seeds", 1, "--search-steps", 2, "--train-steps", 2, "--batch-size", 20, "--family", "toy(1)=T",
        "-q", "-o", tmp_path / "out",
    )  # fmt: skip
    done = command(*words)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path}/out/results.jsonl\n"
    (record,) = read_records(tmp_path / "out" / "results.jsonl")
    assert (record["set"], record["family"], record["train_steps"]) == ("toy(1)", "T", 2)
    told = command("report", tmp_path / "out", "-o", tmp_path / "report")
    assert told.exit_code == 0, told.output
    assert told.stdout == f"{tmp_path}/report/README.md\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--set is missing"),
        (("--set", "a=b"), "--architecture is missing"),
        (("--set", "a=b", "--architecture", "1layer"), "--output is missing"),
        (("--set", "nonsense"), "'nonsense' is not NAME=SET"),
        (("--set", "a/b=c"), "'a/b' is to be part of file names"),
        (("--set", "a=b", "--set", "a=c", "--architecture", "1layer", "-o", "x"), "two sets are called a"),
        (("--positives", "many"), "'many' is not a list of numbers"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, ...], message: str) -> None:
    done = command(*words)
    assert done.exit_code == 2
    assert message in done.output
