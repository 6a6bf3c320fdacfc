"""The libraries of the extra ``explain``: refused by name, with the remedy, before any work is done."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from trackgen.errors import UsageError

__all__ = ["LIBRARIES", "require"]

LIBRARIES = {"matplotlib": "matplotlib", "memelite": "memelite", "modiscolite": "modisco-lite", "h5py": "h5py"}
"""Module -> the package that brings it."""


def require(modules: Sequence[str] = tuple(LIBRARIES)) -> None:
    """Make sure that `modules` can be imported, without importing them.

    Raises:
        UsageError: one is not installed.
    """
    missing = [LIBRARIES.get(module, module) for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise UsageError(
            f"explaining a model needs {', '.join(missing)}, which is not installed",
            remedy="run `pip install 'trackgen[explain]'` (in a checkout: `pip install '.[explain]'`)",
        )
