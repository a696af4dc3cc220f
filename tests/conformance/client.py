# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A small HTTP client that shows answers as they are: no redirects, no surprises."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def cookies(self) -> str:
        pairs = [value.split(";", 1)[0] for value in self.headers.get_all("Set-Cookie", [])]
        return "; ".join(pairs)


@dataclass(frozen=True)
class Client:
    """Requests to one instance, as one account or as nobody."""

    url: str
    ca: str | None = None
    account: str = ""
    password: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request; underscores in header names stand for hyphens."""
        sent = {
            name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()
        }
        if self.account:
            pair = f"{self.account}:{self.password}".encode()
            sent["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        connection = self._connect()
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.msg, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, None, **headers)

    def dav(self, method: str, path: str = "", body: bytes | None = None, **headers: str) -> Answer:
        """Send a request about one of the account's own files."""
        return self.request(method, self.address(path), body, **headers)

    def address(self, path: str) -> str:
        return quote(f"/remote.php/dav/files/{self.account}/{path}")

    def ocs(self, path: str, query: str = "?format=json") -> Answer:
        return self.get(f"/ocs/v2.php{path}{query}", OCS_APIRequest="true")

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(parts.netloc, timeout=60, context=context)
        return http.client.HTTPConnection(parts.netloc, timeout=60)
