"""Where a published hub can be seen: an address for each browser and genome.

Forms of the addresses: UCSC, https://genome.ucsc.edu/goldenPath/help/customTrack.html#optParams; igv.org,
https://igv.org/doc/webapp/#UserGuide/#url-parameters; IGV Desktop, https://igv.org/doc/desktop/#UserGuide/tools/port_commands;
JBrowse, https://jbrowse.org/jb2/docs/urlparams; WashU, twlab/eg3, docs/docs/url-params.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from trackgen.genome import assembly_name
from trackgen.hub.model import Hub, HubGenome

__all__ = ["Link", "absolute_file_of", "absolute_name", "links"]

UCSC = "https://genome.ucsc.edu/cgi-bin"
IGV_WEB = "https://igv.org/app/"
IGV_DESKTOP = "http://localhost:60151"
JBROWSE_WEB = "https://jbrowse.org/code/jb2/latest/"
WASHU = "https://epigenomegateway.wustl.edu/browser/"
# Of twlab/eg3, eg-tracks/src/models/genomes; it takes no other genomes by address.
WASHU_GENOMES = frozenset(
    {"araTha1", "canFam3", "canFam6", "ce11", "danRer10", "danRer11", "danRer7", "dm6", "galGal6", "hg19", "hg38"}
    | {"mm10", "mm39", "mm9", "panTro6", "rheMac10", "rn4", "rn6", "rn7", "sacCer3", "susScr11", "xenTro10"}
)


class Link(NamedTuple):
    """A browser's name, the address that shows the hub in it, the text of the link, and a note behind it."""

    name: str
    address: str
    text: str
    note: str = ""


def links(hub: Hub) -> tuple[Link, ...]:
    """All ways to see `hub` elsewhere; without its public address, its files and what they are for."""
    if not hub.base_url:
        return tuple(_files(hub))
    address = f"{hub.base_url}hub.txt"
    found = [Link("Track hub", address, address)]
    for genome in hub.genomes:
        found += _browsers(hub, genome, f" ({genome.title})" if len(hub.genomes) > 1 else "")
    config = quote(f"{hub.base_url}{absolute_name('config.json')}", safe="")
    found.append(
        Link("JBrowse", f"{JBROWSE_WEB}?config={config}", "open in JBrowse 2", ", letters by trackgen's plugin")
    )
    return (*found, Link("About", "hub.html", "models and tracks", " in words"))


def absolute_name(name: str) -> str:
    """The file with absolute addresses beside the file `name`: ``igv.absolute.json`` beside ``igv.json``."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.absolute.{suffix}"


def absolute_file_of(hub: Hub, genome: HubGenome, name: str) -> str:
    """The file with absolute addresses that plays the part of `name` for `genome`: ``igv.mm10.absolute.json``."""
    return absolute_name(hub.file_of(genome, name))


def _browsers(hub: Hub, genome: HubGenome, mark: str) -> Iterator[Link]:
    locus = quote(genome.locus.text, safe=":-")
    address = quote(f"{hub.base_url}hub.txt", safe="")
    # UCSC opens an assembly that it does not have by the name that the hub gives it, and only together with the hub.
    key = "genome" if genome.two_bit else "db"
    ucsc = f"{UCSC}/hgTracks?{key}={quote(genome.id, safe='')}&hubUrl={address}&position={locus}"
    yield Link(f"UCSC{mark}", ucsc, "open in the UCSC Genome Browser")
    session = _absolute(hub, genome, "igv.json")
    yield Link(f"IGV on the web{mark}", f"{IGV_WEB}?sessionURL={session}", "open at igv.org")
    desktop = f"{IGV_DESKTOP}/load?file={_absolute(hub, genome, 'igv.xml')}"
    yield Link(f"IGV Desktop{mark}", desktop, "open in a running IGV", "; letters since IGV 3")
    # A genome of our own may bear the name of an assembly without being it.
    if genome.id in WASHU_GENOMES and (not genome.two_bit or assembly_name(genome.lengths) == genome.id):
        data = _absolute(hub, genome, "washu.json")
        washu = f"{WASHU}?genome={quote(genome.id, safe='')}&hub={data}&position={locus}"
        yield Link(f"WashU{mark}", washu, "open in the WashU Epigenome Browser")


def _absolute(hub: Hub, genome: HubGenome, name: str) -> str:
    """The address of the absolute form of a genome's file, as a part of another address."""
    return quote(hub.base_url + absolute_file_of(hub, genome, name), safe="")


def _files(hub: Hub) -> Iterator[Link]:
    yield Link("UCSC", "hub.txt", "hub.txt", " is the track hub: give UCSC its public address")
    for genome in hub.genomes:
        mark = f" ({genome.title})" if len(hub.genomes) > 1 else ""
        names = {name: hub.file_of(genome, name) for name in ("igv.json", "igv.xml", "washu.json", "tracks.ini")}
        igv, xml, washu, ini = names.values()
        yield Link(f"igv.js{mark}", igv, igv, " is the argument of igv.createBrowser and a session")
        yield Link(f"IGV Desktop{mark}", xml, xml, " is a session: File, Open Session")
        yield Link(f"WashU{mark}", washu, washu, " is a data hub: Tracks, Remote Tracks, Remote Data Hub")
        yield Link(f"pyGenomeTracks{mark}", ini, ini, " is its tracks file")
    yield Link("JBrowse", "config.json", "config.json", " is its configuration")
    yield Link("About", "hub.html", "models and tracks", " in words")
