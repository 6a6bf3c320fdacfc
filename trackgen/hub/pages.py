"""Hub -> web pages: one per track from the model's card, one of the hub, and the index with the browser on it.

UCSC shows the pages of tracks and hub inside its own, where relative links lead nowhere: so they hold no script, they
need no style sheet (which would also restyle the page around them), and they name the hub's public address. Whatever
comes from cards and runs is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trackgen import __version__
from trackgen.card import Card, InputSpec
from trackgen.hub.call_page import render_call_list
from trackgen.hub.comparison_page import caveats_html, comparison_html, render_beside_page
from trackgen.hub.facts import facts_html, value_html, words
from trackgen.hub.links import Link, links
from trackgen.hub.model import Hub, HubGenome, HubTrack
from trackgen.hub.motif_page import render_motif_list
from trackgen.hub.stack_page import stack_colors, stack_facts, stack_reading, stack_title
from trackgen.hub.templates import escaped, fill
from trackgen.hub.text import counted, number_text
from trackgen.resources import IGV_JS, JBROWSE

__all__ = [
    "render_hub_page",
    "render_index",
    "render_jbrowse_page",
    "render_kept",
    "render_live_page",
    "render_track_page",
]

# Of igv.js (igv.org/doc/igvjs, "nucleotideColors"), UCSC and IGV alike.
LETTER_COLORS = "A green, C blue, G orange, T red"


def render_track_page(hub: Hub, track: HubTrack) -> str:
    """The HTML page of one track: what it is, how to read it, what may be wrong, its training and its numbers."""
    if track.beside is not None:
        return render_beside_page(hub, track)
    card = track.card
    return fill(
        "track.html",
        title=escaped(_track_title(track)),
        subtitle=escaped(f"{card.title or card.name}; {hub.genome_of(track).title}"),
        swatch=_mark(track),
        description=escaped(card.description or card.title or card.name),
        what=facts_html(_model_facts(track)),
        reading=_reading(hub, track) + comparison_html(hub, track),
        colors=_colors(hub, track),
        training=caveats_html(card) + _training(card),
        facts=facts_html(_track_facts(hub, track)),
        version=escaped(track.run.version or __version__),
        published=_published(hub),
    )


def render_hub_page(hub: Hub) -> str:
    """The HTML page of the hub, and of its genome in an assembly hub: the models and their tracks."""
    models = []
    for card in hub.cards:
        rows = [_row("hub_row.html", track) for track in hub.described if track.card == card]
        title, description = escaped(card.title or card.name), escaped(card.description)
        text = fill("hub_model.html", title=title, description=description, rows="".join(rows))
        models.append(text + caveats_html(card, level=3))
    if hub.calls:
        models.append(render_call_list(hub))
    if hub.motifs:
        models.append(render_motif_list(hub))
    for genome in hub.genomes:
        if genome.genes is not None:
            facts = {"genome": genome.title, "annotation": genome.genes.source, "genes": genome.genes.genes}
            models.append(f"<h2>Genes</h2>\n{facts_html(facts)}")
    return fill(
        "hub.html",
        title=escaped(hub.long_label),
        subtitle=escaped(_subtitle(hub)),
        models="\n".join(models),
        version=__version__,
        published=_published(hub),
    )


def render_index(hub: Hub, igv_address: str) -> str:
    """The page with igv.js on it. `igv_address` is igv.js: a file of the hub, or a public address."""
    return fill(
        "index.html",
        **_page_values(hub),
        igv=escaped(igv_address),
        igv_public=escaped(IGV_JS.address),
        igv_version=IGV_JS.version,
        rows="".join(_row("index_row.html", track) for track in hub.described),
        calls=render_call_list(hub),
        motifs=render_motif_list(hub),
        links="".join(_link(link) for link in links(hub)),
    )


def render_jbrowse_page(hub: Hub, jbrowse_address: str) -> str:
    """The page with JBrowse on it. `jbrowse_address` is JBrowse: a file of the hub, or a public address."""
    return fill(
        "jbrowse.html",
        **_page_values(hub),
        jbrowse=escaped(jbrowse_address),
        jbrowse_public=escaped(JBROWSE.address),
        jbrowse_version=JBROWSE.version,
    )


def render_live_page(hub: Hub, igv_address: str) -> str:
    """The live page, of a hub with its models. `igv_address` is igv.js: a file of the hub, or a public address."""
    return fill(
        "live.html",
        **_page_values(hub),
        igv=escaped(igv_address),
        igv_public=escaped(IGV_JS.address),
        igv_version=IGV_JS.version,
        token="",
    )


def render_kept(hub: Hub, genome: HubGenome, regions: int) -> str:
    """A section of a page: the tracks of `genome`, which stand in kept regions, so many of them, alone."""
    card = genome.tracks[0].card
    return fill(
        "kept.html",
        mark=escaped(f"{genome.id}.{card.name}"),
        title=escaped(card.title or card.name),
        regions=counted(regions, "region"),
        bed=escaped(hub.file_of(genome, "kept.bed")),
        rows="".join(_row("index_row.html", track) for track in genome.tracks),
    )


def _page_values(hub: Hub) -> dict[str, str]:
    """What the two pages with a browser have in common."""
    genomes = [
        fill(
            "index_genome.html",
            id=escaped(genome.id),
            title=escaped(genome.title),
            config=escaped(hub.file_of(genome, "igv.json")),
        )
        for genome in hub.genomes
    ]
    return {
        "title": escaped(hub.long_label),
        "subtitle": escaped(_subtitle(hub)),
        "genomes": "".join(genomes),
        "version": __version__,
    }


def _subtitle(hub: Hub) -> str:
    genomes = []
    for genome in hub.genomes:
        species = f"{genome.organism}, " if genome.organism != genome.title else ""
        genomes.append(f"{species}{genome.title}, {sum(genome.lengths.values()):,} bases")
    count = len(hub.files)
    return f"{'; '.join(genomes)}. {count} track{'' if count == 1 else 's'}."


def _published(hub: Hub) -> str:
    address = escaped(hub.base_url)
    return f' Published at <a href="{address}">{address}</a>.' if address else ""


def _row(template: str, track: HubTrack) -> str:
    values = {
        "swatch": _mark(track),
        "page": escaped(track.page),
        "label": escaped(track.label),
        "strand": track.strand or "both",
        "quantity": escaped(_quantity(track)),
    }
    if template == "index_row.html":
        values |= {
            "step": "" if track.beside else f"{track.resolution:,} bp",
            "axis": f"{number_text(track.limits.low)} to {number_text(track.limits.high)}",
            "threshold": "" if track.threshold is None else number_text(track.threshold),
            "model": escaped(track.model),
        }
    return fill(template, **values)


def _link(link: Link) -> str:
    return fill("link.html", **{key: escaped(text) for key, text in link._asdict().items()})


def _stack(hub: Hub, track: HubTrack) -> list[HubTrack]:
    """The tracks that share a page with `track`."""
    return [other for other in hub.tracks if other.page == track.page]


def _track_title(track: HubTrack) -> str:
    if track.base:
        return stack_title(track)
    strand = f", {track.strand} strand" if track.strand else ""
    kind = ": contributions" if track.role == "contribution" else ""
    return f"{track.label}{strand}{kind}"


def _quantity(track: HubTrack) -> str:
    names = {"probability": "probability", "signal": "signal", "contribution": "contribution"}
    name = "measured signal" if track.beside else names[track.role]
    name = "what each base would contribute" if track.base else name
    return f"{name} ({track.unit})" if track.unit and track.unit != name else name


def _mark(track: HubTrack) -> str:
    """The track's colour before its name; four bases have no one colour."""
    return "" if track.base else _swatch(track)


def _swatch(track: HubTrack) -> str:
    return fill("swatch.html", color=",".join(str(part) for part in track.color)).strip()


def _model_facts(track: HubTrack) -> dict[str, Any]:
    card = track.card
    centre = "the base at its centre" if card.bin == 1 else f"the {card.bin:,} bp at its centre"
    reads = {"both": "each strand by itself", "average": "the mean of both strands", "forward": "the forward strand"}
    return {
        "model": card.name,
        "class": track.class_name,
        "shows": _quantity(track),
        "strand": track.strand or reads[card.strands],
        "reads": ", ".join(_input(entry) for entry in card.inputs),
        "window": f"{card.window:,} bp; a prediction is about {centre}" if card.window else "not stated by the run",
        "step": f"{track.resolution:,} bp",
        "licence": card.license,
    }


def _input(entry: InputSpec) -> str:
    return "the DNA sequence" if entry.kind == "sequence" else f"{entry.name} ({entry.kind})"


def _reading(hub: Hub, track: HubTrack) -> str:
    low, high = number_text(track.limits.low), number_text(track.limits.high)
    values = {
        "label": escaped(track.label),
        "axis": f"<p>Browsers start with an axis from {low} to {high}; what is beyond is cut off in the picture, not "
        "in the data.</p>",
        "strand": "",
    }
    if track.strand == "minus":
        values["strand"] = (
            "<p>This is the minus strand: the model read it from right to left, and values stand at the coordinates "
            "of the forward strand."
            + (" Browsers that can draw it downwards, below the plus strand." if track.drawn_downwards else "")
            + "</p>"
        )
    if track.base:
        return stack_reading(hub, track, values["axis"], values["strand"])
    if track.role == "probability":
        values["threshold"] = _threshold(track)
    else:
        values["unit"] = escaped(f" (unit: {track.unit})") if track.unit else ""
    return fill(f"reading_{track.role}.html", **values)


def _threshold(track: HubTrack) -> str:
    if track.threshold is None:
        return ""
    return (
        f"<p>From {number_text(track.threshold)} on (the dotted line) a base counts as a call. The threshold was set "
        "on validation data; where true sites are rare it is far below one half.</p>"
    )


def _colors(hub: Hub, track: HubTrack) -> str:
    if track.base:
        tracks = _stack(hub, track)
        return stack_colors(tracks, [_swatch(one) for one in tracks])
    if track.sequence_letters:
        return f"<p>Letters: {LETTER_COLORS}.</p>\n<p>{_swatch(track)}Bars, where letters would be too narrow.</p>"
    return f"<p>{_swatch(track)}{escaped(track.label)}, in every browser.</p>"


def _training(card: Card) -> str:
    """Data, held-out performance, calibration and the trust in contributions, as the card gives them, if it does."""
    # Caveats stand before, and how signals are made of reads is for programs.
    training = {key: value for key, value in card.training.items() if key not in ("caveats", "signals")}
    calibration = training.pop("calibration", None)
    metrics = training.pop("metrics", None)
    contributions = training.pop("contributions", None)
    parts = [
        ("Data", training),
        ("Performance on held-out data", metrics),
        ("Calibration", calibration),
    ]
    sections = []
    for heading, facts in parts:
        text = facts_html(facts if isinstance(facts, dict) else {heading.lower(): facts})
        if text:
            sections.append(f"<h2>{heading}</h2>\n{text}")
    if contributions:
        sections.append(f"<h2>Contributions</h2>\n{_trust(contributions)}")
    return "\n".join(sections)


def _trust(contributions: Any) -> str:
    """What a card says of the trust in contributions: sentences and tables, which need the page's whole width."""
    facts = contributions if isinstance(contributions, Mapping) else {"contributions": contributions}
    parts = [facts_html({key: value for key, value in facts.items() if not isinstance(value, Mapping)})]
    for key, part in facts.items():
        if isinstance(part, Mapping):
            parts.append(f"<h3>{escaped(words(str(key)).capitalize())}</h3>")
            parts += [
                f"<p>{escaped(value)}</p>" if isinstance(value, str) else value_html(value) for value in part.values()
            ]
    return "\n".join(parts)


def _track_facts(hub: Hub, track: HubTrack) -> dict[str, Any]:
    run = track.run
    percentiles = {f"{key} %": value for key, value in run.percentiles.items()}
    checks = {key: value for key, value in run.checks.items() if isinstance(value, Mapping) and value.get("n")}
    facts = {
        "file": track.file,
        "bases with a value": run.values,
        "lowest value": run.minimum,
        "highest value": run.maximum,
        "percentiles": percentiles,
        "rounding": run.rounding,
        "values left out": "" if run.min_value is None else f"below {number_text(run.min_value)}",
        "checks of the run": checks,
    }
    # Of four files what they differ in stands by base.
    return facts | stack_facts(_stack(hub, track)) if track.base else facts
