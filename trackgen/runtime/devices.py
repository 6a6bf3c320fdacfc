"""Devices, told honestly: what was asked for, what ONNX Runtime can do, and what a session really has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from trackgen.errors import UsageError
from trackgen.runtime.cuda import CudaFault, device_count, find_fault, preload_libraries

__all__ = [
    "CPU",
    "CUDA",
    "Device",
    "all_cuda_devices",
    "choose_device",
    "device_kind",
    "import_onnxruntime",
    "installed_flavours",
]

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
WANTED = "auto, cpu, cuda or cuda:N"
DEVICE_NAMES = r"auto|cpu|cuda(?::(\d+))?"
FLAVOURS = ("onnxruntime", "onnxruntime-gpu")
FATAL_ONLY = 4
REMEDY_DOCTOR = "`trackgen doctor` says which devices work and how to get the others"
REMEDY_INSTALL = "run `pip install 'trackgen[cpu]'`, or with a CUDA device `pip install 'trackgen[gpu]'`"
REMEDY_GPU_BUILD = "run `pip uninstall onnxruntime onnxruntime-gpu`, then `pip install 'trackgen[gpu]'`"


@dataclass(frozen=True)
class Device:
    """A device and the providers to ask ONNX Runtime for.

    Attributes:
        name: ``cpu`` or ``cuda:N``.
        asked: what the user asked for.
        reason: why this device, in words.
        providers: ONNX Runtime's execution providers, best first.
    """

    name: str
    asked: str
    reason: str
    providers: tuple[Any, ...]

    @property
    def index(self) -> int:
        """The number of a CUDA device."""
        return int(self.name.partition(":")[2] or 0)

    def without_cuda(self, failure: str) -> Device:
        """What is left when a session did not get this CUDA device: the CPU for ``auto``, an error else.

        Args:
            failure: what ONNX Runtime said, empty if nothing.

        Raises:
            UsageError: a CUDA device was asked for by name.
        """
        said = f"ONNX Runtime could not start CUDA: {failure}" if failure else "ONNX Runtime could not start CUDA"
        fault = find_fault(import_onnxruntime(), self.index) or CudaFault(said, REMEDY_DOCTOR)
        return _without_cuda(self.asked, fault)


def choose_device(asked: str) -> Device:
    """The device to try for `asked`.

    Raises:
        UsageError: an unknown device, or CUDA by name with a build of ONNX Runtime that lacks it.
    """
    match = re.fullmatch(DEVICE_NAMES, asked)
    if match is None:
        raise UsageError("there is no such device", place="--device", found=asked, wanted=WANTED)
    if asked == "cpu":
        return Device("cpu", asked, "asked for", (CPU,))
    onnxruntime = import_onnxruntime()
    if CUDA not in onnxruntime.get_available_providers():
        return _without_cuda(asked, _build_fault())
    preload_libraries(onnxruntime)
    # A failed start is told by us, with its reason; ONNX Runtime would fill stderr with it.
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    index = int(match.group(1) or 0)
    reason = "a CUDA device answers" if asked == "auto" else "asked for"
    # The algorithm search must not depend on timing: the same values on every run. TF32 would keep 10 bits only.
    settings = {"device_id": str(index), "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    return Device(f"cuda:{index}", asked, reason, ((CUDA, settings), CPU))


def device_kind(asked: str) -> str:
    """``cpu`` or ``cuda``: what a scan is planned for. CUDA asked for by name need not be there to be planned for.

    Raises:
        UsageError: an unknown device.
    """
    if asked.startswith("cuda") and re.fullmatch(rf"{DEVICE_NAMES}|cuda:all", asked):
        return "cuda"
    return choose_device(asked).name.partition(":")[0]


def all_cuda_devices() -> list[str]:
    """The CUDA devices of this machine, by name.

    Raises:
        UsageError: there is none, or CUDA does not work here.
    """
    count = device_count()
    if not count:
        choose_device("cuda")
        fault = find_fault(import_onnxruntime(), 0) or CudaFault("the driver sees no CUDA device", REMEDY_DOCTOR)
        _without_cuda("cuda:all", fault)
    return [f"cuda:{index}" for index in range(count)]


def _without_cuda(asked: str, fault: CudaFault) -> Device:
    if asked == "auto":
        return Device("cpu", asked, fault.reason, (CPU,))
    remedy = fault.remedy if REMEDY_DOCTOR in fault.remedy else f"{fault.remedy}; {REMEDY_DOCTOR}"
    raise UsageError(
        f"the device can't be used: {fault.reason}",
        place="--device",
        found=asked,
        wanted="a device that works here",
        remedy=remedy,
    )


def _build_fault() -> CudaFault:
    """Why the installed ONNX Runtime has no CUDA: its CPU build is there, alone or over the GPU build."""
    if len(installed_flavours()) > 1:
        reason = "onnxruntime and onnxruntime-gpu are both installed, and the build without CUDA won"
    else:
        reason = "the installed ONNX Runtime is built without CUDA"
    return CudaFault(reason, REMEDY_GPU_BUILD)


def installed_flavours() -> dict[str, str]:
    """The builds of ONNX Runtime that are installed -> version. Two of them overwrite each other's files."""
    found = {}
    for name in FLAVOURS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def import_onnxruntime() -> Any:
    """The module onnxruntime.

    Raises:
        UsageError: it is not installed, or can't be loaded.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "ONNX Runtime, which runs the models, is not installed or does not load",
            found=str(error),
            wanted="onnxruntime or onnxruntime-gpu",
            remedy=REMEDY_INSTALL,
        ) from error
    return onnxruntime
