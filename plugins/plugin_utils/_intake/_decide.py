# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Decisions are written into the registry: all of a run or, where one cannot be, none."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, mark
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import did_you_mean
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _files, _moderation
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _contacts,
    _edit,
    _writing,
)

if t.TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ansible.parsing.vault import VaultLib

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

# Decision → what was done, and by whom.
_DONE = {
    "approve": mark("approved by {name}"),
    "refuse": mark("refused by {name}"),
    "ask": mark("asked by {name}"),
    "suspend": mark("suspended by {name}"),
    "close": mark("closed by {name}"),
}


def decide(
    home: Path,
    slugs: Sequence[str],
    decision: _moderation.Decision,
    catalogue: Mapping[str, Unchecked],
    vault: VaultLib,
    *,
    write: bool,
) -> _files.Outcome:
    """Write one decision into the files of some spaces.

    Args:
        home: the registry of an environment.
        slugs: whose files.
        decision: what is decided.
        catalogue: archipel_reasons.
        vault: with the passwords of this run.
        write: whether anything is written.

    Returns:
        What was changed; with anything in `refused`, nothing was.

    Raises:
        RegistryError: the registry cannot be read.

    """
    if wrong := _moderation.check(decision, catalogue):
        return _files.Outcome(refused={_("the decision"): wrong})
    if not slugs:
        return _files.Outcome(refused={"only": [_("name the spaces: -e only=slug,slug")]})
    with _writing.one_operator(home):
        folder = _files.read(home, vault)
        changes, refused = _plan(folder, slugs, decision)
        if write and not refused:
            _files.write(folder, changes)
    if refused:
        return _files.Outcome(refused=refused)
    words = _(_DONE[decision.kind], name=decision.by)
    if decision.later:
        words = _("to be closed on {day}, by {name}", day=decision.later, name=decision.by)
    if decision.reason:
        words = _("{done}: {reason}", done=words, reason=decision.reason)
    return _outcome(folder, changes, {one.slug: [words] for one in changes})


def _plan(
    folder: _files.Folder, slugs: Sequence[str], decision: _moderation.Decision
) -> tuple[list[_files.Change], dict[str, list[str]]]:
    known = {record.slug: record for record in folder.records}
    changes: list[_files.Change] = []
    refused: dict[str, list[str]] = {}
    for slug in dict.fromkeys(slugs):
        record = known.get(slug)
        if record is None:
            hint = did_you_mean(slug, known)
            refused[slug] = [_("has no file, or one that check.yml finds wrong.{hint}", hint=hint)]
        elif why := _moderation.against(record, decision, folder.placed):
            refused[slug] = [why]
        else:
            _add(folder, record, _moderation.changes(record, decision), changes, refused)
    return changes, refused


def _add(
    folder: _files.Folder,
    record: Record,
    values: _moderation.Changes,
    changes: list[_files.Change],
    refused: dict[str, list[str]],
) -> None:
    try:
        changes.append(_files.change(folder, record, values))
    except _edit.EditError as error:
        refused[record.slug] = [str(error)]


def expire(
    home: Path,
    patience: _moderation.Patience,
    today: datetime.date,
    vault: VaultLib,
    *,
    write: bool,
) -> _files.Outcome:
    """Do what time alone does: note ends, close what was to be closed, erase what was refused.

    Raises:
        RegistryError: the registry cannot be read.

    """
    changes: list[_files.Change] = []
    refused: dict[str, list[str]] = {}
    said: dict[str, list[str]] = {}
    with _writing.one_operator(home):
        folder = _files.read(home, vault)
        for record in folder.records:
            if values := _moderation.expire(record, patience, today):
                said[record.slug] = [_say(values)]
                _add(folder, record, values, changes, refused)
            elif _is_forgotten(folder, record, patience, today):
                said[record.slug] = [_("erased: it was refused long ago")]
                changes.append(_files.removal(folder, record))
        if write:
            _files.write(folder, changes)
            _forget(folder, changes, vault)
    done = {one.slug: said[one.slug] for one in changes}
    outcome = _outcome(folder, changes, done)
    outcome.refused = refused
    return outcome


def _is_forgotten(
    folder: _files.Folder, record: Record, patience: _moderation.Patience, today: datetime.date
) -> bool:
    """Whether a request is to be erased: file and contact, or neither."""
    return not folder.contacts.sealed and _moderation.is_forgotten(
        record, patience, today, folder.placed
    )


def _say(values: _moderation.Changes) -> str:
    status = values.get(("status",))
    if status == "refused":
        return _("closed: nobody went on with it")
    return _("closed: its day has come") if status else _("ends soon")


def _forget(folder: _files.Folder, changes: Sequence[_files.Change], vault: VaultLib) -> None:
    """Take those out of the vault whose file is gone; a run without the password leaves them."""
    gone = {one.slug for one in changes if not one.after}
    kept = {slug: one for slug, one in folder.contacts.known.items() if slug not in gone}
    if len(kept) < len(folder.contacts.known):
        _contacts.write(folder.contacts, kept, vault)


def change_each(
    home: Path,
    plan: Callable[[Record], tuple[_moderation.Changes, str] | None],
    vault: VaultLib,
    *,
    write: bool,
) -> _files.Outcome:
    """Write what a rule says of each file: of those that can be changed.

    Args:
        home: the registry of an environment.
        plan: file → its changes, and what they are in words; None: none.
        vault: with the passwords of this run.
        write: whether anything is written.

    Raises:
        RegistryError: the registry cannot be read.

    """
    changes: list[_files.Change] = []
    refused: dict[str, list[str]] = {}
    said: dict[str, list[str]] = {}
    with _writing.one_operator(home):
        folder = _files.read(home, vault)
        for record in folder.records:
            if found := plan(record):
                said[record.slug] = [found[1]]
                _add(folder, record, found[0], changes, refused)
        if write:
            _files.write(folder, changes)
    outcome = _outcome(folder, changes, {one.slug: said[one.slug] for one in changes})
    outcome.refused = refused
    return outcome


def _outcome(
    folder: _files.Folder, changes: Sequence[_files.Change], said: dict[str, list[str]]
) -> _files.Outcome:
    diffs = [
        _files.diff(_files.path_of(folder, one.slug), one.before, one.after) for one in changes
    ]
    return _files.Outcome(said, {}, diffs)
