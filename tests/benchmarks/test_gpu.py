"""The GPU benchmark, tried on the CPU: it must run as it is on a machine that nobody can debug it on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.source import ROOT
from trackgen.runtime.devices import CUDA

BENCHMARKS = ROOT / "benchmarks"
BAR = 1e-5
TITLES = ("tss-yeast", "Zeng 1layer_128motif", "thesis' shallow net")


def run_benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, on one core and with every CUDA device hidden."""
    hidden = {"CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | hidden, cwd=ROOT)


@pytest.fixture(scope="module")
def quick() -> str:
    done = run_benchmark("--device", "cpu", "--quick")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_runs

    return gpu_runs


@pytest.fixture
def search(runs: ModuleType) -> ModuleType:
    import gpu_search

    return gpu_search


def tables(document: str) -> dict[str, list[dict[str, str]]]:
    """Heading -> the rows of the table under it, column -> cell."""
    found: dict[str, list[dict[str, str]]] = {}
    for part in re.split(r"^#+ ", document, flags=re.MULTILINE):
        lines = [line for line in part.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        if cells:
            assert len({len(row) for row in cells}) == 1, "a row has more or fewer cells than its head"
            found[part.splitlines()[0]] = [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
    return found


def test_without_a_cuda_device_it_prints_one_line_that_says_why() -> None:
    done = run_benchmark()
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("no benchmark without a CUDA device: --device: the device can't be used: ")
    assert "trackgen doctor" in line


def test_an_unknown_device_is_a_wrong_option() -> None:
    done = run_benchmark("--device", "tpu")
    assert done.returncode == 2
    assert "--device tpu: wanted cuda, cuda:N or cpu" in done.stderr


@pytest.mark.parametrize("heading", ["The choice", "With writing", "End to end"])
def test_every_net_is_in_every_table(quick: str, heading: str) -> None:
    nets = [row["net"] for row in tables(quick)[heading]]
    for title in TITLES:
        assert any(net.startswith(title) for net in nets), title


def test_every_net_has_a_way_that_passes_the_bar_and_is_kept(quick: str) -> None:
    found = tables(quick)
    for row in found["The choice"]:
        assert float(row["largest difference"]) <= BAR
        assert float(row["fastest, Mbase/s"]) > 0
        default = found[row["net"]][0]
        assert default["variant"] == "as a scan does it"
        assert default[""] == "passes"
    assert quick.count("\nKept: ") == len(TITLES)


def test_float16_is_told_to_miss_the_bar(quick: str) -> None:
    for title, rows in tables(quick).items():
        for row in rows:
            if row.get("variant") == "precision float16":
                assert row[""] == "MISSES THE BAR", title
                assert float(row["largest difference"]) > BAR


def test_variants_that_need_cuda_are_listed_as_such_on_a_cpu(quick: str) -> None:
    rows = next(rows for title, rows in tables(quick).items() if title.startswith("tss-yeast"))
    told = {row["variant"] for row in rows if row[""] == "CUDA only"}
    assert {"precision TF32", "search DEFAULT", "search EXHAUSTIVE", "CUDA graph"} <= told


def test_whole_scans_and_their_writing_run_to_the_end(quick: str) -> None:
    found = tables(quick)
    for row in found["With writing"] + found["End to end"]:
        assert "failed" not in " ".join(row.values()), row
    assert all(row["largest difference"].endswith(" passes") for row in found["End to end"])


@pytest.mark.parametrize("key", ["tss", "zeng", "shallow"])
@pytest.mark.parametrize("fault", ["none", "shift", "percent", "zeros", "nan", "stale"])
def test_wrong_values_are_seen(runs: ModuleType, tmp_path: Path, key: str, fault: str) -> None:
    from gpu_nets import make_net

    net = make_net(key, tmp_path)
    runner = runs.Runner(net, runs.Settings(8192), runs.find_place("cpu", 1))
    first = runs.random_codes(2 * runner.bases)[runner.bases :]
    stale = runner.copy(first)

    def run(codes: np.ndarray) -> np.ndarray:
        values = runner.copy(codes)
        faults = {
            "none": lambda: values,
            "shift": lambda: np.roll(values, 1, axis=1),
            "percent": lambda: values * np.float32(1.01),
            "zeros": lambda: values * np.float32(0),
            "nan": lambda: np.where(np.arange(values.shape[1]) == 3, np.float32(np.nan), values),
            "stale": lambda: stale,
        }
        wrong: np.ndarray = faults[fault]()
        return wrong

    difference, allowed = runs.largest_difference(net, run, runs.random_codes(runner.bases))
    assert allowed == BAR
    assert (difference <= allowed) is (fault == "none")
    # NaN would be lost where the larger of two differences is taken.
    assert np.isposinf(difference) == (fault == "nan")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_variant_that_fails_is_a_row_with_its_reason(runs: ModuleType, tmp_path: Path) -> None:
    from gpu_nets import make_net

    effort = runs.Effort(0.01, (4096,), 0, 0)
    settings = runs.Settings(4096, cuda_graph=True)
    # A CUDA device that this build of ONNX Runtime can't give: no variant may end the benchmark.
    place = runs.Place("cuda:0", ((CUDA, {"device_id": "999"}), "CPUExecutionProvider"), 1)
    row = runs.measure("CUDA graph", "graph", make_net("zeng", tmp_path), settings, place, effort)
    assert row.failure
    assert "\n" not in row.failure
    assert not row.passes


def test_options_of_the_cuda_provider_follow_the_settings(runs: ModuleType) -> None:
    assert runs.Settings(4096).provider_options == {"cudnn_conv_algo_search": "HEURISTIC"}
    settings = runs.Settings(4096, precision="TF32", search="DEFAULT", nhwc=True, fused_bias=True, cuda_graph=True)
    assert settings.provider_options == {
        "cudnn_conv_algo_search": "DEFAULT",
        "use_tf32": "1",
        "prefer_nhwc": "1",
        "fuse_conv_bias": "1",
        "enable_cuda_graph": "1",
    }


def test_the_best_of_each_factor_is_joined_and_what_is_inadmissible_left_out(
    runs: ModuleType, search: ModuleType, tmp_path: Path
) -> None:
    """On a device that is played: speeds by settings, TF32 wrong, the largest tile too large."""
    from gpu_nets import make_net

    def measured(label, factor, net, settings, place, effort):  # type: ignore[no-untyped-def]
        gains = {"search EXHAUSTIVE": 9, "precision TF32": 8, "CUDA graph": 2, "tile 65,536": 1.5, "tile 131,072": 1.01}
        gains["bias fused into convolutions"] = 1.2
        if settings.tile == 1 << 22:
            return runs.Row(label, factor, settings, failure="out of memory")
        difference = 1e-4 if settings.precision != "float32" else 1e-7
        speed = 100 * gains.get(label, 4 if label.startswith(search.TOGETHER) else 0.5 if factor else 1)
        return runs.Row(label, factor, settings, speed, speed, 0, difference, BAR)

    place = runs.Place("cuda:0", (), 1)
    effort = runs.Effort(0.01, (1 << 16, 1 << 17, 1 << 22), 0, 0)
    rows = search.search(make_net("zeng", tmp_path), place, effort, measured)
    default = rows[0].settings
    assert rows[0].label == "as a scan does it"
    best = search.winner(rows)
    assert best is not None
    assert best.settings == replace(default, tile=1 << 16, cuda_graph=True, fused_bias=True)
    assert [row.label for row in rows[-2:]] == [search.TOGETHER, f"{search.TOGETHER}, no CUDA graph"]
    assert search.winner([replace(row, difference=1.0) for row in rows]) is None


def test_tracks_are_the_same_whoever_writes_them(runs: ModuleType, tmp_path: Path) -> None:
    pyBigWig = pytest.importorskip("pyBigWig")
    from gpu_nets import make_net
    from gpu_tracks import write_once

    net = make_net("tss", tmp_path)
    place = runs.find_place("cpu", 1)
    row = runs.Row("", "", runs.Settings(4096), copied=1.0)
    for beside in (False, True):
        folder = tmp_path / str(beside)
        folder.mkdir()
        written = write_once(net, row, place, 5 * 4096, folder, "", beside=beside)
        assert (written.tracks, written.bases) == (4, 5 * 4096)
    alone, threads = (sorted((tmp_path / name).iterdir()) for name in ("False", "True"))
    assert len(alone) == 4
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in threads]
    first = runs.random_codes(2 * (4096 + 199))[: 4096 + 199]
    with pyBigWig.open(str(next(path for path in alone if path.name == "tss.2.0.bw"))) as file:
        wanted = net.reference(first, np.arange(100))[:, 2]
        # Ten mantissa bits: half a thousandth of the value.
        np.testing.assert_allclose(file.values("chr1", 0, 100, numpy=True), wanted, rtol=1e-3, atol=1e-6)


def test_what_moves_is_a_byte_a_base_and_four_a_class(runs: ModuleType, tmp_path: Path) -> None:
    from gpu_nets import make_net

    there, back = runs.bytes_moved(make_net("zeng", tmp_path), runs.Settings(1000))
    assert (there, back) == (1.1, 8.0)
