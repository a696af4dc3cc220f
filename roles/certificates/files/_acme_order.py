# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One order at the authority, by lego, and what its answer means.

lego's `run` always orders; whether it is time is decided elsewhere. Each order has a folder of
its own, into which the account's folder is linked: nothing of a failed one is left.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 300
# `[velo.example] acme: error: 400 :: urn:ietf:params:acme:error:connection :: what happened`, or
# without a domain and with the request that was refused: that concerns the account, or everybody.
ERROR = re.compile(
    r"(?P<domain>\[[^\]\s]+\] )?acme: error: \d+ :: (?P<request>(?:POST|GET|HEAD) :: \S+ :: )?"
    r"urn:ietf:params:acme:error:(?P<kind>\w+) ?(?::: ?(?P<text>.*))?"
)
# Of the account, where a request was refused and not a domain.
OF_ACCOUNT = {"accountDoesNotExist", "unauthorized"}
# Of everybody; whatever else is said concerns the names that were asked for.
OF_ALL = {
    "badPublicKey",
    "badSignatureAlgorithm",
    "externalAccountRequired",
    "invalidContact",
    "serverInternal",
    "unsupportedContact",
    "userActionRequired",
}

Kind = t.Literal["domain", "account", "limited", "authority", "issuer"]

REMEDIES = {
    "caa": "A CAA record forbids this authority: the domain's owner adds one that allows it",
    "connection": "The authority cannot reach the plain port of the domain: its owner corrects its "
    "A and AAAA records",
    "dns": "The authority cannot look the domain up: its owner mends its DNS, or DNSSEC",
    "rejectedIdentifier": "The authority gives none for this name: take it out of the space's file",
    "unauthorized": "The domain, or the word in its DNS, is not what it was asked for",
}


class OrderError(Exception):
    """No certificate was had."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class Authority:
    """Where and as whom certificates are ordered."""

    directory: str
    email: str
    webroot: Path
    # Holds the account's folder; orders are made beside it.
    store: Path
    # Of lego's hosters; empty: no DNS-01.
    dns: str = ""
    resolvers: tuple[str, ...] = ()
    # What lego learns beside: of the hoster, and which authorities it trusts.
    environment: t.Mapping[str, str] = field(default_factory=dict)


def make_command(
    authority: Authority, domains: t.Sequence[str], folder: Path, *, by_dns: bool
) -> list[str]:
    """Return how lego is called. Pure; no secret is in it."""
    options = ["--accept-tos", "--email", authority.email, "--server", authority.directory]
    options += ["--path", str(folder), "--key-type", "ec256", "--cert.timeout", "60"]
    if by_dns:
        options += ["--dns", authority.dns]
        for resolver in authority.resolvers:
            options += ["--dns.resolvers", resolver]
    else:
        options += ["--http", "--http.webroot", str(authority.webroot)]
    for domain in domains:
        options += ["--domains", domain]
    return ["lego", *options, "run"]


def explain(said: str) -> OrderError:
    """Return what lego's words mean: whose fault it is, in a sentence. Pure."""
    found = [match for match in ERROR.finditer(said) if match["kind"] != "badNonce"]
    if not found:
        last = (said.strip().splitlines() or ["lego said nothing"])[-1]
        return OrderError("authority", re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "", last)[:500])
    error = found[-1]
    kind, detail = error["kind"], (error["text"] or "").strip()[:500]
    text = f"{kind}: {detail}" + (f". {REMEDIES[kind]}" if kind in REMEDIES else "")
    if kind == "rateLimited":
        return OrderError("limited", text)
    if kind in OF_ALL:
        return OrderError("authority", text)
    if kind in OF_ACCOUNT and not error["domain"]:
        return OrderError("account", f"{kind}: {detail}")
    return OrderError("domain", text)


def order(authority: Authority, domains: t.Sequence[str], *, by_dns: bool) -> dict[str, bytes]:
    """Order one certificate; return its files by name.

    Args:
        authority: where.
        domains: names it is for.
        by_dns: validated by the DNS, else by the plain port.

    Raises:
        OrderError: none was had.

    """
    accounts = authority.store / "accounts"
    accounts.mkdir(mode=0o700, exist_ok=True)
    # What cannot be removed at once, the next pass does.
    with tempfile.TemporaryDirectory(
        prefix="order-", dir=authority.store, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        (folder / "accounts").symlink_to(accounts)
        command = make_command(authority, domains, folder, by_dns=by_dns)
        environment = {**os.environ, **authority.environment}
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise OrderError(
                "authority", f"{authority.directory} gave no answer in {SECONDS} seconds"
            ) from None
        if done.returncode:
            raise explain(done.stdout + done.stderr)
        return collect(folder / "certificates")


def collect(folder: Path) -> dict[str, bytes]:
    """Return what lego has written for one order, under the names it has on the node.

    Raises:
        OrderError: it wrote something else.

    """
    keys = sorted(folder.glob("*.key"))
    if len(keys) != 1:
        raise OrderError("authority", f"lego left {len(keys)} keys where one was expected")
    certificate, issuer = keys[0].with_suffix(".crt"), keys[0].with_suffix(".issuer.crt")
    try:
        files = {"fullchain.pem": certificate, "chain.pem": issuer, "privkey.pem": keys[0]}
        return {name: path.read_bytes() for name, path in files.items()}
    except OSError as error:
        raise OrderError("authority", f"lego left no certificate: {error}") from None


def renew_account(authority: Authority) -> None:
    """Forget the account: the next order makes a new one."""
    shutil.rmtree(authority.store / "accounts", ignore_errors=True)


def forget(store: Path) -> None:
    """Remove what orders that were killed left behind."""
    for folder in store.glob("order-*"):
        shutil.rmtree(folder)
