"""The main job: models and a genome in, tracks out.

How a base travels, and where to read on::

    job        the whole of it: plan, shards, tracks
    plan       what will be computed (stretches, sources, modes, trial); choices takes over those of an earlier plan
    record     the plan as a file; folder: what OUT holds, and what may be done to it
    shards     tiles -> shards -> chunks
    making     shards in this process; spread and cluster: in others; lock: who makes which
    pipeline   slots that carry chunks through the stages of work:
                 tile        genome -> codes -> windows -> values      (inputs, dense, windows, checks)
                 encode      values -> rounded, cut, gathered, compressed
                 shard_file  what is kept
    assembly   shards -> tracks; report: run.json

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
