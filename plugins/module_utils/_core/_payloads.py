# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What action plugins send to the modules of the same name: files, limits, databases, services.

Only types, with their units: nothing here runs. A payload crosses to the node as compressed JSON,
so that all of it is made of mappings, lists, texts, numbers and true or false.
"""

from __future__ import annotations

import typing as t

# --- files, users, limits: spaces_files, spaces_quotas, templates ------------------------------


class OfSpace(t.TypedDict):
    """What belongs to a space."""

    space: str


class Content(t.TypedDict):
    """A file as it shall be: numeric owner and group, permission bits."""

    path: str
    content: str
    uid: int
    gid: int
    mode: int


class File(Content):
    """A file of a space, or of the node."""

    # The space whose file it is; of a file of the node, its path.
    space: str
    # vhost, php, config, file, …: what a change of it concerns.
    kind: str


class Directory(t.TypedDict):
    """A directory of a space: numeric owner and group, permission bits."""

    space: str
    path: str
    uid: int
    gid: int
    mode: int


class NodeDirectory(t.TypedDict):
    """A directory of the node: the names of its owner and group, permission bits."""

    path: str
    mode: int
    owner: str
    group: str


class NodeFiles(t.TypedDict):
    """Directories and files of the node itself."""

    directories: list[NodeDirectory]
    files: list[File]


class User(t.TypedDict):
    """The unix user of a space; its group has the same name and number."""

    space: str
    name: str
    id: int


class Users(t.TypedDict):
    """Users to make, and the file that declares those of all spaces of the node."""

    wanted: list[User]
    path: str
    # Space → its line of sysusers.d.
    declared: dict[str, str]
    header: str


class Directories(t.TypedDict):
    """Directories to make, and the file of tmpfiles.d that declares those of all spaces."""

    wanted: list[Directory]
    path: str
    content: str


class KnownNames(t.TypedDict):
    """Host names of a space, and why it is exempt from convergence: skipped, hold or empty."""

    domains: list[str]
    exempt: str


class OwnServer(t.TypedDict):
    """The server of nginx for the spaces' own domains: two files to include, certificates."""

    listen: str
    answers: str
    # Certificate and key; the first pair that is there.
    certificates: list[tuple[str, str]]


class Names(t.TypedDict):
    """What the host names on a node are compared with."""

    # Folder of the vhosts, and the file with the server of own domains.
    directory: str
    path: str
    header: str
    # Names that the usual server answers for, `*.example.org` included.
    served: list[str]
    server: OwnServer
    known: dict[str, KnownNames]


class Limit(t.TypedDict):
    """The storage limit of a space: a project quota. Bytes, and number of files."""

    space: str
    # Project, which is the uid.
    id: int
    paths: list[str]
    bytes: int
    files: int


class Quotas(t.TypedDict):
    """The limits of a node's spaces; spaces_quotas takes nothing else."""

    wanted: list[Limit]
    # Of all spaces of the node: an id has one owner.
    ids: list[int]
    root: str
    # auto, ext4, xfs or none.
    backend: str
    # Whether a limit below what is used is set all the same.
    allow_over: bool
    # Whether each file is looked at.
    verify: bool


class SpacesFiles(t.TypedDict):
    """spaces_files."""

    node: NodeFiles
    users: Users
    directories: Directories
    files: list[File]
    names: Names
    quotas: Quotas


# --- what a role wants of a node: node_state ----------------------------------------------------


class Link(t.TypedDict):
    """A symbolic link: where it is, and the text that it holds."""

    path: str
    target: str


class NodeUnit(t.TypedDict):
    """A unit of systemd as it shall be; None: whatever it is."""

    name: str
    enabled: bool | None
    masked: bool | None
    # started, stopped or None.
    state: str | None
    # Files and folders that it has read: compared by their modification time,
    newer: list[str]
    # and programs: by when they came to their place.
    arrived: list[str]
    # Whether a folder counts as such, because something in it went.
    count_removed: bool
    # What is done to a running unit that is older: restart, reload, stop or report.
    then: str
    # Program that says before whether the unit would take its files; empty: none.
    validate: list[str]


class NodeState(NodeFiles):
    """node_state."""

    packages: list[str]
    # Packages that check mode takes for installed, since it installs none.
    pending: list[str]
    groups: list[str]
    absent: list[str]
    links: list[Link]
    # Files of sysusers.d, whose users are made.
    sysusers: list[str]
    sysctls: dict[str, str]
    # What systemd itself runs with, by property.
    manager: dict[str, str]
    units: list[NodeUnit]


# --- certificates of a node: certificates_compare ----------------------------------------------


class CertificateFolder(t.TypedDict):
    """What is in the folder of one certificate; empty: there is none."""

    # Public half of the key, PEM.
    public_key: str
    certificate: str
    chain: str
    # Name of a file, or "." → owner:group:mode.
    rights: dict[str, str]


class FoundCertificates(t.TypedDict):
    """What certificates_compare finds on a node."""

    # Of the folder that all are in.
    rights: str
    certificates: dict[str, CertificateFolder]
    # The certificate of the authority that the node trusts, and who may read it.
    trusted: str
    trusted_rights: str
    # Whether the system's bundle is younger than that.
    bundled: bool


# --- databases: spaces_databases, and what others need of one ----------------------------------


class Account(t.TypedDict):
    """Who a space is at its database server, and from which host it comes."""

    space: str
    user: str
    host: str


class Database(Account):
    """A database with its account."""

    name: str
    # Databases beside its own that the account may use, whether they are there or not.
    further: list[str]
    # Hosts that its user no longer comes from: accounts there go.
    left: list[str]
    max_user_connections: int
    # None: the server asks the socket who comes.
    password: str | None


class ReachedDatabase(Database):
    """A database, and where the space finds it: localhost:socket, or host[:port]."""

    address: str


class SpacesDatabases(t.TypedDict):
    """spaces_databases."""

    databases: list[Database]
    socket: str
    # Space → what the node must and may have of it: its status, or `exempt`.
    known: dict[str, str]


# --- services: spaces_services, spaces_drift --------------------------------------------------


class Unit(t.TypedDict):
    """Whether the services of a space run."""

    space: str
    running: bool


class PhpSources(t.TypedDict):
    """What PHP services are compared with: files and folders."""

    # Folder of the files that one service alone reads.
    own: str
    # Newer than a service: it is restarted; of programs, the time at which they came.
    restart: list[str]
    binaries: list[str]
    # Newer than what it read last: it is reloaded.
    reload: list[str]


class NginxSources(t.TypedDict):
    """What nginx is compared with: files and folders."""

    paths: list[str]


class Expected(t.TypedDict):
    """What a node is compared with, to find what is in no file."""

    # Space → what the node must and may have of it: its status, or `exempt`.
    known: dict[str, str]
    # Space → uid.
    ids: dict[str, int]
    # root, vhosts and php: folders.
    places: dict[str, str]


class SpacesServices(t.TypedDict):
    """spaces_services."""

    units: list[Unit]
    php: PhpSources
    nginx: NginxSources
    drift: Expected


class SpacesDrift(Expected):
    """spaces_drift."""

    accounts: list[Account]
    # web or database: which part of the node is looked at.
    of: str
    socket: str
