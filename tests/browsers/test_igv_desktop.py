"""A real hub in IGV Desktop, the oldest one that distributions ship: bars for letters, all else as everywhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.data import data_file
from tests.igv_desktop import igv_picture, needs_igv, rows

SHARP, BROAD, BARS = (200, 30, 30), (30, 30, 200), (80, 80, 80)


@needs_igv
class TestRealHub:
    @pytest.fixture
    def genome(self) -> dict[str, str]:
        fasta = data_file("genome_yeast/sacCer3.fa.gz")
        index = {"indexURL": f"{fasta}.fai", "compressedIndexURL": f"{fasta}.gzi", "gziIndexURL": f"{fasta}.gzi"}
        return {"id": "sacCer3.2bit", "name": "sacCer3", "fastaURL": str(fasta), **index}

    @pytest.fixture
    def hub(self, real_hub: Path, locus: str, tmp_path: Path) -> Path:
        """The hub, its session at a place that has something of every track."""
        hub = Path(shutil.copytree(real_hub, tmp_path / "hub", symlinks=True))
        session = (hub / "igv.xml").read_text(encoding="utf-8")
        (hub / "igv.xml").write_text(re.sub('locus="[^"]*"', f'locus="{locus}"', session), encoding="utf-8")
        return hub

    def test_every_track_is_drawn_and_nothing_complained_about(
        self, hub: Path, genome: dict[str, str], tmp_path: Path, pictures: Path | None
    ) -> None:
        picture, complaints = igv_picture(hub / "igv.xml", genome, tmp_path / "igv")
        assert not complaints
        for color in (SHARP, BROAD):
            bars, lines = rows(picture, color)
            # Two models, two strands; the second model sees only one strand at this place.
            assert len(lines) == 4
            for line, direction in zip(lines, (-1, 1, -1), strict=False):
                assert (((bars - line) * direction > 0) & (abs(bars - line) < 60)).any()
        bars, lines = rows(picture, BARS)
        assert len(lines) == 8
        assert all(((bars > line - 60) & (bars < line + 60)).any() for line in lines)
        if pictures is not None:
            pictures.mkdir(exist_ok=True)
            Image.fromarray(picture).save(pictures / "igv-desktop.png", optimize=True)

    def test_without_data_nothing_of_it_is_drawn(self, hub: Path, genome: dict[str, str], tmp_path: Path) -> None:
        for path in hub.glob("*.bw"):
            path.unlink()
        picture, complaints = igv_picture(hub / "igv.xml", genome, tmp_path / "igv")
        assert complaints
        assert all(len(rows(picture, color)[0]) == 0 for color in (SHARP, BROAD, BARS))
