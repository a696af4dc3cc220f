# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a restore works on: folders and databases of a space, its backup, its previous state."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
    _layout,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _backup
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import pattern, quote
from ansible_collections.archipel.spaces.plugins.module_utils._system import _projects

VERB = "restore"
# What a journal says of why a space is restored: the node that was lost, and where it comes to.
ASKED = (LOST, PLACE) = ("lost", "place")
# What a restored configuration must not bring with it: it is written anew.
MANAGED = "managed.config.php"


class RestoreError(Exception):
    """A space could not be restored; nothing of it is lost."""


@dataclass(frozen=True)
class Job:
    """What is restored, and where to."""

    settings: _backup.Settings
    # Whose backup.
    source: str
    # Which space it becomes.
    target: str
    # Where its database is.
    server: _database.Server
    snapshot: str
    # Where its folder and its dump were when it was backed up; empty: where they are here.
    from_home: str = ""
    from_staging: str = ""

    @property
    def layout(self) -> _layout.Layout:
        """Names and places of the space that it becomes."""
        return self.settings.layout(self.target)

    @property
    def home(self) -> str:
        """The space's folder."""
        return self.layout.home

    @property
    def stage(self) -> str:
        """Where the backup is unpacked: on the same file system, so that it can be renamed."""
        return self.layout.restoring

    @property
    def source_home(self) -> str:
        """The folder of the space when it was backed up."""
        return self.from_home or self.settings.layout(self.source).home

    @property
    def unpacked(self) -> str:
        """The restored space's folder in there."""
        return f"{self.stage}{self.source_home}"

    @property
    def staged(self) -> str:
        """The restored dump and its description."""
        return self.stage + (self.from_staging or _backup.staging(self.settings, self.source))

    @property
    def previous(self) -> str:
        """Where the present state is kept aside."""
        return self.layout.previous

    @property
    def database(self) -> str:
        """The space's database."""
        return self.layout.database


def find_server(settings: _backup.Settings, slug: str, *, distant: bool) -> _database.Server:
    """Return where the database of a space is: as its configuration says, else its journal.

    The configuration is moved aside in the middle of a restore, with all that is in its folder.

    Args:
        settings: of this node.
        slug: the space.
        distant: whether the registry has its database on another node.

    Raises:
        RestoreError: nobody says where, or something was begun with a database elsewhere.

    """
    layout = settings.layout(slug)
    begun = (_journal.read(slug) or {}).get("database")
    account = _config.database(_files.read_text(layout.managed_config))
    if "host" in account:
        host = account["host"] if account.get("password") else ""
    else:
        host = begun or ""
    if begun is not None and begun != host:
        raise RestoreError(
            f"what is under way was begun with its database on {begun or 'this node'}, and now it "
            f"is on {host or 'this node'}: give the space its former line in placement.yml back, "
            "and finish that first"
        )
    if distant != bool(host):
        raise RestoreError(
            f"the registry has its database on {'another' if distant else 'this'} node, and "
            f"{layout.managed_config} does not: playbooks/restore.yml writes it before it begins"
        )
    if not host:
        return _database.local(settings.socket)
    if account.get("password"):
        return _database.distant(layout.backup_client, account, settings.database_ca)
    # Whatever was begun has written it.
    return _database.known(layout.backup_client, host)


def check_rights(settings: _backup.Settings, slug: str, server: _database.Server) -> None:
    """Make sure that the account of a space may use the database that keeps its tables aside.

    Without the right it does not even see that there is one.

    Raises:
        RestoreError: it may not.
        DatabaseError: the server does not answer.

    """
    if not server.distant:
        return
    name = settings.layout(slug).previous_database
    wanted = f"GRANT ALL PRIVILEGES ON {quote(pattern(name))}.* TO "
    if not any(row[0].startswith(wanted) for row in _database.run(server, "SHOW GRANTS")):
        raise RestoreError(
            f"its account may not use {name} on {server.host}: playbooks/restore.yml gives it the "
            "right before it begins, and any other run takes it back. Run it again, with no other "
            "one beside it"
        )


def has_previous(settings: _backup.Settings, slug: str, server: _database.Server) -> bool:
    """Tell whether a state from before a restore is kept, by its present or its former name."""
    layout = settings.layout(slug)
    if os.path.isdir(layout.previous) or os.path.isdir(layout.former_previous):
        return True
    names = (layout.previous_database, layout.former_previous_database)
    return any(_database.exists(server, name) for name in names)


def rename_former(settings: _backup.Settings, slug: str, server: _database.Server) -> None:
    """Give the state from before a restore its present names. Can be repeated.

    A restore that was cut short may have left a part of it by its former name, and begins no new
    one: what has the present name already stays.
    """
    layout = settings.layout(slug)
    if os.path.isdir(layout.former_previous) and not os.path.lexists(layout.previous):
        os.rename(layout.former_previous, layout.previous)
    if _database.exists(server, layout.former_previous_database):
        _database.move(server, layout.former_previous_database, layout.previous_database)
        _database.drop(server, layout.former_previous_database)


def number_of(slug: str) -> int:
    """Return the number of a space's user, which is that of its storage too.

    Raises:
        RestoreError: there is no such user.

    """
    try:
        return pwd.getpwnam(_layout.Layout(slug).user).pw_uid
    except KeyError as error:
        raise RestoreError(
            f"this node has no user space-{slug}: playbooks/spaces.yml -e only={slug} makes it; "
            "then run this again"
        ) from error


def limit(data: str, project: int) -> None:
    """Let data count for a space's storage; with 0, as what is kept aside, for nobody's."""
    if os.path.isdir(data):
        _projects.move(data, project)


def remove(path: str) -> None:
    """Remove a file, a link or a folder, if there is one.

    Raises:
        OSError: it could not be.

    """
    if os.path.isdir(path) and not os.path.islink(path):
        remove_tree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def remove_tree(path: str) -> None:
    """Remove a folder, however deep its folders are nested.

    Python's own way calls itself for each level, and people can make more of them than it may.

    Raises:
        OSError: it could not be.

    """
    command = ["rm", "--recursive", "--force", "--", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{path} could not be removed: {done.stderr.strip()[-500:]}")


# Up to here the live space is as it was.
HARMLESS = ("fetch",)
# These need the space at a standstill. A run that goes on after an interruption may find a
# space that somebody has started meanwhile.
AT_STANDSTILL = ("aside", "load", "place", "finish", "clear", "return")


def abandon(settings: _backup.Settings, slug: str) -> None:
    """Give a restore up that has not touched the space yet."""
    remove(settings.layout(slug).restoring)
    _journal.remove(slug)


def give_up(slug: str) -> str:
    """Return how a restore that cannot be finished is undone. Pure."""
    return (
        f"if it cannot be finished, -e previous=restore -e confirm={slug} returns what was there "
        "before"
    )
