"""The folder of a search.

```
FOLDER/plan.json      the recipe and the data; a folder holds one tree
FOLDER/records.jsonl  each net as its training ended ("kind": "net"), each step as it was decided ("kind": "step")
FOLDER/nets/NET.pt    weights of the best net, and of those that the step at hand may still choose
```
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trackgen.errors import DataError, UsageError
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.scan.lock import Lock, scheduler_job

__all__ = ["SearchFolder"]

FORMAT = "trackgen nash 1"
PART = ".tmp"
"""Behind the name of a file that is being written."""


class SearchFolder:
    """Where a search is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan_file, self.records_file, self.nets = path / "plan.json", path / "records.jsonl", path / "nets"

    def check(self, plan: Mapping[str, Any]) -> None:
        """See that the folder is new, or of this plan.

        Raises:
            UsageError: it is of another plan, or holds something else.
            DataError: its plan is damaged.
        """
        if not self.plan_file.exists():
            own = (self.plan_file.name + PART, "nash.lock")  # what a run leaves that is killed before its plan
            if self.path.exists() and any(not entry.name.endswith(own) for entry in self.path.iterdir()):
                raise UsageError("the folder holds something else than a search", path=self.path, wanted="a new folder")
            return
        kept = self.read_plan()
        wanted = json.loads(json.dumps(plan))
        for name in wanted | kept:
            if name != "format" and kept.get(name) != wanted.get(name):
                raise UsageError(
                    f"the search in this folder has another {name}", path=self.plan_file, found=kept.get(name),
                    wanted=wanted.get(name), remedy="give the same options, or another folder with -o",
                )  # fmt: skip

    def read_plan(self) -> dict[str, Any]:
        """The plan as it was written.

        Raises:
            DataError: there is none, or it is damaged.
        """
        try:
            plan = json.loads(self.plan_file.read_text())
            if plan["format"] != FORMAT:
                raise ValueError(plan["format"])
        except FileNotFoundError as error:
            raise DataError("there is no search", path=self.path, wanted="a folder of `trackgen train nash`") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("this is no plan of a search", path=self.plan_file, found=error, wanted=FORMAT) from error
        found: dict[str, Any] = plan
        return found

    @contextmanager
    def held(self, plan: Mapping[str, Any]) -> Iterator[None]:
        """Make the folder for a plan, or go on in it, and hold it against other processes meanwhile.

        Raises:
            UsageError: as `check`, or another process is at work here.
        """
        self.check(plan)
        self.nets.mkdir(parents=True, exist_ok=True)
        lock = Lock(self.path / "nash.lock", scheduler_job())
        try:
            part = self.plan_file.with_name(self.plan_file.name + PART)
            part.write_text(json.dumps({"format": FORMAT, **plan}, indent=1) + "\n")
            os.replace(part, self.plan_file)
            yield
        finally:
            lock.release()

    def records(self) -> list[dict[str, Any]]:
        """All that is finished, in order.

        Raises:
            DataError: a line is no record.
        """
        return read_records(self.records_file)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record, and return when the disk has it."""
        append_record(self.records_file, record)

    def _file(self, net: str) -> Path:
        return self.nets / f"{net}.pt"

    def save_weights(self, net: str, weights: Mapping[str, Tensor]) -> None:
        """Keep a net's weights, whole or not at all."""
        path = self._file(net)
        part = path.with_name(path.name + PART)
        torch.save(dict(weights), part)
        os.replace(part, path)

    def load_weights(self, net: str) -> dict[str, Tensor]:
        """A net's weights.

        Raises:
            DataError: they are missing or damaged.
        """
        path = self._file(net)
        try:
            weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
            raise DataError(
                "the weights of a net of the search can't be read", path=path,
                found=next(iter(str(error).splitlines()), "an early end"), remedy="begin anew in another folder",
            ) from error  # fmt: skip
        return weights

    def keep_weights(self, nets: Sequence[str]) -> None:
        """Remove the weights of all other nets."""
        kept = {self._file(net) for net in nets}
        for path in self.nets.iterdir():
            if path not in kept:
                path.unlink()
