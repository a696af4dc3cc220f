#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Take what spaces ask their operator for to where the operator fetches it.

A space leaves one file in its folder for temporary files, as for a job request. The space may put
anything there, and this runs as root: each folder on the way is opened without following a link,
the file must be a plain one, small and the space's own, and of what it says only known keys are
kept. Which space it was is the folder's name. Whoever asks too often waits: its file stays where it
is, and the next request has no place until it is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import stat
import sys
import time
import typing as t
from pathlib import Path

REQUEST = "change-wanted"
SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,25}")
NAME = re.compile(r"[0-9a-f]{32}\.json")
# Requests of each space in a day, and when they came.
COUNTS, DAY = ".counts", 24 * 3600
LARGEST = 16 * 1024
# Text → characters it may have; a number is one.
TEXTS = {"account": 200, "what": 20, "text": 2000}
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class RequestError(Exception):
    """What a space has left is no request."""


class Bounds(t.NamedTuple):
    """How many requests one space may make in a day, and how many may wait on the node."""

    daily: int
    most: int


def parse(data: bytes) -> dict[str, t.Any]:
    """Return what a space asks for: known keys of the right kind. Pure.

    Whether it makes sense is for the registry to say.

    Raises:
        RequestError: it is none.

    """
    try:
        values = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RequestError("is no JSON") from error
    if not isinstance(values, dict):
        raise RequestError("is no object")
    found: dict[str, t.Any] = {}
    for key, most in TEXTS.items():
        text = values.get(key, "")
        if not isinstance(text, str) or len(text) > most:
            raise RequestError(f"{key} is no text of at most {most} characters")
        if text:
            found[key] = text
    value = values.get("value")
    is_name = isinstance(value, str) and len(value) <= 253
    if is_name or (type(value) is int and 0 < value < 1 << 31):
        found["value"] = value
    elif value is not None:
        raise RequestError("value is neither a number nor a host name")
    if "account" not in found or "what" not in found:
        raise RequestError("account or what is missing")
    return found


def submission(
    slug: str, found: t.Mapping[str, t.Any], number: str, now: float
) -> dict[str, t.Any]:
    """Return it as the registry takes it in. Pure."""
    received = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    head = {"format": 1, "kind": "change", "id": number, "received": received, "via": "space"}
    return {**head, "space": slug, **found}


@contextlib.contextmanager
def opened(path: str, flags: int, folder: int | None = None) -> t.Iterator[int]:
    """Open something, and close it again."""
    descriptor = os.open(path, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read(tmp: int, owner: int) -> bytes:
    """Return what a space has left.

    Raises:
        RequestError: it is no plain file of its own, or too large.

    """
    try:
        with opened(REQUEST, FILE, tmp) as file:
            info = os.fstat(file)
            if not stat.S_ISREG(info.st_mode) or info.st_uid != owner:
                raise RequestError("is no plain file of the space")
            data = os.read(file, LARGEST + 1)
    except OSError as error:
        raise RequestError(f"cannot be read ({error.strerror})") from error
    if len(data) > LARGEST:
        raise RequestError(f"has more than {LARGEST} bytes")
    return data


def keep(spool: int, name: str, values: t.Mapping[str, t.Any]) -> None:
    """Write a file for good, under a name that nobody sees before it is whole."""
    temporary = f".{name}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o600, dir_fd=spool)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        json.dump(values, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, name, src_dir_fd=spool, dst_dir_fd=spool)
    os.fsync(spool)


def read_counts(spool: int, now: float) -> dict[str, list[float]]:
    """Return when each space asked within a day; what is damaged counts from now on."""
    try:
        with opened(COUNTS, FILE, spool) as file, os.fdopen(os.dup(file), encoding="utf-8") as text:
            known = json.load(text)
            return {
                slug: recent
                for slug, times in known.items()
                if (recent := [at for at in times if now - at < DAY])
            }
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}


def requesting(root: str) -> list[str]:
    """Return the spaces that left something, by name."""
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if SLUG.fullmatch(entry.name)]
    return sorted(name for name in names if os.path.lexists(f"{root}/{name}/tmp/{REQUEST}"))


def take(root: str, slug: str, spool: int, now: float) -> str:
    """Take one request; return what is wrong with it, or nothing.

    It goes in any case: one that is none would stand in its own way for ever.
    """
    with opened(f"{root}/{slug}", FOLDER) as home, opened("tmp", FOLDER, home) as tmp:
        # Its own folder for temporary files tells who the space is.
        owner = os.fstat(tmp).st_uid
        wrong = ""
        try:
            number = secrets.token_hex(16)
            values = submission(slug, parse(read(tmp, owner)), number, now)
            keep(spool, f"{number}.json", values)
        except RequestError as error:
            wrong = str(error)
        os.unlink(REQUEST, dir_fd=tmp)
    return wrong


def collect(root: str, folder: str, bounds: Bounds, now: float) -> list[str]:
    """Take what may be taken; return what happened, in sentences for the journal."""
    slugs = requesting(root)
    if not slugs:
        return []
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    said = []
    with opened(folder, FOLDER) as spool:
        counts = read_counts(spool, now)
        waiting = sum(bool(NAME.fullmatch(name)) for name in os.listdir(spool))  # noqa: PTH208
        for slug in slugs:
            if len(counts.get(slug, ())) >= bounds.daily or waiting >= bounds.most:
                continue
            try:
                wrong = take(root, slug, spool, now)
            except OSError as error:
                said.append(f"<4>{slug}: its request cannot be taken: {error.strerror}")
                continue
            waiting += not wrong
            counts.setdefault(slug, []).append(now)
            said.append(
                f"<4>{slug}: no request: {wrong}" if wrong else f"{slug} asks for something"
            )
        keep(spool, COUNTS, counts)
    return said


def main() -> None:
    """Look once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="folder of the spaces")
    parser.add_argument("--spool", required=True, help="folder that the operator fetches from")
    parser.add_argument("--daily", type=int, required=True, help="requests of a space in a day")
    parser.add_argument("--most", type=int, required=True, help="requests that may wait")
    options = parser.parse_args()
    bounds = Bounds(options.daily, options.most)
    for line in collect(options.root, options.spool, bounds, time.time()):
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
