# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is wrong with office suites, their servers, and the shards of placed spaces. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._placeholders import (
    find_unknown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import SHARD

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._offices import Offices
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Lock

# Key, and a sentence.
Found = t.Iterator[tuple[str, str]]

SHARD_KEYS = ("name", "suite", "port", "connections")
# What the host name of a suite may be made of, and what a connector's settings may.
HOST_WORDS = ("shard", "slug", "domain")
WORDS = ("url", "host", "secret", "addresses", "space_url", "space_host", "slug")


def check(
    declared: Unchecked,
    suites: Unchecked,
    offered: t.Sequence[str],
    addresses: Unchecked,
) -> Found:
    """Everything that is wrong with the office servers: the key, and a sentence."""
    names: dict[str, str] = {}
    served = set()
    for node, shards in declared.items():
        where = f"archipel_office_shards of {node}"
        if not isinstance(shards, list):
            yield where, f"found {quoted(shards)}; allowed: a list of {{name, suite, port}}"
            continue
        for shard in shards:
            if problem := _wrong_shard(shard, suites):
                yield where, problem
                continue
            served.add(shard["suite"])
            if other := names.get(shard["name"]):
                yield where, f"the name {shard['name']} is on {other} already; give each its own"
            names[shard["name"]] = node
    if any(declared.values()):
        yield from _check_offered(served, offered)
        yield from _check_addresses(addresses)


def _wrong_shard(shard: t.Any, suites: Unchecked) -> str | None:
    """What is wrong with one shard."""
    allowed = f"allowed: {', '.join(SHARD_KEYS)}, of which name and suite are needed"
    if not isinstance(shard, dict) or not {"name", "suite"} <= set(shard) <= set(SHARD_KEYS):
        return f"found {quoted(shard)}; {allowed}"
    if not isinstance(shard["name"], str) or not SHARD.fullmatch(shard["name"]):
        text = "2 to 20 lower-case letters, digits and hyphens, a letter first and no hyphen last"
        return f"found the name {quoted(shard['name'])}; allowed: {text}"
    if shard["suite"] not in suites:
        hint = did_you_mean(str(shard["suite"]), suites)
        known = f"allowed, from archipel_office_suites: {', '.join(suites)}"
        return f"{shard['name']} is of an unknown suite {quoted(shard['suite'])}; {known}.{hint}"
    if not {"role", "host"} <= set(suites[shard["suite"]]):
        text = "has no role and host in archipel_office_suites: it cannot be served"
        return f"{shard['name']}: the suite {shard['suite']} {text}"
    for key in ("port", "connections"):
        if key in shard and not is_number(shard[key], 65535):
            text = f"found the {key} {quoted(shard[key])} of {shard['name']}"
            return f"{text}; allowed: a whole number from 1 to 65535"
    return None


def _check_offered(served: t.Container[str], offered: t.Iterable[str]) -> Found:
    for suite in offered:
        if suite not in served:
            text = f"{suite} has no server: no node of the group office has a shard of it"
            remedy = "add one to archipel_office_shards of a node, or take the suite out here"
            yield "archipel_offices", f"{text}; {remedy}"


def _check_addresses(addresses: Unchecked) -> Found:
    """The allow-lists of both sides are made of them."""
    allowed = "allowed: a list of IP addresses, as other nodes see this one"
    for node in (node for node, value in addresses.items() if not value):
        text = f"missing for {node}, whose ansible_host is a name"
        yield "archipel_addresses", f"{text}; {allowed}"


def check_lock(lock: Lock, slugs: t.Iterable[str], offices: Offices) -> Found:
    """Spaces whose shard is gone: the slug, and a sentence."""
    known: dict[str, set[str]] = {}
    for one in offices.servers:
        known.setdefault(one.suite, set()).add(one.name)
    for slug in slugs:
        place = lock.spaces.get(slug)
        for suite, name in place.office.items() if place else ():
            if suite in offices.suites and name not in known.get(suite, ()):
                there = ", ".join(sorted(known.get(suite, ()))) or "none"
                text = f'the {suite} server "{name}" is gone: the inventory has {there}'
                remedy = (
                    f"bring it back into archipel_office_shards of a node, or take "
                    f'"{suite}: {name}" out of this line: the space is then given another'
                )
                yield slug, f"{text}; {remedy}"


def is_number(value: object, largest: int | None = None) -> bool:
    """Return whether something is a whole number from 1, also of the type that Ansible reads."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        return False
    return largest is None or value <= largest


def check_suite(suite: str, details: Unchecked) -> list[str]:
    """What is wrong with the part of a suite that office servers are made of."""
    problems = []
    host, number = details.get("host"), details.get("connections", 1)
    if host is not None and (not isinstance(host, str) or "{shard}" not in host):
        problems.append(f"host: found {quoted(host)}; allowed: a text with {{shard}} in it")
    if not is_number(number):
        problems.append(f"connections: found {quoted(number)}; allowed: a whole number from 1")
    if not isinstance(details.get("role", ""), str):
        problems.append(f"role: found {quoted(details['role'])}; allowed: a role's full name")
    for key, known in (("settings", WORDS), ("config", WORDS), ("open", (*WORDS, "now"))):
        value = details.get(key, {})
        if not isinstance(value, t.Mapping):
            problems.append(f"{key}: found {quoted(value)}; allowed: key -> value")
        problems += [_unknown(key, word, known) for word in find_unknown(value, known)]
    problems += [_unknown("host", word, HOST_WORDS) for word in find_unknown(host, HOST_WORDS)]
    if details.get("open", {}) and set(details["open"]) not in ({"query"}, {"url", "key"}):
        allowed = "allowed: either query, or url and key"
        problems.append(f"open: found {quoted(details['open'])}; {allowed}")
    return problems


def _unknown(key: str, word: str, known: t.Sequence[str]) -> str:
    allowed = ", ".join(f"{{{one}}}" for one in known)
    return f"{key}: found {{{word}}}, which nothing fills in; allowed: {allowed}"
