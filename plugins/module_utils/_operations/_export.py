# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Everything an association has, in formats that other programs read, as one archive.

Files as they are, calendars as iCalendar, address books as vCard, what applications keep as
files or in tables, and the whole database. They are read from disk and database: no application is
needed, and no space is woken. Whatever the size, memory stays what it is for an empty space.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _export_dav,
    _export_files,
    _export_tables,
    _spool,
    _workflow,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._export_files import (
    Counts,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import (
        Json,
        JsonObject,
        Spec,
    )

# Where archives are written, unless another folder is named.
SPOOL = _layout.Places.export
# Of the module spaces_export, and of its action plugin.
OPTIONS: Spec = {
    "space": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "folder": {"type": "path", "default": SPOOL},
    "root": {"type": "path", "default": _layout.Places.root},
    "vhosts": {"type": "path", "default": _layout.Places.vhosts},
    "database_socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
    "database_ca": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
    # The action plugin's.
    "dest": {"type": "path", "default": ""},
    "again": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
VERB, BRING = "export", "bring"
# Of the note, for nobody but us.
OWN_KEYS = frozenset({"verb", "step"})
# Seconds for which an archive that was not brought away is used again.
FRESH = 24 * 3600
README = """\
{name}: what was in the space on {at}

files/<account>/           {files} files, as they were
group-folders/<name>/      {group_files} files of {group_folders} group folders
applications/<name>/       {app_files} files that applications keep by themselves: attachments of
                           boards, pages of collectives, pictures of accounts and of the theme
calendars/<account>/       {calendars} calendars with {events} entries, iCalendar (RFC 5545)
contacts/<account>/        {books} address books with {cards} contacts, vCard (RFC 6350)
tables/<application>/      {tables} tables with {rows} rows of boards, forms, polls, tables and
                           conversations, CSV (RFC 4180, UTF-8); text that a spreadsheet would
                           take for a formula begins with '
database.sql               everything, as MariaDB writes it: shares, tags, comments, and what other
                           applications keep too

Not here: what is in the trash, earlier versions of files, previews, logs.

{remarks}
"""


class ExportError(Exception):
    """A space could not be exported."""


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
    for tree in _export_files.trees(space):
        with _spool.opened(*tree.parts) as descriptor:
            if descriptor is not None:
                number, length = _spool.measure(descriptor)
                files, size = files + number, size + length
    return Size(files, size, _database.size(space.server, space.database))


def space_of(node: _backup.Node, slug: str) -> _backup.Space:
    """Return an installed space of this node.

    Raises:
        ExportError: there is none of this name.

    """
    if not _backup.is_space(node, slug):
        raise ExportError("there is no installed space of this name here: nothing to export")
    return _backup.read_space(node, slug)


def make_spool(folder: str) -> None:
    """Make the folder of the archives, for root alone."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)


def preview(node: _backup.Node, slug: str, folder: str) -> Size:
    """Return what an export would hold, having made sure that it would fit.

    Raises:
        ExportError, SpoolError, DatabaseError, OSError: it could not be made.

    """
    size = measure(space_of(node, slug))
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    _spool.demand_room(there, size.need)
    return size


def layout_of(folder: str, slug: str) -> _layout.Layout:
    """Return the names of what an export makes in a folder. Pure."""
    return _layout.Layout(slug, _layout.Places(export=folder))


def note_path(folder: str, slug: str) -> str:
    """Return where it is written down what an archive holds."""
    return layout_of(folder, slug).export_note


def read_note(folder: str, slug: str) -> JsonObject | None:
    """Return what is noted of an export: how far it is, and what its archive holds."""
    try:
        with open(note_path(folder, slug), encoding="utf-8") as file:
            # Notes of before have no step: their archive is whole.
            return {"verb": VERB, "step": BRING, **json.load(file)}
    except FileNotFoundError:
        return None


def is_waiting(note: Json) -> bool:
    """Tell whether an archive waits to be brought away: it is whole, and young."""
    try:
        whole = bool(os.stat(note["path"]).st_size == note["size"])
    except FileNotFoundError:
        return False
    return whole and time.time() - note["made"] < FRESH


def paths(folder: str, slug: str) -> list[str]:
    """Return every file that an export may leave in its spool. Pure."""
    return list(layout_of(folder, slug).exports)


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


# --- the work --------------------------------------------------------------------------------


@dataclass
class Note:
    """The journal of an export, beside its archive: nobody else waits for that."""

    path: str
    values: JsonObject

    def save(self, **changes: t.Any) -> None:
        """Write it for good."""
        _journal.save(self.path, {**self.values, **changes})
        self.values |= changes
        _journal.die_here(f"{VERB}:{self.values['step']}")

    def remove(self) -> None:
        """Say that there is no archive."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


@dataclass(frozen=True)
class Job:
    """The archive of one space."""

    space: _backup.Space
    # Of the association.
    name: str
    folder: str
    note: Note


def clear(job: Job) -> None:
    """Remove what an earlier export left, but for the note of this one."""
    for path in paths(job.folder, job.space.slug):
        if path != job.note.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def pack(job: Job) -> None:
    """Write the archive, if it fits."""
    _spool.demand_room(job.folder, measure(job.space).need)
    job.note.values |= write(job.space, job.name, job.folder)


STEPS: dict[str, t.Callable[[Job], None]] = {"clear": clear, "write": pack}


def workflow() -> _workflow.Workflow[Job]:
    """Return the steps of an export: it goes on where it was, and leaves nothing if it fails.

    The controller does the last one: until it has brought the archive away, the note stays.
    """
    undo = {"clear": (_workflow.Step("remove", clear),)}
    steps = (_workflow.Step(name, act, undo.get(name, ())) for name, act in STEPS.items())
    return _workflow.Workflow(
        VERB, (*steps, _workflow.Step(BRING, None)), taken_back_until=list(STEPS)[-1]
    )


def begin(folder: str, slug: str, *, again: bool) -> JsonObject:
    """Return the note of an export: of an earlier one that can be gone on with, or a new one."""
    note = read_note(folder, slug)
    if note and note["step"] == BRING and is_waiting(note) and not again:
        return note
    if note and note["step"] in STEPS and note.get(_workflow.DIRECTION) is None:
        return note
    return {"verb": VERB, "step": next(iter(STEPS))}


def export(
    node: _backup.Node, slug: str, name: str, folder: str, *, again: bool = False
) -> JsonObject:
    """Write the archive of a space; return where it is, its checksum, and what is in it.

    An archive whose transfer was interrupted is used again for a day, unless `again` asks for a
    new one.

    Raises:
        ExportError, SpoolError, DatabaseError, OSError: there is no archive.
        JournalError: somebody is at work on the space.

    """
    space = space_of(node, slug)
    make_spool(folder)
    # Between the dump and the last file nobody may move the space, or export it too.
    with _journal.exclusive(_layout.Layout(slug).lock_name):
        if pending := _journal.under_way(slug):
            raise ExportError(pending)
        note = Note(note_path(folder, slug), begin(folder, slug, again=again))
        result = _workflow.run(workflow(), Job(space, name, folder, note), note)
    if result.error:
        raise result.error
    found = {key: value for key, value in note.values.items() if key not in OWN_KEYS}
    return {**found, "reused": not result.done}


def write(space: _backup.Space, name: str, folder: str) -> JsonObject:
    """Write an archive; return what it holds."""
    layout, counts = layout_of(folder, space.slug), Counts()
    path, dump = layout.export_archive, layout.export_dump
    at = _backup.now()
    try:
        with _spool.writing(path) as archive:
            _database.dump(space.server, space.database, dump)
            with open(dump, "rb") as file:
                archive.add("database.sql", file, os.fstat(file.fileno()).st_size)
            os.unlink(dump)
            _export_files.add_files(archive, space, counts)
            _export_dav.add_dav(archive, space, counts, folder)
            _export_tables.add_tables(archive, space, counts, folder)
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
