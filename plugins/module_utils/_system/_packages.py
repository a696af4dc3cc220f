# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Packages of the distribution: which of those that a node shall have are not installed.

Installing them is left to ansible.builtin.apt, which takes a second to say that there is nothing
to do; dpkg says so in some thirtieth of one.
"""

from __future__ import annotations

import os
import subprocess
import typing as t

LISTS = "/var/lib/apt/lists"
FORMAT = "${binary:Package} ${db:Status-Abbrev}\n"


def list_missing(names: t.Sequence[str]) -> list[str]:
    """Return which packages are not installed, in the order of their names.

    A name that several packages provide, and none has, counts as missing: apt knows better.
    """
    if not names:
        return []
    # It says 1 where it does not know one of them, and goes on with the others.
    done = subprocess.run(
        ["dpkg-query", "--show", f"--showformat={FORMAT}", "--", *names],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    installed = parse_installed(done.stdout)
    return sorted(name for name in set(names) if name not in installed)


def parse_installed(text: str) -> set[str]:
    """Return the names of installed packages, with and without architecture. Pure.

    The second letter is the state; a third says that something is wrong with it.
    """
    names = set()
    for line in text.splitlines():
        name, _, state = line.partition(" ")
        if state[1:3].rstrip() == "i":
            names |= {name, name.partition(":")[0]}
    return names


def has_index() -> bool:
    """Tell whether the node knows any package that it could install."""
    try:
        return any("_Packages" in name for name in os.listdir(LISTS))
    except FileNotFoundError:
        return False
