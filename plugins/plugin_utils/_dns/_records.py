# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The records that the names of an environment need: a zone, a table, and letters. Pure."""

from __future__ import annotations

import ipaddress
import json
import typing as t
from itertools import groupby

from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import _letters

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._dns._names import Name, Zone

HEADERS = ("name", "type", "ttl", "value")


class Record(t.NamedTuple):
    """A record of DNS; names are absolute, without a dot behind."""

    name: str
    type: t.Literal["A", "AAAA", "CAA", "CNAME"]
    # Seconds.
    ttl: int
    value: str


def list_addresses(name: str, addresses: Iterable[str], ttl: int) -> Iterator[Record]:
    """Yield the records of a name that leads to some addresses."""
    for address in addresses:
        kind: t.Literal["A", "AAAA"] = "AAAA" if ipaddress.ip_address(address).version == 6 else "A"
        yield Record(name, kind, ttl, address)


def list_authorities(name: str, zone: Zone, *, wildcard: bool) -> Iterator[Record]:
    """Yield the records that allow the zone's authorities to sign for a name; none without them."""
    for authority in zone.authorities:
        yield Record(name, "CAA", zone.ttl, f'0 issue "{authority}"')
        if wildcard:
            yield Record(name, "CAA", zone.ttl, f'0 issuewild "{authority}"')
    if zone.authorities and zone.contact:
        yield Record(name, "CAA", zone.ttl, f'0 iodef "mailto:{zone.contact}"')


def list_platform(names: Sequence[Name], zone: Zone) -> list[Record]:
    """Return the records below the base domain.

    One wildcard serves all spaces while they are on nodes with the same addresses: the record of a
    new space is there before the space is.
    """
    spaces = [name for name in names if name.kind == "platform"]
    found = list(list_authorities(zone.base_domain, zone, wildcard=True))
    if len({name.addresses for name in spaces}) == 1:
        found += list_addresses(f"*.{zone.base_domain}", spaces[0].addresses, zone.ttl)
        spaces = []
    services = [name for name in names if name.kind == "service"]
    for name in sorted([*spaces, *services], key=lambda one: one.name):
        found += list_addresses(name.name, name.addresses, zone.ttl)
    return list(dict.fromkeys(found))


def list_own(name: Name, zone: Zone) -> list[Record]:
    """Return the records of an own domain, in the zone of its owner."""
    if name.apex:
        return list(list_addresses(name.name, name.addresses, zone.ttl))
    return [Record(name.name, "CNAME", zone.ttl, f"{name.target}.")]


def render_zone(records: Sequence[Record], zone: Zone) -> str:
    """Return the records as a fragment of the base domain's zone."""
    base = zone.base_domain
    lines = [
        f"; Records that the spaces below {base} need. Written by check.yml: include or copy it.",
        f"$ORIGIN {base}.",
        f"$TTL {zone.ttl}",
    ]
    for one in records:
        label = "@" if one.name == base else one.name.removesuffix(f".{base}")
        # Services may have names elsewhere.
        label = label if label != one.name else f"{one.name}."
        lines.append(f"{label:<32} {one.ttl} IN {one.type:<5} {one.value}")
    return "\n".join(lines) + "\n"


def render_table(records: Iterable[Record]) -> str:
    """Return the records as a table to read, or to type into a form."""
    rows = [HEADERS, *((one.name, one.type, str(one.ttl), one.value) for one in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADERS) - 1)]
    return "".join(
        "  ".join([*(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=False)), row[-1]]) + "\n"
        for row in rows
    )


def render(names: Sequence[Name], zone: Zone) -> dict[str, str]:
    """Return the files of the folder dns: path below it → text."""
    platform = list_platform(names, zone)
    own = sorted((name for name in names if name.kind == "own"), key=lambda one: one.slug)
    listed = [(name, list_own(name, zone)) for name in own]
    everything = [*platform, *(record for _, records in listed for record in records)]
    found = {
        "zone.txt": render_zone(platform, zone),
        "records.txt": render_table(everything),
        "records.json": json.dumps([one._asdict() for one in everything], indent=1) + "\n",
    }
    for slug, group in groupby(listed, key=lambda pair: pair[0].slug):
        pairs = list(group)
        language = pairs[0][0].language
        domains = [(name.name, render_table(records)) for name, records in pairs]
        text = _letters.ask_for_records(domains, zone.authorities, language)
        found[f"associations/{slug}.{language}.txt"] = text
    return found
