"""The folder OUT: whose run it holds, and how results appear in it whole or not at all.

Work in progress lives in ``OUT/.trackgen``: plan.json, one file a shard under ``shards``, with a lock beside it while
it is made, signals that are made of reads under ``signals``, and tracks that are being put together under ``tracks``.
Finished files are renamed into OUT, run.json last.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import trackgen
from trackgen.errors import DISK_ERRORS, ResourceError, UsageError
from trackgen.scan.durable import sync_folder, write_durably
from trackgen.scan.lock import Holder, living_holder, scheduler_job
from trackgen.scan.options import SIGNAL_FOLDER, WORK_FOLDER
from trackgen.scan.record import PLAN_FILE, PlanRecord

__all__ = ["RUN_FILE", "SKIPPED_FILE", "OutputFolder", "machine_errors"]

RUN_FILE = "run.json"
SKIPPED_FILE = "skipped.bed"
REMEDY = "choose another folder with -o, or replace what it holds with --overwrite"


class OutputFolder:
    """The folder OUT.

    Args:
        path: OUT; it need not exist.
        overwrite: whether another run's files may be replaced.

    Attributes:
        record: the plan of the unfinished run that it holds, or None.

    Raises:
        UsageError: it is not a folder, or the plan in it can't be read.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self.work = path / WORK_FOLDER
        self.shards = self.work / "shards"
        self.tracks = self.work / "tracks"
        self.signals = self.work / SIGNAL_FOLDER
        self._overwrite = overwrite
        if path.exists() and not path.is_dir():
            raise UsageError("the output is not a folder", path=path, place="--output", wanted="a folder")
        self._run = _read(path / RUN_FILE)
        self.record = self._read_record()

    def _read_record(self) -> PlanRecord | None:
        try:
            return PlanRecord.read(self.work / PLAN_FILE)
        except UsageError:
            if self._overwrite:
                return None
            raise

    @property
    def settled(self) -> Mapping[str, Any] | None:
        """What the run that it holds, unfinished or finished, chose by itself."""
        if self.record is not None:
            return self.record.settled
        plan = (self._run or {}).get("plan")
        return plan if isinstance(plan, dict) else None

    def holds(self, plan: Mapping[str, Any], files: Sequence[str]) -> bool:
        """Whether this very plan is done already.

        Args:
            plan: `ScanPlan.summary()`.
            files: the names of the tracks that it will write.

        Raises:
            UsageError: the folder holds another plan, or files of somebody else under the same names.
        """
        joins = self.record is not None and self.record_is(plan)
        if self._run is not None and not joins:
            if essence(self._run.get("plan")) != essence(plan):
                self._refuse(f"a finished run of {_names(self._run.get('plan'))}", self._run.get("plan"), plan)
            elif self.record is None and not self._overwrite and self._has([*_track_names(self._run), SKIPPED_FILE]):
                self._sweep()
                return True
        if self.record is not None and not joins:
            what = f"an unfinished run of {_names(self.record.plan)}"
            what += "" if self.record.ours else f", begun by trackgen {self.record.version}"
            self._refuse(what, self.record.plan, plan)
            self.record = None
        if self._run is None and self.record is None:
            self._refuse_foreign_files([*files, SKIPPED_FILE, RUN_FILE])
        return False

    def _has(self, names: Sequence[str]) -> bool:
        return all((self.path / name).is_file() for name in names)

    def _sweep(self) -> None:
        """Remove what a run that was killed at its very end left of its work."""
        if self.work.is_dir() and not self.living():
            shutil.rmtree(self.work, ignore_errors=True)

    def living(self) -> list[Holder]:
        """Processes that are at work in the folder now."""
        job = scheduler_job()
        found = [living_holder(path, job) for path in sorted(self.work.rglob("*.lock"))]
        return [holder for holder in found if holder is not None]

    def _refuse(self, what: str, other: Any, plan: Mapping[str, Any]) -> None:
        living = self.living()
        if not self._overwrite or living:
            at_work = f"; {living[0]} is at work on it" if living else ""
            raise UsageError(
                f"the output folder holds {what}",
                path=self.path,
                found=("; ".join(differences(other, plan)) or f"this is trackgen {trackgen.__version__}") + at_work,
                wanted="an empty folder, or one of the same plan",
                remedy="choose another folder with -o, or wait for that process" if living else REMEDY,
            )

    def _refuse_foreign_files(self, names: Sequence[str]) -> None:
        """Files of the same names that no run of ours has written are somebody's own."""
        taken = [name for name in names if (self.path / name).exists()]
        # A run that was killed right at its start leaves a work folder without a plan.
        ours = {self.shards.name, self.tracks.name, self.signals.name}
        if self.work.exists() and any(
            entry.name not in ours and not entry.name.startswith(PLAN_FILE) for entry in self.work.iterdir()
        ):
            taken.append(WORK_FOLDER)
        if taken and not self._overwrite:
            raise UsageError(
                "the output folder holds files of the same names that are not trackgen's",
                path=self.path,
                found=", ".join(taken[:3]),
                wanted="a folder without them",
                remedy=REMEDY,
            )

    def finished_tracks(self) -> list[str]:
        """The tracks of the finished run that it holds, and the inputs that it made."""
        return _track_names(self._run or {})

    def record_is(self, plan: Mapping[str, Any]) -> bool:
        """Whether the unfinished run that it holds is of this plan, a `ScanPlan.summary()`."""
        return self.record is not None and self.record.ours and essence(self.record.plan) == essence(plan)

    def begin(self, record: PlanRecord, needed: int) -> PlanRecord:
        """Make OUT and its work folder, and fix the plan unless that is done.

        Args:
            needed: bytes of free space that the run needs, about.

        Returns:
            The plan in force: another process may have fixed one meanwhile.

        Raises:
            UsageError: the folder can't be written to.
            ResourceError: the disk is full.
        """
        if self.record is not None:
            return self.record
        try:
            if self._overwrite:
                shutil.rmtree(self.work, ignore_errors=True)
            # Of a run without a plan nothing is removed: another process may have fixed one since we looked.
            for folder in (self.shards, self.tracks):
                folder.mkdir(parents=True, exist_ok=True)
            self.record = _write_once(self.work / PLAN_FILE, record)
        except OSError as error:
            if error.errno in DISK_ERRORS:
                with machine_errors(self.path, lambda: needed):
                    raise
            raise UsageError(
                "the output folder can't be written to",
                path=self.path,
                found=error.strerror,
                wanted="a folder that you may write to",
                remedy="choose another one with -o",
            ) from error
        return self.record

    def shard(self, number: int) -> Path:
        """The file of a shard, counted from 0; people count from 1."""
        return self.shards / f"{number + 1:06d}.shard"

    def commit(self, files: Sequence[str]) -> None:
        """Move the finished files from the work folder into OUT, run.json last; remove the work folder.

        The old run.json goes first: at no moment does it stand beside tracks that it does not describe.
        """
        (self.path / RUN_FILE).unlink(missing_ok=True)
        for name in self.record.replaces if self.record else ():
            if name not in files:
                (self.path / name).unlink(missing_ok=True)
        for name in [*files, SKIPPED_FILE, RUN_FILE]:
            os.replace(self.tracks / name, self.path / name)
        sync_folder(self.path)
        self.remove_work()

    def remove_work(self) -> None:
        """Remove the work folder, its plan first: shards without one are leftovers, and are not asked for again."""
        with suppress(OSError):
            (self.work / PLAN_FILE).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def abandon(self) -> None:
        """Remove the work folder where it holds nothing of use, and OUT too where that leaves it empty."""
        if not any(self.shards.glob("*.shard")) and not self.living():
            shutil.rmtree(self.work, ignore_errors=True)
            if self.path.is_dir() and not any(self.path.iterdir()):
                self.path.rmdir()


def _write_once(path: Path, record: PlanRecord) -> PlanRecord:
    """Write plan.json unless somebody else did meanwhile; what stands there then."""
    temporary = path.with_name(f"{path.name}.{os.uname().nodename}-{os.getpid()}.tmp")
    try:
        write_durably(temporary, record.text())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno in DISK_ERRORS:
                raise
            os.replace(temporary, path)  # a file system without links
    finally:
        temporary.unlink(missing_ok=True)
    found = PlanRecord.read(path)
    return record if found is None else found


@contextmanager
def machine_errors(output: Path, needed: Callable[[], int] | None = None) -> Iterator[None]:
    """Say a full disk, a vanished folder and exhausted memory as what they are.

    Args:
        output: OUT.
        needed: bytes of free space that the rest of the run needs.
    """
    try:
        yield
    except MemoryError as error:
        raise _no_memory(error) from error
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise _no_memory(error) from error
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise ResourceError(
                "too many files are open",
                path=error.filename,
                found=error.strerror,
                remedy="allow more (`ulimit -n 4096`), or use fewer --threads; the same command goes on",
            ) from error
        gone = error.errno in (errno.ENOENT, errno.ESTALE, errno.ENOTDIR) and not (output / WORK_FOLDER).is_dir()
        if error.errno not in (*DISK_ERRORS, errno.EROFS, errno.EACCES) and not gone:
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ResourceError(
            "the output folder is gone" if gone else "the output can't be written",
            path=output,
            found=error.strerror,
            wanted=f"about {needed():,} bytes of free space" if full and needed else None,
            remedy=f"{'Free space' if full else 'See what became of it'} and run the same command again: it goes on "
            "where it stopped",
        ) from error


def _no_memory(error: Exception) -> ResourceError:
    remedy = "use a smaller --tile, --batch-size or --memory; the same command goes on where it stopped"
    return ResourceError("memory ran out", found=str(error) or None, remedy=remedy)


def _read(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; empty where it can't be read as one, None where there is no file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (UnicodeDecodeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def essence(plan: Any) -> Any:
    """What a plan says, without the names of files whose contents it knows: a renamed copy is no other file."""
    plan = json.loads(json.dumps(plan))
    if isinstance(plan, dict):
        for part in (plan.get("genome"), *_values(plan.get("signals")), *_values(plan.get("vectors"))):
            if isinstance(part, dict):
                part.pop("file", None)
    return plan


def _values(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else []


def _track_names(run: Mapping[str, Any]) -> list[str]:
    """The tracks and inputs that a run.json lists, plain file names only: it may come from anywhere."""
    lists = [run.get(part) for part in ("tracks", "inputs")]
    entries = [entry for found in lists if isinstance(found, list) for entry in found]
    names = [entry.get("file") for entry in entries if isinstance(entry, dict)]
    return [name for name in names if isinstance(name, str) and Path(name).name == name and name.endswith(".bw")]


def _models(plan: Any) -> dict[str, dict[str, Any]]:
    """The models of a plan by name; empty where it is no plan."""
    models = plan.get("models") if isinstance(plan, dict) else None
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    return {str(entry.get("name")): entry for entry in entries}


def _names(plan: Any) -> str:
    return ", ".join(_models(plan)) or "something else"


def _keys_that_differ(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What of two models' contributions differs, in brackets; nothing where one of them has none."""
    old, new = before.get("contributions"), now.get("contributions")
    if not isinstance(old, dict) or not isinstance(new, dict):
        return ""
    return f" ({', '.join(key for key in new if old.get(key) != new[key])})"


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
    sums = ("tuned", "most_windows")
    for name in [name for name in old if name in new]:
        before, now = old[name], new[name]
        if before.get("sha256") != now["sha256"]:
            rows.append(f"another file of model {name}")
        if before.get("mode") != now["mode"]:
            rows.append(f"it ran model {name} in {before.get('mode')} mode, this command in {now['mode']} mode")
        if before.get("stride") != now["stride"]:
            rows.append(f"another stride of model {name}: {before.get('stride')} instead of {now['stride']}")
        elif before.get("mode") == now["mode"] and any(before.get(key) != now[key] for key in sums):
            rows.append(f"another order of the sums of model {name}")
        if before.get("contributions") != now.get("contributions"):
            rows.append(f"other contributions of model {name}{_keys_that_differ(before, now)}")
        if before.get("tracks") != now["tracks"]:
            rows.append(f"other tracks or rounding of model {name}")
    return rows
