# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What people do with a browser: cookies, redirects, the form to log in."""

from __future__ import annotations

import html
import re
import urllib.parse

from tools.https import Answer, Browser

__all__ = ["Answer", "Browser", "Visit", "token"]


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
