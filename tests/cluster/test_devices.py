"""``--device cuda:all``: a process for each device. Two processes on cores stand for two devices.

Not exercised: CUDA devices; `benchmarks/gpu.py` is for machines that have them.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import trackgen
from tests.cluster.scenes import SLOW, Scene, results, shards_in, wait_until
from trackgen.errors import ModelError, ResourceError
from trackgen.progress import NullProgress
from trackgen.scan import job

WORDS = {"mode": "window", "batch_size": 1, "tile": 500, "shard_size": 500, "threads": 2, "device": "cpu"}
SCRIPT = """
import sys
from trackgen.scan import job
job.EVERY_DEVICE, job.all_cuda_devices = "cpu", lambda: ["cpu", "cpu"]
from trackgen.cli.main import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> Iterator[Path]:
    """A machine whose cores count as two devices; its folder."""
    monkeypatch.setattr(job, "EVERY_DEVICE", "cpu")
    monkeypatch.setattr(job, "all_cuda_devices", lambda: ["cpu", "cpu"])
    monkeypatch.chdir(scene.folder)
    return scene.folder


class Notes(NullProgress):
    """What is told once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def scan() -> None:
    trackgen.scan("small.onnx", "genome.fa", "out", **WORDS)


def test_two_processes_give_the_bytes_of_a_plain_run_also_after_one_died(two_devices: Path, scene: Scene) -> None:
    def kill() -> None:
        wait_until(lambda: shards_in(two_devices / "out"))
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ResourceError, match=r"a process of the scan died.*goes on where it stopped") as caught:
        scan()
    killer.join()
    assert caught.value.exit_status == 75
    wait_until(lambda: not multiprocessing.active_children(), 5.0)
    made = shards_in(two_devices / "out")
    notes = Notes()
    trackgen.scan("small.onnx", "genome.fa", "out", **WORDS, progress=notes)
    assert any(re.match(rf"{made} of \d+ shards are done already", text) for text in notes.texts)
    assert results(two_devices / "out") == scene.plain("small.onnx", "--mode", "window")


def test_what_is_wrong_with_a_model_is_told_by_its_process(
    two_devices: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(*arguments: object) -> None:
        (two_devices / "small.onnx").write_bytes(b"\x08")  # after the plan, before the processes read it
        real(*arguments)  # type: ignore[arg-type]

    real = job.make_on_devices
    monkeypatch.setattr(job, "make_on_devices", spoil)
    with pytest.raises(ModelError, match=r"small\.onnx"):
        scan()


def test_processes_end_with_the_one_that_started_them(scene: Scene) -> None:
    (scene.folder / "two.py").write_text(SCRIPT)
    command = (sys.executable, "two.py", "scan", "small.onnx", "genome.fa", "-o", "out", *SLOW, "-t", 2)
    with scene.start(*command) as process:
        wait_until(lambda: shards_in(scene.folder / "out"))
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not group(process.pid), 20.0)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_ends_all_processes_at_once_and_tells_how_to_go_on(
    scene: Scene, number: signal.Signals, status: int
) -> None:
    (scene.folder / "two.py").write_text(SCRIPT)
    command = (sys.executable, "two.py", "scan", "small.onnx", "genome.fa", "-o", "out", *SLOW, "-t", 2)
    with scene.start(*command) as process:
        wait_until(lambda: shards_in(scene.folder / "out"))
        began = time.monotonic()
        os.killpg(process.pid, number)  # as a terminal and as Slurm do it
        _, told = process.communicate(timeout=30)
        assert time.monotonic() - began < 2.0, "the bar of an interruption"
    assert process.returncode == status, told
    assert "run the same command again, it goes on from there" in told
    assert "Traceback" not in told
    wait_until(lambda: not group(process.pid), 5.0)


def group(number: int) -> list[str]:
    """The living processes of a group."""
    found = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return [state for own, state in rows if own == str(number) and not state.startswith("Z")]


def test_all_cuda_devices_are_refused_where_there_is_none(scene: Scene) -> None:
    result = scene.run(
        "trackgen", "scan", "small.onnx", "genome.fa", "-o", "out", "--device", "cuda:all", CUDA_VISIBLE_DEVICES="-1"
    )
    assert result.returncode == 2, result.stderr
    assert "--device: the device can't be used:" in result.stderr
    assert "trackgen doctor" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (scene.folder / "out").exists()
