"""What a process computes with: runners on a device, cores, and how much of the genome is in memory at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from trackgen.errors import UsageError
from trackgen.progress import Progress
from trackgen.runtime import available_memory, device_kind
from trackgen.scan.modes import choose_threading
from trackgen.scan.options import ScanOptions
from trackgen.scan.pipeline import Lane
from trackgen.scan.plan import ModelPlan, ScanPlan
from trackgen.scan.runners import ModelRunner, open_runners
from trackgen.scan.tracks import strands_of

__all__ = ["Machinery", "Room", "choose_room", "open_machinery"]

CHUNK_BYTES = 6 << 20
"""Memory of one chunk, about: enough that work on arrays outweighs the calls..."""
CHUNK_TRACK_BYTES = 32 << 10
"""... also where many tracks share it."""
SPARE_SLOTS = 2
"""Slots beside those that run models: one reads or writes while the others run."""
COPIES = 4
"""Of a chunk's values in memory at a time: rounded, cut, gathered, encoded."""
BASE_BYTES = 4
"""Of a chunk, a base: its code, its state, and what is made of them on the way."""
SIGNAL_BYTES = 12
"""Memory of one base of a signal: its float32 value, and while it is read its float64 value."""
SUM_BYTES = 32
"""Of a base of a tile, a class and an input: float64 sums and means of a reading, and what they are made from."""
TRACK_BYTES = 160 << 10
"""Of an open track: what is gathered of the section that is not full, and the histograms of two shards."""


@dataclass(frozen=True)
class Room:
    """How much is in memory at a time.

    Attributes:
        slots: chunks.
        chunk: bases of one, about.
        memory: bytes of all slots and tracks together.
    """

    slots: int
    chunk: int
    memory: int


@dataclass(frozen=True)
class Machinery:
    """What a process computes with.

    Attributes:
        runners: each set of runners serves one slot at a time.
        cores: what encoding shares with the runners, or has for itself beside a device.
        reading: the genome and the signals are read by one slot at a time.
        at_once: slots that run models at a time.
        working: slots that run models or encode at a time.
        slots: chunks in memory at a time.
        chunk: bases of one, about.
        name: of this process, unlike that of any other on any host.
        facts: what run.json says of the device.
    """

    runners: Lane[list[ModelRunner]]
    cores: Lane[Any]
    reading: Lane[None]
    at_once: int
    working: int
    slots: int
    chunk: int
    name: str
    facts: dict[str, Any]


def choose_room(plan: ScanPlan, working: int, memory: int | None) -> Room:
    """How many slots of how many bases; fewer where `memory` bytes bound them.

    Args:
        working: slots that run models or encode at a time.

    Raises:
        UsageError: not even one tile in one slot fits.
    """
    tracks = [track for model in plan.models for track in model.tracks]
    slots = working + SPARE_SLOTS
    values = sum(1 / track.grid.step for track in tracks)
    bytes_a_base = (
        values * 4 * COPIES + sum(map(_result_bytes, plan.models)) + BASE_BYTES + SIGNAL_BYTES * len(plan.signals)
    )
    wanted = max(CHUNK_BYTES, CHUNK_TRACK_BYTES * len(tracks))
    tiles = max(1, round(wanted / bytes_a_base / plan.tile))
    fixed = TRACK_BYTES * len(tracks) + working * sum(_explaining_bytes(model, plan.tile) for model in plan.models)
    if memory is not None:
        while slots * tiles * plan.tile * bytes_a_base + fixed > memory and (tiles > 1 or slots > 1):
            tiles, slots = (tiles // 2, slots) if tiles > 1 else (1, slots - 1)
    needed = int(slots * tiles * plan.tile * bytes_a_base) + fixed
    if memory is not None and needed > memory:
        raise UsageError(
            "not even one tile fits into the memory allowed, beside the models",
            place="--memory",
            found=f"{memory:,} bytes",
            wanted=f"at least {needed:,} bytes",
            remedy="allow more, use a smaller --tile, or fewer tracks with --classes",
        )
    return Room(slots, tiles * plan.tile, needed)


def _result_bytes(model: ModelPlan) -> float:
    """Of a base: all classes of a model, on each strand, are in memory until its tracks are cut from them."""
    strands = len(strands_of(model.card))
    predictions = sum(4 * strands * len(output.classes) / model.grid(output).step for output in model.card.outputs)
    explanation = model.explanation
    return predictions + (4 * strands * len(explanation.slots) * len(explanation.inputs) if explanation else 0)


def _explaining_bytes(model: ModelPlan, tile: int) -> int:
    """Of a tile whose contributions are added up, its halo included."""
    explanation = model.explanation
    if explanation is None:
        return 0
    readings = 1 if model.card.strands == "forward" else 2
    bases = tile + 4 * model.card.window + 2 * (explanation.distance + explanation.block * model.stride)
    return readings * len(explanation.slots) * len(explanation.inputs) * bases * SUM_BYTES


def open_machinery(plan: ScanPlan, options: ScanOptions, tiles: int, progress: Progress) -> Machinery:
    """Load the models onto the device.

    Args:
        tiles: how many there are to run.
    """
    threading = choose_threading(device_kind(options.device), options.threads, tiles)
    # Beside a device, all cores encode what it ran.
    working = threading.tiles_at_once if device_kind(options.device) == "cpu" else options.threads
    room = choose_room(plan, working, options.memory or available_memory() // 2)
    runners = open_runners(plan, options, threading, progress)
    session = runners[0].main.session
    lane = Lane([runners] * threading.tiles_at_once)
    # Beside a device the cores have nothing else to do.
    cores: Lane[Any] = lane if session.device == "cpu" else Lane([None] * options.threads)
    # Few tiles are spread over all threads.
    chunk = min(room.chunk, max(1, tiles // threading.tiles_at_once) * plan.tile)
    return Machinery(
        runners=lane,
        cores=cores,
        reading=Lane([None]),
        at_once=threading.tiles_at_once,
        working=working,
        slots=room.slots,
        chunk=chunk,
        name=f"{os.uname().nodename}-{os.getpid()}",
        facts={"used": session.device, "providers": list(session.providers), "threads": options.threads},
    )
