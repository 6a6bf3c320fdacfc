"""Contribution tracks equal the weighted mean over windows of a float64 implementation that shares no code."""

from __future__ import annotations

import dataclasses
import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data import data_file
from tests.scan.explained import Oracle, assert_same_track, convolution_model
from tests.scan.test_values import random_sequence, read_track, write_fasta
from trackgen.errors import UsageError
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, assemble_folder, open_model, opened, run_scan

SIGNAL = {"name": "atac", "kind": "signal", "transform": ["log1p"], "missing": 0.5, "reference": 0.25}


def scan(
    folder: Path, path: Path, sequences: dict[str, str], out: str = "out", **options: Any
) -> tuple[Path, dict[str, Any]]:
    """Scan and read run.json."""
    genome = folder / "g.fa"
    if not genome.exists():
        write_fasta(genome, sequences)
    given_ = {"contrib": ("hit",), "digits": "full", **options}
    run_scan(ScanOptions((str(path),), genome, folder / out, **given_))
    return folder / out, json.loads((folder / out / "run.json").read_text())


def strand_names(strands: str) -> dict[str, str]:
    """Suffix of the file -> strand as the oracle calls it."""
    return {"both": {".plus": "plus", ".minus": "minus"}, "average": {"": "average"}}.get(strands, {"": "plus"})


def check_tracks(
    out: Path, path: Path, sequences: dict[str, str], strands: str, weight: str, threshold: float | None = None,
    stride: int | None = None, **oracle: Any,
) -> None:  # fmt: skip
    for suffix, strand in strand_names(strands).items():
        found = read_track(out / f"net.hit{suffix}.contrib.bw", sequences)
        for name, letters in sequences.items():
            wanted = Oracle(path, letters, stride=stride, **oracle).track(1, strand, weight, threshold)
            assert_same_track(found[name], wanted, f"{name}{suffix} {weight}")


@pytest.mark.parametrize("mode", ["auto", "window"])
@pytest.mark.parametrize("strands", ["forward", "both", "average"])
@pytest.mark.parametrize("weight", ["uniform", "probability", "calls"])
def test_every_weight_and_strand_equals_the_oracle(tmp_path: Path, weight: str, strands: str, mode: str) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(1), 301), "b": "ACGTA", "c": "N" * 50}
    path = convolution_model(tmp_path, strands=strands, thresholds=0.3, reverse=True, contributions={"distance": 12})
    out, run = scan(tmp_path, path, sequences, contrib_weight=weight, tile=64, mode=mode)
    check_tracks(out, path, sequences, strands, weight, 0.3)
    form = run["plan"]["models"][0]["contributions"]["form"]
    assert form == ("dense" if mode == "auto" and weight != "calls" else "windows")
    assert run["checks"]["completeness"]["n"] > 0
    assert run["checks"]["completeness"]["max_rel_error"] <= 1e-4
    if form == "dense":
        assert run["checks"]["contributions"]["n"] > 0
        assert run["checks"]["contributions"]["max_rel_diff"] <= 2e-4


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bin_=st.sampled_from([1, 2, 10, 21]),
    stride=st.sampled_from([1, 3, 7, 10, 47]),
    strands=st.sampled_from(["forward", "both", "average"]),
    weight=st.sampled_from(["uniform", "probability", "calls"]),
    tile=st.sampled_from([19, 64, 500]),
    pool=st.sampled_from([1, 3, 4, 17]),
    pad=st.sampled_from([0, 0, 2]),
    bend=st.sampled_from(["Relu", "Tanh", "Softplus"]),
    activation=st.sampled_from(["softmax", "sigmoid"]),
    seed=st.integers(0, 2**31),
)
def test_tracks_of_random_models_equal_the_oracle(
    tmp_path_factory: pytest.TempPathFactory, bin_: int, stride: int, strands: str, weight: str, tile: int, pool: int,
    pad: int, bend: str, activation: str, seed: int,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("scan")
    random = np.random.default_rng(seed)
    sequences = {f"s{length}": random_sequence(random, length) for length in (1, 41, 203)}
    path = convolution_model(
        folder, bin_=bin_, strands=strands, thresholds=0.35, pool=pool, pad=pad, bend=bend, activation=activation,
        reverse=seed % 2 == 0, seed=seed % 89, contributions={"distance": 15},
    )  # fmt: skip
    out, _ = scan(folder, path, sequences, contrib_weight=weight, tile=tile, stride=stride)
    check_tracks(out, path, sequences, strands, weight, 0.35, stride)


@pytest.mark.parametrize("mode", ["auto", "window"])
@pytest.mark.parametrize("strands", ["forward", "both", "average"])
@pytest.mark.parametrize(("resolution", "stride"), [(1, 1), (4, 1), (4, 4), (8, 20), (2, 3)])
def test_signals_have_tracks_of_their_own(
    tmp_path: Path, resolution: int, stride: int, strands: str, mode: str
) -> None:
    random = np.random.default_rng(7)
    sequences = {"a": random_sequence(random, 260)}
    values = random.exponential(1.0, 260).astype(np.float32)
    values[100:120] = np.nan
    with pyBigWig.open(str(tmp_path / "s.bw"), "w") as track:
        track.addHeader([("a", 260)])
        known = np.flatnonzero(~np.isnan(values))
        track.addEntries(["a"] * len(known), known.tolist(), ends=(known + 1).tolist(), values=values[known].tolist())
    path = convolution_model(tmp_path, signal=SIGNAL | {"resolution": resolution}, strands=strands, bin_=4)
    out, _ = scan(
        tmp_path, path, sequences, contrib_weight="probability", stride=stride, tile=64, mode=mode,
        signals=(("atac", tmp_path / "s.bw"),),
    )  # fmt: skip
    oracle = Oracle(path, sequences["a"], stride=stride, signals={"atac": values})
    for suffix, strand in strand_names(strands).items():
        for tensor, middle in (("sequence", ""), ("atac", ".atac")):
            found = read_track(out / f"net.hit{suffix}{middle}.contrib.bw", sequences)["a"]
            assert_same_track(found, oracle.track(1, strand, "probability", tensor=tensor), f"{suffix} {tensor}")


def test_gradient_times_input_is_the_oracles(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 200)}
    path = convolution_model(tmp_path, strands="both", bend="Tanh")
    out, run = scan(tmp_path, path, sequences, contrib_weight="uniform", attribution="gradient")
    check_tracks(out, path, sequences, "both", "uniform", gradient=True)
    assert run["checks"]["completeness"] == {"n": 0, "max_rel_error": None}
    assert run["checks"]["contributions"]["n"] > 0


@pytest.mark.parametrize("mode", ["auto", "window"])
def test_a_second_genome_is_a_reference(tmp_path: Path, mode: str) -> None:
    random = np.random.default_rng(4)
    sequences = {"a": random_sequence(random, 200)}
    other = {"a": random_sequence(random, 200)}
    path = convolution_model(tmp_path, strands="both")
    reference = write_fasta(tmp_path / "other.fa", other)
    out, run = scan(tmp_path, path, sequences, contrib_weight="uniform", reference=str(reference), tile=64, mode=mode)
    check_tracks(out, path, sequences, "both", "uniform", reference=other["a"])
    assert run["plan"]["models"][0]["contributions"]["reference"]["file"] == "other.fa"


def test_other_frequencies_are_a_reference(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(5), 200)}
    path = convolution_model(tmp_path)
    out, _ = scan(tmp_path, path, sequences, contrib_weight="uniform", reference="0.1,0.2,0.3,0.4")
    same = convolution_model(tmp_path, name="same", reference={"kind": "frequencies", "values": [0.1, 0.2, 0.3, 0.4]})
    check_tracks(out, same, sequences, "forward", "uniform")


def test_shuffled_genomes_are_averaged(tmp_path: Path) -> None:
    from trackgen.genome import decode, encode
    from trackgen.genome.shuffles import shuffle_in_place

    sequences = {"a": random_sequence(np.random.default_rng(6), 700)}
    path = convolution_model(tmp_path, strands="both")
    out, run = scan(tmp_path, path, sequences, contrib_weight="uniform", reference="shuffle:3", tile=150)
    codes = np.full(1000, 4, np.uint8)
    codes[:700] = encode(sequences["a"].encode())
    tracks: dict[str, list[np.ndarray]] = {"plus": [], "minus": []}
    for number in range(3):
        letters = decode(shuffle_in_place(codes, "a", 0, number))[:700]
        oracle = Oracle(path, sequences["a"], reference=letters)
        for strand, found in tracks.items():
            found.append(oracle.track(1, strand, "uniform"))
    for strand, found in tracks.items():
        wanted = np.mean(found, axis=0)
        assert_same_track(read_track(out / f"net.hit.{strand}.contrib.bw", sequences)["a"], wanted, strand)
    assert run["plan"]["models"][0]["contributions"]["reference"] == {"kind": "shuffle", "n": 3}


@pytest.mark.parametrize("weight", ["uniform", "probability", "calls"])
@pytest.mark.parametrize("strands", ["both", "average"])
def test_values_do_not_depend_on_tiles_shards_or_regions(tmp_path: Path, weight: str, strands: str) -> None:
    sequences = {
        "a": random_sequence(np.random.default_rng(8), 900),
        "b": random_sequence(np.random.default_rng(9), 300),
    }
    path = convolution_model(tmp_path, strands=strands, thresholds=0.4, contributions={"distance": 20})
    found = {}
    for name, options in {
        "whole": {},
        "tiles": {"tile": 50},
        "shards": {"tile": 64, "shard_size": 128, "threads": 2},
        "regions": {"tile": 64, "regions": ("a:101-300", "a:350-351", "b:1-80")},
    }.items():
        out, _ = scan(tmp_path, path, sequences, name, contrib_weight=weight, **options)
        suffix = next(iter(strand_names(strands)))
        found[name] = read_track(out / f"net.hit{suffix}.contrib.bw", sequences)
    asked = {"a": np.zeros(900, bool), "b": np.zeros(300, bool)}
    asked["a"][100:300] = asked["a"][349:351] = asked["b"][:80] = True
    for chromosome in sequences:
        whole = found["whole"][chromosome]
        for name in ("tiles", "shards"):
            assert_same_track(found[name][chromosome], whole, name)
        part = found["regions"][chromosome]
        assert np.isnan(part[~asked[chromosome]]).all()
        assert_same_track(part[asked[chromosome]], whole[asked[chromosome]], "regions")


@pytest.mark.parametrize("weight", ["probability", "calls"])
def test_the_same_plan_gives_the_same_bytes(tmp_path: Path, weight: str) -> None:
    sequences = {
        "a": random_sequence(np.random.default_rng(8), 900),
        "b": random_sequence(np.random.default_rng(9), 300),
    }
    path = convolution_model(tmp_path, strands="both", thresholds=0.4)
    sums = []
    for name, options in {"one": {"threads": 1}, "two": {"threads": 2}, "memory": {"memory": 2 << 20}}.items():
        _, run = scan(tmp_path, path, sequences, name, contrib_weight=weight, tile=64, shard_size=128, **options)
        sums.append([track["sha256"] for track in run["tracks"]])
    assert sums[0] == sums[1] == sums[2]


class Notes(NullProgress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def test_no_call_at_all_is_said_loudly(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(1), 200)}
    path = convolution_model(tmp_path, thresholds=0.99999)
    notes = Notes()
    options = ScanOptions(
        (str(path),), write_fasta(tmp_path / "g.fa", sequences), tmp_path / "out", contrib=("hit",),
        contrib_weight="calls",
    )  # fmt: skip
    run_scan(options, notes)
    (text,) = (text for text in notes.texts if "no call" in text)
    assert text.startswith("WARNING: no call: no window of class hit of net")
    assert "threshold 0.99999, so net.hit.contrib.bw is empty" in text
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["warnings"] == [text.removeprefix("WARNING: ")]
    assert np.isnan(read_track(tmp_path / "out" / "net.hit.contrib.bw", sequences)["a"]).all()


def test_many_classes_share_few_slots_of_a_graph(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(2), 150)}
    names = tuple(f"c{number}" for number in range(19))
    path = convolution_model(tmp_path, classes=names, strands="both")
    out, run = scan(tmp_path, path, sequences, contrib=("all",), contrib_weight="probability")
    assert run["plan"]["models"][0]["contributions"]["form"] == "dense"
    oracle = Oracle(path, sequences["a"])
    for number in (0, 7, 8, 18):
        found = read_track(out / f"net.c{number}.minus.contrib.bw", sequences)["a"]
        assert_same_track(found, oracle.track(number, "minus", "probability"), str(number))


def test_run_json_says_what_the_tracks_are(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(2), 150)}
    path = convolution_model(tmp_path, thresholds=0.4)
    out, run = scan(tmp_path, path, sequences, contrib=("all",), contrib_weight="calls", classes=("hit", "other"))
    assert sorted(file.name for file in out.glob("*.bw")) == [
        "net.hit.bw", "net.hit.contrib.bw", "net.other.bw", "net.other.contrib.bw",
    ]  # fmt: skip
    row = next(row for row in run["tracks"] if row["file"] == "net.hit.contrib.bw")
    assert {key: row[key] for key in ("class", "strand", "role", "unit", "resolution", "rounding", "weight")} == {
        "class": "hit", "strand": None, "role": "contribution", "unit": "logit", "resolution": 1, "rounding": None,
        "weight": "calls",
    }  # fmt: skip


def test_a_scan_without_contributions_says_nothing_of_them(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(2), 150)}
    _, run = scan(tmp_path, convolution_model(tmp_path), sequences, contrib=())
    assert "contributions" not in run["plan"]["models"][0]
    assert all("contrib" not in row["file"] and "weight" not in row for row in run["tracks"])


def test_a_finished_run_of_contributions_is_not_run_again(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(2), 400)}
    path = convolution_model(tmp_path, thresholds=0.4)
    genome = write_fasta(tmp_path / "g.fa", sequences)
    options = ScanOptions((str(path),), genome, tmp_path / "out", contrib=("hit",), tile=64, shard_size=128)
    assert not run_scan(options).skipped
    assert run_scan(options).skipped
    with pytest.raises(UsageError, match=r"other contributions of model net \(classes"):
        run_scan(dataclasses.replace(options, contrib_weight="uniform"))


def test_shares_made_by_themselves_are_put_together(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(2), 600)}
    path = convolution_model(tmp_path, strands="both", thresholds=0.4)
    genome = write_fasta(tmp_path / "g.fa", sequences)
    whole = ScanOptions((str(path),), genome, tmp_path / "whole", contrib=("hit",), tile=64, shard_size=128)
    run_scan(whole)
    for share in (1, 2, 3):
        run_scan(dataclasses.replace(whole, output=tmp_path / "parts", share=(share, 3)))
    assemble_folder(tmp_path / "parts", 1)
    for file in (tmp_path / "whole").glob("*.bw"):
        assert file.read_bytes() == (tmp_path / "parts" / file.name).read_bytes(), file.name


def centred_by_definition(
    oracle: Oracle, regions: list[tuple[int, int]], strand: str, explain: Any = None
) -> np.ndarray:
    """Each region's own window, written to the bases that are nearer to its middle than to any other's."""
    card, length = oracle.card, len(oracle.sequence)
    pad = (card.window - card.bin) // 2
    before = card.window - pad - card.bin if strand == "minus" else pad
    middles = sorted({(start + end) // 2 for start, end in regions})
    starts = [middle - card.bin // 2 - before for middle in middles]
    values = (explain or oracle.explain)(starts, strand == "minus", 1)
    track = np.full(length, np.nan)
    for base in range(length):
        nearest = min(range(len(middles)), key=lambda window: (abs(middles[window] - base), middles[window]))
        place = base - starts[nearest]
        if 0 <= place < card.window and oracle.sequence[base].upper() in "ACGT":
            track[base] = values[nearest][card.window - 1 - place if strand == "minus" else place]
    return track


@pytest.mark.parametrize("tile", [32, 4096])
@pytest.mark.parametrize("bin_", [1, 4, 9])
def test_centred_regions_have_their_own_windows(tmp_path: Path, bin_: int, tile: int) -> None:
    sequences = {
        "a": random_sequence(np.random.default_rng(3), 500),
        "b": random_sequence(np.random.default_rng(4), 90),
    }
    regions = {"a": [(3, 9), (200, 201), (211, 240), (300, 310), (300, 312), (495, 500)], "b": [(0, 90)]}
    bed = tmp_path / "regions.bed"
    bed.write_text("".join(f"{name}\t{a}\t{b}\n" for name, rows in regions.items() for a, b in rows))
    path = convolution_model(tmp_path, strands="both", bin_=bin_)
    out, run = scan(tmp_path, path, sequences, regions=(str(bed),), centred=True, tile=tile, stride=1)
    for strand in ("plus", "minus"):
        found = read_track(out / f"net.hit.{strand}.contrib.bw", sequences)
        for name, letters in sequences.items():
            wanted = centred_by_definition(Oracle(path, letters), regions[name], strand)
            assert_same_track(found[name], wanted, f"{name} {strand}")
    assert run["checks"]["completeness"]["n"] >= 2
    assert "centred" in run["plan"]


def test_centred_windows_are_shuffled_one_by_one(tmp_path: Path) -> None:
    from trackgen.genome import encode, reverse_complement
    from trackgen.scan.references import ReferencePlan

    sequences = {"a": random_sequence(np.random.default_rng(3), 400)}
    path = convolution_model(tmp_path, strands="both")
    out, _ = scan(tmp_path, path, sequences, regions=("a:101-120", "a:301-303"), centred=True, reference="shuffle:4")
    oracle = Oracle(path, sequences["a"])
    codes = encode(sequences["a"].encode())

    def explain(starts: list[int], reverse: bool, class_index: int) -> np.ndarray:
        read = codes[np.array(starts)[:, None] + np.arange(40)]
        read = reverse_complement(read) if reverse else read
        found = []
        for other in ReferencePlan("shuffle", shuffles=4).window_codes(read, "a", np.array(starts)):
            assert (np.sort(other) == np.sort(read)).all()
            table = np.vstack([np.eye(4), np.zeros(4)])
            found.append(oracle.explain_against(starts, reverse, class_index, table[other].transpose(0, 2, 1)))
        return np.asarray(np.mean(found, axis=0))

    for strand in ("plus", "minus"):
        wanted = centred_by_definition(oracle, [(100, 120), (300, 303)], strand, explain)
        assert_same_track(read_track(out / f"net.hit.{strand}.contrib.bw", sequences)["a"], wanted, strand)


@pytest.mark.parametrize("strands", ["forward", "both", "average"])
def test_hypothetical_scores_are_written_for_each_region(tmp_path: Path, strands: str) -> None:
    random = np.random.default_rng(3)
    sequences = {"a": random_sequence(random, 300), "b": random_sequence(random, 90)}
    rows = [("b", 40, 50), ("a", 100, 120), ("a", 290, 300), ("a", 30, 31)]
    bed = tmp_path / "regions.bed"
    bed.write_text("".join(f"{name}\t{a}\t{b}\n" for name, a, b in rows))
    path = convolution_model(tmp_path, strands=strands, window=40, bin_=4)
    prefix = tmp_path / "motifs"
    out, _ = scan(tmp_path, path, sequences, regions=(str(bed),), centred=True, hypothetical=prefix)
    one_hot, scores = (np.load(f"{prefix}.{kind}.npz")["arr_0"] for kind in ("ohe", "attr"))
    assert one_hot.shape == scores.shape == (4, 4, 40)
    suffixes = strand_names(strands)
    for row, (name, low, high) in enumerate(rows):
        start = (low + high) // 2 - 2 - 18
        letters = [
            sequences[name][p].upper() if 0 <= p < len(sequences[name]) else "N" for p in range(start, start + 40)
        ]
        wanted = np.array([[letter == base for letter in letters] for base in "ACGT"], float)
        matches = []
        for suffix, strand in suffixes.items():
            track = read_track(out / f"net.hit{suffix}.contrib.bw", sequences)[name]
            here = np.array([track[p] if 0 <= p < len(track) else np.nan for p in range(start, start + 40)])
            own, again = wanted, np.where(np.isnan(here), 0, here)
            if strand == "minus":
                own, again = wanted[::-1, ::-1], again[::-1]
            known = own.sum(axis=0) > 0
            same = (one_hot[row] == own).all()
            matches.append(same and np.allclose((scores[row] * own).sum(axis=0)[known], again[known], atol=2e-6))
        assert any(matches), (row, name)
    assert (np.abs(scores.sum(axis=1)) > 0).any()


def test_hypothetical_scores_are_of_one_class_and_into_a_folder_that_is_there(tmp_path: Path) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(3), 300)}
    path = convolution_model(tmp_path)
    options = {"regions": ("a:1-20",), "centred": True}
    with pytest.raises(UsageError, match=r"scores are of one class; found net.hit, net.other; wanted one class"):
        scan(tmp_path, path, sequences, contrib=("hit", "other"), hypothetical=tmp_path / "h", **options)
    with pytest.raises(UsageError, match=r"gone, --hypothetical: the folder of the files does not exist"):
        scan(tmp_path, path, sequences, hypothetical=tmp_path / "gone" / "h", **options)


@pytest.mark.parametrize("weight", ["uniform", "probability", "calls"])
@pytest.mark.parametrize("strands", ["forward", "both", "average"])
def test_in_python_a_region_has_the_values_of_a_scan(tmp_path: Path, strands: str, weight: Any) -> None:
    sequences = {"a": random_sequence(np.random.default_rng(8), 300)}
    path = convolution_model(tmp_path, strands=strands, thresholds=0.3)
    out, _ = scan(tmp_path, path, sequences, contrib_weight=weight)
    model = open_model(path)
    values = model.contributions(tmp_path / "g.fa", "a:31-150", "hit", weight=weight)
    assert sorted(values) == sorted(f"hit{suffix}.contrib" for suffix in strand_names(strands))
    for suffix in strand_names(strands):
        found = read_track(out / f"net.hit{suffix}.contrib.bw", sequences)["a"][30:150]
        assert_same_track(values[f"hit{suffix}.contrib"], found, suffix)
    assert "hit.contrib" not in model.predict(tmp_path / "g.fa", "a:31-150")


def test_the_example_of_contributions_in_python_runs() -> None:
    (example,) = doctest.DocTestFinder().find(opened.Model.contributions, globs={})
    example.globs = {"genome": data_file("genome_yeast/sacCer3.2bit")}
    assert doctest.DocTestRunner().run(example).failed == 0
