# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Submissions are taken into the registry: each becomes a change of a file."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    escaped,
    sentence,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _files,
    _kinds,
    _proposal,
    _sources,
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
    # Names of files that go without being taken in.
    discard: frozenset[str] = frozenset()


class _Sorted(t.NamedTuple):
    """The files of an inbox: what becomes of each."""

    new: list[tuple[Path, _kinds.Plan]]
    # In the registry already, or not wanted.
    gone: list[Path]
    refused: dict[str, list[str]]


def take_in(home: Path, intake: Intake, vault: VaultLib, *, write: bool) -> _files.Outcome:
    """Make changes of files out of submissions. One that was taken in before is only put away.

    A contact is written before its file, and a file before its submission goes: what is killed in
    between is done again by the next run, and nothing twice.

    Args:
        home: the registry of an environment.
        intake: what is taken in and how.
        vault: with the passwords of this run.
        write: whether anything is written.

    Raises:
        RegistryError: the registry cannot be read, or contacts cannot be encrypted.
        PlanError: what is to be discarded is not there.

    """
    with _writing.one_operator(home):
        folder = _files.read(home, vault)
        found = _sort(intake, folder)
        gone = [*found.gone, *(source for source, _plan in found.new)]
        if write:
            _write(folder, vault, [plan for _source, plan in found.new])
            if not intake.keep:
                for source in gone:
                    source.unlink()
                _writing.sync(intake.inbox)
    said: dict[str, list[str]] = {}
    for _source, plan in found.new:
        said.setdefault(plan.change.slug, []).append(plan.words)
    return _files.Outcome(
        said,
        found.refused,
        [
            _files.diff(_files.path_of(folder, one.slug), one.before, one.after)
            for one in (plan.change for _source, plan in found.new)
        ],
        [] if intake.keep else sorted(source.name for source in gone),
    )


def _sort(intake: Intake, folder: _files.Folder) -> _Sorted:
    """Decide on each file of the inbox.

    Raises:
        PlanError: what is to be discarded is not there.

    """
    found = _Sorted([], [], {})
    ids = set(_proposal.list_known(folder.records))
    view = _kinds.View(folder, folder.taken | intake.taken, intake.offices, intake.vaulted)
    sources = _sources.list_files(intake.inbox)
    if missing := intake.discard - {source.name for source in sources}:
        text = _(
            "discard: {folder} has no {names}",
            folder=intake.inbox,
            names=", ".join(sorted(missing)),
        )
        raise _kinds.PlanError(text)
    for source in sources:
        if source.name in intake.discard:
            found.gone.append(source)
            continue
        values, wrong = _read(source)
        if wrong:
            found.refused[escaped(source.name)] = wrong
        elif values["id"] in ids:
            found.gone.append(source)
        else:
            view = _plan(source, values, view, found)
            ids.add(values["id"])
    return found


def _plan(source: Path, values: Draft, view: _kinds.View, found: _Sorted) -> _kinds.View:
    """Note what becomes of a submission; return what the next one is planned from."""
    try:
        plan = _kinds.KINDS[values["kind"]].plan(values, view)
    except _kinds.PlanError as error:
        found.refused[escaped(source.name)] = [sentence(str(error))]
        return view
    found.new.append((source, plan))
    return view._replace(taken=view.taken | {plan.change.slug})


def _read(source: Path) -> tuple[Draft, list[str]]:
    try:
        return _kinds.check(_sources.read(source))
    except _sources.SourceError as error:
        return {}, [sentence(str(error))]


def _write(folder: _files.Folder, vault: VaultLib, plans: Sequence[_kinds.Plan]) -> None:
    """Write contacts, all at once, and then files, each at once."""
    contacts = {plan.change.slug: dict(plan.contact) for plan in plans if plan.contact}
    if contacts:
        _contacts.write(folder.contacts, {**folder.contacts.known, **contacts}, vault)
    for one in (plan.change for plan in plans):
        put = _writing.replace if one.before else _writing.create
        put(_files.path_of(folder, one.slug), one.after)


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
    return _files.Outcome(
        {one.slug: [_("contact moved into {file}", file=where)] for one in changes}
    )
