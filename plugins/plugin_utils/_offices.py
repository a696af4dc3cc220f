# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Office suites as data: their servers, who uses which, and what a space's connector is told. Pure.

A suite is an entry of archipel_office_suites and a role. Nothing here knows one by name.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils._placement import SHARD, Shard
from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._secrets import derive

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._entries import Entry
    from ansible_collections.archipel.spaces.plugins.plugin_utils._placement import Lock
    from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import Policy

Suite = t.Mapping[str, t.Any]
Found = t.Iterator[tuple[str, str]]

SHARD_KEYS = ("name", "suite", "port", "connections")
# What the host name of a suite may be made of, and what a connector's settings may.
HOST_WORDS = ("shard", "slug", "domain")
WORDS = ("url", "host", "secret", "addresses", "space_url", "space_host", "slug")
_WORD = re.compile(r"\{([a-z_]+)\}")
SECRET_LENGTH = 32
# Spaces whose people may edit, now or as soon as a run ends.
SERVED = frozenset({"approved", "suspended"})


@dataclass(frozen=True, slots=True)
class Server:
    """One shard: where it runs, and how it is reached."""

    name: str
    suite: str
    node: str
    port: int | None = None
    # People who may edit at the same time, where the suite limits them.
    connections: int | None = None


@dataclass(frozen=True, slots=True)
class Offices:
    """The office servers of an environment; none: connectors are switched, and lead nowhere."""

    servers: tuple[Server, ...] = ()
    suites: t.Mapping[str, Suite] = field(default_factory=dict)
    # Machine -> the addresses other machines see it come from.
    addresses: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    # Slug -> how often its secrets for office servers were changed.
    rotations: t.Mapping[str, int] = field(default_factory=dict)

    def shards(self, offered: t.Container[str]) -> list[Shard]:
        """Those that spaces are placed on."""
        return [Shard(one.name, one.suite) for one in self.servers if one.suite in offered]

    def host(self, server: Server, slug: str, policy: Policy) -> str:
        """The name under which a shard answers a space: its own, or one for each space."""
        values = {"shard": server.name, "slug": slug, "domain": policy.base_domain}
        return str(filled(self.suites[server.suite]["host"], values))

    def serving(self, slug: str, office: t.Mapping[str, str], policy: Policy) -> Entry:
        """For each suite offered, where this space finds it; what the lock names is used."""
        found: Entry = {}
        for server in self.servers:
            if server.suite in policy.offices and office.get(server.suite) == server.name:
                host = self.host(server, slug, policy)
                found[server.suite] = {
                    "shard": server.name,
                    "host": host,
                    "url": f"https://{host}{policy.port_suffix}",
                    "addresses": list(self.addresses.get(server.node, ())),
                    "rotation": self.rotations.get(slug, 0),
                }
        return found


# --- what an inventory says ------------------------------------------------------------


def servers(declared: t.Mapping[str, t.Any], suites: t.Mapping[str, Suite]) -> list[Server]:
    """The servers of machine -> archipel_office_shards, once check() found nothing wrong."""
    return [
        Server(one["name"], one["suite"], node, one.get("port"), _connections(one, suites))
        for node, shards in declared.items()
        for one in shards
    ]


def _connections(shard: t.Mapping[str, t.Any], suites: t.Mapping[str, Suite]) -> int | None:
    return shard.get("connections") or suites[shard["suite"]].get("connections")


def check(
    declared: t.Mapping[str, t.Any],
    suites: t.Mapping[str, Suite],
    offered: t.Sequence[str],
    addresses: t.Mapping[str, t.Any],
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


def _wrong_shard(shard: t.Any, suites: t.Mapping[str, Suite]) -> str | None:
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
            text = f"{suite} has no server: no machine of the group office has a shard of it"
            remedy = "add one to archipel_office_shards of a machine, or take the suite out here"
            yield "archipel_offices", f"{text}; {remedy}"


def _check_addresses(addresses: t.Mapping[str, t.Any]) -> Found:
    """The allow-lists of both sides are made of them."""
    allowed = "allowed: a list of IP addresses, as other machines see this one"
    for node, value in addresses.items():
        if not value:
            text = f"missing for {node}, whose ansible_host is a name"
            yield "archipel_addresses", f"{text}; {allowed}"
        elif not isinstance(value, list) or not all(map(_is_address, value)):
            yield "archipel_addresses", f"found {quoted(value)} for {node}; {allowed}"


def _is_address(value: object) -> bool:
    try:
        ipaddress.ip_address(value)  # type: ignore[arg-type]
    except ValueError:
        return False
    return isinstance(value, str)


def is_literal(value: object) -> bool:
    """Whether ansible_host is an address already."""
    return _is_address(value)


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
                    f"bring it back into archipel_office_shards of a machine, or take "
                    f'"{suite}: {name}" out of this line: the space is then given another'
                )
                yield slug, f"{text}; {remedy}"


def is_number(value: object, largest: int | None = None) -> bool:
    """Tell whether something is a whole number from 1, also of the type that Ansible reads."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        return False
    return largest is None or value <= largest


def check_suite(suite: str, details: Suite) -> list[str]:
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
        problems += [_unknown(key, word, known) for word in unknown_words(value, known)]
    problems += [_unknown("host", word, HOST_WORDS) for word in unknown_words(host, HOST_WORDS)]
    if details.get("open", {}) and set(details["open"]) not in ({"query"}, {"url", "key"}):
        allowed = "allowed: either query, or url and key"
        problems.append(f"open: found {quoted(details['open'])}; {allowed}")
    return problems


def _unknown(key: str, word: str, known: t.Sequence[str]) -> str:
    allowed = ", ".join(f"{{{one}}}" for one in known)
    return f"{key}: found {{{word}}}, which nothing fills in; allowed: {allowed}"


# --- what machines and spaces are told --------------------------------------------------


def of_node(node: str, offices: Offices, policy: Policy) -> list[Entry]:
    """The shards of one machine, complete: archipel_office_servers."""
    found = []
    for one in offices.servers:
        if one.node == node:
            # A name for each space is a wildcard in the certificate.
            domain = offices.host(one, "*", policy)
            found.append(
                {
                    "name": one.name,
                    "suite": one.suite,
                    "port": one.port,
                    "connections": one.connections,
                    "host": domain.removeprefix("*."),
                    "domain": domain,
                }
            )
    return found


def spaces_of_node(node: str, entries: t.Iterable[Entry], offices: Offices) -> list[Entry]:
    """What a machine's office servers must know of spaces: archipel_office_spaces."""
    nodes = {one.name: one.node for one in offices.servers}
    return [
        {
            "slug": entry["slug"],
            "hosts": list(entry["domains"]),
            "suite": suite,
            "shard": server["shard"],
            "host": server["host"],
            "rotation": server["rotation"],
        }
        for entry in entries
        if entry["status"] in SERVED
        for suite, server in entry["office_servers"].items()
        if nodes[server["shard"]] == node
    ]


def report(entries: t.Iterable[Entry], offices: Offices) -> list[Entry]:
    """Each shard with its load: spaces that may use it, and people who may edit at once."""
    spaces = Counter(
        server["shard"]
        for entry in entries
        if entry["status"] in SERVED
        for server in entry["office_servers"].values()
    )
    return [
        {
            "name": one.name,
            "suite": one.suite,
            "node": one.node,
            "spaces": spaces[one.name],
            "connections": one.connections,
        }
        for one in offices.servers
    ]


def secret(master_key: str, suite: str, slug: str, rotation: int) -> str:
    """What a space and its office server share: purpose is the suite."""
    return derive(master_key, suite, slug, rotation, length=SECRET_LENGTH)


def tenants(spaces: t.Iterable[Entry], suite: str, master_key: str) -> list[Entry]:
    """The spaces of one suite with their secrets, for its role."""
    return [
        {
            "slug": one["slug"],
            "host": one["host"],
            "shard": one["shard"],
            "secret": secret(master_key, suite, one["slug"], one["rotation"]),
        }
        for one in spaces
        if one["suite"] == suite
    ]


def wiring(
    space: t.Mapping[str, t.Any], suites: t.Mapping[str, Suite], master_key: str
) -> tuple[Entry, Entry]:
    """What the connectors of a space are told: keys of config.php, and settings of applications.

    All suites offered, not only the one in use: a switch then changes nothing but which is on.
    """
    config: Entry = {}
    settings: Entry = {}
    for suite, server in space.get("office_servers", {}).items():
        details, values = suites[suite], values_for(space, suite, server, master_key)
        config |= filled(details.get("config", {}), values)
        if told := filled(details.get("settings", {}), values):
            settings[details["application"]] = told
    return config, settings


def told(space: t.Mapping[str, t.Any], suite: str, details: Suite) -> Entry:
    """What the application archipel in a space knows of a suite."""
    server = space.get("office_servers", {}).get(suite)
    known = {
        "name": details["name"],
        "application": details["application"],
        "served": bool(server),
    }
    if not server or not details.get("open"):
        return known
    # No secret is asked for here: this is kept where the space's own code reads it.
    words = values_for(space, suite, server, "") | {"now": "{now}"}
    return {**known, "open": filled(details["open"], words)}


def values_for(
    space: t.Mapping[str, t.Any], suite: str, server: Entry, master_key: str
) -> dict[str, str]:
    """The words that settings of a connector may hold, for one space."""
    return {
        "url": server["url"],
        "host": server["host"],
        "secret": master_key and secret(master_key, suite, space["slug"], server["rotation"]),
        "addresses": ",".join(server["addresses"]),
        "space_url": space["url"],
        "space_host": space["domains"][0],
        "slug": space["slug"],
    }


def filled(value: t.Any, words: t.Mapping[str, str]) -> t.Any:
    """A value of the catalogue with its words filled in; what was put in is not read again."""
    if isinstance(value, str):
        return _WORD.sub(lambda match: words[match[1]], value)
    if isinstance(value, t.Mapping):
        return {str(key): filled(one, words) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, words) for one in value]
    return value


def unknown_words(value: t.Any, allowed: t.Container[str]) -> list[str]:
    """The words of a value that nobody fills in."""
    if isinstance(value, str):
        return [word for word in _WORD.findall(value) if word not in allowed]
    if isinstance(value, t.Mapping):
        return [word for one in value.values() for word in unknown_words(one, allowed)]
    if isinstance(value, list):
        return [word for one in value for word in unknown_words(one, allowed)]
    return []
