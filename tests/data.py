"""Where tests find real data: the folder that TRACKGEN_DATA names, else ``../shared/data`` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_folder() -> Path:
    """The folder of real data; skips the calling test, saying why, where there is none."""
    named = os.environ.get("TRACKGEN_DATA")
    folder = Path(named) if named else BESIDE_THE_CHECKOUT
    if not folder.is_dir():
        pytest.skip(f"no real data: TRACKGEN_DATA is {named or 'not set'} and {folder.name} is not beside the checkout")
    return folder


def data_file(name: str) -> Path:
    """One file of the data folder, by its path inside it; skips the calling test where it is absent."""
    path = data_folder() / name
    if not path.is_file():
        pytest.skip(f"the data folder has no {name}")
    return path
