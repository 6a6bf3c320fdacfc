"""The errors trackgen raises, and the exit status of each.

::

    TrackgenError            1   failed while running
    ├── SelfCheckError       1   a result did not pass the run's own check
    ├── UsageError           2   option values: device, class, model name, a foreign output folder
    ├── DataError            3   genome, BED, signal or hub data, also missing
    ├── ModelError           4   model or card, also missing; NaN output
    └── ResourceError       75   the machine failed (memory, disk, device lost): the same command may succeed

Library code raises these and never calls ``sys.exit`` or prints; ``trackgen.cli`` maps them to exit statuses.
A message names the file, the place, the value found, the value wanted and the remedy, as far as they apply.
"""

from __future__ import annotations

import errno
import os
from typing import ClassVar

__all__ = [
    "DISK_ERRORS",
    "MACHINE_ERRORS",
    "DataError",
    "ModelError",
    "ResourceError",
    "SelfCheckError",
    "TrackgenError",
    "UsageError",
]


DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""What a full or failing disk says: a `ResourceError`, since the same command may succeed later."""


MACHINE_ERRORS = (*DISK_ERRORS, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""What an exhausted machine says of anything: a `ResourceError`, too."""


class TrackgenError(Exception):
    """Base of all errors that trackgen raises on purpose.

    Args:
        what: what is wrong, one clause without a full stop.
        path: the file it is wrong in.
        place: where in the file: a line (1-based), a field, a node, an interval.
        found: the value found.
        wanted: the value that would have been right.
        remedy: what the user can do, one sentence without a full stop.
    """

    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        path: str | os.PathLike[str] | None = None,
        place: str | None = None,
        found: object = None,
        wanted: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.path = None if path is None else os.fspath(path)
        self.place = place
        self.found = found
        self.wanted = wanted
        self.remedy = remedy
        super().__init__(self._message())

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes whole, also those with constructors of their own."""
        return _rebuilt, (type(self), self.args, self.__dict__)

    def at(self, place: str) -> TrackgenError:
        """This error, with another place."""
        self.place = place
        self.args = (self._message(),)
        return self

    def in_file(self, path: str | os.PathLike[str]) -> TrackgenError:
        """This error, naming the file where it did not yet: for code that works on what was read from one."""
        if self.path is None:
            self.path = os.fspath(path)
            self.args = (self._message(),)
        return self

    def _message(self) -> str:
        where = ", ".join(part for part in (self.path, self.place) if part)
        message = f"{where}: {self.what}" if where else self.what
        if self.found is not None:
            found = str(self.found)
            # What a library says may end in a full stop of its own.
            message += f"; found {found[:-1] if found.endswith('.') and not found.endswith('..') else found}"
        if self.wanted is not None:
            message += f"; wanted {self.wanted}"
        if self.remedy:
            message += f". {self.remedy[0].upper()}{self.remedy[1:]}"
        return message + "."


class SelfCheckError(TrackgenError):
    """A result did not pass the run's own check."""


class UsageError(TrackgenError):
    """An option has a value that cannot be honoured."""

    exit_status = 2


class DataError(TrackgenError):
    """A genome, BED, signal or hub file is missing, malformed or contradicts another."""

    exit_status = 3


class ModelError(TrackgenError):
    """A model or its card is missing, malformed, contradictory, or yields NaN."""

    exit_status = 4


class ResourceError(TrackgenError):
    """The machine failed: memory, disk or device. The same command may succeed later or elsewhere."""

    exit_status = 75


def _rebuilt(kind: type[TrackgenError], arguments: tuple[object, ...], values: dict[str, object]) -> TrackgenError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(values)
    return error
