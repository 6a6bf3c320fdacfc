"""What the machine itself says of CUDA: the driver, its devices, and the libraries that ONNX Runtime needs.

ONNX Runtime lists CUDA as available whenever it was built with it, and says only on stderr why it does not start
(onnxruntime issue 23372). These questions find the reason, so that it can be told with its remedy.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CudaFault", "CudaVersion", "device_count", "find_fault", "preload_libraries"]

DRIVER_LIBRARY = "libcuda.so.1"
REMEDY_DRIVER = "install the NVIDIA driver, or run on a machine that has one"
REMEDY_LIBRARIES = "run `pip install 'trackgen[gpu]'`, which brings the CUDA and cuDNN libraries"


@dataclass(frozen=True)
class CudaFault:
    """Why CUDA does not run here, and what the user can do."""

    reason: str
    remedy: str


@dataclass(frozen=True, order=True)
class CudaVersion:
    """A CUDA version; the driver says the newest that it serves, ONNX Runtime the one that it was built for."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def preload_libraries(onnxruntime: Any) -> str:
    """Load the CUDA and cuDNN libraries that come as Python packages, so that ONNX Runtime finds them.

    Returns what ONNX Runtime complained of: it prints that on stdout, which belongs to results.
    """
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is None:
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            preload()
        except Exception as error:  # whatever goes wrong here shows when the session is made
            said.write(str(error))
    return said.getvalue()


def device_count() -> int:
    """The CUDA devices that the driver sees; 0 without a driver."""
    driver, fault = _driver()
    return 0 if fault or driver is None else _count(driver)


def find_fault(onnxruntime: Any, index: int) -> CudaFault | None:
    """Why ONNX Runtime can't use CUDA device `index`; None where nothing is found to be wrong."""
    driver, fault = _driver()
    if driver is None or fault is not None:
        return fault
    count = _count(driver)
    if index >= count:
        names = "only cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        return CudaFault(f"there is no CUDA device {index}", f"choose another: this machine has {names}")
    return _version_fault(driver, onnxruntime) or _library_fault(onnxruntime)


def _driver() -> tuple[Any, CudaFault | None]:
    """The driver's library, ready for use, or the reason why it is not."""
    if platform.system() == "Darwin":
        return None, CudaFault("macOS has no CUDA", "use --device cpu")
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        return None, CudaFault(f"no NVIDIA driver is installed ({DRIVER_LIBRARY} is missing)", REMEDY_DRIVER)
    status = driver.cuInit(0)
    if status:
        reason = f"the NVIDIA driver does not start: {_error_name(driver, status)}"
        return None, CudaFault(reason, "see what `nvidia-smi` and CUDA_VISIBLE_DEVICES say")
    return driver, None


def _error_name(driver: Any, status: int) -> str:
    name = ctypes.c_char_p()
    driver.cuGetErrorName(status, ctypes.byref(name))
    return f"{name.value.decode()} ({status})" if name.value else f"error {status}"


def _count(driver: Any) -> int:
    count = ctypes.c_int(0)
    return count.value if driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def _version_fault(driver: Any, onnxruntime: Any) -> CudaFault | None:
    number = ctypes.c_int(0)
    built_for = _built_for(onnxruntime)
    if built_for is None or driver.cuDriverGetVersion(ctypes.byref(number)):
        return None
    served = CudaVersion(number.value // 1000, number.value % 1000 // 10)
    # Within one major version an older driver serves newer libraries (CUDA minor version compatibility).
    if served.major >= built_for.major:
        return None
    return CudaFault(
        f"the NVIDIA driver serves CUDA up to {served}, and the installed ONNX Runtime needs {built_for}",
        f"update the driver, or install an onnxruntime-gpu that is built for CUDA {served.major}",
    )


def _built_for(onnxruntime: Any) -> CudaVersion | None:
    words = str(getattr(onnxruntime, "cuda_version", "") or "").split(".")
    return CudaVersion(int(words[0]), int(words[1])) if len(words) >= 2 and "".join(words[:2]).isdecimal() else None


def _library_fault(onnxruntime: Any) -> CudaFault | None:
    """Load ONNX Runtime's CUDA provider by hand: the loader then names the library that is missing."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / "libonnxruntime_providers_cuda.so"))
    except OSError as error:
        return CudaFault(f"a library that ONNX Runtime needs does not load: {error}", REMEDY_LIBRARIES)
    return None
