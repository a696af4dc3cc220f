# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Submissions are taken into the registry: each becomes a file that waits for a decision."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import escaped, shown
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _files,
    _proposal,
    _sources,
    _submission,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _contacts,
    _writing,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ansible.parsing.vault import VaultLib

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft


class Intake(t.NamedTuple):
    """How submissions are taken in."""

    inbox: Path
    # Names that no space may have: reserved ones, nodes, groups.
    taken: frozenset[str]
    offices: Sequence[str]
    vaulted: bool
    # Whether submissions stay where they are once they are in the registry.
    keep: bool = False


class _New(t.NamedTuple):
    source: Path
    slug: str
    request: _submission.Submission
    values: Draft


def take_in(home: Path, intake: Intake, vault: VaultLib, *, write: bool) -> _files.Outcome:
    """Make a file of each submission. One that was made a file of before is only put away.

    A contact is written before its file, and a file before its submission goes: what is killed in
    between is done again by the next run, and nothing twice.

    Args:
        home: the registry of an environment.
        intake: what is taken in and how.
        vault: with the passwords of this run.
        write: whether anything is written.

    Raises:
        RegistryError: the registry cannot be read, or contacts cannot be encrypted.

    """
    with _writing.one_operator(home):
        folder = _files.read(home, vault)
        new, known, refused = _sort(intake, folder)
        if write:
            _write(folder, intake, vault, new)
            if not intake.keep:
                for source in [*(one.source for one in new), *known]:
                    source.unlink()
                _writing.sync(intake.inbox)
    return _files.Outcome(
        {one.slug: [f"requested by {one.request.via}"] for one in new},
        refused,
        [
            _files.diff(_files.path_of(folder, one.slug), b"", _proposal.text(one.values))
            for one in new
        ],
    )


def _sort(
    intake: Intake, folder: _files.Folder
) -> tuple[list[_New], list[Path], dict[str, list[str]]]:
    """Return what is new, what is in the registry already, and what is wrong with the others."""
    new: list[_New] = []
    known: list[Path] = []
    refused: dict[str, list[str]] = {}
    ids = set(_proposal.list_known(folder.records))
    taken = set(folder.taken | intake.taken)
    for source in _sources.list_files(intake.inbox):
        request, wrong = _read(source)
        if request is None:
            refused[escaped(source.name)] = wrong
        elif request.id in ids:
            known.append(source)
        else:
            slug = _proposal.propose(request.address, request.name, request.id, frozenset(taken))
            values = _proposal.values(request, slug, vaulted=intake.vaulted)
            if request.office not in intake.offices:
                values.pop("office", None)
            new.append(_New(source, slug, request, values))
            taken.add(slug)
            ids.add(request.id)
    return new, known, refused


def _read(source: Path) -> tuple[_submission.Submission | None, list[str]]:
    try:
        return _submission.check(_sources.read(source))
    except _sources.SourceError as error:
        return None, [escaped(str(error))]


def _write(folder: _files.Folder, intake: Intake, vault: VaultLib, new: Sequence[_New]) -> None:
    """Write contacts, all at once, and then files, each at once."""
    if intake.vaulted and new:
        contacts = {one.slug: _proposal.contact(one.request) for one in new}
        _contacts.write(folder.contacts, {**folder.contacts.known, **contacts}, vault)
    for one in new:
        _writing.create(_files.path_of(folder, one.slug), _proposal.text(one.values))


def move_contacts(home: Path, vault: VaultLib, *, write: bool) -> _files.Outcome:
    """Move all contacts from the associations' files into the vaulted one.

    Raises:
        RegistryError: the registry cannot be read, or contacts cannot be encrypted.
        EditError: a file cannot be changed by a program; nothing was written.

    """
    with _writing.one_operator(home):
        folder = _files.read(home, vault)
        contacts, changes = dict(folder.contacts.known), []
        for record in folder.records:
            inside, about = record.data.get("contact"), record.data.get("request", {}).get("about")
            if inside or about:
                found = {**contacts.get(record.slug, {}), **(inside or {})}
                contacts[record.slug] = {**found, "about": about} if about else found
                gone = {("contact",): None, ("request", "about"): None}
                changes.append(_files.change(folder, record, gone))
        if write and changes:
            _contacts.write(folder.contacts, contacts, vault)
            _files.write(folder, changes)
    where = shown(folder.environment.contacts)
    # What is private is in no diff.
    return _files.Outcome({one.slug: [f"contact moved into {where}"] for one in changes})
