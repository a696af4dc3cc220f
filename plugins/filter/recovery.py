# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters of playbooks/recover.yml: what comes where after a node was lost, and what came of it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import escaped
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _moves,
    _proposals,
    _recovery,
)

# Of a list that is longer, the beginning is said; the file has all of it.
SHOWN = 40

Result = dict[str, t.Any]


def plan(
    spaces: list[Result],
    lost: str,
    report: Result,
    observed: dict[str, t.Any],
    found: dict[str, t.Any],
    model: dict[str, t.Any],
    answers: bool = False,
    only: list[str] | None = None,
    known: list[Result] | None = None,
) -> Result:
    """Return which spaces of a lost node come to which other one, and which do not.

    Raises:
        AnsibleFilterError: nothing may be restored, with all reasons.

    """
    seen = _proposals.Seen(spaces, report, observed, _moves.Model(**model))
    # Of a node that did not answer, or whose task failed, there is nothing that is needed.
    looks = {node: look if "claims" in look else {} for node, look in found.items()}
    rows = {str(row["slug"]): row for row in known or ()}
    loss = _recovery.Loss(lost, answers, seen, looks, only, rows)
    try:
        return _recovery.plan(loss)
    except _proposals.ProposalError as error:
        raise AnsibleFilterError(f"nothing was restored. {lines(error)}") from error


def item(one: Result) -> Result:
    """Return a space as spaces_recover takes it, of a plan or of the registry."""
    stays = bool(one.get("stays"))
    return {"slug": one["slug"], "web": one["web"], "db": one["db"], "stays": stays}


def moves(found: Result, nodes: list[str], unclaimed: list[str]) -> Result:
    """Return the lines of placement.yml that change: of what is claimed, and of nothing else.

    Args:
        found: the plan.
        nodes: those that have claimed what comes to them.
        unclaimed: slugs that could not be claimed.

    """
    return {
        one["slug"]: {word: one[word] for word in ("web", "db", "from", "lost")}
        for one in found["items"]
        if one["web"] in nodes and one["slug"] not in unclaimed
    }


def opened(found: Result, done: list[str]) -> Result:
    """Return the lines of placement.yml that need not say any more that a space is lost.

    Args:
        found: the plan.
        done: slugs that are restored and opened.

    """
    items = [one for one in found["items"] if one["slug"] in done]
    return {
        one["slug"]: {**_place(one), "from": _place(one), "lost": ""}
        for one in [*items, *found["settled"]]
    }


def _place(one: Result) -> dict[str, str]:
    return {word: one[word] for word in ("web", "db")}


def batches(found: Result, size: int) -> list[dict[str, list[str]]]:
    """Return what is restored together: node → slugs.

    Raises:
        AnsibleFilterError: the size means nothing.

    """
    try:
        return _recovery.cut(found["items"], size)
    except _proposals.ProposalError as error:
        raise AnsibleFilterError(lines(error)) from error


def lines(error: _proposals.ProposalError) -> str:
    """Return all that is wrong, harmless to a terminal."""
    return "\n".join(map(escaped, error.problems))


def table(found: Result) -> list[str]:
    """Return what comes where, in its order, and what does not, as lines for people."""
    items = [_line(one) for one in found["items"]]
    total = sum(one["gb"] for one in found["items"])
    said = _titled(f"To be restored, {total:.1f} GB, in this order", items)
    said += _titled("Not restored", [f"{one['slug']}: {one['why']}" for one in found["left"]])
    return [escaped(line) for line in said] or [f"No space is on {found['lost']}."]


def _line(one: Result) -> str:
    then = one["from"]
    way = f"{then['web']} → {one['web']}"
    if then["web"] == one["web"]:
        way = f"on {one['web']}"
    base = ""
    if one["db"] != one["web"] or then["db"] != then["web"]:
        base = f", database {then['db']} → {one['db']}"
    how = "goes on with" if one["goes_on"] else "from"
    when = one["backup"][:16]
    return f"{one['slug']}: {way}{base}; {one['gb']:.2f} GB, {how} the backup of {when}"


def _titled(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    rest = len(items) - SHOWN
    more = [f"  … and {rest} more, in the JSON"] if rest > 0 else []
    return [f"{title} ({len(items)}):", *(f"  {item}" for item in items[:SHOWN]), *more]


def report(found: Result, done: list[str], failed: dict[str, str]) -> Result:
    """Return what came of each space, as it is kept and shown.

    Args:
        found: the plan.
        done: slugs that are restored and opened.
        failed: slug → why one of the plan was not.

    """
    items = found["items"]
    opened = [one for one in items if one["slug"] in done and one["slug"] not in failed]
    silent = "nothing is known of it: its node stopped answering"
    rest = [one["slug"] for one in items if one not in opened]
    left = [{"slug": slug, "why": failed.get(slug, silent)} for slug in rest]
    return {
        "lost": found["lost"],
        "restored": [
            {word: one[word] for word in ("slug", "web", "db", "backup", "gb")} for one in opened
        ],
        # Where something of it lived on another node, that was not thrown away.
        "kept": [one["slug"] for one in opened if one["stays"] or one["db"] != one["web"]],
        "left": sorted([*left, *found["left"]], key=lambda one: str(one["slug"])),
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {
            "recovery_plan": plan,
            "recovery_item": item,
            "recovery_moves": moves,
            "recovery_opened": opened,
            "recovery_batches": batches,
            "recovery_table": table,
            "recovery_report": report,
        }
