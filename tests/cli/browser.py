"""A headless browser driven through its debugging pipe: no driver, no websocket, no network."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find() -> str | None:
    """The browser of this machine, if it has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab, spoken to in the DevTools protocol: JSON messages ended by a zero byte."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.writer = os.fdopen(to_browser, "wb", buffering=0)
        self.reader = os.fdopen(from_browser, "rb", buffering=0)
        self.rest = b""
        self.number = 0
        self.session: str | None = None
        self.console: list[dict[str, Any]] = []
        self.requests: list[str] = []

    def message(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            piece = self.reader.read(1 << 16)
            if not piece:
                raise RuntimeError("the browser is gone")
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        found: dict[str, Any] = json.loads(text)
        if found.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.console.append(found["params"])
        if found.get("method") == "Network.requestWillBeSent":
            self.requests.append(found["params"]["request"]["url"])
        return found

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        order = {"id": self.number, "method": method, "params": params}
        if self.session:
            order["sessionId"] = self.session
        self.writer.write(json.dumps(order).encode() + b"\0")
        while (answer := self.message()).get("id") != self.number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, address: str) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=address)
        while self.message().get("method") != "Page.loadEventFired":
            pass

    def value(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, held: bool) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=int(held), clickCount=1)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mousePressed", *start, held=True)
        for part in (0.3, 0.7, 1.0):
            x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y, held=True)
        self.mouse("mouseReleased", *end, held=False)

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def page(browser: str, profile: Path, size: tuple[int, int] = (1000, 900)) -> Iterator[Page]:
    """Start the browser without a window or a network, and end it afterwards."""
    orders_out, orders_in = os.pipe()
    answers_out, answers_in = os.pipe()

    def wire() -> None:  # the browser reads descriptor 3 and writes descriptor 4
        kept = os.dup(orders_out), os.dup(answers_in)
        os.dup2(kept[0], 3)
        os.dup2(kept[1], 4)

    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "--hide-scrollbars",
        f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(orders_out)
    os.close(answers_in)
    tab = Page(orders_in, answers_out)
    try:
        yield tab
    finally:
        tab.session = None
        with contextlib.suppress(Exception):
            tab.call("Browser.close")
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        tab.writer.close()
        tab.reader.close()
