# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a restore works on: folders and databases of a space, its backup, its previous state."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _backup,
    _database,
    _journal,
    _projects,
)

VERB = "restore"
KEPT_DATABASE = "archipel_kept_"
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
    snapshot: str

    @property
    def home(self) -> str:
        """The space's folder."""
        return f"{self.settings.root}/{self.target}"

    @property
    def stage(self) -> str:
        """Where the backup is unpacked: on the same file system, so that it can be renamed."""
        return stage_folder(self.settings, self.target)

    @property
    def unpacked(self) -> str:
        """The restored space's folder in there."""
        return f"{self.stage}{self.settings.root}/{self.source}"

    @property
    def staged(self) -> str:
        """The restored dump and its description."""
        return f"{self.stage}{_backup.staging(self.settings, self.source)}"

    @property
    def kept(self) -> str:
        """Where the present state is kept aside."""
        return kept_folder(self.settings, self.target)

    @property
    def server(self) -> _database.Server:
        """The database server of this machine."""
        return _database.local(self.settings.socket)

    @property
    def database(self) -> str:
        """The space's database."""
        return f"space_{self.target}"


def stage_folder(settings: _backup.Settings, slug: str) -> str:
    """Return where a space's backup is unpacked."""
    return f"{settings.root}/.restore-{slug}"


def kept_folder(settings: _backup.Settings, slug: str) -> str:
    """Return where a space's state from before a restore is kept."""
    return f"{settings.root}/{kept_name(slug)}"


def kept_name(slug: str) -> str:
    """Return the name of that folder. Pure."""
    return f".kept-{slug}"


def has_kept(settings: _backup.Settings, slug: str) -> bool:
    """Tell whether a state from before a restore is kept."""
    server = _database.local(settings.socket)
    folder = os.path.isdir(kept_folder(settings, slug))
    return folder or _database.exists(server, KEPT_DATABASE + slug)


def number_of(slug: str) -> int:
    """Return the number of a space's user, which is that of its storage too.

    Raises:
        RestoreError: there is no such user.

    """
    try:
        return pwd.getpwnam(f"space-{slug}").pw_uid
    except KeyError as error:
        raise RestoreError(
            f"this machine has no user space-{slug}: playbooks/spaces.yml -e only={slug} makes it; "
            "then run this again"
        ) from error


def limit(data: str, project: int) -> None:
    """Let data count for a space's storage; with 0, as what is kept aside, for nobody's."""
    if os.path.isdir(data):
        _projects.move(data, project)


def remove(path: str) -> None:
    """Remove a file, a link or a folder, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


# Up to here the live space is as it was.
HARMLESS = ("fetch",)
# These need the space at a standstill. A run that goes on after an interruption may find a
# space that somebody has started meanwhile.
AT_STANDSTILL = ("aside", "load", "place", "finish", "clear", "return")


def abandon(settings: _backup.Settings, slug: str) -> None:
    """Give a restore up that has not touched the space yet."""
    remove(stage_folder(settings, slug))
    _journal.remove(slug)


def give_up(slug: str) -> str:
    """Return how a restore that cannot be finished is undone. Pure."""
    return f"if it cannot be finished, -e kept=back -e confirm={slug} returns what was there before"
