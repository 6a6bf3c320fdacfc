"""The synthetic genome that benchmarks scan: lengths, runs of N, changes, and the same bytes again."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.data import data_file
from tests.source import ROOT
from trackgen.errors import DataError
from trackgen.genome import UNKNOWN, decode, open_genome

SCALE = 0.0005
"""chr1 has 124,478 bases, its telomeres 5, its centromere 1,500; chrM has 8 bases."""


def load_script() -> ModuleType:
    path = ROOT / "benchmarks" / "synthetic_genome.py"
    spec = importlib.util.spec_from_file_location("synthetic_genome", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences, shorter than most that are made of them, so that these go round the circle."""
    path = tmp_path_factory.mktemp("source") / "source.fa"
    random = np.random.default_rng(5)
    text = "".join(
        f">{name}\n{decode(random.integers(0, 4, size, np.uint8))}\n" for name, size in (("a", 30_011), ("b", 997))
    )
    path.write_text(text, encoding="ascii")
    return path


@pytest.fixture(scope="module")
def made(source: Path) -> Path:
    path = source.with_name("made.2bit")
    script.make(path, source, scale=SCALE)
    return path


def test_its_sequences_have_the_names_and_scaled_lengths_of_hg38(made: Path) -> None:
    with open_genome(made) as genome:
        assert genome.lengths == {name: max(1, round(length * SCALE)) for name, length in script.LENGTHS.items()}
    assert sum(script.LENGTHS.values()) == 3_088_286_401
    assert len(script.LENGTHS) == 25


def test_the_lengths_are_those_of_the_data_folder() -> None:
    lines = data_file("blacklists/hg38.seqinfo.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1 : 1 + len(script.LENGTHS)]]
    assert {row[0]: int(row[1]) for row in rows} == script.LENGTHS


def test_unknown_bases_are_telomeres_and_a_centromere_and_nothing_else(made: Path) -> None:
    with open_genome(made) as genome:
        for name, length in genome.lengths.items():
            unknown = genome.fetch(name, 0, length) == UNKNOWN
            edges = np.flatnonzero(np.diff(unknown, prepend=False, append=False)).reshape(-1, 2).tolist()
            middle = (length - 1500) // 2
            runs = [[0, 5], [middle, middle + 1500], [length - 5, length]]
            assert edges == ([] if name == "chrM" else runs)


def test_py2bit_reads_the_same(made: Path) -> None:
    py2bit = pytest.importorskip("py2bit")
    other = py2bit.open(str(made))
    with open_genome(made) as genome:
        assert other.chroms() == genome.lengths
        for name, length in genome.lengths.items():
            assert other.sequence(name) == decode(genome.fetch(name, 0, length))
    other.close()


def test_the_same_arguments_give_the_same_bytes_and_another_seed_gives_others(made: Path, source: Path) -> None:
    again, other = made.with_name("again.2bit"), made.with_name("other.2bit")
    script.make(again, source, scale=SCALE)
    script.make(other, source, scale=SCALE, seed=2)
    assert again.read_bytes() == made.read_bytes()
    assert other.read_bytes() != made.read_bytes()


def test_about_one_base_in_a_hundred_differs_from_the_source_and_copies_differ_from_one_another(
    made: Path, source: Path
) -> None:
    circle = 30_011 + 997
    with open_genome(source) as genome:
        around = np.concatenate([genome.fetch("a", 0, 30_011), genome.fetch("b", 0, 997)])
        place = script.SyntheticGenome(genome, scale=SCALE)._places["chr1"]
    with open_genome(made) as genome:
        codes = genome.fetch("chr1", 0, genome.lengths["chr1"])
    known = codes != UNKNOWN
    changed = codes != around[(place + np.arange(len(codes))) % circle]
    assert 0.008 < changed[known].mean() < 0.012  # 1,200 changes: the standard deviation is 3 % of the share
    first, second = slice(100, circle), slice(100 + circle, 2 * circle)
    assert (codes[first] != codes[second])[known[first] & known[second]].mean() > 0.01


def test_a_stretch_reads_alike_however_it_is_cut(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "BLOCK", 1000)
    with open_genome(source) as genome:
        synthetic = script.SyntheticGenome(genome, scale=SCALE)
        length = synthetic.lengths["chr21"]
        whole = synthetic.fetch("chr21", 0, length)
        for size in (1, 7, 999, 1000, 1001, 4096):
            starts = range(0, length if size > 1 else 50, size)
            parts = [synthetic.fetch("chr21", start, min(length, start + size)) for start in starts]
            joined = np.concatenate(parts)
            np.testing.assert_array_equal(joined, whole[: len(joined)])


def test_what_lies_outside_a_sequence_is_refused(source: Path) -> None:
    with open_genome(source) as genome, pytest.raises(DataError, match="no such stretch"):
        script.SyntheticGenome(genome, scale=SCALE).fetch("chrM", 0, 9)
