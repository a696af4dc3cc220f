# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Journals of what is done to one space in several steps: upgrading, restoring, purging it.

A journal is written before its first step and says which step comes next. Whoever finds
one knows that a run was cut short, and where; the same verb goes on from there, and everybody
else leaves the space alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

FOLDER = _layout.Places.journals
LOCKS = _layout.Places.locks
# Keys of journals as they were called.
FORMER_WORDS = {"why": "reason", "told": "applied"}
FORMER_VERBS = {"putback": "return"}
# For tests alone: `verb:step` in this file kills the process that reaches the step.
KILL_AT = "/run/archipel/kill-at"

Journal = dict[str, t.Any]


class JournalError(Exception):
    """Somebody else is at work on the space, or nobody knows what was begun with it."""


def path_of(slug: str, folder: str = FOLDER) -> str:
    """Return where the journal of a space is."""
    return _layout.Layout(slug, _layout.Places(journals=folder)).journal


def read(slug: str, folder: str = FOLDER) -> Journal | None:
    """Return what is under way for a space, if anything is.

    Raises:
        JournalError: its journal cannot be understood.

    """
    path = path_of(slug, folder)
    try:
        with open(path, encoding="utf-8") as file:
            found = in_present_words(json.load(file), FORMER_WORDS)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise JournalError(damaged(path)) from error
    if not {"verb", "step"} <= set(found):
        raise JournalError(damaged(path))
    return {**found, "verb": FORMER_VERBS.get(found["verb"], found["verb"])}


def damaged(path: str) -> str:
    """Return what to do about a journal that cannot be understood. Pure."""
    return (
        f"{path} is damaged, so nobody knows what was begun with this space: look at it and at the "
        "space, bring it back with playbooks/restore.yml if need be, and remove that file"
    )


def exists(slug: str, folder: str = FOLDER) -> bool:
    """Tell whether anything is under way for a space."""
    return os.path.exists(path_of(slug, folder))


def write(slug: str, journal: Json, folder: str = FOLDER) -> None:
    """Write a journal for good: whole or not at all, also if the node loses power."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    save(path_of(slug, folder), journal)
    die_here(f"{journal['verb']}:{journal['step']}")


@dataclass
class Entry:
    """The journal of one space, as whoever works on it has it."""

    slug: str
    values: Journal

    def save(self, **changes: t.Any) -> None:
        """Write it for good; what could not be written is not believed either."""
        write(self.slug, {**self.values, **changes})
        self.values |= changes

    def remove(self) -> None:
        """Say that all is done."""
        remove(self.slug)


def save(path: str, value: Json) -> None:
    """Write JSON to a root-only file, and to the disk."""
    beside = f"{path}.new"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.rename(beside, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: str) -> Journal:
    """Return a file of JSON; nothing if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return {}


def in_present_words(found: Json, former: t.Mapping[str, str]) -> Journal:
    """Return what was written down with the words of before as it is called now. Pure.

    Args:
        found: what was written down.
        former: former key → present key.

    """
    return {former.get(key, key): value for key, value in found.items()}


def remove(slug: str, folder: str = FOLDER) -> None:
    """Say that all is done."""
    try:
        os.unlink(path_of(slug, folder))
    except FileNotFoundError:
        return


def die_here(place: str) -> None:
    """Be killed, without any chance to tidy up, where a test wants it."""
    try:
        with open(KILL_AT, encoding="ascii") as file:
            wanted = file.read().strip()
    except OSError:
        return
    if wanted == place:
        os.unlink(KILL_AT)
        os.kill(os.getpid(), signal.SIGKILL)


def under_way(slug: str, folder: str = FOLDER) -> str:
    """Return in words what was begun and not finished; empty if nothing was."""
    try:
        journal = read(slug, folder)
    except JournalError as error:
        # One space's own matter: whoever asks about many leaves that one alone.
        return str(error)
    if journal is None:
        return ""
    verb = journal["verb"]
    if verb == "upgrade" and journal.get("direction") == "undo":
        return (
            f"its rollback from {journal['to']} was interrupted at the step {journal['step']!r}: "
            f"playbooks/rollback.yml -e only={slug} finishes it"
        )
    if verb == "upgrade":
        return (
            f"its upgrade to {journal['to']} is under way or was interrupted at the step "
            f"{journal['step']!r}: playbooks/upgrade.yml -e release={journal['to']} "
            f"-e only={slug} finishes it"
        )
    special = {"move": describe_move, "clone": describe_clone, "fenced": after_loss}
    if "lost" in journal or verb in special:
        return special.get(verb, after_loss)(slug, journal)
    playbook = "purge" if verb == "purge" else "restore"
    # What is done to the state from before a restore is asked for by these words.
    previous = {"return": "restore", "discard": "discard"}.get(verb)
    options = f" -e previous={previous} -e confirm={slug}" if previous else ""
    undone = (
        f", or have the state from before again with -e previous=restore -e confirm={slug}"
        if verb == "restore"
        else ""
    )
    return (
        f"a {verb} of it was interrupted at the step {journal['step']!r}: finish it with "
        f"playbooks/{playbook}.yml -e only={slug}{options}{undone}"
    )


def after_loss(slug: str, journal: Json) -> str:
    """Return what a journal says of a space that a lost node had: here it comes, or was. Pure."""
    if journal["verb"] == "fenced":
        return (
            f"it lives on {journal['home']} since this node was lost; what is here is from before "
            "and must not run: docs/lifecycle.md says what may be done with it"
        )
    lost = journal["lost"]
    return (
        f"it is brought back from its backup since {lost} was lost, and that is not done: "
        f"playbooks/recover.yml -e lost={lost} -e confirm={lost} goes on, or playbooks/"
        f"restore.yml -e only={slug} -e confirm={slug} with it alone"
    )


def describe_clone(slug: str, journal: Json) -> str:
    """Return in words how far a copy of a space is. Pure."""
    source = journal["source"]
    return (
        f"it is being made as a copy of {source}, or was interrupted at the step "
        f"{journal['step']!r}: playbooks/clone.yml -e only={source} -e into={slug} goes on. If "
        "nobody wants it any more, close it, and playbooks/purge.yml removes it"
    )


def describe_move(slug: str, journal: Json) -> str:
    """Return in words how far a space is on its way to another node. Pure."""
    to = journal["to"]
    if journal["step"] == "kept":
        return (
            f"it has moved to {to}, and what it left here is kept: playbooks/move.yml "
            f"-e only={slug} -e kept=discard -e confirm={slug} removes it, "
            "kept=restore takes the space back"
        )
    return (
        f"its move to {to} is under way or was interrupted at the step {journal['step']!r}: "
        f"playbooks/move.yml -e only={slug} -e to={to} finishes it"
    )


@contextmanager
def exclusive(name: str, folder: str = LOCKS, *, patience: float = 0) -> t.Iterator[None]:
    """Keep everybody else from doing the same meanwhile.

    Args:
        name: of what is done.
        folder: of the locks.
        patience: seconds to wait for somebody who does it already.

    Raises:
        JournalError: somebody does.

    """
    os.makedirs(folder, exist_ok=True)
    path, waited = f"{folder}/{name}.lock", 0
    while True:
        with open(path, "w", encoding="ascii") as lock:
            if taken(lock):
                # A purge removes the lock with the space: who has waited holds what nobody sees.
                if is_at(lock, path):
                    yield
                    return
                continue
        if waited >= patience:
            raise JournalError(f"another run holds {path}: wait for its end, and run again")
        time.sleep(1)
        waited += 1


def taken(lock: t.IO[str]) -> bool:
    """Take a lock, if nobody has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(lock: t.IO[str], path: str) -> bool:
    """Tell whether an open file is the one that a path leads to."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


@contextmanager
def waiting(path: str) -> t.Iterator[None]:
    """Wait until nobody else does the same."""
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
