"""Chromium without a screen, driven in real time through its own pipe: no driver program and no port.

``--virtual-time-budget`` is simpler, but does not wait for workers; here a test waits for what the page says.
"""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0
"""Seconds; a page that takes longer is broken."""


class PageError(AssertionError):
    """The page threw, or did not get there in time."""


class Page:
    """One tab. `console` holds warnings, errors and uncaught exceptions as they come."""

    def __init__(self, receive: int, send: int) -> None:
        self._receive, self._send = receive, send
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.console: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def size(self, width: int, height: int, scale: float = 1) -> None:
        """CSS pixels, and screen pixels to one of them."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def dark(self) -> None:
        """What a system with a dark theme asks of pages."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def open(self, address: str) -> None:
        self._call("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise PageError(_said(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = PATIENCE) -> None:
        """Until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.ask(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise PageError(f"after {seconds:g} s still not: {condition}; console: {self.console}")
            time.sleep(0.05)

    def move(self, x: float, y: float) -> None:
        """The mouse, in CSS pixels."""
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        """With the main button of the mouse, in CSS pixels."""
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self) -> np.ndarray:
        """What is seen, (height, width, 3), in screen pixels."""
        data = base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            read = os.read(self._receive, 1 << 20)
            if not read:
                raise PageError("Chromium has ended")
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(line))

    def _note(self, event: dict[str, Any]) -> None:
        details = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.console.append(_said(details["exceptionDetails"]))
        elif event.get("method") == "Runtime.consoleAPICalled":
            words = [str(part.get("value", part.get("description"))) for part in details["args"]]
            self.console.append(f"{details['type']}: {' '.join(words)}")
        elif event.get("method") == "Log.entryAdded":
            entry = details["entry"]
            self.console.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")


def _said(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description", details["text"]))


def _high(descriptor: int) -> int:
    """The same pipe under a number of at least 10."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return copy


@contextmanager
def chromium() -> Iterator[Page]:
    """A new page in a Chromium of its own, which ends with the block."""
    assert CHROMIUM is not None
    # Above the two numbers that they get in the new process, so that neither is overwritten.
    to_browser, from_browser = (tuple(_high(end) for end in os.pipe()) for _ in range(2))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # Chromium reads commands from descriptor 3 and answers on 4, whatever numbers the pipes have here.
        command = [
            # Debian's sh takes no descriptor of two digits.
            "bash",
            "-c",
            f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}',
            "bash",
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        with subprocess.Popen(
            command, pass_fds=(to_browser[0], from_browser[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            os.close(to_browser[0])
            os.close(from_browser[1])
            try:
                yield Page(from_browser[0], to_browser[1])
            finally:
                os.close(to_browser[1])
                process.terminate()
                process.wait(10)
                os.close(from_browser[0])
