"""``trackgen serve --model`` keeps a region: asked by its own page, the files are in the hub and served at once."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.hubs import write_fasta
from tests.models import small_model
from tests.plugins.protocol.schemas import fits
from tests.serve.test_process import running
from trackgen.hub.check import check_hub
from trackgen.serve.headers import TOKEN_HEADER

REGION = {"model": "small", "chr": "chrI", "start": 999.5, "end": 2000}


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """Where there is no hub yet."""
    write_fasta(tmp_path / "mini.fa")
    small_model(tmp_path, strands="both")
    return tmp_path / "hub"


def test_a_region_is_kept_in_a_hub_that_was_made_for_it(hub: Path) -> None:
    model, genome = hub.with_name("small.onnx"), hub.with_name("mini.fa")
    with running(str(hub), "--model", str(model), "--genome", str(genome), "--device", "cpu", "--port", "0") as (_, at):
        base = at.rpartition("/")[0] + "/"
        token = re.search(r'name="trackgen-token" content="([^"]+)"', httpx.get(f"{base}live.html").text)
        assert token is not None
        headers, body = {TOKEN_HEADER: token[1]}, {**REGION, "contributions": ["hit"]}
        for _ in range(2):
            answer = httpx.post(f"{base}api/v1/keep", json=body, headers=headers, timeout=60)
            assert answer.status_code == 200
            fits("keep", answer.json())
            assert answer.json()["regions"] == 1
        for name in answer.json()["files"]:
            assert httpx.get(base + name).content == (hub / name).read_bytes()
            assert name in httpx.get(f"{base}igv.json").text
        refused = httpx.post(f"{base}api/v1/keep", json={**body, "contributions": ["none"]}, headers=headers)
        assert (refused.status_code, refused.json()["error"]["status"]) == (404, 404)
        assert (hub / "kept.bed").read_text() == "chrI\t999\t2000\tsmall\n"
    assert check_hub(str(hub)).findings == ()
