# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters of playbooks/upgrade.yml: what is asked, in which waves, and how it went."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _upgrades

Result = dict[str, t.Any]


def problems(
    release: t.Any, releases: dict[str, t.Any], rings: t.Any, budget: t.Any, parallel: t.Any
) -> list[str]:
    """Return everything that is wrong with what was asked for."""
    return _upgrades.problems(release, releases, rings, budget, parallel)


def waves(
    spaces: list[Result], plans: dict[str, Result], rings: t.Any, budget: t.Any
) -> list[Result]:
    """Return the waves of a run.

    Raises:
        AnsibleFilterError: rings, waves or budget are wrong.

    """
    try:
        return _upgrades.waves(spaces, plans, rings, budget)
    except _upgrades.UpgradeError as error:
        raise AnsibleFilterError(str(error)) from error


def preview(found: list[Result], nodes: dict[str, Result], parallel: t.Any) -> list[str]:
    """Return what a run would do, line by line."""
    return _upgrades.preview(found, nodes, int(parallel))


def summary(
    outcomes: dict[str, Result], failed: dict[str, str], release: str, moved: t.Sequence[str] = ()
) -> Result:
    """Return how a run went."""
    return _upgrades.summary(outcomes, failed, release, moved)


def report(said: Result) -> list[str]:
    """Return how a run went, as lines for people."""
    return _upgrades.report(said)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {
            "upgrade_problems": problems,
            "upgrade_waves": waves,
            "upgrade_preview": preview,
            "upgrade_summary": summary,
            "upgrade_report": report,
        }
