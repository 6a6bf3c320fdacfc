"""The values of a scan equal the slow reference, base for base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pyBigWig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models import SmallModel, mixed_model, small_model
from tests.oracles import Window, gap_spans, track_at_every_base
from trackgen.scan import ScanOptions, run_scan

Mode = Literal["auto", "dense", "window"]
WINDOW = 210
LETTERS = "ACGTacgtNRYn"
LETTER_SHARES = [0.2, 0.2, 0.2, 0.2, 0.04, 0.04, 0.04, 0.04, 0.01, 0.01, 0.01, 0.01]


def random_sequence(random: np.random.Generator, length: int) -> str:
    """Letters with some lower case and IUPAC codes, N runs at the start and inside, and an N of one base."""
    letters = random.choice(list(LETTERS), length, p=LETTER_SHARES)
    if length > 100:
        letters[: int(random.integers(1, 60))] = "N"
        middle = int(random.integers(60, length - 20))
        letters[middle : middle + int(random.integers(1, length // 3))] = "N"
        letters[middle - 30] = "N"
    return "".join(letters)


def write_fasta(path: Path, sequences: dict[str, str], width: int = 60) -> Path:
    with open(path, "w") as file:
        for name, letters in sequences.items():
            file.write(f">{name}\n")
            for start in range(0, len(letters), width):
                file.write(letters[start : start + width] + "\n")
    return path


def read_track(path: Path, sequences: dict[str, str]) -> dict[str, np.ndarray]:
    with pyBigWig.open(str(path)) as track:
        assert track.chroms() == {name: len(letters) for name, letters in sequences.items()}
        return {
            name: np.asarray(track.values(name, 0, len(letters), numpy=True)) for name, letters in sequences.items()
        }


def read_skipped(path: Path) -> dict[str, list[tuple[int, int]]]:
    rows: dict[str, list[tuple[int, int]]] = {}
    for line in path.read_text().splitlines():
        name, start, end, reason = line.split("\t")
        assert reason == "N"
        rows.setdefault(name, []).append((int(start), int(end)))
    return rows


def assert_equals_reference(out: Path, model: SmallModel, stride: int, sequences: dict[str, str], strands: str) -> None:
    geometry = model.geometry._replace(stride=stride)
    reverse = {entry["name"]: entry.get("reverse") for entry in model.card["outputs"][0]["classes"]}
    for strand in ("plus", "minus") if strands == "both" else (None,):
        for index, name in enumerate(model.classes):
            file = ".".join(part for part in (model.card["name"], name, strand, "bw") if part)
            found = read_track(out / file, sequences)
            partner = model.classes.index(reverse[name]) if reverse[name] else index
            reading = strand or ("average" if strands == "average" else "plus")
            for chromosome, letters in sequences.items():
                wanted = track_at_every_base(letters, geometry, model.function, index, reading, partner)
                # float32 arithmetic of the run against float64 of the reference.
                np.testing.assert_allclose(found[chromosome], wanted, rtol=0, atol=1e-6, err_msg=f"{file} {chromosome}")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bin_=st.sampled_from([1, 50, 200]),
    stride=st.sampled_from([1, 3, 10, 25, 50, 205]),
    strands=st.sampled_from(["forward", "both", "average"]),
    long=st.sampled_from([WINDOW, WINDOW + 1, 701]),
    tile=st.sampled_from([17, 64, 500, 32768]),
    batch_size=st.sampled_from([1, 13, 512]),
    mode=st.sampled_from(["dense", "window"]),
    seed=st.integers(0, 2**31),
)
def test_every_base_has_the_value_of_the_reference(
    tmp_path_factory: pytest.TempPathFactory,
    bin_: int,
    stride: int,
    strands: str,
    long: int,
    tile: int,
    batch_size: int,
    mode: Mode,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("scan")
    random = np.random.default_rng(seed)
    sequences = {f"s{length}": random_sequence(random, length) for length in (1, 7, long)}
    model = small_model(folder, window=WINDOW, bin_=bin_, strands=strands, seed=seed % 97, reverse=seed % 2 == 0)
    options = ScanOptions(
        models=(str(model.path),), genome=write_fasta(folder / "g.fa", sequences), output=folder / "out",
        stride=stride, digits="full", tile=tile, batch_size=batch_size, mode=mode,
    )  # fmt: skip
    run_scan(options)
    assert_equals_reference(folder / "out", model, stride, sequences, strands)
    assert read_skipped(folder / "out" / "skipped.bed") == {
        name: gap_spans(letters) for name, letters in sequences.items() if gap_spans(letters)
    }


@pytest.mark.parametrize("mode", ["dense", "window"])
@pytest.mark.parametrize("strands", ["forward", "both", "average"])
@pytest.mark.parametrize(("bin_", "stride"), [(1, 1), (1, 25), (50, 10), (50, 50), (200, 3), (200, 50)])
def test_a_chromosome_of_3001_bases(tmp_path: Path, bin_: int, stride: int, strands: str, mode: Mode) -> None:
    sequences = {"chr1": random_sequence(np.random.default_rng(bin_ + stride), 3001)}
    model = small_model(tmp_path, window=WINDOW, bin_=bin_, strands=strands)
    options = ScanOptions(
        (str(model.path),), write_fasta(tmp_path / "g.fa", sequences), tmp_path / "out", stride=stride, digits="full",
        mode=mode,
    )  # fmt: skip
    run_scan(options)
    assert_equals_reference(tmp_path / "out", model, stride, sequences, strands)


@pytest.mark.parametrize("mode", ["dense", "window"])
@pytest.mark.parametrize("strands", ["forward", "both", "average"])
@pytest.mark.parametrize(("positions", "bin_", "stride"), [(30, 30, 30), (15, 30, 10), (30, 30, 7), (3, 30, 20)])
def test_profiles_are_averaged_where_windows_overlap(
    tmp_path: Path, strands: str, positions: int, bin_: int, stride: int, mode: Mode
) -> None:
    resolution = bin_ // positions
    if stride % resolution:
        stride = stride // resolution * resolution or resolution
    random = np.random.default_rng(positions)
    sequences = {"a": random_sequence(random, 333), "b": "ACG", "c": random_sequence(random, 60)}
    model = small_model(
        tmp_path,
        window=50,
        bin_=bin_,
        stride=stride,
        strands=strands,
        positions=positions,
        activation="none",
        reverse=True,
    )
    options = ScanOptions(
        (str(model.path),),
        write_fasta(tmp_path / "g.fa", sequences),
        tmp_path / "out",
        tile=40,
        digits="full",
        mode=mode,
    )
    run_scan(options)
    geometry = Window(50, bin_, stride, resolution)
    scale = 20.0  # values reach about 10
    for strand in ("plus", "minus") if strands == "both" else (None,):
        found = read_track(tmp_path / "out" / ".".join(p for p in ("small", "hit", strand, "bw") if p), sequences)
        reading = strand or ("average" if strands == "average" else "plus")
        for name, letters in sequences.items():
            wanted = track_at_every_base(letters, geometry, model.function, 1, reading, 0)
            np.testing.assert_allclose(found[name], wanted, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize(("layout", "bases"), [("NLC", "ACGT"), ("NCL", "AGCT"), ("NLC", "TGCA")])
def test_layout_and_order_of_bases_follow_the_card(tmp_path: Path, layout: str, bases: str) -> None:
    sequences = {"chr1": random_sequence(np.random.default_rng(5), 150)}
    model = small_model(tmp_path, layout=layout, bases=bases, strands="both")
    run_scan(
        ScanOptions((str(model.path),), write_fasta(tmp_path / "g.fa", sequences), tmp_path / "out", digits="full")
    )
    assert_equals_reference(tmp_path / "out", model, 1, sequences, "both")


def test_a_fault_of_one_base_would_be_seen(tmp_path: Path) -> None:
    """The comparison itself can fail: the same track against a sequence that is shifted by one base."""
    sequences = {"chr1": random_sequence(np.random.default_rng(6), 150).replace("N", "A")}
    model = small_model(tmp_path)
    run_scan(
        ScanOptions((str(model.path),), write_fasta(tmp_path / "g.fa", sequences), tmp_path / "out", digits="full")
    )
    shifted = {"chr1": sequences["chr1"][1:] + "A"}
    with pytest.raises(AssertionError):
        assert_equals_reference(tmp_path / "out", model, 1, shifted, "forward")


def test_probabilities_keep_ten_mantissa_bits_unless_told_otherwise(tmp_path: Path) -> None:
    sequences = {"chr1": random_sequence(np.random.default_rng(7), 400)}
    model = small_model(tmp_path)
    genome = write_fasta(tmp_path / "g.fa", sequences)
    tracks = {}
    for digits in ("full", None, 2):
        out = tmp_path / f"out{digits}"
        run_scan(ScanOptions((str(model.path),), genome, out, digits=digits))  # type: ignore[arg-type]
        tracks[digits] = read_track(out / "small.hit.bw", sequences)["chr1"]
    known = np.isfinite(tracks["full"])
    full = tracks["full"][known]
    assert np.abs(tracks[None][known] / full - 1).max() < 5e-4
    assert (tracks[None][known].astype(np.float32).view(np.uint32) & 0x1FFF == 0).all()
    np.testing.assert_allclose(tracks[2][known], np.round(full, 2), atol=1e-6)


def test_run_file_tells_what_the_tracks_hold(tmp_path: Path) -> None:
    sequences = {"chr1": random_sequence(np.random.default_rng(8), 500)}
    model = small_model(tmp_path)
    run_scan(
        ScanOptions((str(model.path),), write_fasta(tmp_path / "g.fa", sequences), tmp_path / "out", digits="full")
    )
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    values = read_track(tmp_path / "out" / "small.hit.bw", sequences)["chr1"]
    values = values[np.isfinite(values)]
    (track,) = [entry for entry in run["tracks"] if entry["class"] == "hit"]
    assert track["values"] == len(values)
    assert track["min"] == pytest.approx(values.min(), rel=1e-6)
    assert track["max"] == pytest.approx(values.max(), rel=1e-6)
    assert track["percentiles"]["50"] == pytest.approx(np.percentile(values, 50), rel=0.02)
    assert run["bases"] == 500
    assert run["mode"] == {"small": "dense"}
    assert run["checks"]["windows"]["n"] >= 1
    assert run["checks"]["windows"]["max_abs_diff"] <= 1e-5
    assert str(tmp_path) not in (tmp_path / "out" / "run.json").read_text()


@settings(max_examples=40, deadline=None)
@given(
    bin_and_stride=st.sampled_from([(30, 30), (30, 15), (30, 3), (12, 6), (12, 4)]),
    positions=st.sampled_from([2, 6]),
    strands=st.sampled_from(["forward", "both", "average"]),
    length=st.integers(1, 150),
    tile=st.sampled_from([7, 37, 1000]),
)
def test_profile_and_scalar_outputs_of_one_model_keep_their_own_windows(
    tmp_path_factory: pytest.TempPathFactory,
    bin_and_stride: tuple[int, int],
    positions: int,
    strands: str,
    length: int,
    tile: int,
) -> None:
    folder = tmp_path_factory.mktemp("mixed")
    bin_, stride = bin_and_stride
    stride = max(stride, bin_ // positions) // (bin_ // positions) * (bin_ // positions)
    models = mixed_model(folder, window=44, bin_=bin_, stride=stride, positions=positions, strands=strands)
    sequences = {"chr1": random_sequence(np.random.default_rng(length), length)}
    genome = write_fasta(folder / "g.fa", sequences)
    run_scan(ScanOptions((str(models[0].path),), genome, folder / "out", tile=tile, digits="full"))
    for model in models:
        for strand in ("plus", "minus") if strands == "both" else (None,):
            reading = strand or ("average" if strands == "average" else "plus")
            for index, name in enumerate(model.classes):
                file = ".".join(part for part in ("mixed", name, strand, "bw") if part)
                found = read_track(folder / "out" / file, sequences)["chr1"]
                partner = len(model.classes) - 1 - index
                wanted = track_at_every_base(sequences["chr1"], model.geometry, model.function, index, reading, partner)
                # Values reach about 10.
                np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5, err_msg=file)


def test_a_stride_far_beyond_the_chromosome_needs_no_memory_for_it(tmp_path: Path) -> None:
    sequences = {"chr1": "ACGT" * 50}
    model = small_model(tmp_path)
    options = ScanOptions(
        (str(model.path),), write_fasta(tmp_path / "g.fa", sequences), tmp_path / "out", stride=2_000_000_000
    )
    run_scan(options)
    assert len(set(read_track(tmp_path / "out" / "small.hit.bw", sequences)["chr1"])) == 1


@pytest.mark.parametrize(
    ("window", "bin_", "stride", "region"),
    [(40, 20, 6, (256, 400)), (40, 1, 1000, (300, 900)), (40, 1, 1000, (1000, 1001)), (40, 20, 7, (5, 40))],
)
def test_a_region_has_every_value_also_where_its_first_item_begins_in_another_tile(
    tmp_path: Path, window: int, bin_: int, stride: int, region: tuple[int, int]
) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": "".join(np.random.default_rng(5).choice(list("ACGT"), 3000))})
    model = small_model(tmp_path, window=window, bin_=bin_, stride=stride).path
    start, end = region
    values = []
    for number, regions in enumerate(((), (f"c:{start + 1}-{end}",))):
        options = ScanOptions((str(model),), genome, tmp_path / f"out{number}", regions=regions, tile=256)
        run_scan(options)
        values.append(read_track(tmp_path / f"out{number}" / "small.hit.bw", {"c": "A" * 3000})["c"])
    inside = np.zeros(3000, bool)
    inside[start:end] = True
    np.testing.assert_array_equal(values[1], np.where(inside, values[0], np.nan))
    assert not np.isnan(values[1][start:end]).any()
