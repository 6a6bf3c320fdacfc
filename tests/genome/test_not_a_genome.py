"""What reads like FASTA at its first byte and is no genome."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trackgen.errors import DataError
from trackgen.genome import genome_digest, open_genome


@pytest.mark.parametrize(
    ("content", "place", "letter"),
    [
        (">a\nACGT\n>b\nMKVLPQRSTEF\n", "b:4", "L"),
        (">a\nACGTACGT\nAC12\n", "a:11", "1"),
    ],
)
def test_other_letters_are_refused_where_they_stand(tmp_path: Path, content: str, place: str, letter: str) -> None:
    path = tmp_path / "x.fa"
    path.write_text(content)
    with open_genome(path) as genome, pytest.raises(DataError) as caught:
        genome_digest(genome)
    message = str(caught.value)
    assert "no nucleotide sequence" in message
    assert f"{path}, {place}:" in message
    assert repr(letter) in message
    assert caught.value.exit_status == 3


def test_letters_of_iupac_masks_and_gaps_pass(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGTURYSWKMBDHVNX-.*acgtn\n")
    with open_genome(path) as genome:
        assert genome.fetch("a", 0, 6).tolist() == [0, 1, 2, 3, 4, 4]


def test_a_sequence_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_text(">\nACGT\n>b\nACGT\n")
    with pytest.raises(DataError, match=r"x\.fa: a sequence has no name"):
        open_genome(path)


def test_a_pipe_is_told_to_be_written_to_a_file_first(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"can't be read from a pipe.*Write it to a file"):
        open_genome(path)
