# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is wrong with office suites, their servers, and the shards of placed spaces. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
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
        where = _("archipel_office_shards of {node}", node=node)
        if not isinstance(shards, list):
            yield where, _found(shards, _("a list of {name, suite, port}"))
            continue
        for shard in shards:
            if problem := _wrong_shard(shard, suites):
                yield where, problem
                continue
            served.add(shard["suite"])
            if other := names.get(shard["name"]):
                text = _(
                    "the name {name} is on {node} already; give each its own",
                    name=shard["name"],
                    node=other,
                )
                yield where, text
            names[shard["name"]] = node
    if any(declared.values()):
        yield from _check_offered(served, offered)
        yield from _check_addresses(addresses)


def _wrong_shard(shard: t.Any, suites: Unchecked) -> str | None:
    """What is wrong with one shard."""
    if not isinstance(shard, dict) or not {"name", "suite"} <= set(shard) <= set(SHARD_KEYS):
        return _found(
            shard, _("{keys}, of which name and suite are needed", keys=", ".join(SHARD_KEYS))
        )
    name, suite = shard["name"], shard["suite"]
    if not isinstance(name, str) or not SHARD.fullmatch(name):
        return _(
            "found the name {found}; allowed: 2 to 20 lower-case letters, digits and hyphens, a "
            "letter first and no hyphen last",
            found=quoted(name),
        )
    if suite not in suites:
        return _(
            "{name} is of an unknown suite {found}; allowed, from archipel_office_suites: "
            "{suites}.{hint}",
            name=name,
            found=quoted(suite),
            suites=", ".join(suites),
            hint=did_you_mean(str(suite), suites),
        )
    if not {"role", "host"} <= set(suites[suite]):
        return _(
            "{name}: the suite {suite} has no role and host in archipel_office_suites: it cannot "
            "be served",
            name=name,
            suite=suite,
        )
    for key in ("port", "connections"):
        if key in shard and not is_number(shard[key], 65535):
            return _(
                "found the {key} {found} of {name}; allowed: a whole number from 1 to 65535",
                key=key,
                found=quoted(shard[key]),
                name=name,
            )
    return None


def _check_offered(served: t.Container[str], offered: t.Iterable[str]) -> Found:
    for suite in offered:
        if suite not in served:
            text = _(
                "{suite} has no server: no node of the group office has a shard of it; add one to "
                "archipel_office_shards of a node, or take the suite out here",
                suite=suite,
            )
            yield "archipel_offices", text


def _check_addresses(addresses: Unchecked) -> Found:
    """The allow-lists of both sides are made of them."""
    for node in (node for node, value in addresses.items() if not value):
        text = _(
            "missing for {node}, whose ansible_host is a name; allowed: a list of IP addresses, as "
            "other nodes see this one",
            node=node,
        )
        yield "archipel_addresses", text


def check_lock(lock: Lock, slugs: t.Iterable[str], offices: Offices) -> Found:
    """Spaces whose shard is gone: the slug, and a sentence."""
    known: dict[str, set[str]] = {}
    for one in offices.servers:
        known.setdefault(one.suite, set()).add(one.name)
    for slug in slugs:
        place = lock.spaces.get(slug)
        for suite, name in place.office.items() if place else ():
            if suite in offices.suites and name not in known.get(suite, ()):
                text = _(
                    'the {suite} server "{name}" is gone: the inventory has {there}; bring it back '
                    'into archipel_office_shards of a node, or take "{suite}: {name}" out of this '
                    "line: the space is then given another",
                    suite=suite,
                    name=name,
                    there=", ".join(sorted(known.get(suite, ()))) or _("none"),
                )
                yield slug, text


def _found(value: object, allowed: str) -> str:
    return _("found {found}; allowed: {allowed}", found=quoted(value), allowed=allowed)


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
        problems.append(f"host: {_found(host, _('a text with {shard} in it'))}")
    if not is_number(number):
        problems.append(f"connections: {_found(number, _('a whole number from 1'))}")
    if not isinstance(details.get("role", ""), str):
        fault = _found(details["role"], _("a role's full name"))
        problems.append(f"role: {fault}")
    for key, known in (("settings", WORDS), ("config", WORDS), ("open", (*WORDS, "now"))):
        value = details.get(key, {})
        if not isinstance(value, t.Mapping):
            problems.append(f"{key}: {_found(value, _('key -> value'))}")
        problems += [_unknown(key, word, known) for word in find_unknown(value, known)]
    problems += [_unknown("host", word, HOST_WORDS) for word in find_unknown(host, HOST_WORDS)]
    if details.get("open", {}) and set(details["open"]) not in ({"query"}, {"url", "key"}):
        problems.append(f"open: {_found(details['open'], _('either query, or url and key'))}")
    return problems


def _unknown(key: str, word: str, known: t.Sequence[str]) -> str:
    return _(
        "{key}: found {word}, which nothing fills in; allowed: {allowed}",
        key=key,
        word=f"{{{word}}}",
        allowed=", ".join(f"{{{one}}}" for one in known),
    )
