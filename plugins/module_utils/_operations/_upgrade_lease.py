# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Who upgrades the spaces of a node: one operator at a time.

Between two batches of a run a lease keeps a second operator out; whoever holds it is named.
"""

from __future__ import annotations

import os
import time
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _installation

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

LOCK = "upgrade"
LEASE = "/run/archipel/upgrade-run.json"
# Seconds after which a run that gave no sign of life is taken for dead.
LEASE_SECONDS = 30
# Seconds to wait for an ordinary run that applies settings to spaces.
PATIENCE = 600


def holder(lease: Json, run: str, now: float) -> str:
    """Return why another run has the node; empty if none has. Pure."""
    # A clock that was set back must not hold the node until it has caught up.
    left = LEASE_SECONDS - abs(now - float(lease.get("at", 0)))
    if not lease or lease.get("run") == run or left <= 0:
        return ""
    return (
        f"{words(lease)}. Wait for the end of that run; if it is dead, this node is free again "
        f"in {left:.0f} seconds, and the same command goes on where it was"
    )


def words(lease: Json) -> str:
    """Return who is at work. Pure."""
    if not lease:
        return "somebody is upgrading the spaces of this node"
    return (
        f"{lease['by']} is upgrading the spaces of this node to {lease['release']} since "
        f"{lease['since']}"
    )


@contextmanager
def leased(run: Json, path: str = LEASE) -> Iterator[None]:
    """Have the node for one batch, and keep it until the next.

    Raises:
        JournalError: another run has it.

    """
    with ExitStack() as locks:
        try:
            locks.enter_context(_journal.exclusive(LOCK))
        except _journal.JournalError as error:
            raise _journal.JournalError(f"{words(_journal.read_json(path))}: {error}") from error
        if reason := holder(_journal.read_json(path), run["run"], time.time()):
            raise _journal.JournalError(reason)
        _journal.save(path, {**run, "at": time.time()})
        # An ordinary run must not apply settings to a space meanwhile; one that does has begun
        # between two batches.
        locks.enter_context(_journal.exclusive(_installation.LOCK, patience=PATIENCE))
        yield
        _journal.save(path, {**run, "at": time.time()})


def make_sure_nobody_else_runs(run: str, path: str = LEASE) -> None:
    """Ask before anything is planned: another node may have done its part of a run already.

    Raises:
        JournalError: another run has this node.

    """
    if reason := holder(_journal.read_json(path), run, time.time()):
        raise _journal.JournalError(reason)
    try:
        with _journal.exclusive(LOCK):
            return
    except _journal.JournalError as error:
        raise _journal.JournalError(f"{words(_journal.read_json(path))}: {error}") from error


def release_lease(run: str, path: str = LEASE) -> None:
    """Let others have the node."""
    if _journal.read_json(path).get("run") == run:
        os.unlink(path)
