# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The new release in a space: its link, Nextcloud's own upgrade, the application set."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _apply,
    _install,
    _node,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_facts,
    _upgrade_occ,
    _upgrade_schema,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    UpgradeError,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json
    from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
        Applied,
        Installation,
    )


def point_at(job: Job, release: str) -> None:
    """Point the space at a release: beside, then over the old link.

    Raises:
        UpgradeError: the release is not on this node.

    """
    target = f"{job.settings.node.releases}/{release}"
    if not os.path.isdir(target):
        raise UpgradeError(f"release {release} is not on this node")
    beside = f"{job.home}/.release.new"
    Path(beside).unlink(missing_ok=True)
    os.symlink(os.path.relpath(target, job.home), beside)
    os.rename(beside, f"{job.home}/release")


def point(job: Job) -> None:
    """Point the space at the new release."""
    point_at(job, job.journal["to"])


def upgrade(job: Job) -> None:
    """Let Nextcloud upgrade its database; legal also after one that was cut short.

    What the step `apply` is to do follows in the same sandbox, where the release can do so:
    each further start of Nextcloud is time in which nobody can work.
    """
    end_maintenance(job)
    answer, wanted = None, _apply.resolve(job.item, job.settings.node)
    try:
        if follows := following(job):
            order = _apply.make_request(wanted, job.settings.node)
            answer = upgrade_and_apply(job, follows, order)
        else:
            _upgrade_occ.occ(job, "upgrade", "--no-interaction")
    except UpgradeError as error:
        if not is_only_compared(job, error):
            raise
        job.log("the upgrade has succeeded; what its comparison found is judged by the check")
    make_sure_of_upgrade(job)
    if answer is not None:
        note_answer(job, wanted, answer)


def end_maintenance(job: Job) -> None:
    """Take back the maintenance mode of an upgrade that was cut short.

    A space in which somebody else turned it on is not upgraded. Nextcloud would leave it on.
    """
    path, own = f"{job.home}/config/config.php", job.item["id"]
    text = _files.read_text(path)
    if _config.MAINTENANCE.search(text):
        content = _config.without(text, {"maintenance"})
        _files.write_file({"path": path, "content": content, "uid": own, "gid": own, "mode": 0o640})


def following(job: Job) -> list[str]:
    """Return the command that does the rest in one process; none where the release has none."""
    releases = job.settings.node.releases
    version = _node.own_version(releases, job.journal["to"])
    if _application_set.numbers_of(version) < _application_set.AROUND_SINCE:
        return []
    before = (f"--before={json.dumps(command)}" for command in _apply.MISSING)
    return [*_apply.APPLY, *before]


def upgrade_and_apply(job: Job, follows: Sequence[str], order: str) -> Json | None:
    """Run the upgrade and what follows; return the answer, None if that is to be done alone."""
    try:
        said = _upgrade_occ.occ(job, "upgrade", "--no-interaction", more=[follows], stdin=order)
    except UpgradeError as error:
        alone = f"occ {follows[0]} ended" in str(error) and _apply.is_turned_off(str(error))
        if not alone:
            raise
        return None
    return _node.read_answer(said)


def is_only_compared(job: Job, error: UpgradeError) -> bool:
    """Tell whether a command failed that had done its work, for what it found in the end.

    The version is written last of all, and maintenance mode is left on if anything failed.
    """
    release = f"{job.settings.node.releases}/{job.journal['to']}"
    if "occ upgrade ended" not in str(error) or not _upgrade_schema.is_there(release):
        return False
    try:
        make_sure_of_upgrade(job)
    except UpgradeError:
        return False
    return True


def make_sure_of_upgrade(job: Job) -> None:
    """Look at what the upgrade left.

    Raises:
        UpgradeError: it said nothing of a failure, and failed.

    """
    config = _files.read_text(f"{job.home}/config/config.php")
    found = _config.VERSION.search(config)
    wanted = job.version_of(job.journal["to"])
    if not found or found[1] != wanted:
        raise UpgradeError(
            f"occ upgrade said nothing of a failure, yet config.php is at "
            f"{found[1] if found else 'no version'}, not at {wanted}"
        )
    if _config.MAINTENANCE.search(config):
        raise UpgradeError("occ upgrade left maintenance mode on")


def note_answer(job: Job, wanted: Installation, answer: Json) -> None:
    """Write down what followed the upgrade: the step `apply` finds it done."""
    for what in _apply.mark_applied(wanted, job.settings.node, answer):
        job.log(f"applied: {what}")
    for one in answer["commands"]:
        job.log(f"{one['command']}: {one['output']}")
    if _apply.turned_on(answer):
        # Their part of the database is named only where they were on from the start.
        add_missing(job)
    job.journal["applied"] = True


def add_missing(job: Job) -> None:
    """Add the columns, indices and primary keys that Nextcloud leaves to the operator."""
    first, *others = _apply.MISSING
    _upgrade_occ.occ(job, *first, more=others)


def apply(job: Job) -> None:
    """Tell Nextcloud its application set, and look for what the upgrade switched off.

    Raises:
        UpgradeError: applications that the upgrade turned off do not go on again.

    """
    node = job.settings.node
    desired = _apply.resolve(job.item, node)
    if not job.journal.get("applied"):
        apply_alone(job, desired)
    _install.tidy(desired, node)
    enabled = _upgrade_facts.enabled_now(job.item, node.connect)
    without = set(node.without.get(job.journal["to"], ()))
    before = frozenset(job.journal["enabled"])
    lost = sorted(
        before - enabled - job.settings.disabled - without - switched_off(desired["applied"])
    )
    if lost:
        raise UpgradeError(
            f"the upgrade switched off {', '.join(lost)}, and they do not go on again"
        )


def switched_off(applied: Applied) -> set[str]:
    """Return the applications that applying the desired state may turn off. Pure."""
    suites = applied["office"]["suites"].values() if "office" in applied else ()
    return {
        *(applied["apps"]["disable"] if "apps" in applied else ()),
        # Which of them is on follows from the space's file and its administrators' choice.
        *(suite["application"] for suite in suites),
    }


def apply_alone(job: Job, desired: Installation) -> None:
    """Do what could not follow the upgrade in its sandbox.

    What Nextcloud leaves to the operator: columns, indices, primary keys. Then its application set.
    """
    add_missing(job)
    for what in _apply.apply(desired, job.settings.node):
        job.log(f"applied: {what}")
