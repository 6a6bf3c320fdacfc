"""The main job: models and a genome in, tracks out."""

from trackgen.scan.estimate import Estimate, estimate_scan
from trackgen.scan.job import ScanResult, list_outputs, run_scan
from trackgen.scan.options import ScanOptions

__all__ = ["Estimate", "ScanOptions", "ScanResult", "estimate_scan", "list_outputs", "run_scan"]
