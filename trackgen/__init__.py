"""trackgen: scan whole genomes with ONNX models, write BigWig tracks and hubs, and show them.

In Python::

    trackgen.open_model(path).predict(genome, region)    values of one region as numpy arrays
    ...contributions(genome, region, class_)             what each base contributes to a class
    trackgen.scan(models, genome, output)                tracks of a whole genome
    trackgen.export(module, card, path)                  PyTorch -> ONNX with a card inside (extra train)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trackgen import scan
    from trackgen.learn.export import export
    from trackgen.scan import open_model

__all__ = ["__version__", "export", "open_model", "scan"]

__version__ = "0.1.0"

HOMES = {"open_model": "trackgen.scan", "export": "trackgen.learn.export"}
"""Where names live: imported when first asked for, so that `import trackgen` and `trackgen --help` are instant."""


def __getattr__(name: str) -> Any:
    if name == "scan":
        return importlib.import_module("trackgen.scan")
    if name in HOMES:
        return getattr(importlib.import_module(HOMES[name]), name)
    raise AttributeError(f"module 'trackgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
