"""Devices: what can't be honoured is refused with its reason and remedy, and `auto` says what it chose and why."""

from __future__ import annotations

import builtins
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.models import small_model
from trackgen.errors import ModelError, UsageError
from trackgen.runtime import cuda, devices, open_session

CPU_ONLY = ["CPUExecutionProvider"]
BOTH = ["CUDAExecutionProvider", "CPUExecutionProvider"]


class FakeSession:
    """What ONNX Runtime gives: a session that has other providers than were asked for."""

    granted: list[str] = CPU_ONLY
    failure: str = ""

    def __init__(
        self,
        source: Any,
        *,
        sess_options: Any,
        providers: list[Any],
        enable_fallback: int,
        disabled_optimizers: list[str],
    ) -> None:
        assert enable_fallback == 0, "or else a banner on stdout, and another device"
        if self.failure and len(providers) > 1:
            raise RuntimeError(self.failure)
        self._providers = self.granted if len(providers) > 1 else CPU_ONLY

    def get_providers(self) -> list[str]:
        return self._providers

    def get_inputs(self) -> list[Any]:
        return []

    get_outputs = get_inputs


class FakeDriver:
    """The driver's library with `devices` devices, for CUDA `version` (12080 is 12.8)."""

    def __init__(self, devices: int, version: int = 13000, status: int = 0) -> None:
        self.devices, self.version, self.status = devices, version, status

    def cuInit(self, flags: int) -> int:
        return self.status

    def cuGetErrorName(self, status: int, name: Any) -> int:
        name._obj.value = b"CUDA_ERROR_NO_DEVICE"
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.devices
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = self.version
        return 0


@pytest.fixture
def gpu_build(monkeypatch: pytest.MonkeyPatch) -> type[FakeSession]:
    """An ONNX Runtime that claims CUDA; the test says what its sessions really get."""
    import onnxruntime

    fake = type("Session", (FakeSession,), {})
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BOTH)
    monkeypatch.setattr(onnxruntime, "InferenceSession", fake)
    return fake


def load_driver(monkeypatch: pytest.MonkeyPatch, driver: FakeDriver | None) -> None:
    def load(name: str, mode: int = 0) -> Any:
        if driver is None or name != cuda.DRIVER_LIBRARY:
            raise OSError(f"{name.rpartition('/')[2]}: cannot open shared object file")
        return driver

    monkeypatch.setattr(cuda.ctypes, "CDLL", load)
    monkeypatch.setattr(cuda.platform, "system", lambda: "Linux")


@pytest.mark.parametrize("asked", ["gpu", "cuda:", "cuda:x", "CPU", "cuda:-1", ""])
def test_an_unknown_device_is_refused_with_what_is_allowed(asked: str, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"there is no such device; found .*wanted auto, cpu, cuda or cuda:N"
    ) as caught:
        open_session(small_model(tmp_path).path, device=asked, threads=1)
    assert caught.value.exit_status == 2


def test_cuda_with_the_cpu_build_is_refused_and_auto_runs_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: CPU_ONLY)
    monkeypatch.setattr(devices.metadata, "version", lambda name: _version(name, "onnxruntime"))
    path = small_model(tmp_path).path
    with pytest.raises(UsageError, match=r"built without CUDA; found cuda; .*pip install 'trackgen\[gpu\]'.*doctor"):
        open_session(path, device="cuda", threads=1)
    session = open_session(path, device="auto", threads=1)
    assert (session.device, session.reason) == ("cpu", "the installed ONNX Runtime is built without CUDA")


def test_two_builds_of_onnx_runtime_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: CPU_ONLY)
    monkeypatch.setattr(devices.metadata, "version", lambda name: "1.0")
    with pytest.raises(UsageError, match="onnxruntime and onnxruntime-gpu are both installed"):
        devices.choose_device("cuda:1")


def _version(name: str, *installed: str) -> str:
    if name not in installed:
        raise devices.metadata.PackageNotFoundError(name)
    return "1.0"


def test_cuda_that_starts_is_used_and_named(gpu_build: type[FakeSession]) -> None:
    gpu_build.granted = BOTH
    session = open_session(b"", device="auto", threads=1)
    assert (session.device, session.providers) == ("cuda:0", BOTH)
    assert open_session(b"", device="cuda:2", threads=1).device == "cuda:2"


@pytest.mark.parametrize(
    ("driver", "asked", "reason"),
    [
        (None, "cuda", "no NVIDIA driver is installed .*install the NVIDIA driver"),
        (FakeDriver(0, status=100), "cuda", r"does not start: CUDA_ERROR_NO_DEVICE \(100\).*nvidia-smi"),
        (FakeDriver(1), "cuda:3", "no CUDA device 3; found cuda:3.*only cuda:0"),
        (FakeDriver(4), "cuda:4", "no CUDA device 4.*cuda:0 to cuda:3"),
        (FakeDriver(1, version=12080), "cuda", r"CUDA up to 12\.8, and the installed ONNX Runtime needs 13\.0"),
        (FakeDriver(1), "cuda", r"does not load: .*cannot open shared object file.*pip install 'trackgen\[gpu\]'"),
    ],
)
def test_cuda_that_does_not_start_is_refused_with_its_reason(
    gpu_build: type[FakeSession], monkeypatch: pytest.MonkeyPatch, driver: FakeDriver | None, asked: str, reason: str
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "cuda_version", "13.0", raising=False)
    load_driver(monkeypatch, driver)
    with pytest.raises(UsageError, match=f"(?i)--device: the device can't be used: .*{reason}") as caught:
        open_session(b"", device=asked, threads=1)
    assert caught.value.exit_status == 2


def test_auto_without_a_driver_runs_on_the_cpu_and_says_why(
    gpu_build: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_driver(monkeypatch, None)
    session = open_session(b"", device="auto", threads=1)
    assert (session.device, session.providers) == ("cpu", CPU_ONLY)
    assert session.reason == "no NVIDIA driver is installed (libcuda.so.1 is missing)"


def test_what_onnx_runtime_says_is_passed_on_where_nothing_else_is_known(
    gpu_build: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    import trackgen.runtime.devices as module

    monkeypatch.setattr(module, "find_fault", lambda onnxruntime, index: None)
    gpu_build.failure = "CUDA failure 999: unknown error"
    with pytest.raises(UsageError, match="could not start CUDA: CUDA failure 999: unknown error"):
        open_session(b"", device="cuda", threads=1)
    assert open_session(b"", device="auto", threads=1).device == "cpu"


def test_a_broken_model_is_not_blamed_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BOTH)
    with pytest.warns(UserWarning, match="not in available"), pytest.raises(ModelError):
        open_session(b"not a model", device="cuda", threads=1)


def test_what_preloading_prints_stays_off_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    def preload_dlls() -> None:
        print("Failed to load libcublas.so.13")

    assert "libcublas" in cuda.preload_libraries(SimpleNamespace(preload_dlls=preload_dlls))
    assert capsys.readouterr().out == ""


def test_a_missing_onnx_runtime_is_told_with_the_command_that_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def fail(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'")
        return real_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(UsageError, match=r"not installed.*pip install 'trackgen\[cpu\]'"):
        open_session(b"", device="cpu", threads=1)
