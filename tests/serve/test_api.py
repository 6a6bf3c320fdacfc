"""Live questions over HTTP: statuses, headers, who may write, and work that nobody waits for any more."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.types import ASGIApp

from trackgen.errors import ModelError, ResourceError
from trackgen.live import Limits, LiveEngine, Refused, Stop, Withdrawn
from trackgen.live.limits import Region
from trackgen.serve import Overlay, create_app
from trackgen.serve.api import Kept, LiveApi
from trackgen.serve.trust import Trust
from trackgen.serve.worker import Worker

VIEW = "model=m&chr=c&start={}&end=9"
KEEP = {"model": "m", "chr": "c", "start": 1, "end": 9, "contributions": ["a"]}
HOST = "127.0.0.1:8765"


class SlowEngine:
    """Answers when it is let; tells what was begun and what was ended."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.begun: list[float] = []
        self.ended: list[float] = []
        self.answers: Callable[[Any], Any] = lambda question: {"start": question.start}

    def describe(self) -> Mapping[str, Any]:
        return {"limits": Limits().to_dict()}

    def answer(self, question: Any, stop: Stop) -> Any:
        self.begun.append(question.start)
        try:
            while not self.let.wait(0.002):
                stop.check()
        except Withdrawn:
            self.ended.append(question.start)
            raise
        return self.answers(question)

    def region_to_keep(self, question: Any) -> Region:
        return Region(question.chr, int(question.start), int(question.end), 100)


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


def api_of(engine: SlowEngine, **more: Any) -> LiveApi:
    return LiveApi(cast(LiveEngine, engine), **more)


@pytest.fixture
def api(engine: SlowEngine) -> LiveApi:
    return api_of(engine)


def requested(app: ASGIApp, method: str, address: str, **more: Any) -> httpx.Response:
    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://{HOST}") as client:
            return await client.request(method, httpx.URL(f"http://{HOST}{address}"), **more)

    return asyncio.run(request())


async def asked(api: LiveApi, start: int, gone: asyncio.Event | None = None, **view: Any) -> tuple[int, dict[str, Any]]:
    """Status and body of a question for predictions, asked without a network; `gone` closes the connection."""
    messages: list[Any] = []

    async def receive() -> Any:
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    query = VIEW.format(start).encode()
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": query}
    await api(scope, receive, send, "/api/v1/predictions")
    if not messages:
        return 0, {}
    return messages[0]["status"], json.loads(b"".join(message["body"] for message in messages[1:]))


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


def test_answers_are_for_anyone_and_are_never_kept(api: LiveApi, root: Path) -> None:
    app = create_app(root, api=api, root_path="/proxy/1")
    for address in ("/api/v1/description", "/proxy/1/api/v1/description"):
        answer = requested(app, "GET", address, headers={"Origin": "https://igv.org"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-store"
    preflight = requested(app, "OPTIONS", "/api/v1/whatif", headers={"Origin": "https://igv.org"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    assert preflight.headers["access-control-allow-headers"] == "Content-Type, X-Trackgen-Token"
    assert requested(app, "GET", "/hub.txt").text == "hub small\n"


def test_without_a_model_there_is_no_such_address(root: Path) -> None:
    assert requested(create_app(root), "GET", "/api/v1/description").status_code == 404
    assert requested(create_app(root), "POST", "/api/v1/whatif", content=b"{}").status_code == 405


@pytest.mark.parametrize(
    ("method", "address", "content", "status", "found"),
    [
        ("GET", "/api/v1/nothing", None, 404, {"message": "there is no such address", "found": "/api/v1/nothing"}),
        ("GET", "/api/v2/description", None, 404, {"message": "there is no such address"}),
        ("POST", "/api/v1/description", b"", 405, {"found": "POST", "wanted": "GET"}),
        ("HEAD", "/api/v1/description", None, 405, None),
        ("GET", "/api/v1/whatif", None, 405, {"found": "GET", "wanted": "POST"}),
        ("GET", "/api/v1/description?x=1", None, 400, {"message": "the parameter is not known here", "place": "x"}),
        ("POST", "/api/v1/whatif?x=1", b"{}", 400, {"place": "x"}),
        ("GET", "/api/v1/predictions", None, 400, {"message": "the parameter is missing", "place": "model"}),
        ("GET", "/api/v1/predictions?model=%ff", None, 400, {"message": "the parameters can't be read"}),
        ("GET", "/api/v1/predictions?" + "a=1&" * 30, None, 400, {"message": "the parameters can't be read"}),
        ("POST", "/api/v1/whatif", b"{", 400, {"message": "the body is no JSON"}),
        (
            "POST", "/api/v1/whatif", b" " * 1_000_001, 413,
            {"message": "the body is too long", "found": "1,000,001 bytes", "wanted": "at most 1,000,000"},
        ),
        ("POST", "/api/v1/keep", b"{}", 403, {"message": "the token is missing", "place": "X-Trackgen-Token"}),
    ],
)  # fmt: skip
def test_refusals_are_json_that_says_why(
    api: LiveApi,
    root: Path,
    method: str,
    address: str,
    content: bytes | None,
    status: int,
    found: dict[str, str] | None,
) -> None:
    answer = requested(create_app(root, api=api), method, address, content=content)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    if found is not None:
        error = answer.json()["error"]
        assert error["status"] == status
        assert {key: error[key] for key in found} == found
        assert set(error) == {"status", "message", "place", "found", "wanted", "remedy"}
    if status == 405:
        assert answer.headers["allow"] in ("GET", "POST")


@pytest.mark.parametrize(
    ("problem", "status", "message"),
    [
        (ModelError("it yields NaN", path="/secret/model.onnx"), 500, "it yields NaN"),
        (ResourceError("memory ran out"), 503, "memory ran out"),
        (ZeroDivisionError("boo"), 500, "the server failed at this question"),
    ],
)
def test_what_fails_while_it_is_computed_is_told_without_folders_and_the_next_question_is_answered(
    api: LiveApi, engine: SlowEngine, caplog: pytest.LogCaptureFixture, problem: Exception, status: int, message: str
) -> None:
    def fail(question: Any) -> Any:
        raise problem

    engine.let.set()
    usual, engine.answers = engine.answers, fail
    found, body = asyncio.run(asked(api, 1))
    assert (found, body["error"]["message"]) == (status, message)
    assert "secret" not in json.dumps(body)
    assert ("Traceback" in caplog.text) == isinstance(problem, ZeroDivisionError)
    engine.answers = usual
    assert asyncio.run(asked(api, 2)) == (200, {"start": 2})


def test_two_hundred_questions_at_once_are_answered_or_sent_away(api: LiveApi, engine: SlowEngine) -> None:
    async def crowd() -> list[tuple[int, dict[str, Any]]]:
        tasks = [asyncio.create_task(asked(api, number)) for number in range(200)]
        await until(lambda: sum(task.done() for task in tasks) >= 135)
        engine.let.set()
        return await asyncio.gather(*tasks)

    answers = asyncio.run(crowd())
    statuses = [status for status, _ in answers]
    # One may have been taken up before the others came, or none.
    assert statuses.count(200) in (64, 65)
    assert statuses.count(503) == 200 - statuses.count(200)
    refused = next(body for status, body in answers if status == 503)
    assert refused["error"]["message"] == "the server has too much work in flight"
    assert refused["error"]["found"] == "64 questions wait"
    assert api.worker.is_free
    assert asyncio.run(asked(api, 7)) == (200, {"start": 7})


def test_too_much_work_comes_with_when_to_ask_again(engine: SlowEngine, root: Path) -> None:
    app = create_app(root, api=api_of(engine, worker=Worker(most_waiting=0)))
    answer = requested(app, "GET", f"/api/v1/predictions?{VIEW.format(1)}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_answers_that_nobody_takes_keep_others_from_being_made(engine: SlowEngine) -> None:
    api = api_of(engine, worker=Worker(most_held=1000))
    engine.let.set()
    engine.answers = lambda question: {"text": "x" * 2000}

    async def stall() -> None:
        taken = asyncio.Event()

        async def send(message: Any) -> None:
            await taken.wait()

        scope = {"type": "http", "method": "GET", "headers": [], "query_string": VIEW.format(1).encode()}
        slow = asyncio.create_task(api(scope, asyncio.Event().wait, send, "/api/v1/predictions"))  # type: ignore[arg-type]
        await until(lambda: api.worker.held > 2000)
        status, body = await asked(api, 2)
        assert (status, body["error"]["found"]) == (503, "0 MB of answers are being sent")
        taken.set()
        await slow
        assert api.worker.held == 0
        assert (await asked(api, 3))[0] == 200

    asyncio.run(stall())


def test_who_has_gone_is_not_computed_neither_waiting_nor_running(api: LiveApi, engine: SlowEngine) -> None:
    async def leave() -> None:
        gone, gone_too = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(asked(api, 1, gone))
        await until(lambda: engine.begun == [1])
        waiting = asyncio.create_task(asked(api, 2, gone_too))
        await asyncio.sleep(0.01)
        gone_too.set()
        assert await waiting == (0, {})
        gone.set()
        assert await running == (0, {})
        await until(lambda: api.worker.is_free)
        assert (engine.begun, engine.ended) == ([1], [1])

    asyncio.run(leave())


def test_the_newest_view_comes_first_and_its_questions_in_their_order(api: LiveApi, engine: SlowEngine) -> None:
    async def scroll() -> None:
        tasks = [asyncio.create_task(asked(api, start)) for start in (1,)]
        await until(lambda: engine.begun == [1])
        for start in (2, 3, 3, 4, 5, 4, 5):
            tasks.append(asyncio.create_task(asked(api, start)))
            await asyncio.sleep(0.001)
        engine.let.set()
        await asyncio.gather(*tasks)
        assert engine.begun == [1, 5, 5, 4, 4, 3, 3, 2]

    asyncio.run(scroll())


def test_who_has_waited_for_long_comes_before_the_newest(
    api: LiveApi, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackgen.serve.worker.SECONDS_BEFORE_OTHERS", 0.0)

    async def wait() -> None:
        tasks = [asyncio.create_task(asked(api, start)) for start in (1,)]
        await until(lambda: engine.begun == [1])
        for start in (2, 3, 4):
            tasks.append(asyncio.create_task(asked(api, start)))
            await asyncio.sleep(0.001)
        engine.let.set()
        await asyncio.gather(*tasks)
        assert engine.begun == [1, 2, 3, 4]

    asyncio.run(wait())


def test_closing_withdraws_everything(api: LiveApi, engine: SlowEngine) -> None:
    async def close() -> None:
        tasks = [asyncio.create_task(asked(api, start)) for start in (1, 2)]
        await until(lambda: engine.begun != [])
        await asyncio.to_thread(api.worker.close)
        assert len(engine.ended) == 1
        for task in tasks:
            task.cancel()

    asyncio.run(close())


def keeping(model: str, name: str, start: int, end: int, contributions: Any, check: Callable[[], None]) -> Kept:
    check()
    return Kept((f"{model}.{name}.{start}.{end}.{contributions[0]}.bw",), 2)


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 200, ""),
        ({"Origin": f"http://{HOST}"}, 200, ""),
        ({"Host": "localhost:8765", "Origin": "http://localhost:8765"}, 200, ""),
        ({"X-Trackgen-Token": "another"}, 403, "the token is not that of this server"),
        (
            {"X-Trackgen-Token": "\u00fc".encode("latin-1").decode("latin-1")},
            403,
            "the token is not that of this server",
        ),
        ({"Origin": "https://evil.example"}, 403, "only the server's own pages may write"),
        ({"Origin": "null"}, 403, "only the server's own pages may write"),
        ({"Origin": "http://127.0.0.1:9999"}, 403, "only the server's own pages may write"),
        # A name of a foreign site that was made to lead to this machine.
        (
            {"Host": "evil.example:8765", "Origin": "http://evil.example:8765"},
            403,
            "the server does not go by this name",
        ),
    ],
)
def test_only_the_servers_own_pages_may_have_a_region_kept(
    engine: SlowEngine, root: Path, headers: dict[str, str], status: int, message: str
) -> None:
    api = api_of(engine, keeper=keeping)
    given = {"X-Trackgen-Token": api.trust.token} | headers
    raw = [(key.encode(), value.encode("latin-1")) for key, value in given.items()]
    answer = requested(create_app(root, api=api), "POST", "/api/v1/keep", json=KEEP, headers=raw)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"schema_version": 1, "kind": "keep", "files": ["m.c.1.9.a.bw"], "regions": 2}
    else:
        assert answer.json()["error"]["message"] == message


def test_a_server_that_keeps_nothing_says_so(api: LiveApi, root: Path) -> None:
    headers = {"X-Trackgen-Token": api.trust.token}
    answer = requested(create_app(root, api=api), "POST", "/api/v1/keep", json=KEEP, headers=headers)
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "this server keeps nothing")


@pytest.mark.parametrize(
    ("headers", "holds"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False),
        ({"Host": "evil.example:8765"}, False),
    ],
)
def test_the_token_is_in_the_page_but_not_for_scripts_of_foreign_pages(
    api: LiveApi, root: Path, headers: dict[str, str], holds: bool
) -> None:
    page = b'<html><head><meta charset="utf-8"><meta name="trackgen-token" content=""></head></html>'
    app = create_app(root, api=api, overlay=Overlay({"live.html": page, "other.html": page}))
    answer = requested(app, "GET", "/live.html", headers=headers)
    assert (api.trust.token in answer.text) == holds
    # What holds the token is opened to no other origin, and kept nowhere.
    assert ("access-control-allow-origin" not in answer.headers) == holds
    assert (answer.headers["cache-control"] == "no-store") == holds
    assert answer.text.count("trackgen-token") == 1
    assert api.trust.token not in requested(app, "GET", "/other.html", headers=headers).text


@pytest.mark.parametrize(
    ("host", "name", "own"),
    [
        ("127.0.0.1", "127.0.0.1:8765", True),
        ("127.0.0.1", "[::1]:8765", True),
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "192.168.1.5:80", True),
        ("gpu.lab.example", "GPU.lab.example:8765", True),
        ("127.0.0.1", "gpu.lab.example:8765", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "[", False),
    ],
)
def test_the_names_of_a_server_are_those_that_nobody_else_can_have(host: str, name: str, own: bool) -> None:
    assert Trust(host).is_own_name(name) == own


def test_a_refusal_goes_between_processes_whole() -> None:
    assert Refused(404, "no").status == 404
    assert Refused(404, "no").exit_status == 2
