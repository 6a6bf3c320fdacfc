"""Finds the files that ship with trackgen, in an installed wheel or in a checkout.

A wheel holds ``hub_templates/`` and ``exported_models/`` inside the package; a checkout has them at its top level.
"""

from __future__ import annotations

from pathlib import Path

from trackgen.errors import TrackgenError

__all__ = ["exported_models", "hub_templates"]

_PACKAGE = Path(__file__).resolve().parent


def _shipped(folder: str) -> Path:
    for candidate in (_PACKAGE / folder, _PACKAGE.parent / folder):
        if candidate.is_dir():
            return candidate
    raise TrackgenError(
        f"the folder {folder}, which ships with trackgen, is not installed",
        wanted=f"{_PACKAGE / folder}",
        remedy="install trackgen again",
    )


def hub_templates() -> Path:
    """The folder of text templates for hubs and pages."""
    return _shipped("hub_templates")


def exported_models() -> Path:
    """The folder of shipped models: one folder a model, with ``model.onnx`` and ``README.md``."""
    return _shipped("exported_models")


def browser_assets() -> Path | None:
    """The folder of third-party browser code that ``make assets`` fills, or None where it was not run."""
    folder = _PACKAGE / "serve" / "assets"
    return folder if folder.is_dir() else None
