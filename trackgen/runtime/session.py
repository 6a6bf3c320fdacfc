"""A loaded ONNX graph on a device."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ModelError, ResourceError
from trackgen.runtime.devices import CUDA, Device, choose_device, import_onnxruntime

__all__ = ["WRONG_OPTIMIZERS", "OutOfMemory", "Session", "open_session"]

Array = NDArray[Any]
ERRORS_ONLY = 3
LONGEST_TEXT = 300
"""Characters of a message of ONNX Runtime that we pass on."""
OUT_OF_MEMORY_TEXTS = (
    "out of memory",
    "failed to allocate memory",
    "bad_alloc",
    "bad allocation",
    "out_of_memory",
    "alloc_failed",
    "allocation_failed",
    "cannot allocate memory",
    # BFCArena: "Available memory of N is smaller than requested bytes of M"
    "is smaller than requested bytes",
)
DEVICE_LOST_TEXTS = ("device lost", "cuda error", "cudnn error", "cublas error", "cuda failure", "cudnn failure")


WRONG_OPTIMIZERS = ("Pad_Fusion",)
"""Rewrites of ONNX Runtime that change values: this one makes padding with zeros before a MaxPool one that no maximum
sees, and refuses it before a pool of one element (found in 1.31)."""


class OutOfMemory(ResourceError):
    """A batch did not fit into the device's memory: try a smaller one."""


class Session:
    """A loaded graph on a device; made by `open_session`.

    Attributes:
        device: where it really runs, ``cpu`` or ``cuda:0``.
        providers: the execution providers that the session has.
        reason: why this device, in words.
        path: the model's file, for messages.
    """

    def __init__(self, session: Any, device: Device, path: str) -> None:
        self._session = session
        self.path = path
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
            raise OutOfMemory("memory ran out while running the model", path=self.path) from error
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise self._translate(error) from error
        return [np.asarray(result) for result in results]

    def _translate(self, error: Exception) -> Exception:
        text = one_line(error)
        if tells_out_of_memory(text):
            return OutOfMemory("memory ran out while running the model", path=self.path, found=text)
        if self.device != "cpu" and any(words in text.lower() for words in DEVICE_LOST_TEXTS):
            return ResourceError(
                f"the device {self.device} failed",
                path=self.path,
                found=text,
                remedy="run the same command again",
            )
        return ModelError(
            "ONNX Runtime can't run the model",
            path=self.path,
            found=text,
            remedy="`trackgen model check` tells whether a batch size is frozen inside it",
        )


def one_line(error: Exception) -> str:
    """What an error says, on one line of bearable length."""
    return " ".join(str(error).split())[:LONGEST_TEXT]


def tells_out_of_memory(text: str) -> bool:
    """Whether a message of ONNX Runtime means that memory ran out: it has no type of its own for that."""
    return any(words in text.lower() for words in OUT_OF_MEMORY_TEXTS)


def open_session(
    model: str | os.PathLike[str] | bytes,
    *,
    device: str = "auto",
    threads: int,
    path_for_messages: str | os.PathLike[str] | None = None,
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
        OutOfMemory: the model does not fit into the device's memory.
    """
    chosen = choose_device(device)
    source = model if isinstance(model, bytes) else os.fspath(model)
    name = "the model" if isinstance(source, bytes) else source
    path = name if path_for_messages is None else os.fspath(path_for_messages)
    options = _options(threads)
    if chosen.name == "cpu":
        return Session(_create(source, options, chosen, path), chosen, path)
    failure = ""
    try:
        session = _create(source, options, chosen, path)
        # A device that can't be started is left out without an error: only the session knows.
        if session.get_providers()[0] == CUDA:
            return Session(session, chosen, path)
    except ModelError as error:
        failure = str(error.found)
    # A model that the CPU can't load either is at fault itself, not the device.
    on_cpu = choose_device("cpu")
    session = _create(source, options, on_cpu, path)
    return Session(session, chosen.without_cuda(failure), path)


def _options(threads: int) -> Any:
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    # Waiting threads sleep: spinning ones starve the stages that read and encode. Measured on two busy cores, small
    # net: 1.4 to 2 times the windows a second, half the processor time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _create(source: str | bytes, options: Any, device: Device, path: str) -> Any:
    """An ONNX Runtime session.

    Raises:
        ModelError: it can't be made; `found` is what ONNX Runtime says.
        OutOfMemory: the model does not fit into memory.
    """
    try:
        # Without enable_fallback=0 a failure prints a banner on stdout and goes on with another device.
        return import_onnxruntime().InferenceSession(
            source,
            sess_options=options,
            providers=list(device.providers),
            enable_fallback=0,
            disabled_optimizers=list(WRONG_OPTIMIZERS),
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        text = one_line(error)
        if isinstance(error, MemoryError) or tells_out_of_memory(text):
            raise OutOfMemory("the model does not fit into memory", path=path, found=text) from error
        raise ModelError(
            "ONNX Runtime can't load the model",
            path=path,
            found=text,
            wanted="an ONNX model that this version of ONNX Runtime knows",
        ) from error
