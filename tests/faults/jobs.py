"""A small scan of several shards, how to start it, and what its folder may hold at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.models import small_model
from tests.scan.test_values import write_fasta
from trackgen.scan.shard_file import DamagedShard, verify_shard

ROOT = Path(__file__).resolve().parents[2]
RUN_FILE = "run.json"
WORK = ".trackgen"


@dataclass(frozen=True)
class Job:
    """A model, a genome, and options: what a user types behind ``trackgen scan``, but for OUT."""

    words: tuple[str, ...]
    shards: int

    def scan(self, output: Path, *more: str) -> tuple[str, ...]:
        return ("scan", *self.words, "-o", str(output), *more)

    def differently(self, *more: str) -> Job:
        """The same with more options."""
        return Job((*self.words, *more), self.shards)


def letters(size: int, seed: int = 1) -> str:
    return np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", "S1"), size).tobytes().decode()


def small_job(folder: Path) -> Job:
    """A scan of a second: five shards, four tracks, sections that shards share and such that they do not."""
    gaps = "".join(f"{letter}N" for letter in letters(1_500, 3))
    genome = write_fasta(folder / "genome.fa", {"chrI": letters(25_000), "chrII": letters(9_000, 2), "chrIII": gaps})
    model = small_model(folder, strands="both").path
    cut = ("--tile", "1000", "--shard-size", "10000", "-t", "1", "--device", "cpu")
    return Job((str(model), str(genome), *cut), 5)


def long_job(folder: Path, bases: int = 20_000_000) -> Job:
    """A scan of many seconds, in shards of a tenth of a second."""
    genome = write_fasta(folder / "long.fa", {"chr1": letters(bases)})
    model = small_model(folder, strands="both").path
    cut = ("--mode", "window", "--tile", "20000", "--shard-size", "200000", "-t", "2", "--device", "cpu")
    return Job((str(model), str(genome), *cut), bases // 200_000)


def trackgen(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """``trackgen WORDS`` to its end."""
    return python("trackgen", *words, **environment)


def python(
    module: str, *words: object, prefix: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """``PREFIX python -m MODULE WORDS`` to its end."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", module, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start(*words: object, module: str = "trackgen", **environment: str) -> subprocess.Popen[str]:
    """``trackgen WORDS``, under way."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stderr


def results(folder: Path) -> dict[str, bytes]:
    """The files of a finished run that are the same each time: all but run.json."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RUN_FILE and path.is_file()}


def assert_finished(folder: Path, expected: Mapping[str, bytes]) -> None:
    """The folder holds a finished run of these very bytes, and nothing else."""
    assert sorted(path.name for path in folder.iterdir()) == sorted([*expected, RUN_FILE])
    found = results(folder)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert_described(folder)


def assert_nothing_half_done(folder: Path, *allowed: Mapping[str, bytes]) -> None:
    """Whatever has its final name is whole, as one of these runs has it; a run.json has all its tracks beside it."""
    found = results(folder) if folder.is_dir() else {}
    strange = [name for name, data in found.items() if data not in [run.get(name) for run in allowed]]
    assert strange == []
    if (folder / RUN_FILE).exists():
        assert_described(folder)
        assert found in [dict(run) for run in allowed]


def assert_described(folder: Path) -> None:
    """run.json is whole, and describes the tracks that stand beside it."""
    tracks = json.loads((folder / RUN_FILE).read_text())["tracks"]
    assert sorted(entry["file"] for entry in tracks) == sorted(path.name for path in folder.glob("*.bw"))
    for entry in tracks:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def finished_shards(folder: Path) -> set[str]:
    """The shard files in a folder that are whole."""
    found = set()
    for path in (folder / WORK / "shards").glob("*.shard"):
        try:
            verify_shard(path)
        except DamagedShard:
            continue
        found.add(path.name)
    return found


def messages(stderr: str) -> Sequence[str]:
    """The messages of the program; the rest is progress."""
    return [line for line in stderr.splitlines() if line.startswith("trackgen: ")]
