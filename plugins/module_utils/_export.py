# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Everything an association has, in formats that other programs read, as one archive.

Files as they are, calendars as iCalendar, address books as vCard, and the whole database. They
are read from disk and database: no application is needed, and no space is woken.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils import _backup, _database

PREFIX = "oc_"
UNSAFE = re.compile(r"[^\w.@ -]")
README = """\
{name}: what was in the space on {at}

files/<account>/           {files} files, as they were
calendars/<account>/       {calendars} calendars with {events} entries, iCalendar (RFC 5545)
contacts/<account>/        {books} address books with {cards} contacts, vCard (RFC 6350)
database.sql               everything else, as MariaDB writes it: shares, tags, comments, forms,
                           boards, conversations, and what other applications keep

{remarks}
"""


class ExportError(Exception):
    """A space could not be exported."""


@dataclass
class Counts:
    """What went into the archive."""

    files: int = 0
    calendars: int = 0
    events: int = 0
    books: int = 0
    cards: int = 0
    remarks: list[str] = field(default_factory=list)


def safe(name: str) -> str:
    """Return a name that is one part of a path. Pure."""
    return UNSAFE.sub("_", name).strip(". ") or "unnamed"


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


def calendar(name: str, objects: t.Iterable[str]) -> str:
    """Return one calendar of many objects; a time zone that several bring is there once. Pure."""
    parts = [part for one in objects for part in components(one)]
    escaped = name.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Archipel//export//EN"]
    lines = [*head, f"X-WR-CALNAME:{escaped}", *dict.fromkeys(parts), "END:VCALENDAR"]
    return "\r\n".join(lines) + "\r\n"


def collections(
    space: _backup.Space, names: tuple[str, str, str, str]
) -> t.Iterator[tuple[str, str, list[str]]]:
    """Return account, name and objects of each calendar or address book of the accounts.

    Args:
        space: the space.
        names: table of the collections, table of the objects, and there the columns of the
            collection and of the content.

    """
    own, objects, key, content = names
    sql = f"SELECT id, principaluri, HEX(COALESCE(displayname, uri)) FROM {PREFIX}{own}"
    for number, principal, name in _database.run(space.server, sql, space.database):
        account = principal.rpartition("/")[2]
        if not principal.startswith("principals/users/"):
            continue
        rows = _database.run(
            space.server,
            f"SELECT HEX({content}) FROM {PREFIX}{objects} WHERE {key} = {int(number)}",
            space.database,
        )
        texts = [bytes.fromhex(row[0]).decode("utf-8", "replace") for row in rows if row[0]]
        yield account, bytes.fromhex(name).decode("utf-8", "replace"), texts


def put(archive: tarfile.TarFile, path: str, text: str) -> None:
    """Add a text to the archive."""
    data = text.encode()
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))


def add_files(archive: tarfile.TarFile, space: _backup.Space, counts: Counts) -> None:
    """Add the files of every account; links are not followed, owners are left out."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if not (member.isreg() or member.isdir()):
            return None
        counts.files += member.isreg()
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    data = f"{space.home}/data"
    for account in sorted(os.listdir(data)):
        folder = f"{data}/{account}/files"
        if os.path.isdir(folder) and not os.path.islink(f"{data}/{account}"):
            archive.add(folder, f"files/{safe(account)}", filter=plain)


def add_calendars(archive: tarfile.TarFile, space: _backup.Space, counts: Counts) -> None:
    """Add each calendar as one iCalendar file."""
    tables = ("calendars", "calendarobjects", "calendarid", "calendardata")
    for number, (account, name, objects) in enumerate(collections(space, tables), start=1):
        path = f"calendars/{safe(account)}/{safe(name)}-{number}.ics"
        put(archive, path, calendar(name, objects))
        counts.calendars, counts.events = counts.calendars + 1, counts.events + len(objects)


def add_contacts(archive: tarfile.TarFile, space: _backup.Space, counts: Counts) -> None:
    """Add each address book as one file of vCards."""
    tables = ("addressbooks", "cards", "addressbookid", "carddata")
    for number, (account, name, cards) in enumerate(collections(space, tables), start=1):
        text = "".join(card.rstrip("\r\n") + "\r\n" for card in cards)
        put(archive, f"contacts/{safe(account)}/{safe(name)}-{number}.vcf", text)
        counts.books, counts.cards = counts.books + 1, counts.cards + len(cards)


def add_dav(archive: tarfile.TarFile, space: _backup.Space, counts: Counts) -> None:
    """Add calendars and contacts, where the space's Nextcloud keeps any."""
    tables = set(_database.tables(space.server, space.database))
    for needed, add, what in (
        ({f"{PREFIX}calendars", f"{PREFIX}calendarobjects"}, add_calendars, "calendars"),
        ({f"{PREFIX}addressbooks", f"{PREFIX}cards"}, add_contacts, "address books"),
    ):
        if needed <= tables:
            add(archive, space, counts)
        else:
            counts.remarks.append(f"Its Nextcloud keeps no {what}: there are none here.")


def export(settings: _backup.Settings, slug: str, name: str, folder: str) -> tuple[str, Counts]:
    """Write the archive of a space; return where it is, and what is in it.

    Raises:
        ExportError, DatabaseError, OSError: there is no archive.

    """
    if not _backup.is_space(settings, slug):
        raise ExportError("there is no installed space of this name here: nothing to export")
    space = _backup.read_space(settings, slug)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path, dump, counts = f"{folder}/{slug}.tar.gz", f"{folder}/{slug}.sql", Counts()
    opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(opened, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            _database.dump(space.server, space.database, dump)
            archive.add(dump, "database.sql")
            add_files(archive, space, counts)
            add_dav(archive, space, counts)
            values = {**vars(counts), "remarks": "\n".join(counts.remarks)}
            put(archive, "README.txt", README.format(name=name, at=_backup.now(), **values))
    finally:
        if os.path.exists(dump):
            os.unlink(dump)
    return path, counts
