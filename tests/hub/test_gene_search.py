"""Genes are found by name in real browsers: on a made hub, and on the yeast genome with Ensembl's annotation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import CHROMIUM, Page, chromium
from tests.data import data_file
from tests.hubs import LENGTHS, write_fasta, write_run
from tests.serve.test_process import running
from trackgen.genome.annotation import read_annotation
from trackgen.hub import build_hub
from trackgen.hub.genes import compile_genes, gene_files
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, JBROWSE, browser_assets

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

GENE = (41_200, 44_000)
"""Of AAC3 on chrI, 1-based, closed; far from where the hub opens."""
GTF = (
    'I\tx\tgene\t{0}\t{1}\t.\t-\t.\tgene_id "YBR085W"; gene_name "AAC3";\n'
    'I\tx\texon\t{0}\t{1}\t.\t-\t.\tgene_id "YBR085W"; transcript_id "YBR085W_mRNA"; gene_name "AAC3";\n'
    'II\tx\tgene\t101\t900\t.\t-\t.\tgene_id "elsewhere";\n'
).format(*GENE)
YEAST = {"chrI": 230_218, "chrII": 813_184}


@pytest.fixture(scope="module", autouse=True)
def code_is_installed() -> None:
    assets = browser_assets()
    if assets is None or not all((assets / code.file).is_file() for code in (IGV_JS, JBROWSE)):
        pytest.skip("the browsers' code is not installed (make assets)")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, code_is_installed: None) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("genes")
    genome = write_fasta(folder / "mini.fa")
    (folder / "mini.gtf").write_text(GTF)
    build_hub(
        [write_run(folder / "run")],
        folder / "hub",
        genome=str(genome),
        email=None,
        url=None,
        genes=[folder / "mini.gtf"],
        progress=NullProgress(),
    )
    with running(str(folder / "hub"), "--port", "0") as (_, address):
        yield address


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as page:
        page.size(1280, 1600)
        yield page


def asked_for(page: Page, address: str, name: str, text: str) -> tuple[str, int, int]:
    """Where a page ends that was asked for `text`."""
    page.open("about:blank")
    page.open(f"{address}{name}?locus={text}")
    page.wait("document.documentElement?.dataset.state", 90)
    locus = str(page.ask("document.documentElement.dataset.locus")).replace(",", "")
    match = re.fullmatch(r"(\w+):(\d+)-(\d+)", locus)
    assert match is not None, f"{locus}; {page.console}"
    return match[1], int(match[2]), int(match[3])


FOUND = [
    ("index.html", "AAC3"), ("jbrowse.html", "aac3"),
    *(pytest.param(*one, marks=pytest.mark.slow) for one in (("index.html", "aac3"), ("jbrowse.html", "YBR085W"))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), FOUND)
def test_a_gene_is_found_by_its_name(page: Page, address: str, name: str, text: str) -> None:
    sequence, start, end = asked_for(page, address, name, text)
    assert sequence == "chrI"
    assert start <= GENE[0] < GENE[1] <= end
    assert end - start < 3 * (GENE[1] - GENE[0]), "the view is about the gene"


@pytest.mark.parametrize("name", ["index.html", "jbrowse.html"])
def test_a_name_that_no_gene_has_is_not_found(page: Page, address: str, name: str) -> None:
    page.open("about:blank")
    page.open(f"{address}{name}?locus=AAC4")
    page.wait("document.documentElement?.dataset.state", 90)
    locus = str(page.ask("document.documentElement.dataset.locus"))
    assert f"{GENE[0]:,}" not in locus
    assert "AAC4" in str(page.ask("document.getElementById('messages').textContent"))


SEARCH = """(async () => {
    const {default: igv} = await import("./%s")
    const browser = await igv.createBrowser(document.body, {
        reference: {id: "yeast", chromSizesURL: "yeast.sizes", fastaURL: "yeast.fa", indexURL: "yeast.fa.fai"},
        locus: "chrI:1-1000", loadDefaultGenomes: false, search: false,
        tracks: [{id: "genes", type: "annotation", format: "bed", url: "genes.bed", indexed: false, searchable: true}]
    })
    const found = {}
    for (const name of %s) {
        await browser.search(name)
        found[name] = [browser.currentLoci()].flat()[0]
    }
    return found
})()"""


def test_genes_of_the_real_annotation_are_found_by_igv(page: Page, tmp_path: Path) -> None:
    annotation = data_file("yeast_annotation/Saccharomyces_cerevisiae.R64-1-1.96.gtf.gz")
    for name, content in gene_files(compile_genes(annotation, YEAST), YEAST, "yeast").items():
        (tmp_path / name).write_bytes(content)
    assets = browser_assets()
    assert assets is not None
    (tmp_path / IGV_JS.file).write_bytes((assets / IGV_JS.file).read_bytes())
    (tmp_path / "index.html").write_text("<!doctype html><title>genes</title><body></body>")
    (tmp_path / "hub.txt").write_text("hub yeast\n")
    text = "".join(f">{name}\n{'A' * length}\n" for name, length in YEAST.items())
    (tmp_path / "yeast.fa").write_text(text)
    offsets = {"chrI": 6, "chrII": 6 + YEAST["chrI"] + 1 + 7}
    index = "".join(f"{name}\t{size}\t{offsets[name]}\t{size}\t{size + 1}\n" for name, size in YEAST.items())
    (tmp_path / "yeast.fa.fai").write_text(index)
    (tmp_path / "yeast.sizes").write_text("".join(f"{name}\t{size}\n" for name, size in YEAST.items()))
    genes = {gene.name: gene for gene in read_annotation(annotation, YEAST).genes}
    names = ["TFC3", "SSA1", "AAC3", "YAL069W", "YBR020W"]
    with running(str(tmp_path), "--port", "0") as (_, address):
        page.open(address)
        page.wait("document.readyState === 'complete'")
        found = page.ask(SEARCH % (IGV_JS.file, names))
    for name in names:
        sequence, _, span = found[name].replace(",", "").rpartition(":")
        start, end = (int(part) for part in span.split("-"))
        assert sequence == genes[name].sequence
        assert start <= genes[name].start + 1 <= genes[name].end <= end
        # igv.js leaves 1,000 bp on both sides.
        assert end - start < genes[name].end - genes[name].start + 5000


def test_the_made_hub_has_the_genes_sequence() -> None:
    assert GENE[1] < LENGTHS["chrI"]
