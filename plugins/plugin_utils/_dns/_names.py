# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The host names of an environment, and where each of them shall lead. Pure."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import quoted
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _locales,
    _names,
    _suffixes,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        ServerOfNode,
        Skipped,
        SpaceEntry,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

# Languages in which an association is written to.
LANGUAGES = ("en", "fr")
# Stands for any name, where a server has one for each space.
ANY = "any"


class ZoneError(ValueError):
    """Something of the environment is no basis for records."""


@dataclass(frozen=True, slots=True)
class Zone:
    """What holds for all records of an environment."""

    base_domain: str
    # Seconds.
    ttl: int
    # Certificate authorities, as CAA names them; none: nothing is said of them.
    authorities: tuple[str, ...]
    # Who is told of requests that CAA forbids; empty: nobody.
    contact: str
    # Of associations whose file says no language.
    locale: str
    # Node → its addresses, as the world sees them.
    addresses: Mapping[str, tuple[str, ...]]
    # Further host name → its node.
    services: Mapping[str, str]
    # Of the edges in front of all web nodes; none: names lead to the nodes themselves.
    edge: tuple[str, ...] = ()

    def find_addresses(self, node: str) -> tuple[str, ...]:
        """Return where what a web node answers to shall lead."""
        return self.edge or self.addresses[node]


@dataclass(frozen=True, slots=True)
class Name:
    """A host name that people or programs ask for."""

    name: str
    # platform: of a space, below the base domain; service: of an office server or of the form;
    # own: an association's.
    kind: t.Literal["platform", "service", "own"]
    # Empty for services.
    slug: str
    node: str
    addresses: tuple[str, ...]
    # The name below the base domain that an own domain shall lead to; empty for others.
    target: str = ""
    language: str = LANGUAGES[0]
    # Whether it is what its owner registered: no CNAME may stand there.
    apex: bool = False

    @property
    def wildcard(self) -> bool:
        """Whether its certificate is for `*.` and not for the name itself."""
        return self.kind == "platform" or self.name.startswith("*.")

    @property
    def certified(self) -> str:
        """The name whose CAA records count for its certificate."""
        return self.name.partition(".")[2] if self.wildcard else self.name


def read_zone(settings: Unchecked) -> Zone:
    """Return what holds for all records.

    Args:
        settings: base_domain, ttl, authorities, contact, locale, the addresses of each node and of
            the edge, and services.

    Raises:
        ZoneError: an address is none, or a node has none at all.

    """
    addresses, edge = settings["addresses"], settings.get("edge", [])
    for node, listed in {**addresses, **({"the edge": edge} if edge else {})}.items():
        wrong = [one for one in listed if not _names.is_address(one)]
        if wrong or not listed:
            found = quoted(wrong[0]) if wrong else "no address"
            raise ZoneError(
                f"archipel_public_addresses: found {found} for {node}; allowed: a list of the IP "
                "addresses under which the world reaches this node. Set it beside the node in "
                "nodes.yml, or give the node an address as ansible_host"
            )
    return Zone(
        base_domain=settings["base_domain"],
        ttl=settings["ttl"],
        authorities=tuple(settings["authorities"]),
        contact=settings["contact"],
        locale=settings["locale"],
        addresses={
            node: tuple(sorted(listed, key=_as_number)) for node, listed in addresses.items()
        },
        services=settings["services"],
        edge=tuple(sorted(edge, key=_as_number)),
    )


def _as_number(address: str) -> tuple[int, int]:
    found = ipaddress.ip_address(address)
    return found.version, int(found)


def list_spaces(
    spaces: Iterable[SpaceEntry], skipped: Iterable[Skipped], zone: Zone
) -> Iterator[Name]:
    """Yield the names of spaces, each space's own below the base domain first.

    Args:
        spaces: entries of all nodes.
        skipped: spaces whose file is wrong: they go on answering to their names.
        zone: what holds for all.

    """
    for space in spaces:
        yield from _list_space(space, _choose_language(space["locale"]), zone)
    for known in {one["slug"]: one for one in skipped}.values():
        yield from _list_space(known, _choose_language(zone.locale), zone)


def _list_space(space: SpaceEntry | Skipped, language: str, zone: Zone) -> Iterator[Name]:
    slug, node = space["slug"], space["web"]
    addresses = zone.find_addresses(node)
    target = f"{slug}.{zone.base_domain}"
    yield Name(target, "platform", slug, node, addresses)
    for name in sorted(set(space["domains"]) - {target}):
        apex = _suffixes.is_registered(name)
        yield Name(name, "own", slug, node, addresses, target, language, apex)


def list_services(servers: Mapping[str, Iterable[ServerOfNode]], zone: Zone) -> Iterator[Name]:
    """Yield the names of office servers, `*.` before what has one for each space, and of others."""
    for host, node in sorted(zone.services.items()):
        yield Name(host, "service", "", node, zone.find_addresses(node))
    for node, listed in sorted(servers.items()):
        for server in listed:
            yield Name(server["domain"], "service", "", node, zone.addresses[node])


def _choose_language(locale: str) -> str:
    language = _locales.find_language(locale).partition("_")[0]
    return language if language in LANGUAGES else LANGUAGES[0]
