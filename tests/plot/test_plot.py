"""Figures show the data: heights in the SVG are the values, letters stand as their sign says, gaps are gaps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pybigtools
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

from tests.hubs import write_run
from tests.plot.conftest import LENGTH, PIXEL, MadeHub, Picture
from trackgen.cli.plot import command
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.plot import bigwig_source, hub_source, plot_locus, values

HEIGHT = 100 * PIXEL
"""Points of a panel of the made hub."""
CLOSE = 2e-3
"""Points: matplotlib writes six digits."""


def values_at(places: dict[int, float], fill: float = np.nan) -> np.ndarray:
    array = np.full(LENGTH, fill, np.float32)
    for place, value in places.items():
        array[place] = value
    return array


def test_heights_in_the_picture_are_the_values(hub: MadeHub) -> None:
    expected = {110: 0.25, 111: 1.0, 150: 0.625}
    hub.add("a", values_at(expected), min=0, max=1)
    outlines = hub.picture("chrI:101-200").outlines("track1-values")
    foot = max(points[:, 1].max() for points in outlines)
    heights = sorted({round((foot - y) / HEIGHT, 4) for points in outlines for y in points[:, 1]} - {0.0})
    assert heights == [0.25, 0.625, 1.0]
    # Neighbours are one outline; the base 150 is as far from 110 as 40 of the 100 bases in sight are wide.
    assert len(outlines) == 2
    width = (outlines[1][:, 0].max() - outlines[1][:, 0].min()) * 100
    assert outlines[1][:, 0].min() - outlines[0][:, 0].min() == pytest.approx(0.4 * width, rel=1e-3)


def test_values_beyond_the_limits_end_there_and_are_marked(hub: MadeHub) -> None:
    hub.add("a", values_at({110: 3.0, 120: 0.5, 130: -2.0}), min=-1, max=1)
    picture = hub.picture("chrI:101-200")
    high, low = picture.extent("track1-values")
    assert low - high == pytest.approx(HEIGHT, abs=CLOSE)
    assert picture.extent("track1-above") == pytest.approx((high, high), abs=CLOSE)
    assert picture.extent("track1-below") == pytest.approx((low, low), abs=CLOSE)
    assert len(picture.outlines("track1-above")) == 1
    hub.tracks.clear()
    hub.add("a", values_at({110: 1.0}), min=-1, max=1)
    assert not hub.picture("chrI:101-200").has("track1-above")


def test_a_track_of_the_minus_strand_hangs_from_zero(hub: MadeHub) -> None:
    hub.add("plus", values_at({110: 0.5}, 0.0), min=0, max=1)
    hub.add("minus", values_at({110: 0.5}, 0.0), min=0, max=1, flipAxis=True)
    picture = hub.picture("chrI:101-200")
    for name, down in (("track1", False), ("track2", True)):
        high, low = picture.extent(f"{name}-values")
        zero = picture.extent(f"{name}-zero")[0]
        assert low - high == pytest.approx(HEIGHT / 2, abs=CLOSE)
        assert (high if down else low) == pytest.approx(zero, abs=CLOSE)


def test_a_gap_is_no_zero(hub: MadeHub) -> None:
    array = values_at({}, 0.0)
    array[140:160] = np.nan
    array[110] = 0.5
    hub.add("a", array, min=0, max=1)
    lines = hub.picture("chrI:101-200").outlines("track1-zero")
    assert len(lines) == 2, "the line at zero is broken by the gap"
    widths = [float(np.ptp(points[:, 0])) for points in lines]
    gap = lines[1][:, 0].min() - lines[0][:, 0].max()
    assert [width / gap for width in widths] == pytest.approx([2.0, 2.0], rel=1e-3)


def test_a_track_without_values_says_so(hub: MadeHub) -> None:
    hub.add("a", values_at({5: 1.0}), min=0, max=1)
    report = hub.plot("chrI:101-200", "a.svg")
    assert "no values" in Picture(hub.folder / "a.svg").words
    assert report.notes == ("no track has a value in chrI:101–200",)
    assert "no values" not in hub.picture("chrI:1-100").words


LETTER = {"graphType": "dynseq", "min": -1, "max": 1, "windowFunction": "mean"}


def test_a_letter_whose_sign_turns_hangs_below_zero_upside_down(hub: MadeHub) -> None:
    # Base 102 of chrI (1-based) is a C, and 104 a T, which is not the same upside down.
    hub.add("up", values_at({101: 0.5, 103: 0.8}), **LETTER)
    hub.add("turned", values_at({101: 0.5, 103: -0.8}), **LETTER)
    picture = hub.picture("chrI:101-120")
    zeros = [picture.extent(f"track{number}-zero")[0] for number in (1, 2)]
    assert not picture.has("track1-letters-A")
    (up,), (turned,) = (picture.outlines(f"track{number}-letters-T") for number in (1, 2))
    assert up[:, 1].max() == pytest.approx(zeros[0], abs=CLOSE), "it stands on the line at zero"
    assert zeros[0] - up[:, 1].min() == pytest.approx(0.8 * HEIGHT / 2, abs=CLOSE), "as high as the value"
    assert turned[:, 1].min() == pytest.approx(zeros[1], abs=CLOSE), "it hangs from the line at zero"
    # Mirrored at the line at zero, point by point.
    np.testing.assert_allclose(turned[:, 1] - zeros[1], zeros[0] - up[:, 1], atol=CLOSE)
    np.testing.assert_allclose(turned[:, 0], up[:, 0], atol=CLOSE)
    # The bar of the T is the wider part: on top of the one, at the bottom of the other.
    for points, end in ((up, up[:, 1].min()), (turned, turned[:, 1].max())):
        near = np.abs(points[:, 1] - end) < 1
        assert np.ptp(points[near, 0]) == pytest.approx(np.ptp(points[:, 0]))
    same = [
        picture.outlines(f"track{number}-letters-C")[0][:, 1] - zero for number, zero in zip((1, 2), zeros, strict=True)
    ]
    np.testing.assert_allclose(same[0], same[1], atol=CLOSE)


def test_letters_are_in_the_picture_of_pixels_with_their_colors(hub: MadeHub) -> None:
    hub.add("a", values_at({101: 0.9, 103: -0.9}), **LETTER)
    hub.plot("chrI:101-110", "a.png", dpi=100)
    pixels = np.asarray(Image.open(hub.folder / "a.png").convert("RGB")).astype(int)
    middle = {
        base: np.flatnonzero((np.abs(pixels - color).max(axis=2) < 12).any(axis=1)).mean()
        for base, color in {"C": (0x24, 0x56, 0xB8), "T": (0xC8, 0x32, 0x1E)}.items()
    }
    assert middle["C"] < middle["T"], "the C stands above the line, the T hangs below it"


def test_letters_need_room_and_a_sequence(hub: MadeHub) -> None:
    hub.add("a", values_at({101: 0.9}), **LETTER)
    assert hub.picture("chrI:1-200").has("track1-letters-C")
    wide = hub.picture("chrI:1-2000")
    assert not wide.has("track1-letters-C")
    assert wide.has("track1-values")
    (hub.folder / "mini.fa").rename(hub.folder / "elsewhere.fa")
    report = hub.plot("chrI:1-200", "b.svg")
    assert Picture(hub.folder / "b.svg").has("track1-values")
    assert "give it with --genome FILE" in report.notes[0]
    hub.plot("chrI:1-200", "c.svg", genome=hub.folder / "elsewhere.fa")
    assert Picture(hub.folder / "c.svg").has("track1-letters-C")


def test_a_single_base_is_seen_from_far_away(hub: MadeHub) -> None:
    hub.add("a", values_at({7_777: 0.75}, 0.0), min=0, max=1)
    picture = hub.picture("chrI")
    high, low = picture.extent("track1-values")
    assert low - high == pytest.approx(0.75 * HEIGHT, abs=CLOSE)


@pytest.mark.parametrize("dpi", [40, 97, 300])
def test_a_single_base_has_a_pixel_of_its_full_color(hub: MadeHub, dpi: int) -> None:
    hub.add("a", values_at({7_777: 0.75}, 0.0), min=0, max=1)
    hub.plot("chrI", "a.png", dpi=dpi)
    pixels = np.asarray(Image.open(hub.folder / "a.png").convert("RGB")).astype(int)
    red = np.abs(pixels - (200, 30, 30)).max(axis=2) < 12
    columns = np.flatnonzero(red.any(axis=0))
    assert len(columns) == 1
    assert red.sum() == pytest.approx(0.75 * HEIGHT * dpi / 72, abs=2)


def test_a_mean_is_drawn_over_its_extremes(hub: MadeHub) -> None:
    array = values_at({}, 0.5)
    array[::2] = -0.5
    hub.add("a", array, min=-1, max=1, windowFunction="mean")
    picture = hub.picture("chrI")
    zero = picture.extent("track1-zero")[0]
    assert zero - picture.extent("track1-high")[0] == pytest.approx(HEIGHT / 4, abs=CLOSE)
    assert picture.extent("track1-low")[1] - zero == pytest.approx(HEIGHT / 4, abs=CLOSE)
    assert max(abs(zero - edge) for edge in picture.extent("track1-values")) < HEIGHT / 20


def test_summaries_of_the_file_serve_what_is_too_long_to_read(hub: MadeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    hub.add("a", random.random(LENGTH).astype(np.float32), min=0, max=1)
    exact = hub.picture("chrI").extent("track1-values")
    monkeypatch.setattr(values, "READ_WHOLE", 1000)
    assert hub.picture("chrI").extent("track1-values") == pytest.approx(exact, abs=0.05)


def test_scales_are_those_of_the_hub_or_of_what_is_seen(hub: MadeHub) -> None:
    hub.add("a", values_at({110: 0.313}), min=0, max=1)
    hub.add("b", values_at({110: 4.0}), min=0, max=8)

    def ends(**options: str) -> list[str]:
        return [word for word in hub.picture("chrI:101-150", **options).words if word.replace(".", "").isdigit()]

    assert ends()[:4] == ["0", "1", "0", "8"]
    assert ends(scale="auto")[:4] == ["0", "0.32", "0", "4"]
    assert ends(scale="shared")[:4] == ["0", "4", "0", "4"]


def test_thresholds_highlights_and_the_title_are_drawn(hub: MadeHub) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1, guideLines=[{"y": 0.25}])
    plain = hub.picture("chrI:101-200")
    marked = hub.picture("chrI:101-200", highlights=("111-120", "chrI:150-160"), title="A <b> & $x$")
    assert "stroke-dasharray" in plain.text
    assert "mini  chrI:101–200" in plain.words
    assert "A <b> & $x$" in marked.words
    assert not plain.has("highlight1")
    first, second = (np.concatenate(marked.outlines(f"highlight{number}")) for number in (1, 2))
    values_of_base = marked.outlines("track1-values")[0]
    assert first[:, 0].min() == pytest.approx(values_of_base[:, 0].min(), abs=CLOSE)
    assert np.ptp(second[:, 0]) / np.ptp(first[:, 0]) == pytest.approx(1.1, rel=1e-3)


GENES = (
    "chrI\tx\tgene\t1001\t3000\t.\t+\t.\tgene_id \"Y1\"; gene_name \"TFC3\";\n"
    "chrI\tx\texon\t1001\t1500\t.\t+\t.\tgene_id \"Y1\"; transcript_id \"t\";\n"
    "chrI\tx\texon\t2501\t3000\t.\t+\t.\tgene_id \"Y1\"; transcript_id \"t\";\n"
    "chrI\tx\tgene\t5001\t6000\t.\t-\t.\tgene_id \"Y2\";\n"
)  # fmt: skip


def test_genes_are_drawn_with_their_names_and_found_by_them(hub: MadeHub) -> None:
    hub.add("a", values_at({1100: 0.5}), min=0, max=1)
    (hub.folder / "genes.gtf").write_text(GENES)
    path = hub.folder / "genes.gtf"
    report = hub.plot("tfc3", "a.svg", genes=path)
    assert report.locus == "chrI:801–3,200"
    picture = Picture(hub.folder / "a.svg")
    assert "TFC3" in picture.words
    assert "Y2" not in picture.words
    exons = sorted(picture.outlines("genes-exons"), key=lambda points: points[:, 0].min())
    assert len(exons) == 2
    widths = [float(np.ptp(points[:, 0])) for points in exons]
    assert widths[0] == pytest.approx(widths[1], rel=1e-3)
    assert hub.plot("Y2", "a.svg", genes=path).locus == "chrI:4,901–6,100"


def test_genes_of_the_hub_are_drawn_without_being_asked_for(hub: MadeHub) -> None:
    (hub.folder / "genes.bed").write_text("chrI\t1000\t3000\tTFC3\t1000\t+\n")
    hub.tracks.append({"id": "genes", "name": "Genes", "type": "annotation", "format": "bed", "url": "genes.bed"})
    hub.add("a", values_at({1100: 0.5}), min=0, max=1)
    assert "TFC3" in hub.picture("chrI:900-1200").words


def test_many_genes_are_drawn_by_strand_without_names(hub: MadeHub) -> None:
    hub.add("a", values_at({1100: 0.5}), min=0, max=1)
    lines = [f"chrI\t{place}\t{place + 30}\tgene{place}\t0\t{'+-'[place % 2]}\n" for place in range(0, LENGTH - 40, 41)]
    (hub.folder / "genes.bed").write_text("".join(lines))
    picture = hub.picture("chrI", genes=hub.folder / "genes.bed")
    assert not any(word.startswith("gene0") for word in picture.words)
    assert len(picture.outlines("genes-exons")) == len(lines)
    assert len({round(float(points[:, 1].min()), 2) for points in picture.outlines("genes-exons")}) == 2


def test_text_stays_text(hub: MadeHub) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1)
    hub.plot("chrI:101-200", "a.svg", "a.pdf")
    assert "track a" in Picture(hub.folder / "a.svg").words
    content = (hub.folder / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in content
    assert b"/Type3" not in content


HOSTILE = ["<script>alert(1)</script>", "a\nb\x00\x1b[31m", "x" * 10_000, "$\\frac{1}{2", "q\"u'o&te", "日本", ""]


def test_hostile_names_are_text_and_short(hub: MadeHub) -> None:
    for number, name in enumerate(HOSTILE):
        hub.add(f"t{number}", values_at({110: 0.5}), min=0, max=1, name=name)
    hub.plot("chrI:101-200", "a.svg", "a.png", "a.pdf", dpi=50)
    picture = Picture(hub.folder / "a.svg")
    assert not list(picture.root.iter("{http://www.w3.org/2000/svg}script"))
    assert "".join(HOSTILE[0].split()) in "".join("".join(picture.words).split())
    assert any("$\\frac{1}{2" in word for word in picture.words)
    assert max(map(len, picture.words)) < 60


SAME = """
import sys
from pathlib import Path
from trackgen.plot import PlotOptions, hub_source, plot_locus
folder = Path(sys.argv[1])
outputs = [folder / f"{sys.argv[2]}.{kind}" for kind in ("png", "svg", "pdf")]
plot_locus("chrI:101-200", hub_source(folder), outputs, PlotOptions(genes=folder / "genes.gtf"))
"""


def test_the_same_figure_gives_the_same_bytes(hub: MadeHub) -> None:
    hub.add("a", values_at({110: 0.5, 111: -0.5}), **LETTER)
    hub.add("b", values_at({110: 0.5}, 0.1), min=0, max=0.4)
    (hub.folder / "genes.gtf").write_text(GENES)
    for name, seed in (("first", "1"), ("second", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC-{seed}"}
        subprocess.run([sys.executable, "-c", SAME, str(hub.folder), name], env=environment, check=True, timeout=120)
    for kind in ("png", "svg", "pdf"):
        assert (hub.folder / f"first.{kind}").read_bytes() == (hub.folder / f"second.{kind}").read_bytes()


def test_size_and_theme_are_as_asked_for(hub: MadeHub) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1, color="rgb(0,0,90)")
    hub.plot("chrI:101-200", "light.png", width=127, height=50.8, dpi=100)
    hub.plot("chrI:101-200", "dark.png", width=127, height=50.8, dpi=100, theme="dark")
    light, dark = (np.asarray(Image.open(hub.folder / f"{name}.png").convert("RGB")) for name in ("light", "dark"))
    assert light.shape == dark.shape == (200, 500, 3)
    assert np.median(light) == 255
    assert np.median(dark) < 40
    # The dark blue is made lighter, or it could not be seen.
    blue = dark[(dark[:, :, 2].astype(int) - dark[:, :, 0] > 60)]
    assert len(blue) > 20


def test_tracks_are_chosen_by_name_id_file_or_pattern_in_the_order_given(hub: MadeHub) -> None:
    for name in ("one", "two", "three"):
        hub.add(name, values_at({110: 0.5}), min=0, max=1)
    assert hub.plot("chrI:101-200", "a.svg", tracks=("three.bw", "track one")).tracks == ("track three", "track one")
    assert hub.plot("chrI:101-200", "a.svg", tracks=("T*",)).tracks == ("track one", "track two", "track three")


def test_an_overlay_is_drawn_on_one_pair_of_axes(hub: MadeHub) -> None:
    hub.add("one", values_at({110: 0.5}), min=0, max=1)
    hub.add("two", values_at({130: 2.0}), min=0, max=2)
    hub.tracks[:] = [{"type": "merged", "name": "both", "id": "both", "height": 100, "tracks": list(hub.tracks)}]
    hub.write()
    picture = hub.picture("chrI:101-200")
    one, two = picture.extent("track1-values"), picture.extent("track1-1-values")
    assert two[1] - two[0] == pytest.approx(4 * (one[1] - one[0]), abs=CLOSE)
    assert one[1] == pytest.approx(two[1], abs=CLOSE)


def test_bigwig_files_and_runs_are_drawn_without_a_hub(hub: MadeHub, tmp_path: Path) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1)
    plot_locus("chrI:101-200", bigwig_source([hub.folder / "a.bw"]), [tmp_path / "a.svg"])
    assert "a" in Picture(tmp_path / "a.svg").words
    run = write_run(tmp_path / "run")
    result = CliRunner().invoke(command, ["chrI:29,001-31,000", str(run), "-o", str(tmp_path / "b.svg"), "-q"])
    assert result.exception is None, result.exception
    assert result.output == f"{tmp_path / 'b.svg'}\n"
    words = " ".join(Picture(tmp_path / "b.svg").words)
    assert "sharp TSS +" in words
    assert "contributions" in words


def test_tracks_are_listed(hub: MadeHub) -> None:
    hub.add("one", values_at({110: 0.5}), min=0, max=1)
    result = CliRunner().invoke(command, ["--list", str(hub.folder)])
    assert result.output == "one\ttrack one\n"


def test_a_list_of_what_does_not_exist_is_refused_in_the_folder_of_a_hub_too(
    hub: MadeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("one", values_at({110: 0.5}), min=0, max=1)
    monkeypatch.chdir(hub.folder)
    for arguments in (["/nonexistent"], ["typo"], ["typo.bw"], ["./typo"], ["typo.bw", "one.bw"], ["./typo", "."]):
        result = CliRunner().invoke(command, ["--list", *arguments])
        assert isinstance(result.exception, DataError), arguments
        assert result.exception.path == (arguments[0].removeprefix("./"))
        assert result.output == ""
    for arguments in ([], ["chrI:1-100"], ["chrI:1-100", "."], ["TFC3", "."], ["."]):
        assert CliRunner().invoke(command, ["--list", *arguments]).output == "one\ttrack one\n"


def test_a_figure_of_a_run_does_not_read_every_track_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run")
    read: list[Path] = []
    monkeypatch.setattr("trackgen.hub.runs.file_sha256", read.append)
    result = CliRunner().invoke(command, ["chrI:29,001-31,000", str(run), "-o", str(tmp_path / "a.svg"), "-q"])
    assert result.exception is None, result.exception
    assert read == []


@pytest.mark.parametrize(
    ("locus", "options", "message"),
    [
        ("chrI:5-1", {}, "positions are out of order"),
        ("chrI:0-9", {}, "count from 1"),
        ("chrI:1-20,001", {}, "ends beyond its sequence; found base 20,001; wanted at most base 20,000"),
        ("chrIV:1-9", {}, "found chrIV; wanted a name such as chrI"),
        ("chrI:x-y", {}, "not the right form"),
        ("TFC4", {"genes": "genes.gtf"}, "no sequence or gene of this name; found TFC4; wanted a locus such as"),
        ("TFC4", {"genes": "genes.gtf"}, "Did you mean TFC3"),
        ("TFC3", {}, "Give genes with --genes FILE"),
        ("chrI:1-9", {"tracks": ("nothing",)}, "no track has this name; found nothing; wanted 'a'"),
        ("chrI:1-9", {"highlights": ("20-30",)}, "lies outside the locus; found 20-30; wanted a part of chrI:1-9"),
        ("chrI:1-9", {"highlights": ("3",)}, "no stretch; found 3"),
        ("chrI:1-9", {"width": 1}, "--width: the figure cannot have this size; found 1; wanted 40 to 2000"),
        ("chrI:1-9", {"width": 45, "font_size": 40}, "too narrow for its names"),
        ("chrI:1-9", {"height": 20, "font_size": 30}, "too low for its tracks"),
        ("chrI:1-9", {"dpi": 2400, "width": 1000}, "would be too large"),
        ("chrI:1-9", {"scale": "big"}, "found big; wanted fixed or auto or shared"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_nothing_is_written(
    locus: str, options: dict[str, object], message: str, hub: MadeHub
) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1)
    (hub.folder / "genes.gtf").write_text(GENES)
    if "genes" in options:
        options = {**options, "genes": hub.folder / str(options["genes"])}
    before = sorted(hub.folder.iterdir())
    with pytest.raises(UsageError) as error:
        hub.plot(locus, "a.svg", "a.png", **options)
    assert message in str(error.value)
    assert sorted(hub.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([], "no file is named"),
        (["a.gif"], "found .gif; wanted .png, .svg, .pdf"),
        (["a"], "found none; wanted .png"),
        (["missing/a.png"], "the folder of the figure does not exist"),
        (["a.png", "a.png"], "named twice"),
        (["folder.svg"], "this is a folder"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_anything_is_read(
    outputs: list[str], message: str, hub: MadeHub
) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1)
    source = hub_source(hub.folder)
    (hub.folder / "a.bw").unlink()
    (hub.folder / "folder.svg").mkdir()
    with pytest.raises(UsageError) as error:
        plot_locus("chrI:1-9", source, [hub.folder / name for name in outputs])
    assert message in str(error.value)


def test_either_all_files_appear_or_none(hub: MadeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1)
    before = sorted(hub.folder.iterdir())
    save = Figure.savefig

    def failing(self: Figure, path: Path, **options: object) -> None:
        save(self, path, **options)
        if str(path).endswith(".pdf"):
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Figure, "savefig", failing)
    with pytest.raises(TrackgenError, match=r"/a\.pdf: the figure could not be written; found Permission denied"):
        hub.plot("chrI:1-9", "a.svg", "a.pdf")
    assert sorted(hub.folder.iterdir()) == before


def test_a_folder_that_is_neither_hub_nor_run_is_refused(tmp_path: Path, hub: MadeHub) -> None:
    with pytest.raises(DataError, match=r"neither a hub nor a run; wanted igv\.json .* or run\.json"):
        hub_source(tmp_path)
    with pytest.raises(DataError, match="no such folder or file"):
        hub_source(tmp_path / "nothing")
    hub.write()
    with pytest.raises(UsageError, match="nothing to draw"):
        hub.plot("chrI:1-9", "a.svg")
    for text in ("{", "[" * 100_000, '{"tracks": [], "x": "\\ud800"}'):
        (hub.folder / "igv.json").write_text(text)
        with pytest.raises(DataError, match="cannot be read as JSON"):
            hub_source(hub.folder)
    huge = '{"tracks": [{"type": "wig", "url": "a.bw", "height": 1' + "0" * 400 + "}]}"
    (hub.folder / "a.bw").touch()
    for config in (
        huge,
        "[]",
        "{}",
        '{"tracks": [{"type": "wig"}]}',
        '{"tracks": [3]}',
        '{"tracks": [], "reference": 3}',
    ):
        (hub.folder / "igv.json").write_text(config)
        with pytest.raises(DataError, match=r"no configuration of igv\.js"):
            hub_source(hub.folder)


def test_files_outside_the_hub_are_never_read(hub: MadeHub, tmp_path: Path) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1)
    (hub.folder / "a.bw").rename(tmp_path / "a.bw")
    for address in ("../a.bw", "%2e%2e/a.bw", str(tmp_path / "a.bw"), (tmp_path / "a.bw").as_uri(), "//host/a.bw"):
        config = json.loads((hub.folder / "igv.json").read_text())
        config["tracks"][0]["url"] = address
        (hub.folder / "igv.json").write_text(json.dumps(config))
        with pytest.raises(DataError, match="a track's file is not in the hub"):
            hub_source(hub.folder)


def test_motif_hits_of_the_hub_are_drawn_in_their_colors(hub: MadeHub) -> None:
    hub.add("a", values_at({110: 0.5}), min=0, max=1)
    path = hub.folder / "hits.bb"
    rows = [
        ("chrI", 110, 120, "REB1\t900\t+\t110\t120\t200,30,30"),
        ("chrI", 115, 125, "RAP1\t900\t-\t115\t125\t0,0,255"),
        ("chrI", 9_000, 9_010, "ABF1\t900\t+\t9000\t9010\t0,0,255"),
    ]
    pybigtools.open(str(path), "w").write({"chrI": LENGTH, "chrII": 500}, iter(rows))
    hub.tracks.append(
        {"id": "motifs", "name": "the motifs", "type": "annotation", "format": "bigbed", "url": path.name}
    )
    hub.write()
    picture = hub.picture("chrI:101-200")
    assert {"REB1", "RAP1", "the motifs"} <= set(picture.words)
    assert "ABF1" not in picture.words
    assert "#0000ff" in picture.text
    red, blue = sorted(picture.outlines("genes-exons"), key=lambda points: points[:, 0].min())
    assert red[:, 1].max() < blue[:, 1].min() or blue[:, 1].max() < red[:, 1].min(), "they overlap, so in two rows"
    assert not Picture(hub.folder / "picture.svg").has("intervals1-exons")
    only = hub.plot("chrI:101-200", "only.svg", tracks=("motifs",))
    assert only.notes == ()
    assert "track a" not in Picture(hub.folder / "only.svg").words
