"""Models of binding against what they have to beat, and the report of it.

    TRACKGEN_DATA=... python benchmarks/binding.py baselines [--sets CTCF,REST] [--seeds 5]

`baselines` appends to docs/benchmarks/binding/baselines.jsonl what is not there yet: the best known motif, logistic
regression on k-mers and the gapped k-mer machine, on the very test sequences that `trackgen sweep` judges nets by.
"""

from __future__ import annotations

import argparse

from binding_baselines import measure_baselines
from binding_sets import RECORDS, SETS


def main() -> None:
    """Run one of the sub-commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    baselines = commands.add_parser("baselines")
    baselines.add_argument("--sets", type=lambda text: text.split(","), default=list(SETS))
    baselines.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.command == "baselines":
        measure_baselines(RECORDS / "baselines.jsonl", options.sets, options.seeds)


if __name__ == "__main__":
    main()
