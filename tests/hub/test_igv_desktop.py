"""The session of IGV Desktop: as text, and in the oldest IGV that distributions ship (Debian's 2.16)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.hub.conftest import Build
from tests.hub.made import GENES, HOSTILE, LONG, made_hub, relabelled
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


HAS_IGV = shutil.which("igv") and shutil.which("xvfb-run") and shutil.which("java")
needs_igv = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_IGV, reason="Debian's IGV is not installed: tools/system_packages.sh igv xvfb"),
]
# All that IGV may complain about: without a network it misses its own lists of genomes.
EXPECTED_COMPLAINTS = ("OAuthUtils", "GenomeListManager")


def igv_picture(hub: Path, genome: Path, folder: Path) -> tuple[np.ndarray, list[str]]:
    """What IGV draws of the hub's session, uint8 (height, width, 3), and what it complains about."""
    home = folder / "home"
    home.mkdir()
    # IGV 2.16 reads no 2bit: it gets the sequence as FASTA, under the name that the session gives the genome.
    description = {"id": "mini.2bit", "name": "mini", "fastaURL": str(genome), "indexURL": f"{genome}.fai"}
    (folder / "genome.json").write_text(json.dumps(description))
    commands = [
        "genome genome.json",
        f"load {hub / 'igv.xml'}",
        f"snapshotDirectory {folder}",
        "snapshot igv.png",
        "exit",
    ]
    (folder / "batch.txt").write_text("\n".join(commands).replace("genome.json", str(folder / "genome.json")))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    igv = ["igv", "--igvDirectory", str(home), "-p", port, "-b", str(folder / "batch.txt")]
    done = subprocess.run(
        ["xvfb-run", "-a", "-s", "-screen 0 1200x900x24", *igv],
        env={**os.environ, "JAVA_TOOL_OPTIONS": f"-Duser.home={home} -Xmx1g"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = (done.stdout + done.stderr).splitlines()
    complaints = [line for line in lines if line.startswith(("SEVERE", "WARN"))]
    with Image.open(folder / "igv.png") as image:
        picture = np.asarray(image.convert("RGB"))
    return picture, [line for line in complaints if not any(word in line for word in EXPECTED_COMPLAINTS)]


def rows(picture: np.ndarray, color: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that hold pixels of exactly `color`: bars, and the lines of zero, which go across the whole picture."""
    found = (picture == color).all(axis=2).sum(axis=1)
    line = found > picture.shape[1] // 2
    return np.flatnonzero((found > 0) & ~line), np.flatnonzero(line)


@pytest.fixture
def igv_hub(finished: Path, build: Build, tmp_path: Path) -> tuple[Path, Path]:
    """The hub's folder, and its genome as FASTA with an index."""
    for name in ("mini.fa", "mini.fa.fai"):
        if (finished / name).exists():
            shutil.copyfile(finished / name, tmp_path / name)
    hub = build(genome=str(tmp_path / "mini.fa")).path
    assert (tmp_path / "mini.fa.fai").exists()
    return hub, tmp_path / "mini.fa"


class TestInIgv:
    pytestmark = needs_igv

    def test_igv_2_16_opens_the_session_without_complaint_and_draws_every_track(
        self, igv_hub: tuple[Path, Path], tmp_path: Path
    ) -> None:
        picture, complaints = igv_picture(*igv_hub, tmp_path)
        assert not complaints
        for color in (SHARP, BROAD, BARS):
            assert len(rows(picture, color)[0]) > 20, color
        # The plus strand stands on its line of zero, and below it the minus strand hangs from its own.
        bars, lines = rows(picture, SHARP)
        assert len(lines) == 2
        assert bars.min() < lines.min() < lines.max() < bars.max()
        assert not ((bars > lines.min()) & (bars < lines.max())).any()

    def test_without_data_igv_draws_nothing_of_it(self, igv_hub: tuple[Path, Path], tmp_path: Path) -> None:
        hub, genome = igv_hub
        for path in hub.glob("*.bw"):
            path.unlink()
        picture, complaints = igv_picture(hub, genome, tmp_path)
        assert complaints
        assert all(len(rows(picture, color)[0]) == 0 for color in (SHARP, BROAD, BARS))
