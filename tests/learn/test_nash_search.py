"""The hill climb: its tree, its restarts, what a kill leaves behind, and what it can't go on with."""

from __future__ import annotations

import itertools
import json
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.learn.nash_runs import BUDGET, RECIPE, SOURCES, START, Smoothing, run, tree
from tests.source import ROOT
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.learn.architectures.layered import spec_from_json
from trackgen.learn.fit import FitResult, fit, predict_with_targets
from trackgen.learn.nash import search as search_module
from trackgen.learn.nash.folder import SearchFolder
from trackgen.learn.nash.morphisms import Change, change_spec
from trackgen.learn.nash.neighbours import Bounds
from trackgen.learn.nash.pictures import plot_search_loss, plot_search_tree
from trackgen.learn.nash.search import Budget
from trackgen.learn.stepping import FitOptions, annealed


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that nothing disturbed."""
    folder: Path = tmp_path_factory.mktemp("nash") / "whole"
    run(folder)
    return folder


def nets_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {record["net"]: record for record in tree(folder) if record["kind"] == "net"}


def steps_of(folder: Path) -> list[dict[str, Any]]:
    return [record for record in tree(folder) if record["kind"] == "step"]


def test_every_step_has_its_children_and_the_best_of_them_and_their_parent(whole: Path) -> None:
    nets, steps = nets_of(whole), steps_of(whole)
    assert [step["step"] for step in steps] == [0, 1, 2, 3]
    assert len(nets) == 1 + 3 * 3 + 1
    for before, step in itertools.pairwise(steps):
        children = [net for net in nets.values() if net["step"] == step["step"] and net["child"]]
        assert [net["child"] for net in children] == [1, 2, 3]
        assert {net["parent"] for net in children} == {before["best"]}
        candidates = [before["validation"], *(net["validation"] for net in children)]
        assert step["validation"] == min(candidates) <= before["validation"]
        assert nets[step["best"]]["validation"] == step["validation"]


def test_a_child_is_its_parent_changed_as_its_record_says(whole: Path) -> None:
    nets = nets_of(whole)
    for net in nets.values():
        spec = START if net["parent"] is None else spec_from_json(nets[net["parent"]]["spec"])
        for change in net["changes"]:
            spec = change_spec(spec, Change(**change))
        assert spec_from_json(net["spec"]) == spec
        assert net["parameters"] == spec.parameters
        assert len(net["history"]) == 2


def test_the_best_net_comes_back_with_the_error_that_its_record_tells(whole: Path) -> None:
    net = run(whole)  # all is there: nothing is trained again
    assert len(tree(whole)) == 15
    error = float(functional.mse_loss(*predict_with_targets(net.build(), SOURCES.validation, "cpu")))
    assert error == min(record["validation"] for record in nets_of(whole).values())
    assert list(whole.glob("nets/*.pt")) != []
    assert len(list(whole.glob("nets/*"))) == 2, "the best of the search and the one trained on alone are kept"


@pytest.mark.parametrize(
    ("at", "how"),
    [
        (4, "tear"), (6, "clean"),
        *(pytest.param(at, how, marks=pytest.mark.slow) for at in (1, 2, 3, 13, 14, 15) for how in ("tear", "clean")),
    ],
)  # fmt: skip
def test_a_search_that_was_killed_goes_on_to_the_same_tree(whole: Path, tmp_path: Path, at: int, how: str) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "tests.learn.nash_runs", str(folder), str(at), how]
    assert subprocess.run(command, cwd=ROOT, timeout=120).returncode == -signal.SIGKILL
    assert len(tree(folder)) == at - 1
    net = run(folder)
    assert tree(folder) == tree(whole)
    wanted = run(whole)
    assert net.spec == wanted.spec
    assert all(torch.equal(net.weights[name], wanted.weights[name]) for name in wanted.weights)


def test_more_steps_go_on_from_where_it_ended_and_fewer_leave_it_as_it_is(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "longer"
    run(folder, budget=Budget(1, 0))
    run(folder, budget=Budget(3, 0))
    assert tree(folder) == tree(whole)[:-1]
    assert run(folder, budget=Budget(2, 0)).spec == spec_from_json(nets_of(whole)[steps_of(whole)[-1]["best"]]["spec"])
    assert tree(folder) == tree(whole)[:-1]


def test_another_seed_grows_another_tree(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "other", replace(RECIPE, seed=2), Budget(1, 0))
    assert tree(tmp_path / "other")[0]["validation"] != tree(whole)[0]["validation"]


def worse(*_: Any, **__: Any) -> FitResult:
    """A training after which the error is larger than any."""
    return FitResult(0, 1e9, [{"epoch": 0.0, "train_loss": 1e9, "loss": 1e9}])


def diverged(*_: Any, **__: Any) -> FitResult:
    raise TrackgenError("the training loss became nan in epoch 0")


@pytest.mark.parametrize("training", [worse, diverged])
def test_the_parent_stays_where_no_child_is_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: Any
) -> None:
    run(tmp_path / "search", budget=Budget(0, 0))
    monkeypatch.setattr(search_module, "fit", training)
    run(tmp_path / "search", budget=Budget(2, 1))
    steps, nets = steps_of(tmp_path / "search"), nets_of(tmp_path / "search")
    assert [step["best"] for step in steps] == ["0.0"] * 3
    assert len({(step["validation"], step["test"]) for step in steps}) == 1
    assert {net["parent"] for net in nets.values() if net["step"]} == {"0.0"}
    assert (nets["1.1"]["validation"] is None) == (training is diverged)


def test_children_without_changes_are_their_parent_trained_on(tmp_path: Path) -> None:
    run(tmp_path / "search", replace(RECIPE, changes=0, children=1), Budget(2, 0))
    assert {record["spec_text"] for record in nets_of(tmp_path / "search").values()} == {str(START)}


def test_a_child_sees_other_examples_than_its_parent_and_the_same_as_its_siblings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Told(Smoothing):
        def batches(self, epoch: int) -> Any:
            asked.append(epoch)
            return super().batches(epoch)

    run(tmp_path / "search", budget=Budget(2, 2), sources=replace(SOURCES, train=Told(0, anew=True)))
    assert asked == [0, 1, *[2, 3] * 3, *[4, 5] * 3, 6, 7]


def test_a_start_that_diverges_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrackgenError, match=r"the training of the start diverged\. Lower the learning rate") as caught:
        run(tmp_path / "search", replace(RECIPE, learning_rate=1e6))
    assert caught.value.exit_status == 1


def test_equation_1_as_printed_and_as_a_sum_are_one_where_the_end_is_0() -> None:
    options = FitOptions(epochs=17, learning_rate=0.05)
    for epoch in range(17):
        rates = [annealed(replace(options, schedule=name), epoch) for name in ("cosine", "cosine-printed")]
        assert rates[0] == rates[1] == pytest.approx(0.5 * 0.05 * (1 + math.cos(math.pi * epoch / 17)), rel=1e-12)
    assert annealed(replace(options, schedule="cosine"), 0) == 0.05


def test_equation_1_as_printed_forgets_its_end_which_the_sum_has() -> None:
    options = FitOptions(epochs=10, learning_rate=0.05, final_rate=0.01)
    printed, summed = (replace(options, schedule=name) for name in ("cosine-printed", "cosine"))
    assert annealed(printed, 0) == pytest.approx(0.04)
    assert annealed(summed, 0) == pytest.approx(0.05)
    assert annealed(printed, 10) == pytest.approx(0.0)
    assert annealed(summed, 10) == pytest.approx(0.01)
    for epoch in range(11):
        assert annealed(summed, epoch) - annealed(printed, epoch) == pytest.approx(0.01)


def test_every_training_starts_again_with_the_high_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[FitOptions] = []

    def told(*arguments: Any) -> FitResult:
        seen.append(arguments[4])
        return fit(*arguments)

    monkeypatch.setattr(search_module, "fit", told)
    run(tmp_path / "search", replace(RECIPE, schedule="cosine-printed", final_rate=0.001), Budget(1, 3))
    assert [options.epochs for options in seen] == [2, 2, 2, 2, 3]
    assert {(options.optimizer, options.schedule, annealed(options, 0)) for options in seen} == {
        ("sgd", "cosine-printed", 0.019)
    }


def test_the_pictures_are_the_same_bytes_for_the_same_records(whole: Path, tmp_path: Path) -> None:
    records = SearchFolder(whole).records()
    for plot in (plot_search_tree, plot_search_loss):
        paths = [tmp_path / f"{plot.__name__}{i}.png" for i in range(2)]
        for path in paths:
            plot(records, path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert paths[0].read_bytes()[:4] == b"\x89PNG"


def test_a_folder_of_another_search_is_refused(whole: Path) -> None:
    with pytest.raises(UsageError, match=r"the search in this folder has another epochs; found 2; wanted 3") as caught:
        run(whole, replace(RECIPE, epochs=3))
    assert caught.value.exit_status == 2
    assert "plan.json" in str(caught.value)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="the folder holds something else than a search"):
        run(tmp_path)


def test_a_damaged_plan_and_damaged_records_are_told(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    run(folder, budget=Budget(0, 0))
    records = folder / "records.jsonl"
    text = records.read_text()
    records.write_text("no record\n" + text)
    with pytest.raises(DataError, match=r"records.jsonl, line 1: the line is no record; found no record") as caught:
        run(folder)
    assert caught.value.exit_status == 3
    (folder / "plan.json").write_text("{}")
    with pytest.raises(DataError, match=r"this is no plan of a search"):
        run(folder)


def test_weights_that_are_gone_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    run(folder, budget=Budget(0, 0))
    (folder / "nets" / "0.0.pt").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"0.0.pt: the weights of a net of the search can't be read"):
        run(folder)
    (folder / "nets" / "0.0.pt").unlink()
    with pytest.raises(DataError, match=r"0.0.pt: the weights .* No such file"):
        run(folder)


def test_a_folder_without_a_search_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no search; wanted a folder of `trackgen train nash`"):
        SearchFolder(tmp_path).read_plan()


def test_two_processes_do_not_search_in_one_folder(tmp_path: Path) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        import socket

        holder = {"host": socket.gethostname(), "process": sleeper.pid, "since": "now"}
        (tmp_path / "nash.lock").write_text(json.dumps(holder))
        with pytest.raises(UsageError, match="another run is writing here"):
            run(tmp_path)
    finally:
        sleeper.communicate(b"\n")


def test_a_start_beyond_the_bounds_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the start is beyond the bounds of the search; found \d+ weights"):
        run(tmp_path / "search", replace(RECIPE, bounds=Bounds(10)))


def test_errors_of_all_parts_are_means_over_their_examples(whole: Path) -> None:
    net, last = run(whole, budget=replace(BUDGET, final_epochs=0)), steps_of(whole)[-1]
    inputs, targets = (np.concatenate(parts) for parts in zip(
        *((batch[0][0], batch[1]) for batch in SOURCES.test.batches(0)), strict=True))  # fmt: skip
    with torch.no_grad():
        made = net.build()(torch.from_numpy(inputs)).numpy()
    # the mean in float32
    assert last["test"] == pytest.approx(float(((made - targets) ** 2).mean()), rel=1e-5)


def test_siblings_that_are_the_same_are_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [(Change("deeper", 2, 3),), (Change("wider", 1, 4),), (Change("deeper", 2, 3),), (Change("wider", 1, 4),)]
    monkeypatch.setattr(search_module, "draw_children", lambda *_: drawn)
    trained: list[Any] = []

    def told(*arguments: Any) -> FitResult:
        trained.append(arguments[0])
        return fit(*arguments)

    monkeypatch.setattr(search_module, "fit", told)
    run(tmp_path / "search", replace(RECIPE, children=4), Budget(1, 0))
    nets = nets_of(tmp_path / "search")
    assert len(trained) == 1 + 3
    assert nets["1.3"]["same_as"] == "1.1"
    assert nets["1.3"]["validation"] == nets["1.1"]["validation"]
    assert "same_as" not in nets["1.4"], "copies of its own were drawn"
    assert steps_of(tmp_path / "search")[-1]["best"] != "1.3"
