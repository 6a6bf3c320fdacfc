"""What a hub is, independent of any browser. The renderers turn it into text and decide nothing about the data.

Coordinates are 0-based half-open, in bases (bp); renderers make them 1-based where a browser shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackgen.card import Card

__all__ = [
    "AnyTrack",
    "Beside",
    "CallTrack",
    "Color",
    "GeneTrack",
    "Hub",
    "HubGenome",
    "HubTrack",
    "Limits",
    "Locus",
    "MotifPattern",
    "MotifTrack",
    "Overlay",
    "RunFacts",
    "TrackGroup",
]

Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""


@dataclass(frozen=True)
class Limits:
    """The range of values that a browser draws, in the track's unit."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether both ends are whole numbers (igv.js reads a hub's limits with parseInt)."""
        return self.low == int(self.low) and self.high == int(self.high)


@dataclass(frozen=True)
class Locus:
    """A stretch of one sequence, 0-based half-open."""

    name: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The locus as people and browsers write it: 1-based, closed."""
        return f"{self.name}:{self.start + 1}-{self.end}"


@dataclass(frozen=True)
class RunFacts:
    """What the run says of a track: for its page. Extremes are None where the track is empty."""

    version: str
    minimum: float | None
    maximum: float | None
    percentiles: Mapping[str, float]
    values: int
    rounding: str
    min_value: float | None
    checks: Mapping[str, Any]


@dataclass(frozen=True)
class Overlay:
    """What holds tracks together that a browser draws in one picture, on one scale.

    These are the plus and the minus strand of one prediction, or, where it is `compared`, a predicted signal, what the
    model read, and tracks that the user put beside it, or, where it is `stacked`, what each of the four bases would
    contribute.
    """

    name: str
    short_label: str
    long_label: str
    compared: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class Beside:
    """What a track is that no model predicted: its origin in a sentence, and facts for its page.

    `names` are those of the file's sequences that have others in the runs.
    """

    origin: str
    facts: Mapping[str, Any]
    names: Mapping[str, str]


@dataclass(frozen=True)
class HubTrack:
    """One track: `name` is unique in the hub and serves as UCSC's track name and as its page's file name.

    `sequence_letters` says that values belong to single reference bases, so that browsers can draw letters. `base` is
    the base whose contribution the track holds, wherever another stands; empty for other tracks. `overlay` is that of a
    prediction whose other strand is in the hub, too, or that stands over what it is compared with, or of four bases.
    `beside` is that of a track which stands beside the model's own; its class is that of the prediction.
    """

    name: str
    file: str
    source: Path
    model: str
    class_name: str
    label: str
    display_name: str
    short_label: str
    long_label: str
    role: str
    strand: str
    unit: str
    resolution: int
    color: Color
    limits: Limits
    data_range: Limits
    threshold: float | None
    sequence_letters: bool
    card: Card
    run: RunFacts
    overlay: Overlay | None = None
    beside: Beside | None = None
    base: str = ""

    @property
    def drawn_downwards(self) -> bool:
        """Whether larger values stand lower: predictions of the minus strand hang below those of the plus strand."""
        return self.overlay is not None and self.strand == "minus" and not self.base

    @property
    def page(self) -> str:
        """The file name of the track's description page, which the four bases of one picture share."""
        return f"{self.overlay.name if self.overlay and self.overlay.stacked else self.name}.html"


@dataclass(frozen=True)
class TrackGroup:
    """Tracks of one model and one kind, which browsers show together."""

    name: str
    short_label: str
    long_label: str
    section: str
    tracks: tuple[HubTrack, ...]


@dataclass(frozen=True)
class MotifPattern:
    """A motif among the hits, and the names of the known motifs that it resembles, best first.

    `color` is that of its hits; None where the file of hits does not say.
    """

    name: str
    hits: int
    matches: tuple[str, ...]
    color: Color | None = None


@dataclass(frozen=True)
class MotifTrack:
    """Motif hits, a bigBed file of UCSC's `type`; `name` is unique in the hub and names its page, as of a `HubTrack`.

    `title` is that of the model, whose contributions the motifs were found in.
    """

    name: str
    file: str
    source: Path
    model: str
    class_name: str
    label: str
    display_name: str
    short_label: str
    long_label: str
    title: str
    type: str
    hits: int
    patterns: tuple[MotifPattern, ...]
    version: str
    color: Color = (60, 60, 60)
    """Of the track's name; every hit has the colour of its motif."""

    @property
    def page(self) -> str:
        """The file name of the track's description page."""
        return f"{self.name}.html"


@dataclass(frozen=True)
class CallTrack:
    """Calls of one class, a bigBed file of UCSC's `type`; `name` is unique in the hub and names its page.

    Attributes:
        narrow_peak, narrow_peak_source: the same calls as narrowPeak, in the hub and where they come from.
        group: name of the `TrackGroup` that they were made of; empty where that is not in the hub.
        title: that of the model, or where no run tells of it the name of the track.
        calls: how many.
        facts: how they were made, in words.
    """

    name: str
    file: str
    source: Path
    narrow_peak: str
    narrow_peak_source: Path
    group: str
    model: str
    class_name: str
    label: str
    display_name: str
    short_label: str
    long_label: str
    title: str
    type: str
    calls: int
    threshold: float
    facts: Mapping[str, Any]
    version: str
    color: Color

    @property
    def page(self) -> str:
        """The file name of the track's description page."""
        return f"{self.name}.html"


@dataclass(frozen=True)
class GeneTrack:
    """Genes of a genome, as files of the hub; `name` is unique in it, as of a `HubTrack`.

    `source` is the name of the annotation's file, without its folder.
    """

    name: str
    bed: str
    big_bed: str
    search_index: str
    """The first file of JBrowse's text search, ``.ix``, beside which stand ``.ixx`` and ``.meta.json``."""
    genes: int
    source: str


AnyTrack = HubTrack | CallTrack | MotifTrack
"""A track that has a file and a page."""


@dataclass(frozen=True)
class HubGenome:
    """A genome and the tracks that stand on it.

    `two_bit` is the sequence's file name inside the hub (an assembly hub), or empty when the browser knows the
    assembly by its name `id` (a track hub).
    """

    id: str
    title: str
    organism: str
    lengths: Mapping[str, int]
    locus: Locus
    two_bit: str = ""
    groups: tuple[TrackGroup, ...] = ()
    motifs: tuple[MotifTrack, ...] = ()
    calls: tuple[CallTrack, ...] = ()
    genes: GeneTrack | None = None

    @property
    def chromosome_sizes(self) -> str:
        """The name of the chrom.sizes file inside the hub."""
        return f"{self.id}.chrom.sizes"

    @property
    def tracks(self) -> tuple[HubTrack, ...]:
        """All tracks of values in the order of display."""
        return tuple(track for group in self.groups for track in group.tracks)

    @property
    def pictures(self) -> tuple[tuple[AnyTrack, ...], ...]:
        """`files` in the order of display, those together that browsers draw over each other to be compared."""
        shown: dict[str, list[AnyTrack]] = {}
        for track in self.files:
            overlay = track.overlay if isinstance(track, HubTrack) else None
            together = overlay is not None and (overlay.compared or overlay.stacked)
            shown.setdefault(overlay.name if overlay and together else track.name, []).append(track)
        return tuple(tuple(tracks) for tracks in shown.values())

    def calls_of(self, group: str) -> tuple[CallTrack, ...]:
        """The calls that stand behind a group of tracks, by its name; of the empty name those that stand by none."""
        return tuple(track for track in self.calls if track.group == group)

    @property
    def files(self) -> tuple[AnyTrack, ...]:
        """All tracks, each a file and a page of the hub, in the order of display: groups with their calls, hits."""
        placed: list[AnyTrack] = []
        for group in self.groups:
            placed += [*group.tracks, *self.calls_of(group.name)]
        return (*placed, *self.calls_of(""), *self.motifs)

    @property
    def described(self) -> tuple[HubTrack, ...]:
        """`tracks`, one of those that share a page."""
        return tuple({track.page: track for track in reversed(self.tracks)}.values())[::-1]

    @property
    def models(self) -> tuple[str, ...]:
        """The name of each model that has a track, once, in the order of display."""
        return tuple(dict.fromkeys(track.model for track in self.files))


@dataclass(frozen=True)
class Hub:
    """A whole hub. `base_url` is empty, or the absolute address it will be published at, ending in a slash.

    Names of tracks and files are unique over all genomes. `one_file` says that all settings stand in hub.txt, which
    browsers allow for a single genome only; else genomes.txt and a trackDb file for each genome hold the rest.
    """

    name: str
    short_label: str
    long_label: str
    email: str
    genomes: tuple[HubGenome, ...]
    base_url: str = ""
    one_file: bool = True

    @property
    def tracks(self) -> tuple[HubTrack, ...]:
        """All tracks of values, genome by genome, in the order of display."""
        return tuple(track for genome in self.genomes for track in genome.tracks)

    @property
    def described(self) -> tuple[HubTrack, ...]:
        """`tracks`, one of those that share a page."""
        return tuple(track for genome in self.genomes for track in genome.described)

    @property
    def motifs(self) -> tuple[MotifTrack, ...]:
        """All tracks of motif hits, genome by genome."""
        return tuple(track for genome in self.genomes for track in genome.motifs)

    @property
    def calls(self) -> tuple[CallTrack, ...]:
        """All tracks of calls, genome by genome, in the order of display."""
        return tuple(track for track in self.files if isinstance(track, CallTrack))

    @property
    def files(self) -> tuple[AnyTrack, ...]:
        """All tracks, each a file and a page of the hub."""
        return tuple(track for genome in self.genomes for track in genome.files)

    @property
    def cards(self) -> tuple[Card, ...]:
        """The card of each model, once, in the order of display."""
        cards: list[Card] = []
        for track in self.tracks:
            if track.card not in cards:
                cards.append(track.card)
        return tuple(cards)

    def file_of(self, genome: HubGenome, name: str) -> str:
        """The file that plays the part of `name` for `genome`: ``igv.json``, for all but the first ``igv.ID.json``."""
        if genome.id == self.genomes[0].id:
            return name
        stem, _, suffix = name.rpartition(".")
        return f"{stem}.{genome.id}.{suffix}"

    def genome_of(self, track: AnyTrack) -> HubGenome:
        """The genome that `track` stands on."""
        return next(genome for genome in self.genomes if any(other.name == track.name for other in genome.files))
