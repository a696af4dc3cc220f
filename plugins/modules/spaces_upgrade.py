#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_upgrade."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_upgrade
short_description: Move the spaces of a node to another release, and back if that fails
version_added: 0.1.0
description:
  - With O(stage=plan), says for each space whether it is to move, cannot, or is there already. What
    a space runs is what the node says, not what the policy wants. No PHP is started.
  - With O(stage=run), moves them, a bounded number at a time. Each space is closed by its
    maintenance flag, its database and state file are kept, it is pointed at the release, upgraded
    and given its application set, and asked at its own address whether it serves. Whatever fails
    brings it back to where it was, and no further space is begun once more have failed than
    O(budget) allows.
  - With O(stage=end), lets go of restore points past their time and of releases that no space of
    the node runs or can go back to, and says how each space of the run fared.
  - With O(stage=undo), brings spaces back to the restore point of their last upgrade. The present
    database is kept as C(undone.sql) beside it.
  - What is begun is written down on the node. An interrupted run goes on where it was, and another
    operator's run is refused meanwhile.
extends_documentation_fragment:
  - archipel.spaces.spaces
options:
  release:
    description: Id and catalogue entry of the release, C({id, version, mariadb, without}).
    type: dict
    default: {}
  stage:
    description: What to do.
    type: str
    choices: [plan, run, undo, end]
    default: plan
  slugs:
    description: The spaces of this wave; those of other nodes are passed over.
    type: list
    elements: str
    default: []
  run:
    description: "Which run this is, and whose: C({run, by, since, release})."
    type: dict
    required: true
  wave:
    description: What the wave is called in what people read.
    type: str
    default: ""
  budget:
    description: How many spaces of the wave may fail on this node before no further one is begun.
    type: int
    default: 0
  parallel:
    description: Spaces moved at the same time.
    type: int
    default: 2
  events:
    description: File on the controller to which each outcome is added as a line of JSON.
    type: path
  keep_releases:
    description: Releases that stay although no space runs them, those that the policy names.
    type: list
    elements: str
    default: []
  keep_days:
    description: Days that restore points are kept.
    type: int
    default: 14
requirements: [python3-pymysql, systemd >= 252]
attributes:
  diff_mode:
    support: none
    description: What was done is listed under RV(spaces).
    details: What Nextcloud does inside its database is not a text.
"""

EXAMPLES = r"""
- name: See what an upgrade would do
  archipel.spaces.spaces_upgrade:
    spaces: archipel_spaces
    settings: "{{ __spaces_settings }}"
    release: {id: "34.0.4", version: "34.0.4"}
    run: {run: "1", by: camille@desk, since: "2026-06-01 21:00", release: "34.0.4"}
    stage: plan
"""

RETURN = r"""
known:
  description: Number of spaces in O(spaces), whether this run converges them or not.
  returned: always
  type: int
  sample: 8
built:
  description: Whether the release is on this node already; some obstacles show only then.
  returned: O(stage=plan), and in check mode
  type: bool
ends:
  description: >-
    How the spaces of this call that failed ended, C(rolled back), C(left as it was) or C(stuck).
  returned: O(stage=run)
  type: dict
  sample: {"velo-ecole": "rolled back"}
plan:
  description: What is to be done about each space.
  returned: O(stage=plan), and in check mode
  type: dict
  sample:
    velo-ecole: {"kind": "upgrade", "reason": "", "release": "33.0.9", "version": "33.0.9.1"}
bytes_needed:
  description: Bytes that dumps of these spaces may take, those included that lack the room.
  returned: O(stage=plan), and in check mode
  type: int
bytes_free:
  description: Bytes that are free for them on the node.
  returned: O(stage=plan), and in check mode
  type: int
seconds_each:
  description: Seconds from one space to the next in the last run on the node; 0 if there was none.
  returned: O(stage=plan), and in check mode
  type: float
outcomes:
  description: How each space of this run fared.
  returned: O(stage=end)
  type: dict
  sample: {"velo-ecole": {"result": "upgraded", "downtime": 4.2}}
spaces:
  description: What was changed (in check mode, would be), by slug. Only changed spaces are listed.
  returned: always
  type: dict
  sample: {"velo-ecole": ["33.0.9.1 → 34.0.4.1, closed for 4.2 s"]}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
    - Here, why it could not be moved.
  returned: always
  type: dict
  sample: {}
exhausted:
  description: Whether more spaces failed than the budget allows.
  returned: O(stage=run)
  type: bool
node:
  description: What was changed on the node itself.
  returned: always
  type: list
  elements: str
begun:
  description: Number of spaces that were begun, those that failed included.
  returned: O(stage=run) and O(stage=undo)
  type: int
  sample: 8
remaining:
  description: Spaces that were not begun, by slug.
  returned: O(stage=run) and O(stage=undo)
  type: list
  elements: str
removed:
  description: Releases that were removed, since nothing needs them any more.
  returned: O(stage=end)
  type: list
  elements: str
"""

import traceback
import typing as t
from contextlib import nullcontext

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import (
    PAYLOAD_OPTION,
    Report,
    unpack,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _application_set,
    _node,
    _occ,
    _release_manifest,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_facts,
    _upgrade_job,
    _upgrade_lease,
    _upgrade_plan,
    _upgrade_record,
    _upgrade_run,
    _upgrade_tidy,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

try:
    import pymysql

    MISSING = None
except ImportError:
    MISSING = traceback.format_exc()

Order = dict[str, t.Any]
# What is the whole node's matter; each space's own is in the report.
ERRORS = (
    *(_upgrade_job.UpgradeError, _journal.JournalError, _release_manifest.ReleaseError),
    *(_systemd.SystemdError, OSError),
)


def settings_of(order: Order) -> _upgrade_job.Settings:
    """Return where things are on this node, and what the run wants."""
    node = order["node"]
    return _upgrade_job.Settings(
        node=_node.Node(
            root=node["root"],
            releases=node["releases"],
            php=node["php"],
            spool=node["spool"],
            sandbox=_occ.sandbox(),
            seed_images=node["seed_images"],
            database_socket=node["database_socket"],
            database_ca=node["database_ca"],
            connect=lambda database: _mariadb.connect(
                pymysql, database, node["database_socket"], node["database_ca"]
            ),
            database_error=pymysql.Error,
            without=_application_set.without_on(node["releases"], node["without"]),
        ),
        run=order["run"]["run"],
        disabled=frozenset(order["disabled"]),
        **order["places"],
    )


def plan(order: Order, *, check: bool) -> Report:
    """Say what would be done; of a run that is to do it, only if nobody else is at it."""
    settings, report = settings_of(order), Report()
    if not check:
        _upgrade_lease.make_sure_nobody_else_runs(order["run"]["run"])
    target = _upgrade_facts.read_target(settings.node.releases, order["release"])
    decisions = _upgrade_run.make_plan(settings, order["items"], target)
    report.facts |= _upgrade_run.plan_facts(settings, decisions)
    report.facts["built"] = target.holds is not None
    for slug, decision in decisions.items():
        if decision.kind == _upgrade_plan.REFUSED:
            report.fail(slug, decision.reason)
        elif decision.kind in (_upgrade_plan.UPGRADE, _upgrade_plan.RESUME):
            report.change(slug, f"{decision.version} → {target.version}")
    return report


def run(order: Order) -> Report:
    """Move one batch of spaces.

    Raises:
        UpgradeError: the release is not built here, or nginx does not look for the maintenance
            flag.

    """
    settings = settings_of(order)
    target = _upgrade_facts.read_target(settings.node.releases, order["release"])
    if target.holds is None:
        raise _upgrade_job.UpgradeError(f"release {target.id} is not built on this node")
    if reason := _upgrade_run.flag_problem(settings):
        raise _upgrade_job.UpgradeError(reason)
    with _upgrade_lease.leased(order["run"]):
        return _upgrade_run.converge(
            settings,
            order["items"],
            target,
            budget=_upgrade_run.Budget(order["budget"]),
            parallel=order["parallel"],
            seconds=order["seconds"],
        )


def undo(order: Order, *, check: bool) -> Report:
    """Bring spaces back to their restore points.

    Raises:
        UpgradeError: nginx does not look for the maintenance flag.

    """
    settings = settings_of(order)
    if check:
        return _upgrade_run.preview_undo(settings, order["items"])
    if reason := _upgrade_run.flag_problem(settings):
        raise _upgrade_job.UpgradeError(reason)
    with _upgrade_lease.leased(order["run"]):
        report = _upgrade_run.undo_all(settings, order["items"], order["parallel"])
    _upgrade_lease.release_lease(order["run"]["run"])
    return report


def end(order: Order, *, check: bool) -> Report:
    """Tidy up, and report how it went."""
    settings = settings_of(order)
    # Who only looks keeps nobody out, and is kept out by nobody.
    with nullcontext() if check else _upgrade_lease.leased(order["run"]):
        report, removed = _upgrade_tidy.tidy(
            settings, order["keep_releases"], order["keep_days"], check=check
        )
    slugs = [item["space"] for item in order["items"]]
    report.facts |= {"outcomes": _upgrade_record.outcomes(settings, slugs), "removed": removed}
    if not check:
        _upgrade_lease.release_lease(order["run"]["run"])
    return report


def act(order: Order, *, check: bool) -> Report:
    """Do what is asked.

    Raises:
        UpgradeError: an option is out of its range.

    """
    stage = order["stage"]
    if order["keep_days"] < 0:
        raise _upgrade_job.UpgradeError(
            f"keep_days: found {order['keep_days']:g}; allowed: 0 or more days that restore points "
            "are kept (archipel_upgrade_keep_days)"
        )
    if stage == "plan" or (stage == "run" and check):
        return plan(order, check=check)
    if stage == "run":
        return run(order)
    return (undo if stage == "undo" else end)(order, check=check)


def main() -> None:
    """Do what the payload asks for."""
    module = AnsibleModule(argument_spec={"payload": PAYLOAD_OPTION}, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib("pymysql"), exception=MISSING)
    try:
        report = act(unpack(module.params["payload"]), check=module.check_mode)
    except ERRORS as error:
        module.fail_json(msg=str(error))
    except pymysql.Error as error:
        module.fail_json(msg=f"MariaDB does not answer, no space was touched: {error}")
    module.exit_json(**report.result())


if __name__ == "__main__":
    main()
