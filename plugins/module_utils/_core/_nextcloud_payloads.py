# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What action plugins send to the modules of the same name: installations, upgrades, offices.

Only types, with their units: nothing here runs. See `_payloads`.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import ReachedDatabase

# What people chose the keys of, and nobody here reads the values: settings, config.php.
Settings = dict[str, object]

# --- Nextcloud: spaces_installations, spaces_invitations, spaces_application_set ----------------


class Administrator(t.TypedDict):
    """The first administrator of a space."""

    uid: str
    display_name: str | None
    email: str
    language: str
    locale: str
    groups: list[str]
    subadmin_of: list[str]


class Apps(t.TypedDict):
    """Applications that are on, and off."""

    enable: list[str]
    disable: list[str]


class Suite(t.TypedDict):
    """What the application archipel in a space knows of an office suite."""

    name: str
    application: str
    # Whether there is a server of it.
    served: bool
    # How to ask whether documents are open.
    open: t.NotRequired[Settings]


class Office(t.TypedDict):
    """The office suites of a space."""

    suites: dict[str, Suite]
    default: str
    pinned: bool


class Picture(t.TypedDict):
    """A logo on the node; the digest, in hexadecimal digits, says which one."""

    file: str
    sha256: str


class AppliedPolicy(t.TypedDict):
    """The part of a desired state that the policy gives for all spaces."""

    # Application → key → value.
    app_config: dict[str, Settings]
    groups: t.NotRequired[list[str]]
    # Class of a page of settings → the groups that may see it.
    delegations: t.NotRequired[dict[str, list[str]]]


class Applied(AppliedPolicy, total=False):
    """The desired state that `occ archipel:apply` takes; of it, what a release can know."""

    apps: Apps
    app_defaults: dict[str, Settings]
    logo: Picture | None
    office: Office
    # None: nobody is made its administrator, whoever is stays.
    admin: Administrator | None
    invite_by_mail: bool


class Template(t.TypedDict):
    """What all spaces of a release have in common: a seed image is made of it."""

    apps: Apps


class Logo(t.TypedDict):
    """A logo on the controller; the digest, in hexadecimal digits, says which one."""

    path: str
    sha256: str


class Installation(t.TypedDict):
    """What the installer and upgrades need to know of a space."""

    space: str
    # uid.
    id: int
    running: bool
    release: str
    url: str
    database: ReachedDatabase
    applied: Applied
    template: Template
    logo: Logo | None
    # Keys of config.php that are the operator's.
    managed: list[str]


class Installer(t.TypedDict):
    """Where things are on the node: folders, programs, files."""

    root: str
    releases: str
    php: str
    spool: str
    # Empty: every space is installed on its own.
    seed_images: str
    database_socket: str
    # File of the authorities that another node's certificate comes from.
    database_ca: str
    # Release → applications of the set that it goes without.
    without: dict[str, list[str]]


class SpacesInstallations(t.TypedDict):
    """spaces_installations."""

    installations: list[Installation]
    # Spaces at the same time.
    parallel: int
    node: Installer
    # After which no further space is begun.
    seconds: int
    # Space → its logo in base64, where this call brings one.
    logos: dict[str, str]


class Invitation(t.TypedDict):
    """What a space needs to know to invite its first administrator."""

    space: str
    release: str
    admin: Administrator
    # Whether there is a mail relay; else the letter waits on the node.
    by_mail: bool
    # Whether one who has logged in already is invited all the same.
    again: bool


class SpacesInvitations(t.TypedDict):
    """spaces_invitations."""

    invitations: list[Invitation]
    parallel: int
    node: Installer


class SpacesApplicationSet(t.TypedDict):
    """spaces_application_set."""

    root: str
    releases: str
    without: dict[str, list[str]]
    # Applications that every release holds, and those of which the policy says whether they are on.
    needed: list[str]
    named: list[str]
    # Space → the release that a new one is to run.
    spaces: dict[str, str]
    # Space → applications that its own file asks for.
    asked: dict[str, list[str]]


# --- releases: spaces_upgrade -------------------------------------------------------------------


class UpgradePlaces(t.TypedDict):
    """How an upgrade is checked, and how long it waits: seconds."""

    # Folder of what says that a space has its maintenance flag.
    closed: str
    # Of the node's nginx, for the check.
    port: int
    jobs_seconds: int
    occ_seconds: int
    database_ca: str
    # Pages that are opened, and what is asked for as programs do.
    pages: list[str]
    requests: list[str]
    # Application → setting → value, of whoever looks.
    first_visits: dict[str, dict[str, str]]


class Brief(t.TypedDict):
    """What looking at a space needs, before it is upgraded."""

    space: str
    database: ReachedDatabase


class Moving(Installation):
    """A space that is upgraded, or brought back: the name under which it is checked."""

    host: str


class Range(t.TypedDict, total=False):
    """Versions from one to another, both included."""

    min: str
    max: str


class Targeted(Moving):
    """A space that is upgraded, and the id of the release it goes to."""

    target: str


class Release(t.TypedDict):
    """The release that spaces go to, as the catalogue describes it."""

    id: str
    version: str
    # Applications of the set that it goes without.
    without: t.NotRequired[list[str]]
    mariadb: t.NotRequired[Range]


class UpgradeRun(t.TypedDict):
    """Who upgrades to which release, since when (ISO 8601): the lease keeps others out."""

    # Id of the run.
    run: str
    by: str
    release: str
    since: str


class SpacesUpgrade(t.TypedDict):
    """spaces_upgrade."""

    # plan, run, undo or end.
    stage: str
    items: t.Sequence[Brief | Moving]
    node: Installer
    places: UpgradePlaces
    # Applications that are off in every space.
    disabled: list[str]
    release: Release
    run: UpgradeRun
    # Spaces that may fail.
    budget: int
    # Spaces at the same time.
    parallel: int
    # After which no further space is begun.
    seconds: float
    keep_releases: list[str]
    # For which restore points are kept.
    keep_days: float


# --- office: onlyoffice_tenants ---------------------------------------------------------------


class TenantFiles(t.TypedDict):
    """Secrets of tenants, and the two files that nginx reads."""

    # Shard → host name → secret.
    secrets: dict[str, dict[str, str]]
    # Shard, host name, slug.
    slugs: list[tuple[str, str, str]]
    names: str
    map: str


class OnlyofficeTenants(TenantFiles):
    """onlyoffice_tenants."""

    directory: str
    nginx_directory: str
    # Shard → port on the node, and shard → group.
    ports: dict[str, int]
    groups: dict[str, str]
    rotate_while_open: bool
