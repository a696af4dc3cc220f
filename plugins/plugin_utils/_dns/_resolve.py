# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Asks resolvers for names, many at the same time."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import missing_package
from ansible_collections.archipel.spaces.plugins.plugin_utils._dns._caa import Property
from ansible_collections.archipel.spaces.plugins.plugin_utils._dns._compare import Answer
from ansible_collections.archipel.spaces.plugins.plugin_utils._dns._names import ANY
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._names import is_address

try:
    import dns.asyncresolver
    import dns.exception
    import dns.name
    import dns.resolver
except ImportError:
    raise missing_package("dnspython") from None

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    import dns.rdata

    from ansible_collections.archipel.spaces.plugins.plugin_utils._dns._names import Name

PORT = 53


class ResolverError(ValueError):
    """Nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is asked."""

    # For one question, its repetitions included.
    seconds: float
    # Questions at the same time, of each resolver.
    parallel: int


@dataclass(slots=True)
class _Asker:
    """One resolver, and what it said of CAA: domains have the names above them in common."""

    label: str
    resolver: dns.asyncresolver.Resolver
    slots: asyncio.Semaphore
    authorities: dict[str, asyncio.Task[tuple[Property, ...]]] = field(default_factory=dict)

    async def ask(self, name: str, kind: str) -> list[dns.rdata.Rdata]:
        """Return the records of a name; none if there is no such name."""
        async with self.slots:
            try:
                found = await self.resolver.resolve(
                    dns.name.from_text(name), kind, raise_on_no_answer=False, search=False
                )
            except dns.resolver.NXDOMAIN:
                return []
        return list(found.rrset or ())

    async def list_authorities(self, name: str) -> tuple[Property, ...]:
        """Return the CAA records of this very name, asked for once."""
        if name not in self.authorities:
            self.authorities[name] = asyncio.ensure_future(self._list_authorities(name))
        return await self.authorities[name]

    async def _list_authorities(self, name: str) -> tuple[Property, ...]:
        found: list[t.Any] = await self.ask(name, "CAA")
        return tuple(
            sorted(Property(one.flags, one.tag.decode(), one.value.decode()) for one in found)
        )

    async def find_authorities(self, name: str) -> tuple[str, tuple[Property, ...]]:
        """Return the nearest name with CAA records, and these: the name's own, or one above it."""
        labels = name.split(".")
        for number in range(len(labels)):
            above = ".".join(labels[number:])
            if found := await self.list_authorities(above):
                return above, found
        return "", ()

    async def answer(self, name: Name) -> Answer:
        """Return what this resolver says of a name."""
        asked = name.name.replace("*", ANY)
        try:
            found: list[t.Any] = [
                one for kind in ("A", "AAAA") for one in await self.ask(asked, kind)
            ]
            holder, caa = await self.find_authorities(name.certified)
        except dns.resolver.NoNameservers:
            return Answer(self.label, failure="SERVFAIL or refused")
        except dns.exception.Timeout:
            return Answer(self.label, failure="no answer in time")
        except dns.exception.DNSException as error:
            return Answer(self.label, failure=type(error).__name__)
        return Answer(self.label, tuple(sorted(one.address for one in found)), holder, caa)


def list_system() -> list[str]:
    """Return the resolvers that this machine uses.

    Raises:
        ResolverError: it names none.

    """
    try:
        return [str(one) for one in dns.resolver.Resolver().nameservers]
    except dns.resolver.NoResolverConfiguration as error:
        text = "/etc/resolv.conf names no resolver; set archipel_dns_resolvers"
        raise ResolverError(text) from error


def split(resolver: str) -> tuple[str, int]:
    """Return address and port of a resolver written `192.0.2.53` or `192.0.2.53#5353`. Pure.

    Raises:
        ResolverError: it is neither.

    """
    address, _, port = resolver.partition("#")
    if is_address(address) and (port.isdecimal() or resolver == address):
        return address, int(port or PORT)
    raise ResolverError(
        f'archipel_dns_resolvers: found "{resolver}"; allowed: IP addresses of resolvers such as '
        "9.9.9.9, with a port as 192.0.2.53#5353"
    )


def _make(label: str, limits: Limits) -> _Asker:
    resolver = dns.asyncresolver.Resolver(configure=False)
    address, resolver.port = split(label)
    resolver.nameservers = [address]
    resolver.lifetime = limits.seconds
    return _Asker(label, resolver, asyncio.Semaphore(limits.parallel))


async def _ask(
    names: Sequence[Name], resolvers: Sequence[str], limits: Limits
) -> list[list[Answer]]:
    askers = [_make(label, limits) for label in resolvers]
    found = await asyncio.gather(*(asker.answer(name) for name in names for asker in askers))
    width = len(askers)
    return [list(found[row : row + width]) for row in range(0, len(found), width)]


def ask(names: Sequence[Name], resolvers: Sequence[str], limits: Limits) -> list[list[Answer]]:
    """Return what each resolver says of each name, in the order of both.

    Raises:
        ResolverError: a resolver is written in another way than it may be.

    """
    return asyncio.run(_ask(names, resolvers, limits))
