"""``trackgen train nash`` from fragments to an exported net, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result

from tests.learn.commands import run
from trackgen.card import read_card
from trackgen.errors import TrackgenError
from trackgen.learn.architectures.layered import Dense, Flatten, Hilbert, NetSpec, spec_from_json, spec_to_json
from trackgen.learn.nash.report import nash_section, search_figures
from trackgen.learn.saved import load_saved
from trackgen.runtime import open_session

LENGTHS = {"a": 180_000, "b": 120_000, "c": 110_000}
START = NetSpec((Hilbert(), Flatten(), Dense(2), Dense(1024)))
SMALL = (
    "--examples", 12, "--validation-examples", 6, "--test-examples", 6, "--steps", 2, "--children", 2, "--epochs", 1,
    "--start-epochs", 1, "--final-epochs", 1, "--batch-size", 4, "--threads", 1, "--quiet",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome, fragments of 100 bp, 4 for 100 bases, and a small start."""
    folder: Path = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(1)
    with open(folder / "genome.fa", "w") as genome, open(folder / "deep.bed", "w") as deep:
        for name, length in LENGTHS.items():
            genome.write(f">{name}\n{'ACGT' * (length // 4)}\n")
            for start in np.sort(random.integers(0, length - 100, length // 25)):
                deep.write(f"{name}\t{start}\t{start + 100}\n")
    (folder / "start.json").write_text(json.dumps(spec_to_json(START)))
    return folder


def nash(data: Path, output: Path, *more: str | float | Path, start: str | Path | None = None) -> Result:
    return run(
        "train", "nash", "--deep", data / "deep.bed", "--genome", data / "genome.fa", "--validation", "b",
        "--test", "c", "--start", start or data / "start.json", "-o", output, *SMALL, *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(data: Path) -> Path:
    """A search of two steps."""
    result = nash(data, data / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{data / 'out' / 'model.onnx'}\n"
    return data / "out"


def test_the_exported_net_is_the_searchs_best_and_reads_stretches(made: Path) -> None:
    card = read_card(made / "model.onnx")
    assert (card.window, card.inputs[0].resolution, card.outputs[0].resolution) == (102_400, 25, 25)
    values = np.random.default_rng(0).exponential(1.0, (2, 1, 4096)).astype(np.float32)
    session = open_session((made / "model.onnx").read_bytes(), device="cpu", threads=1, path_for_messages=made)
    (told,) = session.run({"atac": values}, ["signal"])
    with torch.no_grad():
        wanted = load_saved(made / "model.pt").build()(torch.from_numpy(values)).numpy()
    # ONNX Runtime sums in another order
    np.testing.assert_allclose(told, wanted, atol=1e-5 * max(1.0, float(np.abs(wanted).max())))
    records = [json.loads(line) for line in (made / "records.jsonl").read_text().splitlines()]
    best = min((record for record in records if record["kind"] == "net"), key=lambda record: record["validation"])
    assert spec_from_json(card.training["net"]["spec"]) == spec_from_json(best["spec"])
    assert card.training["validation"]["mse"] == pytest.approx(best["validation"], rel=1e-3)


def test_the_report_tells_every_fifth_step_the_cost_and_shows_both_pictures(made: Path) -> None:
    text = (made / "README.md").read_text()
    assert "6 nets were trained, in " in text
    assert re.search(r"\| 0 \| hilbert, flatten, dense 2, dense 1024 \|", text)
    assert re.search(r"\| 2 \| ", text)
    for name in ("tree.png", "loss.png"):
        assert f"report/{name}" in text
        assert (made / "report" / name).stat().st_size > 1000
    assert "trackgen train nash" in text
    assert json.loads((made / "report" / "metrics.json").read_text())["search"]["nets"] == 6


def test_the_same_command_trains_nothing_again_and_ends_with_the_same_bytes(data: Path, made: Path) -> None:
    names = ("records.jsonl", "model.onnx", "report/tree.png", "report/metrics.json")
    before = [(made / name).read_bytes() for name in names]
    assert nash(data, made).exit_code == 0
    assert [(made / name).read_bytes() for name in names] == before


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--epochs", 2), 2, "the search in this folder has another epochs; found 1; wanted 2"),
        (("--thinnings", 2), 2, "the search in this folder has another thinnings; found 1; wanted 2"),
        (("--kinds", "narrower"), 2, "unknown kind of change; found narrower; wanted wider, deeper, input"),
        (("--fraction", 1.5), 2, "a net is to read a share of the fragments; found 1.5"),
        (("--validation", "z"), 2, "the validation sequence z is not in the genome"),
        (("--exclude", "a"), 2, "no sequence is left for train"),
        (("--optimizer", "lbfgs"), 2, "'lbfgs' is not one of"),
        (("--steps", -1), 2, "-1 is not in the range"),
        (("--most-weights", 10), 2, "the start is beyond the bounds of the search"),
    ],
)
def test_what_cannot_be_searched_is_told_and_leaves_no_folder_behind(
    data: Path, made: Path, more: tuple[Any, ...], status: int, message: str
) -> None:
    output = made if "another" in message else data / "new"
    result = nash(data, output, *more)
    told = result.exception if isinstance(result.exception, TrackgenError) else None
    assert status == (result.exit_code if told is None else told.exit_status)
    assert message in (result.output if told is None else str(told))
    assert not (data / "new").exists()


@pytest.mark.parametrize(
    ("start", "status", "message"),
    [
        ("hilbert-last", 2, "unknown net; found hilbert-last; wanted hilbert-start, hilbert-final"),
        ("none.json", 3, "none.json: the net can't be read; found No such file or directory"),
        ("{", 2, "start.json: this is no net; found JSONDecodeError"),
        (json.dumps(spec_to_json(NetSpec((Flatten(), Dense(4)), 16))), 2, "found 16 bins in, 4 out; wanted 4096 bins"),
    ],
)
def test_a_start_that_is_no_net_is_told(data: Path, tmp_path: Path, start: str, status: int, message: str) -> None:
    path: str | Path = start
    if start.startswith("{"):
        path = tmp_path / "start.json"
        path.write_text(start)
    result = nash(data, tmp_path / "new", start=path)
    assert isinstance(result.exception, TrackgenError)
    assert result.exception.exit_status == status
    assert message in str(result.exception)
    assert not (tmp_path / "new").exists()


def test_a_search_that_found_nothing_says_so() -> None:
    net: dict[str, Any] = {
        "kind": "net", "net": "0.0", "parent": None, "changes": [], "spec_text": "dense 4", "parameters": 4,
        "train": 2.0, "validation": 2.0, "seconds": 1.0,
    }  # fmt: skip
    lost = net | {"net": "1.1", "parent": "0.0", "validation": None, "train": None}
    steps = [{"kind": "step", "step": step, "best": "0.0", "validation": 2.0, "test": 3.0} for step in (0, 1)]
    text = nash_section({"search": search_figures([net, steps[0], lost, steps[1]])})
    assert "2 nets were trained, of which 1 diverged, in 2 seconds" in text
    assert "No change of the start was chosen." in text
    assert "fell by\n0.0% from the start to step 1, from 2.0000 to 2.0000" in text
