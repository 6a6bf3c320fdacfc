"""Motif scan, k-mer regression and gapped k-mer machine on the seven human sets, one record each and seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from binding_sets import human_set, known_motifs
from numpy.typing import NDArray

from trackgen.learn.baselines.gapped_kmer import fit_gapped_kmer_machine
from trackgen.learn.baselines.motif_scan import KnownMotif, best_known_motif, known_motif
from trackgen.learn.datasets.sequences import Parts, SequenceSet
from trackgen.learn.figures import rounded
from trackgen.learn.kmer import fit_kmer_model
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.sweep.records import append_record, read_records

__all__ = ["BASELINES", "measure_baselines"]


class Scored(NamedTuple):
    """Scores of the test sequences, and what there is to say of the model."""

    scores: NDArray[np.float64]
    detail: dict[str, Any]


def scan_known(parts: Parts, seed: int) -> Scored:
    """The factor's own motif in the databases that tells the training sequences apart best."""
    return _scan(known_motif(known_motifs(), parts.train.name, parts.train.codes, parts.train.labels, seed=seed), parts)


def scan_any(parts: Parts, seed: int) -> Scored:
    """The motif, whatever its factor, that tells the training sequences apart best."""
    return _scan(best_known_motif(known_motifs(), parts.train.codes, parts.train.labels, seed=seed), parts)


def _scan(found: KnownMotif, parts: Parts) -> Scored:
    return Scored(found.scores(parts.test.codes), {"motif": found.name, "of": found.database, "tried": found.tried})


def kmer_regression(parts: Parts, seed: int) -> Scored:
    """Logistic regression on k-mer counts of both strands; k and the penalty are chosen on validation."""
    train, validation = ((part.codes, part.labels) for part in (parts.train, parts.validation))
    model = fit_kmer_model(train, validation, both_strands=True)
    return Scored(model.logits(parts.test.codes)[:, 0], {"k": model.k, "penalty": model.penalty})


def gapped_kmer(parts: Parts, seed: int) -> Scored:
    """gkmSVM's default machine."""
    model = fit_gapped_kmer_machine(parts.train.codes, parts.train.labels, seed=seed)
    detail = {
        "l": model.length, "k": model.informative, "mismatches": model.mismatches, "positives": model.positives,
        "negatives": model.negatives, "support": model.support,
    }  # fmt: skip
    return Scored(model.scores(parts.test.codes), detail)


BASELINES: dict[str, Callable[[Parts, int], Scored]] = {
    "motif": scan_known, "kmer-lr": kmer_regression, "gkm-svm": gapped_kmer, "motif-any": scan_any,
}  # fmt: skip
_ONE_SEED = ("motif", "motif-any")
"""What does not depend on a draw but for the sample by which the motif is chosen."""


def measure_baselines(path: Path, sets: Sequence[str], seeds: int) -> None:
    """Append what is not there yet to the JSON lines of `path`, the slowest baseline last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {(entry["set"], entry["baseline"], entry["seed"], entry["digest"]) for entry in read_records(path)}
    opened = {name: human_set(name) for name in sets}
    wanted = [
        (name, baseline, seed)
        for seed in range(1, seeds + 1)
        for name in sets
        for baseline in BASELINES
        if seed == 1 or baseline not in _ONE_SEED
    ]
    for name, baseline, seed in sorted(wanted, key=lambda unit: unit[1] == "motif-any"):
        if (name, baseline, seed, opened[name].digest) not in known:
            record = measured(opened[name], baseline, seed)
            append_record(path, rounded(record))
            print(f"{name} {baseline} seed {seed}: {record['test_auroc']:.3f}, {record['seconds']:.0f} s", flush=True)


def measured(own: SequenceSet, baseline: str, seed: int) -> dict[str, Any]:
    """One record."""
    parts, began = own.parts(seed), time.perf_counter()
    scored = BASELINES[baseline](parts, seed)
    truth = parts.test.labels == 1
    return {
        "task": "discovery", "set": own.name, "baseline": baseline, "seed": seed, "digest": own.digest,
        "train": len(parts.train), "test": len(parts.test), "detail": scored.detail,
        "seconds": time.perf_counter() - began, "test_auroc": auroc(truth, scored.scores),
        "test_auprc": auprc(truth, scored.scores),
    }  # fmt: skip
