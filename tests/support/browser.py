# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A small HTTPS client that finds every host name at one port of this machine."""

from __future__ import annotations

import base64
import html
import http.client
import json
import re
import socket
import ssl
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        return dict(json.loads(self.body))

    def header(self, name: str) -> str:
        """Return a header that must be there exactly once."""
        values = self.headers.get(name.lower(), [])
        assert len(values) == 1, f"{name}: {values}"
        return values[0]


class Browser:
    """Asks for any host, at one published port, and checks its certificate."""

    def __init__(self, port: int, authority: str) -> None:
        self.port = port
        self._trust = ssl.create_default_context(cadata=authority)

    def get(self, host: str, path: str = "/", **headers: str) -> Answer:
        """Ask for a page, as a visitor does."""
        return self.request("GET", host, path, headers=headers)

    def request(
        self,
        method: str,
        host: str,
        path: str,
        *,
        account: tuple[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        """Send one request; no redirect is followed. A body in parts goes without its length."""
        sent = {"Host": f"{host}:{self.port}", **(headers or {})}
        if account is not None:
            token = base64.b64encode(":".join(account).encode()).decode()
            sent["Authorization"] = f"Basic {token}"
        connection = _Connection(host, self.port, self._trust)
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            found: dict[str, list[str]] = {}
            for name, value in response.getheaders():
                found.setdefault(name.lower(), []).append(value)
            return Answer(response.status, found, response.read())
        finally:
            connection.close()


class _Connection(http.client.HTTPSConnection):
    """Connects to this machine whatever the name, and asks for the name in TLS."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._trust = trust

    def connect(self) -> None:
        """Open the connection to the published port."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)


class Visit:
    """Somebody at one space: keeps cookies, follows redirects, and never leaves its address."""

    def __init__(self, browser: Browser, host: str) -> None:
        self._browser, self.host = browser, host
        self.origin = f"https://{host}:{browser.port}"
        self._cookies: dict[str, str] = {}
        # Every address that was asked for.
        self.trail: list[str] = []

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser keeps of this space: name → value."""
        return dict(self._cookies)

    def open(self, address: str, form: dict[str, str] | None = None) -> Answer:
        """Ask for a page, by path or address, and follow where it leads."""
        # Whoever types an address without a path asks for the root.
        url = urllib.parse.urljoin(f"{self.origin}/", "/" if address == self.origin else address)
        method, body = ("GET", None) if form is None else ("POST", urllib.parse.urlencode(form))
        for _ in range(10):
            assert url.startswith(f"{self.origin}/"), f"{self.trail} lead to {url}"
            self.trail.append(url)
            answer = self._ask(method, url.removeprefix(self.origin), body)
            if answer.status not in {301, 302, 303, 307, 308}:
                return answer
            url = urllib.parse.urljoin(url, answer.header("location"))
            if answer.status in {301, 302, 303}:
                method, body = "GET", None
        raise AssertionError(f"no end: {self.trail}")

    def login(self, account: tuple[str, str]) -> Answer:
        """Log in through the form; return the page that people then see."""
        page = self.open("/login")
        return self.open(
            "/login",
            {
                "user": account[0],
                "password": account[1],
                "requesttoken": token(page.text),
                "timezone": "Europe/Paris",
                "timezone_offset": "1",
            },
        )

    def _ask(self, method: str, path: str, body: str | None) -> Answer:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        headers["Origin"] = self.origin
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        data = None if body is None else body.encode()
        answer = self._browser.request(method, self.host, path, headers=headers, body=data)
        for line in answer.headers.get("set-cookie", []):
            name, _, value = line.split(";", 1)[0].partition("=")
            self._cookies[name] = value
        return answer


def token(page: str) -> str:
    """Return what a page of Nextcloud wants to be sent along with a form."""
    found = re.search(r'data-requesttoken="([^"]+)"', page)
    assert found is not None, page[:500]
    return html.unescape(found[1])
