"""binding-yeast and what it has to beat, factor by factor, on the test chromosomes of yeast.

    TRACKGEN_DATA=... python benchmarks/binding_yeast.py baselines [--factors Reb1,Mcm1] [--gapped Reb1,Mcm1]
    TRACKGEN_DATA=... python benchmarks/binding_yeast.py judge RUN... [--scan DIR]

`judge` takes the folders of `trackgen train factors`, one a seed and the shipped one first, and writes
docs/benchmarks/binding/yeast.json; `baselines` appends to yeast-baselines.jsonl there what is not there yet: the best
known motif, logistic regression on k-mers, and the gapped k-mer machine. All see the 101 bp around a peak's centre (the
net's window is 105, its outermost 4 bases read unknown), and are held against three kinds of windows: from anywhere,
around the peaks of other factors, and in promoters that the factor is not found in. None of those is within 150 bp of a
peak of the factor.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from binding_sets import RECORDS
from numpy.typing import NDArray
from processes import data_file

from trackgen.errors import DataError
from trackgen.genome import Genome, open_genome, parse_regions
from trackgen.learn.architectures.rc_multitask import FactorLogits
from trackgen.learn.baselines.gapped_kmer import fit_gapped_kmer_machine
from trackgen.learn.baselines.motif_scan import known_motif
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.factors import FactorData, centres_by_factor, no_nearer_than
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.datasets.near import near_identical
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import Sites, read_windows
from trackgen.learn.factors_counts import APART
from trackgen.learn.factors_judging import score_matrix
from trackgen.learn.factors_report import plot_matrix
from trackgen.learn.factors_training import score_sites
from trackgen.learn.figures import rounded
from trackgen.learn.kmer import fit_kmer_model
from trackgen.learn.metrics import auroc
from trackgen.learn.saved import load_saved
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.learn.tss_report import markdown_table

PEAKS = "yeast_tf/rossi2021_chexmix.sacCer3.bed.gz"
EXCLUDED = ("chrXII:450001-491000", "chrM")
VALIDATION, TEST = ("chrVII",), ("chrIV", "chrXVI")
SEEN = 101
BAR = {"Reb1": 0.81, "Mcm1": 0.74, "Fkh1": 0.81, "Cin5": 0.75, "Mbp1": 0.86, "Swi4": 0.81, "Gcn4": 0.98}
"""AUC of a known motif on 101-bp peak windows against random genome, measured beforehand by other means."""
NEGATIVES = 5000
TRAINING_NEGATIVES = 3000
"""Windows from anywhere that baselines are trained against."""
PROMOTER = 150
"""Bases in front of a gene's first codon at which its promoter is taken to be, bp."""
SEED = 20
MOTIFS = (
    "motifs/JASPAR2024_CORE_fungi_non-redundant_pfms_transfac.txt",
    "motifs/SwissRegulon_s_cer.meme",
    "motifs/yetfasco_all.meme",
)
BASELINES = RECORDS / "yeast-baselines.jsonl"
KINDS = {"random": "anywhere", "other_peaks": "other factors' peaks", "promoters": "promoters without it"}
Scorer = Callable[[Sites], NDArray[np.floating]]


def yeast(genome: Genome) -> FactorData:
    """All of Rossi's proteins with 40 peaks or more."""
    rows = read_peaks(data_file(PEAKS), genome.lengths)
    excluded = tuple(one for text in EXCLUDED for one in parse_regions(text, genome.lengths).intervals)
    split = Split.of(genome.names, validation=VALIDATION, test=TEST, left_out=("chrM",))
    return FactorData(genome, centres_by_factor(rows, least=40), split, excluded)


def promoters(genome: Genome) -> Sites:
    """The base 150 bp in front of every protein-coding gene of the test chromosomes, on the plus strand."""
    found = set()
    with gzip.open(data_file("yeast_annotation/Saccharomyces_cerevisiae.R64-1-1.96.gtf.gz"), "rt") as lines:
        for line in lines:
            fields = line.split("\t")
            name = f"chr{fields[0]}"
            if len(fields) > 8 and fields[2] == "gene" and 'biotype "protein_coding"' in fields[8] and name in TEST:
                place = int(fields[3]) - 1 - PROMOTER if fields[6] == "+" else int(fields[4]) + PROMOTER
                if 0 <= place < genome.lengths[name]:
                    found.add((genome.names.index(name), place))
    chromosome, position = np.array(sorted(found)).T
    return Sites(genome.names, chromosome.astype(np.int32), position, np.zeros(len(position), dtype=np.bool_))


def negatives(data: FactorData, trained: Sequence[str]) -> dict[str, Sites]:
    """Test windows of the three kinds, of any factor: see `far_from`."""
    few = FactorData(data.genome, {name: data.centres[name] for name in trained}, data.split, data.excluded)
    return {
        "random": data.anywhere("test", NEGATIVES, [SEED]), "other_peaks": few.sites("test"),
        "promoters": promoters(data.genome),
    }  # fmt: skip


def aurocs(
    data: FactorData, factor: str, kinds: Mapping[str, Sites], score: Scorer,
    known: Mapping[str, NDArray[np.floating]] | None = None,
) -> dict[str, float]:  # fmt: skip
    """AUROC of the factor's test peaks against each kind of windows that none of its peaks is near.

    `known` holds the scores of all windows of each kind, where they are known.
    """
    own = score(data.peaks(factor, "test"))
    found = {}
    for kind, sites in kinds.items():
        far = no_nearer_than(sites, data.centres[factor]) > APART
        other = score(sites.take(far)) if known is None else known[kind][far]
        found[kind] = auroc(np.repeat([True, False], [len(own), len(other)]), np.concatenate([own, other]))
    return found


def training_windows(data: FactorData, factor: str, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """uint8[n, 101] around the factor's peaks and from anywhere, and int64[n] classes."""
    bound = data.peaks(factor, part)
    anywhere = data.anywhere(part, TRAINING_NEGATIVES, [SEED, 1])
    unbound = anywhere.take(no_nearer_than(anywhere, data.centres[factor]) > APART)
    codes = [read_windows(data.genome, sites, SEEN) for sites in (bound, unbound)]
    return np.concatenate(codes), np.repeat([1, 0], [len(bound), len(unbound)]).astype(np.int64)


def baseline(data: FactorData, factor: str, kind: str) -> tuple[Callable[[NDArray[np.uint8]], Any], dict[str, Any]]:
    """What scores windows, fitted on the factor's training peaks, and what there is to say of it."""
    codes, labels = training_windows(data, factor, "train")
    if kind == "motif":
        found = known_motif([read_motifs(data_file(name)) for name in MOTIFS], factor, codes, labels)
        return found.scores, {"motif": found.name, "of": found.database, "tried": found.tried}
    if kind == "gkm":
        machine = fit_gapped_kmer_machine(codes, labels, seed=SEED)
        return machine.scores, {"positives": machine.positives, "negatives": machine.negatives}
    model = fit_kmer_model((codes, labels), training_windows(data, factor, "validation"), both_strands=True)
    return (lambda windows: model.logits(windows)[:, 0]), {"k": model.k, "penalty": model.penalty}


def measure_baselines(factors: Sequence[str], gapped: Sequence[str]) -> None:
    """Append what is not there yet, the slowest kind last."""
    known = {(entry["factor"], entry["baseline"]) for entry in read_records(BASELINES)}
    with open_genome(data_file("genome_yeast/sacCer3.2bit")) as genome:
        data = yeast(genome)
        kinds = negatives(data, factors)
        units = [(name, kind) for kind in ("motif", "kmer_lr") for name in factors] + [(name, "gkm") for name in gapped]
        for factor, kind in units:
            if (factor, kind) in known:
                continue
            try:
                score, detail = baseline(data, factor, kind)
            except DataError as error:
                print(f"{factor} {kind}: {error}", flush=True)
                continue
            figures = aurocs(data, factor, kinds, partial(_codes_score, score, genome))
            append_record(BASELINES, rounded({"factor": factor, "baseline": kind, "detail": detail, **figures}))
            print(f"{factor} {kind}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()), flush=True)


def _codes_score(score: Callable[[NDArray[np.uint8]], Any], genome: Genome, sites: Sites) -> NDArray[np.float64]:
    return np.asarray(score(read_windows(genome, sites, SEEN)))


def judge(runs: Sequence[Path], scan: Path | None) -> dict[str, Any]:
    """The record of all runs, the first of which is shipped."""
    saved = [load_saved(run / "model.pt") for run in runs]
    nets = [one.build() for one in saved]
    names = [[entry.name for entry in one.card.classes] for one in saved]
    with ExitStack() as stack:
        genome = stack.enter_context(open_genome(data_file("genome_yeast/sacCer3.2bit")))
        data = yeast(genome)
        kinds = negatives(data, saved[0].card.training["trained_on"])
        metrics = saved[0].card.training["metrics"]
        known = [{kind: score_sites(net, genome, sites, SEEN) for kind, sites in kinds.items()} for net in nets]
        factors = {
            name: {"peaks": metrics[name]["peaks"], **_figures(data, name, kinds, nets, names, known)}
            for name in names[0]
        }
        shipped = nets[0]
        assert isinstance(shipped, FactorLogits)
        own = FactorData(genome, {name: data.centres[name] for name in names[0]}, data.split, data.excluded)
        matrix = score_matrix(shipped, own, names[0], SEED, seen=SEEN)
        near = _near(data, saved[0].card.training["trained_on"])
    plot_matrix(names[0], matrix.tolist(), RECORDS / "yeast-matrix.png")
    record = {
        "seeds": [one.card.training["seed"] for one in saved], "kept": [len(own) for own in names],
        "digest": hashlib.sha256(data_file(PEAKS).read_bytes()).hexdigest()[:16], "factors": factors,
        "matrix": {"factors": names[0], "auroc": matrix.tolist()}, "near_identical": near,
        "scan_seconds": json.loads((scan / "run.json").read_text())["seconds"]["total"] if scan else None,
    }  # fmt: skip
    record["text"] = document(record)
    return record


def _figures(
    data: FactorData, name: str, kinds: Mapping[str, Sites], nets: Sequence[Any], names: Sequence[Sequence[str]],
    known: Sequence[Mapping[str, NDArray[np.floating]]],
) -> dict[str, Any]:  # fmt: skip
    """kind of windows -> AUROC of each seed that kept the factor, and of the baselines."""
    seeds = []
    for net, own, scores in zip(nets, names, known, strict=True):
        if name in own:
            column = list(own).index(name)
            others = {kind: values[:, column] for kind, values in scores.items()}
            seeds.append(aurocs(data, name, kinds, partial(_column, net, data.genome, column), others))
    simple = {entry["baseline"]: entry for entry in read_records(BASELINES) if entry["factor"] == name}
    return {
        kind: {"net": [one[kind] for one in seeds], **{key: entry[kind] for key, entry in simple.items()}}
        for kind in kinds
    }


def _column(net: FactorLogits, genome: Genome, column: int, sites: Sites) -> NDArray[np.float32]:
    return score_sites(net, genome, sites, SEEN)[:, column]


def _near(data: FactorData, trained: Sequence[str]) -> dict[str, int]:
    """Test sites whose window a training site's window all but repeats."""
    own = FactorData(data.genome, {name: data.centres[name] for name in trained}, data.split, data.excluded)
    windows = {part: read_windows(data.genome, own.sites(part), SEEN) for part in ("train", "test")}
    return {"test_windows": len(windows["test"]), "near": int(near_identical(windows["test"], windows["train"]).sum())}


def document(record: Mapping[str, Any]) -> str:
    """The section of docs/benchmarks/binding.md."""
    factors = record["factors"]
    rows = [
        [name, str(entry["peaks"]["test"]), *_cells(entry["random"]), f"{BAR[name]:.2f}" if name in BAR else "",
         *(_mean(entry[kind]) for kind in ("other_peaks", "promoters"))]
        for name, entry in factors.items()
    ]  # fmt: skip
    header = ["factor", "test peaks", "net (lowest to highest seed)", "motif", "k-mers", "gapped k-mers", "bar",
              "net against other peaks", "net against promoters"]  # fmt: skip
    medians = []
    for kind, words in KINDS.items():
        for rival, title in (("motif", "the best known motif"), ("kmer_lr", "k-mers"), ("gkm", "gapped k-mers")):
            both = [
                (statistics.fmean(e[kind]["net"]), e[kind][rival]) for e in factors.values() if rival in e[kind]
            ]  # fmt: skip
            if both:
                mine, other = (statistics.median(column) for column in zip(*both, strict=True))
                better = sum(a > b for a, b in both)
                medians.append(f"* against {words}: {mine:.3f}, {title} {other:.3f}; better on {better} of {len(both)}")
    scan = record["scan_seconds"]
    seconds = f" A scan of all of them over the genome takes {scan:.0f} s on two cores." if scan else ""
    return f"""AUROC of 101-bp windows around peaks on {", ".join(TEST)} (Rossi 2021, digest
`{record["digest"]}`) against windows from anywhere there, and two harder kinds: {len(factors)} factors of
`binding-yeast`, mean of {len(record["seeds"])} seeds.{seconds} Of {record["near_identical"]["test_windows"]:,} windows
around test sites {record["near_identical"]["near"]:,} share half of their 12-mers with one around a training site.

Medians over factors, mean of the seeds:

{chr(10).join(medians)}

{markdown_table(header, rows)}

![Every factor's score on every factor's peaks](binding/yeast-matrix.png)"""


def _cells(entry: Mapping[str, Any]) -> list[str]:
    net = entry["net"]
    return [
        f"{statistics.fmean(net):.3f} ({min(net):.3f} to {max(net):.3f})",
        *(f"{entry[key]:.3f}" if key in entry else "" for key in ("motif", "kmer_lr", "gkm")),
    ]


def _mean(entry: Mapping[str, Any]) -> str:
    return f"{statistics.fmean(entry['net']):.3f}"


def main() -> None:
    """Run one of the sub-commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    simple = commands.add_parser("baselines")
    simple.add_argument("--factors", type=lambda text: text.split(","), default=list(BAR))
    simple.add_argument("--gapped", type=lambda text: text.split(","), default=list(BAR))
    runs = commands.add_parser("judge")
    runs.add_argument("runs", type=Path, nargs="+")
    runs.add_argument("--scan", type=Path, help="a scan's folder, whose time counts")
    options = parser.parse_args()
    RECORDS.mkdir(parents=True, exist_ok=True)
    if options.command == "baselines":
        measure_baselines(options.factors, options.gapped)
    else:
        (RECORDS / "yeast.json").write_text(json.dumps(rounded(judge(options.runs, options.scan)), indent=1) + "\n")


if __name__ == "__main__":
    main()
