"""The addresses that show a published hub in each browser."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.hub.conftest import Build
from tests.hub.made import made_hub
from tests.hubs import OTHER_LENGTHS, write_fasta, write_run
from trackgen.errors import UsageError
from trackgen.hub.links import links

BASE = "https://example.org/a hub/"


@pytest.fixture
def run(finished: Path) -> Path:
    return finished / "out"


def asked(address: str) -> dict[str, str]:
    """The parameters of an address, decoded."""
    return {key: values[0] for key, values in parse_qs(urlsplit(address).query, strict_parsing=True).items()}


def test_a_track_hub_opens_in_every_browser(run: Path) -> None:
    found = {link.name: link.address for link in links(made_hub(run, names=("hg38",), two_bit=False, base_url=BASE))}
    assert list(found) == ["Track hub", "UCSC", "IGV on the web", "IGV Desktop", "WashU", "JBrowse", "About"]
    locus = "chrI:29801-30200"
    assert asked(found["UCSC"]) == {"db": "hg38", "hubUrl": f"{BASE}hub.txt", "position": locus}
    assert asked(found["IGV on the web"]) == {"sessionURL": f"{BASE}igv.absolute.json"}
    assert asked(found["IGV Desktop"]) == {"file": f"{BASE}igv.absolute.xml"}
    assert asked(found["WashU"]) == {"genome": "hg38", "hub": f"{BASE}washu.absolute.json", "position": locus}
    assert asked(found["JBrowse"]) == {"config": f"{BASE}config.absolute.json"}


def test_an_assembly_hub_names_its_genome_to_ucsc_and_is_not_offered_to_washu(run: Path) -> None:
    found = {link.name: link.address for link in links(made_hub(run, names=("sacCer3",), base_url=BASE))}
    assert asked(found["UCSC"])["genome"] == "sacCer3"
    # This sacCer3 has other sequences than that of WashU.
    assert "WashU" not in found


def test_each_genome_has_its_own_links(run: Path) -> None:
    hub = made_hub(run, names=("hg38", "mm10"), two_bit=False, base_url=BASE)
    found = {link.name: link.address for link in links(hub)}
    assert asked(found["UCSC (mm10)"])["db"] == "mm10"
    assert asked(found["IGV Desktop (mm10)"]) == {"file": f"{BASE}igv.mm10.absolute.xml"}
    assert asked(found["WashU (hg38)"])["hub"] == f"{BASE}washu.absolute.json"
    assert [name for name in found if "JBrowse" in name] == ["JBrowse"]


def test_without_a_public_address_the_hubs_own_files_are_named(run: Path) -> None:
    found = links(made_hub(run, names=("mini", "maxi")))
    assert all("/" not in link.address for link in found)
    assert {"igv.xml", "igv.maxi.xml", "washu.maxi.json", "tracks.maxi.ini"} <= {link.address for link in found}


@pytest.mark.parametrize("url", [None, "https://example.org/hub/"])
def test_every_file_that_a_link_names_is_in_the_hub(build: Build, run: Path, url: str | None) -> None:
    folder = build(genome="hg38", url=url).path
    for link in links(made_hub(run, names=("hg38",), two_bit=False, base_url=url or "")):
        parts = urlsplit(link.address)
        named = [link.address, *(asked(link.address).values() if parts.query else [])]
        files = [address.removeprefix(url or "") for address in named if not url or address.startswith(url)]
        assert all((folder / file).is_file() for file in files)
        assert files or link.name == "About"


def test_every_file_that_the_links_of_two_genomes_name_is_in_the_hub(
    build: Build, finished: Path, tmp_path: Path
) -> None:
    write_fasta(tmp_path / "other.fa", lengths=OTHER_LENGTHS)
    run = write_run(tmp_path / "other", genome="other.fa", lengths=OTHER_LENGTHS)
    url = "https://example.org/hub/"
    report = build(finished / "out", run, genome=[str(finished / "mini.fa"), str(tmp_path / "other.fa")], url=url)
    named = [value for _, link in report.links for value in [link, *asked_values(link)] if value.startswith(url)]
    files = [address.removeprefix(url) for address in named]
    assert {"igv.absolute.json", "igv.other.absolute.json", "igv.other.absolute.xml"} <= set(files)
    assert [file for file in files if not (report.path / file).is_file()] == []


def asked_values(address: str) -> list[str]:
    return list(asked(address).values()) if urlsplit(address).query else []


@pytest.mark.parametrize("file", ["hub.txt", "index.html", "INDEX.HTM", "config.json"])
def test_the_address_of_a_file_is_refused_and_that_of_its_folder_named(build: Build, tmp_path: Path, file: str) -> None:
    with pytest.raises(UsageError, match=r"--url: this is the address of a file.*Give https://example\.org/h/;"):
        build(url=f"https://example.org/h/{file}")
    assert not (tmp_path / "hub").exists()
    assert dict(build(url=f"https://example.org/{file}/").links)["Track hub"] == f"https://example.org/{file}/hub.txt"
