"""The folder OUT: whose run it holds, and how results appear in it whole or not at all.

Work in progress lives in ``OUT/.trackgen``; finished files are renamed into OUT, run.json last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trackgen.errors import UsageError

__all__ = ["OutputFolder"]

RUN_FILE = "run.json"
SKIPPED_FILE = "skipped.bed"
WORK_FOLDER = ".trackgen"
PLAN_FILE = "plan.json"


class OutputFolder:
    """The folder OUT of one plan.

    Args:
        path: OUT; made when absent.
        plan: `ScanPlan.summary()`.
        overwrite: whether another run's files may be replaced.

    Raises:
        UsageError: the folder can't be written to, or holds another run.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], *, overwrite: bool) -> None:
        self.path = path
        self.work = path / WORK_FOLDER
        self._plan = json.loads(json.dumps(plan))
        self._overwrite = overwrite
        self._old_files: list[str] = []
        self.finished = self._look()

    def _look(self) -> bool:
        """Whether this very plan is done already; refuses a folder that holds something else."""
        if self.path.exists() and not self.path.is_dir():
            raise UsageError("the output is not a folder", path=self.path, place="--output", wanted="a folder")
        run = self._read(self.path / RUN_FILE)
        if run is not None:
            self._old_files = [str(track["file"]) for track in run.get("tracks", [])] + [RUN_FILE, SKIPPED_FILE]
            same = run.get("plan") == self._plan
            if same and not self._overwrite and all((self.path / name).exists() for name in self._old_files):
                return True
            if not same:
                self._refuse_or_replace(run.get("plan"), f"a finished run of {_names(run.get('plan'))}")
        plan = self._read(self.work / PLAN_FILE)
        if plan is not None and plan != self._plan:
            self._refuse_or_replace(plan, f"an unfinished run of {_names(plan)}")
        return False

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise UsageError(
                "the folder's record of its run can't be read",
                path=path,
                found=str(error),
                wanted="a file that trackgen wrote",
                remedy="delete the folder, or choose another one with -o",
            ) from error
        return values if isinstance(values, dict) else {}

    def _refuse_or_replace(self, other: Any, what: str) -> None:
        if not self._overwrite:
            raise UsageError(
                f"the output folder holds {what}",
                path=self.path,
                found="; ".join(differences(other, self._plan)) or "the same plan",
                wanted="an empty folder, or one of the same plan",
                remedy="choose another folder with -o, or replace that run with --overwrite",
            )

    def begin(self) -> None:
        """Make OUT and its work folder, empty, and write plan.json.

        Raises:
            UsageError: the folder can't be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir()
            (self.work / PLAN_FILE).write_text(json.dumps(self._plan, indent=1), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                "the output folder can't be written to",
                path=self.path,
                found=error.strerror,
                wanted="a folder that you may write to",
                remedy="choose another one with -o",
            ) from error

    def commit(self, files: Sequence[str]) -> None:
        """Move finished files from the work folder into OUT, the last one (run.json) last; remove the work folder."""
        for name in self._old_files:
            if name not in files:
                (self.path / name).unlink(missing_ok=True)
        for name in files:
            (self.work / name).replace(self.path / name)
        shutil.rmtree(self.work)


def _names(plan: Any) -> str:
    models = plan.get("models", []) if isinstance(plan, dict) else []
    return ", ".join(str(model["name"]) for model in models) or "something else"


def differences(other: Any, plan: Mapping[str, Any]) -> list[str]:
    """What differs between two plans, in words."""
    if not isinstance(other, dict):
        return ["it has no plan"]
    rows = []
    for key, text in (("genome", "another genome"), ("wanted", "other regions"), ("excluded", "other exclusions")):
        if other.get(key) != plan[key]:
            rows.append(text)
    if other.get("models") != plan["models"]:
        old, new = ({model["name"]: model for model in values.get("models", [])} for values in (other, plan))
        if list(old) != list(new):
            rows.append(f"models {', '.join(old)} instead of {', '.join(new)}")
        for name in old.keys() & new.keys():
            for key, text in (
                ("sha256", "another file"),
                ("stride", "another stride"),
                ("tracks", "other tracks or rounding"),
            ):
                if old[name].get(key) != new[name].get(key):
                    rows.append(f"{text} for model {name}")
    return rows
