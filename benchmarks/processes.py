"""Runs `trackgen` in processes of its own, and prints tables row by row, for the benchmarks of whole scans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Failed", "Scan", "data_file", "print_head", "print_row", "read_scan", "trackgen"]


class Failed(Exception):
    """A command did not end well; the text says why."""


class Scan(NamedTuple):
    """What a finished scan left behind."""

    run: dict[str, Any]
    """Its run.json."""
    track_bytes: int
    """Size of all its tracks."""

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each track, by its file name."""
        return {track["file"]: track["sha256"] for track in self.run["tracks"]}


def data_file(name: str) -> Path:
    """A file of the data folder, which TRACKGEN_DATA names; ends the program where there is none."""
    data = os.environ.get("TRACKGEN_DATA")
    if not data:
        sys.exit("set TRACKGEN_DATA to the folder that holds genome_yeast and genome_worm")
    return Path(data) / name


def trackgen(*commands: Sequence[str]) -> float:
    """Run `trackgen` with each list of arguments, all at once, and wait for all.

    Returns:
        Seconds by the wall clock, start of the interpreters included, as a user would have to wait.

    Raises:
        Failed: one of them did; the text is the last line that it wrote.
    """
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "trackgen", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    try:
        # One after the other: what a process tells meanwhile is a line a minute, which its pipe holds.
        told = [process.communicate()[1] for process in running]
    finally:
        for process in running:
            process.terminate()  # without effect on one that has ended
    seconds = time.perf_counter() - began
    for process, text in zip(running, told, strict=True):
        if process.returncode:
            last = (text.strip().splitlines() or ["no word"])[-1]
            raise Failed(f"failed with exit status {process.returncode}: {last}")
    return seconds


def read_scan(folder: Path) -> Scan:
    """What the scan into `folder` left behind.

    Raises:
        Failed: there is no run.json.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise Failed("failed: the scan left no run.json")
    run = json.loads(path.read_text(encoding="utf-8"))
    return Scan(run, sum((folder / track["file"]).stat().st_size for track in run["tracks"]))


def print_head(columns: Sequence[str]) -> None:
    """The head of a table in markdown: the first column to the left, the others to the right."""
    print_row(columns)
    print_row(["---", *["--:"] * (len(columns) - 1)])


def print_row(cells: Iterable[str]) -> None:
    """A row of a table in markdown, at once."""
    print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |", flush=True)
