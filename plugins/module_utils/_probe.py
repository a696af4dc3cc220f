# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Does a space serve? Asked at its own address, through the node's nginx, as people would."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import socket
import ssl
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

HEADER = "X-Archipel-Probe"
SECONDS = 120
# "Insufficient Storage": of the space, or of the account.
FULL = 507


class ProbeError(Exception):
    """A space does not serve as it should."""


@dataclass(frozen=True)
class Place:
    """Where a space is asked, and what opens its door while it is closed to everybody else."""

    host: str
    port: int = 443
    key: str = ""
    address: str = "127.0.0.1"


class _Connection(http.client.HTTPSConnection):
    """Connects to this node whatever the name, and asks for the name in TLS.

    Who signed the certificate is the monitoring's matter: here nothing but this node can answer.
    """

    def __init__(self, place: Place) -> None:
        # Not the default context: reading the machine's authorities takes longer than the request.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(place.host, place.port, timeout=SECONDS, context=context)
        self._place, self._trust = place, context

    def connect(self) -> None:
        """Open the connection to this node."""
        plain = socket.create_connection((self._place.address, self._place.port), timeout=SECONDS)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self._place.host)


def ask(
    place: Place,
    method: str,
    path: str,
    account: tuple[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, bytes]:
    """Send one request and return status and body.

    Raises:
        ProbeError: nobody answered.

    """
    headers = {"Host": place.host, "X-NC-Skip-Trashbin": "true", HEADER: place.key}
    if account is not None:
        text = base64.b64encode(":".join(account).encode()).decode()
        headers["Authorization"] = f"Basic {text}"
    connection = _Connection(place)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ProbeError(f"{method} {path}: {error}") from error
    finally:
        connection.close()


def expect(answer: tuple[int, bytes], allowed: t.Collection[int], what: str) -> bytes:
    """Return the body of an answer whose status is allowed.

    Raises:
        ProbeError: it is not.

    """
    status, body = answer
    if status not in allowed:
        text = " ".join(body.decode("utf-8", "replace").split())[:300]
        raise ProbeError(f"{what}: {status}, expected {' or '.join(map(str, allowed))}: {text}")
    return body


def check(place: Place, version: str, account: tuple[str, str] | None) -> None:
    """Make sure that a space answers on a version, shows its login, and keeps a file.

    Args:
        place: where it is.
        version: of Nextcloud, that its code must have.
        account: login name and application password; None: nobody has ever logged in, and a
            first login would fill the account with files.

    Raises:
        ProbeError: one of them is not so.

    """
    body = expect(ask(place, "GET", "/status.php"), (200,), "status.php")
    check_status(body, version)
    expect(ask(place, "GET", "/login"), (200,), "the login page")
    if account is None:
        expect(ask(place, "PROPFIND", "/remote.php/dav/"), (401,), "WebDAV without an account")
    else:
        round_trip(place, account)


def check_status(body: bytes, version: str) -> None:
    """Make sure that a space says it is whole, and on this version.

    Raises:
        ProbeError: it says something else.

    """
    try:
        said = json.loads(body)
    except ValueError as error:
        raise ProbeError(f"status.php is no JSON: {body[:200]!r}") from error
    wanted = {"installed": True, "maintenance": False, "needsDbUpgrade": False, "version": version}
    wrong = [
        f"{key} is {said.get(key)!r}, expected {value!r}"
        for key, value in wanted.items()
        if said.get(key) != value
    ]
    if wrong:
        raise ProbeError(f"status.php: {'; '.join(wrong)}")


def round_trip(place: Place, account: tuple[str, str]) -> None:
    """Put a file, read it back, delete it; where the space is full, list the folder instead.

    Raises:
        ProbeError: the space did not take it, or gave something else back.

    """
    content = secrets.token_bytes(1024)
    folder = f"/remote.php/dav/files/{quote(account[0], safe='')}"
    path = f"{folder}/.archipel-check-{secrets.token_hex(8)}.bin"
    put = ask(place, "PUT", path, account, content)
    if put[0] == FULL:
        # It serves as well as it can: only its people can make room, and not behind a closed door.
        expect(ask(place, "PROPFIND", f"{folder}/", account), (207,), "WebDAV, listing a folder")
        return
    expect(put, (201,), "WebDAV, putting a file")
    try:
        found = expect(ask(place, "GET", path, account), (200,), "WebDAV, reading it back")
        if found != content:
            raise ProbeError("WebDAV gave another file back than was put")
    finally:
        gone = ask(place, "DELETE", path, account)
    expect(gone, (204,), "WebDAV, deleting it")
