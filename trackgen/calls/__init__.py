"""Tracks to calls: stretches over a threshold, or the highest places, as BED, narrowPeak and bigBed."""

from trackgen.calls.folder import CALLS_FILE
from trackgen.calls.job import CallOptions, CallSet, make_calls
from trackgen.calls.source import CallSource, Method, StrandTrack, plain_sources, validation_of

__all__ = [
    "CALLS_FILE",
    "CallOptions",
    "CallSet",
    "CallSource",
    "Method",
    "StrandTrack",
    "make_calls",
    "plain_sources",
    "validation_of",
]
