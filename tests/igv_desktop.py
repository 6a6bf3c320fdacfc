"""Debian's IGV Desktop, 2.16, on a screen that exists in memory only: it opens a session and takes a picture."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

__all__ = ["igv_picture", "needs_igv", "rows"]

HAS_IGV = bool(shutil.which("igv") and shutil.which("xvfb-run") and shutil.which("java"))
REASON = "IGV Desktop is not installed: tools/system_packages.sh igv xvfb (Debian)"
# All that IGV may complain about: without a network it misses its own lists of genomes.
EXPECTED_COMPLAINTS = ("OAuthUtils", "GenomeListManager")


def needs_igv(test: type) -> type:
    """Marks for tests that start IGV; `make test` leaves them out."""
    return pytest.mark.slow(pytest.mark.skipif(not HAS_IGV, reason=REASON)(test))


def igv_picture(
    session: Path, genome: Mapping[str, str], folder: Path, height: int = 900
) -> tuple[np.ndarray, list[str]]:
    """What IGV draws of `session`, uint8 (height, width, 3), and what it complains about.

    Args:
        genome: of the session as FASTA, in the words of IGV's genome files, since IGV 2.16 reads no 2bit; its ``id``
            is the name that the session gives the genome, which IGV then takes for the one it has open.
        folder: an empty one, for what IGV writes.
    """
    home, description, batch = folder / "home", folder / "genome.json", folder / "batch.txt"
    home.mkdir(parents=True)
    description.write_text(json.dumps(dict(genome)))
    commands = [
        f"genome {description}",
        f"load {session}",
        # The picture may be higher than the screen.
        "maxPanelHeight 4000",
        f"snapshotDirectory {folder}",
        "snapshot igv.png",
        "exit",
    ]
    batch.write_text("\n".join(commands))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1200x900x24"]
    done = subprocess.run(
        [*screen, "igv", "--igvDirectory", str(home), "-p", port, "-b", str(batch)],
        env={**os.environ, "JAVA_TOOL_OPTIONS": f"-Duser.home={home} -Xmx1g"},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("SEVERE", "WARN"))]
    with Image.open(folder / "igv.png") as image:
        picture = np.asarray(image.convert("RGB"))
    return picture, [line for line in complaints if not any(word in line for word in EXPECTED_COMPLAINTS)]


def rows(picture: np.ndarray, color: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that hold pixels of exactly `color`: bars, and the lines of zero, which go across the whole picture.

    A line of two rows counts as its first.
    """
    found = (picture == color).all(axis=2).sum(axis=1)
    line = found > picture.shape[1] // 2
    return np.flatnonzero((found > 0) & ~line), np.flatnonzero(line & ~np.roll(line, 1))
