# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What an upgrade leaves on a node: restore points past their time, releases that nobody needs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_job,
    _upgrade_point,
)

REMOVING = ".removing-"


def old_points(settings: _upgrade_job.Settings, days: float, now: float) -> list[str]:
    """Return the spaces whose restore point is kept no longer.

    Args:
        settings: of the node.
        days: that restore points are kept.
        now: a unix time, in seconds.

    """
    try:
        slugs = sorted(entry.name for entry in os.scandir(settings.work) if entry.is_dir())
    except FileNotFoundError:
        return []
    points = _upgrade_point.restorable(settings, slugs)
    return [
        slug
        for slug, point in points.items()
        if now - float(point["at"]) > days * 86400 and not _journal.exists(slug)
    ]


def releases_needed(settings: _upgrade_job.Settings) -> set[str]:
    """Return the releases that a space of this node runs, or can go back to.

    Raises:
        JournalError: a journal is damaged: nobody knows which releases its space needs.

    """
    needed = set()
    for entry in os.scandir(settings.node.root):
        try:
            needed.add(os.path.basename(os.readlink(f"{entry.path}/release")))
        except OSError:
            continue
    if os.path.isdir(settings.work):
        slugs = [entry.name for entry in os.scandir(settings.work) if entry.is_dir()]
        needed |= {
            str(one["release"]) for one in _upgrade_point.restorable(settings, slugs).values()
        }
    if os.path.isdir(_journal.FOLDER):
        # Beside them lie those that a kill left half written.
        names = [name for name in os.listdir(_journal.FOLDER) if name.endswith(".json")]
        for name in names:
            journal = _journal.read(name.removesuffix(".json")) or {}
            needed |= {str(journal[key]) for key in ("from", "to") if key in journal}
    return needed


def built(releases: str) -> list[str]:
    """Return the releases of this node."""
    return sorted(
        entry.name
        for entry in os.scandir(releases)
        if entry.is_dir(follow_symlinks=False)
        and not entry.name.startswith(".")
        and os.path.exists(f"{entry.path}.json")
    )


def remove_release(releases: str, seed_images: str, release: str) -> None:
    """Remove a release: its name goes first, so that what is left of it counts for nothing."""
    beside = f"{releases}/{REMOVING}{release}"
    os.rename(f"{releases}/{release}", beside)
    os.unlink(f"{releases}/{release}.json")
    shutil.rmtree(beside)
    if seed_images:
        shutil.rmtree(f"{seed_images}/{release}", ignore_errors=True)


def sweep(releases: str) -> None:
    """Remove what an interrupted removal left."""
    for entry in os.scandir(releases):
        if entry.name.startswith(REMOVING):
            shutil.rmtree(entry.path)
            release = entry.name.removeprefix(REMOVING)
            if not os.path.isdir(f"{releases}/{release}"):
                Path(f"{releases}/{release}.json").unlink(missing_ok=True)


def tidy(
    settings: _upgrade_job.Settings, keep: Iterable[str], days: float, *, check: bool
) -> tuple[Report, list[str]]:
    """Let go of restore points past their time, then of releases that nobody needs any more.

    Args:
        settings: of the node.
        keep: releases that stay.
        days: that restore points are kept.
        check: whether nothing is done.

    """
    report = Report()
    for slug in old_points(settings, days, time.time()):
        report.change(slug, f"its restore point is older than {days:g} days: removed")
        if not check:
            shutil.rmtree(f"{settings.layout(slug).upgrade}/{_upgrade_job.POINT}")
            Path(settings.work, slug, _upgrade_point.UNDONE).unlink(missing_ok=True)
    releases = settings.node.releases
    if not os.path.isdir(releases):
        return report, []
    if not check:
        sweep(releases)
    unused = sorted(set(built(releases)) - releases_needed(settings) - set(keep))
    for release in unused:
        report.node_change(f"release {release} removed: no space runs it or can go back to it")
        if not check:
            remove_release(releases, settings.node.seed_images, release)
    return report, unused
