# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Calendars and address books of an export, in the formats that programs read."""

from __future__ import annotations

import tempfile
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _backup, _spool
from ansible_collections.archipel.spaces.plugins.module_utils._operations._export_files import (
    PREFIX,
    Counts,
    distinct,
    safe,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

TIMEZONE = "BEGIN:VTIMEZONE"


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
