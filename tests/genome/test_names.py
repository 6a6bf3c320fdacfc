"""What names mean by themselves, and which assembly they belong to."""

from __future__ import annotations

import pytest

from tests.data import data_file
from trackgen.genome import assembly_name, open_genome
from trackgen.genome.assemblies import ACCESSIONS, ASSEMBLIES
from trackgen.genome.names import accession_lengths, label, roman, roman_value


@pytest.mark.parametrize(
    ("number", "numeral"),
    [(1, "i"), (4, "iv"), (9, "ix"), (10, "x"), (14, "xiv"), (16, "xvi"), (40, "xl"), (49, "xlix")],
)
def test_roman_numerals(number: int, numeral: str) -> None:
    assert roman(number) == numeral
    assert roman_value(numeral) == number


@pytest.mark.parametrize("text", ["", "iiii", "vx", "m", "mt", "y", "iix", "2l"])
def test_what_is_no_numeral_has_no_value(text: str) -> None:
    assert roman_value(text) is None


@pytest.mark.parametrize(
    "same",
    [
        ("chr1", "1", "Chr1", "CHR01", "chromosome1", "NC_000001.11", "NC_000001"),
        ("chrII", "II", "ii", "NC_001134.8", "NC_003280.10"),
        ("chrX", "X", "NC_000023.10", "NC_003284.9", "NC_001142.9"),
        ("chrM", "M", "MT", "chrMT", "Mito", "MtDNA", "chrmt", "NC_001224.1", "NC_012920.1", "NC_001328"),
        ("chr1_KI270706v1_random", "KI270706.1", "KI270706v1"),
        ("chrUn_gl000211", "GL000211.1"),
    ],
)
def test_names_that_mean_the_same_have_one_label(same: tuple[str, ...]) -> None:
    assert len({label(name) for name in same}) == 1


@pytest.mark.parametrize(
    "pair", [("chr1", "chr11"), ("chrX", "chr10"), ("chrY", "chrX"), ("chr2L", "chr2R"), ("chr", "")]
)
def test_names_that_do_not_mean_the_same_have_two(pair: tuple[str, str]) -> None:
    assert label(pair[0]) != label(pair[1])


def test_an_accession_knows_its_length_and_without_version_its_lengths() -> None:
    assert accession_lengths("NC_000001.10") == {249_250_621}
    assert accession_lengths("NC_000001") == {249_250_621, 248_956_422}
    assert accession_lengths("NC_000001.99") is None
    assert accession_lengths("NC_999999.1") is None
    assert accession_lengths("chr1") is None


def lengths_of(assembly: str) -> dict[str, int]:
    return {f"chr{row.label}": row.length for row in ASSEMBLIES[assembly]}


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_every_assembly_is_recognised_whole_and_by_one_chromosome(assembly: str) -> None:
    lengths = lengths_of(assembly)
    assert assembly_name(lengths) == assembly
    first = next(iter(lengths))
    assert assembly_name({first: lengths[first]}) == assembly


@pytest.mark.parametrize("assembly", ["sacCer3", "ce10", "ce11", "hg19", "hg38"])
def test_every_assembly_is_recognised_by_other_names(assembly: str) -> None:
    rows = ASSEMBLIES[assembly]
    assert assembly_name({row.label: row.length for row in rows}) == assembly
    assert assembly_name({row.accession: row.length for row in rows}) == assembly


def test_yeast_with_arabic_numbers_is_recognised() -> None:
    rows = ASSEMBLIES["sacCer3"]
    assert assembly_name({f"chr{number}": row.length for number, row in enumerate(rows[:-1], 1)}) == "sacCer3"


def test_unplaced_sequences_do_not_matter() -> None:
    assert assembly_name({**lengths_of("hg38"), "chrUn_x": 7, "lambda": 48_502}) == "hg38"


def test_one_contradiction_makes_it_another_assembly() -> None:
    assert assembly_name({**lengths_of("hg38"), "chr7": 159_138_663}) is None


@pytest.mark.parametrize("lengths", [{}, {"chrM": 16_569}, {"chrI": 1000}, {"contig_1": 230_218}])
def test_what_is_not_certain_has_no_name(lengths: dict[str, int]) -> None:
    assert assembly_name(lengths) is None


def test_every_known_accession_has_one_length() -> None:
    for chromosomes in ASSEMBLIES.values():
        for row in chromosomes:
            assert not row.accession or ACCESSIONS[row.accession].length == row.length


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "assembly"),
    [
        ("genome_yeast/sacCer3.2bit", "sacCer3"),
        ("genome_worm/ce10.2bit", "ce10"),
        ("human_hg19/hg19_chr20_chr22_part.fa.gz", "hg19"),
    ],
)
def test_real_genomes_are_recognised(name: str, assembly: str) -> None:
    with open_genome(data_file(name)) as genome:
        assert assembly_name(genome.lengths) == assembly


@pytest.mark.data
@pytest.mark.parametrize("assembly", ["sacCer3", "ce10", "hg19", "hg38"])
def test_lengths_and_accessions_are_those_of_the_assembly_reports(assembly: str) -> None:
    rows = {}
    for line in data_file(f"blacklists/{assembly}.seqinfo.tsv").read_text().splitlines()[1:]:
        name, length, *_, aliases = line.split("\t")
        rows[name] = (int(length), aliases.split(","))
    for row in ASSEMBLIES[assembly]:
        length, aliases = rows[f"chr{row.label}"]
        assert row.length == length
        assert row.accession in aliases
