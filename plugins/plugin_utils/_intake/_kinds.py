# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can be asked for: each kind of submission has a schema, and a plan of what it changes. Pure.

A new kind is a schema of its own and a function from a checked submission to a `Plan`; both go into
`KINDS`. Reading, normalising, killing, contacts and diffs are the same for all of them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, language
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import quoted
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _change,
    _files,
    _proposal,
    _submission,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _edit

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _schema


class View(t.NamedTuple):
    """What a plan is made from beside the submission."""

    folder: _files.Folder
    # Names that no space may have, those of this run's earlier submissions among them.
    taken: frozenset[str]
    offices: Sequence[str]
    # Whether contacts go into the vaulted file.
    vaulted: bool


class Plan(t.NamedTuple):
    """What becomes of one submission."""

    # Whose file is written; a new one has nothing before.
    change: _files.Change
    # What people read of it.
    words: str
    # What goes into the vaulted file; empty: nothing.
    contact: Mapping[str, str]


class Kind(t.NamedTuple):
    """One kind of submission; `plan` raises PlanError for what cannot be."""

    schema: _schema.Schema
    plan: t.Callable[[Draft, View], Plan]


class PlanError(Exception):
    """Right in itself, and not possible in this registry."""


def check(values: Unchecked) -> tuple[Draft, list[str]]:
    """Return a submission as it was meant, and everything that is wrong with it, in sentences."""
    kind = values.get("kind")
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if found is None:
        text = _("found {found}; allowed: {allowed}", found=quoted(kind), allowed=", ".join(KINDS))
        return {}, [f"kind: {text}"]
    tidied = _submission.tidy(values)
    return tidied, _submission.find_faults(tidied, found.schema)


def _plan_space(values: Draft, view: View) -> Plan:
    """A new file, under an address that nobody has."""
    request = _submission.made(values)
    slug = _proposal.propose(request.address, request.name, request.id, view.taken)
    file = _proposal.values(request, slug, vaulted=view.vaulted)
    if request.office not in view.offices:
        file.pop("office", None)
    return Plan(
        _files.Change(slug, b"", _proposal.text(file)),
        _("requested by {via}", via=request.via),
        _proposal.contact(request) if view.vaulted else {},
    )


def _plan_change(values: Draft, view: View) -> Plan:
    """A request of a space that there is, in its file; it takes the place of one that waits.

    Raises:
        PlanError: there is no such space, nobody can be in it, or what is asked for makes no sense.

    """
    slug = values["space"]
    record = next((one for one in view.folder.records if one.slug == slug), None)
    if record is None:
        text = _("space: found {found}; it has no file, or one that is wrong", found=quoted(slug))
        raise PlanError(text)
    if record.data["status"] != "approved":
        text = _(
            "space: {slug} is {status}; nobody can ask from within it",
            slug=slug,
            status=record.data["status"],
        )
        raise PlanError(text)
    if fault := _change.find_fault(values):
        raise PlanError(fault)
    noted: dict[_edit.Place, _edit.Value] = {
        (_change.KEY,): _change.note(values, vaulted=view.vaulted)
    }
    try:
        change = _files.change(view.folder, record, noted)
    except _edit.EditError as error:
        raise PlanError(f"{slug}: {error}") from error
    contact = view.folder.contacts.known.get(slug, {})
    told = view.vaulted and contact and values.get("text")
    return Plan(
        change,
        _("asks for {change}", change=_change.describe(values, language())),
        {**contact, "about": values["text"]} if told else {},
    )


KINDS: Mapping[str, Kind] = {
    "space": Kind(_submission.SCHEMA, _plan_space),
    "change": Kind(_change.SCHEMA, _plan_change),
}
