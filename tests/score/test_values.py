"""Scores equal what `Model.predict` gives, and what a slow reference gives that edits text and runs single windows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trackgen
from tests.models import SmallModel, input_model, mixed_model, small_model
from tests.oracles import one_hot, read_window, reverse_complement
from tests.scan.test_signals import SEQUENCE, signal, write_signal
from tests.scan.test_values import random_sequence, write_fasta
from tests.score.files import number, score_table, write_bed, write_vcf
from trackgen.genome import Edit, EditedGenome, open_genome

CLOSE = 1e-5
"""Of probabilities, and of the sums of a few of them."""
LENGTHS = {"one": 1, "few": 9, "many": 160}

models = st.fixed_dictionaries(
    {
        "window": st.sampled_from([20, 21]),
        "bin_": st.sampled_from([1, 2, 5, 8]),
        "strands": st.sampled_from(["forward", "both", "average"]),
        "reverse": st.booleans(),
        "layout": st.sampled_from(["NCL", "NLC"]),
    }
)


def known(letters: str) -> str:
    return "".join(letter if letter in "ACGT" else "N" for letter in letters.upper())


def single_window(model: SmallModel, session: Any, letters: str, base: int, strand: str | None) -> np.ndarray:
    """The classes of the window about a base of a text, by ONNX Runtime alone."""
    length, bin_, _, resolution = model.geometry
    pad = (length - bin_) // 2
    first = base - (bin_ - 1) // 2

    def run(start: int, reverse: bool) -> np.ndarray:
        window = read_window(letters, start, length)
        matrix = one_hot(reverse_complement(window) if reverse else window).astype(np.float32)
        last = model.card["inputs"][0].get("layout") == "NLC"
        (values,) = session.run(["out"], {"sequence": (matrix.T if last else matrix)[None]})
        found: np.ndarray = values[0] if resolution is None else values[0].sum(axis=1)
        names = [entry["name"] for entry in model.card["outputs"][0]["classes"]]
        partners = [names.index(entry.get("reverse", entry["name"])) for entry in model.card["outputs"][0]["classes"]]
        return found[partners] if reverse else found

    if strand == "plus":
        return run(first - pad, False)
    if strand == "minus":
        return run(first - (length - pad - bin_), True)
    if model.card["strands"] == "average":
        return (run(first - pad, False) + run(first - pad, True)) / 2
    return run(first - pad, False)


def assert_row(
    row: dict[str, str], model: SmallModel, session: Any, letters: str, base: int, name: Callable[[str], str]
) -> None:
    """Every class and strand of a row against single windows."""
    for strand in ("plus", "minus") if model.card["strands"] == "both" else (None,):
        wanted = single_window(model, session, letters, base, strand)
        if letters[base].upper() not in "ACGT":
            wanted = np.full(len(wanted), np.nan)
        for index, entry in enumerate(model.classes):
            column = name(".".join(part for part in (entry, strand) if part))
            np.testing.assert_allclose(number(row[column]), wanted[index], rtol=0, atol=CLOSE, err_msg=column)


@settings(max_examples=12, deadline=None)
@given(fields=models, seed=st.integers(0, 2**20))
def test_single_bases_score_as_a_scan_at_stride_1_writes_them(fields: dict[str, Any], seed: int) -> None:
    random = np.random.default_rng(seed)
    sequences = {name: random_sequence(random, length) for name, length in LENGTHS.items()}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        model = small_model(folder, **fields)
        genome = write_fasta(folder / "genome.fa", sequences)
        bases = [(name, base, base + 1) for name, length in LENGTHS.items() for base in range(length)]
        random.shuffle(bases)
        rows = score_table(model.path, genome, write_bed(folder / "bases.bed", bases))
        opened = trackgen.open_model(model.path, device="cpu", threads=1)
        tracks = {name: opened.predict(genome, name, stride=1) for name in sequences}
        for row, (name, base, _) in zip(rows, bases, strict=True):
            for track, values in tracks[name].items():
                np.testing.assert_allclose(number(row[track]), values[base], rtol=0, atol=CLOSE)


@st.composite
def alleles(draw: st.DrawFn, random: np.random.Generator, letters: str) -> tuple[int, str, str]:
    """Position 0-based, REF, ALT: at the ends as often as inside."""
    length = len(letters)
    start = draw(st.one_of(st.integers(0, min(3, length - 1)), st.integers(max(0, length - 4), length - 1)))
    start = start if draw(st.booleans()) else int(random.integers(length))
    old = known(letters[start : start + draw(st.integers(1, 6))])
    return start, old, draw(st.text("ACGTNacgt", min_size=1, max_size=6))


@settings(max_examples=15, deadline=None)
@given(fields=models, seed=st.integers(0, 2**20), data=st.data())
def test_alleles_score_as_single_windows_of_the_edited_text(fields: dict[str, Any], seed: int, data: Any) -> None:
    random = np.random.default_rng(seed)
    sequences = {name: random_sequence(random, length) for name, length in LENGTHS.items()}
    variants = []
    for _ in range(12):
        name = data.draw(st.sampled_from(list(LENGTHS)))
        variants.append((name, *data.draw(alleles(random, sequences[name]))))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        model = small_model(folder, **fields)
        genome = write_fasta(folder / "genome.fa", sequences)
        records = [(name, start + 1, old, new) for name, start, old, new in variants]
        rows = score_table(model.path, genome, write_vcf(folder / "some.vcf", records))
        session = onnxruntime.InferenceSession(str(model.path))
        opened = trackgen.open_model(model.path, device="cpu", threads=1)
        for number_, (row, (name, start, old, new)) in enumerate(zip(rows, variants, strict=True)):
            letters = sequences[name]
            edited = letters[:start] + new + letters[start + len(old) :]
            assert_row(row, model, session, letters, start, lambda track: f"{track}.ref")
            assert_row(row, model, session, edited, start, lambda track: f"{track}.alt")
            if number_ < 3:
                assert_as_predicted(row, opened, genome, Edit(name, start, start + len(old), new.upper()))


def assert_as_predicted(row: dict[str, str], model: trackgen.Model, genome: Path, edit: Edit) -> None:
    """The difference is that of the two tracks, at the variant's first base."""
    region = f"{edit.name}:{edit.start + 1}-{edit.start + 1}"
    with open_genome(genome) as opened:
        before = model.predict(opened, region, stride=1)
        after = model.predict(EditedGenome(opened, [edit]), region, stride=1)
    for track in before:
        wanted = after[track][0] - before[track][0]
        np.testing.assert_allclose(number(row[f"{track}.delta"]), wanted, rtol=0, atol=CLOSE)


def test_the_bin_of_a_region_as_long_as_a_bin_is_that_region(tmp_path: Path) -> None:
    letters = random_sequence(np.random.default_rng(3), 90).replace("N", "A")
    genome = write_fasta(tmp_path / "genome.fa", {"one": letters})
    for bin_ in (1, 2, 7, 8):
        model = small_model(tmp_path, bin_=bin_, name=f"of{bin_}")
        session = onnxruntime.InferenceSession(str(model.path))
        bed = write_bed(tmp_path / "regions.bed", [("one", 40, 40 + bin_), ("one", 30, 50)])
        exact, middle = score_table(model.path, genome, bed)
        assert_row(exact, model, session, letters, 40 + (bin_ - 1) // 2, str)
        # Base 40 is the middle of [30, 50), the right one of two; a bin of even length lies about it exactly.
        assert_row(middle, model, session, letters, 40 if bin_ % 2 else 39, str)


def test_a_profile_scores_as_the_sum_over_its_bin(tmp_path: Path) -> None:
    letters = random_sequence(np.random.default_rng(4), 130)
    genome = write_fasta(tmp_path / "genome.fa", {"one": letters})
    model = small_model(
        tmp_path, bin_=8, positions=4, activation="none", strands="both", reverse=True, classes=("up", "down")
    )
    session = onnxruntime.InferenceSession(str(model.path))
    rows = score_table(model.path, genome, write_bed(tmp_path / "all.bed", [("one", b, b + 1) for b in range(130)]))
    for base, row in enumerate(rows):
        assert_row(row, model, session, letters, base, str)


def test_outputs_of_different_kinds_stand_side_by_side(tmp_path: Path) -> None:
    letters = random_sequence(np.random.default_rng(5), 60).replace("N", "A")
    genome = write_fasta(tmp_path / "genome.fa", {"one": letters})
    profile, count = mixed_model(tmp_path, window=20, bin_=8, stride=4, positions=4, strands="forward")
    (row,) = score_table(profile.path, genome, write_bed(tmp_path / "one.bed", [("one", 30, 31)]))
    window = known(letters)[30 - 3 - 6 : 30 - 3 - 6 + 20]
    assert number(row["up"]) == pytest.approx(profile.function(window)[0].sum(), abs=CLOSE)
    assert number(row["count"]) == pytest.approx(count.function(window)[0], abs=CLOSE)


def test_a_signal_goes_on_over_an_edit_and_inserted_bases_have_none(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    letters = random_sequence(random, 120).replace("N", "A")
    genome = write_fasta(tmp_path / "genome.fa", {"one": letters})
    values = random.exponential(1, 120).astype(np.float32)
    track = write_signal(tmp_path / "atac.bw", {"one": values})
    model = input_model(tmp_path, [SEQUENCE, signal(missing=0.5)], window=30)
    changes = [(40, 1, "C"), (40, 1, "CAG"), (40, 4, "G"), (40, 3, "TTTTT"), (0, 2, "A"), (118, 2, "ACGT")]
    records = [("one", start + 1, known(letters[start : start + n]), new) for start, n, new in changes]
    rows = score_table(model.path, genome, write_vcf(tmp_path / "v.vcf", records), signals=(("atac", track),))
    for row, (start, n, new) in zip(rows, changes, strict=True):
        both = min(n, len(new))
        shifted = np.concatenate([values[: start + both], np.full(len(new) - both, 0.5), values[start + n :]])
        text = letters[:start] + new + letters[start + n :]
        around = np.concatenate([np.full(30, 0.5), shifted, np.full(30, 0.5)])
        for column, letters_, tracked in (
            ("up.ref", letters, np.concatenate([np.full(30, 0.5), values, np.full(30, 0.5)])),
            ("up.alt", text, around),
        ):
            first = start - 14
            tensors = {
                "sequence": one_hot(read_window(letters_, first, 30)),
                "atac": tracked[first + 30 : first + 60][None],
            }
            assert number(row[column]) == pytest.approx(model.function(tensors)[0], abs=CLOSE)


def test_batches_and_the_order_of_records_change_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = random_sequence(np.random.default_rng(7), 150).replace("N", "C")
    genome = write_fasta(tmp_path / "genome.fa", {"one": letters})
    model = small_model(tmp_path, strands="both")
    records = [("one", base + 1, known(letters)[base], "ACGT"[base % 4]) for base in range(150)]
    whole = score_table(model.path, genome, write_vcf(tmp_path / "v.vcf", records))
    back = score_table(model.path, genome, write_vcf(tmp_path / "back.vcf", records[::-1]))
    assert back[::-1] == whole
    for windows in (1, 7):
        monkeypatch.setattr("trackgen.score.windows.default_batch_size", lambda card, windows=windows: windows)
        small = score_table(model.path, genome, tmp_path / "v.vcf")
        for one, other in zip(small, whole, strict=True):
            for column in ("hit.plus.ref", "hit.minus.alt"):
                # Sums of other batches may differ in the last digit.
                assert number(one[column]) == pytest.approx(number(other[column]), abs=1e-6, nan_ok=True)


def test_log_odds_are_those_of_the_two_probabilities(tmp_path: Path) -> None:
    letters = random_sequence(np.random.default_rng(8), 80).replace("N", "C")
    genome = write_fasta(tmp_path / "genome.fa", {"one": letters})
    records = [("one", 40, known(letters)[39], new) for new in "ACGT"]
    for row in score_table(small_model(tmp_path).path, genome, write_vcf(tmp_path / "v.vcf", records)):
        before, after = number(row["hit.ref"]), number(row["hit.alt"])
        wanted = np.log(after / (1 - after)) - np.log(before / (1 - before))
        assert number(row["hit.logodds"]) == pytest.approx(wanted, abs=1e-4)
        assert number(row["hit.delta"]) == pytest.approx(after - before, abs=1e-7)
