# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Does a space serve? Asked at its own address, through the node's nginx, as people would."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

HEADER = "X-Archipel-Probe"
SECONDS = 120
# "Insufficient Storage": of the space, or of the account.
FULL = 507
# Pages of a space asked for at the same time: each keeps one of its PHP processes busy.
TOGETHER = 3
# The entries of an account's menu: every application that has a page of its own.
MENU = "/ocs/v2.php/core/navigation/apps?format=json"
# Redirects that are followed; from there on it is a loop.
HOPS = 5
LOGIN = "/login"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What is noted of a page that leads to the login, and of one that gave no answer.
NOT_LOGGED_IN, NO_ANSWER = 401, 599


class ProbeError(Exception):
    """A space does not serve as it should."""


@dataclass(frozen=True)
class Place:
    """Where a space is asked, and what lets in while it is closed to everybody else."""

    host: str
    port: int = 443
    key: str = ""
    address: str = "127.0.0.1"


class _Connection(http.client.HTTPSConnection):
    """Connects to this node whatever the name, and asks for the name in TLS.

    Who signed the certificate is the monitoring's matter: here nothing but this node can answer.
    """

    def __init__(self, place: Place) -> None:
        # Not the default context: reading the node's authorities takes longer than the request.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(place.host, place.port, timeout=SECONDS, context=context)
        self._place, self._trust = place, context

    def connect(self) -> None:
        """Open the connection to this node."""
        plain = socket.create_connection((self._place.address, self._place.port), timeout=SECONDS)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self._place.host)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes = b""
    # Where a redirect leads.
    location: str = ""


def fetch(
    place: Place,
    method: str,
    path: str,
    account: tuple[str, str] | None = None,
    body: bytes | None = None,
    *,
    more: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request and return the answer.

    Args:
        place: where.
        method: of HTTP.
        path: and query, below the host.
        account: login name and application password.
        body: what is sent.
        more: further headers.

    Raises:
        ProbeError: nobody answered.

    """
    headers = {"Host": place.host, "X-NC-Skip-Trashbin": "true", HEADER: place.key}
    if account is not None:
        text = base64.b64encode(":".join(account).encode()).decode()
        headers["Authorization"] = f"Basic {text}"
    connection = _Connection(place)
    try:
        connection.request(method, path, body=body, headers={**headers, **(more or {})})
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.headers.get("Location", ""))
    except (OSError, http.client.HTTPException) as error:
        raise ProbeError(f"{method} {path}: {error}") from error
    finally:
        connection.close()


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
    answer = fetch(place, method, path, account, body)
    return answer.status, answer.body


def expect(answer: tuple[int, bytes], allowed: Collection[int], what: str) -> bytes:
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
    # The same name in all checks of one upgrade: what one that was cut short has left, the next
    # one takes away.
    name = hashlib.sha256(place.key.encode()).hexdigest()[:16]
    path = f"{folder}/.archipel-check-{name}.bin"
    put = ask(place, "PUT", path, account, content)
    if put[0] == FULL:
        # It serves as well as it can: only its people can make room, and not while it is closed.
        expect(ask(place, "PROPFIND", f"{folder}/", account), (207,), "WebDAV, listing a folder")
        return
    expect(put, (201, 204), "WebDAV, putting a file")
    try:
        found = expect(ask(place, "GET", path, account), (200,), "WebDAV, reading it back")
        if found != content:
            raise ProbeError("WebDAV gave another file back than was put")
    finally:
        gone = ask(place, "DELETE", path, account)
    expect(gone, (204,), "WebDAV, deleting it")


# --- the pages people open -------------------------------------------------------------


def menu(place: Place, account: tuple[str, str]) -> list[str]:
    """Return the entry pages of the applications that an account has in its menu.

    Raises:
        ProbeError: the space does not say.

    """
    answer = fetch(place, "GET", MENU, account, more={"OCS-APIRequest": "true"})
    body = expect((answer.status, answer.body), (200,), "the menu of applications")
    try:
        entries = json.loads(body)["ocs"]["data"]
        return sorted({path for one in entries if (path := own_path(place, str(one["href"])))})
    except (ValueError, LookupError, TypeError) as error:
        raise ProbeError(f"the menu of applications is none: {body[:200]!r}") from error


def own_path(place: Place, address: str) -> str:
    """Return path and query of an address of this space; empty if it leads elsewhere. Pure."""
    parts = urlsplit(address)
    if (parts.hostname or place.host.lower()) != place.host.lower():
        return ""
    if not parts.path.startswith("/"):
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def open_page(place: Place, path: str, account: tuple[str, str]) -> int:
    """Return the status of a page, after redirects; how slow, broken or absent it is, is one too.

    A redirect that leaves the space is an answer: what is there is not this space's matter.
    """
    for _hop in range(HOPS):
        try:
            answer = fetch(place, "GET", path, account)
        except ProbeError:
            return NO_ANSWER
        if answer.status not in REDIRECTS:
            return answer.status
        path = own_path(place, answer.location)
        if not path:
            return answer.status
        if path.removeprefix("/index.php").partition("?")[0] == LOGIN:
            return NOT_LOGGED_IN
    return NO_ANSWER


def open_pages(place: Place, paths: Collection[str], account: tuple[str, str]) -> dict[str, int]:
    """Open pages as an account, a few at a time; return the status of each."""
    ordered = sorted(set(paths))
    with ThreadPoolExecutor(max_workers=TOGETHER) as pool:
        found = pool.map(lambda path: open_page(place, path, account), ordered)
        return dict(zip(ordered, found, strict=True))


def worse(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return the pages that answered well before and no longer do. Pure."""
    return [
        path
        for path in sorted(after)
        if path in before and is_well(before[path]) and not is_well(after[path])
    ]


def compare(
    place: Place,
    before: Mapping[str, int],
    paths: Collection[str],
    account: tuple[str, str],
) -> None:
    """Open pages, and those that are worse than before once more, one after the other.

    Pages that are opened together on a release that has just started all make what they share.
    One that gave no answer in all that time is not waited for twice.

    Raises:
        ProbeError: some answer worse than before.

    """
    after = open_pages(place, paths, account)
    for path in worse(before, after):
        if after[path] != NO_ANSWER:
            after[path] = open_page(place, path, account)
    said = [
        f"{path} answers {words(after[path])}, {before[path]} before"
        for path in worse(before, after)
    ]
    if said:
        raise ProbeError(f"pages: {'; '.join(said)}")


def is_well(status: int) -> bool:
    """Tell whether people get what they asked for. Pure."""
    return status < 400


def words(status: int) -> str:
    """Return what came of a page, for people. Pure."""
    if status == NO_ANSWER:
        return f"nothing within {SECONDS} seconds"
    return f"{status} (the login)" if status == NOT_LOGGED_IN else str(status)
