# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Send the first administrators of spaces a new invitation."""

from __future__ import annotations

import datetime
import json
import os
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files, _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _install,
    _installation,
    _letter,
    _node,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Invitation,
    )

INVITE = ("archipel:invite", "--input={input}")
# The version of our application that first knew the command.
SINCE = (0, 6)


@dataclass(frozen=True)
class Outcome:
    """What came of one invitation."""

    # In the words of a report; in check mode, what would be done.
    done: tuple[str, ...] = ()
    # Why the space was left as it is, though nothing is wrong.
    left: str = ""
    # Why nothing was sent.
    failed: str = ""


def day(moment: float) -> str:
    """Return a unix time for people who run servers: 2026-12-04 12:05 UTC. Pure."""
    return f"{datetime.datetime.fromtimestamp(moment, tz=datetime.UTC):%Y-%m-%d %H:%M} UTC"


def outcome(item: Invitation, answer: Json, spool: str) -> Outcome:
    """Return what an answer of the application means. Pure.

    Args:
        item: the space: space, by_mail.
        answer: what `occ archipel:invite` printed.
        spool: the folder for letters that no relay carries.

    """
    if answer["left"]:
        return Outcome(
            left=f"not invited: its first administrator was last there on "
            f"{day(answer['last_login'])}; -e again=true invites all the same"
        )
    if errors := answer["errors"]:
        why = "; ".join(str(error) for error in errors)
        return Outcome(done=tuple(answer["changes"]), failed=why)
    *before, _invited = answer["changes"]
    way = "by mail" if item["by_mail"] else f"in {_letter.path_of(spool, item['space'])}"
    letter = answer["invitation"]
    until = f", its link works until {day(letter['until'])}" if letter else ""
    return Outcome(done=(*before, f"invitation to {answer['to']} {way}{until}"))


def make_request(item: Invitation) -> str:
    """Return the document that the application reads. Pure."""
    return json.dumps({key: item[key] for key in ("admin", "by_mail", "again")})


def obstacle(item: Invitation, node: _node.Node) -> str:
    """Return why a space cannot be asked at all, or nothing."""
    if pending := _journal.under_way(item["space"]):
        return pending
    layout = _node.layout_of(item, node)
    there = _config.is_installed(_files.read_text(layout.config_file))
    if not there or os.path.exists(f"{layout.home}/{_install.JOURNAL}"):
        return "there is no Nextcloud yet: playbooks/spaces.yml makes it, and invites"
    release = _application_set.release_of(layout.home, item["release"])
    version = _application_set.own_version(node.releases, release)
    if _application_set.numbers_of(version) < SINCE:
        return (
            f"it runs release {release}, which was built with the application archipel {version}; "
            "invitations again need 0.6: upgrade the space to a release that is built from now on "
            "(a new release id in archipel_releases will do)"
        )
    return ""


def invite(item: Invitation, node: _node.Node, *, check: bool) -> Outcome:
    """Invite the first administrator of one space; in check mode say what would be done.

    Raises:
        _node.InstallationError: occ failed, or answered what nobody understands.

    """
    if why := obstacle(item, node):
        return Outcome(failed=why)
    words = (*INVITE, "--dry-run") if check else INVITE
    try:
        said = _node.occ(item, node, words, stdin=make_request(item))
    except _node.OccError as error:
        said = error.said
        if not said.strip():
            raise
    answer = _node.read_answer(said)
    try:
        found, letter = outcome(item, answer, node.spool), answer["invitation"]
    except (LookupError, TypeError, ValueError) as error:
        raise _node.InstallationError(
            f"occ {INVITE[0]} answered something else than expected: {said[-300:]!r}"
        ) from error
    if letter and not check:
        keep(item, letter, node)
    return found


def keep(item: Invitation, letter: Json, node: _node.Node) -> None:
    """Keep a letter that no relay carries; one that lies there from before opens nothing now."""
    path = _letter.path_of(node.spool, item["space"])
    if item["by_mail"]:
        Path(path).unlink(missing_ok=True)
    else:
        _letter.spool(letter, path)


def invite_all(
    wanted: t.Sequence[Invitation], node: _node.Node, parallel: int, *, check: bool
) -> Report:
    """Invite a bounded number side by side; one that goes wrong does not keep the others.

    Args:
        wanted: the spaces.
        node: theirs.
        parallel: how many spaces at the same time.
        check: whether nothing is sent.

    """

    def one(item: Invitation) -> Outcome:
        try:
            return invite(item, node, check=check)
        except _node.expected_errors(node) as error:
            return Outcome(failed=str(error))

    report = Report()
    report.facts["left"] = {}
    alone = nullcontext() if check else _journal.exclusive(_installation.LOCK)
    with alone, ThreadPoolExecutor(parallel) as pool:
        outcomes = list(pool.map(one, wanted))
    for item, found in zip(wanted, outcomes, strict=True):
        for what in found.done:
            report.change(item["space"], what)
        if found.left:
            report.facts["left"][item["space"]] = found.left
        if found.failed:
            report.fail(item["space"], found.failed)
    return report
