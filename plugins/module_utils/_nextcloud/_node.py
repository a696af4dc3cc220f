# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Where things are on a node, and how occ is run in one of its spaces."""

from __future__ import annotations

import functools
import json
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _occ,
    _seed_image,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Brief,
        Installation,
    )
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        OfSpace,
        ReachedDatabase,
    )

    Item = Installation

# Private files that keep passwords off command lines, in memory, while a client runs.
CLIENTS = _layout.Places.clients


class InstallationError(Exception):
    """One space could not be installed or configured."""


class OccError(InstallationError):
    """A command of occ failed; it may have said something all the same."""

    def __init__(self, why: str, said: str) -> None:
        super().__init__(why)
        self.said = said


@dataclass(frozen=True)
class Node:
    """Where things are on this node, and how to reach its database."""

    root: str
    releases: str
    php: str
    spool: str
    sandbox: list[str]
    # Folder of the releases' seed images; empty: every space is installed on its own.
    seed_images: str
    database_socket: str
    # Authorities that the certificate of a database on another node must come from.
    database_ca: str
    # From the wanted database to a connection that may make and drop it.
    connect: t.Callable[[ReachedDatabase], t.Any]
    # What the database driver raises.
    database_error: type[Exception]
    # Release -> applications of the set that it goes without, as the catalogue says.
    without: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    # Space -> its logo in base64, where this run brings one.
    logos: t.Mapping[str, str] = field(default_factory=dict)
    # Space -> why nobody took its invitation: filled by this run.
    uninvited: dict[str, str] = field(default_factory=dict)


def layout_of(item: OfSpace, node: Node) -> _layout.Layout:
    """Return the names and places of a space. Pure."""
    return _layout.Layout(item["space"], _layout.Places(root=node.root, invitations=node.spool))


@functools.cache
def own_version(releases: str, release: str) -> str:
    """Return the version of our application in a release, asked once in a run."""
    return _application_set.own_version(releases, release)


def occ(
    item: OfSpace,
    node: Node,
    arguments: t.Sequence[str],
    stdin: str | None = None,
    more: t.Sequence[t.Sequence[str]] = (),
) -> str:
    """Run occ for a space, and further commands after it; return what was printed.

    Raises:
        OccError: it failed.

    """
    outcome = _occ.run(
        item["space"],
        node.php,
        arguments,
        root=node.root,
        stdin=stdin,
        lines=node.sandbox,
        more=more,
    )
    if outcome.code != 0:
        failed = outcome.failed((arguments, *more)[-1][0])
        raise OccError(f"occ {failed}: {outcome.why()}", outcome.stdout)
    return outcome.stdout


def read_answer(printed: str) -> JsonObject:
    """Return what the application answered: the last line of what was printed. Pure.

    Raises:
        InstallationError: it is no answer.

    """
    try:
        return dict(json.loads((printed.strip().splitlines() or [""])[-1]))
    except (TypeError, ValueError) as error:
        raise InstallationError(
            f"the application archipel printed no JSON: {printed[-300:]!r}"
        ) from error


@contextmanager
def server_of(item: Brief, node: Node) -> t.Iterator[_database.Server]:
    """Say how MariaDB's own programs reach a space's database, as long as that is needed."""
    account = item["database"]
    if account["password"] is None:
        yield _database.local(node.database_socket)
        return
    host, port = _config.split_address(str(account["address"]))
    places = _layout.Places(clients=CLIENTS)
    path = Path(_layout.Layout(item["space"], places).installation_client)
    try:
        values = {**account, "host": host, "port": port}
        yield _database.distant(str(path), values, node.database_ca)
    finally:
        path.unlink(missing_ok=True)


def expected_errors(node: Node) -> tuple[type[Exception], ...]:
    """Return what may go wrong in a step: a damaged file must cost one space, not all of them."""
    return (InstallationError, _seed_image.SeedImageError, OSError, ValueError, node.database_error)
