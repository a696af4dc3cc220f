# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""restic, asked and understood: what it says becomes what to do.

Debian 12 has restic 0.14, Debian 13 has 0.18. Newer ones have exit codes of their own for a
missing repository, a lock and a wrong password; older ones say it in words.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

SPACE_TAG = "space:"
# What people can do about it. The first whose words restic said is meant.
REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("wrong password or no key found",),
        "it was made with another key. Is archipel_master_key that of this environment?",
    ),
    (
        ("repository is already locked", "unable to create lock"),
        "somebody else works on it, or died while doing so on another node. See who: "
        "archipel-restic list locks. If nobody does: archipel-restic unlock --remove-all",
    ),
    (
        ("no space left on device", "disk quota exceeded", "quota exceeded", "storage is full"),
        "the repository's disk is full. Make room there, or keep less: backup_retention; then run "
        "the maintenance: systemctl start archipel-backup-maintain.service",
    ),
    (
        ("unable to open config file", "is there a repository at the following location",
         "repository does not exist"),
        "there is no repository. Is backup_repository right, and its disk mounted? If it is new: "
        "playbooks/platform.yml --tags backup makes it",
    ),
    (
        ("permission denied (publickey", "connection refused", "no such host",
         "connection timed out", "host key verification failed", "network is unreachable"),
        "the repository cannot be reached from this node",
    ),
)  # fmt: skip


# What a file may have done between being listed and being read.
VANISHED = ("no such file or directory", "file does not exist")


class ResticError(Exception):
    """restic failed; the text says why and what to do."""


@dataclass(frozen=True)
class Repository:
    """Where the backups are, and how restic gets in."""

    location: str
    password_file: str
    cache: str
    # Of the place where the repository is, for instance AWS_ACCESS_KEY_ID.
    environment: t.Mapping[str, str] = field(default_factory=dict)
    # Such as sftp.command=…
    options: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """Return a command line; nothing secret is in it."""
        options = [f"--option={option}" for option in self.options]
        return ["restic", "--quiet", *options, *arguments]

    def variables(self) -> dict[str, str]:
        """Return the process environment."""
        return {
            **os.environ,
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "RESTIC_REPOSITORY": self.location,
            "RESTIC_PASSWORD_FILE": self.password_file,
            "RESTIC_CACHE_DIR": self.cache,
            **self.environment,
        }


@dataclass(frozen=True)
class Snapshot:
    """One backup of one space."""

    id: str
    space: str
    at: datetime
    host: str
    # What was backed up, as it was called there and then.
    paths: tuple[str, ...] = ()
    # Bytes of its files; None where restic was too old to note it (before 0.17).
    size: int | None = None

    def path(self, ending: str, otherwise: str) -> str:
        """Return the path that ends so: another node, or this one earlier, may say another.

        One that restic itself would not have written, for it leads elsewhere, is not taken.
        """
        plain = (one for one in self.paths if one == os.path.normpath(one) and one[0] == "/")
        return next((one for one in plain if one.endswith(ending)), otherwise)


def explain(said: str, code: int) -> str:
    """Return what restic said, and what to do about it. Pure."""
    lines = [line for line in said.splitlines() if line.strip()]
    short = " ".join(lines[-4:])[-600:] or f"exit code {code}"
    lower = said.lower()
    for words, remedy in REMEDIES:
        if any(word in lower for word in words):
            return f"{short}: {remedy}"
    return short


def run(
    repository: Repository, *arguments: str, accept: tuple[int, ...] = (0,), folder: str = "/"
) -> tuple[int, str, str]:
    """Run restic; return its exit code and what it printed.

    Raises:
        ResticError: it failed.

    """
    try:
        done = subprocess.run(
            repository.command(*arguments),
            cwd=folder,
            env=repository.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ResticError("restic is not installed: run playbooks/platform.yml") from error
    if done.returncode not in accept:
        raise ResticError(f"restic {arguments[0]}: {explain(done.stderr, done.returncode)}")
    return done.returncode, done.stdout, done.stderr


def check_reachable(repository: Repository) -> None:
    """Make sure that the repository is there and opens, once, before any space is looked at.

    Raises:
        ResticError: it does not.

    """
    run(repository, "cat", "config", "--no-lock")


def make(repository: Repository) -> bool:
    """Make the repository if there is none; tell whether it was made.

    Raises:
        ResticError: there is one that does not open, or none can be made.

    """
    try:
        check_reachable(repository)
    except ResticError as error:
        if "there is no repository" not in str(error):
            raise
        run(repository, "init")
        return True
    return False


def unlock(repository: Repository) -> None:
    """Remove locks whose process is dead; those of the living stay."""
    run(repository, "unlock")


def moment(text: str) -> datetime:
    """Return a time as restic writes it: with nanoseconds, which Python does not read. Pure."""
    head, dot, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if dot else ""
    return datetime.fromisoformat((head + zone if dot else head).replace("Z", "+00:00"))


def parse_snapshots(text: str) -> list[Snapshot]:
    """Return the snapshots of spaces, oldest first. Pure."""
    found = []
    for row in json.loads(text) or []:
        slugs = [
            tag[len(SPACE_TAG) :] for tag in row.get("tags") or [] if tag.startswith(SPACE_TAG)
        ]
        if len(slugs) == 1:
            about = (row["id"], slugs[0], moment(row["time"]), row["hostname"])
            size = (row.get("summary") or {}).get("total_bytes_processed")
            found.append(Snapshot(*about, tuple(row.get("paths") or ()), size))
    return sorted(found, key=lambda one: one.at)


def snapshots(repository: Repository, *slugs: str) -> list[Snapshot]:
    """Return the snapshots of some spaces, or of all, oldest first.

    Raises:
        ResticError: the repository cannot be read.

    """
    tags = [f"--tag={SPACE_TAG}{slug}" for slug in slugs]
    return parse_snapshots(run(repository, "snapshots", "--json", "--no-lock", *tags)[1])


def choose(
    found: t.Sequence[Snapshot], slug: str, at: str, stale: t.Mapping[str, str] | None = None
) -> Snapshot:
    """Return the snapshot that is meant: `latest`, the beginning of an id, or a time. Pure.

    A time means the last backup up to it; a day means up to its end.

    Args:
        found: of any space.
        slug: whose.
        at: which one.
        stale: host → time since which its backups are of a copy from before: the space lives
            elsewhere since then. Only who names such a backup by its id means it.

    Raises:
        ResticError: there is none.

    """
    every = [one for one in found if one.space == slug]
    if not every:
        raise ResticError(f"there is no backup of {slug} in the repository")
    if by_id := [one for one in every if len(at) >= 6 and one.id.startswith(at)]:
        return by_id[-1]
    own = [one for one in every if not is_stale(one, stale or {})]
    if not own:
        hosts = ", ".join(sorted({one.host for one in every}))
        raise ResticError(
            f"there is no backup of {slug} in the repository but those that {hosts} made after it "
            "was lost: of a copy from before. If one of these is meant, name it by its id, -e at=…"
        )
    listed = ", ".join(f"{one.id[:8]} ({one.at:%Y-%m-%d %H:%M})" for one in own[-10:])
    if at in ("", "latest"):
        return own[-1]
    try:
        limit = datetime.fromisoformat(at if len(at) > 10 else f"{at}T23:59:59")
    except ValueError as error:
        raise ResticError(
            f"at={at}: allowed: latest, the first 6 characters or more of an id, or a time such as "
            f"2026-05-30 or 2026-05-30T14:00. There are: {listed}"
        ) from error
    limit = limit if limit.tzinfo else limit.astimezone()
    before = [one for one in own if one.at <= limit]
    if not before:
        raise ResticError(f"at={at}: no backup of {slug} is that old. There are: {listed}")
    return before[-1]


def is_stale(one: Snapshot, stale: t.Mapping[str, str]) -> bool:
    """Tell whether a backup is of the copy that a lost node had when it came back. Pure."""
    since = stale.get(one.host)
    return since is not None and one.at > datetime.fromisoformat(since)


def summary(text: str) -> JsonObject:
    """Return the last line of `restic backup --json` that sums it up. Pure."""
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return next((dict(row) for row in reversed(rows) if row.get("message_type") == "summary"), {})


def unread(said: str) -> str:
    """Return which files could not be read, leaving out those that are just gone. Pure.

    What restic says in words that are not known may mean any file.
    """
    complaints = [one for one in map(complaint, said.splitlines()) if one]
    if not complaints:
        return " ".join(said.split())[-300:] or "restic does not say which"
    lost = [one for one in complaints if not any(word in one.lower() for word in VANISHED)]
    return "; ".join(lost[:3])[:500]


def complaint(line: str) -> str:
    """Return what a line of restic's complains of; empty if of nothing. Pure."""
    try:
        row = json.loads(line)
    except ValueError:
        return line if line.startswith("error") else ""
    if not isinstance(row, dict) or "item" not in row:
        return ""
    return f"{row['item']}: {row.get('error', '')}"


@contextmanager
def streamed(repository: Repository, *arguments: str) -> t.Iterator[t.IO[bytes]]:
    """Run restic and give what it prints as a stream.

    Raises:
        ResticError: it failed.

    """
    # A file: complaints that nobody reads before the end would fill a pipe, and it would wait.
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            repository.command(*arguments),
            env=repository.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield process.stdout
            # What is left: a writer that nobody reads to the end would fail.
            while process.stdout.read(1 << 20):
                pass
        except BaseException:
            process.kill()
            raise
        process.wait()
        complaints.seek(0)
        said = complaints.read().decode("utf-8", "replace")
    if process.returncode != 0:
        raise ResticError(f"restic {arguments[0]}: {explain(said, process.returncode)}")
