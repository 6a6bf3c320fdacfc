"""``trackgen serve --model`` as people start it: one real process, asked over real sockets."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hubs import LENGTHS, write_fasta
from tests.models import input_model
from tests.scan.explained import convolution_model
from tests.serve.test_process import running
from trackgen.cli.serve_live import LiveOptions, live_over
from trackgen.errors import DataError, UsageError
from trackgen.hub.bare import build_bare_hub
from trackgen.progress import NullProgress

REGION: dict[str, Any] = {"model": "net", "chr": "chrI", "start": 1000, "end": 9000}


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fasta(tmp_path_factory.mktemp("genome") / "mini.fa")


@pytest.fixture(scope="module")
def model(genome: Path) -> Path:
    return convolution_model(genome.parent, strands="both", thresholds=0.3)


@pytest.fixture(scope="module")
def hub(genome: Path, model: Path) -> Path:
    """A hub that `trackgen serve` made itself."""
    with running(str(genome.parent / "hub"), "--port", "0", "--model", str(model), "--genome", str(genome)):
        return genome.parent / "hub"


@pytest.fixture(scope="module")
def served(hub: Path, model: Path) -> Iterator[tuple[str, int]]:
    """The address of a running server of that hub, which reads the hub's own sequence, and its process."""
    with running(str(hub), "--port", "0", "--model", str(model), "-t", "1") as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/live\.html", address), address
        yield address.removesuffix("live.html"), process.pid
    assert process.stderr is not None
    said = process.stderr.read()
    assert "opening net" in said
    assert "Traceback" not in said


def memory(pid: int) -> int:
    """Bytes of a process that are in memory."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


def test_the_hubs_pages_lead_to_the_live_one_and_all_that_it_loads_is_there(served: tuple[str, int]) -> None:
    address, _ = served
    with httpx.Client(base_url=address) as client:
        for name in ("", "jbrowse.html"):
            assert client.get(name).text.count('data-page="live.html"') == 1
        page = client.get("live.html").text
        assert re.search(r'<meta name="trackgen-token" content="[\w-]{43}">', page)
        assert "chrI" in client.get("api/v1/description").json()["genome"]["lengths"]
        loaded = set(re.findall(r'(?:src|href)="([\w.-]+\.(?:js|css|html))"', page)) - {"live.html"}
        seen: set[str] = set()
        while loaded - seen:
            name = sorted(loaded - seen)[0]
            seen.add(name)
            answer = client.get(name)
            assert answer.status_code == 200, name
            loaded |= set(re.findall(r'(?:from|import) "\./([\w.-]+\.js)"', answer.text))
        assert "trackgen-live.js" in seen


def test_two_hundred_at_once_are_answered_or_sent_away_and_take_bounded_memory(served: tuple[str, int]) -> None:
    address, pid = served
    before = memory(pid)

    async def crowd() -> tuple[list[int], int]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=f"{address}api/v1/", limits=limits, timeout=60) as client:
            asked = [client.get("predictions", params={**REGION, "start": number}) for number in range(200)]
            work = asyncio.gather(*asked)
            most = 0
            while not work.done():
                most = max(most, memory(pid))
                await asyncio.sleep(0.02)
            return [answer.status_code for answer in await work], most

    statuses, most = asyncio.run(crowd())
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 1
    assert most - before < 400 << 20
    assert httpx.get(f"{address}api/v1/predictions", params=REGION).status_code == 200


def test_a_closed_connection_frees_the_worker(served: tuple[str, int]) -> None:
    address, _ = served
    body: dict[str, Any] = {**REGION, "end": 1400, "class": "hit", "strand": "+", "at": None}
    with httpx.Client(base_url=f"{address}api/v1/") as client:
        begin = time.monotonic()
        client.post("mutagenesis", json=body).raise_for_status()
        whole = time.monotonic() - begin
        with pytest.raises(httpx.ReadTimeout):
            client.post("mutagenesis", json=body, timeout=min(0.05, whole / 4))
        begin = time.monotonic()
        client.get("predictions", params={**REGION, "end": 1100}).raise_for_status()
        # A run between two looks, and a small view.
        assert time.monotonic() - begin < max(0.5, whole)


def options(model: Path | str, genome: Path | None = None, **signals: Path) -> LiveOptions:
    return LiveOptions((str(model),), genome, tuple(signals.items()), "cpu", 1)


def test_a_genome_that_is_not_the_hubs_is_refused(hub: Path, model: Path, tmp_path: Path) -> None:
    other = write_fasta(tmp_path / "other.fa", lengths={**LENGTHS, "chrII": 20_000})
    with pytest.raises(DataError, match="not the one that the hub is of; found chrII of 20,000 bases") as caught:
        live_over(hub, "127.0.0.1", options(model, other))
    assert caught.value.exit_status == 3


def test_a_hub_without_sequence_needs_a_genome(genome: Path, model: Path, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    build_bare_hub(hub, genome, [model], NullProgress())
    (two_bit,) = hub.glob("*.2bit")
    two_bit.unlink()
    with pytest.raises(UsageError, match="--genome: the hub carries no sequence for the model to read") as caught:
        live_over(hub, "127.0.0.1", options(model))
    assert caught.value.exit_status == 2
    live_over(hub, "127.0.0.1", options(model, genome))


def test_a_folder_that_is_no_hub_and_a_missing_signal_are_told(
    hub: Path, genome: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="models can be shown over hubs of trackgen only") as caught:
        live_over(tmp_path, "127.0.0.1", options(model, genome))
    assert caught.value.exit_status == 3
    with pytest.raises(DataError, match=r"there is no such folder; wanted a hub\. Give the genome with --genome"):
        live_over(tmp_path / "none", "127.0.0.1", options(model))
    inputs = [{"name": "sequence", "kind": "sequence"}, {"name": "atac", "kind": "signal"}]
    needy = input_model(tmp_path, inputs).path
    with pytest.raises(UsageError, match="atac") as missing:
        live_over(hub, "127.0.0.1", options(needy))
    assert missing.value.exit_status == 2


@pytest.mark.parametrize(("option", "value"), [("--genome", "g.fa"), ("--signal", "a=b.bw")])
def test_options_of_models_without_a_model_are_refused(trackgen: Any, tmp_path: Path, option: str, value: str) -> None:
    done = trackgen("serve", str(tmp_path), option, value)
    assert done.returncode == 2
    assert f"{option}: the option is for models, of which there is none; wanted --model beside it" in done.stderr
