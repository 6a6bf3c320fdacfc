"""Figures of tracks against labels, genome-wide and exact: AUROC, AUPRC, recall at a false discovery rate."""

from trackgen.evaluate.job import EvaluateOptions, Evaluation, evaluate_tracks

__all__ = ["EvaluateOptions", "Evaluation", "evaluate_tracks"]
