"""The writer at its borders: empty tracks, single bases, many contigs, wrong calls, failing disks."""

from __future__ import annotations

import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pybigtools
import pyBigWig
import pytest

from tests.bigwig.oracle import read
from trackgen.bigwig import BigWigWriter, TrackStatistics, assembly
from trackgen.bigwig.spool import Spool
from trackgen.errors import ResourceError, TrackgenError

NO_GAPS = np.empty((0, 2), np.int64)
LONGEST = 2**32 - 1


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(count, np.float32)


def write(path: Path, values: np.ndarray, **options: int) -> TrackStatistics:
    """One chromosome that the values fill."""
    with BigWigWriter(path, {"chr1": len(values) * options.get("stride", 1)}, **{"stride": 1, **options}) as writer:
        writer.add("chr1", 0, values, NO_GAPS)
    return writer.statistics


def test_an_empty_track_has_a_zero_summary_and_one_empty_zoom_level(tmp_path: Path) -> None:
    path = tmp_path / "x.bw"
    with BigWigWriter(path, {"chr1": 10_000_000, "chr2": 5}, stride=1) as writer:
        pass
    file = read(path)
    assert file.summary == (0, 0.0, 0.0, 0.0, 0.0)
    assert file.zooms == {32: []}
    assert writer.statistics == TrackStatistics(None, None, 0, 0.0, None)
    with pyBigWig.open(str(path)) as other:
        assert other.chroms() == {"chr1": 10_000_000, "chr2": 5}
        assert other.intervals("chr1") is None
        assert np.isnan(other.values("chr2", 0, 5)).all()
    assert pybigtools.open(str(path)).info()["summary"]["basesCovered"] == 0


@pytest.mark.parametrize("gaps", [[[0, 100]], [[0, 60], [60, 100]]])
def test_a_chromosome_that_is_all_gap_holds_nothing(tmp_path: Path, gaps: list[list[int]]) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": 100, "chr2": 3}, stride=7) as writer:
        writer.add("chr1", 0, noise(15), np.array(gaps))
        writer.add("chr2", 0, array(0.5), NO_GAPS)
    assert [section[:3] for section in read(tmp_path / "x.bw").sections] == [(1, 0, 3)]


def test_missing_values_and_no_values_are_no_items(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": 5}, stride=1) as writer:
        writer.add("chr1", 0, array(), NO_GAPS)
        writer.add("chr1", 0, array(np.nan, np.nan), NO_GAPS)
    assert read(tmp_path / "x.bw").sections == []


def test_chromosomes_of_one_base_and_of_none(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"one": 1, "none": 0}, stride=50, offset=75) as writer:
        writer.add("one", -2, array(0.25), NO_GAPS)
    file = read(tmp_path / "x.bw")
    assert file.sections == [(1, 0, 1, 1, 1, (0.25,))]
    assert file.zooms == {1600: [(1, 0, 1, 1, 0.25, 0.25, 0.25, 0.0625)]}


def test_negative_zero_becomes_zero(tmp_path: Path) -> None:
    write(tmp_path / "x.bw", array(-0.0, 0.0))
    write(tmp_path / "y.bw", array(0.0, 0.0))
    assert (tmp_path / "x.bw").read_bytes() == (tmp_path / "y.bw").read_bytes()


def test_a_cut_item_becomes_pieces_with_their_true_span(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": 48}, stride=10, offset=-5) as writer:
        writer.add("chr1", 0, array(1, 2, 3, 4, 5, 6), np.array([[7, 8], [10, 11], [26, 27]]))
    assert [section[1:] for section in read(tmp_path / "x.bw").sections] == [
        (0, 5, 5, 5, (1.0,)),
        (5, 7, 2, 2, (2.0,)),
        (8, 10, 2, 2, (2.0,)),
        (11, 15, 4, 4, (2.0,)),
        (15, 25, 10, 10, (3.0,)),
        (25, 26, 1, 1, (4.0,)),
        (27, 35, 8, 8, (4.0,)),
        (35, 45, 10, 10, (5.0,)),
        (45, 48, 3, 3, (6.0,)),
    ]


def test_sections_end_on_the_grid_however_values_came(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": 100_000}, stride=2, offset=1) as writer:
        writer.add("chr1", 100, noise(9000), NO_GAPS)
        writer.add("chr1", 9100, noise(1), NO_GAPS)
        writer.add("chr1", 9102, noise(8000), NO_GAPS)
        writer.add("chr1", 40_000, noise(9), NO_GAPS)
    borders = [(section.start, section.end) for section in read(tmp_path / "x.bw").sections]
    assert borders == [(201, 16385), (16385, 18203), (18205, 32769), (32769, 34205), (80001, 80019)]


@pytest.mark.parametrize(
    ("length", "stride", "levels"),
    [(1, 1, 1), (16_384, 1, 1), (16_385, 1, 2), (248_956_422, 1, 8), (248_956_422, 50, 6), (LONGEST, 1, 10)],
)
def test_zoom_levels_grow_fourfold_until_one_spans_the_longest_chromosome(
    tmp_path: Path, length: int, stride: int, levels: int
) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": length, "chr2": 1}, stride=stride) as writer:
        writer.add("chr2", 0, array(1), NO_GAPS)
    assert list(read(tmp_path / "x.bw").zooms) == [32 * stride * 4**level for level in range(levels)]


def test_the_end_of_the_longest_possible_chromosome_can_be_written(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": LONGEST}, stride=1) as writer:
        writer.add("chr1", LONGEST - 3, array(1, 2, 3), NO_GAPS)
    file = read(tmp_path / "x.bw")
    assert file.sections == [(0, LONGEST - 3, LONGEST, 1, 1, (1.0, 2.0, 3.0))]
    assert all(records[-1].end == LONGEST for records in file.zooms.values())
    with pyBigWig.open(str(tmp_path / "x.bw")) as other:
        assert other.values("chr1", LONGEST - 3, LONGEST) == [1.0, 2.0, 3.0]


def test_a_stride_longer_than_any_chromosome(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": 7}, stride=LONGEST) as writer:
        writer.add("chr1", 0, array(0.5), NO_GAPS)
    assert read(tmp_path / "x.bw").zooms == {LONGEST: [(0, 0, 7, 7, 0.5, 0.5, 3.5, 1.75)]}


def test_huge_values_do_not_become_infinite_in_zoom_levels(tmp_path: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    write(tmp_path / "x.bw", np.full(64, largest, np.float32))
    file = read(tmp_path / "x.bw")
    assert file.summary[3] == 64 * largest
    assert [record[6:] for record in file.zooms[32]] == [(largest, largest)] * 2


def test_many_contigs_need_several_levels_of_nodes_and_are_found(tmp_path: Path) -> None:
    lengths = {f"contig_{number}": 10 + number % 7 for number in range(70_000)}
    chosen = ["contig_0", "contig_10", "contig_69999", "contig_7"]
    with BigWigWriter(tmp_path / "x.bw", lengths, stride=1) as writer:
        for number, name in enumerate(reversed(chosen)):
            writer.add(name, 0, np.full(lengths[name], number, np.float32), NO_GAPS)
    file = read(tmp_path / "x.bw")
    assert file.tree_levels["chromosomes"] == 3
    assert dict(zip(file.names, file.lengths, strict=True)) == lengths
    with pyBigWig.open(str(tmp_path / "x.bw")) as other:
        assert other.chroms() == lengths
        assert [other.values(name, 0, 1)[0] for name in chosen] == [3, 2, 1, 0]
    other = pybigtools.open(str(tmp_path / "x.bw"))
    assert [other.values(name, fillna=None)[0] for name in chosen] == [3, 2, 1, 0]


def test_many_sections_need_several_levels_of_nodes_and_are_found(tmp_path: Path) -> None:
    values = noise(140_000)
    values[1::2] = np.nan
    write(tmp_path / "x.bw", values)
    file = read(tmp_path / "x.bw")
    assert file.tree_levels["sections"] == 3
    assert len(file.sections) == 70_000
    with pyBigWig.open(str(tmp_path / "x.bw")) as other:
        np.testing.assert_array_equal(np.array(other.values("chr1", 0, 140_000), np.float32), values)


def test_pybigwig_summarises_from_every_zoom_level(tmp_path: Path) -> None:
    """libBigWig takes the level whose records are half of what a bar covers: ask for two records a bar."""
    values = noise(600_000)
    values[100_000:300_000] = np.nan
    write(tmp_path / "x.bw", values)
    with pyBigWig.open(str(tmp_path / "x.bw")) as other:
        for reduction in read(tmp_path / "x.bw").zooms:
            bars = len(values) // (2 * reduction)
            rows = values[: bars * 2 * reduction].reshape(bars, -1).astype(np.float64)
            covered = ~np.isnan(rows)
            full = covered.any(axis=1)
            for kind, wanted in (
                ("max", np.where(covered, rows, -1).max(axis=1)),
                ("min", np.where(covered, rows, 2).min(axis=1)),
                ("mean", np.where(covered, rows, 0).sum(axis=1) / np.maximum(covered.sum(axis=1), 1)),
            ):
                found = other.stats("chr1", 0, bars * 2 * reduction, type=kind, nBins=bars)
                np.testing.assert_allclose(
                    np.array(found, np.float64)[full], wanted[full], rtol=1e-6, err_msg=f"{kind} {reduction}"
                )
                assert all(value is None for value in np.array(found, object)[~full])


def test_statistics_are_exact(tmp_path: Path) -> None:
    values = noise(50_000) - np.float32(0.25)
    values[40_000:] = np.nan
    with BigWigWriter(tmp_path / "x.bw", {"chr1": 149_990}, stride=3) as writer:
        with pytest.raises(TrackgenError, match="not finished"):
            _ = writer.statistics
        writer.add("chr1", 0, values[:49_997], np.array([[10, 20], [299, 300]]))
    statistics = writer.statistics
    bases = np.repeat(values, 3)[:120_000].astype(np.float64)
    bases = np.delete(bases, [*range(10, 20), 299])
    assert (statistics.min, statistics.max) == (bases.min(), bases.max())
    assert statistics.values == len(bases)
    assert statistics.sum == pytest.approx(bases.sum(), rel=1e-12)
    assert statistics.percentiles is not None
    for name, value in statistics.percentiles.items():
        wanted = np.percentile(bases, float(name), method="inverted_cdf")
        assert abs(value - wanted) <= abs(wanted) / 128


def test_blocks_are_the_same_in_other_threads_and_processes() -> None:
    """Compression must not depend on addresses; isal's does, where a stream starts without a dictionary.

    The blocks are made to show it: what stands at the start of a stream comes once more, far behind.
    """
    script = (
        "import hashlib, numpy as np; from trackgen.bigwig.blocks import compress\n"
        "random, digest = np.random.default_rng(0), hashlib.md5()\n"
        "for _ in range(6000):\n"
        "    data = bytearray(random.integers(0, 16, 1000, np.uint8).tobytes())\n"
        "    data[600:608], data[700:708] = data[:8], data[24:32]\n"
        "    digest.update(compress(bytes(data[:24]), memoryview(data)[24:]))\n"
        "found = digest.hexdigest()\n"
    )
    namespace: dict[str, object] = {}
    thread = threading.Thread(target=exec, args=(script, namespace))
    thread.start()
    thread.join(60)
    found = {namespace["found"]}
    for _ in range(3):
        command = [sys.executable, "-c", script + "print(found)"]
        found.add(subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout.strip())
    assert len(found) == 1


def test_memory_does_not_grow_with_the_chromosome(tmp_path: Path) -> None:
    def peak(tiles: int) -> int:
        tracemalloc.start()
        with BigWigWriter(tmp_path / "x.bw", {"chr1": tiles * 20_000}, stride=1) as writer:
            for tile in range(tiles):
                writer.add("chr1", tile * 20_000, noise(20_000, tile), NO_GAPS)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    # The index: 16 bytes a section of 8192 items and what Python adds; and zoom levels once they fill their buffers.
    assert peak(500) - peak(250) < 500_000


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_an_infinite_value_is_refused_with_its_interval(tmp_path: Path, bad: float) -> None:
    with (
        pytest.raises(TrackgenError, match=r"x\.bw, chr1:61-68: an infinite value; found -?inf"),
        BigWigWriter(tmp_path / "x.bw", {"chr1": 68}, stride=10) as writer,
    ):
        writer.add("chr1", 5, array(1, bad), NO_GAPS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "first", "count", "gaps", "message"),
    [
        ("chr3", 0, 1, [], "unknown chromosome; found chr3"),
        ("chr1", 4, 1, [], "chr1: items are out of order; found 4; wanted 5 or later"),
        ("chr2", 0, 1, [], "chr2: items are out of order"),
        ("chr1", 10, 1, [], "outside the chromosome; found chr1:100-110; wanted 0-95"),
        ("chr1", 9, 2, [], "outside the chromosome"),
        ("chr1", 5, 1, [[60, 50]], "gaps are not sorted"),
        ("chr1", 5, 1, [[50, 55], [54, 60]], "gaps are not sorted"),
    ],
)
def test_wrong_calls_are_refused(
    tmp_path: Path, name: str, first: int, count: int, gaps: list[list[int]], message: str
) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"chr1": 95, "chr2": 95}, stride=10) as writer:
        writer.add("chr2", 0, noise(2), NO_GAPS)
        writer.add("chr1", 0, noise(5), NO_GAPS)
        with pytest.raises(TrackgenError, match=message):
            writer.add(name, first, noise(count), np.array(gaps, np.int64).reshape(-1, 2))
    with pytest.raises(TrackgenError, match="the track is finished"):
        writer.add("chr1", 6, noise(1), NO_GAPS)
    assert [section.start for section in read(tmp_path / "x.bw").sections] == [0, 0]


def test_items_before_the_chromosome_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(TrackgenError, match="outside the chromosome; found chr1:-10-10"),
        BigWigWriter(tmp_path / "x.bw", {"chr1": 95}, stride=10) as writer,
    ):
        writer.add("chr1", -1, noise(2), NO_GAPS)


@pytest.mark.parametrize(
    ("lengths", "stride", "message"),
    [
        ({}, 1, "at least one chromosome"),
        ({"chr1": LONGEST + 1}, 1, "chr1: a chromosome is too long; found 4294967296; wanted at most 4294967295"),
        ({"chr1": 5}, 0, "stride of a track is out of range"),
        ({"chr1": 5}, LONGEST + 1, "stride of a track is out of range"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(
    tmp_path: Path, lengths: dict[str, int], stride: int, message: str
) -> None:
    with pytest.raises(TrackgenError, match=message):
        BigWigWriter(tmp_path / "x.bw", lengths, stride=stride)
    assert list(tmp_path.iterdir()) == []


def test_an_offset_that_no_position_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackgenError, match="offset of a track"):
        BigWigWriter(tmp_path / "x.bw", {"chr1": 5}, stride=1, offset=2**33)


def test_a_folder_that_cannot_be_written_is_a_resource_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"x\.bw: the track cannot be written; found No such file"):
        BigWigWriter(tmp_path / "missing" / "x.bw", {"chr1": 5}, stride=1)


def test_an_error_leaves_nothing_and_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.bw"
    path.write_text("before")

    def fail() -> None:
        with BigWigWriter(path, {"chr1": 5}, stride=1) as writer:
            writer.add("chr1", 0, noise(5), NO_GAPS)
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_that_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.bw"
    path.write_text("before")
    writer = BigWigWriter(path, {"chr1": 5}, stride=1)
    writer.add("chr1", 0, noise(5), NO_GAPS)
    assert path.read_text() == "before"
    writer.close()
    writer.close()
    assert read(path).values("chr1").tolist() == noise(5).tolist()


@pytest.mark.parametrize("stage", ["add", "copy", "zooms"])
def test_a_full_disk_leaves_nothing_at_any_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    target, name = {"add": (Spool, "append"), "copy": (Spool, "copy_sections"), "zooms": (assembly, "_write_zoom")}[
        stage
    ]
    monkeypatch.setattr(target, name, full)

    def write_out_of_order() -> None:
        with BigWigWriter(tmp_path / "x.bw", {"chr1": 5, "chr2": 5}, stride=1) as writer:
            writer.add("chr2", 0, noise(5), NO_GAPS)
            writer.add("chr1", 0, noise(5), NO_GAPS)

    with pytest.raises(ResourceError, match=r"x\.bw: the track cannot be written; found No space left") as caught:
        write_out_of_order()
    assert caught.value.exit_status == 75
    assert list(tmp_path.iterdir()) == []


def test_the_kernel_that_cannot_copy_between_files_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(38, "Function not implemented")

    def write_both(path: Path) -> None:
        with BigWigWriter(path, {"chr1": 9, "chr2": 100_000}, stride=1) as writer:
            writer.add("chr2", 0, noise(100_000), NO_GAPS)
            writer.add("chr1", 0, noise(9), NO_GAPS)

    write_both(tmp_path / "x.bw")
    monkeypatch.setattr("os.copy_file_range", refuse, raising=False)
    write_both(tmp_path / "y.bw")
    assert (tmp_path / "x.bw").read_bytes() == (tmp_path / "y.bw").read_bytes()
