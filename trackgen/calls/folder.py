"""The folder of calls: all files of one run of ``trackgen call``, or none of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trackgen.errors import MACHINE_ERRORS, ResourceError, UsageError

__all__ = ["CALLS_FILE", "replaced_folder"]

CALLS_FILE = "calls.json"
SUFFIXES = (".bed", ".narrowPeak", ".bb")


@contextmanager
def replaced_folder(output: Path) -> Iterator[Path]:
    """A folder to write calls into, whose files move to `output` at the end, `CALLS_FILE` last; on any error, nothing.

    Files that an earlier `CALLS_FILE` in `output` names are removed: a class may have no call any more, or not be
    called.

    Raises:
        UsageError: `output` is a file, or cannot be written.
        ResourceError: the disk is full or fails.
    """
    new = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".calls-") as folder:
            yield Path(folder)
            _take_over(Path(folder), output)
    except OSError as error:
        kind = ResourceError if error.errno in MACHINE_ERRORS else UsageError
        raise kind("the calls cannot be written", path=output, place="-o", found=error.strerror) from error
    finally:
        if new and output.is_dir() and not any(output.iterdir()):
            output.rmdir()


def _take_over(folder: Path, output: Path) -> None:
    old = _listed(output / CALLS_FILE)
    # From here on until the new one is there the folder says of itself that it holds no calls.
    (output / CALLS_FILE).unlink(missing_ok=True)
    for name in old:
        (output / name).unlink(missing_ok=True)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == CALLS_FILE):
        path.replace(output / path.name)


def _listed(path: Path) -> list[str]:
    """The files of calls that a description names, as far as it can be read."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["calls"]
        names = [str(name) for entry in entries for name in entry["files"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [name for name in names if Path(name).name == name and name.endswith(SUFFIXES)]
