"""Answers while a person looks: values of the visible region, edited bases, single-base changes.

`LiveEngine` answers the questions of the protocol (plugins/protocol); it knows nothing of HTTP.
"""

from trackgen.live.engine import LiveEngine
from trackgen.live.limits import Limits, Region
from trackgen.live.questions import KeepQuestion, Question, read_body, read_parameters
from trackgen.live.refused import Refused, error_message, status_of
from trackgen.live.text import json_pieces
from trackgen.live.tiles import Stop, Withdrawn

__all__ = [
    "KeepQuestion",
    "Limits",
    "LiveEngine",
    "Question",
    "Refused",
    "Region",
    "Stop",
    "Withdrawn",
    "error_message",
    "json_pieces",
    "read_body",
    "read_parameters",
    "status_of",
]
