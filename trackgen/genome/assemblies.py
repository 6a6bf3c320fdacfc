"""Chromosomes of well-known assemblies: what UCSC calls them, how long they are, and their RefSeq accessions.

Lengths and accessions are those of UCSC's ``chrom.sizes`` and NCBI's assembly reports. Unplaced and alternative
sequences are left out: the chromosomes tell the assemblies apart.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ACCESSIONS", "ASSEMBLIES", "Chromosome"]


class Chromosome(NamedTuple):
    """One chromosome of one assembly."""

    label: str
    """UCSC's name without ``chr``."""
    length: int
    """bp."""
    accession: str
    """RefSeq accession with its version, or an empty text."""


def _table(labels: str, lengths: str, accessions: str = "") -> tuple[Chromosome, ...]:
    texts = accessions.split() or [""] * len(labels.split())
    rows = zip(labels.split(), map(int, lengths.split()), texts, strict=True)
    return tuple(Chromosome(*row) for row in rows)


ASSEMBLIES: dict[str, tuple[Chromosome, ...]] = {
    "sacCer3": _table(
        "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI M",
        "230218 813184 316620 1531933 576874 270161 1090940 562643 439888 745751 666816 1078177 924431 784333 "
        "1091291 948066 85779",
        "NC_001133.9 NC_001134.8 NC_001135.5 NC_001136.10 NC_001137.3 NC_001138.5 NC_001139.9 NC_001140.6 "
        "NC_001141.2 NC_001142.9 NC_001143.9 NC_001144.5 NC_001145.3 NC_001146.8 NC_001147.6 NC_001148.4 NC_001224.1",
    ),
    "ce10": _table(
        "I II III IV V X M",
        "15072423 15279345 13783700 17493793 20924149 17718866 13794",
        "NC_003279.7 NC_003280.9 NC_003281.9 NC_003282.7 NC_003283.10 NC_003284.8 NC_001328.1",
    ),
    "ce11": _table(
        "I II III IV V X M",
        "15072434 15279421 13783801 17493829 20924180 17718942 13794",
        "NC_003279.8 NC_003280.10 NC_003281.10 NC_003282.8 NC_003283.11 NC_003284.9 NC_001328.1",
    ),
    "dm6": _table(
        "2L 2R 3L 3R 4 X Y M",
        "23513712 25286936 28110227 32079331 1348131 23542271 3667352 19524",
    ),
    "hg19": _table(
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 X Y M MT",
        "249250621 243199373 198022430 191154276 180915260 171115067 159138663 146364022 141213431 135534747 "
        "135006516 133851895 115169878 107349540 102531392 90354753 81195210 78077248 59128983 63025520 48129895 "
        "51304566 155270560 59373566 16571 16569",
        "NC_000001.10 NC_000002.11 NC_000003.11 NC_000004.11 NC_000005.9 NC_000006.11 NC_000007.13 NC_000008.10 "
        "NC_000009.11 NC_000010.10 NC_000011.9 NC_000012.11 NC_000013.10 NC_000014.8 NC_000015.9 NC_000016.9 "
        "NC_000017.10 NC_000018.9 NC_000019.9 NC_000020.10 NC_000021.8 NC_000022.10 NC_000023.10 NC_000024.9 "
        "NC_001807.4 NC_012920.1",
    ),
    "hg38": _table(
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 X Y M",
        "248956422 242193529 198295559 190214555 181538259 170805979 159345973 145138636 138394717 133797422 "
        "135086622 133275309 114364328 107043718 101991189 90338345 83257441 80373285 58617616 64444167 46709983 "
        "50818468 156040895 57227415 16569",
        "NC_000001.11 NC_000002.12 NC_000003.12 NC_000004.12 NC_000005.10 NC_000006.12 NC_000007.14 NC_000008.11 "
        "NC_000009.12 NC_000010.11 NC_000011.10 NC_000012.12 NC_000013.11 NC_000014.9 NC_000015.10 NC_000016.10 "
        "NC_000017.11 NC_000018.10 NC_000019.10 NC_000020.11 NC_000021.9 NC_000022.11 NC_000023.11 NC_000024.10 "
        "NC_012920.1",
    ),
    "hs1": _table(
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 X Y M",
        "248387328 242696752 201105948 193574945 182045439 172126628 160567428 146259331 150617247 134758134 "
        "135127769 133324548 113566686 101161492 99753195 96330374 84276897 80542538 61707364 66210255 45090682 "
        "51324926 154259566 62460029 16569",
    ),
    "mm10": _table(
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 X Y M",
        "195471971 182113224 160039680 156508116 151834684 149736546 145441459 129401213 124595110 130694993 "
        "122082543 120129022 120421639 124902244 104043685 98207768 94987271 90702639 61431566 171031299 91744698 "
        "16299",
    ),
    "mm39": _table(
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 X Y M",
        "195154279 181755017 159745316 156860686 151758149 149588044 144995196 130127694 124359700 130530862 "
        "121973369 120092757 120883175 125139656 104073951 98008968 95294699 90720763 61420004 169476592 91455967 "
        "16299",
    ),
}
"""Chromosomes by UCSC's name of the assembly."""

ACCESSIONS: dict[str, Chromosome] = {
    chromosome.accession: chromosome
    for chromosomes in ASSEMBLIES.values()
    for chromosome in chromosomes
    if chromosome.accession
}
"""Chromosomes by accession with version; a version stands for one sequence, so also for one length."""
