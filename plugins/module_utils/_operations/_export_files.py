# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The files of an export: which folders of a space hold what its people made, and their names."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _backup, _spool
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

PREFIX = "oc_"
# What ends a path, or no Windows takes in a name. Everything else is as people wrote it.
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
# Bytes of a name; file systems take 255, and a number and an ending may follow.
LONGEST = 200
# Applications' folders that Nextcloud makes anew: previews, packed scripts and styles, what open
# documents are edited with, keys that are of no use elsewhere. All others are exported.
CACHES = frozenset(
    {
        "appstore",
        "css",
        "dav-photocache",
        "external_cache",
        "identityproof",
        "js",
        "preview",
        "text",
    }
)
GROUP_FOLDERS = "__groupfolders"


@dataclass
class Counts:
    """What went into the archive."""

    files: int = 0
    group_folders: int = 0
    group_files: int = 0
    app_files: int = 0
    calendars: int = 0
    events: int = 0
    books: int = 0
    cards: int = 0
    # Of applications that keep what people made in tables alone, and the rows of these.
    tables: int = 0
    rows: int = 0
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tree:
    """A folder of a space that is exported: where it is, and what it is called in the archive."""

    kind: str
    parts: tuple[str, ...]
    name: str


def safe(name: str) -> str:
    """Return a name that is one part of a path, and no longer than file systems take. Pure."""
    part = UNSAFE.sub("_", name).strip(". ").encode()[:LONGEST]
    return part.decode("utf-8", "ignore").strip(". ") or "unnamed"


def distinct(names: t.Iterable[str]) -> dict[str, str]:
    """Return a part of a path for each name; two that differ never share one. Pure."""
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        place, number = safe(name), 1
        while place in found.values():
            number += 1
            place = f"{safe(name)}-{number}"
        found[name] = place
    return found


def trees(space: _backup.Space) -> list[Tree]:
    """Return the folders of a space that hold what its people made."""
    data = f"{space.home}/data"
    found: list[Tree] = []
    names = sorted(entry.name for entry in os.scandir(data) if entry.is_dir(follow_symlinks=False))
    accounts = [
        name for name in names if os.path.isdir(f"{data}/{name}/files") and name[:2] != "__"
    ]
    for account, place in distinct(accounts).items():
        found.append(Tree("files", (data, account, "files"), f"files/{place}"))
    if GROUP_FOLDERS in names:
        found += group_folders(space, data)
    for name in names:
        if name.startswith("appdata_"):
            found += applications(data, name)
    return found


def group_folders(space: _backup.Space, data: str) -> list[Tree]:
    """Return the group folders, called as people know them."""
    names: dict[str, str] = {}
    if f"{PREFIX}group_folders" in _database.tables(space.server, space.database):
        sql = f"SELECT folder_id, HEX(mount_point) FROM {PREFIX}group_folders"
        rows = _database.run(space.server, sql, space.database)
        names = {row[0]: bytes.fromhex(row[1]).decode("utf-8", "replace") for row in rows}
    found = []
    for entry in sorted(os.scandir(f"{data}/{GROUP_FOLDERS}"), key=lambda one: one.name):
        if not entry.name.isdecimal() or not entry.is_dir(follow_symlinks=False):
            continue
        # Since version 20 of the application, files have a folder of their own in there.
        below = ("files",) if os.path.isdir(f"{entry.path}/files") else ()
        place = safe(f"{names.get(entry.name, 'folder').replace('/', ' - ')}-{entry.name}")
        parts = (data, GROUP_FOLDERS, entry.name, *below)
        found.append(Tree("group_files", parts, f"group-folders/{place}"))
    return found


def applications(data: str, folder: str) -> list[Tree]:
    """Return the folders in which applications keep what people gave them."""
    kept = sorted(
        entry.name
        for entry in os.scandir(f"{data}/{folder}")
        if entry.is_dir(follow_symlinks=False) and entry.name not in CACHES
    )
    return [
        Tree("app_files", (data, folder, name), f"applications/{place}")
        for name, place in distinct(kept).items()
    ]


def add_files(archive: _spool.Archive, space: _backup.Space, counts: Counts) -> None:
    """Add all files; links are not followed, owners are left out."""
    for tree in trees(space):
        with _spool.opened(*tree.parts) as descriptor:
            if descriptor is None:
                continue
            number = _spool.add_tree(archive, tree.name, descriptor)
        setattr(counts, tree.kind, getattr(counts, tree.kind) + number)
        counts.group_folders += tree.kind == "group_files"
