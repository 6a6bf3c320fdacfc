"""The main job: models and a genome in, tracks out.

The package itself can be called: ``trackgen.scan(models, genome, output)``, which is `scan_genome`.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

from trackgen.scan.assembly import assemble_folder
from trackgen.scan.calls import scan_genome
from trackgen.scan.estimate import Estimate, estimate_scan
from trackgen.scan.job import ScanResult, list_outputs, run_scan
from trackgen.scan.opened import Model, open_model
from trackgen.scan.options import ScanOptions

__all__ = [
    "Estimate",
    "Model",
    "ScanOptions",
    "ScanResult",
    "assemble_folder",
    "estimate_scan",
    "list_outputs",
    "open_model",
    "run_scan",
    "scan_genome",
]


class _Callable(ModuleType):
    """`trackgen.scan` is a package and, as the command of that name suggests, a function."""

    __call__ = staticmethod(scan_genome)


sys.modules[__name__].__class__ = _Callable
# What help(trackgen.scan) and editors show.
__signature__ = inspect.signature(scan_genome)
__doc__ = f"{__doc__}\n{inspect.getdoc(scan_genome)}"
