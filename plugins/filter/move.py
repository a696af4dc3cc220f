# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters of playbooks/move.yml: what moves, in which parts, and what is said of it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import escaped
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _moves,
    _proposals,
    _relocation,
    _relocation_phases,
)

Result = dict[str, t.Any]
GB = 1024**3


def plan(
    spaces: list[Result],
    report: Result,
    observed: dict[str, t.Any],
    model: dict[str, t.Any],
    journals: dict[str, t.Any],
    only: list[str] | None = None,
    to: str = "",
    drain: str = "",
) -> Result:
    """Return the moves, and what cannot move.

    Raises:
        AnsibleFilterError: what was asked means nothing, or a space cannot move.

    """
    seen = _proposals.Seen(spaces, report, observed, _moves.Model(**model))
    try:
        return _relocation.plan(seen, _relocation.Wanted(only, to, drain), journals)
    except _proposals.ProposalError as error:
        raise AnsibleFilterError(f"nothing was moved. {_lines(error)}") from error


def batches(moves: list[Result], size: int) -> list[list[Result]]:
    """Return the moves in parts that go together.

    Raises:
        AnsibleFilterError: that is no size.

    """
    try:
        return _relocation.batches(moves, size)
    except _proposals.ProposalError as error:
        raise AnsibleFilterError(_lines(error)) from error


def kept(
    spaces: list[Result],
    journals: dict[str, t.Any],
    kind: str,
    slug: str,
    confirm: str = "",
) -> Result:
    """Return what is done to what a space has left on a node.

    Raises:
        AnsibleFilterError: nothing is kept of it, or it is not confirmed.

    """
    try:
        seen = _proposals.Seen(spaces, {})
        return _relocation.plan_kept(kind, slug, confirm, seen, journals)
    except _proposals.ProposalError as error:
        raise AnsibleFilterError(_lines(error)) from error


def described(batch: list[Result], states: Result) -> list[str]:
    """Return what came of each space, a line each."""
    return [escaped(line) for line in _relocation_phases.describe(batch, states)]


def table(found: Result) -> list[str]:
    """Return what moves as lines for people."""
    lines = [_line(one) for one in found["moves"]]
    lines += [f"{one['slug']} stays on {one['node']}: {one['why']}" for one in found["stuck"]]
    return [escaped(line) for line in lines or ["Nothing is to move."]]


def _line(one: Result) -> str:
    web, db = one["web"], one["db"]
    along = "" if db["from"] == db["to"] else f", database {db['from']} → {db['to']}"
    size = f"{one['bytes'] / GB:.1f} GB"
    begun = f", begun before: {one['begun']}" if one["begun"] else ""
    return f"{one['slug']}: {web['from']} → {web['to']}{along}; {size}{begun}"


def _lines(error: _proposals.ProposalError) -> str:
    return "\n".join(map(escaped, error.problems))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {
            "move_plan": plan,
            "move_batches": batches,
            "move_described": described,
            "move_items": _relocation_phases.items,
            "move_noted": _relocation_phases.note,
            "move_switches": _relocation_phases.list_switches,
            "move_kept": kept,
            "move_table": table,
        }
