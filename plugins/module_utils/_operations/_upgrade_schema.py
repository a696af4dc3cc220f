# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What Nextcloud's own comparison of a database with its migrations means for an upgrade.

From 35 on there is `occ db:schema:check`, and `occ upgrade` ends with it. It finds much in
databases that are well: tables of applications that are off or gone, defaults and types that older
releases gave, indices that are added later. None of that may bring a fleet back. What code of the
new release will look for and not find must: a table or a column that is missing.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

COMMAND = ("db:schema:check", "--output=json")
# Where a release has it.
CODE = "core/Command/Db/CheckSchema.php"
MISSING_TABLE, MISSING_COLUMN = "missing_table", "missing_column"
CREATED = re.compile(rb"^CREATE TABLE (?:IF NOT EXISTS )?`([^`]+)`", re.MULTILINE)

Finding = Mapping[str, t.Any]


def is_there(release: str) -> bool:
    """Tell whether a release compares, given its folder."""
    return Path(release, CODE).is_file()


def tables_of(dump: Path) -> frozenset[str] | None:
    """Return the tables of a release's template; None where there is none.

    What a new space of that release lacks too, nobody needs.
    """
    try:
        return frozenset(name.decode() for name in CREATED.findall(dump.read_bytes()))
    except FileNotFoundError:
        return None


def is_fault(finding: Finding, template: Set[str] | None) -> bool:
    """Tell whether the code of a release will miss something. Pure.

    Args:
        finding: `{table, type, name?, changes?, app?, enabled?}`; releases that tell whose a table
            is say `enabled: false` of applications that are off.
        template: the tables of a new space; None: not known.

    """
    if not finding.get("enabled", True):
        return False
    if finding.get("type") == MISSING_TABLE:
        return template is None or finding["table"] in template
    return finding.get("type") == MISSING_COLUMN


def faults(findings: Iterable[Finding], template: Set[str] | None) -> list[str]:
    """Return what is missing, for people. Pure."""
    return [words(one) for one in findings if is_fault(one, template)]


def words(finding: Finding) -> str:
    """Return a finding, for people. Pure."""
    name = f".{finding['name']}" if finding.get("name") else ""
    changes = f" ({', '.join(finding['changes'])})" if finding.get("changes") else ""
    owner = f", of {finding['app']}" if finding.get("app") else ""
    return f"{str(finding['type']).replace('_', ' ')} {finding['table']}{name}{changes}{owner}"
