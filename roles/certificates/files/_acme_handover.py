# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How the platform's certificates come from the node that orders them to the others.

The secret of the DNS is on that node alone. The others fetch from it over SSH, each with a key of
its own, for which sshd begins one program with the names that this key is for: what the caller asks
for is not read.
"""

from __future__ import annotations

import json
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import _acme_store

SECONDS = 60
# A folder that is read may be replaced meanwhile.
TRIES = 5


class HandoverError(Exception):
    """Nothing was handed over; the text says why."""


@dataclass(frozen=True)
class Issuer:
    """The node that orders, and how it is reached."""

    node: str
    address: str
    port: int
    user: str
    key: str
    known_hosts: str


@dataclass(frozen=True)
class Given:
    """A certificate of another node: as what it came there, and its files by name."""

    identity: str
    files: dict[str, bytes]


def give(tls: Path, names: t.Mapping[str, str]) -> str:
    """Return certificates as JSON; those that are not there are left out.

    Args:
        tls: folder of the platform's certificates.
        names: name at the node that asks → name here.

    """
    found = {name: _read(tls / here) for name, here in names.items()}
    given = {name: one for name, one in found.items() if one is not None}
    return json.dumps({"version": 1, "certificates": given})


def _read(link: Path) -> dict[str, t.Any] | None:
    """Return one certificate, all of it of one order."""
    for _ in range(TRIES):
        try:
            folder = link.resolve(strict=True)
            files = {name: (folder / name).read_text("ascii") for name in _acme_store.FILES}
            dates = json.loads((folder / _acme_store.DATES).read_text(encoding="utf-8"))
            return {"identity": str(dates["identity"]), "files": files}
        except (OSError, KeyError, ValueError):
            continue
    return None


def parse_names(words: t.Iterable[str]) -> dict[str, str]:
    """Return name there → name here of words `there=here`. Pure."""
    pairs = (word.partition("=") for word in words)
    return {there: here for there, _, here in pairs if here}


def make_command(issuer: Issuer) -> list[str]:
    """Return how the node that orders is asked. Pure."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "15",
        "GlobalKnownHostsFile": "none",
        # It is known by its name in the inventory, under whatever address.
        "HostKeyAlias": issuer.node,
        "HostKeyAlgorithms": "ssh-ed25519",
        "IdentitiesOnly": "yes",
        "ServerAliveInterval": "10",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": issuer.known_hosts,
    }
    command = ["ssh", "-F", "none", "-T", "-i", issuer.key, "-p", str(issuer.port)]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    return [*command, f"{issuer.user}@{issuer.address}"]


def fetch(issuer: Issuer) -> dict[str, Given]:
    """Return what the node that orders has for this one, by name.

    Raises:
        HandoverError: nothing was had.

    """
    where = f"{issuer.node} ({issuer.address}, port {issuer.port})"
    try:
        done = subprocess.run(
            make_command(issuer),
            capture_output=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise HandoverError(f"{where} gave no answer in {SECONDS} seconds") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-300:] or f"exit code {done.returncode}"
        raise HandoverError(
            f"{where}, which orders for this node, handed nothing over: {said.rstrip('.')}. Let "
            "its SSH port be reachable from this node, and converge both"
        )
    return parse(done.stdout, where)


def parse(answer: bytes, where: str) -> dict[str, Given]:
    """Return what was handed over, by name. Pure.

    Raises:
        HandoverError: it is not what `give` writes.

    """
    try:
        found = json.loads(answer)["certificates"]
        return {
            name: Given(
                str(one["identity"]),
                {file: one["files"][file].encode("ascii") for file in _acme_store.FILES},
            )
            for name, one in found.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HandoverError(f"{where} answered with something else than certificates") from None


def is_pair(files: t.Mapping[str, bytes]) -> bool:
    """Tell whether the key is the certificate's."""
    return _public(["x509", "-noout", "-pubkey"], files["fullchain.pem"]) == _public(
        ["pkey", "-pubout"], files["privkey.pem"]
    )


def _public(command: t.Sequence[str], text: bytes) -> bytes:
    """Return a public key; of what has none, something that is no other's."""
    done = subprocess.run(["openssl", *command], input=text, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 and done.stdout else repr(command).encode()
