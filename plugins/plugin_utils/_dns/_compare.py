# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What resolvers say of a name, against what it shall be, and what to do about it. Pure."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import escaped
from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import (
    _caa,
    _letters,
    _records,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._dns._names import Name, Zone

OK = "ok"
# The worst first: what a name is if several hold.
STATES = ("broken", "missing", "elsewhere", "incomplete", "forbidden", OK)
# Some resolvers have the new records, and others still the former ones.
SPREADING = "spreading"
HTTP, DNS = "http-01", "dns-01"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resolver says of a name."""

    resolver: str
    addresses: tuple[str, ...] = ()
    # The name whose CAA records count; empty: there are none.
    holder: str = ""
    caa: tuple[_caa.Property, ...] = ()
    # Why there is no answer; empty: there is one.
    failure: str = ""


class Row(t.TypedDict):
    """A name with what was found, as it is in the report."""

    domain: str
    kind: str
    slug: str
    node: str
    state: str
    wanted: list[str]
    # Resolver → addresses, or why it says nothing.
    found: dict[str, list[str]]
    # For operators; empty: nothing is wrong.
    problem: str
    # For the association, in its language; empty: it has nothing to do.
    association: str


def judge(name: Name, answer: Answer, zone: Zone) -> str:
    """Return the state of a name by one resolver."""
    wanted = set(map(ipaddress.ip_address, name.addresses))
    found = set(map(ipaddress.ip_address, answer.addresses))
    if answer.failure:
        return "broken"
    if not found:
        return "missing"
    if found - wanted:
        return "elsewhere"
    # With IPv4 alone an own domain works; the platform's records are ours to complete.
    if found != wanted and name.kind != "own":
        return "incomplete"
    return OK if _is_permitted(name, answer, zone) else "forbidden"


def _is_permitted(name: Name, answer: Answer, zone: Zone) -> bool:
    if not zone.authorities:
        return True
    method = HTTP if name.kind == "own" else DNS
    return _caa.permits(answer.caa, zone.authorities, wildcard=name.wildcard, method=method)


def compare(name: Name, answers: Sequence[Answer], zone: Zone) -> Row:
    """Return what is to be said of a name."""
    states = {answer.resolver: judge(name, answer, zone) for answer in answers}
    worst = min(states.values(), key=STATES.index)
    state = SPREADING if worst != OK and OK in states.values() else worst
    culprit = next(answer for answer in answers if states[answer.resolver] == worst)
    return {
        "domain": name.name,
        "kind": name.kind,
        "slug": name.slug,
        "node": name.node,
        "state": state,
        "wanted": list(name.addresses),
        "found": {
            one.resolver: [one.failure] if one.failure else [*one.addresses] for one in answers
        },
        "problem": _explain(name, state, worst, culprit, zone),
        "association": _tell(name, worst, culprit, zone) if state not in {OK, SPREADING} else "",
    }


def _explain(name: Name, state: str, worst: str, answer: Answer, zone: Zone) -> str:
    """Return what is wrong, and what an operator does about it."""
    wanted = ", ".join(name.addresses)
    texts = {
        "broken": f"no answer ({answer.failure})",
        "missing": f"leads nowhere; it must lead to {wanted}",
        "elsewhere": f"leads to {_listed(answer.addresses)}; it must lead to {wanted}",
        "incomplete": f"leads to {_listed(answer.addresses)} only; it must lead to {wanted}",
        "forbidden": f"CAA of {answer.holder} allows none of {', '.join(zone.authorities)}",
        OK: "",
    }
    if state == OK:
        return ""
    if state == SPREADING:
        remedy = f"other resolvers have it right: wait {zone.ttl} s, or longer where it was longer"
    elif name.kind == "own":
        remedy = f"tell {name.slug} what is under association"
    else:
        remedy = (
            f"set what is in dns-records/zone.txt of the build, in the zone of {zone.base_domain}"
        )
    return escaped(f"{name.name}: {texts[worst]}, says {answer.resolver}; {remedy}")


def _tell(name: Name, state: str, answer: Answer, zone: Zone) -> str:
    """Return what an association does about its own domain, in its language."""
    if name.kind != "own":
        return ""
    records = (
        [f'{answer.holder} CAA 0 issue "{one}"' for one in zone.authorities[:1]]
        if state == "forbidden"
        else [f"{r.name} {r.type} {r.value}" for r in _records.list_own(name, zone)]
    )
    values = {
        "domain": name.name,
        "records": ", ".join(records),
        "found": answer.failure or _listed(answer.addresses),
        "holder": answer.holder,
    }
    return _letters.tell(state, name.language, **values)


def _listed(addresses: Iterable[str]) -> str:
    return ", ".join(addresses)


def summarize(rows: Sequence[Row]) -> str:
    """Return how many names are how, in a sentence."""
    counts = dict.fromkeys((*reversed(STATES), SPREADING), 0)
    for row in rows:
        counts[row["state"]] += 1
    listed = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    return f"{len(rows)} names: {listed}" if rows else "no names: no space is there"
