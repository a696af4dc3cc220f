# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters of playbooks/status.yml: one list of all spaces, and a table of it."""

from __future__ import annotations

import typing as t

COLUMNS = (
    "space",
    "status",
    "node",
    "release",
    "runs",
    "storage",
    "accounts",
    "backup",
    "verified",
    "remarks",
)
# Of an entry of the inventory; the rest is on the node.
OF_ENTRY = ("slug", "name", "status", "ring", "office", "web", "db", "url", "storage_gb", "hold")
OF_SUMMARY = ("slug", "name", "file")


def merged(
    spaces: list[dict[str, t.Any]],
    states: dict[str, t.Any],
    report: dict[str, t.Any],
    certificates: t.Mapping[str, str] | None = None,
) -> list[dict[str, t.Any]]:
    """Return every space of the registry with what its node says of it, by slug.

    Args:
        spaces: entries of the inventory.
        states: slug → what its node says.
        report: archipel_report.
        certificates: domain → what is wrong with its certificate.

    """
    troubles = certificates or {}
    rows = [
        {**{key: space[key] for key in OF_ENTRY},
         "closed_on": space["closed_on"], "dormancy": space["dormancy"],
         "wanted_release": space["release"], **states.get(space["slug"], {}),
         "certificates": {name: troubles[name] for name in space["domains"] if name in troubles}}
        for space in spaces
    ]  # fmt: skip
    for status in ("requested", "refused"):
        for summary in report.get(status, ()):
            rows.append({key: summary[key] for key in OF_SUMMARY} | {"status": status})
    rows += [{"slug": slug, "status": "purged"} for slug in report.get("purged", ())]
    rows += [{"slug": slug, "status": "file wrong"} for slug in report.get("skipped", ())]
    rows += [{"slug": slug, "status": "no file"} for slug in report.get("without_file", ())]
    return sorted(rows, key=lambda row: str(row["slug"]))


def table(rows: list[dict[str, t.Any]]) -> list[str]:
    """Return a table for people: a line per space, columns as wide as they need to be."""
    lines = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _cells(row: dict[str, t.Any]) -> tuple[str, ...]:
    usage, backup, verification = (
        row.get(key) or {} for key in ("usage", "backup", "verification")
    )
    accounts = row.get("accounts") or {}
    return (
        str(row["slug"]),
        str(row["status"]),
        str(row.get("web") or "-"),
        str(row.get("release") or "-"),
        _runs(row),
        f"{usage['percent']} %" if "percent" in usage else "-",
        f"{accounts['used']}/{accounts['limit']}" if accounts else "-",
        str(backup.get("at", "-"))[:16],
        str(verification.get("at", "-"))[:16],
        "; ".join(_remarks(row)),
    )


def _runs(row: dict[str, t.Any]) -> str:
    if not row.get("open"):
        return "-"
    return "awake" if row.get("awake") else "asleep"


def _remarks(row: dict[str, t.Any]) -> list[str]:
    said = []
    if row.get("hold"):
        said.append("on hold")
    said += [str(row[key]) for key in ("pending", "repair") if row.get(key)]
    if row.get("previous"):
        said.append("its state from before a restore is kept")
    if row.get("failed"):
        said.append(f"failed: {', '.join(row['failed'])}; journalctl -u says why")
    said += [f"certificate: {why}" for why in (row.get("certificates") or {}).values()]
    if row.get("maintenance"):
        said.append("in maintenance")
    if row.get("installed") and row.get("release") != row.get("wanted_release"):
        said.append(f"release {row.get('wanted_release')} is wanted")
    if row["status"] == "approved" and not row.get("installed"):
        said.append("not installed")
    if row.get("backup_failed"):
        said.append(f"backup: {row['backup_failed']['reason']}")
    if row["status"] == "closed" and row.get("closed_on"):
        said.append(f"closed on {row['closed_on']}")
    return [*said, *_unused(row)]


def _unused(row: dict[str, t.Any]) -> list[str]:
    """What was decided on because nobody uses it."""
    dormancy = row.get("dormancy") or {}
    if not dormancy.get("letters") or row["status"] not in {"approved", "suspended"}:
        return []
    times = ("once", "twice", "three times")[dormancy["letters"] - 1]
    return [f"unused since {dormancy['since']}, written to {times}"]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"status": merged, "status_table": table}
