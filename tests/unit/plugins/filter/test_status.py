# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The status of spaces, for people and for programs."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.filter.status import merged, table


def space(slug: str, **changes: t.Any) -> dict[str, t.Any]:
    known = dict.fromkeys(("name", "ring", "office", "db", "url", "storage_gb", "closed_on"), "x")
    names = [f"{slug}.spaces.example", f"{slug}.example"]
    rest: dict[str, t.Any] = {"domains": names} | {
        "slug": slug,
        "status": "approved",
        "web": "node1",
        "hold": False,
        "dormancy": {"exempt": False, "since": None, "letters": 0},
        "release": "33.0.9",
    }
    return {**known, **rest, **changes}


STATE = {"installed": True, "release": "33.0.9", "open": True, "awake": False}
REPORT = {
    "requested": [{"slug": "jardin", "name": "x", "file": "spaces/jardin.yml", "decision": None}],
    "purged": ["fini"],
    "without_file": ["perdu"],
}


def test_everybody_is_there_once():
    rows = merged([space("velo"), space("amap", status="closed")], {"velo": STATE}, REPORT)
    assert [(row["slug"], row["status"]) for row in rows] == [
        ("amap", "closed"),
        ("fini", "purged"),
        ("jardin", "requested"),
        ("perdu", "no file"),
        ("velo", "approved"),
    ]


def lines(**changes: t.Any) -> str:
    rows = merged([space("velo")], {"velo": {**STATE, **changes}}, {})
    head, line = table(rows)
    assert head.split()[:3] == ["space", "status", "node"]
    return line


def test_a_healthy_space():
    backup = {"at": "2026-05-30T01:12:00+00:00"}
    accounts = {"used": 49, "limit": 50}
    line = lines(usage={"percent": 12.5}, accounts=accounts, backup=backup, verification=backup)
    assert line.split() == ["velo", "approved", "node1", "33.0.9", "asleep", "12.5", "%", "49/50",
                            "2026-05-30T01:12", "2026-05-30T01:12"]  # fmt: skip


def test_a_domain_without_a_certificate_is_said_with_its_space_alone():
    troubles = {"velo.example": "velo.example has no address", "amap.example": "elsewhere"}
    rows = merged([space("velo")], {"velo": STATE}, {}, troubles)
    assert rows[0]["certificates"] == {"velo.example": "velo.example has no address"}
    assert table(rows)[1].endswith("certificate: velo.example has no address")


def test_what_needs_somebody_is_remarked():
    assert "awake" in lines(awake=True)
    assert "not installed" in lines(installed=False)
    assert "release 33.0.9 is wanted" in lines(release="32.0.1")
    assert "a restore of it was" in lines(pending="a restore of it was interrupted")
    assert "from before a restore is kept" in lines(previous=True)
    assert "backup: full" in lines(backup_failed={"at": "x", "reason": "full"})
    assert "repair after the upgrade to 34 waits" in lines(
        repair="its repair after the upgrade to 34 waits"
    )
    assert "in maintenance" in lines(maintenance=True)
    assert "failed: space-php@velo.service;" in lines(failed=["space-php@velo.service"])
    assert "failed" not in lines(failed=[])


def test_who_is_unused_is_said_with_what_was_done_about_it():
    said = []
    for letters, status in ((0, "approved"), (1, "approved"), (3, "suspended"), (3, "closed")):
        dormancy = {"exempt": False, "since": "2025-01-10", "letters": letters}
        row = space("velo", status=status, dormancy=dormancy, closed_on=None)
        (line,) = table(merged([row], {"velo": STATE}, {}))[1:]
        said.append(line.partition("unused ")[2])
    assert said == [
        "",
        "since 2025-01-10, written to once",
        "since 2025-01-10, written to three times",
        "",
    ]
