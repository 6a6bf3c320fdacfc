"""Motifs of MEME, TRANSFAC and JASPAR files, their names, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data import data_file
from trackgen.errors import DataError
from trackgen.learn.datasets.motif_files import read_motifs

TRANSFAC = """VV  a release
XX
AC MA0363.3
XX
ID REB1
XX
DE MA0363.3 REB1 ; From JASPAR
PO\tA\tC\tG\tT
01\t2.0\t0.0\t0.0\t6.0
02\t1\t1\t1\t1
XX
//
AC  M2
P0      A      C      G      T
01      0      0      4      0      G
XX
//
"""
JASPAR = """>MA1.1 CTCF
A  [ 1 0 ]
C  [ 1 0 ]
G  [ 1 3.5 ]
T  [ 1 3.5e0 ]
>MA2.1
1 2
1 2
1 2
1 2
"""


def test_counts_of_a_transfac_file_become_probabilities(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text(TRANSFAC)
    found = read_motifs(tmp_path / "m.txt").motifs
    assert list(found) == ["MA0363.3 REB1", "M2"]
    assert found["MA0363.3 REB1"].T.tolist() == [[0.25, 0, 0, 0.75], [0.25] * 4]
    assert found["M2"].T.tolist() == [[0, 0, 1, 0]]


def test_counts_of_a_jaspar_file_become_probabilities(tmp_path: Path) -> None:
    (tmp_path / "m.jaspar").write_text(JASPAR)
    found = read_motifs(tmp_path / "m.jaspar").motifs
    assert found["MA1.1 CTCF"].T.tolist() == [[0.25] * 4, [0, 0, 0.5, 0.5]]
    assert found["MA2.1"].shape == (4, 2)


def test_a_motif_is_found_by_its_name_or_a_word_of_it(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text(TRANSFAC)
    database = read_motifs(tmp_path / "m.txt")
    assert list(database.find("reb1")) == list(database.find("MA0363.3")) == ["MA0363.3 REB1"]
    with pytest.raises(DataError, match=r"m\.txt: no motif has this name; found REB2; wanted REB1\.") as caught:
        database.find("REB2")
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AC x\nPO A C G T\n01 1 2 3\n//\n", "can't be read; found 01 1 2 3; wanted a MEME file .* a TRANSFAC file"),
        (">x\n1 2\n1 2\n", "can't be read; found x has 2 rows"),
        (">x\nACGT\n", "holds no motif; found '>x'"),
        ("AC x\n//\n", "holds no motif"),
        ("", "holds no motif; found ''"),
        (
            "AC x\nPO A C G T\n01 0 0 0 0\n//\n",
            "motif x: a motif's rows are not probabilities",
        ),
    ],
)
def test_a_file_without_motifs_says_which_formats_are_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.txt").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_motifs(tmp_path / "m.txt")
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("name", "factor", "width", "number"),
    [
        ("JASPAR2024_CORE_fungi_non-redundant_pfms_transfac.txt", "REB1", 9, 178),
        ("SwissRegulon_s_cer.meme", "REB1", 11, 158),
        ("HOCOMOCO_H12CORE_meme_format.meme", "CTCF", 20, 1443),
    ],
)
def test_real_databases_are_read_whole(name: str, factor: str, width: int, number: int) -> None:
    database = read_motifs(data_file(f"motifs/{name}"))
    assert len(database.motifs) == number
    (found,) = database.find(factor).values()
    assert found.shape == (4, width)
    assert np.allclose(found.sum(axis=0), 1, rtol=0, atol=1e-12)
