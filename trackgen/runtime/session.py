"""A loaded ONNX graph on a device."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ModelError, ResourceError
from trackgen.runtime.devices import Device, choose_device, import_onnxruntime

__all__ = ["OutOfMemory", "Session", "open_session"]

Array = NDArray[Any]
ERRORS_ONLY = 3
OUT_OF_MEMORY_TEXTS = (
    "out of memory",
    "failed to allocate memory",
    "bad_alloc",
    "bad allocation",
    "cuda_error_out_of_memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "available memory of",
)
DEVICE_LOST_TEXTS = ("device lost", "cuda error", "cudnn error", "cublas error", "cuda failure", "cudnn failure")


class OutOfMemory(ResourceError):
    """A batch did not fit into the device's memory: try a smaller one."""


class Session:
    """A loaded graph on a device; made by `open_session`.

    Attributes:
        device: where it really runs, ``cpu`` or ``cuda:0``.
        providers: the execution providers that the session has.
        reason: why this device, in words.
    """

    def __init__(self, session: Any, device: Device, path: str) -> None:
        self._session = session
        self._path = path
        self.device = device.name
        self.reason = device.reason
        self.providers: list[str] = list(session.get_providers())
        self.input_names: list[str] = [entry.name for entry in session.get_inputs()]
        self.output_names: list[str] = [entry.name for entry in session.get_outputs()]

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None) -> list[Array]:
        """Run the graph once.

        Args:
            inputs: graph input name -> array, float32 unless the graph says otherwise.
            outputs: names of the wanted outputs; all where None.

        Raises:
            OutOfMemory: the batch did not fit into memory.
            ResourceError: the device was lost.
            ModelError: the graph can't be run on these inputs.
        """
        try:
            results = self._session.run(None if outputs is None else list(outputs), dict(inputs))
        except MemoryError as error:
            raise OutOfMemory("memory ran out while running the model", path=self._path) from error
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise self._translate(error) from error
        return [np.asarray(result) for result in results]

    def _translate(self, error: Exception) -> Exception:
        text = " ".join(str(error).split())
        lowered = text.lower()
        if any(words in lowered for words in OUT_OF_MEMORY_TEXTS):
            return OutOfMemory("memory ran out while running the model", path=self._path, found=text[:300])
        if self.device != "cpu" and any(words in lowered for words in DEVICE_LOST_TEXTS):
            return ResourceError(
                f"the device {self.device} failed",
                path=self._path,
                found=text[:300],
                remedy="run the same command again",
            )
        return ModelError("ONNX Runtime can't run the model", path=self._path, found=text[:300])


def open_session(
    model: str | os.PathLike[str] | bytes,
    *,
    device: str = "auto",
    threads: int = 1,
    path_for_messages: str | None = None,
) -> Session:
    """Load an ONNX model.

    Args:
        model: a file, or the bytes of one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: cores that one call may use; always told to ONNX Runtime, which otherwise takes all of the machine's.
        path_for_messages: how to name a model given as bytes.

    Raises:
        UsageError: an unknown device, or one that can't be honoured.
        ModelError: ONNX Runtime can't load the model.
    """
    ort = import_onnxruntime()
    path = path_for_messages or ("the model" if isinstance(model, bytes) else os.fspath(model))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    # Waiting threads sleep: spinning ones starve the stages that read and encode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0" if threads == 1 else "1")
    chosen = choose_device(device)
    source = model if isinstance(model, bytes) else str(Path(model))

    def create(providers: list[Any]) -> Any:
        try:
            return ort.InferenceSession(source, sess_options=options, providers=providers)
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise ModelError(
                "ONNX Runtime can't load the model",
                path=path,
                found=" ".join(str(error).split())[:300],
                wanted="an ONNX model that this version of ONNX Runtime knows",
            ) from error

    session = create(chosen.providers)
    return Session(session, chosen.confirm(session.get_providers()), path)
