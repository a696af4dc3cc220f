# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""From the files, the policy and the placement to what the roles consume."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import IDS
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _capacity,
    _copies,
    _distant,
    _domain_rules,
    _offices,
    _placement,
    _rules,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy._policy import DEFAULT_RING
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _locales,
    _logo,
    _registry,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
        Client,
        Decision,
        Dormancy,
        FilesReport,
        NewSpace,
        NodeReport,
        Pending,
        PlacedOnly,
        PlacedSpace,
        PlacesReport,
        Report,
        ServedSpace,
        ServerOfNode,
        Skipped,
        SpaceEntry,
        Summary,
        Theme,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._domain_rules import (
        ReservedNames,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._rules import (
        RuleContext,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import (
        Record,
        Registry,
    )


@dataclass(slots=True)
class Options:
    """What the inventory file chooses."""

    folder: Path
    # The folder of the registry, which `file` of an entry is relative to.
    root: Path
    # Where nodes are named.
    nodes: Path
    skip_invalid: bool = False
    allow_empty: bool = False
    cache: _registry.Cache = field(default_factory=lambda: _registry.Cache(""))


@dataclass(slots=True)
class Result:
    """Everything the inventory plugin says about an environment."""

    # Approved, suspended and closed spaces, sorted by slug.
    entries: list[SpaceEntry]
    # Node -> what is known of the spaces that are left as they are there: slug, id, web, db.
    skipped: dict[str, list[Skipped]]
    report: Report
    # Node -> the office servers it has, and node -> what they must know of spaces.
    servers: dict[str, list[ServerOfNode]]
    served: dict[str, list[ServedSpace]]
    # archipel_placement: what the lock file lacks, for archipel.spaces.placement.
    placement: Pending
    # Database node → the nodes that reach it over the network.
    clients: dict[str, list[str]]
    roles: Mapping[str, Unchecked]  # Database node → who is the primary of its cluster.

    def on(self, node: str, role: t.Literal["web", "db"]) -> list[SpaceEntry]:
        """The entries whose web or db node this is."""
        return [entry for entry in self.entries if entry[role] == node]


def resolve(options: Options, context: RuleContext) -> Result:
    """Read, check, place, complete. Raises RegistryError with everything that is wrong.

    Raises:
        RegistryError: files or rules across them are wrong, with all that is.

    """
    registry = _registry.read(options.folder, options.cache, _rules.check_schema)
    reserved = _rules.reserve_names(registry.rejected, context)
    problems = [*registry.problems, *_rules.check_all(registry.records, context, reserved)]
    fatal = [
        *_rules.check_lock(registry.records, context),
        *_check_inventory(registry, options, context),
    ]
    if fatal or (problems and not options.skip_invalid):
        raise RegistryError([*problems, *fatal])
    faulty = {problem.slug for problem in problems}
    records = [record for record in registry.records if record.slug not in faulty]
    living = [record for record in records if _rules.exists(record, context)]
    pending = _plan(living, context)
    places = {**context.lock.spaces, **pending}
    folder = _folder(options)
    entries = [complete(record, places[record.slug], context, folder) for record in living]
    offices, policy = context.offices, context.policy
    nodes = sorted({server.node for server in offices.servers})
    reserved |= _rules.reserve_names([r for r in registry.records if r.slug in faulty], context)
    known = [*entries, *_skipped_entries(faulty, reserved, context)]
    return Result(
        entries=entries,
        skipped=_skipped(faulty, reserved, context),
        report={
            **_report(registry, records, problems, context, options),
            "offices": _offices.count_load(known, offices),
            **_report_places(pending, entries, context),
        },
        clients=_distant.list_clients(places.values(), *context.homes, context.roles),
        roles=context.roles,
        servers={node: _offices.list_servers(node, offices, policy) for node in nodes},
        served={node: _offices.list_served(node, known, offices) for node in nodes},
        placement={
            "path": context.lock_path,
            "environment": context.policy.environment,
            "recorded": not pending,
            "pending": {slug: _as_value(place) for slug, place in pending.items()},
        },
    )


def _as_value(place: Place) -> PlacedSpace:
    return {"id": place.id, "web": place.web, "db": place.db, "office": dict(place.office)}


def _new(pending: dict[str, Place], context: RuleContext) -> list[NewSpace]:
    """Not in the lock file yet: made by the next run that makes spaces."""
    return [
        {"slug": slug, "id": place.id, "web": place.web, "db": place.db}
        for slug, place in pending.items()
        if slug not in context.lock.spaces
    ]


def _report_places(
    pending: dict[str, Place], entries: Iterable[SpaceEntry], context: RuleContext
) -> PlacesReport:
    """Return what nodes have and take, apart from the entries."""
    return {
        "new": _new(pending, context),
        "nodes": _list_nodes(context),
        "placed": _list_placed(entries, context),
    }


def _list_nodes(context: RuleContext) -> list[NodeReport]:
    """Return each node that has spaces or databases, with the most it takes of them."""
    parts = {"web": context.web, "db": context.primaries}
    nodes = {node.name: node for found in parts.values() for node in found}
    return [
        {
            "name": name,
            "parts": [part for part, found in parts.items() if node in found],
            "spaces": node.capacity,
            "storage_gb": node.storage_gb,
        }
        for name, node in nodes.items()
    ]


def _list_placed(entries: Iterable[SpaceEntry], context: RuleContext) -> list[PlacedOnly]:
    """Return the spaces that take room on a node, and of which nothing but that is known."""
    known = {entry["slug"] for entry in entries}
    size = context.policy.limits_default["storage_gb"]
    return [
        {"slug": slug, "web": place.web, "db": place.db, "storage_gb": size}
        for slug, place in sorted(context.lock.spaces.items())
        if slug not in known
    ]


def _check_inventory(registry: Registry, options: Options, context: RuleContext) -> list[Problem]:
    problems = []
    for role, nodes in (("web", context.web), ("db", context.db)):
        if not nodes:
            text = _("no node in the group {role}; name one there", role=role)
            problems.append(Problem(str(options.nodes), text, key=role))
    if not registry.files and not options.allow_empty:
        text = _(
            "no file in the registry; add <slug>.yml, or set `allow_empty: true` in spaces.yml"
        )
        problems.append(Problem(str(options.folder), text))
    return problems


def _plan(records: Sequence[Record], context: RuleContext) -> dict[str, Place]:
    """Return the place of each space, those of new ones decided.

    Raises:
        RegistryError: there is no room, or no number left.

    """
    try:
        shards, sizes = context.offices.shards(context.policy.offices), _sizes(records, context)
        slugs, copies = [record.slug for record in records], _copies.list_sources(records)
        nodes = context.web, context.primaries
        return _placement.plan(context.lock, slugs, *nodes, shards, sizes, copies)
    except _placement.NoRoomError as error:
        text = _capacity.explain_full(context.web, error.slug, error.storage_gb)
        raise RegistryError([Problem(context.lock_path, text)]) from None
    except _placement.NoIdError:
        text = _(
            "no id is left for new spaces: each of {number} is given once, from {first}; make "
            "another environment for them",
            number=len(IDS),
            first=IDS.start,
        )
        raise RegistryError([Problem(context.lock_path, text, key="next_id")]) from None


def _sizes(records: Iterable[Record], context: RuleContext) -> _placement.Sizes:
    """Return the GB that each space is promised."""
    default = context.policy.limits_default["storage_gb"]
    known = {record.slug: record.data.get("limits", {}) for record in records}
    return _placement.Sizes(
        {slug: limits.get("storage_gb", default) for slug, limits in known.items()}, default
    )


def _folder(options: Options) -> str:
    """The folder's name as seen from the registry."""
    return os.path.relpath(options.folder, options.root)


def complete(record: Record, place: Place, context: RuleContext, folder: str) -> SpaceEntry:
    """Return one space, ready to render. What people wrote stays untrusted text."""
    data, slug, policy = record.data, record.slug, context.policy
    limits, decision = data.get("limits", {}), data["decision"]
    ring = data.get("ring", DEFAULT_RING)
    names = _domain_rules.list_names(data, policy.host_name(slug))
    return {
        "slug": slug,
        "id": place.id,
        "name": data["name"],
        "status": data["status"],
        "contact": _rules.find_contact(record, context.contacts),
        "decision": _decision(decision),
        "office": data.get("office", policy.offices[0]),
        "office_pinned": data.get("office_pinned", policy.office_pinned),
        "ring": ring,
        "release": policy.releases[ring],
        "accounts": limits.get("accounts", policy.limits_default["accounts"]),
        "storage_gb": limits.get("storage_gb", policy.limits_default["storage_gb"]),
        "domains": names,
        "url": policy.url(names[0]),
        "redirect": data.get("redirect", False),
        "locale": data.get("locale", policy.locale),
        "phone_region": _locales.find_phone_region(
            data.get("locale", policy.locale), policy.locale, policy.phone_region
        ),
        "timezone": data.get("timezone", policy.timezone),
        "theme": _theme(record),
        "registration": data.get("registration", False),
        **_copies.describe(data),
        "closed_on": data.get("closed_on"),
        "dormancy": _dormancy(data.get("dormancy", {})),
        "hold": data.get("hold", False),
        **_placement.describe(place, context.web),
        "file": f"{folder}/{slug}{_registry.SUFFIX}",
        "office_servers": context.offices.serving(slug, place.office, policy),
    }


def _theme(record: Record) -> Theme:
    found = record.data.get("theme", {})
    logo = _logo.describe(record.path, found.get("logo"))
    return {"color": found.get("color"), "slogan": found.get("slogan"), "logo": logo}


def _dormancy(noted: Unchecked) -> Dormancy:
    letters = sum(key in noted for key in ("first", "second", "third"))
    exempt = bool(noted.get("exempt", False))
    return {"exempt": exempt, "since": noted.get("since"), "letters": letters}


def _decision(decision: Unchecked) -> Decision:
    return {"by": decision.get("by"), "on": decision.get("on"), "reason": decision.get("reason")}


def _skipped(
    faulty: Iterable[str], reserved: ReservedNames, context: RuleContext
) -> dict[str, list[Skipped]]:
    """A space whose file is wrong is known on its nodes, so that it is no drift.

    The lock file says all that is certain of it: enough for what declares all users of a node
    in one file, too little for anything that follows the registry.
    """
    skipped: dict[str, list[Skipped]] = {}
    for slug in sorted(faulty):
        if place := context.lock.spaces.get(slug):
            names = _names(slug, reserved, context)
            known: Skipped = {
                "slug": slug,
                "id": place.id,
                "web": place.web,
                "db": place.db,
                "domains": names,
            }
            for node in {place.web, place.db}:
                skipped.setdefault(node, []).append(known)
    return skipped


def _names(slug: str, reserved: ReservedNames, context: RuleContext) -> list[str]:
    return [context.policy.host_name(slug), *sorted(reserved.get(slug, ()))]


def _skipped_entries(
    faulty: Iterable[str], reserved: ReservedNames, context: RuleContext
) -> list[Client]:
    """What office servers keep knowing of such a space: people may be writing in it."""
    policy = context.policy
    return [
        {
            "slug": slug,
            "status": "approved",
            "domains": _names(slug, reserved, context),
            "office_servers": context.offices.serving(slug, place.office, policy),
        }
        for slug in sorted(faulty)
        if (place := context.lock.spaces.get(slug))
    ]


def _report(
    registry: Registry,
    records: Sequence[Record],
    problems: Iterable[Problem],
    context: RuleContext,
    options: Options,
) -> FilesReport:
    by_status: dict[str, list[Record]] = {status: [] for status in _rules.STATUSES}
    for record in records:
        by_status[record.data["status"]].append(record)
    skipped: dict[str, list[str]] = {}
    for problem in problems:
        skipped.setdefault(problem.slug, []).append(str(problem))
    known = {*skipped, *(record.slug for record in registry.records)}
    folder = _folder(options)
    return {
        "environment": context.policy.environment,
        "files": registry.files,
        "counts": {status: len(group) for status, group in by_status.items()},
        "requested": [_summary(record, folder) for record in by_status["requested"]],
        "refused": [_summary(record, folder) for record in by_status["refused"]],
        "closed": [r.slug for r in by_status["closed"] if _rules.exists(r, context)],
        # Gone for good; their files only remember them.
        "purged": [r.slug for r in by_status["closed"] if not _rules.exists(r, context)],
        "held": [record.slug for record in records if record.data.get("hold")],
        "skipped": skipped,
        # Placed, but their file is gone: nothing is deleted for that.
        "without_file": sorted(set(context.lock.spaces) - known),
        "ignored": registry.ignored,
        "sealed": shown(context.contacts.path) if context.contacts.sealed else "",
    }


def _summary(record: Record, folder: str) -> Summary:
    decision = record.data.get("decision")
    return {
        "slug": record.slug,
        "name": record.data["name"],
        "decision": _decision(decision) if decision else None,
        "file": f"{folder}/{record.slug}{_registry.SUFFIX}",
    }
