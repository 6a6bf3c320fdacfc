"""Calls out of tracks: held against plain loops; files by second readers; tracks of any maker; every refusal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pybigtools
import pyBigWig
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.hub.conftest import Notes
from tests.hubs import CARD, LENGTHS, PEAK, change_run, write_run
from trackgen.bigwig import write_big_bed
from trackgen.calls import CallOptions, CallSet, CallSource, StrandTrack, make_calls, plain_sources, validation_of
from trackgen.calls.stretches import StretchCaller, place_calls
from trackgen.card import card_from_dict
from trackgen.cli.call import command
from trackgen.errors import DataError, ModelError, TrackgenError, UsageError
from trackgen.hub.call_sources import call_sources
from trackgen.learn.metrics import call_peaks
from trackgen.scan.digest import file_sha256

VALUES = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, math.nan]), min_size=1, max_size=40)
PIECES = st.lists(st.integers(1, 9), min_size=1, max_size=40)
Plain = tuple[int, int, int, int, float]


def plain_stretches(values: list[float], threshold: float, merge: int, width: int) -> list[Plain]:
    """Base by base: runs over the threshold, joined over gaps of at most `merge`; the first plateau of the highest."""
    calls: list[list[int]] = []
    for base, value in enumerate(values):
        if not value >= threshold:
            continue
        if calls and base - calls[-1][1] <= merge:
            calls[-1][1] = base + 1
        else:
            calls.append([base, base + 1])
    found = []
    for start, end in calls:
        highest = max(value for value in values[start:end] if not math.isnan(value))
        top = values.index(highest, start)
        last = next((base for base in range(top, end) if values[base] != highest), end)
        if end - start >= width:
            found.append((start, end, top, last, highest))
    return found


def rows(calls: np.ndarray) -> list[Plain]:
    return [(int(c["start"]), int(c["end"]), int(c["top"]), int(c["top_end"]), float(c["value"])) for c in calls]


@given(values=VALUES, pieces=PIECES, merge=st.integers(0, 6), width=st.integers(1, 5))
def test_stretches_are_those_of_a_plain_loop_in_pieces_of_any_length(
    values: list[float], pieces: list[int], merge: int, width: int
) -> None:
    caller, found, first = StretchCaller(2.0, merge, width), [], 0
    for size in [*pieces, len(values)]:
        part = values[first : first + size]
        if part:
            found.append(caller.add(np.array(part, np.float32), first))
        first += len(part)
    found.append(caller.finish())
    assert rows(np.concatenate(found)) == plain_stretches(values, 2.0, merge, width)


@given(values=VALUES, distance=st.integers(0, 7), size=st.integers(1, 45))
def test_maxima_are_those_that_training_evaluates_in_pieces_of_any_length(
    values: list[float], distance: int, size: int
) -> None:
    row = np.array(values, np.float32)
    lowest = np.where(np.isnan(row), -np.inf, row)
    wanted = [base for base in call_peaks(lowest, distance) if row[base] >= 2]
    around = np.pad(row, distance, constant_values=np.nan)
    found = []
    for first in range(0, len(row), size):
        last = min(first + size, len(row))
        found += place_calls(around[first : last + 2 * distance], first, 2.0, distance, 1)["start"].tolist()
    assert found == wanted


def write_track(path: Path, values: dict[str, list[tuple[int, int, float]]], lengths: dict[str, int] = LENGTHS) -> Path:
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(lengths.items()))
        for name, spans in values.items():
            starts, ends, levels = zip(*spans, strict=True)
            file.addEntries([name] * len(spans), list(starts), ends=list(ends), values=list(levels))
    return path


SPANS = {
    "chrI": [(100, 150, 0.2), (150, 200, 0.6), (200, 300, 0.9), (300, 350, 0.7), (400, 450, 0.8), (900, 950, 0.5)],
    "chrII": [(20_000, 20_001, 0.55)],
}


@pytest.fixture
def track(tmp_path: Path) -> Path:
    return write_track(tmp_path / "mine.bw", SPANS)


def call(*paths: Path, output: Path, **options: Any) -> list[CallSet]:
    return make_calls(call_sources(paths, (), None), CallOptions(output, **options), Notes())


def lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_any_track_is_called_at_a_threshold_that_is_given(track: Path, tmp_path: Path) -> None:
    (made,) = call(track, output=tmp_path / "calls", threshold=0.5, merge=60)
    assert made.method == "stretches"
    assert lines(made.files["bed"]) == [
        ["chrI", "150", "450", "mine_1", "1000", ".", "200", "300", "0", "0.9", "249"],
        ["chrI", "900", "950", "mine_2", "556", ".", "900", "950", "0", "0.5", "924"],
        ["chrII", "20000", "20001", "mine_3", "611", ".", "20000", "20001", "0", "0.55", "20000"],
    ]
    assert lines(made.files["narrowPeak"])[0] == ["chrI", "150", "450", "mine_1", "1000", ".", "0.9", "-1", "-1", "99"]
    assert "nobody says what precision and recall" in made.sentence
    (apart,) = call(track, output=tmp_path / "apart", threshold=0.5, min_width=51)
    assert [row[1:3] for row in lines(apart.files["bed"])] == [["150", "350"]]


def test_the_big_bed_holds_what_the_bed_holds_by_two_readers(track: Path, tmp_path: Path) -> None:
    lengths = {"chr10": 2000, "chr2": 2000, "chr1": 2000}
    spans = {name: [(100, 200, 0.9), (700, 710, 0.6)] for name in lengths}
    path = write_track(tmp_path / "order.bw", spans, lengths)
    (made,) = call(path, output=tmp_path / "calls", threshold=0.5)
    text = {(row[0], int(row[1]), int(row[2]), "\t".join(row[3:])) for row in lines(made.files["bed"])}
    with pyBigWig.open(str(made.files["bigBed"])) as reader:
        assert reader.chroms() == lengths
        found = {(name, *entry) for name in lengths for entry in reader.entries(name, 0, 2000)}
    assert found == text
    second = pybigtools.open(str(made.files["bigBed"]))
    assert {(name, row[0], row[1]) for name in lengths for row in second.records(name)} == {row[:3] for row in text}
    assert "float value" in second.sql()


def test_no_call_leaves_empty_text_and_no_big_bed(track: Path, tmp_path: Path) -> None:
    (made,) = call(track, output=tmp_path / "calls", threshold=5.0)
    assert sorted(made.files) == ["bed", "narrowPeak"]
    assert made.files["bed"].read_text() == ""
    assert json.loads((tmp_path / "calls" / "calls.json").read_text())["calls"][0]["calls"] == 0


def test_two_strands_are_called_together_and_say_so(tmp_path: Path) -> None:
    plus = write_track(tmp_path / "x.plus.bw", {"chrI": [(10, 11, 0.9)]})
    minus = write_track(tmp_path / "x.minus.bw", {"chrI": [(5, 6, 0.8), (10, 11, 0.7)]})
    (made,) = call(plus, minus, output=tmp_path / "calls", threshold=0.5)
    assert [(row[1], row[3], row[5]) for row in lines(made.files["bed"])] == [
        ("5", "x_1", "-"), ("10", "x_2", "+"), ("10", "x_3", "-"),
    ]  # fmt: skip
    (source,) = plain_sources([plus], "-")
    assert source.tracks[0].strand == "-"


def test_a_scan_brings_thresholds_methods_and_strands(tmp_path: Path) -> None:
    card = json.loads(json.dumps(CARD))
    card["training"]["thresholds"] = {
        "within": 10, "chosen_on": ["chrII"],
        "sharp": {"threshold": 0.03, "validation": {"precision": 0.125, "recall": 0.25}, "test": {"precision": 0.1}},
        "broad": {"threshold": 0.07, "validation": {"precision": 0.5, "recall": 0.5}},
    }  # fmt: skip
    run = write_run(tmp_path / "out", card=card)
    sharp, broad = call(run, output=tmp_path / "calls")
    assert (sharp.method, sharp.distance, sharp.threshold, sharp.from_card) == ("maxima", 50, 0.03, True)
    assert sharp.sentence == (
        "tss-mini.sharp: 34 calls from 0.03 on; on chrII: precision 0.12 and recall 0.25, of calls (right within 10 bp)"
    )
    # The card speaks of another threshold than its class has.
    assert "does not say" in broad.sentence
    assert {row[5] for row in lines(sharp.files["bed"])} == {"+", "-"}
    assert {row[5] for row in lines(broad.files["bed"])} == {"+"}
    assert all(int(row[2]) - int(row[1]) == 1 for row in lines(sharp.files["bed"]))
    assert any(int(row[1]) == PEAK for row in lines(sharp.files["bed"]))
    described = json.loads((tmp_path / "calls" / "calls.json").read_text())
    assert described["genome"]["names"] == list(LENGTHS)
    entry = described["calls"][0]
    assert entry["tracks"][0] == {
        "file": "tss-mini.sharp.plus.bw", "strand": "+", "sha256": file_sha256(run / "tss-mini.sharp.plus.bw"),
    }  # fmt: skip
    assert entry["validation"] == {"precision": 0.125, "recall": 0.25, "chosen_on": ["chrII"], "within": 10}
    assert str(tmp_path) not in (tmp_path / "calls" / "calls.json").read_text()


def test_one_track_of_a_scan_is_known_by_its_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out")
    (made,) = call(run / "tss-mini.sharp.minus.bw", output=tmp_path / "calls")
    assert (made.source.name, made.threshold) == ("tss-mini.sharp", 0.03)
    assert {row[5] for row in lines(made.files["bed"])} == {"-"}
    # Contributions are no predictions: without a threshold of their own there is nothing to call.
    with pytest.raises(UsageError, match="there is no threshold to call at"):
        call(run / "tss-mini.sharp.plus.contrib.bw", output=tmp_path / "more")


def test_options_go_before_the_card(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out")
    sharp, broad = call(
        run, output=tmp_path / "calls", thresholds={"broad": 0.1}, method="stretches", merge=5, min_width=2
    )
    assert (sharp.threshold, sharp.from_card, sharp.merge, sharp.distance) == (0.03, True, 5, None)
    assert (broad.threshold, broad.from_card) == (0.1, False)
    assert min(int(row[2]) - int(row[1]) for row in lines(broad.files["bed"])) >= 2


def test_bins_of_a_model_that_overlap_are_one_call(tmp_path: Path) -> None:
    card = {**CARD, "bin": 200, "stride": 50, "strands": "forward"}
    run = write_run(tmp_path / "out", card=card, tracks=[("sharp", "", "probability", "probability", 0.31)])
    change_run(run, "tracks", 0, "resolution", value=50)
    (made,) = call(run, output=tmp_path / "calls")
    assert (made.method, made.merge) == ("stretches", 150)
    assert {row[5] for row in lines(made.files["bed"])} == {"."}


def test_a_class_without_threshold_is_left_out_where_others_have_one(tmp_path: Path) -> None:
    card = json.loads(json.dumps(CARD))
    del card["outputs"][0]["classes"][2]["threshold"]
    run, notes = write_run(tmp_path / "out", card=card), Notes()
    made = make_calls(call_sources([run], (), None), CallOptions(tmp_path / "calls"), notes)
    assert [entry.source.class_name for entry in made] == ["sharp"]
    assert notes.texts[0] == "tss-mini.broad is left out: its card gives no threshold, and --threshold none"


def test_pieces_of_any_length_give_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "out")
    for method in ("maxima", "stretches"):
        options = {"method": method} | ({"merge": 3} if method == "stretches" else {})
        whole = call(run, output=tmp_path / method, **options)
        monkeypatch.setattr("trackgen.calls.job.BASES_AT_ONCE", 997)
        pieces = call(run, output=tmp_path / f"{method}-pieces", **options)
        monkeypatch.undo()
        for one, other in zip(whole, pieces, strict=True):
            assert {kind: path.read_bytes() for kind, path in one.files.items()} == {
                kind: path.read_bytes() for kind, path in other.files.items()
            }


def test_figures_of_a_threshold_are_read_from_cards_of_either_form() -> None:
    def said(thresholds: Any) -> Any:
        return validation_of(card_from_dict({**CARD, "training": {"thresholds": thresholds}}, "x"), "sharp", 0.03)

    assert said({"sharp": {"precision": 0.5, "recall": 1}}) == {"precision": 0.5, "recall": 1}
    rest = {"chosen_on": "chrII", "within": "far"}
    assert said({"sharp": {"precision": 0.5, "recall": 1}, **rest})["chosen_on"] == ["chrII"]
    assert "within" not in said({"sharp": {"precision": 0.5, "recall": 1}, **rest})
    cases: tuple[Any, ...] = (
        None,
        [],
        {"sharp": 0.03},
        {"sharp": {"recall": 1}},
        {"sharp": {"validation": 1}},
        {"broad": {}},
    )
    for nothing in cases:
        assert said(nothing) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "--threshold: there is no threshold to call at; found mine"),
        ({"threshold": 0.5, "merge": -1}, "--merge: this must be 0 or more; found -1"),
        ({"threshold": 0.5, "min_width": 0}, "--min-width: this must be 1 or more; found 0"),
        ({"threshold": 0.5, "distance": -2}, "--distance: this must be 0 or more; found -2"),
        ({"threshold": 0.5, "distance": 9}, "--distance: the option would do nothing; found --method stretches"),
        (
            {"threshold": 0.5, "merge": 9, "method": "maxima"},
            "--merge: the option would do nothing; found --method max",
        ),
        ({"thresholds": {"other": 1.0}}, "--threshold: there is no such class; found other; wanted mine"),
    ],
)
def test_what_cannot_be_called_is_refused_and_leaves_no_folder(
    track: Path, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        call(track, output=tmp_path / "calls", **options)
    assert caught.value.exit_status == 2
    assert not (tmp_path / "calls").exists()


def test_calls_that_are_there_are_replaced_only_when_told_to(track: Path, tmp_path: Path) -> None:
    call(track, output=tmp_path / "calls", threshold=0.5)
    with pytest.raises(UsageError, match="the folder holds calls already"):
        call(track, output=tmp_path / "calls", threshold=0.6)
    call(track, output=tmp_path / "calls", threshold=0.6, overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file, -o: the calls cannot be written; found File exists"):
        call(track, output=tmp_path / "file", threshold=0.5)


def test_tracks_of_different_genomes_and_of_one_name_are_refused(track: Path, tmp_path: Path) -> None:
    other = write_track(tmp_path / "other.bw", {"chrI": [(0, 9, 1.0)]}, {"chrI": 500})
    with pytest.raises(DataError, match="the tracks stand on different genomes") as caught:
        call(track, other, output=tmp_path / "calls", threshold=0.5)
    assert caught.value.exit_status == 3
    (tmp_path / "again").mkdir()
    same = write_track(tmp_path / "again" / "mine.bw", SPANS)
    with pytest.raises(UsageError, match="two tracks have one name and one strand"):
        call(track, same, output=tmp_path / "calls", threshold=0.5)
    plus = write_track(tmp_path / "x.plus.bw", {"chrI": [(0, 9, 1.0)]}, {"chrI": 500})
    minus = write_track(tmp_path / "x.minus.bw", {"chrI": [(0, 9, 1.0)]}, {"chrI": 600})
    with pytest.raises(DataError, match="the two strands stand on different sequences"):
        call(plus, minus, output=tmp_path / "calls", threshold=0.5)
    twice = CallSource((StrandTrack(track, "."),), "mine", LENGTHS)
    with pytest.raises(UsageError, match="two classes have one name"):
        make_calls([twice, twice], CallOptions(tmp_path / "calls", 0.5), Notes())
    with pytest.raises(UsageError, match="no track is given"):
        make_calls([], CallOptions(tmp_path / "calls"), Notes())


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [("missing.bw", DataError, "does not exist"), ("text.bw", DataError, "this is not a BigWig file")],
)
def test_files_that_are_no_tracks_are_refused(tmp_path: Path, name: str, kind: type[TrackgenError], words: str) -> None:
    (tmp_path / "text.bw").write_text("chrI\t1\t2\t3\n")
    with pytest.raises(kind, match=words):
        call(tmp_path / name, output=tmp_path / "calls", threshold=0.5)
    with pytest.raises((DataError, ModelError), match=r"run\.json"):
        call(tmp_path, output=tmp_path / "calls", threshold=0.5)


def test_a_full_disk_says_how_to_go_on(track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trackgen.calls.files._write_text", full)
    with pytest.raises(TrackgenError, match="the calls cannot be written; found No space left") as caught:
        call(track, output=tmp_path / "calls", threshold=0.5)
    assert caught.value.exit_status == 75
    assert not (tmp_path / "calls").exists()


def test_a_class_that_fails_leaves_no_files_of_those_before_it(track: Path, tmp_path: Path) -> None:
    broken = write_track(tmp_path / "x.bw", {"chrII": [(77, 78, math.inf)]})
    with pytest.raises(DataError, match="chrII:78: the track holds an infinite value") as caught:
        call(track, broken, output=tmp_path / "calls", threshold=0.5)
    assert caught.value.exit_status == 3
    assert not (tmp_path / "calls").exists()
    call(track, output=tmp_path / "calls", threshold=0.5)
    before = {path.name: path.read_bytes() for path in (tmp_path / "calls").iterdir()}
    for method in ("stretches", "maxima"):
        with pytest.raises(DataError, match="infinite value"):
            call(track, broken, output=tmp_path / "calls", threshold=0.6, overwrite=True, method=method)
    assert {path.name: path.read_bytes() for path in (tmp_path / "calls").iterdir()} == before


def test_replaced_calls_leave_no_file_behind(track: Path, tmp_path: Path) -> None:
    call(track, output=tmp_path / "calls", threshold=0.5)
    assert (tmp_path / "calls" / "mine.calls.bb").is_file()
    (tmp_path / "calls" / "notes.txt").write_text("mine")
    call(track, output=tmp_path / "calls", threshold=5.0, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "calls").iterdir()) == [
        "calls.json", "mine.calls.bed", "mine.calls.narrowPeak", "notes.txt",
    ]  # fmt: skip
    (tmp_path / "calls" / "calls.json").write_text(
        '{"calls": [{"files": {"bed": "notes.txt", "bigBed": "../mine.bb"}}]}'
    )
    (tmp_path / "mine.bb").write_text("")
    call(track, output=tmp_path / "calls", threshold=0.5, overwrite=True)
    assert (tmp_path / "mine.bb").exists()
    assert (tmp_path / "calls" / "notes.txt").exists()


def test_a_big_bed_that_the_disk_has_no_room_for_is_told(
    track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        """As pybigtools raises."""

    class Writer:
        def __init__(self, path: str, mode: str) -> None:
            Path(path).write_bytes(bytes(64))

        def write(self, *arguments: Any) -> None:
            raise PanicException

    monkeypatch.setattr(pybigtools, "open", Writer)
    with pytest.raises(TrackgenError, match="the bigBed file cannot be written; found No space left") as caught:
        call(track, output=tmp_path / "calls", threshold=0.5)
    assert caught.value.exit_status == 75
    assert not (tmp_path / "calls").exists()


def test_what_stops_the_rows_of_a_big_bed_is_not_swallowed(tmp_path: Path) -> None:
    def items() -> Iterator[tuple[str, int, int, str]]:
        yield "chr1", 0, 10, "a"
        raise DataError("the rows end here")

    with pytest.raises(DataError, match="the rows end here"):
        write_big_bed(tmp_path / "x.bb", items(), {"chr1": 100}, "")
    assert list(tmp_path.iterdir()) == []


def test_a_distance_beyond_the_sequence_leaves_its_highest_place(tmp_path: Path) -> None:
    path = write_track(tmp_path / "x.bw", {"chrI": [(10, 11, 0.9), (5000, 5001, 0.8)]})
    (made,) = call(path, output=tmp_path / "calls", threshold=0.5, method="maxima", distance=1 << 60)
    assert [row[1] for row in lines(made.files["bed"])] == ["10"]


def test_the_command_prints_files_and_numbers(track: Path, tmp_path: Path) -> None:
    arguments = [str(track), "-o", str(tmp_path / "calls"), "--threshold"]
    done = CliRunner().invoke(command, [*arguments, "mine=0.5"], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout == f"{tmp_path / 'calls' / 'mine.calls.bed'}\t4\n"
    assert "mine: 4 calls from 0.5 on" in done.stderr
    for wrong in ("mine=much", "nan", ""):
        done = CliRunner().invoke(command, [*arguments, wrong])
        assert done.exit_code == 2
        assert "is no finite number" in done.stderr
    done = CliRunner().invoke(command, [*arguments, "1", "--tmp-dir", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert "'--tmp-dir': Directory" in done.stderr
    run = write_run(tmp_path / "out")
    done = CliRunner().invoke(command, [str(run), "-o", str(tmp_path / "more"), "--classes", "blunt"])
    assert isinstance(done.exception, UsageError)
    assert "--classes: there is no such class; found blunt; wanted sharp, broad" in str(done.exception)
