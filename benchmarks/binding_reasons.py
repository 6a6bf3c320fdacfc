"""Why a gapped k-mer machine may tell bound sequences from their shuffles better than the paper's best net does.

One change at a time, all else equal: shuffles drawn anew in every pass, both strands by flipped weights, and a second
layer that counts short words. Each net is trained from several seeds with one setting of AdaDelta, kept where it was
best on validation, and tested once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from binding_sets import human_set
from torch.nn import functional

from trackgen.learn.architectures.sequence_nets import sequence_net
from trackgen.learn.datasets.batches import FixedWindows, StepBatches
from trackgen.learn.datasets.reshuffled import ReshuffledBatches
from trackgen.learn.datasets.sequences import Parts
from trackgen.learn.figures import rounded
from trackgen.learn.fit import BatchSource, FitOptions, fit, seed_everything
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.learn.sweep.training import bound_scores

__all__ = ["VARIANTS", "measure_reasons"]

SETS = ("ELK1", "ARID3A", "SP1", "ZBTB7A", "FOXA1", "REST")
STEPS, LOOKS, BATCH = 3000, 250, 100
DROPOUT, RHO, EPSILON = 0.5, 0.9, 1e-6


class Variant(NamedTuple):
    """An architecture, and whether shuffles are drawn anew in every pass."""

    architecture: str
    redrawn: bool


VARIANTS = (
    Variant("1layer_128motif", False), Variant("1layer_128motif", True), Variant("rc_128motif", True),
    Variant("rc_128motif_words", True),
)  # fmt: skip


def measure_reasons(records: Path, seeds: Sequence[int], sets: Sequence[str] = SETS) -> None:
    """Append a record for every set, variant and seed that `records` lacks."""
    torch.set_num_threads(1)
    done = {(one["set"], one["architecture"], one["redrawn"], one["seed"]) for one in read_records(records)}
    for seed in seeds:
        for name in sets:
            parts = human_set(name).parts(seed)
            for variant in VARIANTS:
                if (name, *variant, seed) not in done:
                    append_record(records, rounded(_measured(name, parts, variant, seed)))


def _measured(name: str, parts: Parts, variant: Variant, seed: int) -> dict[str, object]:
    seed_everything(seed)
    net = sequence_net(variant.architecture).build(length=parts.train.window, dropout=DROPOUT)
    options = FitOptions(
        epochs=STEPS // LOOKS, patience=STEPS // LOOKS, monitor="auroc", larger_is_better=True, optimizer="adadelta",
        learning_rate=1.0, rho=RHO, epsilon=EPSILON, seed=seed,
    )  # fmt: skip
    validation = FixedWindows((parts.validation.codes, parts.validation.labels), 1000)
    result = fit(
        net, functional.cross_entropy, _batches(parts, variant, seed), validation, options,
        metrics={"auroc": lambda logits, labels: auroc(labels == 1, logits[:, 1] - logits[:, 0])},
    )  # fmt: skip
    truth, scores = parts.test.labels == 1, bound_scores(net, parts.test)
    return {
        "set": name, **variant._asdict(), "seed": seed, "digest": human_set(name).digest, "steps": STEPS,
        "best_step": (result.best_epoch + 1) * LOOKS, "validation_auroc": float(result.best),
        "test_auroc": auroc(truth, scores), "test_auprc": auprc(truth, scores),
    }  # fmt: skip


def _batches(parts: Parts, variant: Variant, seed: int) -> BatchSource:
    train = parts.train
    if variant.redrawn:
        return ReshuffledBatches(np.ascontiguousarray(train.codes[train.labels == 1]), BATCH, LOOKS, seed)
    return StepBatches((train.codes, train.labels), BATCH, LOOKS, seed)
