# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A small HTTPS client that finds every host name at one port of this machine."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
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
        """Return a header that must be there exactly once.

        Raises:
            ValueError: it is not there, or several times.

        """
        values = self.headers.get(name.lower(), [])
        if len(values) != 1:
            raise ValueError(f"header {name}: found {values}, one was expected")
        return values[0]


class Browser:
    """Asks for any host, at one published port, and checks its certificate."""

    def __init__(self, port: int, authority: str) -> None:
        self.port = port
        self._trust = ssl.create_default_context(cadata=authority)

    def get(self, host: str, path: str = "/", **headers: str) -> Answer:
        """Ask for a page, as a visitor does."""
        return self.request("GET", host, path, headers=headers)

    def certificate(self, host: str) -> str:
        """Return the certificate that is shown for a host, once it was checked: PEM.

        Raises:
            OSError: nothing answers, or it shows one that is not trusted.

        """
        connection = _Connection(host, self.port, self._trust)
        try:
            connection.connect()
            shown = connection.sock.getpeercert(binary_form=True)
            if shown is None:
                raise OSError(f"{host} shows no certificate")
            return ssl.DER_cert_to_PEM_cert(shown)
        finally:
            connection.close()

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
