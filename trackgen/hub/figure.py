"""What a figure needs of a run that no hub was built of yet: the configuration that its hub would have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.hub.compose import Taken, compose_groups
from trackgen.hub.igv import render_igv
from trackgen.hub.model import HubGenome, Locus
from trackgen.hub.runs import read_run

__all__ = ["run_config"]


def run_config(folder: Path) -> tuple[dict[str, Any], Mapping[str, int]]:
    """The igv.json of a run's tracks, with addresses relative to `folder`, and the genome's lengths in bp.

    Raises:
        DataError: the folder is no finished run, or a track is missing.
    """
    # A picture shows a few bases: to read every track whole would take minutes.
    run = read_run(folder, verify=False)
    first = next(iter(run.lengths))
    assembly = run.assembly or Path(run.genome_file).name.split(".")[0]
    genome = HubGenome(
        id=assembly,
        title=assembly,
        organism=assembly,
        lengths=run.lengths,
        locus=Locus(first, 0, run.lengths[first]),
        groups=compose_groups([run], Taken()),
    )
    config: dict[str, Any] = json.loads(render_igv(genome))
    # Its tracks are named as they are in the hub, which may differ from the run's files.
    files = {track.name: track.source.name for track in genome.tracks}
    for track in config["tracks"]:
        track["url"] = files[track["id"]]
    return config, run.lengths
