"""One run at a time in one folder: a file made exclusively, naming who holds it. No flock: network folders lack it."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

from trackgen.errors import UsageError

__all__ = ["take_lock"]


def take_lock(path: Path) -> None:
    """Make the lock file `path`, which the holder removes with its folder.

    A lock whose process has ended on this host is stale, and taken over.

    Raises:
        UsageError: another run holds the lock, told by host, process and time.
    """
    content = json.dumps({"host": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%F %T")})
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            _refuse_living(path)
            path.unlink(missing_ok=True)
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        return
    raise UsageError("another run took the folder just now", path=path, remedy="choose another folder with -o")


def _refuse_living(path: Path) -> None:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        host, process, since = str(holder["host"]), int(holder["process"]), str(holder["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # a run was killed while it made the lock
    if host == socket.gethostname() and not _lives(process):
        return
    raise UsageError(
        "another run is writing into this folder",
        path=path,
        found=f"process {process} on {host} since {since}",
        wanted="one run at a time in a folder",
        remedy="wait for it, choose another folder with -o, or delete this file if that process is gone",
    )


def _lives(process: int) -> bool:
    """Whether a process of this host still runs. One that ended and was not yet reaped (a zombie) does not."""
    if process == os.getpid():
        return False  # an earlier run of this very process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # The state stands behind the command's name, which may hold anything but ends with the last bracket.
        state = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state not in ("Z", "X")
