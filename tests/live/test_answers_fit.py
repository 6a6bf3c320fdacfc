"""What the server answers fits the schemas of plugins/protocol, for models of all kinds; so does what it refuses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.conftest import MODELS
from tests.plugins.protocol.schemas import EXAMPLES, fits
from trackgen.live import LiveEngine
from trackgen.live.questions import read_body, read_parameters
from trackgen.serve import create_app
from trackgen.serve.api import Kept, LiveApi
from trackgen.serve.headers import TOKEN_HEADER

REGION: dict[str, Any] = {"chr": "chrA", "start": 1990, "end": 2110}


@pytest.fixture(scope="module")
def api(engine: LiveEngine) -> LiveApi:
    def keep(*_: object) -> Kept:
        return Kept(("a.kept.bw",), 1)

    return LiveApi(engine, keep)


class Client:
    """Asks the application, without a network between."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app)

    def ask(self, method: str, question: str, **given: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://127.0.0.1/api/v1/") as client:
                return await client.request(method, question, **given)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def client(api: LiveApi, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(create_app(tmp_path_factory.mktemp("hub"), api=api))


@pytest.fixture(scope="module")
def description(client: Client) -> dict[str, Any]:
    answer = client.ask("GET", "description")
    assert answer.status_code == 200
    return dict(answer.json())


def got(client: Client, question: str, **parameters: Any) -> Any:
    answer = client.ask("GET", question, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def posted(client: Client, question: str, body: dict[str, Any], **headers: str) -> Any:
    answer = client.ask("POST", question, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_description_fits(description: dict[str, Any]) -> None:
    fits("description", description)
    assert [model["name"] for model in description["models"]] == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_answers_of_every_kind_fit(client: Client, description: dict[str, Any], name: str) -> None:
    (model,) = [model for model in description["models"] if model["name"] == name]
    for step in (1, 7):
        values = got(client, "predictions", model=name, **REGION, step=step)
        fits("values", values)
        assert [track["name"] for track in values["tracks"]] == [track["name"] for track in model["tracks"]]
    track = model["tracks"][0]
    fits("features", got(client, "features", model=name, track=track["name"], **REGION))
    edits = [{"start": 1995, "end": 1997, "sequence": "g"}, {"start": 2000, "end": 2000, "sequence": "acgtn"}]
    classes = sorted({each["class"] for each in model["contributions"]})[:1]
    if classes:
        fits("values", got(client, "contributions", model=name, **REGION, classes=classes[0]))
    body = {"schema_version": 1, "model": name, **REGION, "edits": edits, "contributions": classes}
    fits("whatif-request", body)
    fits("whatif", posted(client, "whatif", body))
    for at in (None, 1998):
        body = {"model": name, **REGION, "end": 2002, "class": track["class"], "strand": track["strand"], "at": at}
        fits("mutagenesis-request", body)
        fits("mutagenesis", posted(client, "mutagenesis", body))


def test_what_is_kept_fits(client: Client, api: LiveApi) -> None:
    body = {"model": "dense", **REGION, "contributions": []}
    fits("keep-request", body)
    fits("keep", posted(client, "keep", body, **{TOKEN_HEADER: api.trust.token}))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("predictions?model=dense&chr=chrA&start=9&end=5", 400),
        ("predictions?model=dense&chr=chrA&start=0&end=5&weight=uniform", 400),
        ("keep", 405),
        ("predictions?model=none&chr=chrA&start=0&end=5", 404),
        ("predictions?model=dense&chr=chrQ&start=0&end=5", 404),
        ("nothing", 404),
    ],
)
def test_what_is_refused_fits(client: Client, path: str, status: int) -> None:
    answer = client.ask("GET", path)
    assert answer.status_code == status
    fits("error", answer.json())


def test_keeping_without_the_token_is_refused_as_the_schema_says(client: Client) -> None:
    answer = client.ask("POST", "keep", json={"model": "dense", **REGION, "contributions": []})
    assert answer.status_code == 403
    fits("error", answer.json())


@pytest.mark.parametrize("path", sorted((EXAMPLES / "valid").glob("*-*.json")), ids=lambda path: path.stem)
def test_every_example_of_a_question_is_read(path: Path) -> None:
    name, _, role = path.name.partition(".")[0].rpartition("-")
    value = json.loads(path.read_bytes())
    if role == "request":
        read_body(name, json.dumps(value).encode())
    else:
        texts = {key: ",".join(each) if isinstance(each, list) else str(each) for key, each in value.items()}
        read_parameters(name, list(texts.items()))
