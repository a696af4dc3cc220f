# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which certificates a node shall have: what its role asks for, and what nginx answers for.

Own domains are read from nginx's files of the spaces. Spaces that a run leaves as they are keep
their certificates that way, and whoever loses a name loses its certificate with it.
"""

from __future__ import annotations

import grp
import json
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import _acme_check
import _acme_handover
import _acme_order
import _acme_store

# Of what is shown for an own domain that has none yet. No host name begins like this.
FALLBACK = "_fallback"
COMMENT = re.compile(r"#[^\n]*")
ENTRY = re.compile(r"([^\s;]+)\s+[^;]*;")


@dataclass(frozen=True)
class Wanted:
    """A certificate that shall be there."""

    name: str
    domains: tuple[str, ...]
    place: _acme_store.Place
    identity: str
    own: bool = False


@dataclass
class Settings:
    """What the role has written for this node."""

    directory: str
    email: str
    webroot: Path
    store: Path
    # Folders of the platform's certificates, and of own domains': nginx's workers read these.
    tls: Path
    names: Path
    map: Path
    # Certificates by name, and the group that may read their keys.
    requests: dict[str, list[str]]
    group: str
    names_group: str
    # Folder of nginx's files of the spaces (none: no own domains), and what the wildcard is for.
    vhosts: Path | None
    covered: list[str]
    orders: int
    dns: str = ""
    resolvers: list[str] = field(default_factory=list)
    authorities: str = ""
    metrics: Path | None = None
    # Who orders the platform's certificates for this node; none: it does so itself.
    issuer: _acme_handover.Issuer | None = None
    # Under which this node cannot ask itself, though others reach it there.
    addresses: list[str] = field(default_factory=list)
    # What shows the certificates, and reads them when it is reloaded.
    units: list[str] = field(default_factory=lambda: ["nginx.service"])

    def authority(self) -> _acme_order.Authority:
        """Return where certificates are ordered."""
        return _acme_order.Authority(
            directory=self.directory,
            email=self.email,
            webroot=self.webroot,
            store=self.store,
            dns=self.dns,
            resolvers=tuple(self.resolvers),
            environment={"LEGO_CA_CERTIFICATES": self.authorities} if self.authorities else {},
        )


def load(path: Path) -> Settings:
    """Return the settings of this node."""
    found = json.loads(path.read_text(encoding="utf-8"))
    for key in ("webroot", "store", "tls", "names", "map", "vhosts", "metrics"):
        found[key] = Path(found[key]) if found.get(key) else None
    if found.get("issuer"):
        found["issuer"] = _acme_handover.Issuer(**found["issuer"])
    return Settings(**found)


def list_own(texts: t.Iterable[str], covered: t.Iterable[str]) -> list[str]:
    """Return the names in nginx's files that the wildcard is not for. Pure."""
    plain = set(covered)
    below = tuple(name[1:] for name in plain if name.startswith("*."))
    names = {match[1].lower() for text in texts for match in ENTRY.finditer(COMMENT.sub("", text))}
    return sorted(
        name
        for name in names - plain
        if not name.endswith(below) and _acme_check.NAME.fullmatch(name)
    )


def find_group(name: str) -> int:
    """Return the number of a group; root's where it is not there yet."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return 0


def find_own(settings: Settings, name: str) -> _acme_store.Place:
    """Return where the certificate of an own domain is."""
    gid = find_group(settings.names_group)
    return _acme_store.Place(settings.names / name, settings.names / ".versions", gid)


def list_wanted(settings: Settings) -> list[Wanted]:
    """Return the certificates that shall be there, those of the platform first."""
    gid = find_group(settings.group)
    wanted = [
        Wanted(
            name,
            tuple(domains),
            _acme_store.Place(settings.tls / name, settings.tls / ".versions", gid),
            _acme_store.identify(settings.directory, domains),
        )
        for name, domains in settings.requests.items()
    ]
    files = sorted(settings.vhosts.glob("*.conf")) if settings.vhosts else []
    texts = [file.read_text(encoding="utf-8") for file in files]
    for name in list_own(texts, settings.covered):
        identity = _acme_store.identify(settings.directory, [name])
        wanted.append(Wanted(name, (name,), find_own(settings, name), identity, own=True))
    return wanted
