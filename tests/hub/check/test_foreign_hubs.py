"""Hubs that other programs write are judged fairly: what trackhub makes has no error."""

from __future__ import annotations

from pathlib import Path

import pytest
import trackhub
from trackhub.upload import stage_hub

from tests.hub.check.corpus import write_bigbed, write_bigwig
from trackgen.hub.check import HubCheck, check_hub, report_text

LENGTHS = {"chr1": 248_956_422, "chr2": 242_193_529}


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A hub with a composite, views, groups, an overlay and a super track, staged as links as trackhub does."""
    write_bigwig(tmp_path / "signal.bw", LENGTHS)
    write_bigbed(tmp_path / "peaks.bb", LENGTHS)
    hub, _, _, database = trackhub.default_hub(
        hub_name="theirs", short_label="theirs", long_label="A hub by trackhub", genome="hg38", email="a@b.org"
    )
    signal, peaks = str(tmp_path / "signal.bw"), str(tmp_path / "peaks.bb")
    factors = trackhub.SubGroupDefinition(name="factor", label="Factor", mapping={"reb1": "Reb1", "rap1": "Rap1"})
    composite = trackhub.CompositeTrack(
        name="all", short_label="all", long_label="all of it", tracktype="bigWig", visibility="full",
        dimensions="dimX=factor", sortOrder="factor=+",
    )  # fmt: skip
    composite.add_subgroups([factors])
    view = trackhub.ViewTrack(name="signalView", view="signal", visibility="full", tracktype="bigWig", short_label="s")
    composite.add_view(view)
    for name in ("reb1", "rap1"):
        view.add_tracks(
            trackhub.Track(
                name=name,
                tracktype="bigWig 0 1",
                source=signal,
                subgroups={"factor": name},
                color="200,30,30",
                short_label=name,
                long_label=name,
                autoScale="on",
                maxHeightPixels="128:40:16",
            )
        )
    overlay = trackhub.AggregateTrack(
        name="overlay", short_label="overlay", long_label="both", tracktype="bigWig", aggregate="transparentOverlay",
        visibility="full", showSubtrackColorOnUi="on",
    )  # fmt: skip
    for name in ("one", "two"):
        overlay.add_subtrack(
            trackhub.Track(name=name, tracktype="bigWig", source=signal, short_label=name, long_label=name)
        )
    above = trackhub.SuperTrack(name="above", short_label="above", long_label="above")
    above.add_tracks(
        trackhub.Track(name="peaks", tracktype="bigBed 4", source=peaks, short_label="peaks", long_label="peaks")
    )
    database.add_tracks([composite, overlay, above])
    stage_hub(hub, staging=str(tmp_path / "staging"))
    return tmp_path / "staging"


def errors(check: HubCheck) -> list[str]:
    return [f"{finding.rule} {finding.place}: {finding.text}" for finding in check.findings if finding.level == "error"]


def test_a_hub_by_trackhub_has_no_error_but_gets_its_warnings(staged: Path) -> None:
    check = check_hub(str(staged))
    assert errors(check) == []
    assert check.tracks == 9
    # trackhub writes no pages by itself.
    assert {"HUB-PAGE", "TRACK-PAGE"} <= {finding.rule for finding in check.findings}, report_text(check)


def test_its_data_are_read_and_compared(staged: Path, tmp_path: Path) -> None:
    write_bigwig(tmp_path / "signal.bw", {"chr1": 249_250_621})
    check = check_hub(str(staged))
    assert {finding.rule for finding in check.findings if finding.level == "error"} == {"DATA-LENGTHS"}
    assert "found 249,250,621; wanted 248,956,422" in report_text(check)
