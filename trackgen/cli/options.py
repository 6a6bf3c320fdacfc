"""Options that several commands share, and what they become."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from trackgen.progress import LineProgress, NullProgress, Progress, for_stream

__all__ = [
    "NamedFile",
    "Size",
    "command_line",
    "contribution_options",
    "finite",
    "progress_options",
    "progress_to",
    "split_names",
    "stride_option",
    "threads_option",
]

LARGEST_STRIDE = 2**31 - 1
Command = TypeVar("Command", bound=Callable[..., Any])


def progress_options(command: Command) -> Command:
    """-q and --log-file: how much is told, and where."""
    for option in (
        click.option(
            "--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Also write what is told to this file."
        ),
        click.option("-q", "--quiet", is_flag=True, help="Tell nothing but errors."),
    ):
        command = option(command)
    return command


def stride_option(command: Command) -> Command:
    """--stride: bp between windows."""
    return click.option(
        "--stride",
        type=click.IntRange(1, LARGEST_STRIDE),
        metavar="N",
        help="Distance between windows, bp.  [default: the card's]",
    )(command)


def threads_option(command: Command) -> Command:
    """-t: cores to use."""
    return click.option(
        "-t", "--threads", type=click.IntRange(min=1), help="Cores to use  [default: as many as this process may use]"
    )(command)


def contribution_options(command: Command) -> Command:
    """What --contrib explains, against what, and how windows are weighted."""
    options = (
        click.option(
            "--contrib-weight",
            type=click.Choice(["uniform", "probability", "calls"]),
            help="How much the windows over a base count: all the same, by the predicted probability, or calls alone.  "
            "[default: the card's]",
        ),
        click.option(
            "--reference",
            metavar="frequencies|shuffle:N|FASTA|A,C,G,T",
            help="What contributions are measured against: base frequencies (the card's, or four numbers), N shuffled "
            "genomes, or a genome with the same sequences.  [default: frequencies]",
        ),
        click.option(
            "--attribution",
            type=click.Choice(["deeplift", "gradient", "saliency", "occlusion", "substitution"]),
            default="deeplift",
            show_default=True,
            help="DeepLIFT; the gradient times (input - reference); the gradient's size; or, with --regions, what is "
            "lost without each base, or by its worst substitution.",
        ),
        click.option("--profile-target", metavar="sum|centre|POSITION", help="What of a profile output is explained."),
        click.option(
            "--centred", is_flag=True, help="Contributions of one window for each of the --regions, about its middle."
        ),
        click.option(
            "--hypothetical",
            type=Prefix(),
            help="Write PREFIX.ohe.npz and PREFIX.attr.npz, which `modisco motifs` reads; with --centred.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


class _Both:
    """Progress on the terminal and in a log file."""

    def __init__(self, *parts: Progress) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            for part in self._parts:
                getattr(part, name)(*arguments)

        return functools.wraps(getattr(self._parts[0], name))(call)


@contextlib.contextmanager
def progress_to(quiet: bool, log_file: Path | None) -> Iterator[Progress]:
    """The progress that -q and --log-file ask for; ended and closed at the end."""
    shown = for_stream(sys.stderr, quiet=quiet)
    with contextlib.ExitStack() as stack:
        progress: Progress = shown
        if log_file is not None:
            file = stack.enter_context(open(log_file, "a", encoding="utf-8"))
            log = LineProgress(file)
            progress = log if isinstance(shown, NullProgress) else _Both(shown, log)
        stack.callback(progress.finish)
        yield progress


def split_names(context: click.Context, parameter: click.Parameter, value: tuple[str, ...] | None) -> tuple[str, ...]:
    """``A,B`` or repeated options -> names; an option that names nothing is refused."""
    names = tuple(name.strip() for text in value or () for name in text.split(",") if name.strip())
    if value and not names:
        raise click.BadParameter("it names nothing", context, parameter)
    return names


class NamedFile(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``NAME=FILE`` -> (name, path)."""

    name = "NAME=FILE"
    envvar_list_splitter = os.pathsep  # as for several files

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, _, file = value.partition("=")
        if not name or not file:
            self.fail(f"{value!r} is not NAME=FILE", param, ctx)
        return name, Path(file)


class Prefix(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """The beginning that the paths of several files share; not a folder, whose last slash `Path` would drop."""

    name = "PREFIX"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not isinstance(value, Path) and (not value or value.endswith("/")):
            self.fail(f"{value!r} is not the beginning of files' names, such as FOLDER/motifs", param, ctx)
        return Path(value)


class Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Bytes: a number, with K, M, G or T for powers of 1,024."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)i?B?", value.strip(), re.IGNORECASE)
        size = float(match[1]) * SIZE_UNITS[match[2].upper()] if match else 0.0
        if size < 1:
            self.fail(f"{value!r} is no size: a number of bytes, such as 500M or 2G", param, ctx)
        return int(size)


SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse nan and infinity, which float() takes."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number", ctx=context, param=parameter)
    return value


PRIVATE_OPTIONS = ("--tmp-dir", "--log-file", "--cluster")
NAMED_FILE_OPTIONS = ("--signal", "--vector")


def command_line() -> tuple[str, ...]:
    """This process' command line with file names only: outputs are public, folders are not."""
    words: list[str] = []
    skip = named = False
    for word in sys.argv[1:]:
        name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        key, sign, file = value.partition("=") if named or name in NAMED_FILE_OPTIONS else ("", "", value)
        if not skip and name not in PRIVATE_OPTIONS:
            words.append(f"{name}{equals}{key}{sign}{_file_name(file)}")
        named = not named and name in NAMED_FILE_OPTIONS and not equals
        skip = not skip and name in PRIVATE_OPTIONS and not equals
    return ("trackgen", *words)


def _file_name(word: str) -> str:
    return os.path.basename(word.rstrip("/")) if "/" in word else word
