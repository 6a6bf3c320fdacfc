"""Genomes and models at the limits: 100,000 contigs, the longest contig, one longer than that, 900 classes."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pyBigWig
import pytest
from numpy.typing import NDArray

from tests.models import small_model
from tests.oracles import track_at_every_base
from tests.scan.test_values import write_fasta
from trackgen.errors import DataError
from trackgen.genome import decode, open_genome
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.plan import make_plan

LONGEST = 2**32 - 1
CLASSES = 900


@pytest.mark.parametrize("contigs", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_many_contigs_are_all_in_the_tracks(tmp_path: Path, contigs: int) -> None:
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", np.uint8)[random.integers(0, 4, 300 * contigs)].tobytes().decode()
    lengths = random.integers(1, 301, contigs).tolist()
    # Names whose order of bytes is not that of the file.
    names = [f"contig{number}" for number in random.permutation(contigs)]
    sequences = {
        name: letters[300 * place : 300 * place + length]
        for place, (name, length) in enumerate(zip(names, lengths, strict=True))
    }
    model = small_model(tmp_path, window=20, bin_=4, classes=("hit",), activation="none")
    genome = write_fasta(tmp_path / "g.fa", sequences, 300)
    run_scan(ScanOptions((str(model.path),), genome, tmp_path / "out", threads=2, digits="full"))
    with pyBigWig.open(str(tmp_path / "out" / "small.hit.bw")) as track:
        assert track.chroms() == {name: len(letters) for name, letters in sequences.items()}
        assert track.header()["nBasesCovered"] == sum(lengths)
        assert all(track.stats(name, type="coverage") == [1.0] for name in names[:: contigs // 500])
        for name in [*names[:20], *names[-20:], *random.choice(names, 60)]:
            found = np.array(track.values(name, 0, len(sequences[name])))
            wanted = track_at_every_base(sequences[name], model.geometry, model.function, 0, "plus", 0)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)  # float32 against float64
    assert (tmp_path / "out" / "skipped.bed").read_text() == ""


def write_longest(path: Path) -> Path:
    """A 2bit file of one contig of 2**32 - 1 bases: a hole in the file reads as T, but for what is written here."""
    name = b"chr1"
    head = struct.pack("<4I", 0x1A412743, 0, 1, 0) + bytes([len(name)]) + name
    head += struct.pack("<I", len(head) + 4)
    record = struct.pack("<4I", LONGEST, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(head + record)
        first = file.tell()
        # The last 400 bases, of which the last byte holds three.
        place = LONGEST // 4 - 99
        file.seek(first + place)
        file.write(np.random.default_rng(0).integers(0, 256, 100, np.uint8).tobytes())
        file.truncate(first + (LONGEST + 3) // 4)
    return path


@pytest.mark.parametrize(("bin_", "stride"), [(20, 6), pytest.param(1, 1, marks=pytest.mark.slow)])
def test_the_end_of_the_longest_contig_that_a_track_can_hold(tmp_path: Path, bin_: int, stride: int) -> None:
    genome = write_longest(tmp_path / "g.2bit")
    if genome.stat().st_blocks * 512 > 1 << 24:
        pytest.skip("this file system has no sparse files")
    model = small_model(tmp_path, window=30, bin_=bin_, strands="both")
    begin = LONGEST - 1000
    options = ScanOptions(
        (str(model.path),), genome, tmp_path / "out", regions=(f"chr1:{begin + 1}-{LONGEST}", "chr1:1-50"),
        stride=stride, digits="full",
    )  # fmt: skip
    run_scan(options)
    with open_genome(genome) as opened:
        assert opened.lengths == {"chr1": LONGEST}
        # The reference counts from 0: a multiple of the stride keeps its windows where they are.
        before = begin - begin % stride - 100 * stride
        letters = decode(opened.fetch("chr1", before, LONGEST))
    geometry = model.geometry._replace(stride=stride)
    for strand in ("plus", "minus"):
        wanted = track_at_every_base(letters, geometry, model.function, 1, strand, 1)[begin - before :]
        with pyBigWig.open(str(tmp_path / "out" / f"small.hit.{strand}.bw")) as track:
            assert track.chroms() == {"chr1": LONGEST}
            found = np.array(track.values("chr1", begin, LONGEST))
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)  # float32 against float64
            assert len(set(found.round(6))) > 30
            assert np.isnan(track.values("chr1", begin - 50, begin)).all()
            assert np.isnan(track.values("chr1", 50, 100)).all()
            assert track.header()["nBasesCovered"] == 1050
    assert (tmp_path / "out" / "skipped.bed").read_text() == ""


class TooLong:
    """A genome with a contig that is one base longer than a track can hold."""

    path = Path("long.fa")
    lengths = {"chr1": 100, "chr2": LONGEST + 1}  # noqa: RUF012
    names = tuple(lengths)

    def fetch(self, name: str, start: int, end: int) -> NDArray[np.uint8]:
        raise AssertionError("the plan needs no base")

    def close(self) -> None:
        pass

    def __enter__(self) -> TooLong:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def test_a_contig_that_no_track_can_hold_is_refused_by_name(tmp_path: Path) -> None:
    options = ScanOptions((str(small_model(tmp_path).path),), TooLong.path, tmp_path / "out")
    wanted = r"long\.fa, chr2: a sequence is too long.*found 4,294,967,296 bases; wanted at most 4,294,967,295"
    with pytest.raises(DataError, match=wanted) as caught:
        make_plan(options, TooLong())
    assert caught.value.exit_status == 3


WIDE = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4, 60] sequence) => (float[N, {classes}] out) {{
  hidden = Conv(sequence, kernel)
  top = GlobalMaxPool(hidden)
  flat = Flatten(top)
  logits = Gemm(flat, weight)
  out = Sigmoid(logits)
}}
"""


def wide_model(folder: Path) -> Path:
    """Many classes at stride 50, as nets of chromatin features have."""
    random = np.random.default_rng(0)
    model = onnx.parser.parse_model(WIDE.format(classes=CLASSES))
    weights = {"kernel": random.normal(0, 0.3, (4, 4, 8)), "weight": random.normal(0, 0.5, (4, CLASSES))}
    for name, value in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value.astype(np.float32), name))
    card = {
        "schema_version": 1, "name": "wide", "window": 60, "bin": 50, "stride": 50,
        "inputs": [{"name": "sequence", "kind": "sequence"}],
        "outputs": [
            {"name": "out", "activation": "sigmoid", "classes": [{"name": f"c{n}"} for n in range(CLASSES)]}
        ],
    }  # fmt: skip
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / "wide.onnx"
    path.write_bytes(model.SerializeToString())
    return path


HISTOGRAMS = """
import numpy as np
from trackgen.bigwig.percentiles import Histogram, count_bins
from trackgen.bigwig.pieces import NO_PIECES, CutItems
from trackgen.scan.report import peak_memory
values = np.random.default_rng(0).random(1000, np.float32)
last = []
def fill():
    histograms = [Histogram() for _ in range(500)]
    for histogram in histograms:
        histogram.add_bins(*count_bins(CutItems(values, NO_PIECES), 1))
    last.append(histograms[-1])  # what lies above the others: their blocks are used again, not given back
fill()
before = peak_memory()
for _ in range(3):
    fill()
print(peak_memory() - before)
"""


def test_histograms_of_many_tracks_take_the_memory_of_their_values_alone() -> None:
    """500 of 512 KB each would be 256 MB; values between 0 and 1 fall into a few pages of them."""
    done = subprocess.run([sys.executable, "-c", HISTOGRAMS], check=True, capture_output=True, text=True, timeout=60)
    assert int(done.stdout) < 30e6


@pytest.mark.slow
def test_the_memory_of_900_tracks_does_not_grow_with_the_genome(tmp_path: Path) -> None:
    model = wide_model(tmp_path)
    peaks = []
    for megabases in (8, 16):
        letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(0, 4, megabases * 1_000_000)]
        genome = tmp_path / f"{megabases}.fa"
        genome.write_bytes(b">chr1\n" + letters.tobytes() + b"\n")
        out = tmp_path / f"out{megabases}"
        command = [sys.executable, "-m", "trackgen", "scan", str(model), str(genome), "-o", str(out), "-q", "-t", "2"]
        subprocess.run(command, check=True, timeout=250)
        run = json.loads((out / "run.json").read_text())
        assert len(run["tracks"]) == CLASSES
        assert {track["values"] for track in run["tracks"]} == {megabases * 1_000_000}
        peaks.append(run["peak_rss_bytes"])
    assert peaks[1] < 1.1 * peaks[0], peaks
    assert peaks[1] < 1 << 29, peaks
