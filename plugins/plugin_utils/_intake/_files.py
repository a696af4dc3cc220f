# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The registry's files as intake and moderation read and change them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import shown
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _lock_file, _rules
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _contacts,
    _edit,
    _environment,
    _ledger,
    _registry,
    _strict_yaml,
    _writing,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ansible.parsing.vault import VaultLib

    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _placement
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._edit import (
        Place,
        Value,
    )

# Keys of a file in the order of the schema: where new ones go.
ORDER = tuple(_rules.SCHEMA.root["properties"])


@dataclass(slots=True)
class Folder:
    """A registry as it is now."""

    environment: _environment.Environment
    records: list[_registry.Record]
    contacts: _contacts.Contacts
    # Slugs in the lock file, those that were purged, and file names of all kinds.
    placed: frozenset[str]
    taken: frozenset[str]


@dataclass(slots=True)
class Outcome:
    """What was done, or in check mode would be."""

    changes: dict[str, list[str]] = field(default_factory=dict)
    # What could not be done, by file or slug.
    refused: dict[str, list[str]] = field(default_factory=dict)
    diff: list[dict[str, str]] = field(default_factory=list)
    # Names of the submissions that nobody needs any more, wherever copies of them are.
    done: list[str] = field(default_factory=list)


def read(home: Path, vault: VaultLib) -> Folder:
    """Read a registry; files that are wrong are passed over, and their names stay taken.

    Raises:
        RegistryError: the lock file, the ledger or the contacts cannot be read.

    """
    environment = _environment.Environment(home, home)
    found = _registry.read(environment.spaces, _registry.Cache(""), _rules.check_schema)
    lock = _lock_file.read_lock(environment.lock)
    purged = _ledger.list_purged(_ledger.read(environment.ledger))
    names = {path.name.split(".")[0] for path in environment.spaces.iterdir()}
    return Folder(
        environment=environment,
        records=found.records,
        contacts=_contacts.read(environment.contacts, vault),
        placed=frozenset(lock.spaces),
        taken=frozenset({*names, *lock.spaces, *purged}),
    )


def read_lock(folder: Folder) -> _placement.Lock:
    """Return where its spaces are.

    Raises:
        RegistryError: the lock file cannot be read.

    """
    return _lock_file.read_lock(folder.environment.lock)


def path_of(folder: Folder, slug: str) -> Path:
    """Return where a space's file is, or will be."""
    return folder.environment.spaces / f"{slug}{_registry.SUFFIX}"


def diff(path: Path, before: bytes, after: bytes) -> dict[str, str]:
    """Return a change of a file as Ansible shows it."""
    return {
        "before": before.decode("utf-8"),
        "after": after.decode("utf-8"),
        "before_header": shown(path) if before else "/dev/null",
        "after_header": shown(path) if after else "/dev/null",
    }


class Change(t.NamedTuple):
    """A file before and after; nothing before is a new one, nothing after one that goes."""

    slug: str
    before: bytes
    after: bytes


def change(folder: Folder, record: _registry.Record, values: Mapping[Place, Value]) -> Change:
    """Return a file with some values changed; everything else of it as it was.

    Raises:
        EditError: it cannot be changed this way, or would be wrong afterwards.

    """
    before = path_of(folder, record.slug).read_bytes()
    after = _edit.edit(before, values, ORDER)
    changed = _registry.Record(record.slug, record.path, _strict_yaml.load(after))
    if problems := _rules.check_schema(changed):
        raise _edit.EditError("; ".join(f"{one.key}: {one.text}" for one in problems))
    return Change(record.slug, before, after)


def removal(folder: Folder, record: _registry.Record) -> Change:
    """Return a file that goes."""
    return Change(record.slug, path_of(folder, record.slug).read_bytes(), b"")


def write(folder: Folder, changes: list[Change]) -> None:
    """Write files, each whole or not at all; remove those of which nothing is left."""
    for one in changes:
        path = path_of(folder, one.slug)
        if one.after:
            _writing.replace(path, one.after)
        else:
            path.unlink()
            _writing.sync(path.parent)
