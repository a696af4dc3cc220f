# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Everything an association has, in formats that other programs read, as one archive.

Files as they are, calendars as iCalendar, address books as vCard, what applications keep as
files, and the whole database. They are read from disk and database: no application is needed, and
no space is woken. Whatever the size, memory stays what it is for an empty space.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _backup,
    _database,
    _journal,
    _spool,
)

# Where archives are written, unless another folder is named.
SPOOL = "/var/lib/archipel/export"
PREFIX = "oc_"
# What ends a path, or no Windows takes in a name. Everything else is as people wrote it.
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
TIMEZONE = "BEGIN:VTIMEZONE"
# Seconds for which an archive that was not brought away is used again.
FRESH = 24 * 3600
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
README = """\
{name}: what was in the space on {at}

files/<account>/           {files} files, as they were
group-folders/<name>/      {group_files} files of {group_folders} group folders
applications/<name>/       {app_files} files that applications keep by themselves: attachments of
                           boards, pages of collectives, pictures of accounts and of the theme
calendars/<account>/       {calendars} calendars with {events} entries, iCalendar (RFC 5545)
contacts/<account>/        {books} address books with {cards} contacts, vCard (RFC 6350)
database.sql               everything else, as MariaDB writes it: shares, tags, comments, forms,
                           polls, tables, boards, conversations, and what other applications keep

Not here: what is in the trash, earlier versions of files, previews, logs.

{remarks}
"""


class ExportError(Exception):
    """A space could not be exported."""


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
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tree:
    """A folder of a space that is exported: where it is, and what it is called in the archive."""

    kind: str
    parts: tuple[str, ...]
    name: str


def safe(name: str) -> str:
    """Return a name that is one part of a path. Pure."""
    return UNSAFE.sub("_", name).strip(". ") or "unnamed"


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


# --- files ---------------------------------------------------------------------------


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


# --- calendars and contacts ----------------------------------------------------------


def components(text: str) -> list[str]:
    """Return what stands inside a VCALENDAR, component by component. Pure."""
    found: list[str] = []
    depth, lines = 0, []
    for line in text.replace("\r\n", "\n").split("\n"):
        word, _, kind = line.upper().partition(":")
        if kind.strip() == "VCALENDAR":
            continue
        depth += (word == "BEGIN") - (word == "END")
        if depth or word == "END":
            lines.append(line)
        if not depth and lines:
            found.append("\r\n".join(lines))
            lines = []
    return found


def calendar(name: str, objects: t.Iterable[str]) -> t.Iterator[str]:
    """Return one calendar of many objects, in pieces; a time zone is there once. Pure."""
    escaped = name.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Archipel//export//EN"]
    yield "\r\n".join([*head, f"X-WR-CALNAME:{escaped}", ""])
    zones: set[str] = set()
    for one in objects:
        for part in components(one):
            if part.upper().startswith(TIMEZONE):
                if part in zones:
                    continue
                zones.add(part)
            yield f"{part}\r\n"
    yield "END:VCALENDAR\r\n"


def address_book(_name: str, cards: t.Iterable[str]) -> t.Iterator[str]:
    """Return one file of many contacts, in pieces. Pure."""
    for card in cards:
        yield card.rstrip("\r\n") + "\r\n"


@dataclass(frozen=True)
class Kind:
    """Calendars or address books: their tables, and how they are written."""

    own: str
    objects: str
    key: str
    content: str
    folder: str
    suffix: str
    write: t.Callable[[str, t.Iterable[str]], t.Iterator[str]]
    counted: tuple[str, str]
    remark: str


DAV = (
    Kind(
        *("calendars", "calendarobjects", "calendarid", "calendardata", "calendars", "ics"),
        calendar,
        ("calendars", "events"),
        "calendars",
    ),
    Kind(
        *("addressbooks", "cards", "addressbookid", "carddata", "contacts", "vcf"),
        address_book,
        ("books", "cards"),
        "address books",
    ),
)


def collections(space: _backup.Space, kind: Kind) -> list[tuple[int, str, str]]:
    """Return number, account and name of each calendar or address book of the accounts."""
    sql = (
        f"SELECT id, principaluri, HEX(COALESCE(displayname, uri)) FROM {PREFIX}{kind.own}"
        f"{' WHERE deleted_at IS NULL' if kind.own == 'calendars' else ''} ORDER BY id"
    )
    return [
        (int(number), who.rpartition("/")[2], bytes.fromhex(name).decode("utf-8", "replace"))
        for number, who, name in _database.rows(space.server, sql, space.database)
        if who.startswith("principals/users/")
    ]


def objects(space: _backup.Space, kind: Kind, number: int, counter: list[int]) -> t.Iterator[str]:
    """Return the content of one calendar or address book, entry by entry; count them."""
    # What is in the trash of a calendar has a time of deletion.
    alive = " AND deleted_at IS NULL" if kind.objects == "calendarobjects" else ""
    sql = (
        f"SELECT HEX({kind.content}) FROM {PREFIX}{kind.objects} "
        f"WHERE {kind.key} = {number}{alive} ORDER BY id"
    )
    for row in _database.rows(space.server, sql, space.database):
        if row[0]:
            counter[0] += 1
            yield bytes.fromhex(row[0]).decode("utf-8", "replace")


def add_kind(
    archive: _spool.Archive, space: _backup.Space, kind: Kind, counts: Counts, folder: str
) -> None:
    """Add each calendar, or each address book, as one file."""
    found = collections(space, kind)
    places = distinct(account for _, account, _ in found)
    for order, (number, account, name) in enumerate(found, start=1):
        counter = [0]
        with tempfile.TemporaryFile(dir=folder) as file:
            for piece in kind.write(name, objects(space, kind, number, counter)):
                file.write(piece.encode())
            size = file.tell()
            file.seek(0)
            path = f"{kind.folder}/{places[account]}/{safe(name)}-{order}.{kind.suffix}"
            archive.add(path, file, size)
        for key, more in zip(kind.counted, (1, counter[0]), strict=True):
            setattr(counts, key, getattr(counts, key) + more)


def add_dav(archive: _spool.Archive, space: _backup.Space, counts: Counts, folder: str) -> None:
    """Add calendars and contacts, where the space's Nextcloud keeps any."""
    tables = set(_database.tables(space.server, space.database))
    for kind in DAV:
        if {f"{PREFIX}{kind.own}", f"{PREFIX}{kind.objects}"} <= tables:
            add_kind(archive, space, kind, counts, folder)
        else:
            counts.remarks.append(f"Its Nextcloud keeps no {kind.remark}: there are none here.")


# --- the whole -----------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """What an export would hold, and what it needs in the spool at most, in bytes."""

    files: int
    bytes: int
    database_bytes: int

    @property
    def need(self) -> int:
        """The archive, which may not shrink, and the dump beside it."""
        return self.bytes + 2 * self.database_bytes + _backup.ROOM


def measure(space: _backup.Space) -> Size:
    """Return how much a space's export would hold."""
    files = size = 0
    for tree in trees(space):
        with _spool.opened(*tree.parts) as descriptor:
            if descriptor is not None:
                number, length = _spool.measure(descriptor)
                files, size = files + number, size + length
    return Size(files, size, _database.size(space.server, space.database))


def space_of(machine: _backup.Machine, slug: str) -> _backup.Space:
    """Return an installed space of this machine.

    Raises:
        ExportError: there is none of this name.

    """
    if not _backup.is_space(machine, slug):
        raise ExportError("there is no installed space of this name here: nothing to export")
    return _backup.read_space(machine, slug)


def make_spool(folder: str) -> None:
    """Make the folder of the archives, for root alone."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)


def preview(machine: _backup.Machine, slug: str, folder: str) -> Size:
    """Return what an export would hold, having made sure that it would fit.

    Raises:
        ExportError, SpoolError, DatabaseError, OSError: it could not be made.

    """
    size = measure(space_of(machine, slug))
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    _spool.demand_room(there, size.need)
    return size


def note_path(folder: str, slug: str) -> str:
    """Return where it is written down what an archive holds."""
    return f"{folder}/{slug}.json"


def left_behind(folder: str, slug: str) -> dict[str, t.Any] | None:
    """Return the archive that an earlier run made and nobody has taken away, if it is young."""
    try:
        with open(note_path(folder, slug), encoding="utf-8") as file:
            note = dict(json.load(file))
        whole = os.stat(note["path"]).st_size == note["size"]
    except FileNotFoundError:
        return None
    return note if whole and time.time() - note["made"] < FRESH else None


def paths(folder: str, slug: str) -> list[str]:
    """Return every file that an export may leave in its spool. Pure."""
    return [f"{folder}/{slug}{end}" for end in (".json", ".tar.gz", ".tar.gz.part", ".sql")]


def remove(folder: str, slug: str) -> bool:
    """Remove a space's archive, whole or not; tell whether there was one."""
    found = False
    for path in paths(folder, slug):
        try:
            os.unlink(path)
            found = True
        except FileNotFoundError:
            continue
    return found


def export(
    machine: _backup.Machine, slug: str, name: str, folder: str, *, again: bool = False
) -> dict[str, t.Any]:
    """Write the archive of a space; return where it is, its checksum, and what is in it.

    An archive whose transfer was interrupted is used again for a day, unless `again` asks for a
    new one.

    Raises:
        ExportError, SpoolError, DatabaseError, OSError: there is no archive.
        JournalError: somebody is at work on the space.

    """
    space = space_of(machine, slug)
    make_spool(folder)
    if pending := _journal.under_way(slug):
        raise ExportError(pending)
    # Between the dump and the last file nobody may move the space, or export it too.
    with _journal.exclusive(f"life-{slug}"):
        if not again and (note := left_behind(folder, slug)):
            return {**note, "reused": True}
        remove(folder, slug)
        _spool.demand_room(folder, measure(space).need)
        note = write(space, name, folder)
        _journal.save(note_path(folder, slug), note)
    return {**note, "reused": False}


def write(space: _backup.Space, name: str, folder: str) -> dict[str, t.Any]:
    """Write an archive; return what it holds."""
    path, dump, counts = f"{folder}/{space.slug}.tar.gz", f"{folder}/{space.slug}.sql", Counts()
    at = _backup.now()
    try:
        with _spool.writing(path) as archive:
            _database.dump(space.server, space.database, dump)
            with open(dump, "rb") as file:
                archive.add("database.sql", file, os.fstat(file.fileno()).st_size)
            os.unlink(dump)
            add_files(archive, space, counts)
            add_dav(archive, space, counts, folder)
            counts.remarks += remarks(archive.changed)
            values = {**vars(counts), "remarks": "\n".join(counts.remarks)}
            archive.text("README.txt", README.format(name=name, at=at, **values))
    finally:
        if os.path.exists(dump):
            os.unlink(dump)
    return {
        "path": path,
        "sha256": archive.sink.digest.hexdigest(),
        "size": archive.sink.length,
        "made": int(time.time()),
        "at": at,
        "counts": vars(counts),
    }


def remarks(changed: _spool.Changed) -> list[str]:
    """Return in words what moved on while it was read. Pure."""
    said = []
    if changed.gone:
        said.append(f"{changed.gone} files were moved or deleted while the space was read.")
    if changed.shorter:
        said.append(
            f"{changed.shorter} files became shorter while they were read: their ends are zeros."
        )
    return said
