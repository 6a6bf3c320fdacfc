"""ONNX Runtime sessions and devices: the only package that imports onnxruntime."""

from trackgen.runtime.devices import all_cuda_devices, device_kind
from trackgen.runtime.machine import available_memory, default_threads
from trackgen.runtime.session import WRONG_OPTIMIZERS, OutOfMemory, Session, open_session

__all__ = [
    "WRONG_OPTIMIZERS",
    "OutOfMemory",
    "Session",
    "all_cuda_devices",
    "available_memory",
    "default_threads",
    "device_kind",
    "open_session",
]
