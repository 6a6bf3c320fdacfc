"""Regions that were seen live become tracks of the hub: those of a scan of them, in every browser's files."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.hub.conftest import Build
from tests.hub.stanzas import read_stanzas
from tests.hubs import LENGTHS, OTHER_LENGTHS, write_fasta, write_run
from tests.models import small_model
from tests.scan.explained import convolution_model
from trackgen.errors import DataError, ResourceError, UsageError
from trackgen.genome.regions import Interval
from trackgen.hub import kept_change
from trackgen.hub.bare import build_bare_hub
from trackgen.hub.check import check_hub
from trackgen.hub.keep import KeptReport, keep_region
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, run_scan

Keep = Callable[..., KeptReport]
FIRST, SECOND = Interval("chrI", 1000, 1400), Interval("chrII", 20, 300)
PREDICTIONS = [f"tss-mini.{name}.{strand}.kept.bw" for name in ("background", "hit") for strand in ("plus", "minus")]
LETTERS = [f"tss-mini.hit.{strand}.contrib.kept.bw" for strand in ("plus", "minus")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models: one of the name of the model whose tracks the hub has, and another."""
    folder = tmp_path_factory.mktemp("models")
    return {
        name: small_model(folder, name=name, strands="both", seed=seed).path
        for seed, name in enumerate(("tss-mini", "other"))
    }


@pytest.fixture
def keep(finished: Path, tmp_path: Path, models: dict[str, Path]) -> Keep:
    """``keep(interval, ...)`` in ``tmp_path / "hub"``, by the first model with its contributions to ``hit``."""

    def keep(interval: Interval, *, names: Sequence[str] = ("tss-mini",), **options: Any) -> KeptReport:
        options = {"contributions": {"tss-mini": ["hit"]}, "device": "cpu"} | options
        return keep_region(
            tmp_path / "hub", [models[name] for name in names], finished / "mini.fa", interval, **options
        )

    return keep


def contents(hub: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in hub.iterdir()}


def faults(hub: Path) -> list[str]:
    """What the check of the hub finds; --strict counts warnings, too."""
    return [f"{finding.rule} {finding.place} {finding.what}" for finding in check_hub(str(hub)).findings]


def scanned(folder: Path, model: Path, genome: Path, regions: Sequence[str]) -> dict[str, bytes]:
    """The tracks of a scan of some regions, by the names that they are kept under."""
    options = ScanOptions(
        (str(model),),
        genome,
        folder,
        contrib=("hit",),
        contrib_weight="probability",
        regions=tuple(regions),
        device="cpu",
    )
    run_scan(options)
    return {f"{path.stem}.kept.bw": path.read_bytes() for path in folder.glob("*.bw")}


def test_kept_tracks_are_those_of_a_scan_byte_for_byte(
    build: Build, keep: Keep, finished: Path, tmp_path: Path, models: dict[str, Path]
) -> None:
    build()
    keep(FIRST)
    report = keep(SECOND)
    assert report == KeptReport((*PREDICTIONS, *LETTERS), 2)
    wanted = scanned(tmp_path / "scan", models["tss-mini"], finished / "mini.fa", ["chrI:1001-1400", "chrII:21-300"])
    assert {name: (tmp_path / "hub" / name).read_bytes() for name in report.files} == wanted
    assert (tmp_path / "hub" / "kept.bed").read_text() == "chrI\t1000\t1400\ttss-mini\nchrII\t20\t300\ttss-mini\n"


@pytest.mark.parametrize(("layout", "url"), [("one-file", None), ("three-file", "https://example.org/hub/")])
def test_every_browsers_file_has_the_kept_tracks_behind_what_it_had(
    build: Build, keep: Keep, tmp_path: Path, layout: str, url: str | None
) -> None:
    build(layout=layout, url=url)
    hub = tmp_path / "hub"
    before = contents(hub)
    keep(FIRST)
    after = contents(hub)
    assert faults(hub) == []
    base = url or ""
    settings = "hub.txt" if layout == "one-file" else "trackDb.mini.txt"
    assert after[settings].startswith(before[settings].rstrip())
    stanzas = read_stanzas(after[settings].decode())
    assert [one["bigDataUrl"] for one in stanzas if "kept" in one.get("bigDataUrl", "")] == [*PREDICTIONS, *LETTERS]
    for mark in ["", ".absolute"] if url else [""]:
        address = base if mark else ""
        igv = json.loads(after[f"igv{mark}.json"])["tracks"]
        shown = [part["url"] for entry in igv for part in entry.get("tracks", [entry])]
        assert {address + name for name in [*PREDICTIONS, *LETTERS]} <= set(shown)
        old = json.loads(before[f"igv{mark}.json"])["tracks"]
        assert igv[: len(old)] == old
        jbrowse = json.loads(after[f"config{mark}.json"])
        view = jbrowse["defaultSession"]["views"][0]
        assert view["init"]["tracks"][1:] == [entry["trackId"] for entry in jbrowse["tracks"]]
        assert [entry["configuration"] for entry in view["tracks"][1:]] == view["init"]["tracks"][1:]
        for name in [*PREDICTIONS, *LETTERS]:
            for file in (f"config{mark}.json", f"washu{mark}.json", f"igv{mark}.xml"):
                assert (address + name).encode() in after[file]
    for name in [*PREDICTIONS, *LETTERS]:
        assert f"file = {name}".encode() in after["tracks.ini"]
    for page in ("index.html", "hub.html"):
        assert b'<a href="tss_mini_hit_plus_contrib_kept.html">' in after[page]
        assert b"1 region seen live" in after[page]
    assert b"10 tracks." in after["index.html"]
    assert b"4 tracks." in before["index.html"]


def test_tracks_that_were_there_stay_as_they_were(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    before = contents(tmp_path / "hub")
    keep(FIRST)
    after = contents(tmp_path / "hub")
    merged = {"hub.txt", "igv.json", "igv.xml", "config.json", "washu.json", "tracks.ini", "trackgen.json"}
    pages = {"index.html", "hub.html", "jbrowse.html", "live.html"}
    assert {name for name in before if before[name] != after[name]} <= merged | pages
    assert set(before) < set(after)


def test_keeping_a_region_twice_changes_nothing(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    first = keep(FIRST)
    before = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (tmp_path / "hub").iterdir()}
    assert keep(FIRST) == first
    assert keep(Interval("chrI", 1100, 1200), contributions={}) == first
    after = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (tmp_path / "hub").iterdir()}
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_regions_that_touch_become_one_and_the_order_of_keeping_does_not_matter(
    build: Build, keep: Keep, tmp_path: Path
) -> None:
    build()
    parts = [Interval("chrI", 1200, 1400), Interval("chrI", 1000, 1200)]
    assert [keep(part).regions for part in parts] == [1, 1]
    one = contents(tmp_path / "hub")
    build()
    keep(FIRST)
    assert contents(tmp_path / "hub") == one


def test_contributions_come_when_they_are_asked_for_and_stay(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    assert list(keep(FIRST, contributions={}).files) == PREDICTIONS
    assert list(keep(FIRST).files) == [*PREDICTIONS, *LETTERS]
    assert list(keep(SECOND, contributions={}).files) == [*PREDICTIONS, *LETTERS]
    assert faults(tmp_path / "hub") == []


def test_each_model_has_kept_tracks_of_its_own(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    keep(FIRST)
    report = keep(SECOND, names=["other"], contributions={"other": []})
    assert report.regions == 1
    assert all(name.startswith("other.") for name in report.files)
    assert keep(FIRST, names=["tss-mini", "other"]).regions == 2
    names = [entry["name"] for entry in json.loads((tmp_path / "hub" / "igv.json").read_text())["tracks"]]
    assert {"hit +, kept", "hit +, kept (other)"} < set(names)
    lines = (tmp_path / "hub" / "kept.bed").read_text().splitlines()
    assert [line.split("\t")[3] for line in lines] == ["other", "tss-mini", "other"]
    assert faults(tmp_path / "hub") == []


def test_a_hub_of_two_genomes_keeps_on_the_one_that_is_given(
    finished: Path, tmp_path: Path, build: Build, models: dict[str, Path]
) -> None:
    other = write_fasta(tmp_path / "second.fa", seed=8, lengths=OTHER_LENGTHS)
    run = write_run(tmp_path / "run", genome="second.fa", lengths=OTHER_LENGTHS)
    build(finished / "out", run, genome=[str(finished / "mini.fa"), str(other)])
    keep_region(tmp_path / "hub", [models["tss-mini"]], other, Interval("chrX", 0, 90), contributions={}, device="cpu")
    assert (tmp_path / "hub" / "kept.second.bed").read_text() == "chrX\t0\t90\ttss-mini\n"
    assert "kept" not in (tmp_path / "hub" / "igv.json").read_text()
    assert "kept" in (tmp_path / "hub" / "igv.second.json").read_text()
    assert faults(tmp_path / "hub") == []


def test_a_hub_without_tracks_takes_them_and_its_groups(
    keep: Keep, finished: Path, tmp_path: Path, models: dict[str, Path]
) -> None:
    build_bare_hub(tmp_path / "hub", finished / "mini.fa", [models["tss-mini"]], NullProgress())
    keep(FIRST)
    assert faults(tmp_path / "hub") == []
    groups = read_stanzas((tmp_path / "hub" / "groups.txt").read_text())
    assert [group["name"] for group in groups] == ["predictions", "contributions"]


def test_a_later_build_replaces_a_hub_with_kept_regions(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    before = contents(tmp_path / "hub")
    keep(FIRST)
    build()
    assert contents(tmp_path / "hub") == before


def test_a_hub_behind_a_link_is_that_hub(build: Build, keep: Keep, tmp_path: Path) -> None:
    real = build(output=tmp_path / "elsewhere" / "real").path
    (tmp_path / "hub").symlink_to(real)
    keep(FIRST)
    assert (tmp_path / "hub").is_symlink()
    assert (real / "kept.bed").is_file()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_public_files_name_no_folder(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    keep(FIRST)
    assert not [name for name, data in contents(tmp_path / "hub").items() if str(tmp_path.parent).encode() in data]


def test_a_model_that_reads_a_signal_is_kept_with_its_file(build: Build, finished: Path, tmp_path: Path) -> None:
    build()
    signal = {"name": "atac", "kind": "signal", "resolution": 1, "missing": 0}
    model = convolution_model(tmp_path, name="reader", signal=signal, activation="sigmoid")
    track = finished / "out" / "tss-mini.sharp.plus.bw"
    options: dict[str, Any] = {"contributions": {}, "device": "cpu"}
    where = (tmp_path / "hub", [model], finished / "mini.fa", FIRST)
    with pytest.raises(UsageError, match="atac"):
        keep_region(*where, **options)
    report = keep_region(*where, **options, signals=[("atac", track), ("other", track)])
    assert report.files
    assert faults(tmp_path / "hub") == []


class Killed(BaseException):
    """What no code catches."""


@pytest.mark.parametrize("before", [[], [FIRST]], ids=["nothing kept", "a region kept"])
@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_step_the_hub_is_right_and_keeping_again_ends_it(
    build: Build, keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, before: list[Interval]
) -> None:
    hub, put, left = tmp_path / "hub", kept_change._put, 1000
    build()
    for region in before:
        keep(region)
    shutil.copytree(hub, tmp_path / "start")

    def put_some(*arguments: Any) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        put(*arguments)

    monkeypatch.setattr(kept_change, "_put", put_some)
    more = {"tss-mini": ["hit", "background"]}
    keep(SECOND, contributions=more)
    wanted, steps = contents(hub), 1000 - left
    assert steps > 15
    for step in range(steps - 1, -1, -every):
        shutil.rmtree(hub)
        shutil.copytree(tmp_path / "start", hub)
        left = step
        with pytest.raises(Killed):
            keep(SECOND, contributions=more)
        assert faults(hub) == []
        left = 1000
        keep(SECOND, contributions=more)
        assert contents(hub) == wanted


def test_two_that_keep_at_once_take_turns(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    regions = [Interval("chrI", start, start + 50) for start in range(0, 400, 100)]
    threads = [threading.Thread(target=keep, args=(region,)) for region in regions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len((tmp_path / "hub" / "kept.bed").read_text().splitlines()) == 4
    assert faults(tmp_path / "hub") == []


@pytest.mark.parametrize("interval", [("chrI", 5, 5), ("chrI", -1, 5), ("chrI", 0, 60_001), ("chrQ", 0, 5)])
def test_a_region_that_the_genome_lacks_is_refused(build: Build, keep: Keep, interval: tuple[str, int, int]) -> None:
    build()
    with pytest.raises(UsageError, match="the region is none of the genome") as error:
        keep(Interval(*interval))
    assert error.value.exit_status == 2


def test_a_folder_that_is_no_hub_of_ours_is_refused(keep: Keep, tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with pytest.raises(DataError, match="regions can be kept in hubs of trackgen only") as error:
        keep(FIRST)
    assert error.value.exit_status == 3
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_another_genome_is_refused(build: Build, tmp_path: Path, models: dict[str, Path]) -> None:
    build()
    other = write_fasta(tmp_path / "other.fa", lengths=OTHER_LENGTHS)
    with pytest.raises(DataError, match=r"the genome is not the one that the hub is of.*chrI of 61,000 bases") as error:
        keep_region(tmp_path / "hub", [models["tss-mini"]], other, Interval("chrX", 0, 9), contributions={})
    assert error.value.exit_status == 3


def test_a_hub_of_other_names_tells_which_file_has_them(
    build: Build, keep: Keep, tmp_path: Path, finished: Path
) -> None:
    build(genome=[str(finished / "mini.fa")], names="ensembl")
    with pytest.raises(DataError, match=r"found chrI of .* Give \S+/hub/mini\S*\.2bit") as error:
        keep(FIRST)
    assert error.value.exit_status == 3


def test_a_genome_that_lacks_a_sequence_of_the_hub_is_told_by_that_sequence(
    build: Build, tmp_path: Path, models: dict[str, Path]
) -> None:
    build()
    some = write_fasta(tmp_path / "some.fa", lengths=dict(list(LENGTHS.items())[:-1]))
    with pytest.raises(DataError, match=f"the hub is of; found no {list(LENGTHS)[-1]}; wanted the names"):
        keep_region(tmp_path / "hub", [models["tss-mini"]], some, FIRST, contributions={})


def test_a_hub_that_is_built_again_during_the_scan_stays_as_it_was_built(
    build: Build, keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    built: list[dict[str, bytes]] = []

    def meanwhile(*given: Any) -> object:
        build(layout="three-file")
        built.append(contents(tmp_path / "hub"))
        return run_scan(*given)

    monkeypatch.setattr("trackgen.hub.keep.run_scan", meanwhile)
    with pytest.raises(ResourceError, match=r"the hub was built again meanwhile\. Keep it once more") as error:
        keep(FIRST)
    assert error.value.exit_status == 75
    assert contents(tmp_path / "hub") == built[0]


def test_a_hub_that_may_not_be_written_is_told_before_the_scan(
    build: Build, keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    before = contents(tmp_path / "hub")
    # Folders that are read-only are so for others than root alone.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr("trackgen.hub.keep.run_scan", lambda *_: pytest.fail("it was scanned"))
    with pytest.raises(
        ResourceError, match=r"the region could not be kept; found Permission denied\. Let the"
    ) as error:
        keep(FIRST)
    assert error.value.exit_status == 75
    assert contents(tmp_path / "hub") == before
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_a_file_that_others_changed_is_told_and_nothing_is_written(build: Build, keep: Keep, tmp_path: Path) -> None:
    build()
    (tmp_path / "hub" / "igv.xml").write_text("<Session/>\n")
    before = contents(tmp_path / "hub")
    with pytest.raises(DataError, match="a file of the hub is not as trackgen wrote it") as error:
        keep(FIRST)
    assert error.value.exit_status == 3
    assert contents(tmp_path / "hub") == before


def test_a_full_disk_is_told(build: Build, keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_change, "_put", full)
    with pytest.raises(ResourceError, match=r"the region could not be kept.*No space left") as error:
        keep(FIRST)
    assert error.value.exit_status == 75
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]
