"""Drives a running IGV Desktop through the port it listens on: one line a command, one line back.

IGV answers ``OK``, ``ERROR ...``, ``Error: ...`` or ``UNKNOWN COMMAND: ...`` (igvteam/igv: CommandExecutor.java); while
it shows a message of its own that waits for a click, it does not answer at all.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from trackgen.errors import DataError, ResourceError, UsageError

__all__ = ["IGV_PORT", "IgvDesktop", "IgvRequest", "parse_range", "show_in_igv"]

IGV_PORT = 60151
SESSION = "igv.xml"
SECONDS = 120.0
"""A genome from a slow network takes its time; a message that waits for a click takes for ever."""
CONNECT_SECONDS = 5.0
LONGEST_ANSWER = 1 << 16
LONGEST_SHOWN = 300
ADDRESS = re.compile(r"(https?|ftp|s3|gs)://", re.IGNORECASE)
# IGV 2 spells the last one so.
FAILED = ("error", "unknown command", "unkown command")


@dataclass(frozen=True)
class IgvRequest:
    """What IGV is to show.

    Attributes:
        targets: hubs (folders with igv.xml), files that IGV reads, or addresses of such.
        genome: a name that IGV knows, or a file; None leaves the choice to a hub's session, or to IGV.
        locus: a region or a gene's name; None leaves it where it is.
        data_range: lowest and highest value of the axes of all tracks.
    """

    targets: tuple[str, ...]
    genome: str | None = None
    locus: str | None = None
    data_range: tuple[float, float] | None = None


def show_in_igv(
    request: IgvRequest,
    *,
    host: str = "127.0.0.1",
    port: int = IGV_PORT,
    seconds: float = SECONDS,
    on_answer: Callable[[str, str], None] = lambda command, answer: None,
) -> None:
    """Show `request` in the IGV that listens on `host`:`port`; everything is checked before IGV is asked.

    Args:
        seconds: how long IGV may take for one command.
        on_answer: is called with each command and IGV's answer.

    Raises:
        DataError: a file or a hub's session is missing, or IGV could not do what it was asked.
        UsageError: nothing listens there, or something that is not IGV, or a name cannot be said to IGV.
        ResourceError: IGV stopped answering.
    """
    commands = _commands(request)
    with IgvDesktop(host, port, seconds) as igv:
        for command in commands:
            on_answer(command, igv.ask(command))


def _commands(request: IgvRequest) -> list[str]:
    commands = [] if request.genome is None else [f"genome {_quoted(_absolute(request.genome))}"]
    commands += [f"load {_quoted(_file(target))}" for target in request.targets]
    if request.locus is not None:
        commands.append(f"goto {_one_line(request.locus.replace(',', ''))}")
    if request.data_range is not None:
        low, high = request.data_range
        # With two numbers IGV draws bars from the lowest; values of both signs stand on zero.
        middle = "0," if low < 0 < high else ""
        commands.append(f"setDataRange {_number(low)},{middle}{_number(high)}")
    return commands


def _number(value: float) -> str:
    """Written so that it reads back as the same number."""
    return repr(value).removesuffix(".0")


def _file(target: str) -> str:
    """The file or address that IGV loads for `target`."""
    if ADDRESS.match(target):
        return target
    path = Path(target)
    if path.is_dir():
        path = path / SESSION
        if not path.is_file():
            remedy = "build the hub again, or name the tracks' files"
            raise DataError("the folder holds no session for IGV", path=target, wanted=SESSION, remedy=remedy)
    if not path.is_file():
        raise DataError("there is no such file", path=target, wanted="a hub, or a file that IGV reads")
    return os.path.abspath(path)


def _absolute(genome: str) -> str:
    # IGV has a working folder of its own.
    return os.path.abspath(genome) if Path(genome).is_file() else genome


def _quoted(text: str) -> str:
    if '"' in text:
        raise UsageError("IGV cannot be told a name with a quotation mark", found=text, remedy="rename the file")
    text = _one_line(text)
    return f'"{text}"' if re.search(r"[\s,%]", text) else text


def _one_line(text: str) -> str:
    """Refuse what would become a command of its own."""
    if not text.isprintable():
        raise UsageError("IGV cannot be told a name with a line break or a control character", found=repr(text))
    return text


class IgvDesktop:
    """A connection to a running IGV, to be used in a ``with`` block."""

    def __init__(self, host: str = "127.0.0.1", port: int = IGV_PORT, seconds: float = SECONDS) -> None:
        """Connect, and make sure that it is IGV that answers.

        Raises:
            UsageError: nothing listens there, or something that is not IGV.
        """
        self._place = f"{host}:{port}"
        self._seconds = seconds
        remedy = "start IGV; View > Preferences > Advanced switches its port on, and --port names another"
        try:
            self._socket = socket.create_connection((host, port), CONNECT_SECONDS)
        except (OSError, UnicodeError) as error:
            found = getattr(error, "strerror", None) or str(error)
            raise UsageError("IGV does not listen there", place=self._place, found=found, remedy=remedy) from error
        self._unread = b""
        try:
            self._greet(remedy)
        except BaseException:
            self.close()
            raise

    def _greet(self, remedy: str) -> None:
        try:
            answer = self._exchange("echo trackgen", min(self._seconds, CONNECT_SECONDS))
        except OSError as error:
            answer = f"no answer ({error})"
        # IGV 2 answers with the command's name where later ones give the word back.
        if answer not in ("trackgen", "echo"):
            remedy = "look whether IGV shows a message that waits for a click; --port names another port"
            raise UsageError(
                "what listens there does not answer as IGV does", place=self._place, found=answer, remedy=remedy
            )

    def ask(self, command: str) -> str:
        """IGV's answer to one command.

        Raises:
            DataError: IGV says that it could not do it.
            ResourceError: IGV does not answer in time, or ends the connection.
        """
        remedy = "look whether IGV shows a message that waits for a click"
        try:
            answer = self._exchange(command, self._seconds)
        except TimeoutError as error:
            what = f"IGV has not answered within {self._seconds:g} seconds"
            raise ResourceError(what, place=self._place, found=command, remedy=remedy) from error
        except OSError as error:
            raise ResourceError(f"IGV ended the connection ({error})", place=self._place, found=command) from error
        if answer.lower().startswith(FAILED):
            raise DataError(f"IGV could not do `{command}`", place=self._place, found=answer, remedy=remedy)
        return answer

    def _exchange(self, command: str, seconds: float) -> str:
        """The answer, whole within `seconds`, as it can be shown."""
        end = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        self._socket.sendall(f"{command}\n".encode())
        while b"\n" not in self._unread and len(self._unread) < LONGEST_ANSWER:
            # A single time limit would begin anew with each byte.
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left)
            part = self._socket.recv(LONGEST_ANSWER)
            if not part:
                break
            self._unread += part
        if not self._unread:
            raise ConnectionResetError("no answer")
        line, _, self._unread = self._unread.partition(b"\n")
        return _shown(line)

    def close(self) -> None:
        """End the connection; IGV goes on."""
        self._socket.close()

    def __enter__(self) -> IgvDesktop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _shown(line: bytes) -> str:
    """What another program said, without what a terminal would obey, and not too long to be read."""
    text = line.decode("utf-8", "replace").strip()
    text = "".join(letter if letter.isprintable() else "?" for letter in text[: LONGEST_SHOWN + 1])
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def parse_range(text: str) -> tuple[float, float]:
    """``MIN,MAX`` as two numbers.

    Raises:
        UsageError: it is something else.
    """
    try:
        low, high = (float(part) for part in text.split(","))
        fits = low < high and abs(low) < float("inf") and abs(high) < float("inf")
    except ValueError:
        fits = False
    if not fits:
        raise UsageError("this is no range", place="--range", found=text, wanted="MIN,MAX, such as -0.1,0.3")
    return low, high
