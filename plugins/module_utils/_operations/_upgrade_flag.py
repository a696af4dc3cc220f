# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space is closed while it is upgraded: people, jobs and programs stay out.

The maintenance flag is a file that nginx looks for with each request; it keeps the space's jobs
from starting too. A second one, read by Nextcloud, refuses what was on its way. Both outlive a
reboot.
"""

from __future__ import annotations

import contextlib
import glob
import os
import socket
import time
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_job
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    Job,
    Settings,
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd

REDIS_SECONDS = 10
CONFIG_FLAG_TEXT = """\
<?php
// Closed for the time of an upgrade: written by Archipel, and taken away at its end.
$CONFIG = PHP_SAPI === 'cli' || hash_equals('{key}', $_SERVER['HTTP_X_ARCHIPEL_PROBE'] ?? '')
    ? [] : ['maintenance' => true];
"""


def flag_path(settings: Settings, slug: str) -> str:
    """Return the file that keeps people and jobs out while it is there."""
    return settings.layout(slug).maintenance


def raise_flag(job: Job) -> None:
    """Close the space for everybody who does not know the key. Can be repeated."""
    os.makedirs(job.settings.closed, exist_ok=True)
    # nginx looks for names that it knows, and must not be able to list the keys.
    os.chmod(job.settings.closed, 0o711)
    for path in (job.layout.maintenance_pass(job.journal["key"]), job.layout.maintenance):
        Path(path).touch(mode=0o644)
    content = CONFIG_FLAG_TEXT.replace("{key}", job.journal["key"])
    group = int(job.item["id"])
    _files.write_file(
        {
            "path": job.config_flag,
            "content": content,
            "uid": _files.ROOT,
            "gid": group,
            "mode": 0o640,
        }
    )


def is_open(job: Job) -> bool:
    """Tell whether people get in: from the moment it opened, nothing may lead back."""
    return not os.path.exists(flag_path(job.settings, job.slug))


def lower_flag(job: Job) -> None:
    """Open the space. Can be repeated."""
    Path(job.config_flag).unlink(missing_ok=True)
    Path(job.layout.maintenance).unlink(missing_ok=True)
    # It is open now: a key that stays behind opens nothing.
    with contextlib.suppress(OSError):
        for path in glob.glob(job.layout.maintenance_pass("*")):
            Path(path).unlink(missing_ok=True)


def wait_for_jobs(job: Job) -> None:
    """Let jobs that are running come to their end.

    Raises:
        UpgradeError: they do not.

    """
    unit = job.layout.units.jobs
    end = time.monotonic() + job.settings.jobs_seconds
    while True:
        shown = _systemd.read_properties([unit], "ActiveState")
        if shown.get(unit, {}).get("ActiveState") not in _upgrade_job.RUNNING:
            return
        if time.monotonic() > end:
            raise UpgradeError(
                f"its jobs have been running for over {job.settings.jobs_seconds} seconds ({unit})"
                ": run again later, or raise archipel_upgrade_jobs_seconds"
            )
        time.sleep(1)


def stop_php(job: Job) -> None:
    """Let running requests end, and forget what PHP and Redis keep in memory."""
    _systemd.systemctl("stop", job.layout.units.php)
    empty_redis(job)


def empty_redis(job: Job) -> None:
    """Let Redis forget everything; it does not stop with PHP, for occ's target keeps it.

    Raises:
        UpgradeError: it keeps what it holds.

    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(job.layout.redis_socket)
        except (FileNotFoundError, ConnectionRefusedError):
            # None runs: there is nothing to forget.
            return
        connection.settimeout(REDIS_SECONDS)
        connection.sendall(b"FLUSHDB\r\n")
        answer = connection.recv(64)
    if not answer.startswith(b"+OK"):
        raise UpgradeError(f"its Redis does not forget what it holds: {answer.decode()!r}")


def start_php(job: Job) -> None:
    """Let PHP start meanwhile: the space is closed, nobody asks before the check does."""
    if job.is_web:
        _systemd.systemctl("start", "--no-block", job.layout.units.php)
