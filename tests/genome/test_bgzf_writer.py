"""What is packed is read back by others, and lines of packed files are those of plain ones."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackgen.errors import DataError
from trackgen.genome.bgzf import END_BLOCK, is_bgzf
from trackgen.genome.bgzf_pieces import bgzf_pieces
from trackgen.genome.bgzf_writer import BLOCK, BgzfWriter
from trackgen.genome.text_lines import text_lines


def packed(parts: list[bytes]) -> bytes:
    file = io.BytesIO()
    with BgzfWriter(file) as writer:
        for part in parts:
            writer.write(part)
    return file.getvalue()


@given(st.lists(st.binary(max_size=300), max_size=5), st.sampled_from([0, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK]))
def test_what_is_packed_is_read_back_however_it_was_cut(parts: list[bytes], more: int) -> None:
    parts = [*parts, b"x" * more]
    found = packed(parts)
    assert gzip.decompress(found) == b"".join(parts)
    assert found == packed([b"".join(parts)])
    assert is_bgzf(found)
    assert found.endswith(END_BLOCK)


def test_what_cannot_be_compressed_fits_into_a_block(tmp_path: Path) -> None:
    text = os.urandom(3 * BLOCK + 5)
    (tmp_path / "random.gz").write_bytes(packed([text]))
    assert b"".join(bgzf_pieces(tmp_path / "random.gz")) == text
    if shutil.which("bgzip"):
        subprocess.run(["bgzip", "-t", tmp_path / "random.gz"], check=True)


def test_after_an_error_the_file_is_not_closed_as_a_whole_one() -> None:
    file = io.BytesIO()
    with pytest.raises(TypeError), BgzfWriter(file) as writer:
        writer.write(None)  # type: ignore[arg-type]
    assert not file.getvalue()


@pytest.mark.parametrize("text", [b"", b"\n", b"a", b"a\nb", b"a\r\nb\r\n\n", b"a\rb\nc", b"x" * 200_000 + b"\ny\n"])
@pytest.mark.parametrize("way", [bytes, gzip.compress, lambda text: packed([text])], ids=["plain", "gzip", "bgzip"])
def test_lines_end_at_line_feeds_alone_and_keep_their_ends(tmp_path: Path, text: bytes, way: object) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes(way(text))  # type: ignore[operator]
    wanted = [line + b"\n" for line in text.split(b"\n")]
    wanted = [*wanted[:-1], *([wanted[-1][:-1]] if wanted[-1] != b"\n" else [])]
    assert list(text_lines(path, "text")) == list(enumerate(wanted, 1))


@pytest.mark.parametrize("kept", [9, 20, 40, -9, -1])
def test_a_gzip_file_that_was_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"".join(b"line %d\n" % number for number in range(1000)))[:kept])
    with pytest.raises(DataError, match=r"cut\.gz.*: the gzip file is damaged or truncated") as caught:
        list(text_lines(path, "text"))
    assert caught.value.exit_status == 3


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "name.bed").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("", "this is a folder; wanted a BED file"),
        ("pipe", "this is a pipe, which can't be read twice; wanted a BED file"),
        ("nome.bed", "the file does not exist; wanted a BED file. Did you mean name.bed"),
    ):
        with pytest.raises(DataError) as caught:
            list(text_lines(tmp_path / name, "BED file"))
        assert words in str(caught.value)
        assert caught.value.exit_status == 3
