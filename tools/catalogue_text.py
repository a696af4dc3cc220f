# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Write a proposal into the text of the catalogue: what it does not concern stays to the letter."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Entry = dict[str, Any]

# Keys of a release start here, those of its parts two further in.
RELEASE_KEY, PART_KEY = re.compile(r"  \S"), re.compile(r"    (\w+):")


class CatalogueError(Exception):
    """No proposal can be made; the message says why."""


@dataclass(frozen=True)
class Proposal:
    """What one release could be made of."""

    applications: dict[str, Entry]
    without: list[str]
    # Why an application is not among them.
    reasons: dict[str, str]
    # Of Nextcloud, and where its archive is, if it is another than now.
    version: str = ""
    archive: Entry = field(default_factory=dict)


def parts(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Split the lines of a release into its keys; a comment belongs to the key below it."""
    found: list[tuple[str, list[str]]] = []
    waiting: list[str] = []
    for line in lines:
        match = PART_KEY.match(line)
        if match:
            found.append((match.group(1), [*waiting, line]))
            waiting = []
        elif line.strip().startswith("#") or not line.strip():
            waiting.append(line)
        else:
            found[-1][1].extend([*waiting, line])
            waiting = []
    return [*found, ("", waiting)]


def block_of(lines: Sequence[str], release: str) -> tuple[int, int]:
    """Return where a release begins and ends in the catalogue's file."""
    heads = (f'  "{release}":', f"  '{release}':", f"  {release}:")
    for start, line in enumerate(lines):
        if line.rstrip() in heads:
            end = start + 1
            while end < len(lines) and not (
                RELEASE_KEY.match(lines[end]) or lines[end][:1].strip()
            ):
                end += 1
            while not lines[end - 1].strip():
                end -= 1
            return start, end
    raise CatalogueError(f"the catalogue has no release {release!r} written as a block")


def written(proposal: Proposal) -> dict[str, list[str]]:
    """Return the two parts of a release that change, as lines of YAML."""
    applications = ["    applications: {}\n"]
    if proposal.applications:
        applications = ["    applications:\n"]
    for name, entry in sorted(proposal.applications.items()):
        applications.append(f"      {name}:\n")
        applications += [
            f"        {key}: {json.dumps(value) if key != 'url' else value}\n"
            for key, value in entry.items()
        ]
    without = [f"      - {name}\n" for name in proposal.without]
    server = {}
    if proposal.archive:
        url, digest = proposal.archive["url"], json.dumps(proposal.archive["sha256"])
        archive = ["    archive:\n", f"      url: {url}\n", f"      sha256: {digest}\n"]
        server = {
            "version": [f"    version: {json.dumps(proposal.version)}\n"],
            "archive": archive,
        }
    return server | {
        "applications": applications,
        "without": ["    without:\n", *without] if without else [],
    }


def edited(text: str, release: str, new: str, proposal: Proposal) -> str:
    """Return the catalogue's file with the proposal in it, everything else as it was."""
    lines = text.splitlines(keepends=True)
    start, end = block_of(lines, release)
    changed, made = written(proposal), []
    for key, some in parts(lines[start + 1 : end]):
        comments = [line for line in some if line.strip().startswith("#")]
        if key in changed:
            made += [*comments, *changed[key]] if changed[key] else []
        else:
            made += some
    block = [f'  "{new}":\n', *made]
    if new != release:
        return "".join([*lines[:end], *block, *lines[end:]])
    return "".join([*lines[:start], *block, *lines[end:]])
