"""Hub models for tests of what browsers read, without a folder: of runs made by hand, with labels as wild as wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.hubs import LENGTHS, PEAK
from trackgen.hub.compose import Taken, compose_groups
from trackgen.hub.model import GeneTrack, Hub, HubGenome, HubTrack, Locus, MotifPattern, MotifTrack
from trackgen.hub.runs import read_run

HOSTILE = (
    "<img src=x onerror=\"alert('1')\">&amp; ]]> %(x)s %% $\\alpha$ \n[spacer]\r\tfile = /etc/passwd"
    "\x00\x1b\ufffe \u202e{{"
)
"""Of every browser something that would be more than text."""
LONG = "a label without an end " * 500

GENES = GeneTrack(name="genes", bed="genes.bed", big_bed="genes.bb", search_index="genes.ix", genes=3, source="a.gtf")


def made_hub(
    *runs: Path,
    names: tuple[str, ...] = ("mini",),
    two_bit: bool = True,
    base_url: str = "",
    genes: GeneTrack | None = None,
    motifs: bool = False,
) -> Hub:
    """The hub of the finished `runs`, all on one genome; with more `names` it has the same tracks on each."""
    taken = Taken()
    genomes = []
    for name in names:
        groups = compose_groups([read_run(run) for run in runs], taken, genome=name if genomes else "")
        genomes.append(
            HubGenome(
                id=name,
                title=name,
                organism=name,
                lengths=LENGTHS,
                locus=Locus("chrI", PEAK - 200, PEAK + 200),
                two_bit=f"{name}.2bit" if two_bit else "",
                groups=groups,
                motifs=(motif_track(f"motifs_{name}"),) if motifs else (),
                genes=genes,
            )
        )
    return Hub("trackgen_mini", "mini", "A small hub", "me@example.org", tuple(genomes), base_url)


def motif_track(name: str) -> MotifTrack:
    return MotifTrack(
        name=name,
        file=f"{name}.bb",
        source=Path("none"),
        model="tss-mini",
        class_name="sharp",
        label="motifs of sharp",
        display_name="motifs of sharp",
        short_label="sharp motifs",
        long_label="motifs of sharp",
        title="none",
        type="bigBed 9 +",
        hits=7,
        patterns=(MotifPattern("one", 7, ("REB1",)),),
        version="0.1.0",
    )


def relabelled(hub: Hub, text: str) -> Hub:
    """`hub` with `text` wherever text is free, which the renderers must stand, though a build cleans labels first."""
    free = ("label", "display_name", "short_label", "long_label", "unit", "class_name")

    def track(value: HubTrack) -> HubTrack:
        changes: Mapping[str, str] = dict.fromkeys(free, text)
        return replace(value, **changes)  # type: ignore[arg-type]

    genomes = tuple(
        replace(
            genome,
            groups=tuple(replace(group, tracks=tuple(track(one) for one in group.tracks)) for group in genome.groups),
            motifs=tuple(replace(one, display_name=text, long_label=text, label=text) for one in genome.motifs),
        )
        for genome in hub.genomes
    )
    return replace(hub, genomes=genomes, short_label=text, long_label=text)
