# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""One space, as the inventory gives it to everything else: an entry of archipel_spaces.

docs/architecture.md shows one. What people wrote in it stays untrusted text.
"""

from __future__ import annotations

import typing as t

Status = t.Literal["approved", "suspended", "closed"]


class Contact(t.TypedDict):
    """Who receives the invitation."""

    name: str | None
    email: str


class Decision(t.TypedDict):
    """Who decided on the status, when (YYYY-MM-DD) and why."""

    by: str | None
    on: str | None
    reason: str | None


class Logo(t.TypedDict):
    """A picture on the controller; the digest, in hexadecimal digits, tells whether it changed."""

    path: str
    sha256: str


class Theme(t.TypedDict):
    """What the pages of a space look like; the colour is #rrggbb."""

    color: str | None
    slogan: str | None
    logo: Logo | None


class Dormancy(t.TypedDict):
    """What was decided on because nobody uses a space: days are YYYY-MM-DD."""

    # Whether it may sleep as long as it likes.
    exempt: bool
    # When somebody used it last, and how many letters were decided on.
    since: str | None
    letters: int


class CopyOf(t.TypedDict):
    """Which space another one is a copy of, since when and until when: YYYY-MM-DD."""

    space: str
    on: str
    # None: it is closed already.
    until: str | None


class Suite(t.TypedDict):
    """An office suite of the catalogue: its connector and, where it is served, its role."""

    name: str
    application: str
    role: t.NotRequired[str]
    # Pattern of the servers' host names, with {shard} and perhaps {slug} and {domain}.
    host: t.NotRequired[str]
    # People who may edit at the same time on one server.
    connections: t.NotRequired[int]
    # Settings of the connector, keys of config.php, and how to ask whether documents are open: with
    # placeholders such as {url}.
    settings: t.NotRequired[dict[str, object]]
    config: t.NotRequired[dict[str, object]]
    open: t.NotRequired[dict[str, object]]


class DeclaredShard(t.TypedDict):
    """An office server as archipel_office_shards of a node has it."""

    name: str
    suite: str
    port: t.NotRequired[int]
    # People who may edit at the same time, where it is not the suite's number.
    connections: t.NotRequired[int]


class OfficeServer(t.TypedDict):
    """Where one space finds the server of one suite."""

    shard: str
    # Host name, and address with https and the port.
    host: str
    url: str
    # IP addresses that its requests come from.
    addresses: list[str]
    # How often the secret was changed.
    rotation: int


class Client(t.TypedDict):
    """What office servers need of a space."""

    slug: str
    status: Status
    # Host names without port, the canonical one first.
    domains: list[str]
    # Suite → its server; empty where there are no office servers.
    office_servers: dict[str, OfficeServer]


class KnownSpace(t.TypedDict):
    """What is known of every space of a node, also of one whose file is wrong."""

    slug: str
    status: Status
    # uid, gid and quota project: the same on every node.
    id: int
    # Host names without port, the canonical one first.
    domains: list[str]
    # Nodes, as the inventory names them.
    web: str
    db: str


class SpaceEntry(KnownSpace):
    """One space, resolved and ready to render."""

    # Suite → its server; empty where there are no office servers.
    office_servers: dict[str, OfficeServer]
    name: str
    contact: Contact
    decision: Decision
    # Suite.
    office: str
    # Whether the administrators of the space may not switch it.
    office_pinned: bool
    ring: str
    # What the policy gives a new space of its ring.
    release: str
    accounts: int
    # GB of 1024^3 bytes.
    storage_gb: int
    # Of the canonical name, with https, and the port where it is not 443.
    url: str
    # Whether pages under its other names lead to the canonical one.
    redirect: bool
    locale: str
    # Country of telephone numbers without a country code, two letters; empty: they need one.
    phone_region: str
    # A name of the tz database.
    timezone: str
    theme: Theme
    # Whether visitors may ask for an account.
    registration: bool
    # The web node that it was lost with, while it is not restored on its own. Only those have it.
    lost: t.NotRequired[str]
    # A copy for trying something: nothing goes out of it. Only those have it.
    copy_of: t.NotRequired[CopyOf]
    # YYYY-MM-DD.
    closed_on: str | None
    dormancy: Dormancy
    # Whether every run leaves it as it is.
    hold: bool
    # Relative to the registry.
    file: str


class Skipped(t.TypedDict):
    """A space whose file is wrong: what the lock file is certain of, and the names it keeps."""

    slug: str
    id: int
    web: str
    db: str
    domains: list[str]


class NewSpace(t.TypedDict):
    """A space that the lock file does not know yet."""

    slug: str
    id: int
    web: str
    db: str


class Summary(t.TypedDict):
    """A request, or one that was refused: there is no space."""

    slug: str
    name: str
    decision: Decision | None
    file: str


class FilesReport(t.TypedDict):
    """What the files of a registry say. Spaces are named by their slugs."""

    environment: str
    # Number of files, and of files of each status.
    files: int
    counts: dict[str, int]
    requested: list[Summary]
    refused: list[Summary]
    closed: list[str]
    # Gone for good; their files only remember them.
    purged: list[str]
    held: list[str]
    # What is wrong with the file of a space that is left as it is, in sentences.
    skipped: dict[str, list[str]]
    # Placed, but their file is gone: nothing is deleted for that.
    without_file: list[str]
    # File names.
    ignored: list[str]
    # The file of the contacts, where this run has no password for it; else empty.
    sealed: str


class PlacesReport(t.TypedDict):
    """What nodes take, and spaces that are not in their lists, or not yet in the lock file."""

    # Made by the next run that makes spaces.
    new: list[NewSpace]
    nodes: list[NodeReport]
    # Placed, but their file is wrong or gone.
    placed: list[PlacedOnly]


class Report(FilesReport, PlacesReport):
    """What the registry asks of people: archipel_report."""

    offices: list[ServerLoad]


class NodeReport(t.TypedDict):
    """A node with its parts, and the most it takes: spaces, and GB that are promised to them."""

    name: str
    parts: list[str]
    # None: as many as there are.
    spaces: int | None
    storage_gb: int | None


class PlacedOnly(t.TypedDict):
    """A space of which only the lock file says anything; its GB are the policy's."""

    slug: str
    web: str
    db: str
    storage_gb: int


class PlacedSpace(t.TypedDict):
    """Where a space lives, its number, and the shard of each suite that serves it."""

    id: int
    web: str
    db: str
    office: dict[str, str]


class Pending(t.TypedDict):
    """What the lock file lacks, for archipel.spaces.placement: archipel_placement."""

    path: str
    environment: str
    recorded: bool
    # As in the lock file, by slug.
    pending: dict[str, PlacedSpace]


class ServerOfNode(t.TypedDict):
    """An office server, complete for the node it runs on."""

    name: str
    suite: str
    port: int | None
    # People who may edit at the same time; None: the suite sets no limit.
    connections: int | None
    # Host name; with a name for each space, the part they have in common.
    host: str
    # For the certificate: the host, or a wildcard.
    domain: str


class ServedSpace(t.TypedDict):
    """What an office server must know of a space."""

    slug: str
    # Host names of the space, the canonical one first.
    hosts: list[str]
    suite: str
    shard: str
    # Host name under which the server answers this space.
    host: str
    rotation: int


class ServerLoad(t.TypedDict):
    """An office server with its load: spaces that may use it, people who may edit at once."""

    name: str
    suite: str
    node: str
    spaces: int
    connections: int | None


class Tenant(t.TypedDict):
    """A space of one suite, with the secret that it shares with its server."""

    slug: str
    host: str
    shard: str
    secret: str
