"""The command ``trackgen``: finds a subcommand, runs it, and maps errors to exit statuses.

Subcommands are imported only when they are called, so that ``--help`` is instant.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, NoReturn

import click

import trackgen
from trackgen.cli.extras import missing_extra
from trackgen.errors import DISK_ERRORS, MACHINE_ERRORS, DataError, ResourceError, TrackgenError

__all__ = ["main"]

COMMANDS = {
    "demo": ("demo", "Run the whole main job on the yeast genome with the shipped models."),
    "scan": ("scan", "Scan a genome with one or more models and write BigWig tracks."),
    "assemble": ("assemble", "Put the shards of a scan together that several processes made."),
    "score": ("score", "Score regions, transcripts' starts or variants: BED, GTF or VCF."),
    "hub": ("hub", "Turn the tracks of one or more runs into a hub for genome browsers."),
    "serve": ("serve", "Show a hub in a local browser page."),
    "view": ("view", "Open a hub's page, or show hubs and files in a running IGV Desktop."),
    "call": ("call", "Turn tracks into calls: BED, narrowPeak and bigBed (needs trackgen[genes])."),
    "smooth": ("smooth", "Smooth a track by a box or Gauss's curve."),
    "evaluate": (
        "evaluate",
        "Hold tracks against labels (AUROC, AUPRC, recall) or a true track (error, correlations).",
    ),
    "plot": ("plot", "Draw the tracks of a hub over a locus as PNG, SVG or PDF (needs trackgen[plot])."),
    "model": ("model", "List, show and check models, or put a card into one."),
    "signal": ("signal", "Make a signal from reads, fragments or a track: coverage or cut sites as BigWig."),
    "train": ("train", "Train a model on real data (needs trackgen[train])."),
    "sweep": ("sweep", "Hold architectures against data sets, as Zeng 2016 did (needs trackgen[train])."),
    "export": ("export", "Write a trained model as ONNX with its card inside (needs trackgen[train])."),
    "explain": ("explain", "Explain what a model has learned, as a report with pictures (needs trackgen[explain])."),
    "doctor": ("doctor", "Say what is installed, which devices really run, and what is missing."),
}
"""Command -> its module in trackgen.cli and its one-line help."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and help texts, and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"trackgen.cli.{COMMANDS[cmd_name][0]}").command
        command.name = cmd_name
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of our results went away (`| head`): nothing is wrong. click would make it status 1.
            _close_stdout()
            raise click.exceptions.Exit(0) from None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"auto_envvar_prefix": "TRACKGEN", "help_option_names": ["-h", "--help"]})
@click.version_option(trackgen.__version__, message="trackgen %(version)s")
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
def root(debug: bool) -> None:
    """Scan whole genomes with ONNX models, write BigWig tracks and hubs, and show them.

    Every option can also be given as an environment variable TRACKGEN_<COMMAND>_<OPTION>.
    """


class Terminated(BaseException):
    """SIGTERM arrived: unwind so that temporary files are removed."""


def _raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def main() -> NoReturn:
    """Run the command line and exit with 0, 1, 2, 3, 4, 75, 130 or 143."""
    signal.signal(signal.SIGTERM, _raise_terminated)
    debug = "--debug" in sys.argv or os.environ.get("TRACKGEN_DEBUG", "0").lower() not in ("", "0", "false")
    try:
        root.main(prog_name="trackgen", standalone_mode=False)
    except click.exceptions.Abort as error:
        _leave(130, f"interrupted; {_how_to_go_on(error)}", debug)
    except KeyboardInterrupt as error:
        _leave(130, f"interrupted; {_how_to_go_on(error)}", debug)
    except Terminated as error:
        _leave(143, f"terminated; {_how_to_go_on(error)}", debug)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except TrackgenError as error:
        _leave(error.exit_status, str(error), debug)
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is None:
            _leave(1, _fault_text(error), debug)
        _leave(missing.exit_status, str(missing), debug)
    except MemoryError:
        _leave(ResourceError.exit_status, "memory ran out; the same command may succeed with more", debug)
    except OSError as error:
        _leave(_status_of(error), _text_of(error), debug)
    except Exception as error:  # a fault of ours: one line that says where, for the report
        _leave(1, _fault_text(error), debug)
    sys.exit(0)


def _how_to_go_on(error: BaseException) -> str:
    """What the interrupted command said of how to go on; click wraps an interruption into an error of its own."""
    remedy = getattr(error, "remedy", None) or getattr(error.__context__, "remedy", None)
    return remedy or "run the same command again"


def _fault_text(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    what = f"{type(error).__name__}: {error}"
    return f"a fault of trackgen itself, {what} ({place}). Run it again with --debug and report what that prints."


def _leave(status: int, message: str, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    click.echo(f"trackgen: {message}", err=True)
    if _threads_left_behind():
        # A stage that does not answer, in a library's own code, would hold up the interpreter's end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _threads_left_behind() -> bool:
    pipeline = sys.modules.get("trackgen.scan.pipeline")
    return pipeline is not None and pipeline.threads_left_behind()


def _status_of(error: OSError) -> int:
    """A full or failing disk may succeed later; any other refusal of a file is one of the data."""
    return ResourceError.exit_status if error.errno in MACHINE_ERRORS else DataError.exit_status


def _text_of(error: OSError) -> str:
    """What the system says of a file, in one line."""
    place = error.filename or "the output"
    if error.errno in DISK_ERRORS:
        _close_stdout()
    return f"{place}: {error.strerror or error}."


def _close_stdout() -> None:
    """Point stdout at nothing, so that the interpreter does not fail again when it flushes it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
