# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""occ in a space that is being upgraded: in a unit of its own, and what it says is written down."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.archipel.spaces.plugins.module_utils._core import _unit_names
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_job
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd


def unit_of(slug: str) -> str:
    """Return the name under which a space's occ runs meanwhile."""
    return _unit_names.Units(slug).upgrade


def occ(
    job: Job,
    *arguments: str,
    more: Sequence[Sequence[str]] = (),
    stdin: str | None = None,
) -> str:
    """Run occ, and further commands after it, write down what it says, and return that.

    Args:
        job: the space.
        arguments: of the first command.
        more: further commands, each if the one before it has succeeded.
        stdin: what a command reads as `{input}`.

    Raises:
        UpgradeError: one of them failed.

    """
    outcome = run_occ(job, *arguments, more=more, stdin=stdin)
    if outcome.code != 0:
        failed = outcome.failed((arguments, *more)[-1][0])
        raise UpgradeError(f"occ {failed} ended with {outcome.code}: {outcome.why()}")
    return outcome.stdout


def run_occ(
    job: Job,
    *arguments: str,
    more: Sequence[Sequence[str]] = (),
    stdin: str | None = None,
) -> _occ.Outcome:
    """Run occ as `occ` does; return what came of it, a failure too."""
    node = job.settings.node
    if job.ready is not None:
        ready, job.ready = job.ready, None
        outcome = ready.run(_occ.request(arguments, stdin=stdin, more=more))
        _occ.take_back(job.home)
    else:
        outcome = _occ.run(
            job.slug,
            node.php,
            arguments,
            root=node.root,
            stdin=stdin,
            timeout=job.settings.occ_seconds,
            lines=node.sandbox,
            unit=unit_of(job.slug),
            more=more,
        )
    lines = [*outcome.stdout.strip().splitlines(), *outcome.stderr.strip().splitlines()]
    names = ", ".join(one[0] for one in (arguments, *more))
    job.log("\n".join([f"occ {names}: {outcome.code}", *lines]))
    return outcome


def get_ready(job: Job) -> None:
    """Start what will run the upgrade, on the new release; it waits until it is asked."""
    node, settings = job.settings.node, job.settings
    command = _occ.sandboxed(
        job.slug,
        node.php,
        f"{node.releases}/{job.journal['to']}",
        timeout=settings.jobs_seconds + settings.occ_seconds,
        lines=node.sandbox,
        unit=unit_of(job.slug),
    )
    job.ready = _occ.Ready(command)


def stand_down(job: Job) -> None:
    """Dismiss what was to run the upgrade, where it came to none."""
    if job.ready is not None:
        job.ready.dismiss()
        job.ready = None


def end_occ(job: Job) -> None:
    """End an occ that a run which was cut short left behind."""
    shown = _systemd.read_properties([unit_of(job.slug)], "ActiveState")
    if any(one.get("ActiveState") in _upgrade_job.RUNNING for one in shown.values()):
        _systemd.systemctl("stop", unit_of(job.slug))
