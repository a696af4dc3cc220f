# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space's desired state: what Nextcloud itself must be given, applied by its application."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _letter,
    _node,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

# Created by installations that cannot do without a first administrator; removed at once.
SETUP_ACCOUNT = "archipel-setup"
# What a release, or an application that is turned on, leaves out of a database.
MISSING = tuple(
    (f"db:add-missing-{what}", "--no-interaction")
    for what in ("columns", "indices", "primary-keys")
)
# How the application reports that it turned another one on.
TURNED_ON = "enable application "
# And that it could not invite somebody.
INVITING = "invite "
# `{input}` stands for a private file with the desired state.
APPLY = ("archipel:apply", "--input={input}")
# Reads what the same document imposes, as applications do.
CHECK = ("archipel:check", "--input={input}")


def digest(item: _node.Item) -> str:
    """Return what identifies a space's desired state.

    Another release may know things the last one did not: everything is applied to it anew.
    """
    identity = {"applied": item["applied"], "release": item["release"]}
    text = json.dumps(identity, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def resolve(item: _node.Item, node: _node.Node) -> _node.Item:
    """Return a space with the release it runs, and its desired state less what that goes without.

    A space that an upgrade has not reached yet runs another release than the policy wants.
    """
    release = _application_set.release_of(_node.layout_of(item, node).home, item["release"])
    without = node.without.get(release, ())
    applied = _application_set.for_release(item["applied"], without)
    applied = _application_set.understood(applied, _node.own_version(node.releases, release))
    template = _application_set.for_release(item["template"], without)
    return {**item, "release": release, "applied": applied, "template": template}


def make_request(item: _node.Item, node: _node.Node) -> str:
    """Return the desired state, as the application `archipel` reads it.

    Until it has succeeded once, an administrator who is there already is invited again: an
    invitation that is printed is lost with an interrupted run. One that goes by mail is noted in
    the space as soon as the relay has it, and not sent again.
    """
    known = os.path.exists(_node.layout_of(item, node).applied)
    once = known or item["applied"].get("invite_by_mail", False)
    wanted = {**item["applied"], "remove_users": [SETUP_ACCOUNT]}
    # Where the policy names nobody, as in a copy, there is nobody to invite.
    nobody = wanted.get("admin", "") is None
    invite = False if nobody else True if once else "again"
    return json.dumps({**wanted, "invite": invite})


def is_turned_off(said: str) -> bool:
    """Tell whether a failure is that somebody turned the application off. Pure."""
    return "archipel" in said and "defined" in said


def apply(item: _node.Item, node: _node.Node) -> list[str]:
    """Apply the desired state through the application `archipel`; return what changed."""
    wanted = make_request(item, node)
    try:
        printed = run_apply(item, node, wanted)
    except _node.OccError as error:
        if not is_turned_off(str(error)):
            raise
        # Without it there is no such command.
        _node.occ(item, node, ["app:enable", "archipel"])
        printed = run_apply(item, node, wanted)
    answer = _node.read_answer(printed)
    untype(item, node)
    if turned_on(answer):
        add_missing(item, node)
    return mark_applied(item, node, answer)


def run_apply(item: _node.Item, node: _node.Node, wanted: str) -> str:
    """Apply the desired state; a letter that no relay took keeps no space closed."""
    try:
        return _node.occ(item, node, APPLY, stdin=wanted)
    except _node.OccError as error:
        if not (why := why_uninvited(error.said)):
            raise
        node.uninvited[item["space"]] = why
        return error.said


def why_uninvited(said: str) -> str:
    """Return why nobody was invited, if that is all that went wrong; else nothing. Pure."""
    try:
        errors = [str(error) for error in _node.read_answer(said).get("errors", [])]
    except _node.InstallationError:
        return ""
    return "; ".join(errors) if all(error.startswith(INVITING) for error in errors) else ""


def turned_on(answer: Json) -> bool:
    """Tell whether applications were turned on. Pure."""
    return any(str(change).startswith(TURNED_ON) for change in answer.get("changes", []))


def add_missing(item: _node.Item, node: _node.Node) -> None:
    """Add what Nextcloud leaves to the operator: columns, indices, primary keys.

    In processes of their own: an application names its part only where it was on from the start.
    """
    first, *others = MISSING
    _node.occ(item, node, first, more=others)


def untype(item: _node.Item, node: _node.Node) -> None:
    """Let readers of any type have imposed settings, where the space's own application does not.

    A release keeps the application that it was built with.
    """
    version = _node.own_version(node.releases, item["release"])
    keys = _application_set.keys_of(item["applied"])
    if not keys or _application_set.numbers_of(version) >= _application_set.MIXED_SINCE:
        return
    connection = node.connect(item["database"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(*_application_set.loosening(item["database"]["name"], keys))
    finally:
        connection.close()


def mark_applied(item: _node.Item, node: _node.Node, answer: Json) -> list[str]:
    """Write down that the desired state is applied; return what changed.

    Without its invitation not all of it is: the next run applies it again.
    """
    changes = [str(change) for change in answer.get("changes", [])]
    if item["space"] in node.uninvited:
        return changes
    if invitation := answer.get("invitation"):
        _letter.spool(invitation, _node.layout_of(item, node).invitation)
    path = _node.layout_of(item, node).applied
    _files.write_file(
        {"path": path, "content": digest(item) + "\n", "uid": 0, "gid": 0, "mode": 0o600}
    )
    return changes
