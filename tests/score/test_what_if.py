"""What a person sees who changes a base in the live page is what `trackgen score` writes of that variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.scan.explained import convolution_model
from tests.scan.test_signals import write_signal
from tests.scan.test_values import random_sequence, write_fasta
from tests.score.files import number, score_table, write_vcf
from trackgen.genome import open_genome
from trackgen.live import LiveEngine, Stop
from trackgen.live.questions import BodyEdit, WhatIfQuestion
from trackgen.scan.opened import open_model


@pytest.mark.parametrize("strands", ["both", "average"])
def test_score_and_what_if_agree_at_the_variants_position(tmp_path: Path, strands: str) -> None:
    random = np.random.default_rng(9)
    letters = "".join(letter if letter in "ACGT" else "N" for letter in random_sequence(random, 400).upper())
    genome = write_fasta(tmp_path / "genome.fa", {"one": letters})
    values = {"one": random.exponential(1, 400).astype(np.float32)}
    track = write_signal(tmp_path / "atac.bw", values)
    signal = {"name": "atac", "kind": "signal", "missing": 0.25}
    # A bin of one base on both strands by sequence alone; an even one, read both ways, with a signal.
    path = (
        convolution_model(tmp_path, strands="both")
        if strands == "both"
        else convolution_model(tmp_path, strands="average", bin_=2, stride=1, signal=signal, activation="sigmoid")
    )
    signals = {} if strands == "both" else {"atac": track}
    changes = []
    for start in [0, 1, 398, *random.integers(2, 390, 9).tolist()]:
        old = letters[start : start + int(random.integers(1, 7))]
        changes.append((start, old, "".join(random.choice(list("ACGT"), int(random.integers(1, 7))))))
    records = [("one", start + 1, old, new) for start, old, new in changes]
    rows = score_table(path, genome, write_vcf(tmp_path / "v.vcf", records), signals=tuple(signals.items()))
    with open_genome(genome) as opened:
        engine = LiveEngine([open_model(path, device="cpu", threads=1)], opened, signals=signals)
        (name,) = engine.models
        for row, (start, old, new) in zip(rows, changes, strict=True):
            edit = BodyEdit(start, start + len(old), new)
            answer = engine.what_if(WhatIfQuestion(name, "one", start, start + 1, (edit,)), Stop())
            begin = start - answer["alternative"]["start"]
            for shown in answer["tracks"]:
                for column, value in (("ref", shown["reference"][0]), ("alt", shown["alternative"][begin])):
                    found = number(row[f"{shown['name']}.{column}"])
                    np.testing.assert_allclose(found, value, rtol=0, atol=1e-5, err_msg=str((start, old, new)))
