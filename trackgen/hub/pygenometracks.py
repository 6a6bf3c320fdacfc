"""Hub -> tracks.ini: the tracks file of pyGenomeTracks, for figures made with it.

It reads files that lie beside the tracks file (no addresses), draws no letters and reads no bigBed: contributions are
bars, calls are read as narrowPeak, and motif hits are left out. Options: deeptools/pyGenomeTracks,
pygenometracks/tracks/BigWigTrack.py and NarrowPeakTrack.py.
"""

from __future__ import annotations

from trackgen.hub.model import CallTrack, GeneTrack, HubGenome, HubTrack
from trackgen.hub.text import clean, number_text

__all__ = ["render_pygenometracks"]

# Heights in cm.
HEIGHTS = {"probability": "2", "signal": "2", "contribution": "3"}
# pyGenomeTracks' own number.
MOST_BINS = 700
OVERLAY_ALPHA = "0.6"
THRESHOLD_COLOR = "#787878"


def render_pygenometracks(genome: HubGenome) -> str:
    """The text of tracks.ini for the tracks on `genome`."""
    several_models = len(genome.models) > 1
    bins = min(MOST_BINS, genome.locus.end - genome.locus.start)
    sections = [_section("x-axis", where="top")]
    if genome.genes is not None:
        sections.append(_genes(genome.genes))
    for place, track in ((place, track) for tracks in genome.pictures for place, track in enumerate(tracks)):
        if isinstance(track, CallTrack):
            sections.append(_calls(track, several_models))
        elif isinstance(track, HubTrack):
            sections.append(_track(track, several_models, bins, over=place > 0))
            if track.threshold is not None:
                sections.append(_threshold(track, track.threshold))
    command = f"# pyGenomeTracks --tracks tracks.ini --region {genome.locus.text} -o picture.png\n"
    return "\n".join([command, *sections])


def _track(track: HubTrack, several_models: bool, bins: int, over: bool) -> str:
    """The section of a track; one that is drawn `over` what stands before it shares its axis and its title."""
    color = _color(track.color)
    name = f"{track.model}: {track.display_name}" if several_models else track.display_name
    options = {
        "file": track.file,
        "file_type": "bigwig",
        "title": _text(name),
        "height": HEIGHTS[track.role],
        "color": color,
        "negative_color": color,
        "min_value": number_text(track.limits.low),
        "max_value": number_text(track.limits.high),
        "summary_method": "max" if track.role == "probability" else "mean",
        # More bins than bases would leave gaps between the bars.
        "number_of_bins": str(bins),
    }
    if track.drawn_downwards:
        options["orientation"] = "inverted"
    if track.overlay is not None and (track.overlay.compared or track.overlay.stacked):
        options["alpha"] = OVERLAY_ALPHA
        options["title"] = "" if over else _text(track.overlay.long_label)
        options |= {"overlay_previous": "share-y", "show_data_range": "false"} if over else {}
    return _section(track.name, **options)


def _threshold(track: HubTrack, threshold: float) -> str:
    return _section(
        f"{track.name} threshold",
        file_type="hlines",
        overlay_previous="share-y",
        y_values=number_text(threshold),
        color=THRESHOLD_COLOR,
        line_style="dotted",
        line_width="0.7",
        show_data_range="false",
        title="",
    )


def _calls(track: CallTrack, several_models: bool) -> str:
    name = f"{track.model}: {track.display_name}" if several_models else track.display_name
    return _section(
        track.name,
        file=track.narrow_peak,
        file_type="narrow_peak",
        title=_text(name),
        height="0.5",
        color=_color(track.color),
        type="box",
        show_labels="false",
        show_data_range="false",
    )


def _genes(genes: GeneTrack) -> str:
    return _section(
        genes.name,
        file=genes.bed,
        file_type="bed",
        title="Genes",
        height="3",
        style="UCSC",
        color="#000078",
        fontsize="8",
    )


def _section(name: str, /, **options: str) -> str:
    """A section; names are unique, since tracks' are, which hold neither brackets nor spaces."""
    lines = [f"{key} = {value}".rstrip() for key, value in options.items()]
    return "\n".join([f"[{name}]", *lines]) + "\n"


def _text(text: str) -> str:
    """One line, in which neither the reader of settings (%) nor Matplotlib ($) finds something to replace."""
    return clean(text).replace("%", "%%").replace("$", r"\$")


def _color(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
