"""Sessions: the right values, the right number of threads, and nothing on the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx.reference import ReferenceEvaluator

from tests.models import small_model
from trackgen.errors import ModelError
from trackgen.runtime import OutOfMemory, open_session
from trackgen.runtime import session as session_module

ROOT = Path(__file__).resolve().parents[2]

COUNT_THREADS = """
import os, sys
import numpy, onnxruntime
from trackgen.runtime import default_threads, open_session
before = len(os.listdir("/proc/self/task"))
session = open_session(sys.argv[1], device="auto", threads=int(sys.argv[2]) or default_threads())
session.run({"sequence": numpy.zeros((64, 4, 20), numpy.float32)})
print(len(os.listdir("/proc/self/task")) - before)
"""

RUN_OUT_OF_MEMORY = """
import resource, sys
import numpy
from trackgen.runtime import OutOfMemory, open_session
session = open_session(sys.argv[1], device="cpu", threads=1)
windows = numpy.zeros((2_000_000, 4, 20), numpy.float32)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
try:
    session.run({"sequence": windows})
except OutOfMemory as error:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(error.exit_status)
session.run({"sequence": windows[:10]})
"""


def run_python(code: str, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    return subprocess.run(
        [*prefix, sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_model(tmp_path).path


def test_a_session_runs_a_file_and_its_bytes_alike(tmp_path: Path) -> None:
    small = small_model(tmp_path)
    windows = np.random.default_rng(0).normal(size=(5, 4, 20)).astype(np.float32)
    from_file = open_session(small.path, device="cpu", threads=1)
    from_bytes = open_session(small.path.read_bytes(), device="cpu", threads=1)
    (first,), (second,) = from_file.run({"sequence": windows}), from_bytes.run({"sequence": windows}, ["out"])
    assert first.shape == (5, 2)
    np.testing.assert_array_equal(first, second)
    assert from_file.input_names == ["sequence"]
    assert from_file.output_names == ["out"]


def test_a_session_says_where_it_really_runs(model: Path) -> None:
    session = open_session(model, device="cpu", threads=1)
    assert session.device == "cpu"
    assert session.providers == ["CPUExecutionProvider"]
    assert session.reason == "asked for"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted through /proc")
@pytest.mark.parametrize(("threads", "more"), [(1, 0), (3, 2)])
def test_a_session_starts_the_threads_it_was_told(model: Path, threads: int, more: int) -> None:
    done = run_python(COUNT_THREADS, str(model), str(threads))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(more), "")


@pytest.mark.skipif(shutil.which("taskset") is None, reason="the program taskset is not installed")
@pytest.mark.parametrize(("threads", "more"), [("0", "0"), ("4", "3")])
def test_a_session_bound_to_one_core_is_quiet(model: Path, threads: str, more: str) -> None:
    """0 stands for the default, which is one thread on one core; more than cores may be asked for."""
    core = str(min(os.sched_getaffinity(0)))
    done = run_python(COUNT_THREADS, str(model), threads, prefix=("taskset", "-c", core))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, more, "")


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is limited through /proc")
def test_memory_that_runs_out_is_told_apart_and_the_session_survives(model: Path) -> None:
    done = run_python(RUN_OUT_OF_MEMORY, str(model))
    assert (done.returncode, done.stdout.strip()) == (0, "75"), done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: bfc_arena.cc:376 "
        "onnxruntime::BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1073741824",
        "bfc_arena.cc Available memory of 1048576 is smaller than requested bytes of 4294967296",
        "CUDA failure 2: out of memory ; GPU=0 ; hostname=x ; file=cuda_allocator.cc",
        "CUDNN failure 5003: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
        "std::bad_alloc",
    ],
)
def test_messages_that_mean_out_of_memory_are_known(text: str) -> None:
    assert session_module.tells_out_of_memory(text)


def test_other_messages_do_not_mean_out_of_memory() -> None:
    assert not session_module.tells_out_of_memory("CUDA failure 700: an illegal memory access was encountered")


def test_the_wrong_input_is_the_models_error_and_names_the_file(model: Path) -> None:
    session = open_session(model, device="cpu", threads=1)
    with pytest.raises(ModelError, match=r"small\.onnx: ONNX Runtime can't run the model; found .*sequence"):
        session.run({"sequence": np.zeros((1, 4, 19), np.float32)})


def test_a_file_that_is_not_onnx_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a model")
    with pytest.raises(ModelError, match=r"text\.onnx: ONNX Runtime can't load the model") as caught:
        open_session(path, device="auto", threads=1)
    assert caught.value.exit_status == 4
    with pytest.raises(ModelError, match=r"^net\.onnx: "):
        open_session(b"not a model", device="cpu", threads=1, path_for_messages="net.onnx")


def test_out_of_memory_is_a_failure_of_the_machine() -> None:
    assert OutOfMemory("memory ran out").exit_status == 75


@pytest.mark.parametrize("width", [1, 3])
def test_padding_before_a_maximum_is_seen_by_it(width: int) -> None:
    """Zeros around negative numbers are the largest: ONNX Runtime's own rewrite of the pair loses them."""
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 17]>
        net (float[N, 2, 10] x) => (float[N, 2, M] y)
        {{ wide = Pad(x, pads) y = MaxPool<kernel_shape = [{width}]>(wide) }}""")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 0, 1, 0, 0, 1]), "pads"))
    values = -1 - np.random.default_rng(0).random((3, 2, 10)).astype(np.float32)
    (found,) = open_session(model.SerializeToString(), device="cpu", threads=1).run({"x": values})
    (wanted,) = ReferenceEvaluator(model).run(None, {"x": values})
    np.testing.assert_array_equal(found, wanted)
    assert (found == 0).any()
