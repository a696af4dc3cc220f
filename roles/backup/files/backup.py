#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Backups of this node's spaces, for its timers and for whoever is logged in to it.

backup run [SLUG…]      back up these spaces, or all that are due
backup verify [SLUG…]    verify these backups, or that of the space that is next
backup maintain         remove what the policy no longer keeps, and check the repository
backup make             make the repository, if there is none
backup restic …         restic itself, with the repository and its password
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, "/usr/local/lib/archipel")

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _backup_record,
    _restic,
    _verification,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

METRICS = "archipel_backup.prom"


def say(outcome: _backup.Outcome) -> int:
    """Print what was done, one space on a line; a failure is an error for the journal."""
    for slug, report in outcome.done.items():
        print(f"{slug}: {json.dumps(report, sort_keys=True)}")
    for slug, reason in outcome.failed.items():
        print(f"<3>{slug}: {reason}", file=sys.stderr)
    return 1 if outcome.failed else 0


def run(settings: _backup.Settings, slugs: list[str]) -> int:
    """Back up."""
    return say(_backup.run(settings, slugs or _backup.due(settings)))


def verify(settings: _backup.Settings, slugs: list[str]) -> int:
    """Verify."""
    following = _verification.choose_next(settings)
    return say(_verification.run(settings, slugs or ([following] if following else [])))


def maintain(settings: _backup.Settings, _slugs: list[str]) -> int:
    """Keep the repository small and whole."""
    gone = _backup.maintain(settings)
    print(f"{len(gone)} backups of spaces that are gone were removed")
    return 0


def make(settings: _backup.Settings, _slugs: list[str]) -> int:
    """Make the repository."""
    print("repository made" if _restic.make(settings.repository) else "the repository is there")
    return 0


def restic(settings: _backup.Settings, arguments: list[str]) -> int:
    """Become restic."""
    where = settings.repository
    command = [part for part in where.command(*arguments) if part != "--quiet"]
    os.execvpe(command[0], command, where.variables())


VERBS = {"run": run, "verify": verify, "maintain": maintain, "make": make, "restic": restic}


def metrics(settings: _backup.Settings, verb: str, code: int) -> str:
    """Return what Prometheus reads: when each space was last backed up and verified."""
    lines = [
        f'archipel_backup_run_success{{verb="{verb}"}} {int(code == 0)}',
        f'archipel_backup_run_timestamp_seconds{{verb="{verb}"}} {time.time():.0f}',
    ]
    for slug, entry in sorted(_backup_record.read(settings.work).items()):
        for part in ("backup", "verification"):
            at = entry.get(part, {}).get("at")
            seconds = _backup.datetime.fromisoformat(at).timestamp() if at else 0
            lines.append(f'archipel_{part}_timestamp_seconds{{space="{slug}"}} {seconds:.0f}')
        failed = int("failed" in entry or "unverified" in entry)
        lines.append(f'archipel_backup_failed{{space="{slug}"}} {failed}')
    return "\n".join(lines) + "\n"


def note(settings: _backup.Settings, verb: str, code: int) -> None:
    """Leave a mark where the run failed, take it away where it did not, and write metrics."""
    mark = Path(settings.work, f"failed-{verb}")
    if verb == "verify":
        # As the verb was called.
        Path(settings.work, "failed-prove").unlink(missing_ok=True)
    if code:
        mark.write_text(f"{_backup.now()}\n", encoding="ascii")
    else:
        mark.unlink(missing_ok=True)
    folder = Path(settings.metrics)
    if settings.metrics and folder.is_dir():
        beside = folder / f".{METRICS}.{verb}"
        beside.write_text(metrics(settings, verb, code), encoding="utf-8")
        beside.chmod(0o644)
        beside.rename(folder / METRICS.replace("backup", f"backup_{verb}"))


def main(arguments: list[str]) -> int:
    """Do what is asked."""
    if not arguments or arguments[0] not in VERBS:
        print(__doc__, file=sys.stderr)
        return 64
    verb, rest = arguments[0], arguments[1:]
    os.umask(0o077)
    try:
        settings = _backup.read_settings()
    except _backup.BackupError as error:
        print(f"<2>{error}", file=sys.stderr)
        return 1
    try:
        code = VERBS[verb](settings, rest)
    except (
        *(_backup.BackupError, _database.DatabaseError),
        *(_journal.JournalError, _restic.ResticError, OSError),
    ) as error:
        print(f"<2>{error}", file=sys.stderr)
        code = 1
    if verb in {"run", "verify", "maintain"}:
        note(settings, verb, code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
