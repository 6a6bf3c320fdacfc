"""The hubs that trackgen builds have no finding at all, in a folder and on its own server; damaged, they have."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from tests.hub.conftest import Build
from tests.hub.test_motifs import write_hits
from tests.hubs import OTHER_LENGTHS, write_fasta, write_run
from trackgen.hub.check import HubCheck, check_hub, report_text
from trackgen.serve import create_app


@contextmanager
def on_trackgen_serve(folder: Path) -> Iterator[str]:
    """The address of the product's own server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(folder), log_level="error", lifespan="off", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while not server.started and time.monotonic() < end:
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(20)


def clean(check: HubCheck) -> bool:
    assert not check.findings, report_text(check)
    return check.passed(strict=True)


def test_an_assembly_hub_with_motifs_is_clean(build: Build, tmp_path: Path) -> None:
    check = check_hub(str(build(motifs=[write_hits(tmp_path / "motifs")]).path))
    assert clean(check)
    assert check.genomes == ("mini",)
    assert check.support_level == "new"
    assert check.support_settings == ("logo",)


@pytest.mark.parametrize("url", [None, "https://example.org/hubs/mini/"])
def test_a_track_hub_is_clean(build: Build, url: str | None) -> None:
    assert clean(check_hub(str(build(genome="galGal6", url=url).path / "hub.txt")))


def test_the_form_of_three_files_is_clean(build: Build) -> None:
    check = check_hub(str(build(layout="three-file").path))
    assert clean(check)
    assert check.tracks > 4


def test_several_genomes_with_genes_and_renamed_sequences_are_clean(
    build: Build, finished: Path, tmp_path: Path
) -> None:
    write_fasta(tmp_path / "other.fa", lengths=OTHER_LENGTHS)
    other = write_run(tmp_path / "other", genome="other.fa", lengths=OTHER_LENGTHS)
    (tmp_path / "genes.bed").write_text("chrI\t100\t900\tYAL1\t0\t+\nchrII\t50\t700\tYBL1\t0\t-\n")
    genomes = [str(finished / "mini.fa"), str(tmp_path / "other.fa")]
    check = check_hub(str(build(finished / "out", other, genome=genomes).path))
    assert clean(check)
    assert check.genomes == ("mini", "other")
    with_genes = build(genes=[tmp_path / "genes.bed"], names="ensembl", output=tmp_path / "genes")
    assert (with_genes.path / "genes.bb").is_file()
    assert clean(check_hub(str(with_genes.path)))


def test_on_the_own_server_nothing_is_found(build: Build) -> None:
    with on_trackgen_serve(build().path) as address:
        check = check_hub(address)
        assert clean(check)
        assert check.genomes == ("mini",)


def test_a_hub_whose_data_were_removed_is_not(build: Build) -> None:
    report = build()
    for name in report.tracks:
        (report.path / name).unlink()
    check = check_hub(str(report.path))
    assert not check.passed()
    missing = [finding for finding in check.findings if finding.rule == "FILE-MISSING"]
    assert len({finding.found for finding in missing}) == len(report.tracks)
    assert any(finding.rule == "COMPANION-FILE" for finding in check.findings)


def test_a_hub_on_the_sequence_of_another_genome_is_not(build: Build, tmp_path: Path) -> None:
    report = build()
    folder = Path(shutil.copytree(report.path, tmp_path / "other"))
    sizes = (folder / "mini.chrom.sizes").read_text()
    (folder / "mini.chrom.sizes").write_text(sizes.replace("60000", "60001"))
    assert {finding.rule for finding in check_hub(str(folder)).findings} == {"GENOME-NAMES"}


def test_every_file_of_the_manifest_is_looked_for(build: Build) -> None:
    folder = build().path
    manifest = json.loads((folder / "trackgen.json").read_text())
    manifest["files"].append("gone.html")
    (folder / "trackgen.json").write_text(json.dumps(manifest))
    (finding,) = check_hub(str(folder)).findings
    assert (finding.rule, finding.place.file, finding.found) == ("COMPANION-FILE", "trackgen.json", "gone.html")


def test_tracks_on_the_wrong_assembly_of_ucsc_are_found_by_their_lengths(build: Build) -> None:
    check = check_hub(str(build(genome="hg19").path))
    assert {finding.rule for finding in check.findings} == {"DATA-LENGTHS"}
    assert check.findings[0].found == "700"
