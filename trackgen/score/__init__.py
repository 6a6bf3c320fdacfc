"""A model's value at regions, at transcripts' starts and of variants: one window each. Coordinates 0-based half-open.

::

    job      survey -> records -> windows -> written, in batches
    survey   a first look at the whole file: what it is, whether it is sound
    records  lines -> places; what becomes of those that can't be scored
    windows  places -> values: single windows, of the genome and of its alleles
    written  a table, or the VCF with INFO fields; target: where it goes
"""

from trackgen.score.job import ScoreResult, run_score
from trackgen.score.options import ScoreOptions

__all__ = ["ScoreOptions", "ScoreResult", "run_score"]
