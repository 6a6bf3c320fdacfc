"""Other programs, run in processes of their own: told about every minute, and ended with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from trackgen.errors import TrackgenError
from trackgen.progress import Progress

__all__ = ["run_program"]

SECONDS_BETWEEN_NOTES = 60.0


def run_program(
    words: Sequence[object],
    *,
    name: str,
    remedy: str,
    longest_minutes: int,
    progress: Progress,
    environment: Mapping[str, str] | None = None,
    made: Path | None = None,
) -> None:
    """Run a program to its end.

    Args:
        words: the program and its arguments.
        name: of the program, for people.
        remedy: what the user can do when it fails or does not end.
        longest_minutes: after which it counts as stuck, and is ended.
        progress: is told every minute that it still runs.
        environment: variables to set beside those there are.
        made: a file that it is to write.

    Raises:
        TrackgenError: it failed (with the last line that it said), wrote no `made`, or did not come to an end.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as told,
        subprocess.Popen(
            [str(word) for word in words], env={**os.environ, **(environment or {})}, stdout=told, stderr=told,
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            ended = _wait(process, name, longest_minutes, progress)
            if not ended:
                raise TrackgenError(
                    f"{name} did not come to an end", found=f"{longest_minutes} minutes", remedy=remedy,
                )  # fmt: skip
        except BaseException:
            # with the helpers that it forked
            os.killpg(process.pid, signal.SIGKILL)
            raise
        told.seek(0)
        said = told.read().strip().splitlines()
    if process.returncode or (made is not None and not made.is_file()):
        found = said[-1][:300] if said else f"exit status {process.returncode}"
        raise TrackgenError(f"{name} failed", found=found, remedy=remedy)


def _wait(process: subprocess.Popen[bytes], name: str, longest_minutes: int, progress: Progress) -> bool:
    """Whether it came to an end."""
    for minutes in range(1, longest_minutes + 1):
        try:
            process.wait(SECONDS_BETWEEN_NOTES)
            return True
        except subprocess.TimeoutExpired:
            progress.note(f"{name} still runs, since {minutes} min")
    return False
