"""Signal and vector inputs against the slow reference, base for base; refusals stand in tests/cli."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models import InputModel, input_model
from tests.oracles import track_of_windows, window_tensors
from tests.scan.test_values import Mode, random_sequence, read_track, write_fasta
from trackgen.card import InputSpec, read_card
from trackgen.errors import DataError
from trackgen.runtime import open_session
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.inputs import Stretch, signal_points
from trackgen.scan.model_check import check_model
from trackgen.scan.vectors import read_vector
from trackgen.scan.windows import WindowRunner

WINDOW = 50
SEQUENCE: dict[str, Any] = {"name": "sequence", "kind": "sequence"}
Values = dict[str, np.ndarray]


def signal(name: str = "atac", **fields: Any) -> dict[str, Any]:
    return {"name": name, "kind": "signal", **fields}


def random_values(random: np.random.Generator, sequences: Mapping[str, str]) -> Values:
    """Per sequence: float32 values of 0 to about 5, a tenth of them missing, and a long gap."""
    values = {}
    for name, letters in sequences.items():
        track = random.exponential(1.0, len(letters)).astype(np.float32)
        track[random.random(len(letters)) < 0.1] = np.nan
        track[len(letters) // 2 : len(letters) // 2 + 30] = np.nan
        values[name] = track
    return values


def write_signal(path: Path, values: Values, names: Mapping[str, str] | None = None) -> Path:
    """A BigWig of `values`, its sequences named as `names` says."""
    called = {name: (names or {}).get(name, name) for name in values}
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([(called[name], len(track)) for name, track in values.items()])
        for name, track in values.items():
            known = np.flatnonzero(~np.isnan(track))
            if len(known):
                names_of_rows = np.array([called[name]] * len(known))
                file.addEntries(names_of_rows, known, ends=known + 1, values=track[known].astype(float))
    return path


def assert_equals_reference(
    out: Path,
    model: InputModel,
    sequences: Mapping[str, str],
    signals: Mapping[str, Values],
    vectors: Mapping[str, list[float]] | None = None,
    stride: int | None = None,
    atol: float = 1e-6,
) -> None:
    """Every track of the model, at every base, against windows computed one by one in float64.

    Args:
        signals: key -> values per sequence; an absent sequence is missing everywhere.
        atol: float32 arithmetic of the run against float64 of the reference, on probabilities.
    """
    strands = model.card["strands"]
    geometry = model.geometry._replace(stride=stride or model.geometry.stride)
    for name, letters in sequences.items():
        nothing = np.full(len(letters), np.nan)
        here = {key: values.get(name, nothing) for key, values in signals.items()}

        def run(start: int, reverse: bool, letters: str = letters, here: Values = here) -> np.ndarray:
            length = geometry.length
            entries = model.card["inputs"]
            return model.function(window_tensors(entries, letters, here, vectors or {}, start, length, reverse))

        for strand in ("plus", "minus") if strands == "both" else (None,):
            for index, entry in enumerate(model.classes):
                file = ".".join(part for part in (model.card["name"], entry, strand, "bw") if part)
                reading = strand or ("average" if strands == "average" else "plus")
                wanted = track_of_windows(letters, geometry, run, index, reading, 1 - index)
                found = read_track(out / file, dict(sequences))[name]
                np.testing.assert_allclose(found, wanted, rtol=0, atol=atol, err_msg=f"{file} {name}")


def small_genome(folder: Path, random: np.random.Generator, lengths: tuple[int, ...] = (1, 7, 160)) -> dict[str, str]:
    names = ("chrI", "chrII", "chrIII", "chrIV")
    sequences = {name: random_sequence(random, length) for name, length in zip(names, lengths, strict=False)}
    write_fasta(folder / "g.fa", sequences)
    return sequences


@st.composite
def signal_inputs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Inputs of a card with one or two signals, stacked or by themselves."""
    transform = st.sampled_from([[], ["log1p"], [{"zscore": [0.4, 1.1]}], ["log1p", {"zscore": [0.5, 0.7]}]])

    def fields(resolution: int) -> dict[str, Any]:
        return {
            "resolution": resolution,
            "statistic": draw(st.sampled_from(["mean", "max"])),
            "missing": draw(st.sampled_from([0.0, 1.5, -0.25])),
            "transform": draw(transform),
        }

    resolution = draw(st.sampled_from([1, 5, 25]))
    channels = draw(st.sampled_from([[], ["one"], ["fore", "back"]]))
    first = signal("atac", **fields(resolution), **({"channels": channels} if channels else {}))
    second = signal("dnase", **fields(draw(st.sampled_from([1, 5, 25]))))
    way = draw(st.sampled_from(["alone", "beside", "stacked", "stacked NLC", "signals stacked"]))
    if way == "alone":
        return [first]
    if way == "beside":
        return [second, SEQUENCE, first]
    if way == "signals stacked":
        return [SEQUENCE, first | {"tensor": "both"}, second | {"resolution": resolution, "tensor": "both"}]
    sequence = SEQUENCE | {"tensor": "both"} | ({"layout": "NLC", "bases": "AGCT"} if way == "stacked NLC" else {})
    stacked = [sequence, first | {"resolution": 1, "tensor": "both"}]
    return [*(stacked if draw(st.booleans()) else stacked[::-1]), second]


def keys_of(inputs: list[dict[str, Any]]) -> list[str]:
    keys = []
    for entry in inputs:
        if entry["kind"] == "signal":
            keys += [f"{entry['name']}.{channel}" for channel in entry.get("channels", [])] or [entry["name"]]
    return keys


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    inputs=signal_inputs(),
    strands=st.sampled_from(["forward", "both", "average"]),
    bin_=st.sampled_from([1, 9, 50]),
    stride=st.sampled_from([1, 3, 50]),
    tile=st.sampled_from([13, 64, 32768]),
    batch_size=st.sampled_from([1, 7, 512]),
    mode=st.sampled_from(["dense", "window"]),
    renamed=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_every_base_has_the_value_of_the_reference(
    tmp_path_factory: pytest.TempPathFactory,
    inputs: list[dict[str, Any]],
    strands: str,
    bin_: int,
    stride: int,
    tile: int,
    batch_size: int,
    mode: Mode,
    renamed: bool,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("signals")
    random = np.random.default_rng(seed)
    sequences = small_genome(folder, random)
    model = input_model(folder, inputs, bin_=bin_, strands=strands, seed=seed % 97)
    signals = {key: random_values(random, sequences) for key in keys_of(inputs)}
    names = {name: name.removeprefix("chr") for name in sequences} if renamed else {}
    files = tuple((key, write_signal(folder / f"{key}.bw", values, names)) for key, values in signals.items())
    run_scan(
        ScanOptions(
            (str(model.path),), folder / "g.fa", folder / "out", signals=files,
            stride=stride, digits="full", tile=tile, batch_size=batch_size, mode=mode,
        )
    )  # fmt: skip
    assert_equals_reference(folder / "out", model, sequences, signals, stride=stride)


def scan_one(
    folder: Path,
    inputs: list[dict[str, Any]],
    sequences: dict[str, str],
    signals: Mapping[str, Values],
    *,
    vectors: tuple[tuple[str, Path], ...] = (),
    **fields: Any,
) -> InputModel:
    """Write the model, its files and its tracks in ``folder/out``."""
    model = input_model(folder, inputs, **fields)
    files = tuple((key, write_signal(folder / f"{key}.bw", values)) for key, values in signals.items())
    options = ScanOptions(
        (str(model.path),), folder / "g.fa", folder / "out", signals=files, vectors=vectors, digits="full", tile=61
    )
    run_scan(options)
    return model


@pytest.mark.parametrize("strands", ["forward", "both", "average"])
@pytest.mark.parametrize("resolution", [1, 5])
def test_profiles_read_signals_too(tmp_path: Path, strands: str, resolution: int) -> None:
    random = np.random.default_rng(5)
    sequences = small_genome(tmp_path, random)
    signals = {"atac": random_values(random, sequences)}
    inputs = [SEQUENCE, signal(resolution=resolution)]
    model = scan_one(tmp_path, inputs, sequences, signals, bin_=12, positions=6, stride=4, strands=strands)
    assert_equals_reference(tmp_path / "out", model, sequences, signals, atol=1e-5)


@pytest.mark.parametrize("shift", ["values", "missing", "strand"])
def test_a_fault_would_be_seen(tmp_path: Path, shift: str) -> None:
    """The comparison itself can fail: values moved by one base, another missing value, the other strand."""
    random = np.random.default_rng(6)
    sequences = small_genome(tmp_path, random)
    signals = {"atac": random_values(random, sequences)}
    model = scan_one(tmp_path, [signal(resolution=5)], sequences, signals, strands="both")
    assert_equals_reference(tmp_path / "out", model, sequences, signals)
    if shift == "values":
        signals["atac"] = {name: np.roll(track, 1) for name, track in signals["atac"].items()}
    elif shift == "missing":
        model.card["inputs"][0]["missing"] = 0.1
    else:
        signals["atac"] = {name: track[::-1] for name, track in signals["atac"].items()}
    with pytest.raises(AssertionError):
        assert_equals_reference(tmp_path / "out", model, sequences, signals)


def test_a_sequence_that_the_file_does_not_list_reads_as_missing(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    sequences = small_genome(tmp_path, random)
    signals = {"atac": {name: track for name, track in random_values(random, sequences).items() if name != "chrIII"}}
    model = scan_one(tmp_path, [SEQUENCE, signal(missing=0.7)], sequences, signals)
    assert_equals_reference(tmp_path / "out", model, sequences, signals)


def test_a_file_without_any_value_reads_as_missing_everywhere(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    sequences = small_genome(tmp_path, random)
    signals = {"atac": {name: np.full(len(letters), np.nan) for name, letters in sequences.items()}}
    model = scan_one(tmp_path, [SEQUENCE, signal(missing=0.7)], sequences, signals)
    assert_equals_reference(tmp_path / "out", model, sequences, signals)


VECTORS = [
    {"name": "expression", "kind": "vector", "length": 3},
    {"name": "batch", "kind": "vector", "length": 2, "default": [0.5]},
    {"name": "cell", "kind": "vector", "length": 2, "default": [0.25, -1.5]},
]


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_vectors_come_from_their_file_or_the_card(tmp_path: Path, given: bool, stacked: bool) -> None:
    random = np.random.default_rng(9)
    sequences = small_genome(tmp_path, random)
    (tmp_path / "v.tsv").write_bytes(b"geneA\t1.5\r\ngeneB\t-2e-1\r\ngene C\t 3\r\n\r\n")
    vectors = {"expression": [1.5, -0.2, 3.0]} if given else {}
    entries = [entry | {"tensor": "all"} for entry in VECTORS] if stacked else VECTORS
    model = scan_one(
        tmp_path, [SEQUENCE, *entries], sequences, {},
        vectors=tuple((name, tmp_path / "v.tsv") for name in vectors), strands="both",
    )  # fmt: skip
    assert_equals_reference(tmp_path / "out", model, sequences, {}, vectors)


def test_models_of_one_pass_share_inputs_by_name(tmp_path: Path) -> None:
    """Three models of different windows, one without signals: each as if it ran alone."""
    random = np.random.default_rng(10)
    sequences = small_genome(tmp_path, random)
    signals = {key: random_values(random, sequences) for key in ("atac", "dnase.a", "dnase.b")}
    inputs = [
        [SEQUENCE, signal(resolution=5)],
        [signal("dnase", channels=["b", "a"], statistic="max", resolution=3), signal(transform=["log1p"])],
        [SEQUENCE],
    ]
    models = [
        input_model(tmp_path, entries, name=f"m{number}", window=window, bin_=bin_, strands=strands, seed=number)
        for number, (entries, window, bin_, strands) in enumerate(
            zip(inputs, (20, 90, 50), (1, 9, 50), ("both", "average", "forward"), strict=True)
        )
    ]
    files = tuple((key, write_signal(tmp_path / f"{key}.bw", values)) for key, values in signals.items())
    paths = tuple(str(model.path) for model in models)
    run_scan(ScanOptions(paths, tmp_path / "g.fa", tmp_path / "out", signals=files, digits="full", tile=37))
    for model in models:
        assert_equals_reference(tmp_path / "out", model, sequences, signals)
    one = ScanOptions(paths[1:2], tmp_path / "g.fa", tmp_path / "alone", signals=files, digits="full", tile=37)
    run_scan(one)
    name = "m1.up.bw"
    assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_one_file_may_feed_several_inputs(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    sequences = small_genome(tmp_path, random)
    values = random_values(random, sequences)
    file = write_signal(tmp_path / "x.bw", values)
    model = input_model(tmp_path, [signal("one", resolution=5), signal("two", statistic="max")])
    files = (("one", file), ("two", file))
    run_scan(ScanOptions((str(model.path),), tmp_path / "g.fa", tmp_path / "out", signals=files, digits="full"))
    assert_equals_reference(tmp_path / "out", model, sequences, {"one": values, "two": values})


@pytest.mark.parametrize("statistic", ["mean", "max"])
@pytest.mark.parametrize("resolution", [1, 2, 3, 5, 25, 64, 1000])
def test_points_are_the_same_in_every_bit_wherever_the_stretch_begins(resolution: int, statistic: str) -> None:
    random = np.random.default_rng(resolution)
    raw = (random.normal(0, 1, 200_000) * 10.0 ** random.integers(-20, 20, 200_000)).astype(np.float32)
    raw[random.random(len(raw)) < 0.1] = np.nan
    spec = InputSpec("a", "signal", resolution=resolution, statistic=statistic, missing=0.1)  # type: ignore[arg-type]
    (every,) = signal_points(spec, [raw], 0, 1, len(raw) - resolution + 1)
    filled = np.where(np.isnan(raw), 0.1, raw.astype(float))
    for index in random.integers(0, len(every), 200):
        bases = filled[index : index + resolution]
        # float32 of a sum in float64: half a unit in the last place of the largest term, and rounding.
        bar = 1e-7 * np.abs(bases).max()
        assert abs(every[index] - (bases.mean() if statistic == "mean" else bases.max())) <= bar
    for first, step, begin in ((0, resolution, 0), (7, 1, 0), (5, 3, 11), (70_000, 2, 65_530), (1, 64, 3)):
        count = min(900, (len(raw) - first - begin - resolution) // step + 1)
        (some,) = signal_points(spec, [raw[begin:]], first, step, count)
        wanted = every[begin + first :: step][:count]
        assert some.tobytes() == wanted.tobytes()


def test_channels_keep_their_order_and_transforms_come_after_the_statistic() -> None:
    spec = InputSpec(
        "a", "signal", resolution=2, channels=("x", "y"), transform=(("log1p", ()), ("zscore", (1.0, 2.0))), missing=3.0
    )
    raw = [np.array([0, 2, np.nan, np.nan], np.float32), np.array([8, 8, 0, 0], np.float32)]
    wanted = (np.log1p([[1.0, 3.0], [8.0, 0.0]]) - 1) / 2
    np.testing.assert_allclose(signal_points(spec, raw, 0, 2, 2), wanted, rtol=1e-6)


def test_points_beyond_the_stretch_are_a_fault_of_the_caller() -> None:
    spec = InputSpec("a", "signal", resolution=5)
    raw = [np.zeros(20, np.float32)]
    assert signal_points(spec, raw, 5, 5, 3).shape == (1, 3)
    for first, count in ((6, 3), (5, 4), (-1, 1)):
        with pytest.raises(IndexError, match="beyond the stretch"):
            signal_points(spec, raw, first, 5, count)


class Recorder:
    """A session that keeps what it is fed, by the windows' order."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, device="cpu", threads=1)
        self.fed: list[dict[str, np.ndarray]] = []

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Any = None) -> list[np.ndarray]:
        assert all(array.flags.c_contiguous for array in inputs.values())
        self.fed.append(dict(inputs))
        return list(self._session.run(inputs, outputs))

    def joined(self) -> dict[str, np.ndarray]:
        return {name: np.concatenate([part[name] for part in self.fed]) for name in self.fed[0]}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_window_reads_the_same_in_every_bit_whatever_the_batch_and_the_stretch(tmp_path: Path, reverse: bool) -> None:
    inputs = [
        SEQUENCE | {"tensor": "both", "layout": "NLC"}, signal(tensor="both"), signal("coarse", resolution=25),
    ]  # fmt: skip
    model = input_model(tmp_path, inputs)
    random = np.random.default_rng(12)
    signals = {key: (random.normal(0, 1, 2000) ** 9).astype(np.float32) for key in ("atac", "coarse")}
    stretch = Stretch(random.integers(0, 5, 2000).astype(np.uint8), signals)
    seen = []
    for begin, batch_size, step in ((0, 512, 1), (137, 7, 1), (200, 512, 10), (200, 512, 50)):
        recorder = Recorder(model.path)
        runner = WindowRunner(read_card(model.path), recorder, batch_size, lambda text: None)  # type: ignore[arg-type]
        starts = np.arange(200, 1900, step, dtype=np.int64) - begin
        runner.run(stretch.cut(begin, 2000), starts, reverse=reverse)
        # Of every run those windows that all have.
        seen.append({name: values[:: 50 // step].tobytes() for name, values in recorder.joined().items()})
    assert all(other == seen[0] for other in seen[1:])


def test_threads_tiles_and_batches_never_change_a_byte(tmp_path: Path) -> None:
    random = np.random.default_rng(13)
    sequences = small_genome(tmp_path, random, (900, 500))
    inputs = [SEQUENCE, signal(resolution=5, transform=["log1p"]), VECTORS[2]]
    model = input_model(tmp_path, inputs, strands="both")
    files = (("atac", write_signal(tmp_path / "x.bw", random_values(random, sequences))),)
    ways: list[dict[str, Any]] = [
        {}, {"threads": 2}, {"tile": 97}, {"batch_size": 31}, {"threads": 2, "tile": 701, "batch_size": 256},
    ]  # fmt: skip
    written = []
    for number, way in enumerate(ways):
        out = tmp_path / f"out{number}"
        run_scan(ScanOptions((str(model.path),), tmp_path / "g.fa", out, signals=files, digits=4, **way))
        written.append({path.name: path.read_bytes() for path in out.glob("*.bw")})
    assert len(written[0]) == 4
    assert all(files == written[0] for files in written[1:])


def test_model_check_feeds_random_signals_and_vectors(tmp_path: Path) -> None:
    inputs = [SEQUENCE, signal(resolution=5, channels=["a", "b"], transform=["log1p"]), *VECTORS]
    checked = check_model(input_model(tmp_path, inputs).path)
    assert checked.windows == 256
    assert checked.largest_difference <= 1e-5


@pytest.mark.parametrize("mode", ["dense", "window"])
@pytest.mark.parametrize(
    ("resolution", "place"), [(1, r"chrIII:51"), (5, r"5 bases from chrIII:4[789]|5 bases from chrIII:5[01]")]
)
@pytest.mark.parametrize("renamed", [False, True])
def test_a_value_that_log1p_does_not_know_is_refused_with_file_and_place(
    tmp_path: Path, mode: Mode, resolution: int, place: str, renamed: bool
) -> None:
    sequences = small_genome(tmp_path, np.random.default_rng(14))
    tracks = {name: np.ones(len(letters), np.float32) for name, letters in sequences.items()}
    tracks["chrIII"][50] = -20
    names = {name: name.removeprefix("chr") for name in sequences} if renamed else {}
    file = write_signal(tmp_path / "ok.bw", {name: np.ones_like(track) for name, track in tracks.items()})
    bad = write_signal(tmp_path / "bad.bw", tracks, names)
    inputs = [SEQUENCE, signal(channels=["one", "two"], resolution=resolution, transform=["log1p"])]
    model = input_model(tmp_path, inputs, strands="both")
    options = ScanOptions(
        (str(model.path),), tmp_path / "g.fa", tmp_path / "out", mode=mode, tile=37,
        signals=(("atac.one", file), ("atac.two", bad)),
    )  # fmt: skip
    place = place.replace("chr", "") if renamed else place
    value = -20.0 if resolution == 1 else -3.2
    with pytest.raises(DataError, match=rf"bad\.bw, ({place}): the signal atac has .*log1p.*found {value};") as caught:
        run_scan(options)
    assert caught.value.exit_status == 3


@pytest.mark.parametrize("text", ["1e50", "-3.5e38", "1e999"])
def test_a_number_beyond_float32_is_refused_without_a_warning(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.tsv").write_text(f"a\t1\nb\t{text}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=rf"line 2, b: a value .* is not a finite number; found '{text}'"):
            read_vector(tmp_path / "v.tsv")


def test_the_largest_float32_is_a_value(tmp_path: Path) -> None:
    (tmp_path / "v.tsv").write_text("a\t3.4028235e38\nb\t-3.4028234663852886e+38\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        largest = np.finfo(np.float32).max
        assert read_vector(tmp_path / "v.tsv").tolist() == [largest, -largest]
