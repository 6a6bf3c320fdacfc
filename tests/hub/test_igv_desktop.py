"""The session of IGV Desktop: as text, and in the oldest IGV that distributions ship (Debian's 2.16)."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.hub.conftest import Build
from tests.hub.made import GENES, HOSTILE, LONG, made_hub, relabelled
from tests.igv_desktop import igv_picture, needs_igv, rows
from trackgen.hub.igv_desktop import render_igv_desktop

# What the reader of IGV 3 takes from each element: igvteam/igv, src/main/java/org/igv/session/XMLSessionReader.java and
# SessionAttribute.java, track/AbstractTrack.java and track/DataTrack.java (unmarshalXML), renderer/DataRange.java.
KNOWN = {
    "Session": {"genome", "locus", "version"},
    "Resources": set[str](),
    "Resource": {"name", "path", "type"},
    "Panel": {"name"},
    "Track": {"id", "name", "attributeKey", "color", "altColor", "autoScale", "height", "renderer", "visible"}
    | {"windowFunction", "displayMode"},
    "DataRange": {"type", "minimum", "baseline", "maximum", "flipAxis", "drawBaseline"},
}
VALUES = {
    # session/RendererFactory.java; 2.16 has all but DYNSEQ, and draws bars for a name that it does not know.
    "renderer": {"BAR_CHART", "DYNSEQ"},
    # track/WindowFunction.java
    "windowFunction": {"max", "mean"},
    # track/Track.java, DisplayMode
    "displayMode": {"EXPANDED"},
    # renderer/DataRange.java, Type
    "type": {"LINEAR", "bigwig", "bigbed", "bed"},
}
SHARP, BROAD, BARS = (200, 30, 30), (30, 30, 200), (80, 80, 80)


@pytest.fixture
def run(finished: Path) -> Path:
    return finished / "out"


def session(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode())


def test_every_element_and_attribute_is_one_that_igv_reads(run: Path) -> None:
    root = session(render_igv_desktop(made_hub(run, genes=GENES, motifs=True).genomes[0]))
    for element in root.iter():
        assert set(element.keys()) <= KNOWN[element.tag]
        for key, value in element.items():
            assert value in VALUES.get(key, {value})
    assert {element.tag for element in root.iter()} == set(KNOWN)


def test_no_track_names_a_java_class_which_would_differ_between_igv_2_and_3(run: Path) -> None:
    assert "clazz" not in render_igv_desktop(made_hub(run, genes=GENES, motifs=True).genomes[0])


def test_a_range_is_whole_because_igv_3_drops_one_with_a_part_missing(run: Path) -> None:
    root = session(render_igv_desktop(made_hub(run).genomes[0]))
    assert all(set(element.keys()) == KNOWN["DataRange"] for element in root.iter("DataRange"))


def test_each_track_is_one_of_the_resources_in_the_order_of_the_hub(run: Path) -> None:
    genome = made_hub(run, genes=GENES, motifs=True).genomes[0]
    root = session(render_igv_desktop(genome))
    shown = [element.get("id") for element in root.iter("Track")]
    assert set(shown) == {element.get("path") for element in root.iter("Resource")}
    assert shown == [*(track.file for track in genome.tracks), "genes.bed", "motifs_mini.bb"]


def test_the_minus_strand_of_a_prediction_hangs_from_zero(run: Path) -> None:
    ranges = {
        element.get("id"): element.find("DataRange")
        for element in session(render_igv_desktop(made_hub(run).genomes[0])).iter("Track")
    }
    plus, minus = ranges["tss-mini.sharp.plus.bw"], ranges["tss-mini.sharp.minus.bw"]
    assert plus is not None
    assert minus is not None
    assert (plus.get("minimum"), plus.get("maximum")) == ("0", "0.4")
    # IGV draws nothing by flipAxis, and downwards where the maximum is below the minimum.
    assert (minus.get("minimum"), minus.get("maximum"), minus.get("flipAxis")) == ("0.4", "0", "false")


def test_only_contributions_of_bases_are_letters(run: Path) -> None:
    root = session(render_igv_desktop(made_hub(run).genomes[0]))
    letters = [element.get("id") for element in root.iter("Track") if element.get("renderer") == "DYNSEQ"]
    assert letters == ["tss-mini.sharp.plus.contrib.bw"]


@pytest.mark.parametrize(
    ("name", "two_bit", "base", "wanted"),
    [
        ("mini", True, "", "mini.2bit"),
        ("mini", True, "https://example.org/hub/", "https://example.org/hub/mini.2bit"),
        ("hg38", False, "https://example.org/hub/", "hg38"),
        ("papAnu4", False, "", "https://hgdownload.soe.ucsc.edu/goldenPath/papAnu4/bigZips/papAnu4.2bit"),
    ],
)
def test_the_genome_is_the_hubs_sequence_or_an_assembly_that_igv_or_ucsc_has(
    run: Path, name: str, two_bit: bool, base: str, wanted: str
) -> None:
    root = session(render_igv_desktop(made_hub(run, names=(name,), two_bit=two_bit).genomes[0], base))
    assert root.get("genome") == wanted
    assert all(element.get("path", "").startswith(base) for element in root.iter("Resource"))


@pytest.mark.parametrize("text", [HOSTILE, LONG, "\ud800", "'\"", ""])
def test_labels_of_any_kind_are_text_in_one_attribute(run: Path, text: str) -> None:
    written = render_igv_desktop(relabelled(made_hub(run, motifs=True), text).genomes[0])
    root = session(written)
    names = {element.get("name") for element in root.iter("Resource")}
    assert len(names) == 1
    # IGV shows names in tool tips, which are HTML.
    assert "<" not in "".join(str(name) for name in names)
    assert len(list(root.iter("Track"))) == 5
    assert len(written.splitlines()) == 27


@needs_igv
class TestInIgv:
    @pytest.fixture
    def hub(self, build: Build) -> Path:
        return build().path

    @pytest.fixture
    def genome(self, finished: Path, hub: Path) -> dict[str, str]:
        """The hub's genome as FASTA; the build made the index."""
        fasta = finished / "mini.fa"
        assert fasta.with_name("mini.fa.fai").exists()
        return {"id": "mini.2bit", "name": "mini", "fastaURL": str(fasta), "indexURL": f"{fasta}.fai"}

    def test_igv_2_16_opens_the_session_without_complaint_and_draws_every_track(
        self, hub: Path, genome: dict[str, str], tmp_path: Path
    ) -> None:
        picture, complaints = igv_picture(hub / "igv.xml", genome, tmp_path / "igv")
        assert not complaints
        for color in (SHARP, BROAD, BARS):
            assert len(rows(picture, color)[0]) > 20, color
        # The plus strand stands on its line of zero, and below it the minus strand hangs from its own.
        bars, lines = rows(picture, SHARP)
        assert len(lines) == 2
        assert bars.min() < lines.min() < lines.max() < bars.max()
        assert not ((bars > lines.min()) & (bars < lines.max())).any()

    def test_without_data_igv_draws_nothing_of_it(self, hub: Path, genome: dict[str, str], tmp_path: Path) -> None:
        for path in hub.glob("*.bw"):
            path.unlink()
        picture, complaints = igv_picture(hub / "igv.xml", genome, tmp_path / "igv")
        assert complaints
        assert all(len(rows(picture, color)[0]) == 0 for color in (SHARP, BROAD, BARS))
