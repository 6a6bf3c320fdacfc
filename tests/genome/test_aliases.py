"""Reconciling a file's sequence names with the genome's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.genome.conftest import refused
from trackgen.genome import describe, reconcile
from trackgen.genome.assemblies import ASSEMBLIES

YEAST = {f"chr{row.label}": row.length for row in ASSEMBLIES["sacCer3"]}
WORM = {f"chr{row.label}": row.length for row in ASSEMBLIES["ce10"]}
HUMAN = {f"chr{row.label}": row.length for row in ASSEMBLIES["hg38"]}
HG19 = {f"chr{row.label}": row.length for row in ASSEMBLIES["hg19"]}
GENOMES = {"sacCer3": YEAST, "ce10": WORM, "hg38": HUMAN, "hg19": HG19}


def match(names: object, lengths: dict[str, int], **keywords: object) -> dict[str, str]:
    known = names if isinstance(names, dict) else dict.fromkeys(names)
    return dict(reconcile(known, lengths, path="peaks.bed", what="BED file", **keywords))


@pytest.mark.parametrize("assembly", GENOMES)
def test_a_genome_means_itself(assembly: str) -> None:
    lengths = GENOMES[assembly]
    assert match(lengths, lengths) == {name: name for name in lengths}
    assert describe(match(lengths, lengths)) is None


@pytest.mark.parametrize("assembly", GENOMES)
@pytest.mark.parametrize("with_lengths", [False, True])
def test_names_without_chr_and_refseq_accessions_are_matched_both_ways(assembly: str, with_lengths: bool) -> None:
    if assembly == "hg19" and not with_lengths:
        pytest.skip("hg19 has two mitochondria, which only lengths tell apart")
    lengths = GENOMES[assembly]
    rows = ASSEMBLIES[assembly]
    for style in ([row.label for row in rows], [row.accession for row in rows]):
        other = {name: row.length for name, row in zip(style, rows, strict=True)}
        expected = dict(zip(style, lengths, strict=True))
        assert match(other if with_lengths else list(other), lengths) == expected
        back = match(lengths if with_lengths else list(lengths), other)
        assert back == {name: alias for alias, name in expected.items()}


@pytest.mark.parametrize("alias", ["MT", "Mito", "M", "chrMT", "mtDNA", "NC_001224.1", "NC_001224"])
def test_the_mitochondrion_goes_by_many_names(alias: str) -> None:
    assert match([alias], YEAST) == {alias: "chrM"}


def test_of_two_mitochondria_the_name_or_the_length_decides() -> None:
    assert match(["MT"], HG19) == {"MT": "chrMT"}
    assert match(["M"], HG19) == {"M": "chrM"}
    assert match({"Mito": 16_571}, HG19) == {"Mito": "chrM"}
    assert match(["NC_012920.1"], HG19) == {"NC_012920.1": "chrMT"}
    with refused("several sequences", "found Mito", "one of chrM, chrMT", "Use the genome's own names"):
        match(["Mito"], HG19)


def test_unplaced_sequences_are_matched_by_accession() -> None:
    genome = {"chr1": 1000, "chr1_KI270706v1_random": 500, "chrUn_gl000211": 400}
    assert match(["KI270706.1", "GL000211.1"], genome) == {
        "KI270706.1": "chr1_KI270706v1_random",
        "GL000211.1": "chrUn_gl000211",
    }


def test_arabic_numbers_mean_roman_ones_where_the_whole_genome_is_numbered_so() -> None:
    assert match(["chr10", "4", "chr16"], YEAST) == {"chr10": "chrX", "4": "chrIV", "chr16": "chrXVI"}
    assert match(["2"], WORM) == {"2": "chrII"}


def test_ten_is_never_the_sex_chromosome() -> None:
    with refused("does not have", "found 10"):
        match(["10"], WORM)
    with refused("does not have", "found 6"):
        match(["6"], WORM)
    assert match(["10", "X"], HUMAN) == {"10": "chr10", "X": "chrX"}


def test_ten_is_matched_to_x_where_the_lengths_agree() -> None:
    assert match({"10": YEAST["chrX"]}, {name: YEAST[name] for name in ("chrIV", "chrX")}) == {"10": "chrX"}


def test_roman_numbers_mean_arabic_ones_only_beside_other_numerals() -> None:
    genome = {f"chr{number}": length for number, length in enumerate(list(YEAST.values())[:-1], 1)}
    assert match(["chrX", "chrIV"], genome) == {"chrX": "chr10", "chrIV": "chr4"}
    with refused("does not have", "found chrX"):
        match(["chrX"], genome)
    with refused("does not have", "found chrX"):
        match(["chrX", "chr4"], genome)


def test_x_in_a_roman_file_on_a_genome_with_10_and_x_is_refused_unless_the_length_decides() -> None:
    with refused("may mean several sequences", "found X", "chrX, chr10"):
        match(["II", "X"], HUMAN)
    assert match({"II": HUMAN["chr2"], "X": HUMAN["chr10"]}, HUMAN)["X"] == "chr10"
    assert match({"II": HUMAN["chr2"], "X": HUMAN["chrX"]}, HUMAN)["X"] == "chrX"


def test_a_sequence_of_another_name_is_matched_by_its_length_alone() -> None:
    assert match({"CM000663.2": HUMAN["chr1"]}, HUMAN) == {"CM000663.2": "chr1"}


@pytest.mark.parametrize(
    ("names", "genome"),
    [
        ({"contig": 9_999}, {"one": 9_999, "two": 5}),
        ({"contig": 20_000}, {"one": 20_000, "two": 20_000}),
        ({"contig": 20_000, "other": 20_000}, {"one": 20_000}),
    ],
    ids=["short", "twice in the genome", "twice in the file"],
)
def test_a_length_that_may_agree_by_chance_decides_nothing(names: dict[str, int], genome: dict[str, int]) -> None:
    with refused("does not have", "found contig"):
        match(names, genome)


def test_an_unknown_name_is_refused_with_near_names_and_its_place() -> None:
    with refused("peaks.bed, line 7", "BED file names a sequence that the genome does not have", "found chrIIX",
                 "a name such as chrIX, chrII", "aliases (chr1, 1, I, NC_...)"):  # fmt: skip
        match(["chrI", "chrIIX"], YEAST, places={"chrIIX": "line 7"})


def test_a_name_near_nothing_is_refused_with_some_names() -> None:
    with refused("found scaffold_77", "one of chrI, chrII, chrIII, chrIV, chrV, ..."):
        match(["scaffold_77"], YEAST)


def test_unknown_names_are_left_out_on_demand_as_long_as_one_is_known() -> None:
    assert match(["chrI", "lambda"], YEAST, allow_unknown=True) == {"chrI": "chrI"}
    with refused("does not have", "found lambda"):
        match(["lambda", "phiX"], YEAST, allow_unknown=True)


def test_another_length_is_refused_with_both_assemblies() -> None:
    with refused("another length", "found chr1 of 249,250,621 bp", "wanted 248,956,422 bp, as chr1",
                 "seems to be of hg19, the genome is hg38"):  # fmt: skip
        match({"chr1": 249_250_621}, HUMAN)


def test_an_accession_of_another_assembly_is_refused() -> None:
    with refused("another length", "found NC_000001.10 of 249,250,621 bp", "hg19"):
        match(["NC_000001.10"], HUMAN)


def test_an_accession_of_another_species_is_refused() -> None:
    with refused("another length", "NC_000023.11"):
        match(["NC_000023.11"], WORM)


def test_two_names_for_one_sequence_are_refused() -> None:
    with refused("two sequence names", "chrI and I", "one name for chrI"):
        match(["chrI", "I"], YEAST)


def test_no_names_are_no_fault() -> None:
    assert match([], YEAST) == {}


def test_the_mapping_is_told_in_one_sentence() -> None:
    assert describe({"chrI": "chrI", "II": "chrII"}) == "sequence names: II as chrII"
    assert describe(match(["I", "II", "III", "IV", "V"], YEAST)) == (
        "sequence names: I as chrI, II as chrII, III as chrIII and 2 more"
    )


names = st.text("chrIVX123M_", min_size=1, max_size=6)


@given(
    genome=st.dictionaries(names, st.integers(1, 30_000), min_size=1, max_size=8),
    file=st.dictionaries(names, st.none() | st.integers(1, 30_000), max_size=8),
)
def test_whatever_is_matched_exists_agrees_in_length_and_is_matched_once(
    genome: dict[str, int], file: dict[str, int | None]
) -> None:
    from trackgen.errors import DataError

    try:
        mapping = match(file, genome)
    except DataError:
        return
    assert list(mapping) == list(file)
    assert len(set(mapping.values())) == len(mapping)
    for name, target in mapping.items():
        assert target in genome
        assert file[name] in (None, genome[target])
        assert name not in genome or target == name
