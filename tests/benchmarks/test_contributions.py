"""The benchmark of contributions: it must time the right values, on both sides, and run to its end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.source import ROOT

torch = pytest.importorskip("torch", reason="torch is not installed (trackgen[train])")
pytest.importorskip("tangermeme", reason="tangermeme is not installed (trackgen[test])")

BENCHMARKS = ROOT / "benchmarks"
TITLES = {"tss": "thesis' TSS net", "profile": "BPNet's kind"}
KEYS = ("tss", "zeng", "shallow", "shallow1", "profile")


@pytest.fixture
def nets(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import contributions_nets

    return contributions_nets


@pytest.fixture
def ways(nets: ModuleType) -> ModuleType:
    import contributions_rivals

    return contributions_rivals


@pytest.fixture
def report(ways: ModuleType) -> ModuleType:
    import contributions

    return contributions


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def explained_of(nets: ModuleType, key: str):  # type: ignore[no-untyped-def]
    return next(entry for entry in nets.EXPLAINED if entry.case.key == key)


def stretch_of(case, windows: int):  # type: ignore[no-untyped-def]
    from scan_rivals import Stretch

    length = (windows - 1) * case.stride + case.window
    return Stretch(np.random.default_rng(3).integers(0, 4, length, dtype=np.uint8), case)


def window_graph(ways: ModuleType, explained, folder: Path):  # type: ignore[no-untyped-def]
    from scan_nets import exported

    model = exported(explained.case, explained.case.build(), folder)
    return model, ways.Windows(explained, model)


@pytest.mark.parametrize("key", KEYS)
def test_twins_give_what_their_nets_give(nets: ModuleType, key: str) -> None:
    explained = explained_of(nets, key)
    twin = explained.twin(explained.case.build())
    hooked = [module for module in twin.modules() if isinstance(module, torch.nn.ReLU | torch.nn.MaxPool1d)]
    assert len(hooked) == {"tss": 3, "zeng": 2, "shallow": 3, "shallow1": 3, "profile": 7}[key]


def test_a_twin_with_other_values_ends_the_benchmark(nets: ModuleType) -> None:
    explained = explained_of(nets, "zeng")
    wrong = replace(explained, make_twin=lambda net: nets.zeng_twin(net)[:-2])
    with pytest.raises((SystemExit, RuntimeError)):
        wrong.twin(explained.case.build())
    halved = replace(explained, make_twin=lambda net: torch.nn.Sequential(nets.zeng_twin(net), torch.nn.Hardtanh()))
    net = explained.case.build()
    with torch.no_grad():
        net.output.weight *= 100
    with pytest.raises(SystemExit, match=r"^Zeng 1layer_128motif.*: the twin gives .* more or less than the net$"):
        halved.twin(net)


@pytest.mark.usefixtures("one_thread")
def test_tangermeme_gives_the_window_graphs_contributions_where_the_rules_are_the_same(
    nets: ModuleType, ways: ModuleType, tmp_path: Path
) -> None:
    """Without max-pools, whose share of a constant reference the two see differently."""
    explained = explained_of(nets, "profile")
    stretch = stretch_of(explained.case, 8)
    wanted, _ = window_graph(ways, explained, tmp_path)[1].contributions(stretch.views)
    twin = explained.twin(explained.case.build())
    contender = ways.by_tangermeme(explained, twin, stretch, 1, (2,), shuffled=False)
    assert len(contender.variants) == 2
    for variant in [*contender.variants, *ways.as_it_comes(explained, twin, stretch, 1, shuffled=False).variants]:
        found = variant.run(0)
        assert found.shape == (8, explained.case.window)
        # float32 on both sides, and quotients by small differences
        assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max(), variant.label


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_shuffles_are_twenty_a_window_and_others_from_call_to_call(nets: ModuleType, ways: ModuleType) -> None:
    explained = explained_of(nets, "tss")
    stretch = stretch_of(explained.case, 10)
    twin = explained.twin(explained.case.build())
    (variant,) = ways.by_tangermeme(explained, twin, stretch, 1, (40,), shuffled=True).variants
    assert variant.piece == ways.BASES_A_CALL // 200 // 40 * 40 // 20
    windows = torch.tensor(np.ascontiguousarray(stretch.views[:1]))
    found = {seed: ways.explain(explained, twin, windows, 40, seed) for seed in (0, 1)}
    assert variant.run(0).shape == (variant.piece, 200)
    assert np.abs(found[0] - found[1]).max() > 0
    # They add up to how far the window is from the mean of its own twenty references.
    from tangermeme.ersatz import dinucleotide_shuffle

    shuffles = dinucleotide_shuffle(windows.repeat(20, 1, 1), n=1, random_state=list(range(20)))[:, 0]
    with torch.inference_mode():
        logits = [twin(values)[:, explained.class_index] for values in (windows, shuffles)]
    assert found[0].sum() == pytest.approx(float(logits[0] - logits[1].mean()), abs=1e-4)


@pytest.mark.parametrize("fault", ["none", "shift", "percent", "zeros", "nan", "end"])
def test_wrong_values_are_seen(nets: ModuleType, ways: ModuleType, tmp_path: Path, fault: str) -> None:
    from trackgen.graph import compile_dense_contributions

    explained = explained_of(nets, "zeng")
    case, stretch = explained.case, stretch_of(explained.case, 1500)
    model, windows = window_graph(ways, explained, tmp_path)
    graph = compile_dense_contributions(model, case.card, 1, ["output", "output"], weighted=True)
    made = ways.dense_contributions("", graph, np.array([0, 1]), stretch, 1, (1000,))
    (variant,) = made.variants
    assert variant.piece == 1000

    def run(first: int) -> np.ndarray:
        values = variant.run(first)
        faults = {
            "none": lambda: values,
            "shift": lambda: np.roll(values, 1, axis=1),
            "percent": lambda: values * np.float32(1.01),
            "zeros": lambda: values * np.float32(0),
            "nan": lambda: np.where(np.arange(values.shape[1]) == 3, np.float32(np.nan), values),
            "end": lambda: np.where(np.arange(values.shape[1]) > 1090, 2 * values, values),
        }
        wrong: np.ndarray = faults[fault]()
        return wrong

    largest, share = ways.differences(replace(variant, run=run), windows, stretch, -1)
    assert np.isnan(largest) == (fault == "nan")
    if fault != "nan":
        # a maximum that two places share to float32's last digit may turn either way, for few bases
        assert (share < 0.005) is (fault == "none"), largest


def test_bars_are_met_or_not_by_what_was_measured(nets: ModuleType, ways: ModuleType, report: ModuleType) -> None:
    from scan_rivals import AS_IT_COMES, Contender

    rates = {report.PREDICTION: 300.0, ways.ONE_CLASS: 100.0, ways.ONE_REFERENCE: 2.0, ways.SHUFFLED: 0.05}
    rates |= {f"{ways.ONE_REFERENCE}{AS_IT_COMES}": 1.0, f"{ways.SHUFFLED}{AS_IT_COMES}": 0.1}
    contenders = {name: Contender(name, [], [rate / 2, rate]) for name, rate in rates.items()}
    result = report.Result(explained_of(nets, "tss"), contenders, 0.0, 0.0)
    assert [(measured, met) for _, _, measured, met in report.bars_of(result)] == [
        ("50.0x", False), ("100.0x", True), ("2,000.0x", True), ("1,000.0x", False), ("3.00x", True),
    ]  # fmt: skip
    # a net without bars
    assert list(report.bars_of(replace(result, explained=explained_of(nets, "profile")))) == []


@pytest.mark.slow
def test_it_runs_to_the_end_and_every_net_is_in_every_table() -> None:
    arguments = ["--quick", "--threads", "1", "--nets", *TITLES]
    command = [sys.executable, str(BENCHMARKS / "contributions.py"), *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "TRACKGEN_DATA"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=environment | {"OMP_NUM_THREADS": "1"}, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("random bases, 1 threads, best of 1 repeats in turns")
    tables = re.findall(r"(?:^\|.*\n)+", done.stdout, flags=re.MULTILINE)
    rows = [[re.split(r" *\| *", line.strip("| \n")) for line in table.splitlines()] for table in tables]
    speeds, costs, bars, settings = rows
    for table in (speeds, costs, settings):
        for title, row in zip(TITLES.values(), table[2:], strict=True):
            assert row[0].startswith(title)
    assert all(float(row[-2]) <= 1e-4 or float(row[-1].rstrip("%")) < 0.5 for row in speeds[2:])
    assert costs[2][-2].endswith("x of 3")
    assert [row[-1] in ("met", "NOT MET") for row in bars[2:]] == [True] * 5
