# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""People at a web page: Debian's Chromium without a window, driven over a pipe.

The DevTools protocol is JSON with a zero byte behind each message. Keys and the mouse go through
the browser's own input, and a page without scripts is one whose engine runs none.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tools.lab import LabError

PROGRAM = "chromium"
SECONDS = 60.0
# Chromium reads at 3 and writes at 4; a shell knows no descriptors of two digits.
PLACE = """import os, sys
pair = [os.dup(int(number)) for number in sys.argv[1:3]]
for place, number in enumerate(pair, start=3):
    os.dup2(number, place)
    os.set_inheritable(place, True)
os.execvp(sys.argv[3], sys.argv[3:])
"""
# What a page is asked, with selectors as JSON.
CENTRE = """(() => {{
  const found = document.querySelector({selector});
  if (!found) return null;
  found.scrollIntoView({{block: 'center', behavior: 'instant'}});
  const box = found.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}})()"""
FOCUS = """(() => {{
  const found = document.querySelector({selector});
  if (!found) return false;
  found.focus();
  found.select?.();
  return document.activeElement === found;
}})()"""


class BrowserError(LabError):
    """The browser does not do what it is told."""


class PageError(LabError):
    """A page is not as whoever uses it takes it to be."""


def key_of(certificate: str) -> str:
    """Return what Chromium calls the public key of a certificate (PEM)."""
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class Chromium:
    """A browser that trusts one certificate beside those that all browsers trust.

    Raises:
        LabError: there is no such program on this host.

    """

    def __init__(self, certificate: str, profile: str) -> None:
        if shutil.which(PROGRAM) is None:
            raise LabError(
                f"missing on this host: {PROGRAM}. On Debian: apt-get install {PROGRAM}; "
                "elsewhere use the system's packages."
            )
        there, self._out = os.pipe()
        self._in, back = os.pipe()
        options = [
            PROGRAM,
            "--headless=new",
            # Chromium refuses to sandbox itself for root; what it opens is ours.
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            f"--ignore-certificate-errors-spki-list={key_of(certificate)}",
        ]
        command = [sys.executable, "-c", PLACE, str(there), str(back), *options]
        self._process = subprocess.Popen(
            command, pass_fds=(there, back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(there)
        os.close(back)
        self._buffer = b""
        self._last = 0
        self._events: list[dict[str, t.Any]] = []

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(BrowserError):
            self._write({"id": 0, "method": "Browser.close"})
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def page(self, *, scripts: bool = True, width: int = 1280) -> Page:
        """Open a page with a history, cookies and cache of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)[
            "targetId"
        ]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, scripts=scripts)
        page.call("Page.enable")
        page.call("Network.enable")
        page.call("Log.enable")
        page.call("Runtime.enable")
        page.run_scripts(scripts)
        page.view(width)
        return page

    def call(self, method: str, session: str = "", **parameters: t.Any) -> dict[str, t.Any]:
        """Give one command and return its result.

        Raises:
            PageError: the browser refused it.
            BrowserError: it did not answer.

        """
        self._last += 1
        number = self._last
        message: dict[str, t.Any] = {"id": number, "method": method, "params": parameters}
        self._write({**message, "sessionId": session} if session else message)
        until = time.monotonic() + SECONDS
        while True:
            found = self._read(until)
            if found.get("id") == number:
                if "error" in found:
                    raise PageError(f"{method}: {found['error']}")
                return dict(found["result"])
            self._events.append(found)

    def event(self, session: str, *methods: str, seconds: float = SECONDS) -> dict[str, t.Any]:
        """Wait for the next of some events of a page."""
        until = time.monotonic() + seconds
        while True:
            for number, one in enumerate(self._events):
                if one.get("sessionId") == session and one.get("method") in methods:
                    return dict(self._events.pop(number)["params"])
            self._events.append(self._read(until))

    def past(self, session: str, method: str) -> list[dict[str, t.Any]]:
        """Return the events of a page that came so far."""
        return [
            one["params"]
            for one in self._events
            if one.get("sessionId") == session and one.get("method") == method
        ]

    def forget(self, session: str, *methods: str) -> None:
        """Forget events of a page that came so far."""
        self._events = [
            one
            for one in self._events
            if one.get("sessionId") != session or one.get("method") not in methods
        ]

    def _write(self, message: dict[str, t.Any]) -> None:
        """Send a message.

        Raises:
            BrowserError: nobody is there any more to read it.

        """
        try:
            os.write(self._out, json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise BrowserError(f"the browser has ended: {error}") from error

    def _read(self, until: float) -> dict[str, t.Any]:
        """Return the next message.

        Raises:
            BrowserError: none came.

        """
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise BrowserError("the browser says nothing")
            data = os.read(self._in, 1 << 16)
            if not data:
                raise BrowserError("the browser has ended")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(text))


class Page:
    """One page as somebody sees and uses it."""

    def __init__(self, browser: Chromium, session: str, *, scripts: bool) -> None:
        self._browser, self._session, self.scripts = browser, session, scripts

    def call(self, method: str, **parameters: t.Any) -> dict[str, t.Any]:
        """Give one command of this page."""
        return self._browser.call(method, self._session, **parameters)

    def run_scripts(self, yes: bool) -> None:
        """Have it run scripts or not, from now on."""
        self.call("Emulation.setScriptExecutionDisabled", value=not yes)

    def view(self, width: int = 1280, *, dark: bool = False, height: int = 900) -> None:
        """Show it on a screen of some size, in pixels; one less than 600 wide is a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Go to an address, and wait until all of it is there.

        Raises:
            PageError: there is nothing at that address.

        """
        with self.leaving():
            found = self.call("Page.navigate", url=url)
            if "errorText" in found:
                raise PageError(f"{url}: {found['errorText']}")

    @contextlib.contextmanager
    def leaving(self, seconds: float = SECONDS) -> Iterator[None]:
        """What is done within leads to another page: wait for that one."""
        self._browser.forget(self._session, "Page.loadEventFired")
        yield
        self._browser.event(self._session, "Page.loadEventFired", seconds=seconds)

    def ask(self, script: str) -> t.Any:
        """Return what an expression is in the page; also where the page itself runs no scripts.

        Raises:
            PageError: it could not be evaluated.

        """
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise PageError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    @property
    def text(self) -> str:
        """What people read."""
        return str(self.ask("document.body.innerText"))

    @property
    def url(self) -> str:
        """Where they are."""
        return str(self.ask("location.href"))

    def type(self, selector: str, text: str) -> None:
        """Put text into a field in place of what is there.

        Raises:
            PageError: there is no such field.

        """
        if not self.ask(FOCUS.format(selector=json.dumps(selector))):
            raise PageError(f"no field {selector} in {self.text}")
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Press the mouse on something.

        Raises:
            PageError: it is not there.

        """
        place = self.ask(CENTRE.format(selector=json.dumps(selector)))
        if place is None:
            raise PageError(f"nothing is {selector} in {self.text}")
        mouse = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **mouse)

    def press(self, key: str) -> None:
        """Press a key such as Tab or Enter."""
        code = {"Tab": 9, "Enter": 13, "Space": 32}[key]
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        common = {"key": " " if key == "Space" else key, "code": key}
        for kind in ("keyDown", "keyUp"):
            given = {**common, "type": kind, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", **given, **({"text": text} if text else {}))

    def until(self, script: str, seconds: float = SECONDS) -> t.Any:
        """Wait until an expression is true in the page, and return it.

        Raises:
            PageError: it never was.

        """
        end = time.monotonic() + seconds
        while not (found := self.ask(script)):
            if time.monotonic() >= end:
                raise PageError(f"never so: {script}\n{self.text}")
            time.sleep(0.1)
        return found

    def send(self, **headers: str) -> None:
        """Send headers along with every request from now on; underscores stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.call("Network.setExtraHTTPHeaders", headers=sent)

    def picture(self, quality: int = 80) -> bytes:
        """Return what is on the screen as a WebP; quality: of 100."""
        taken = self.call("Page.captureScreenshot", format="webp", quality=quality)
        return base64.b64decode(taken["data"])

    def complaints(self) -> list[str]:
        """Return what the browser complained of: blocked resources, errors of scripts."""
        logged = self._browser.past(self._session, "Log.entryAdded")
        thrown = self._browser.past(self._session, "Runtime.exceptionThrown")
        return [
            *(f"{one['entry']['level']}: {one['entry']['text']}" for one in logged),
            *(one["exceptionDetails"]["text"] for one in thrown),
        ]


@contextlib.contextmanager
def chromium(certificate: str) -> Iterator[Chromium]:
    """A browser for a while.

    Args:
        certificate: the one that is trusted, PEM.

    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(certificate, profile)
        try:
            yield browser
        finally:
            browser.close()
