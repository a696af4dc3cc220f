# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which space of a node answers for which names, whatever the registry of this run knows of them.

nginx refuses a name that two spaces claim, with all it was to read. Names are therefore claimed
over what is there: spaces that are in no file, on hold, left out by their errors, or outside of
what a run is narrowed to. Files change in two steps, names that somebody else gets first: between
any two of them each name has one owner at most.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _layout

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
        File,
        KnownNames,
        Names,
        OwnServer,
    )

COMMENT = re.compile(r"#[^\n]*")
ENTRY = re.compile(r"([^\s;]+)\s+[^;]*;")
NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
# Who keeps a name that several claim: who is left as he is, then who has it in the registry.
EXEMPT, REGISTERED, FORMER = range(3)

# Why somebody keeps a name, and what to do.
REASONS = {
    "unknown": "which is on this node and in no file of the registry. Take its file back from "
    "git, without that name if it shall move; or close and purge OWNER (docs/lifecycle.md). Then "
    "run again",
    "skipped": "whose file has errors: it is left as it is, with its names. Mend its file, without "
    "that name if it shall move, and run again",
    "hold": "which is on hold, and left as it is: take hold out of its file, and run again",
    "": "which has it in the registry: correct one of the two files, and run again",
}


@dataclass
class Plan:
    """What becomes of the names of a node."""

    # Space → why it cannot have what its file asks for.
    refused: dict[str, str] = field(default_factory=dict)
    # Files that give names up, then files as they shall be.
    first: list[File] = field(default_factory=list)
    then: list[File] = field(default_factory=list)
    # Name → who gives it up, of those that change hands.
    given: dict[str, str] = field(default_factory=dict)


def list_names(text: str) -> list[str]:
    """Return the names that a vhost answers for. Pure."""
    return [match[1].lower() for match in ENTRY.finditer(COMMENT.sub("", text))]


def remove_names(text: str, lost: t.Collection[str]) -> str:
    """Return a vhost without some of its names, as which it leads nobody to them any more. Pure.

    People would come to somebody else's space under the name that their own gave up.
    """
    for name in lost:
        text = re.sub(rf"(?i)>{re.escape(name)}(?=[ \t]*;)", "", text)
        text = re.sub(rf"(?im)^[ \t]*{re.escape(name)}[ \t]+[^;\n]*;[ \t]*\n?", "", text)
    return text


def read(directory: str) -> dict[str, str]:
    """Return slug → text of the vhosts that are there."""
    found = _files.list_names(directory, _layout.CONF)
    return {slug: _files.read_text(f"{directory}/{slug}{_layout.CONF}") for slug in sorted(found)}


def list_uncovered(there: t.Mapping[str, str], served: t.Iterable[str]) -> list[str]:
    """Return the names that spaces have and that the server does not answer for by itself. Pure.

    Args:
        there: slug → text, of all that is on the node.
        served: host names, `*.example.org` included.

    """
    plain = set(served)
    below = tuple(name[1:] for name in plain if name.startswith("*."))
    found = {name for text in there.values() for name in list_names(text) if NAME.fullmatch(name)}
    return sorted(name for name in found - plain if not name.endswith(below))


def choose_certificate(server: OwnServer) -> tuple[str, str]:
    """Return the first certificate that is there, and its key; the last if none is.

    One with a variable of nginx in its path is found with each handshake, and there.
    """
    there = [p for p in server["certificates"] if p[0].startswith("$") or os.path.exists(p[0])]
    first, key = (there or server["certificates"][-1:])[0]
    return first, key


def make_block(found: t.Sequence[str], server: OwnServer, pair: tuple[str, str]) -> str:
    """Return a server that answers for some names as the other does. Pure."""
    lines = [
        f"include {server['listen']};",
        f"server_name {' '.join(found)};",
        f"ssl_certificate {pair[0]};",
        f"ssl_certificate_key {pair[1]};",
        f"include {server['answers']};",
    ]
    return "server {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def plan_own_domains(names_: Names, found: t.Sequence[str]) -> File:
    """Return the file with the server of the spaces' own domains; without one if there are none."""
    server = names_["server"]
    text = make_block(found, server, choose_certificate(server)) if found else ""
    return {
        "space": names_["path"],
        "kind": "server names",
        "path": names_["path"],
        "content": f"{names_['header']}\n{text}",
        "uid": 0,
        "gid": 0,
        "mode": 0o644,
    }


def rank(owner: str, name: str, known: t.Mapping[str, KnownNames]) -> int:
    """Return how good a claim is; the least wins. Pure."""
    if owner not in known or known[owner]["exempt"]:
        return EXEMPT
    return REGISTERED if name in known[owner]["domains"] else FORMER


def explain(name: str, owner: str, known: t.Mapping[str, KnownNames]) -> str:
    """Return why a space cannot have a name, and what to do. Pure."""
    exempt = known[owner]["exempt"] if owner in known else "unknown"
    return f"{name} is answered by {owner}, {REASONS[exempt]}".replace("OWNER", owner)


def list_disputed(claims: t.Mapping[str, t.Iterable[str]]) -> dict[str, list[str]]:
    """Return name → the spaces that claim it, those with several only. Pure."""
    found: dict[str, set[str]] = {}
    for slug, wanted in claims.items():
        for name in wanted:
            found.setdefault(name, set()).add(slug)
    return {name: sorted(slugs) for name, slugs in sorted(found.items()) if len(slugs) > 1}


def settle(
    wanted: t.Mapping[str, str], there: t.Mapping[str, str], known: t.Mapping[str, KnownNames]
) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Return who is refused, and which names must be taken out of whose present file. Pure.

    Args:
        wanted: slug → text, of the spaces of this run.
        there: slug → text, of all that is on the node.
        known: slug → `domains`, and why it is `exempt` (left as it is);
            of all that the registry knows.

    """
    refused: dict[str, str] = {}
    lost: dict[str, set[str]] = {}
    while True:
        asked = {slug: text for slug, text in wanted.items() if slug not in refused}
        claims = {
            slug: set(list_names(text)) - lost.get(slug, set())
            for slug, text in {**there, **asked}.items()
        }
        disputed = list_disputed(claims)
        if not disputed:
            return refused, lost
        for name, slugs in disputed.items():
            winner = min(slugs, key=lambda slug: (rank(slug, name, known), slug))
            for slug in set(slugs) - {winner}:
                if slug in asked:
                    refused.setdefault(slug, explain(name, winner, known))
                else:
                    lost.setdefault(slug, set()).add(name)


def plan(
    files: t.Sequence[File], there: t.Mapping[str, str], known: t.Mapping[str, KnownNames]
) -> Plan:
    """Return how the vhosts of a run get their place. Pure."""
    by_slug = {item["space"]: item for item in files}
    refused, lost = settle({slug: item["content"] for slug, item in by_slug.items()}, there, known)
    result = Plan(refused)
    accepted = {slug: item for slug, item in by_slug.items() if slug not in refused}
    gained = {
        name: slug
        for slug, item in accepted.items()
        for name in set(list_names(item["content"])) - set(list_names(there.get(slug, "")))
    }
    for slug, text in there.items():
        gives = {n for n in list_names(text) if gained.get(n, slug) != slug} | lost.get(slug, set())
        if gives:
            result.first.append(plan_giving_up(slug, text, gives, by_slug, files))
            result.given |= dict.fromkeys(gives, slug)
    for item in list(result.first):
        final = accepted.get(item["space"])
        if final and not set(list_names(final["content"])) & result.given.keys():
            # It takes nothing from others: one step is enough.
            result.first[result.first.index(item)] = accepted.pop(item["space"])
    result.then = list(accepted.values())
    return result


def plan_giving_up(
    slug: str,
    text: str,
    gives: t.Collection[str],
    by_slug: t.Mapping[str, File],
    files: t.Sequence[File],
) -> File:
    """Return a vhost that is there, as a file without the names that others get. Pure."""
    like = by_slug.get(slug) or files[0]
    folder = like["path"].rpartition("/")[0]
    path = f"{folder}/{slug}{_layout.CONF}"
    return {**like, "space": slug, "path": path, "content": remove_names(text, gives)}


def explain_failures(plan_: Plan, failed: t.Collection[str]) -> dict[str, str]:
    """Return who cannot have a name since the file that has it could not be changed. Pure."""
    return {
        item["space"]: f"{name} could not be taken out of the vhost of {plan_.given[name]}"
        for item in plan_.then
        for name in list_names(item["content"])
        if plan_.given.get(name) in failed and plan_.given[name] != item["space"]
    }
