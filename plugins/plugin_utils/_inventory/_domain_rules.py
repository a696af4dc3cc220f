# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is wrong with host names: each belongs to one space, and one of a space's is canonical."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    did_you_mean,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _names, _suffixes

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        Skipped,
        SpaceEntry,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
    from ansible_collections.archipel.spaces.plugins.plugin_utils._policy._policy import Policy
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

# Slug → host names outside the base domain, of spaces whose file is wrong.
ReservedNames = t.Mapping[str, t.Collection[str]]


class _Claim(t.NamedTuple):
    slug: str
    # Nothing: its file is wrong, which is reported.
    record: Record | None
    number: int = 0


def list_names(data: Unchecked, host_name: str) -> list[str]:
    """Return the host names of a space, the canonical one first. Pure."""
    names = [host_name, *data.get("domains", ())]
    canonical = data.get("canonical", host_name)
    return [canonical, *(name for name in names if name != canonical)]


def list_outside(entries: Iterable[SpaceEntry | Skipped], base_domain: str) -> list[str]:
    """Return the host names of spaces that the base domain's wildcard does not cover. Pure."""
    names = (name for entry in entries for name in entry["domains"])
    return sorted({name for name in names if not name.endswith(f".{base_domain}")})


def list_claimed(data: Unchecked, policy: Policy) -> set[str]:
    """Return what may be a claim in a file of which nothing is certain. Pure."""
    listed = data.get("domains") if isinstance(data, dict) else None
    names = listed if isinstance(listed, list) else [listed]
    return {
        name
        for name in names
        if isinstance(name, str)
        and _names.HOST_NAME.fullmatch(name)
        and not _is_inside(name, policy.base_domain)
    }


def suggest(data: Unchecked, place: Sequence[str | int]) -> str:
    """Return what to write in place of something that is no host name; often empty. Pure."""
    match tuple(place):
        case ("canonical",):
            return _names.suggest(data["canonical"])
        case ("domains", int(number)):
            return _names.suggest(data["domains"][number])
        case _:
            return ""


def check(
    records: Iterable[Record],
    asking: Iterable[Record],
    policy: Policy,
    placed: Container[str],
    reserved: ReservedNames,
    offices: Mapping[str, str],
) -> Iterator[Problem]:
    """Yield what is wrong with names, in one file and across them.

    Args:
        records: files in which the schema finds nothing wrong.
        asking: those whose names nobody else may have.
        policy: of the environment.
        placed: slugs of the spaces that exist, or did.
        reserved: the names of spaces whose file is wrong.
        offices: host name → the office server that answers there; `*.` before what has many.

    """
    wrong: set[tuple[str, str]] = set()
    for record in records:
        yield from _check_canonical(record, policy)
        for number, domain in enumerate(record.data.get("domains", ())):
            if text := _wrong(domain, policy.base_domain) or _served(domain, offices):
                wrong.add((record.slug, domain))
                yield record.problem(text, "domains", number)
    yield from _check_claims(asking, placed, reserved, wrong)


def _check_claims(
    asking: Iterable[Record],
    placed: Container[str],
    reserved: ReservedNames,
    wrong: Container[tuple[str, str]],
) -> Iterator[Problem]:
    """Yield the names that several spaces have; those that are wrong are said already."""
    claims: dict[str, list[_Claim]] = {}
    for slug, names in reserved.items():
        for name in names:
            claims.setdefault(name, []).append(_Claim(slug, None))
    for record in asking:
        for number, domain in enumerate(record.data.get("domains", ())):
            if (record.slug, domain) not in wrong:
                claims.setdefault(domain, []).append(_Claim(record.slug, record, number))
    for domain, claimants in claims.items():
        if len(claimants) > 1:
            yield from _disputed(domain, claimants, placed)


def _is_inside(domain: str, base: str) -> bool:
    return domain == base or domain.endswith(f".{base}")


def _wrong(domain: str, base: str) -> str:
    """Return what is wrong with a host name that looks like one; empty if nothing is."""
    if _is_inside(domain, base):
        return _(
            'found "{domain}"; allowed: names outside {base}; inside it the name of a file is the '
            "name of its space",
            domain=domain,
            base=base,
        )
    if fault := _names.check_domain(domain):
        return fault
    if _suffixes.is_public(domain):
        return _(
            'found "{domain}", below which anybody registers names (publicsuffix.org); allowed: a '
            "name that belongs to one owner; name the association's own host, such as "
            "cloud.association.{domain}",
            domain=domain,
        )
    return ""


def _served(domain: str, offices: Mapping[str, str]) -> str:
    """Return why a host name is an office server's, which nginx may answer for on the same node."""
    owner = offices.get(domain) or offices.get(f"*.{domain.partition('.')[2]}")
    if not owner:
        return ""
    return _(
        'found "{domain}", which is the host of the office server {server}; allowed: names of the '
        "association; take it out here",
        domain=domain,
        server=owner,
    )


def _check_canonical(record: Record, policy: Policy) -> Iterator[Problem]:
    canonical = record.data.get("canonical")
    names = [policy.host_name(record.slug), *record.data.get("domains", ())]
    if canonical is not None and canonical not in names:
        text = _(
            'found "{name}"; allowed, the names of this space: {names}; write one of these, or '
            "add it to domains.{hint}",
            name=canonical,
            names=", ".join(names),
            hint=did_you_mean(canonical, names),
        )
        yield record.problem(text, "canonical")


def _disputed(
    domain: str, claimants: Sequence[_Claim], placed: Container[str]
) -> Iterator[Problem]:
    """The newcomer is to blame: a placed space keeps its name when a new file claims it."""
    known = [claim for claim in claimants if claim.slug in placed]
    owner = known[0] if len(known) == 1 else None
    for claim in claimants:
        if claim is not owner and claim.record:
            text = _(
                'the domain "{domain}" is also that of {others}; keep it in one file',
                domain=domain,
                others=", ".join(_owner(c) for c in claimants if c is not claim),
            )
            yield claim.record.problem(text, "domains", claim.number)


def _owner(claim: _Claim) -> str:
    if claim.record:
        return shown(claim.record.path)
    return _("{slug}, whose file is wrong and whose names stay as they are", slug=claim.slug)
