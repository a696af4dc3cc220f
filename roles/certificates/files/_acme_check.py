# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether a domain leads to this node, asked as the authority will ask it.

Addresses are not compared with the node's: before it there may be an edge or a router. What
counts is whether a word that lies in the folder of the challenges is what the domain answers.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import secrets
import socket
import typing as t
from pathlib import Path

CHALLENGES = ".well-known/acme-challenge"
PREFIX = "archipel-"
SECONDS = 10.0
LOOPBACK = "127.0.0.1"
# As nginx and the authority take a name.
NAME = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")

Resolve = t.Callable[[str], "list[str]"]
Fetch = t.Callable[[str, str, str], "tuple[int, bytes]"]


class NotOursError(Exception):
    """A domain does not lead here; the text says what its owner must do."""


def resolve(name: str) -> list[str]:
    """Return the addresses of a name, of both families, as the node's resolver knows them.

    Raises:
        NotOursError: it has none, or nobody can say.

    """
    try:
        found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        unknown = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)}
        reason = (
            "has no address in the DNS" if unknown else f"cannot be looked up: {error.strerror}"
        )
        raise NotOursError(
            f"{name} {reason}. Its owner lets it lead to this platform (a CNAME to the space's own "
            "name, or A and AAAA), or it is taken out of the space's file"
        ) from None
    return sorted({str(entry[4][0]) for entry in found})


def fetch(address: str, name: str, path: str) -> tuple[int, bytes]:
    """Return status and first bytes of what an address answers for a name on the plain port."""
    connection = http.client.HTTPConnection(address, 80, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": name, "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(1024)
    finally:
        connection.close()


def check_node(webroot: Path, ask: Fetch = fetch) -> str:
    """Return why this node itself does not answer challenges; empty if it does."""
    with _Word(webroot) as word:
        said = _answer(LOOPBACK, "challenges.invalid", word, ask)
    return said and f"the plain port of this node {said}: is nginx running?"


def check(
    name: str,
    webroot: Path,
    here: t.Collection[str] = (),
    lookup: Resolve = resolve,
    ask: Fetch = fetch,
) -> None:
    """Ask a domain for a word that only this node has.

    Args:
        name: the domain.
        webroot: folder that nginx serves challenges from.
        here: addresses that lead to this node for everybody but itself, behind a router that leads
            nobody back in: asked for on the loopback.
        lookup: name → addresses.
        ask: address, name and path → status and first bytes.

    Raises:
        NotOursError: it, or one of its addresses, leads elsewhere.

    """
    addresses = lookup(name)
    own = {str(ipaddress.ip_address(address)) for address in here}
    with _Word(webroot) as word:
        said = {
            address: _answer(LOOPBACK if address in own else address, name, word, ask)
            for address in addresses
        }
    wrong = {address: text for address, text in said.items() if text}
    if wrong:
        listed = "; ".join(f"{address} {text}" for address, text in wrong.items())
        some = "" if len(wrong) == len(addresses) else " Its other addresses do."
        raise NotOursError(
            f"{name} does not lead to this platform: {listed}.{some} Its owner corrects these "
            "records (a forgotten AAAA too), or it is taken out of the space's file"
        )


class _Word:
    """A word in the folder of the challenges, for as long as it is asked for."""

    def __init__(self, webroot: Path) -> None:
        token, self.text = PREFIX + secrets.token_hex(16), secrets.token_hex(16)
        self.path, self._file = f"/{CHALLENGES}/{token}", webroot / CHALLENGES / token

    def __enter__(self) -> _Word:
        self._file.write_text(self.text, encoding="utf-8")
        self._file.chmod(0o644)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.unlink()


def _answer(address: str, name: str, word: _Word, ask: Fetch) -> str:
    """Return what is wrong with what an address answers; empty if it is the word."""
    try:
        status, body = ask(address, name, word.path)
    except TimeoutError:
        return f"does not answer within {SECONDS:.0f} seconds"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer ({error})"
    if status != 200 or body != word.text.encode():
        return f"answers as somebody else (status {status})"
    return ""


def forget(webroot: Path) -> None:
    """Remove what runs that were killed left in the folder of the challenges."""
    for file in (webroot / CHALLENGES).glob(f"{PREFIX}*"):
        file.unlink()
