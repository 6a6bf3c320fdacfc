"""The folder OUT: whose run it holds, and how results appear in it whole or not at all.

Work in progress lives in ``OUT/.trackgen``; finished files are renamed into OUT, run.json last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trackgen.errors import DISK_ERRORS, ResourceError, UsageError
from trackgen.scan.lock import take_lock

__all__ = ["RUN_FILE", "SKIPPED_FILE", "OutputFolder"]

RUN_FILE = "run.json"
SKIPPED_FILE = "skipped.bed"
WORK_FOLDER = ".trackgen"
PLAN_FILE = "plan.json"
LOCK_FILE = "lock"
REMEDY = "choose another folder with -o, or replace what it holds with --overwrite"


class OutputFolder:
    """The folder OUT of one plan.

    Args:
        path: OUT; made when absent.
        plan: `ScanPlan.summary()`.
        files: the names of the tracks that will be written.
        overwrite: whether another run's files may be replaced.

    Attributes:
        finished: OUT holds this very run already, whole.

    Raises:
        UsageError: the folder holds another run, or files of somebody else under the same names.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], files: Sequence[str], *, overwrite: bool) -> None:
        self.path = path
        self.work = path / WORK_FOLDER
        self._plan: dict[str, Any] = json.loads(json.dumps(plan))
        self._files = [*files, SKIPPED_FILE, RUN_FILE]
        self._overwrite = overwrite
        self._old_files: list[str] = []
        if path.exists() and not path.is_dir():
            raise UsageError("the output is not a folder", path=path, place="--output", wanted="a folder")
        self.finished = self._look()

    def _look(self) -> bool:
        """Whether this very plan is done already; refuses a folder that holds something else."""
        run, unfinished = _read(self.path / RUN_FILE), _read(self.work / PLAN_FILE)
        if run is not None:
            self._old_files = _track_names(run)
            if run.get("plan") != self._plan:
                self._refuse(f"a finished run of {_names(run.get('plan'))}", run.get("plan"))
            elif not self.work.exists() and not self._overwrite and self._has([*self._old_files, SKIPPED_FILE]):
                return True
        if unfinished is not None and unfinished != self._plan:
            self._refuse(f"an unfinished run of {_names(unfinished)}", unfinished)
        if run is None and unfinished is None:
            self._refuse_foreign_files()
        return False

    def _has(self, names: Sequence[str]) -> bool:
        return all((self.path / name).is_file() for name in names)

    def _refuse(self, what: str, other: Any) -> None:
        if not self._overwrite:
            raise UsageError(
                f"the output folder holds {what}",
                path=self.path,
                found="; ".join(differences(other, self._plan)),
                wanted="an empty folder, or one of the same plan",
                remedy=REMEDY,
            )

    def _refuse_foreign_files(self) -> None:
        """Files of the same names that no run of ours has written are somebody's own."""
        taken = [name for name in self._files if (self.path / name).exists()]
        # A run that was killed right at its start leaves an empty work folder, or a lock alone.
        if self.work.exists() and any(entry.name != LOCK_FILE for entry in self.work.iterdir()):
            taken.append(WORK_FOLDER)
        if taken and not self._overwrite:
            raise UsageError(
                "the output folder holds files of the same names that are not trackgen's",
                path=self.path,
                found=", ".join(taken[:3]),
                wanted="a folder without them",
                remedy=REMEDY,
            )

    def begin(self) -> None:
        """Make OUT and its work folder, take the lock, and write plan.json.

        Raises:
            UsageError: the folder can't be written to, or another run is writing into it.
            ResourceError: the disk is full.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            take_lock(self.work / LOCK_FILE)
            for entry in self.work.iterdir():
                if entry.name != LOCK_FILE:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            temporary = self.work / f"{PLAN_FILE}.tmp"
            temporary.write_text(json.dumps(self._plan, indent=1), encoding="utf-8")
            temporary.replace(self.work / PLAN_FILE)
        except OSError as error:
            kind = ResourceError if error.errno in DISK_ERRORS else UsageError
            raise kind(
                "the output folder can't be written to",
                path=self.path,
                found=error.strerror,
                wanted="a folder with free space that you may write to",
                remedy="choose another one with -o",
            ) from error

    def commit(self) -> None:
        """Move the finished files from the work folder into OUT, run.json last; remove the work folder.

        The old run.json goes first: at no moment does it stand beside tracks that it does not describe.
        """
        (self.path / RUN_FILE).unlink(missing_ok=True)
        for name in self._old_files:
            if name not in self._files:
                (self.path / name).unlink(missing_ok=True)
        for name in self._files:
            (self.work / name).replace(self.path / name)
        shutil.rmtree(self.work)

    def abandon(self) -> None:
        """Remove the work folder, and OUT too where that leaves it empty."""
        shutil.rmtree(self.work, ignore_errors=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()


def _read(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; empty where it can't be read as one, None where there is no file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (UnicodeDecodeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _track_names(run: Mapping[str, Any]) -> list[str]:
    """The tracks that a run.json lists, plain file names only: it may come from anywhere."""
    tracks = run.get("tracks")
    names = [entry.get("file") for entry in tracks if isinstance(entry, dict)] if isinstance(tracks, list) else []
    return [name for name in names if isinstance(name, str) and Path(name).name == name and name.endswith(".bw")]


def _models(plan: Any) -> dict[str, dict[str, Any]]:
    """The models of a plan by name; empty where it is no plan."""
    models = plan.get("models") if isinstance(plan, dict) else None
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    return {str(entry.get("name")): entry for entry in entries}


def _names(plan: Any) -> str:
    return ", ".join(_models(plan)) or "something else"


def differences(other: Any, plan: Mapping[str, Any]) -> list[str]:
    """What differs between another plan (anything read from a file) and `plan`, in words."""
    old, new = _models(other), _models(plan)
    if not old:
        return ["no plan that can be read"]
    rows = [
        text
        for key, text in (("genome", "another genome"), ("wanted", "other regions"), ("excluded", "other exclusions"))
        if other.get(key) != plan[key]
    ]
    modes = [{name: row.get("mode") for name, row in rows_.items()} for rows_ in (old, new)]
    if other.get("tile") != plan["tile"] and modes[0] == modes[1]:  # another mode has other tiles
        rows.append(f"its tiles have {other.get('tile')} bases, this command's {plan['tile']}")
    for kind in ("signals", "vectors"):
        before, now = (value if isinstance(value, dict) else {} for value in (other.get(kind), plan.get(kind)))
        names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        rows += [f"another file of {kind[:-1]} {name}" for name in names]
    if list(old) != list(new):
        rows.append(f"models {', '.join(old)} instead of {', '.join(new)}")
    for name in [name for name in old if name in new]:
        before, now = old[name], new[name]
        if before.get("sha256") != now["sha256"]:
            rows.append(f"another file of model {name}")
        if before.get("mode") != now["mode"]:
            rows.append(f"it ran model {name} in {before.get('mode')} mode, this command in {now['mode']} mode")
        elif any(before.get(key) != now[key] for key in ("tuned", "most_windows")):
            rows.append(f"another order of the sums of model {name}")
        if before.get("stride") != now["stride"]:
            rows.append(f"another stride of model {name}: {before.get('stride')} instead of {now['stride']}")
        if before.get("tracks") != now["tracks"]:
            rows.append(f"other tracks or rounding of model {name}")
    return rows
