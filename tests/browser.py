"""A real browser for tests: Debian's chromium, headless, driven over its DevTools protocol. No npm, no driver.

    with browser() as chromium:
        page = chromium.open(path.as_uri(), width=390, height=844, mobile=True)
        assert page.problems() == []
        page.screenshot(tmp_path / "phone.png")

Protocol: https://chromedevtools.github.io/devtools-protocol
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--mute-audio",
    "--remote-debugging-port=0",
)
START_SECONDS = 60
ANSWER_SECONDS = 60

BROKEN_IMAGES = (
    "Array.from(document.images).filter(i => !(i.complete && i.naturalWidth)).map(i => i.alt || i.src.slice(0, 60))"
)
WITHOUT_ALT = "Array.from(document.querySelectorAll('img:not([alt]), svg:not([aria-label])')).length"
TOO_WIDE = """(() => {
  const limit = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= limit) return [];
  const scrolls = e => e && (getComputedStyle(e).overflowX !== 'visible' || scrolls(e.parentElement));
  return [document.documentElement.scrollWidth + ' > ' + limit, ...Array.from(document.querySelectorAll('body *'))
    .filter(e => e.getBoundingClientRect().right > limit + 1 && !scrolls(e.parentElement))
    .slice(0, 5).map(e => e.tagName + '.' + e.getAttribute('class'))];
})()"""


def chromium_path() -> str:
    """The browser; where there is none the test is skipped, or fails on continuous integration."""
    path = shutil.which("chromium")
    if path is None:
        message = "there is no chromium on PATH (apt-get install chromium)"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@contextmanager
def browser() -> Iterator[Browser]:
    """Starts a browser with an empty profile of its own, and ends it."""
    path = chromium_path()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        log = Path(profile) / "stderr.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        try:
            opened = Browser(_port(process, Path(profile), log))
            try:
                yield opened
            finally:
                opened.close()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Browser:
    """A running browser."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._loop = asyncio.new_event_loop()
        self._session = self.wait(_session())

    def open(self, url: str, width: int = 1280, height: int = 900, mobile: bool = False, dark: bool = False) -> Page:
        """Opens `url` in a new page with the given viewport, in CSS pixels, and waits until it has loaded."""
        page = Page(self, self.wait(self._new_page()))
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if mobile else 1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.load(url)
        return page

    def close(self) -> None:
        """Closes all connections."""
        self.wait(self._session.close())
        self._loop.close()

    def wait(self, awaitable: Any) -> Any:
        """The answer of a coroutine."""
        return self._loop.run_until_complete(asyncio.wait_for(awaitable, ANSWER_SECONDS))

    async def _new_page(self) -> aiohttp.ClientWebSocketResponse:
        async with self._session.put(f"{self._address}/json/new?about:blank") as answer:
            target = await answer.json()
        return await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)


class Page:
    """One page. `requests` are the URLs that it asked for, `messages` what it logged, errors and warnings included."""

    def __init__(self, owner: Browser, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self.messages: list[str] = []
        self._owner, self._socket = owner, socket
        self._numbers = itertools.count(1)
        self._loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol and returns its result."""
        return self._owner.wait(self._call(method, parameters))

    def load(self, url: str) -> None:
        """Goes to `url` and waits for the load event."""
        self._loaded = False
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        while not self._loaded:
            self._note(self._owner.wait(self._socket.receive_json()))
        # A lazy image outside of the window is not asked for before somebody scrolls there.
        self.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        self.evaluate("Promise.allSettled(Array.from(document.images, image => image.decode())).then(() => true)")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON has it; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """Waits until the value of a JavaScript expression is true, and returns it."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not (value := self.evaluate(expression)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression}: still {value}; {self.messages}")
            time.sleep(0.02)
        return value

    def click(self, selector: str) -> None:
        """Scrolls to the element and clicks on its middle with the mouse."""
        self.drag(selector, [(0.5, 0.5)])

    def drag(self, selector: str, points: Sequence[tuple[float, float]], touch: bool = False) -> None:
        """Moves the pressed mouse, or a finger, along points given as fractions of the element's width and height."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        left, top, width, height = self.evaluate(
            f"(({{x, y, width, height}}) => [x, y, width, height])({element}.getBoundingClientRect())"
        )
        path = [{"x": left + x * width, "y": top + y * height} for x, y in points]
        if touch:
            self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=path[:1])
            for point in path[1:]:
                self.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=[point])
            self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
            return
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **path[0])
        left_button: dict[str, Any] = {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", buttons=1, **left_button, **path[0])
        for point in path[1:]:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, **point)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **left_button, **path[-1])

    def choose_file(self, selector: str, path: Path) -> None:
        """Chooses a file as the file dialog of an `<input type="file">` does."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def screenshot(self, path: Path, whole: bool = True) -> Path:
        """Writes a PNG of the window, or of the whole page."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def problems(self) -> list[str]:
        """What no page should have: messages, broken images, images without a text, parts wider than the window."""
        found = list(self.messages)
        found += [f"broken image: {name}" for name in self.evaluate(BROKEN_IMAGES)]
        nameless = self.evaluate(WITHOUT_ALT)
        if nameless:
            found.append(f"{nameless} images without a text alternative")
        return found + [f"too wide: {element}" for element in self.evaluate(TOO_WIDE)]

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") != number:
                self._note(message)
            elif "error" in message:
                raise RuntimeError(f"{method}: {message['error']['message']}")
            else:
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        method, values = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Log.entryAdded":
            self.messages.append(f"{values['entry']['level']}: {values['entry']['text']}")
        elif method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            said = details.get("exception", {}).get("description", details["text"])
            self.messages.append(f"exception: {said}")
        elif method == "Runtime.consoleAPICalled":
            said = " ".join(str(argument.get("value", argument.get("description"))) for argument in values["args"])
            self.messages.append(f"{values['type']}: {said}")


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


def _port(process: subprocess.Popen[bytes], profile: Path, log: Path) -> int:
    """The port of the protocol, which the browser writes into its profile once it listens."""
    deadline = time.monotonic() + START_SECONDS
    file = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the browser did not start:\n{log.read_text(errors='replace')[-2000:]}")
