"""`--hypothetical PREFIX`: whose files are kept, and what is refused before anything is run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scan.explained import convolution_model
from tests.scan.test_contribution_refusals import SEQUENCES, assert_words, refusal
from tests.scan.test_values import write_fasta
from trackgen.errors import UsageError
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.calls import scan_genome

REGIONS = ("a:101-120", "b:3-6")


def scan(folder: Path, out: str, **options: Any) -> list[bytes]:
    """The bytes of the two files after a scan."""
    genome = write_fasta(folder / "g.fa", SEQUENCES)
    path = folder / "net.onnx"
    if not path.exists():
        convolution_model(folder, strands="both")
    given: dict[str, Any] = {"contrib": ("hit",), "regions": REGIONS, "centred": True, "hypothetical": folder / "h"}
    run_scan(ScanOptions((str(path),), genome, folder / out, **(given | options)))
    return [(folder / f"h.{kind}.npz").read_bytes() for kind in ("ohe", "attr")]


def moments(folder: Path) -> list[int]:
    return [(folder / f"h.{kind}.npz").stat().st_mtime_ns for kind in ("ohe", "attr")]


def test_files_of_the_same_plan_are_kept_and_damaged_ones_written_anew(tmp_path: Path) -> None:
    first = scan(tmp_path, "one")
    before = moments(tmp_path)
    assert scan(tmp_path, "one") == scan(tmp_path, "two") == first
    assert moments(tmp_path) == before
    (tmp_path / "h.attr.npz").write_bytes(first[1][:-9])
    assert scan(tmp_path, "one") == first
    (tmp_path / "h.ohe.npz").unlink()
    assert scan(tmp_path, "one") == first


@pytest.mark.parametrize(
    "other",
    [{"regions": REGIONS[:1]}, {"regions": REGIONS[::-1]}, {"regions": (*REGIONS, REGIONS[0])}, {"contrib": ("other",)},
     {"reference": "shuffle:2"}, {"attribution": "gradient"}],
)  # fmt: skip
def test_files_of_another_run_are_written_anew(tmp_path: Path, other: dict[str, Any]) -> None:
    first = scan(tmp_path, "one")
    assert all(now != before for now, before in zip(scan(tmp_path, "two", **other), first, strict=True))
    regions = other.get("regions", REGIONS)
    assert [np.load(tmp_path / f"h.{kind}.npz")["arr_0"].shape for kind in ("ohe", "attr")] == [
        (len(regions), 4, 40)
    ] * 2
    assert scan(tmp_path, "one") == first
    assert sorted(path.name for path in tmp_path.glob("h.*")) == ["h.attr.npz", "h.ohe.npz"]


def test_the_stamp_is_no_array(tmp_path: Path) -> None:
    scan(tmp_path, "one")
    for kind in ("ohe", "attr"):
        with np.load(tmp_path / f"h.{kind}.npz") as file:
            assert file.files == ["arr_0"]


@pytest.mark.parametrize(("options", "flag"), [({"share": (1, 2)}, "--shard"), ({"plan_only": True}, "--plan-only")])
def test_a_part_of_a_run_writes_no_scores_and_says_so(tmp_path: Path, options: dict[str, Any], flag: str) -> None:
    path = convolution_model(tmp_path)
    message = refusal(tmp_path, path, regions=REGIONS, centred=True, hypothetical=tmp_path / "h", **options)
    assert_words(message, f"--hypothetical and {flag}: ", f"ive --hypothetical without {flag}", "`trackgen assemble`")


@pytest.mark.parametrize(
    ("prefix", "words"),
    [("gone/h", ["the folder of the files does not exist"]), ("folder", ["folder, --hypothetical: there is a folder"]),
     (".", ["there is a folder of this name"]), ("x" * 250, ["the files can't be written", "File name too long"]),
     ("x" * 300, ["File name too long"]), ("taken", ["taken.ohe.npz, --hypothetical: there is a folder"]),
     ("g.fa/h", ["the folder of the files does not exist"])],
)  # fmt: skip
def test_an_unusable_prefix_is_refused_before_the_models_are_read(
    tmp_path: Path, prefix: str, words: list[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken.ohe.npz").mkdir()
    assert_words(refusal(tmp_path, tmp_path / "no.onnx", hypothetical=tmp_path / prefix), "--hypothetical", *words)
    assert UsageError.exit_status == 2
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_that_can_not_be_written_to_is_refused(tmp_path: Path) -> None:
    closed = Path("/proc")
    if os.geteuid():
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
    elif not closed.is_dir():
        pytest.skip("root may write everywhere")
    message = refusal(tmp_path, tmp_path / "no.onnx", hypothetical=closed / "h")
    assert_words(message, f"{closed}/h, --hypothetical: the files can't be written", "that you may write to")


def test_the_prefix_may_be_named_as_the_output_folder(tmp_path: Path) -> None:
    assert scan(tmp_path, "h") == scan(tmp_path, "h")


@pytest.mark.parametrize("prefix", ["", "new/"])
def test_a_prefix_with_a_slash_at_its_end_is_refused(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(UsageError, match="hypothetical: not the beginning of files' names"):
        scan_genome("no.onnx", "no.fa", tmp_path / "out", hypothetical=prefix)
