"""What is installed, which devices really run, and what is missing: the facts behind ``trackgen doctor``."""

from __future__ import annotations

import dataclasses
import platform
import shutil
import time
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

import trackgen
from trackgen.errors import TrackgenError
from trackgen.resources import IGV_JS, JBROWSE, ONNX_RUNTIME, browser_assets, hub_templates, shipped_models
from trackgen.runtime.cuda import device_count
from trackgen.runtime.devices import CUDA, FLAVOURS, import_onnxruntime, installed_flavours
from trackgen.runtime.machine import available_memory, default_threads
from trackgen.runtime.sample import LARGEST_DIFFERENCE, make_sample
from trackgen.runtime.session import open_session

__all__ = ["DeviceCheck", "Part", "Report", "check_device", "diagnose"]

CORE = "core"

PACKAGES = (
    (CORE, "", ("click", "numpy", "onnx", "pysam", "isal", "pooch")),
    ("the page in the browser", "serve", ("starlette", "uvicorn")),
    ("figures of a locus", "plot", ("matplotlib",)),
    ("genes in hubs and pages", "genes", ("pybigtools",)),
    (
        "training and export",
        "train",
        ("torch", "onnxscript", "pybedtools", "scikit-learn", "optuna", "scipy", "matplotlib", "memelite"),
    ),
    ("calling peaks, for denoising as published", "peaks", ("macs3",)),
    (
        "explaining: motifs, pictures, reports",
        "explain",
        ("modisco-lite", "memelite", "h5py", "pybigtools", "matplotlib", "scikit-learn", "scipy", "pybedtools"),
    ),
    ("shards over many machines", "cluster", ("distributed",)),
)
"""Purpose, extra of setup.cfg, and its packages. A test holds this to setup.cfg."""

SIGNAL_READERS = ("pyBigWig", "pybigtools")
"""Either of them reads users' BigWig tracks."""

PROGRAMS = (
    ("training: interval algebra", ("bedtools",), "apt-get install bedtools"),
    ("tests of the page", ("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
    ("make assets: pages that work offline", ("npm",), "apt-get install npm"),
)
"""Purpose, names the program goes by, and how Debian gets it."""


@dataclass(frozen=True)
class Part:
    """A package or a program.

    Attributes:
        name: what it is called where it is got from.
        purpose: what it is for.
        found: the installed version, for a program its path; None where it is missing.
        command: what gets it.
    """

    name: str
    purpose: str
    found: str | None
    command: str


@dataclass(frozen=True)
class DeviceCheck:
    """What a small graph did on a device.

    Attributes:
        name: ``cpu`` or ``cuda:N``.
        runs: whether the graph ran there and its numbers were right.
        detail: the largest difference and the time, or why it did not run.
    """

    name: str
    runs: bool
    detail: str


@dataclass(frozen=True)
class Report:
    """The whole diagnosis.

    Attributes:
        problems: what is wrong, with the remedy; parts that are merely absent are not in it.
        can_scan: whether ``trackgen scan`` can work here at all.
    """

    trackgen: str
    python: str
    system: str
    threads: int
    memory_bytes: int
    packages: tuple[Part, ...]
    programs: tuple[Part, ...]
    models: tuple[str, ...]
    devices: tuple[DeviceCheck, ...]
    problems: tuple[str, ...]
    can_scan: bool

    def to_dict(self) -> dict[str, Any]:
        """This report as plain values, for JSON."""
        return dataclasses.asdict(self)


def diagnose() -> Report:
    """Look at this machine and this installation, and run a small graph on every device."""
    packages = tuple(_packages())
    devices = tuple(check_device(name) for name in _device_names())
    complete = all(part.found for part in packages if part.purpose == CORE)
    return Report(
        trackgen=trackgen.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        threads=default_threads(),
        memory_bytes=available_memory(),
        packages=packages,
        programs=tuple(_programs()),
        models=_models(),
        devices=devices,
        problems=tuple(_problems(packages, devices)),
        can_scan=complete and any(device.runs for device in devices),
    )


def check_device(name: str) -> DeviceCheck:
    """Run a small graph on device `name` and compare its numbers with numpy's."""
    try:
        sample = make_sample()
        session = open_session(sample.model, device=name, threads=default_threads(), path_for_messages="a small graph")
        inputs = {"sequence": sample.sequence}
        session.run(inputs)  # the first run also loads kernels
        began = time.perf_counter()
        (result,) = session.run(inputs)
        milliseconds = 1000 * (time.perf_counter() - began)
    except (TrackgenError, ImportError) as error:
        return DeviceCheck(name, False, str(error))
    difference = float(np.abs(result - sample.probability).max())
    detail = f"largest difference {difference:.1g}, {milliseconds:.1f} ms, {', '.join(session.providers)}"
    if difference <= LARGEST_DIFFERENCE:
        return DeviceCheck(session.device, True, detail)
    return DeviceCheck(session.device, False, f"wrong numbers: {detail}, wanted {LARGEST_DIFFERENCE:g} at most")


def _device_names() -> list[str]:
    """The CPU and every CUDA device; ``cuda:0`` also where none is seen but one is hoped for, to tell the reason."""
    try:
        built_for_cuda = CUDA in import_onnxruntime().get_available_providers()
    except TrackgenError:
        built_for_cuda = False
    count = device_count()
    hoped_for = built_for_cuda or "onnxruntime-gpu" in installed_flavours()
    return ["cpu", *(f"cuda:{index}" for index in range(max(count, int(hoped_for))))]


def _packages() -> list[Part]:
    runs = ", ".join(f"{name} {version}" for name, version in installed_flavours().items())
    reads = ", ".join(f"{name} {version}" for name in SIGNAL_READERS if (version := _version(name)))
    parts = [
        Part(" or ".join(FLAVOURS), "running models", runs or None, _pip("cpu") + ", or [gpu] for CUDA devices"),
        Part(" or ".join(SIGNAL_READERS), "reading tracks", reads or None, _pip("")),
    ]
    for purpose, extra, names in PACKAGES:
        parts += [Part(name, purpose, _version(name), _pip(extra)) for name in names]
    return parts


def _programs() -> list[Part]:
    return [
        Part(names[0], purpose, next(filter(None, map(shutil.which, names)), None), command)
        for purpose, names, command in PROGRAMS
    ]


def _problems(packages: tuple[Part, ...], devices: tuple[DeviceCheck, ...]) -> list[str]:
    problems = []
    if len(installed_flavours()) > 1:
        problems.append(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; "
            f"pip uninstall {' '.join(FLAVOURS)}, then {_pip('gpu')} or {_pip('cpu')}"
        )
    for part in packages:
        if part.found is None and part.purpose in (CORE, "running models"):
            problems.append(f"{part.name} is missing; {part.command}")
    problems += [f"{device.name} does not run: {device.detail}" for device in devices if not device.runs]
    try:
        hub_templates()
        shipped_models()
    except TrackgenError as error:
        problems.append(str(error))
    assets = browser_assets()
    needed = (IGV_JS, JBROWSE, ONNX_RUNTIME)
    lacking = [code.title for code in needed if assets is None or not (assets / code.file).is_file()]
    if lacking:
        problems.append(
            f"not installed: {', '.join(lacking)}; pages load them from public addresses (in a checkout: make assets)"
        )
    return problems


def _models() -> tuple[str, ...]:
    try:
        return tuple(shipped_models())
    except TrackgenError:
        return ()


def _pip(extra: str) -> str:
    return f"pip install 'trackgen[{extra}]'" if extra else "pip install --upgrade trackgen"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
