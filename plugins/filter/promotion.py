# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters of playbooks/promote.yml: another database node becomes the primary of its cluster."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import escaped
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _promotion,
    _proposals,
)

Result = dict[str, t.Any]


def plan(
    roles: dict[str, Result],
    to: str,
    lost: str,
    looks: dict[str, Result],
    addresses: dict[str, str],
    asked: dict[str, Result],
) -> Result:
    """Return which node becomes the primary in place of which.

    Args:
        roles: database node → archipel_database_role.
        to: the node that becomes the primary.
        lost: the primary, where it is gone; else empty.
        looks: member → result of database_replication.
        addresses: member → address at which it is followed.
        asked: web node → result of database_replication, of the lost node's addresses.

    Raises:
        AnsibleFilterError: nothing may be promoted, with all reasons.

    """
    reached = [
        f"{node} reaches it at {', '.join(said['answers'])}"
        for node, said in asked.items()
        if said.get("answers")
    ]
    states = {node: look.get("state") or {} for node, look in looks.items()}
    change = _promotion.Change(to, lost, roles, states, addresses, reached)
    try:
        return _promotion.plan(change)
    except _proposals.ProposalError as error:
        text = "\n".join(map(escaped, error.problems))
        raise AnsibleFilterError(f"nothing was promoted. {text}") from error


def moves(found: Result, spaces: list[Result], placed: list[Result]) -> Result:
    """Return the lines of placement.yml that change."""
    return _promotion.moves(spaces, placed, found)


def table(found: Result, number: int) -> list[str]:
    """Return what is to be done, for people, harmless to a terminal."""
    return [escaped(line) for line in _promotion.table(found, number)]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"promotion_plan": plan, "promotion_moves": moves, "promotion_table": table}
