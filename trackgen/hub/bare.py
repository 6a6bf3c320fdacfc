"""A hub with a genome and no tracks: what ``trackgen serve`` shows a model on before anything was scanned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trackgen.card import read_card
from trackgen.errors import UsageError
from trackgen.hub.build import DEFAULT_EMAIL, HubReport, hub_of, organism_of, refuse_foreign, write_manifest
from trackgen.hub.contents import write_contents
from trackgen.hub.genome import file_source
from trackgen.hub.genome_files import put_two_bit
from trackgen.hub.locus import informative_locus
from trackgen.hub.model import HubGenome
from trackgen.hub.replace import replacing
from trackgen.progress import Progress

__all__ = ["build_bare_hub"]


def build_bare_hub(output: Path, genome: Path, models: Sequence[Path], progress: Progress) -> HubReport:
    """Build the folder `output` of a genome and no tracks; an older hub of ours there is replaced.

    Args:
        genome: FASTA or 2bit. A 2bit file is linked where that is possible, else copied; FASTA is written as 2bit.
        models: whose titles name the hub.

    Raises:
        UsageError: `output` holds something else, or no model is given.
        DataError: the genome is missing, malformed or no genome.
        ModelError: a model has no card.
        ResourceError: the disk is full.
    """
    output = Path(os.path.abspath(output))
    if not models:
        raise UsageError("no model is given", wanted="a model that the hub is looked at with")
    refuse_foreign(output)
    source = file_source(Path(genome))
    own = HubGenome(
        id=source.id,
        title=source.id,
        organism=organism_of(source.assembly or source.id),
        lengths=source.lengths,
        locus=informative_locus((), source.lengths),
        two_bit=f"{source.id}.2bit",
    )
    hub = hub_of([own], [read_card(path) for path in models], DEFAULT_EMAIL, "", one_file=True)
    with replacing(output) as folder:
        put_two_bit(source, folder / own.two_bit, progress)
        write_contents(hub, folder, progress)
        write_manifest(hub, folder)
    return HubReport(output, (), ("index.html", "jbrowse.html", "hub.html"))
