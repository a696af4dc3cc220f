#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Bring the names that HAProxy routes by to what the file of names says, without a reload.

    edge-names /run/haproxy/admin.sock /etc/haproxy/archipel/names.map [--check]

HAProxy reads the file when it starts. What runs is compared with it, and exchanged as a whole, in
one transaction: a name is never missing in between. Prints what was changed, a line for each name.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import socket
import sys
import typing as t

# A command and what it carries have to fit into one of HAProxy's buffers, of 16 KiB by default.
BATCH_BYTES = 12_000
SECONDS = 30
# How it ends where HAProxy does not know the file.
UNKNOWN = 3
# "0x55d0c8a0 velo.example web1/velo-ecole/fr"
SHOWN = re.compile(r"0x[0-9a-f]+ (\S+) (\S+)")
VERSION = re.compile(r"New version created: ([0-9]+)")
NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
ENTRY = re.compile(r"[A-Za-z0-9_.:-]+(?:/[A-Za-z0-9_.:-]+)*")

Names = dict[str, str]
Ask = t.Callable[[str], str]


class NamesError(Exception):
    """What is wrong with the file, or what HAProxy answered."""


class UnknownMapError(NamesError):
    """HAProxy runs, and does not route by this file yet: it will from its next reload on."""


def parse(text: str, path: str) -> Names:
    """Return name → entry of a file of names.

    Raises:
        NamesError: a line is no name with its entry, or a name is there twice.

    """
    found: Names = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, entry = line.partition(" ")
        if not NAME.fullmatch(name) or not ENTRY.fullmatch(entry):
            allowed = "allowed: a host name, a space, and node/space/language"
            raise NamesError(f"{path}:{number}: found {line!r}; {allowed}")
        if found.setdefault(name, entry) != entry:
            raise NamesError(f"{path}:{number}: {name} is there twice, as {found[name]} before")
    return found


def connect(path: str) -> Ask:
    """Return a function that asks HAProxy one thing; each has a connection of its own."""

    def ask(command: str) -> str:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(SECONDS)
            one.connect(path)
            one.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: one.recv(65536), b"")).decode()

    return ask


def read(ask: Ask, path: str) -> Names:
    """Return the names that HAProxy routes by.

    Raises:
        UnknownMapError: it knows no such file.
        NamesError: it says something else.

    """
    found: Names = {}
    for line in ask(f"show map {path}").splitlines():
        if not line.strip():
            continue
        if line.startswith("Unknown map"):
            raise UnknownMapError(f"HAProxy does not route by {path} yet; reload it")
        shown = SHOWN.fullmatch(line)
        if not shown:
            raise NamesError(f"HAProxy, asked for its names in {path}, answers: {line}")
        found[shown[1]] = shown[2]
    return found


def plan(wanted: Names, found: Names) -> list[str]:
    """Return what differs, a sentence for each name. Pure."""
    lines = []
    for name in sorted(wanted.keys() | found.keys()):
        before, after = found.get(name), wanted.get(name)
        if before is None:
            lines.append(f"{name}: to {after}")
        elif after is None:
            lines.append(f"{name}: no longer, before to {before}")
        elif before != after:
            lines.append(f"{name}: to {after}, before to {before}")
    return lines


def batches(wanted: Names) -> t.Iterator[str]:
    """Yield the entries in parts that one command can carry. Pure."""
    part: list[str] = []
    size = 0
    for name, entry in sorted(wanted.items()):
        line = f"{name} {entry}"
        if part and size + len(line) + 1 > BATCH_BYTES:
            yield "\n".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield "\n".join(part)


def exchange(ask: Ask, path: str, wanted: Names) -> None:
    """Give HAProxy other names, all at once.

    Raises:
        NamesError: it refuses a part; it goes on with those it had.

    """
    answer = ask(f"prepare map {path}")
    created = VERSION.search(answer)
    if not created:
        raise NamesError(f"HAProxy, asked for a new version of {path}, answers: {answer.strip()}")
    version = f"@{created[1]}"
    for part in batches(wanted):
        if refused := ask(f"add map {version} {path} <<\n{part}\n").strip():
            # What was not committed is never used; it goes here, and not with the next transaction.
            ask(f"clear map {version} {path}")
            raise NamesError(f"HAProxy, given names for {path}, answers: {refused}")
    if refused := ask(f"commit map {version} {path}").strip():
        raise NamesError(f"HAProxy, asked to use the new names of {path}, answers: {refused}")


def converge(ask: Ask, path: str, text: str, *, write: bool) -> list[str]:
    """Bring HAProxy to what the file says; return what was, or would be, changed.

    Raises:
        NamesError: the file is wrong, or HAProxy does not do it.

    """
    wanted = parse(text, path)
    changes = plan(wanted, read(ask, path))
    if changes and write:
        exchange(ask, path, wanted)
        if left := plan(wanted, read(ask, path)):
            raise NamesError(f"HAProxy still differs after the exchange: {left[0]}")
    return changes


def main() -> int:
    """Read the file, ask HAProxy, and say what was changed."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("socket")
    parser.add_argument("names")
    parser.add_argument("--check", action="store_true", help="say it, and change nothing")
    given = parser.parse_args()
    try:
        text = pathlib.Path(given.names).read_text(encoding="utf-8")
        changes = converge(connect(given.socket), given.names, text, write=not given.check)
    except (OSError, UnicodeDecodeError, NamesError) as error:
        print(f"edge-names: {error}", file=sys.stderr)
        return UNKNOWN if isinstance(error, UnknownMapError) else 1
    print("\n".join(changes), end="\n" if changes else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
