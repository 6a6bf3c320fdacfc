"""Letters in JBrowse, in a real browser: only pixels prove that something was drawn, and which letter it is."""

from __future__ import annotations

import re
import shutil
from typing import Any

import numpy as np
import pytest

from tests.plugins.jbrowse.conftest import (
    BASES,
    HEIGHT,
    LENGTH,
    VALUES,
    WIDTH,
    WRITTEN,
    Site,
    configuration,
    write_values,
)

NEWEST, NEWEST_VIEW = "@jbrowse/react-app2@4.3.0", "@jbrowse/react-linear-genome-view2@4.1.13"
OLDEST = "@jbrowse/react-linear-genome-view@1.5.3"
BETWEEN = [
    "@jbrowse/react-app2@3.6.4",
    "@jbrowse/react-app@3.1.0",
    "@jbrowse/react-app@2.16.1",
    "@jbrowse/react-linear-genome-view2@3.7.0",
    "@jbrowse/react-linear-genome-view@2.18.0",
    "@jbrowse/react-linear-genome-view@2.2.0",
    "@jbrowse/react-linear-genome-view@1.7.11",
]
OLDER_FORM = ("@1.",)
"""Versions that load plugins by `url` only."""
# JBrowse's colours of bases: of its newer themes, and of those before version 2.7.
NEW = {"A": (76, 175, 80), "C": (33, 150, 243), "G": (255, 152, 0), "T": (244, 67, 54)}
OLD = {**NEW, "G": (255, 193, 7)}
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
POSITIVE_BARS, NEGATIVE_BARS = (0, 0, 255), (255, 0, 0)
ZERO = 50
"""Row of the track, 100 pixels high, where the value 0 stands; 1 stands 45 pixels above."""
FULL = 45

FREE = 992
"""Shown, without a value."""

pytestmark = pytest.mark.browser


def is_near(picture: np.ndarray, color: tuple[int, int, int], tolerance: int = 40) -> np.ndarray:
    """Which pixels have a colour, edges that shade into the background left out."""
    return np.abs(picture.astype(int) - color).max(axis=2) <= tolerance


def halves(letter: np.ndarray, color: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a colour above and below zero; the line of zero itself is left out."""
    scale = len(letter) // 100
    found = is_near(letter, color)
    return found[: (ZERO - 1) * scale], found[(ZERO + 1) * scale :]


def widths(half: np.ndarray) -> np.ndarray:
    """Columns between the first and the last of a colour, row by row."""
    return np.array([int(np.ptp(np.flatnonzero(row))) + 1 if row.any() else 0 for row in half])


def is_shape(base: str, head_first: np.ndarray) -> bool:
    """Whether the rows of a letter, from its head to its foot, have its outline, at any size."""
    rows = head_first[widths(head_first) > 0]
    wide = widths(rows) / head_first.shape[1]
    filled = rows.sum(axis=1) / head_first.shape[1]
    count = len(rows)
    head, foot = wide[: count // 8].mean(), wide[-count // 8 :].mean()
    middle, third = count // 2, count // 3
    if base == "T":
        return bool(head > 0.85 and foot < 0.4)
    if base == "A":
        # Narrow at the head, open in the upper half, a bar below the middle.
        return bool(head < 0.6 and foot > 0.85 and filled[third] < wide[third] - 0.05)
    right = rows[:, rows.shape[1] * 4 // 5 :]
    lower, upper = right[middle : middle + count // 8].mean(), right[middle - count // 8 : middle].mean()
    if base == "C":
        return bool(wide[:3].mean() < 0.8 and lower < 0.1 and upper < 0.1)
    return bool(wide[:3].mean() < 0.8 and lower > 0.5 and upper < 0.45)


def assert_letter(letter: np.ndarray, base: str, value: float, colors: dict[str, tuple[int, int, int]]) -> None:
    """One letter, of one colour, on one side of zero, as high as its value, with its head away from zero."""
    above, below = halves(letter, colors[base])
    drawn, empty = (above, below) if value > 0 else (below, above)
    assert not empty.any(), f"{base}: the other side of zero is empty"
    scale = len(letter) // 100
    rows = (widths(drawn) > 0).sum()
    assert abs(rows - FULL * scale * abs(value)) <= 2 * scale, f"{base}: {rows} rows for {value}"
    assert is_shape(base, drawn if value > 0 else drawn[::-1]), f"{base} has its outline, head away from zero"
    assert not is_shape(base, drawn[::-1] if value > 0 else drawn) or base == "C", "and the check can fail"
    for other in set(colors) - {base}:
        assert not any(half.any() for half in halves(letter, colors[other])), f"{base} has no colour of {other}"


def assert_letters(site: Site, colors: dict[str, tuple[int, int, int]] = NEW, number: int = 0) -> None:
    for step, (base, value) in enumerate(zip(BASES, VALUES, strict=True)):
        assert_letter(site.letter(WRITTEN + step, number=number), base, value, colors)


def drawn_pixels(site: Site, number: int = 0) -> int:
    """Pixels of a track that have any colour of a base."""
    picture = site.page.picture()
    (top, height) = {(block.top, block.height) for block in site.blocks(number)}.pop()
    track = picture[round(top) : round(top + height)]
    return int(sum(is_near(track, color).sum() for color in NEW.values()))


@pytest.fixture
def newest(visit: Any) -> Site:
    return visit(NEWEST)


def test_each_value_is_the_letter_of_its_base_above_or_below_zero(newest: Site) -> None:
    newest.show(configuration())
    assert_letters(newest)
    assert newest.page.console == []


def letters_of_svg(svg: str, colors: dict[str, tuple[int, int, int]]) -> dict[str, int]:
    """How many paths are filled with the colour of each base."""
    found = dict.fromkeys(colors, 0)
    for path in re.findall(r"<path[^>]*>", svg):
        fill = re.search(r'fill="#([0-9a-fA-F]{6})"', path)
        for base, color in colors.items():
            found[base] += fill is not None and tuple(bytes.fromhex(fill[1])) == color
    return found


def test_exported_svg_holds_the_letters_as_outlines(newest: Site) -> None:
    newest.show(configuration())
    svg = newest.page.ask("window.exported()")
    assert letters_of_svg(svg, NEW) == dict.fromkeys("ACGT", 2)
    assert "<image" not in svg
    # The curves of C and G are curves there, too.
    (curve, *_) = [path for path in re.findall(r"<path[^>]*>", svg) if "#2196f3" in path]
    assert " C" in re.search(r' d="([^"]*)"', curve)[1]  # type: ignore[index]


def test_the_page_has_no_worker_unless_it_is_asked_for(newest: Site) -> None:
    newest.show(configuration())
    assert newest.page.ask("window.fromWorker") == []


def test_the_menu_offers_what_the_display_can_do(newest: Site) -> None:
    newest.show(configuration())
    menu = newest.page.ask("view.tracks[0].displays[0].trackMenuItems().map(item => item.label)")
    assert "Score" in menu
    assert "Renderer type" not in menu


def test_the_pointer_shows_the_value_as_on_other_tracks(newest: Site) -> None:
    newest.show(configuration())
    (box,) = [box for block in newest.blocks() if (box := block.box(WRITTEN + 1))]
    newest.page.move((box[1].start + box[1].stop) / 2, box[0].start + 30)
    newest.page.wait("document.body.innerText.includes('chrA:1,002')", 10)


def test_a_turned_view_shows_the_complement_in_its_order(newest: Site) -> None:
    newest.show(configuration())
    newest.changed()
    newest.page.ask("view.horizontallyFlip()")
    newest.page.wait(
        "window.blocksOf(0).length && window.blocksOf(0).every(block => block.reversed) && window.isDrawn()"
    )
    assert all(block.reversed for block in newest.blocks())
    for step, (base, value) in enumerate(zip(BASES, VALUES, strict=True)):
        assert_letter(newest.letter(WRITTEN + step), COMPLEMENT[base], value, NEW)


TURNED = (*VALUES[:3], -VALUES[3], *VALUES[4:])
LOW = (0.5, -0.5, 0.25, 0.4)


@pytest.fixture
def several(newest: Site) -> Site:
    """One page with tracks 0 to 3: one sign changed, low values, nothing in the view, and a plain BigWig."""
    write_values(newest.folder / "turned.bw", TURNED)
    write_values(newest.folder / "low.bw", LOW)
    write_values(newest.folder / "elsewhere.bw", VALUES, at=3000)
    shutil.copy(newest.folder / "values.bw", newest.folder / "plain.bw")
    config = configuration("turned.bw", "low.bw", "elsewhere.bw", "plain.bw")
    config["tracks"][3]["adapter"] = config["tracks"][3]["adapter"]["wiggleAdapter"]
    newest.show(config)
    return newest


def test_a_changed_sign_turns_the_letter(several: Site) -> None:
    assert_letter(several.letter(WRITTEN + 3), "T", -1.0, NEW)
    assert_letter(several.letter(WRITTEN + 2), "G", 1.0, NEW)


def test_the_height_of_a_letter_is_its_value(several: Site) -> None:
    for step, value in enumerate(LOW):
        above, below = halves(several.letter(WRITTEN + step, number=1), NEW[BASES[step]])
        assert abs((widths(above if value > 0 else below) > 0).sum() - FULL * abs(value)) <= 2


def test_without_data_nothing_is_drawn(several: Site) -> None:
    assert drawn_pixels(several, 2) == 0
    assert drawn_pixels(several, 3) > 4000, "the check for pixels can fail"


def test_a_plain_bigwig_track_has_letters_with_the_bases_of_its_assembly(several: Site) -> None:
    assert_letters(several, number=3)


@pytest.mark.slow
def test_a_missing_file_is_said_on_the_track(newest: Site) -> None:
    newest.show(configuration("gone.bw"))
    assert any("404" in error for error in newest.page.ask("window.errorsOf(0)"))


@pytest.mark.slow
def test_a_track_without_a_sequence_of_its_own_takes_the_assemblys(newest: Site) -> None:
    config = configuration()
    del config["tracks"][0]["adapter"]["sequenceAdapter"]
    newest.show(config)
    assert_letters(newest)


@pytest.mark.slow
def test_a_bigwig_with_other_names_of_sequences_finds_its_bases(newest: Site) -> None:
    write_values(newest.folder / "renamed.bw", VALUES, sequence="1")
    config = configuration("renamed.bw")
    alias = {"refName": "chrA", "uniqueId": "alias", "aliases": ["1"]}
    config["assemblies"][0]["refNameAliases"] = {"adapter": {"type": "FromConfigAdapter", "features": [alias]}}
    newest.show(config)
    assert_letters(newest)


@pytest.mark.slow
def test_bases_that_nobody_knows_are_gray_bars(newest: Site) -> None:
    config = configuration()
    config["tracks"][0]["adapter"]["sequenceAdapter"] = {
        "type": "ChromSizesAdapter",
        "chromSizesLocation": {"uri": "genome.sizes", "locationType": "UriLocation"},
    }
    newest.show(config)
    letter = newest.letter(WRITTEN)
    assert is_near(letter[10:40], (136, 136, 136)).mean() > 0.9
    assert drawn_pixels(newest) == 0


@pytest.mark.slow
def test_an_ordinary_track_can_be_switched_to_letters_in_its_menu(newest: Site) -> None:
    config = configuration()
    del config["tracks"][0]["displays"]
    config["tracks"][0]["adapter"] = config["tracks"][0]["adapter"]["wiggleAdapter"]
    ordinary = {"type": "LinearWiggleDisplay", "configuration": "values-LinearWiggleDisplay"}
    config["defaultSession"]["views"][0]["tracks"][0]["displays"] = [ordinary]
    newest.show(config)
    newest.changed()
    assert drawn_pixels(newest) == 0
    newest.page.ask("view.tracks[0].replaceDisplay('values-LinearWiggleDisplay', 'values-LinearDynseqDisplay') && 0")
    newest.page.wait("view.tracks[0].displays[0].type === 'LinearDynseqDisplay' && window.isDrawn()")
    assert_letters(newest)


@pytest.mark.slow
def test_an_inverted_track_has_its_letters_upside_down(newest: Site) -> None:
    config = configuration()
    config["tracks"][0]["displays"][0]["inverted"] = True
    newest.show(config)
    assert_letter(newest.letter(WRITTEN + 3), "T", -1.0, NEW)
    assert_letter(newest.letter(WRITTEN + 7), "T", 1.0, NEW)


@pytest.mark.slow
def test_values_outside_of_the_scale_end_at_its_edge_with_a_mark(newest: Site) -> None:
    write_values(newest.folder / "large.bw", [5.0, 5.0, -5.0])
    newest.show(configuration("large.bw"))
    cut = newest.letter(WRITTEN)
    assert is_near(cut[:2], (255, 0, 0)).mean() > 0.9
    assert (widths(halves(cut, NEW["A"])[0]) > 0).sum() <= FULL + 1
    assert is_near(newest.letter(WRITTEN + 2)[-2:], (255, 0, 0)).mean() > 0.9


def test_several_regions_each_have_their_letters(newest: Site) -> None:
    write_values(newest.folder / "two.bw", [1.0] * 1004)
    newest.show(configuration("two.bw", regions=((995, 1010), (1995, 2010))))
    assert {(block.start < 1500) for block in newest.blocks()} == {True, False}
    genome = (newest.folder / "genome.fa").read_text().splitlines()[1]
    for place in (1000, 1003, 1007, 1996, 1999, 2003):
        assert_letter(newest.letter(place), genome[place], 1.0, NEW)


def test_bars_take_over_where_a_base_is_narrower_than_a_pixel(newest: Site) -> None:
    write_values(newest.folder / "bars.bw", [1.0] * 200 + [-1.0] * 200)
    newest.show(configuration("bars.bw", first=0, last=3600))
    (height, top) = {(block.height, block.top) for block in newest.blocks()}.pop()
    track = newest.page.picture()[round(top) : round(top + height)]
    above, below = track[: ZERO - 1], track[ZERO + 1 :]
    assert is_near(above, POSITIVE_BARS).sum() > 2000
    assert is_near(below, NEGATIVE_BARS).sum() > 2000
    assert is_near(below, POSITIVE_BARS).sum() == is_near(above, NEGATIVE_BARS).sum() == 0
    assert drawn_pixels(newest) == 0


def test_on_a_fine_screen_letters_are_drawn_finer(newest: Site) -> None:
    newest.show(configuration())
    newest.changed()
    newest.page.size(WIDTH, HEIGHT, scale=2)
    newest.page.wait("window.devicePixelRatio === 2")
    for block in newest.blocks():
        assert block.pixels >= 1.9 * block.width, "the drawing has as many pixels as the screen"
    assert_letter(newest.letter(WRITTEN + 3, scale=2), "T", 1.0, NEW)
    # The edge of T's stem: a drawing of half the pixels would shade over two columns or more.
    stem = newest.letter(WRITTEN + 3, scale=2)[60:80].astype(int)
    partly = ~is_near(stem, NEW["T"], 12) & ~is_near(stem, (255, 255, 255), 25)
    assert partly[10].sum() <= 6


@pytest.mark.slow
def test_a_dark_theme_keeps_the_letters(newest: Site) -> None:
    config = configuration()
    config["configuration"] = {"theme": {"palette": {"mode": "dark"}}}
    newest.show(config)
    assert newest.letter(FREE)[20].mean() < 60, "the track is dark"
    assert_letters(newest)


@pytest.mark.slow
def test_the_colors_of_a_theme_are_followed(newest: Site) -> None:
    config = configuration()
    own = {base: {"main": f"#{10 * place:02x}00{200 - 20 * place:02x}"} for place, base in enumerate("ACGT")}
    config["configuration"] = {"theme": {"palette": {"bases": own}}}
    newest.show(config)
    above, _ = halves(newest.letter(WRITTEN), (0, 0, 200))
    assert above.any()


def test_letters_are_drawn_in_a_worker(newest: Site) -> None:
    config = configuration()
    config["configuration"] = {"rpc": {"defaultDriver": "WebWorkerRpcDriver"}}
    newest.show(config, "worker=1")
    drawings = newest.page.ask("window.fromWorker")
    assert drawings
    for drawing in drawings:
        assert drawing == {"scope": "DedicatedWorkerGlobalScope", "document": "undefined", "image": "ImageBitmap"}
    assert_letters(newest)
    assert letters_of_svg(newest.page.ask("window.exported()"), NEW) == dict.fromkeys("ACGT", 2)
    assert newest.page.console == []


VERSIONS = [NEWEST_VIEW, *(pytest.param(name, marks=pytest.mark.slow) for name in (OLDEST, *BETWEEN))]


@pytest.mark.parametrize("name", VERSIONS)
def test_other_versions_draw_and_export_the_same_letters(visit: Any, name: str) -> None:
    site = visit(name)
    site.show(configuration(), *(["old=1"] if any(form in name for form in OLDER_FORM) else []))
    picture = site.letter(WRITTEN + 2)
    colors = NEW if halves(picture, NEW["G"])[0].any() else OLD
    assert_letters(site, colors)
    assert letters_of_svg(site.page.ask("window.exported()"), colors) == dict.fromkeys("ACGT", 2)
    assert site.page.console == []


@pytest.mark.slow
def test_the_scale_of_a_track_without_limits_is_its_datas(newest: Site) -> None:
    write_values(newest.folder / "tiny.bw", [0.004, -0.002])
    config = configuration("tiny.bw")
    for limit in ("minScore", "maxScore"):
        del config["tracks"][0]["displays"][0][limit]
    newest.show(config)
    lowest, highest = newest.page.ask("view.tracks[0].displays[0].domain.map(Number)")
    # JBrowse rounds outwards, to numbers that read well.
    assert -0.003 <= lowest <= -0.002
    assert 0.004 <= highest <= 0.005
    assert halves(newest.letter(WRITTEN), NEW["A"])[0].any()


def test_the_made_genome_is_as_long_as_the_tests_take_it() -> None:
    assert len(BASES) == len(VALUES)
    assert WRITTEN + len(BASES) < LENGTH
