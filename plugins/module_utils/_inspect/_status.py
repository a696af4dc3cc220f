# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the spaces of a node are like, from a few small files and one question to systemd."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _journal,
    _layout,
    _unit_names,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _repair
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _backup_record
from ansible_collections.archipel.spaces.plugins.module_utils._system import _units

# What the timers of the role quotas wrote last.
USAGE = "/var/lib/archipel/usage.json"
ACCOUNTS = "/var/lib/archipel/accounts.json"
# What the node has written of the certificates that it orders by itself; where it does not, none.
CERTIFICATES = "/var/lib/archipel/certificates/report.json"
MEMINFO = "/proc/meminfo"
MEMORY = re.compile(r"MemTotal: +([0-9]+) kB")

State = dict[str, t.Any]


def read_config(home: str) -> tuple[str, str]:
    """Return a space's config.php, and why it cannot be read: that is this space's own matter."""
    try:
        return _files.read_text(f"{home}/config/config.php"), ""
    except OSError as error:
        return "", f"{error.filename}: {error.strerror}"


def own_units(slug: str) -> list[str]:
    """Return the services of one space."""
    units = _unit_names.Units(slug)
    return [*units.kept_alive, units.jobs]


def state(root: str, slug: str, active: t.Mapping[str, str]) -> State:
    """Return what one space is like, without what others know of it."""
    layout = _layout.Layout(slug, _layout.Places(root=root))
    home = layout.home
    config, problem = read_config(home)
    version = _config.VERSION.search(config)
    release = os.path.realpath(f"{home}/release")
    return {
        "installed": _config.is_installed(config),
        "version": version[1] if version else None,
        "release": os.path.basename(release) if os.path.lexists(f"{home}/release") else None,
        "maintenance": bool(_config.MAINTENANCE.search(config)),
        "open": active.get(layout.units.php_socket) == "active",
        "awake": active.get(layout.units.php) == "active",
        # Of these nobody hears otherwise: a page is answered by the web server alone.
        "failed": [unit for unit in own_units(slug) if active.get(unit) == "failed"],
        "jobs": active.get(layout.units.jobs_timer) == "active",
        "repair": _repair.words(_repair.read_note(slug)) or None,
        "pending": _journal.under_way(slug) or problem or None,
        "previous": any(map(os.path.isdir, (layout.previous, layout.former_previous))),
    }


def read_certificates(path: str) -> tuple[dict[str, str], list[str]]:
    """Return domain → why it has no certificate that is new; and what concerns the node."""
    report = _journal.read_json(path)
    troubles = {
        name: str(one["problem"]["reason"])
        for name, one in report.get("certificates", {}).items()
        if one.get("own") and one.get("problem")
    }
    return troubles, [str(problem) for problem in report.get("problems", ())]


def read_accounts(path: str) -> dict[str, State]:
    """Return slug → accounts and last use, each with the moment of the report."""
    report = _journal.read_json(path)
    at = report.get("time")
    return {slug: {**one, "at": at} for slug, one in report.get("spaces", {}).items()}


def read_room(root: str, meminfo: str = MEMINFO) -> dict[str, int]:
    """Return what the node has, in bytes: memory, and the file system that the spaces are on.

    Raises:
        ValueError: the kernel says it otherwise than it always did.

    """
    first = _files.read_text(meminfo).split("\n", 1)[0]
    found = MEMORY.fullmatch(first)
    if not found:
        raise ValueError(f"{meminfo}: found {first!r} in its first line, where MemTotal should be")
    disk = os.statvfs(root if os.path.isdir(root) else "/")
    return {
        "memory_bytes": int(found[1]) * 1024,
        "disk_bytes": disk.f_blocks * disk.f_frsize,
        "disk_free_bytes": disk.f_bavail * disk.f_frsize,
    }


def read(root: str, slugs: t.Iterable[str], record_path: str) -> dict[str, State]:
    """Return slug → what the space is like."""
    active = _units.read_observed().active
    usage = _journal.read_json(USAGE).get("spaces", {})
    accounts = read_accounts(ACCOUNTS)
    record = _backup_record.read_at(record_path)
    found = {}
    for slug in slugs:
        known = record.get(slug, {})
        found[slug] = {
            **state(root, slug, active),
            "usage": usage.get(slug),
            "accounts": accounts.get(slug),
            "backup": known.get("backup"),
            "verification": known.get("verification"),
            "backup_failed": known.get("failed") or known.get("unverified"),
        }
    return found
