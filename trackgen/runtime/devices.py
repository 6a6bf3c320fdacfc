"""Devices, told honestly: what was asked for, what ONNX Runtime can do, and what a session really has."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from trackgen.errors import UsageError

__all__ = ["Device", "choose_device", "import_onnxruntime"]

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
WANTED = "auto, cpu, cuda or cuda:N"
REMEDY_DOCTOR = "`trackgen doctor` says which devices work and how to get the others"
REMEDY_INSTALL = "pip install 'trackgen[cpu]' for CPU cores, or 'trackgen[gpu]' for a CUDA device"


@dataclass(frozen=True)
class Device:
    """A device and the providers to ask ONNX Runtime for."""

    name: str
    asked: str
    reason: str
    providers: list[Any]

    def confirm(self, granted: list[str]) -> Device:
        """This device if a session really got it; the CPU for ``auto`` if not.

        Raises:
            UsageError: a CUDA device was asked for by name, and the session has not got it.
        """
        if self.name == "cpu" or CUDA in granted:
            return self
        reason = "ONNX Runtime could not start CUDA: a driver or library is missing, or the device does not exist"
        if self.asked == "auto":
            return replace(self, name="cpu", reason=reason, providers=[CPU])
        raise _refusal(self.asked, reason, REMEDY_DOCTOR)


def choose_device(asked: str) -> Device:
    """The device to try for `asked`.

    Raises:
        UsageError: an unknown device, or CUDA without a build of ONNX Runtime that has it.
    """
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", asked)
    if match is None:
        raise UsageError("there is no such device", place="--device", found=asked, wanted=WANTED)
    if asked == "cpu":
        return Device("cpu", asked, "asked for", [CPU])
    has_cuda = CUDA in import_onnxruntime().get_available_providers()
    if not has_cuda:
        reason = "the installed ONNX Runtime is built without CUDA"
        if asked == "auto":
            return Device("cpu", asked, reason, [CPU])
        remedy = "pip uninstall onnxruntime, then pip install 'trackgen[gpu]'; " + REMEDY_DOCTOR
        raise _refusal(asked, reason, remedy)
    _preload_libraries()
    index = int(match.group(1) or 0)
    reason = "a CUDA device answers" if asked == "auto" else "asked for"
    # The algorithm search must not depend on timing: the same values on every run.
    settings = {"device_id": index, "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    return Device(f"cuda:{index}", asked, reason, [(CUDA, settings), CPU])


def _refusal(asked: str, reason: str, remedy: str) -> UsageError:
    return UsageError(
        "the device can't be used",
        place="--device",
        found=f"{asked}, but {reason}",
        wanted="a device that works",
        remedy=remedy,
    )


@cache
def _preload_libraries() -> None:
    """Let ONNX Runtime find the CUDA and cuDNN libraries that come as Python packages."""
    preload = getattr(import_onnxruntime(), "preload_dlls", None)
    if preload is not None:
        preload()


def import_onnxruntime() -> Any:
    """The module onnxruntime.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "ONNX Runtime is not installed",
            found=str(error),
            wanted="onnxruntime or onnxruntime-gpu",
            remedy=REMEDY_INSTALL,
        ) from error
    return onnxruntime
