"""A server that speaks the live protocol and knows its few values by heart, so that what is drawn can be foretold."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.plugins.jbrowse.conftest import LENGTH, VALUES, WRITTEN

MOST = 2000
CORS = {"Access-Control-Allow-Origin": "*"}
DESCRIPTION: dict[str, Any] = json.loads(
    """
{"schema_version": 1, "trackgen": "0.1.0", "genome": {"id": "small", "lengths": {"chrA": 4000}},
 "limits": {"predictions": 2000, "contributions": 2000, "whatif": 100, "mutagenesis": 100, "edits": 1}, "keep": false,
 "models": [{"name": "known", "title": "Known values", "mode": "dense", "window": 11, "bin": 1, "stride": 1,
   "strands": "both", "note": "",
   "classes": [{"name": "hit", "label": "Hit", "color": "200,30,30", "role": "probability", "unit": "probability",
     "threshold": 0.5, "max": 1}],
   "tracks": [{"name": "hit.plus", "class": "hit", "strand": "+", "resolution": 1},
     {"name": "hit.minus", "class": "hit", "strand": "-", "resolution": 1}],
   "contributions": [{"name": "hit.plus.contrib", "class": "hit", "strand": "+"}]}]}
"""
)


class KnownServer:
    """Counts what it was asked. It is busy for the first `busy` questions, and each takes `seconds`."""

    def __init__(self) -> None:
        self.busy, self.seconds = 0, 0.0
        self.asked: list[Mapping[str, str]] = []
        self.left = 0
        """Questions whose askers left before the answer."""
        routes = [Route("/api/v1/description", self.describe), Route("/api/v1/{kind}", self.values)]
        self.app = Starlette(routes=routes)

    async def describe(self, request: Request) -> Response:
        return JSONResponse(DESCRIPTION, headers=CORS)

    async def values(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        if self.busy:
            self.busy -= 1
            error = {"status": 503, "message": "busy", "place": "", "found": "", "wanted": "", "remedy": ""}
            headers = CORS | {"Retry-After": "1", "Access-Control-Expose-Headers": "Retry-After"}
            return JSONResponse({"schema_version": 1, "error": error}, 503, headers)
        for _ in range(round(self.seconds * 20)):
            await asyncio.sleep(0.05)
            if await request.is_disconnected():
                self.left += 1
                return Response()
        return JSONResponse(self.answer(request.path_params["kind"], asked), headers=CORS)

    def answer(self, kind: str, asked: Mapping[str, str]) -> dict[str, Any]:
        start, end = max(0, math.floor(float(asked["start"]))), min(LENGTH, math.ceil(float(asked["end"])))
        step = int(asked["step"])
        if kind == "contributions":
            known = dict(zip(range(WRITTEN, WRITTEN + len(VALUES)), VALUES, strict=True))
            names = ["hit.plus.contrib"]
        else:
            known = dict.fromkeys(range(LENGTH), 0.5)
            names = ["hit.plus", "hit.minus"]
        rows = []
        for first in range(start, end, step):
            some = [known[place] for place in range(first, min(end, first + step)) if place in known]
            rows.append(max(some, key=abs) if some else None)
        tracks = [{"name": name, "values": rows} for name in names]
        place = {"chr": asked["chr"], "start": start, "end": end, "step": step}
        return {"schema_version": 1, "kind": kind, "model": "known", **place, "mode": "dense", "tracks": tracks}
