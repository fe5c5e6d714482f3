"""Chromium without a window, driven over the pipe of its DevTools protocol: no port, no driver."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from support.suites.patience import HANG_SECONDS

PROGRAM = shutil.which("chromium")
_END = b"\0"  # of a message
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # tests may run as root, where Chromium has none; it opens our pages alone
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--window-size=1280,900",
)


class BrowserError(AssertionError):
    """The browser says that something went wrong."""


class Browser:
    """A Chromium with a profile of its own. Use as a context manager."""

    def __enter__(self) -> Self:
        assert PROGRAM is not None
        self._profile = tempfile.TemporaryDirectory(
            prefix="kmesh-chromium-", ignore_cleanup_errors=True
        )
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # The protocol is spoken on the descriptors 3 and 4.
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash"),
                *(PROGRAM, *_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"),
            ],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": self._profile.name},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._unread = b""
        self._number = 0
        self.events: list[Mapping[str, Any]] = []
        self._contexts: list[str] = []
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        os.close(self._to)  # it ends with its pipe
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)
        self._profile.cleanup()

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Ask, and wait for the answer. What happens meanwhile is kept in `events`."""
        self._number += 1
        number = self._number
        message: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + _END)
        deadline = time.monotonic() + HANG_SECONDS
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != number:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise BrowserError(f"{method}: {answer['error']}")
            result: dict[str, Any] = answer["result"]
            return result

    def _receive(self, deadline: float) -> dict[str, Any]:
        while _END not in self._unread:
            ready, _, _ = select.select([self._from], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            chunk = os.read(self._from, 1 << 20)
            assert chunk, "the browser has ended"
            self._unread += chunk
        message, _, self._unread = self._unread.partition(_END)
        decoded: dict[str, Any] = json.loads(message)
        return decoded

    def page(self, address: str, *, headers: Mapping[str, str] | None = None) -> Page:
        """A new page in a context of its own: no storage is shared with others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        self._contexts.append(context)
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, attached["sessionId"], address)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        if headers:
            page.call("Network.setExtraHTTPHeaders", headers=dict(headers))
        page.call("Page.navigate", url=address)
        return page

    def close_pages(self) -> None:
        """All that there are: one that is left open asks its daemon for news for ever."""
        for context in self._contexts:
            self.call("Target.disposeBrowserContext", browserContextId=context)
        self._contexts.clear()
        self.events.clear()


class Page:
    """One page of the browser."""

    def __init__(self, browser: Browser, session: str, address: str) -> None:
        self._browser = browser
        self._session = session
        self._origin = urlsplit(address).netloc

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def value(self, expression: str) -> Any:
        """What the expression is in the page; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The first value of the expression that is true, as the page changes."""
        deadline = time.monotonic() + HANG_SECONDS
        while time.monotonic() < deadline:
            try:
                if found := self.value(f"({_CHANGES})(() => ({expression}))"):
                    return found
            except BrowserError as fault:
                # The page was left for another meanwhile, or has not come yet.
                if "Cannot find context" not in str(fault) and "navigated" not in str(fault):
                    raise
        raise BrowserError(f"{expression} did not become true; the page says: {self.text()}")

    def wait_for_text(self, text: str, of: str = "body") -> None:
        selected = f"document.querySelector({json.dumps(of)})?.innerText ?? ''"
        self.wait_for(f"({selected}).includes({json.dumps(text)})")

    def wait_without_text(self, text: str, of: str = "body") -> None:
        selected = f"document.querySelector({json.dumps(of)})?.innerText ?? ''"
        self.wait_for(f"!({selected}).includes({json.dumps(text)})")

    def text(self, of: str = "body") -> str:
        found = self.value(f"document.querySelector({json.dumps(of)})?.innerText ?? ''")
        assert isinstance(found, str)
        return found

    def click(self, selector: str) -> None:
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, key: str, code: str = "", *, number: int = 0) -> None:
        """A key of the keyboard; `number`: its virtual code, of keys that write nothing."""
        text = key if len(key) == 1 else "\r" if key == "Enter" else ""
        told = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def go(self, fragment: str) -> None:
        self.value(f"void (location.hash = {json.dumps(fragment)})")

    def complaints(self, *, network: bool = True) -> list[str]:
        """What the page has said on its console or failed at, and what it asked of others.

        `network`: also requests that were refused or not answered.
        """
        self.value("1")  # what has happened by now has been told before the answer
        found: list[str] = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            parameters = event["params"]
            match event["method"]:
                case "Runtime.consoleAPICalled":
                    found.append(f"console: {parameters['args']}")
                case "Runtime.exceptionThrown":
                    found.append(f"exception: {parameters['exceptionDetails']}")
                case "Log.entryAdded" if network or parameters["entry"]["source"] != "network":
                    found.append(f"log: {parameters['entry']}")
                case "Network.requestWillBeSent":
                    asked = urlsplit(parameters["request"]["url"])
                    if asked.netloc != self._origin and asked.scheme not in {"blob", "about"}:
                        found.append(f"foreign request: {asked.geturl()}")
                case _:
                    pass
        return found

    def picture(self, path: Path) -> None:
        """Keep how it looks now, for people."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


# Resolves with the first true value: at once, or as soon as a change of the page makes it so; with
# nothing after a while, so that a test that waits in vain can say what the page shows.
_CHANGES = """(look) => new Promise((resolve) => {
  const first = look();
  if (first) { resolve(first); return; }
  const watch = new MutationObserver(() => {
    const found = look();
    if (found) { watch.disconnect(); resolve(found); }
  });
  watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  setTimeout(() => { watch.disconnect(); resolve(null); }, 10000);
})"""
