"""``trackgen assemble``: the shards of a run, made by any number of processes, become its tracks."""

from __future__ import annotations

from pathlib import Path

import click

from trackgen.cli.options import progress_options, progress_to, threads_option

__all__ = ["command"]


@click.command()
@click.argument("output", type=click.Path(path_type=Path), metavar="OUT")
@threads_option
@progress_options
def command(output: Path, threads: int | None, quiet: bool, log_file: Path | None) -> None:
    """Put the shards in OUT together: what is left to do after every `trackgen scan --shard K/N` is done.

    Reads neither models nor the genome. Where shards are missing or damaged it says which, and changes nothing else.
    """
    from trackgen.runtime import default_threads
    from trackgen.scan import assemble_folder

    with progress_to(quiet, log_file) as progress:
        tracks, before = assemble_folder(output, threads or default_threads(), progress)
        if before:
            progress.note(f"{output} is put together already: nothing to do")
    for path in tracks:
        click.echo(path)
