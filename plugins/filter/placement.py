# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters of playbooks/placement.yml: how full nodes are, what could move, and what is written."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import escaped
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _moves, _proposals

COLUMNS = (
    "node",
    "state",
    "spaces",
    "databases",
    "GB promised",
    "GB used",
    "disk",
    "memory (model)",
)
# Of a list that is longer, the beginning is said; the file has all of it.
SHOWN = 30

Result = dict[str, t.Any]


def plan(
    spaces: list[Result],
    report: Result,
    observed: dict[str, t.Any] | None,
    model: dict[str, t.Any],
    only: list[str] | None = None,
    to: str = "",
    fill: str = "",
) -> Result:
    """Return how full nodes are, and what would have to move.

    Raises:
        AnsibleFilterError: what was asked means nothing, with all that is wrong.

    """
    seen = _proposals.Seen(spaces, report, observed, _moves.Model(**model))
    try:
        return _proposals.propose(seen, _proposals.Asked(only, to, fill))
    except _proposals.ProposalError as error:
        raise AnsibleFilterError(f"nothing was planned. {escaped_lines(error)}") from error


def writes(found: Result, only: list[str] | None = None) -> Result:
    """Return the lines of placement.yml that change.

    Raises:
        AnsibleFilterError: a space that was named cannot move, or is not ready.

    """
    try:
        return _proposals.list_writes(found, _proposals.Asked(only))
    except _proposals.ProposalError as error:
        text = f"nothing was written. {escaped_lines(error)}"
        raise AnsibleFilterError(text) from error


def escaped_lines(error: _proposals.ProposalError) -> str:
    """Return all that is wrong, harmless to a terminal."""
    return "\n".join(map(escaped, error.problems))


def table(found: Result) -> list[str]:
    """Return a table of the nodes, the proposals and what is in their way, as lines for people."""
    rows = [COLUMNS, *(_cells(node) for node in found["nodes"])]
    widths = [max(len(row[number]) for row in rows) for number in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    moves = [_move(one) for one in found["proposals"]]
    lines += _titled(f"Proposed{_sum(found['proposals'])}", moves)
    stuck = [f"{one['slug']} on {one['node']}: {one['why']}" for one in found["stuck"]]
    lines += _titled("Cannot move", stuck)
    new = [f"{one['slug']} on {one['web']}, database on {one['db']}" for one in found["new"]]
    return [escaped(line) for line in (*lines, *_titled("New", new))]


def _titled(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    rest = len(items) - SHOWN
    more = [f"  … and {rest} more, in the JSON"] if rest > 0 else []
    return [f"{title} ({len(items)}):", *(f"  {item}" for item in items[:SHOWN]), *more]


def _sum(proposals: list[Result]) -> str:
    known = [one["used_gb"] for one in proposals if one["used_gb"] is not None]
    return f", {sum(known):.1f} GB to copy" if known else ""


def _cells(node: Result) -> tuple[str, ...]:
    memory, total = node["memory_mib"], node["memory_mib"]["node"]
    over = ""
    if node["state"] == "over":
        over = f": {', '.join(map(_moves.WORDS.__getitem__, node['over']))}"
    size, free = node["disk_gb"], node["disk_free_gb"]
    return (
        node["name"],
        f"{node['state']}{over}",
        _amount(node["spaces"]) if "web" in node["parts"] else "-",
        _change(node["databases"]) if "db" in node["parts"] else "-",
        _amount(node["promised_gb"]) if "web" in node["parts"] else "-",
        "-" if node["used_gb"] is None else f"{node['used_gb']:.1f}",
        "-" if not size else f"{100 * (1 - free / size):.0f} % of {size:.0f} GB",
        f"{memory['model']} MiB" + (f" of {total}" if total else ""),
    )


def _amount(value: Result) -> str:
    most = "" if value["most"] is None else f" of {value['most']}"
    return f"{_change(value)}{most}"


def _change(value: Result) -> str:
    """Return an amount, and what the proposals would make of it."""
    now, after = value["now"], value["after"]
    return f"{now}" if now == after else f"{now} → {after}"


def _move(one: Result) -> str:
    database = one["db"]
    stays = database["from"] == database["to"]
    used = "unknown" if one["used_gb"] is None else f"{one['used_gb']:.1f}"
    way = f"{one['web']['from']} → {one['web']['to']}"
    if one["web"]["from"] == one["web"]["to"]:
        way = f"stays on {one['web']['to']}"
    along = "" if stays else f", database {database['from']} → {database['to']}"
    return (
        f"{one['slug']}: {way}{along}; GB used {used}, promised {one['promised_gb']}; {one['why']}"
    )


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"placement_plan": plan, "placement_table": table, "placement_writes": writes}
