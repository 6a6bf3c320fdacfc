"""A folder with a genome and a model, commands in it, and the bytes that a plain run gives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.models import small_model
from tests.scan.test_values import write_fasta

SIZES = {"chrI": 9000, "chrII": 4500, "chrM": 700}
SLOW = ("--mode", "window", "--batch-size", "1", "--tile", "500", "--shard-size", "500", "--device", "cpu")
"""Options of a scan of seconds, in many shards, so that something can happen to it in the middle."""
PATIENCE = 60.0


@dataclass
class Scene:
    """A folder that holds ``genome.fa`` and ``small.onnx``, and ``trackgen`` on the PATH of what runs in it."""

    folder: Path
    environment: dict[str, str]

    @staticmethod
    def make(folder: Path, **variables: str) -> Scene:
        random = np.random.default_rng(1)
        sequences = {name: "".join(random.choice(list("ACGT"), size)) for name, size in SIZES.items()}
        sequences["chrI"] = sequences["chrI"][:3000] + "N" * 40 + sequences["chrI"][3040:]
        write_fasta(folder / "genome.fa", sequences)
        small_model(folder, strands="both", window=100)
        (folder / "bin").mkdir()
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "TRACKGEN_SCAN"))}
        scene = Scene(folder, {**kept, "PATH": path, **variables})
        scene.command("trackgen", f'exec {sys.executable} -m trackgen "$@"')
        return scene

    def command(self, name: str, script: str) -> None:
        """Put a command on the PATH."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [str(word) for word in words],
            cwd=self.folder, env={**self.environment, **variables}, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    def start(self, *words: object, **variables: str) -> subprocess.Popen[str]:
        """Start a command, at the head of a group of its own."""
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=self.folder, env={**self.environment, **variables}, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def plain(self, model: str = "small.onnx", *options: object) -> dict[str, bytes]:
        """What one process writes."""
        result = self.run("trackgen", "scan", model, "genome.fa", "-o", "plain", "-t", 1, *options)
        assert result.returncode == 0, result.stderr
        return results(self.folder / "plain")


def results(folder: Path) -> dict[str, bytes]:
    """The tracks and skipped.bed of a finished run."""
    assert not (folder / ".trackgen").exists()
    assert (folder / "run.json").is_file()
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".bw", ".bed")}


def wait_until(what: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def shards_in(folder: Path) -> int:
    """Finished shards of a run."""
    return sum(1 for _ in (folder / ".trackgen" / "shards").glob("*.shard"))
