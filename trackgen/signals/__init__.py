"""Signals from reads and fragments: coverage and cut sites, in bins and as BigWig tracks, by a model's recipe."""

from trackgen.signals.bins import coverage_bins, cut_bins
from trackgen.signals.make import SignalSummary, make_signal, refuse_onto_itself, signal_bins
from trackgen.signals.recipe import Recipe, recipe_from_card
from trackgen.signals.sweep import cut_sites
from trackgen.signals.usual import usual_depth

__all__ = [
    "Recipe",
    "SignalSummary",
    "coverage_bins",
    "cut_bins",
    "cut_sites",
    "make_signal",
    "recipe_from_card",
    "refuse_onto_itself",
    "signal_bins",
    "usual_depth",
]
