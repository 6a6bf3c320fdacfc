"""``python -m tests.faults.hanging STAGE FILE scan ...``: trackgen with a stage that never returns.

It hangs at its third call, in a way that no signal interrupts on threads; FILE then appears.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trackgen.scan.assembly
import trackgen.scan.work
from trackgen.cli.main import main
from trackgen.scan.shard_file import ShardWriter

HANGS_AT = 3


def hanging(work: Callable[..., Any], told: Path) -> Callable[..., Any]:
    """`work`, which never returns from its third call."""
    calls: list[int] = []

    def call(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == HANGS_AT:
            told.touch()
            threading.Event().wait()
        return work(*arguments, **options)

    return call


if __name__ == "__main__":
    stage, told = sys.argv[1], Path(sys.argv[2])
    places: dict[str, tuple[Any, str]] = {
        "read": (trackgen.scan.work, "read_tile"),
        "run": (trackgen.scan.work, "run_model"),
        "commit": (ShardWriter, "add_sections"),
        "assemble": (trackgen.scan.assembly, "write_all"),
    }
    owner, name = places[stage]
    setattr(owner, name, hanging(getattr(owner, name), told))
    sys.argv = ["trackgen", *sys.argv[3:]]
    main()
