"""Models of binding against what they have to beat, and the report of it.

    TRACKGEN_DATA=... python benchmarks/binding.py baselines [--sets CTCF,REST] [--seeds 5]
    TRACKGEN_DATA=... python benchmarks/binding.py ctcf-human [--keep DIR]
    TRACKGEN_DATA=... python benchmarks/binding.py reasons [--seeds 3]
    python benchmarks/binding.py report [--sweep DIR...]

`baselines` appends to docs/benchmarks/binding/baselines.jsonl what is not there yet: the best known motif, logistic
regression on k-mers and the gapped k-mer machine, on the very test sequences that `trackgen sweep` judges nets by.
`reasons` changes the paper's best net one thing at a time, to see why gapped k-mers win where they do. `ctcf-human`
makes exported_models/binding-ctcf-human again, scans chr22 with it and judges it there; figures go into
docs/benchmarks/binding/ctcf-human.json. `report` writes docs/benchmarks/binding.md from all records, those of sweeps
included; with --sweep it takes the models of a sweep's folder over first, and writes the report of these sweeps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from binding_baselines import measure_baselines
from binding_ctcf import make_ctcf_model
from binding_reasons import measure_reasons
from binding_report import REPORT, document, report_sweeps, take_sweeps
from binding_sets import RECORDS, SETS


def main() -> None:
    """Run one of the sub-commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    baselines = commands.add_parser("baselines")
    baselines.add_argument("--sets", type=lambda text: text.split(","), default=list(SETS))
    baselines.add_argument("--seeds", type=int, default=5)
    human = commands.add_parser("ctcf-human")
    human.add_argument("--keep", type=Path, help="a folder for trained nets, from which a broken run goes on")
    reasons = commands.add_parser("reasons")
    reasons.add_argument("--seeds", type=int, default=3)
    report = commands.add_parser("report")
    report.add_argument("--sweep", type=Path, action="append", default=[], help="a sweep's folder, whose models count")
    options = parser.parse_args()
    if options.command == "baselines":
        measure_baselines(RECORDS / "baselines.jsonl", options.sets, options.seeds)
    elif options.command == "reasons":
        measure_reasons(RECORDS / "reasons.jsonl", range(1, options.seeds + 1))
    elif options.command == "ctcf-human":
        make_ctcf_model(keep=options.keep)
    else:
        take_sweeps(options.sweep)
        if options.sweep:
            report_sweeps(options.sweep)
        REPORT.write_text(document())


if __name__ == "__main__":
    main()
