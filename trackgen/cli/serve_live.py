"""What ``trackgen serve --model`` adds: open models, the live page, and what keeps a region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackgen.errors import DataError, UsageError
from trackgen.serve import Overlay

if TYPE_CHECKING:
    from trackgen.hub.built import BuiltHub
    from trackgen.serve.api import Kept, LiveApi

__all__ = ["LIVE_PAGE", "LiveOptions", "Served", "live_over"]

LIVE_PAGE = "live.html"


@dataclass(frozen=True)
class LiveOptions:
    """The options of ``trackgen serve`` that are about live questions.

    Attributes:
        models: files or names of shipped models, at least one.
        genome: None for the hub's own.
        signals: file of each signal input, by NAME or NAME.CHANNEL.
        threads: None for as many as this process may use.
    """

    models: tuple[str, ...]
    genome: Path | None
    signals: tuple[tuple[str, Path], ...]
    device: str
    threads: int | None


@dataclass(frozen=True)
class Served:
    """What lies over the hub, and what answers live questions."""

    overlay: Overlay
    api: LiveApi


def live_over(root: Path, host: str, options: LiveOptions) -> Served:
    """Open the models over the hub `root`, which is made where there is none yet.

    Raises:
        UsageError: no genome to look at, or a model's signal without a file.
        DataError: the genome is not the hub's, or the hub is not one that trackgen built.
        ModelError: a model can't be run.
    """
    from trackgen.genome import open_genome
    from trackgen.hub.built import read_built
    from trackgen.hub.jbrowse_live import with_live_tracks
    from trackgen.hub.live_page import live_files, with_live_link
    from trackgen.live import LiveEngine
    from trackgen.resources import IGV_JS
    from trackgen.scan.opened import open_model
    from trackgen.serve.api import LiveApi
    from trackgen.serve.overlay import address_of
    from trackgen.serve.trust import Trust

    threads, at_once = _threading(options)
    models = [open_model(text, device=options.device, threads=threads) for text in options.models]
    _make_hub(root, options, [model.path for model in models])
    built = read_built(root, "models can be shown over")
    path = options.genome or _own_genome(built)
    genome = open_genome(path)
    name = built.genome_of(genome.lengths, path)
    click.echo(f"opening {', '.join(model.card.name for model in models)}", err=True)
    engine = LiveEngine(models, genome, signals=dict(options.signals), keep=True, tiles_at_once=at_once)
    for model in engine.models.values():
        for note in model.notes:
            click.echo(note, err=True)
    files = live_files(built, name, address_of(IGV_JS, root))
    edits: dict[str, Callable[[bytes], bytes]] = dict.fromkeys(("index.html", "jbrowse.html"), with_live_link)
    edits["config.json"] = partial(with_live_tracks, description=engine.describe(), assembly=name, base="api/v1/")
    keeper = _Keeper(root, path, {model.card.name: model.path for model in models}, options)
    return Served(Overlay(files, edits), LiveApi(engine, keeper, Trust(host)))


def _threading(options: LiveOptions) -> tuple[int, int]:
    """The threads of a tile, and the tiles that run at a time; a device runs one."""
    from trackgen.runtime import default_threads, device_kind

    threads = options.threads or default_threads()
    return (1, threads) if device_kind(options.device) == "cpu" else (threads, 1)


def _make_hub(root: Path, options: LiveOptions, models: Sequence[Path]) -> None:
    """Make the hub where there is nothing yet and the genome is known: a browser needs one to show."""
    if root.exists():
        return
    if options.genome is None:
        raise DataError(
            "there is no such folder",
            path=root,
            wanted="a hub",
            remedy="give the genome with --genome, and a hub without tracks is made",
        )
    from trackgen.hub.bare import build_bare_hub
    from trackgen.progress import for_stream

    build_bare_hub(root, options.genome, models, for_stream())
    click.echo(f"made {root}, a hub without tracks", err=True)


def _own_genome(built: BuiltHub) -> Path:
    """The sequence that the hub carries."""
    for genome in built.lengths:
        path = built.folder / f"{genome}.2bit"
        if path.is_file():
            return path
    raise UsageError(
        "the hub carries no sequence for the model to read",
        place="--genome",
        wanted="a FASTA or 2bit file",
        remedy=f"give the genome that it was scanned on: {', '.join(built.lengths)}",
    )


class _Keeper:
    """Has regions scanned and put into the hub."""

    def __init__(self, root: Path, genome: Path, models: dict[str, Path], options: LiveOptions) -> None:
        self._root, self._genome, self._models, self._options = root, genome, models, options

    def __call__(
        self, model: str, name: str, start: int, end: int, contributions: Sequence[str], check: Callable[[], None]
    ) -> Kept:
        from trackgen.genome import Interval
        from trackgen.hub.keep import keep_region
        from trackgen.runtime import default_threads
        from trackgen.serve.api import Kept

        report = keep_region(
            self._root,
            [self._models[model]],
            self._genome,
            Interval(name, start, end),
            contributions={model: contributions},
            signals=self._options.signals,
            device=self._options.device,
            threads=self._options.threads or default_threads(),
            progress=_Checking(check),
        )
        return Kept(report.files, report.regions)


class _Checking:
    """Progress that nobody sees; it ends the work where nobody waits for it any more."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def start(self, what: str, total: int, unit: str) -> None:
        self._check()

    def advance(self, amount: int) -> None:
        self._check()

    def note(self, text: str) -> None:
        self._check()

    def finish(self) -> None:
        """Nothing: what is done is done."""
