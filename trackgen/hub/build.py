"""Builds a hub's folder, whole or not at all: in a folder beside it first, which then takes its place."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from trackgen import __version__
from trackgen.card import Card
from trackgen.errors import UsageError
from trackgen.hub.built import MANIFEST, track_record
from trackgen.hub.calls import call_folders, calls_by_genome, put_narrow_peak, read_call_tracks
from trackgen.hub.comparison import BesideFile, beside_files, besides_by_genome, with_comparisons
from trackgen.hub.compose import LONG_LABEL, SHORT_LABEL, Taken, compose_groups
from trackgen.hub.contents import write_contents
from trackgen.hub.genes import CompiledGenes, compile_for_best, gene_files
from trackgen.hub.genome import GenomeSource, choose_genomes
from trackgen.hub.genome_files import put_beside, put_track, put_two_bit
from trackgen.hub.jbrowse_into import check_into, merge_into
from trackgen.hub.links import links
from trackgen.hub.live_page import LIVE_PAGE
from trackgen.hub.locus import informative_locus
from trackgen.hub.model import CallTrack, Hub, HubGenome, HubTrack
from trackgen.hub.motifs import motifs_by_genome, read_motif_tracks
from trackgen.hub.replace import replacing
from trackgen.hub.runs import read_run
from trackgen.hub.text import clean, counted, shorten, track_name
from trackgen.hub.with_model import page_models
from trackgen.progress import Progress

__all__ = [
    "DEFAULT_EMAIL",
    "MANIFEST",
    "HubReport",
    "Layout",
    "build_hub",
    "hub_of",
    "organism_of",
    "refuse_foreign",
    "write_manifest",
]

Layout = Literal["one-file", "three-file"]

# UCSC wants an address in every hub. This one is reserved for examples (RFC 2606) and reaches nobody.
DEFAULT_EMAIL = "nobody@example.org"
ORGANISMS = {
    "hg": "Homo sapiens",
    "hs": "Homo sapiens",
    "mm": "Mus musculus",
    "rn": "Rattus norvegicus",
    "dm": "Drosophila melanogaster",
    "ce": "Caenorhabditis elegans",
    "sacCer": "Saccharomyces cerevisiae",
    "danRer": "Danio rerio",
}


@dataclass(frozen=True)
class HubReport:
    """What was built: the hub's folder, its tracks' file names and its pages' file names.

    `links` are names and addresses of ways to see the hub, none where its public address is not known.
    """

    path: Path
    tracks: tuple[str, ...]
    pages: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()


def build_hub(
    runs: Sequence[Path],
    output: Path,
    *,
    genome: str | Sequence[str] | None,
    email: str | None,
    url: str | None,
    progress: Progress,
    motifs: Sequence[Path] = (),
    calls: Sequence[Path] = (),
    beside: Sequence[tuple[str, Path]] = (),
    layout: Layout | None = None,
    names: str | None = None,
    genes: Sequence[Path] = (),
    jbrowse_config: Path | None = None,
    models: Sequence[Path] | None = None,
) -> HubReport:
    """Build the folder `output` from the tracks of `runs`; an older hub of ours there is replaced.

    Args:
        runs: output folders of ``trackgen scan``, of one genome or several.
        genome: a FASTA or 2bit file (an assembly hub, which carries its sequence), the name of a UCSC assembly (a
            track hub), several of them for runs of several genomes, or None: see
            `trackgen.hub.genome.choose_genomes`.
        email: the contact that UCSC wants; None writes one that reaches nobody.
        url: the absolute address that the folder will be published at; adds absolute links.
        motifs: output folders of ``trackgen explain motifs``, whose hits become tracks.
        calls: output folders of ``trackgen call``, whose calls become tracks; those in a run's own folder, or in
            ``calls`` in it, do so in any case.
        beside: labels and BigWig files that are drawn over the first predicted signal, such as the deep data.
        layout: ``one-file``, which browsers read for a single genome only, or ``three-file``; None takes the first
            where it can.
        names: how the hub names sequences: ``ucsc``, ``ensembl``, or a file with a line ``OLD<TAB>NEW`` for each that
            changes; None keeps those of the runs.
        genes: annotations (GTF, GFF3, BED), at most one for each genome, that genes are drawn from and found in.
        jbrowse_config: the config.json of a JBrowse of the user's own, which the tracks are put into as well.
        models: None, or, for a live page with the runs' models in it, the files of those that are not shipped.

    Raises:
        UsageError: `output` holds something else, an option's value is no good, or the genome cannot be found.
        DataError: a run, a track or the genome is missing, malformed, or contradicts another.
        ModelError: no model can run in a page, or a file is not the model that was scanned with.
    """
    output = Path(os.path.abspath(output))
    base_url, contact = _base_url(url), _email(email, progress)
    if not runs:
        raise UsageError("no run is given", wanted="output folders of trackgen scan")
    refuse_foreign(output)
    read = [read_run(Path(folder)) for folder in runs]
    asked = [genome] if isinstance(genome, str) else list(genome or ())
    chosen = choose_genomes(read, asked, output, progress, names)
    if layout == "one-file" and len(chosen) > 1:
        raise UsageError(
            "a hub in one file has one genome, and the runs are of several",
            place="--layout",
            found=", ".join(source.id for source in chosen),
            remedy="leave --layout out, or build a hub for each genome",
        )
    besides = besides_by_genome(beside_files(beside), [source.lengths for source in chosen])
    named = _genomes(chosen, motifs, call_folders(calls, runs), besides)
    genomes, annotations = _with_genes(named, genes, progress)
    cards = [track.card for genome in genomes for track in genome.tracks]
    hub = hub_of(genomes, cards, contact, base_url, one_file=layout != "three-file" and len(chosen) == 1)
    in_page = None if models is None else page_models(chosen, models, progress)
    if jbrowse_config is not None:
        # What it would fail at must not cost the hub that is there.
        check_into(jbrowse_config, hub, output)
    with replacing(output) as folder:
        _write_data(hub, chosen, folder, progress)
        _write_genes(hub, annotations, folder)
        write_contents(hub, folder, progress, in_page)
        write_manifest(hub, folder)
    if jbrowse_config is not None:
        merged = merge_into(jbrowse_config, hub, output)
        added = counted(merged.added, "track")
        progress.note(f"{jbrowse_config}: {added} added, {merged.replaced} replaced, {merged.removed} removed")
    track_pages = tuple(track.page for track in hub.files)
    live_pages = (LIVE_PAGE,) if in_page else ()
    return HubReport(
        path=output,
        tracks=tuple(track.file for track in hub.files),
        pages=("index.html", "jbrowse.html", *live_pages, "hub.html", *track_pages),
        links=tuple((link.name, link.address) for link in links(hub) if hub.base_url and ":" in link.address),
    )


def _email(email: str | None, progress: Progress) -> str:
    if email is None:
        progress.note(f"hub.txt gives {DEFAULT_EMAIL} as its contact; set yours with --email before publishing")
        return DEFAULT_EMAIL
    if clean(email) != email or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise UsageError("this is no e-mail address", place="--email", found=email)
    return email


def _base_url(url: str | None) -> str:
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        # Reading the port refuses one that is no number.
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or True)
    except ValueError:
        fit = False
    if not fit or parts.query or parts.fragment or "@" in parts.netloc or clean(url) != url or " " in url:
        raise UsageError(
            "this is no address that a hub can be published at",
            place="--url",
            found=url,
            wanted="the folder's address, such as https://example.org/hubs/yeast/",
        )
    if re.search(r"/[^/]+\.(txt|html?|json|xml|ini)$", parts.path, flags=re.IGNORECASE):
        raise UsageError(
            "this is the address of a file, and the folder's is needed",
            place="--url",
            found=url,
            remedy=f"give {url.rpartition('/')[0]}/; if it is a folder of this name, end it with a slash",
        )
    return url if url.endswith("/") else f"{url}/"


def _genomes(
    chosen: Sequence[GenomeSource],
    motifs: Sequence[Path],
    calls: Sequence[Path],
    besides: Sequence[Sequence[BesideFile]],
) -> list[HubGenome]:
    """Each genome with its tracks, named apart over the whole hub."""
    taken = Taken()
    of_genomes = [source.runs for source in chosen]
    folders = zip(motifs_by_genome(motifs, of_genomes), calls_by_genome(calls, of_genomes), besides, strict=True)
    genomes: list[HubGenome] = []
    for source, (own_motifs, own_calls, own_besides) in zip(chosen, folders, strict=True):
        groups = compose_groups(source.runs, taken, genome=source.id if genomes else "")
        groups = with_comparisons(groups, source.runs, own_besides, taken)
        lengths = source.runs[0].lengths
        # Runs under other names of the same sequences are left out of this: one name is looked up in all tracks.
        alike = {run.folder for run in source.runs if run.lengths == lengths}
        tracks = [track for group in groups for track in group.tracks if track.source.parent in alike]
        locus = informative_locus(tracks, lengths)
        genomes.append(
            HubGenome(
                id=source.id,
                title=source.id,
                organism=organism_of(source.assembly or source.id),
                lengths=source.lengths,
                locus=replace(locus, name=source.names[locus.name]),
                two_bit="" if source.file is None else f"{source.id}.2bit",
                groups=groups,
                calls=read_call_tracks(own_calls, source.runs, groups, taken),
                motifs=read_motif_tracks(own_motifs, source.runs, taken),
            )
        )
    return genomes


def _with_genes(
    genomes: Sequence[HubGenome], files: Sequence[Path], progress: Progress
) -> tuple[list[HubGenome], dict[str, CompiledGenes]]:
    """The genomes with their gene tracks, and what these are made of, by the genome's name."""
    compiled: dict[str, CompiledGenes] = {}
    for path in files:
        name, best = compile_for_best(path, {genome.id: genome.lengths for genome in genomes})
        if name in compiled:
            raise UsageError(
                "two annotations are given for one genome",
                path=path,
                place="--genes",
                found=name,
                wanted="one for each",
            )
        compiled[name] = best
        progress.note(best.note)
    tracks = {name: entry.track for name, entry in compiled.items()}
    return [replace(genome, genes=tracks.get(genome.id)) for genome in genomes], compiled


def hub_of(genomes: Sequence[HubGenome], cards: Sequence[Card], email: str, base_url: str, one_file: bool) -> Hub:
    """The hub of `genomes`, called after its models."""
    named = {card.name: card for card in cards}
    titles = [clean(card.title) or name for name, card in named.items()]
    title = titles[0] if len(titles) == 1 else f"{titles[0]} and {len(titles) - 1} more"
    return Hub(
        name=track_name(f"trackgen_{next(iter(named))}"),
        short_label=shorten(next(iter(named)), SHORT_LABEL),
        long_label=shorten(title, LONG_LABEL),
        email=email,
        genomes=tuple(genomes),
        base_url=base_url,
        one_file=one_file,
    )


def organism_of(assembly: str) -> str:
    """The species of a UCSC assembly, such as sacCer3; the assembly's own name where it is none that we know."""
    prefix = assembly.rstrip("0123456789")
    return ORGANISMS.get(prefix, assembly) if prefix != assembly else assembly


def _write_data(hub: Hub, sources: Sequence[GenomeSource], folder: Path, progress: Progress) -> None:
    for genome, source in zip(hub.genomes, sources, strict=True):
        for track in genome.files:
            if isinstance(track, HubTrack) and track.beside and track.beside.names:
                put_beside(track.source, track.beside.names, folder / track.file)
            else:
                put_track(track.source, source.names, folder / track.file)
            if isinstance(track, CallTrack):
                put_narrow_peak(track.narrow_peak_source, folder / track.narrow_peak, source.names)
        put_two_bit(source, folder / genome.two_bit, progress)


def _write_genes(hub: Hub, annotations: Mapping[str, CompiledGenes], folder: Path) -> None:
    for genome in hub.genomes:
        if genome.id in annotations:
            for name, data in gene_files(annotations[genome.id], genome.lengths, genome.id).items():
                (folder / name).write_bytes(data)


def write_manifest(hub: Hub, folder: Path) -> None:
    """Write what the folder holds, all that is in it by now, for programs."""
    manifest = {
        "schema_version": 1,
        "trackgen": __version__,
        "genomes": [genome.id for genome in hub.genomes],
        "tracks": [track_record(genome, track) for genome in hub.genomes for track in genome.files],
        "files": sorted([MANIFEST, *(path.name for path in folder.iterdir())]),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def refuse_foreign(output: Path) -> None:
    """Only an empty folder, or a hub that we built and nobody added to, may be replaced."""
    if not output.exists() and not output.is_symlink():
        return
    if not output.is_dir():
        raise UsageError("the hub's folder is a file", path=output, remedy="choose another folder with -o")
    present = {path.name for path in output.iterdir()}
    ours: set[str] = set()
    if MANIFEST in present:
        try:
            ours = set(json.loads((output / MANIFEST).read_text(encoding="utf-8"))["files"])
        except (OSError, ValueError, TypeError, KeyError):
            ours = set()
    foreign = sorted(present - ours)
    if foreign:
        raise UsageError(
            "the folder holds something that is not part of a trackgen hub, and building would remove it",
            path=output,
            found=foreign[0],
            remedy="choose another folder with -o, or move it away",
        )
