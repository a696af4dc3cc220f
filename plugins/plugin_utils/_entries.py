# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""From checked files, policy and placement to what the roles consume. Pure."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archipel.spaces.plugins.plugin_utils import _placement, _registry, _rules
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import DEFAULT_RING
from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import Problem, RegistryError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._placement import Place
    from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import Policy
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import Record, Registry

Entry = dict[str, t.Any]


@dataclass(slots=True)
class Result:
    """Everything the inventory plugin says about an environment."""

    # Approved, suspended and closed spaces, sorted by slug.
    entries: list[Entry]
    # node -> slugs that are left as they are
    skipped: dict[str, list[str]]
    report: dict[str, t.Any]
    pending: dict[str, Place]
    lock_path: str
    environment: str
    # Suites of the policy, the default first.
    offices: tuple[str, ...]

    def placement(self) -> dict[str, t.Any]:
        """What the lock file lacks, for archipel.spaces.placement."""
        return {
            "path": self.lock_path,
            "environment": self.environment,
            "recorded": not self.pending,
            "pending": {slug: place._asdict() for slug, place in self.pending.items()},
        }

    def on(self, node: str, role: str) -> list[Entry]:
        """The entries whose web or db node this is."""
        return [entry for entry in self.entries if entry[role] == node]


@dataclass(slots=True)
class Options:
    """What the inventory file chooses."""

    folder: str
    lock_path: str
    # The folder that `file` of an entry is relative to.
    root: str
    skip_invalid: bool = False
    allow_empty: bool = False
    cache: _registry.Cache = field(default_factory=lambda: _registry.Cache(""))


def resolve(options: Options, world: _rules.World) -> Result:
    """Read, check, place, complete. Raises RegistryError with everything that is wrong."""
    registry = _registry.read(options.folder, options.cache, _rules.check_schema)
    problems = [*registry.problems, *_rules.check_all(registry.records, world)]
    fatal = [
        *_rules.check_lock(registry.records, world),
        *_check_inventory(registry, options, world),
    ]
    if fatal or (problems and not options.skip_invalid):
        raise RegistryError([*problems, *fatal])
    faulty = {problem.slug for problem in problems}
    records = [record for record in registry.records if record.slug not in faulty]
    living = [record for record in records if record.data["status"] in _rules.LIVING]
    pending = _plan([record.slug for record in living], world)
    places = {**world.lock.spaces, **pending}
    return Result(
        entries=[
            entry(record, places[record.slug], world.policy, options.root) for record in living
        ],
        skipped=_skipped(faulty, world),
        report=_report(registry, records, problems, world, options.root),
        pending=pending,
        lock_path=options.lock_path,
        environment=world.policy.environment,
        offices=world.policy.offices,
    )


def _check_inventory(registry: Registry, options: Options, world: _rules.World) -> list[Problem]:
    problems = []
    for role, nodes in (("web", world.web), ("db", world.db)):
        if not nodes:
            text = f"no machine in group {role}; name one in nodes.yml beside the inventory file, read before it"
            problems.append(Problem(os.path.join(options.root, "nodes.yml"), text, key=role))
    if not registry.files and not options.allow_empty:
        text = "no file in the registry; add <slug>.yml, or set `allow_empty: true` in the inventory file if this is meant"
        problems.append(Problem(options.folder, text))
    return problems


def _plan(slugs: Iterable[str], world: _rules.World) -> dict[str, Place]:
    try:
        return _placement.plan(world.lock, slugs, world.web, world.db)
    except _placement.NoRoomError:
        full = ", ".join(f"{node.name} ({node.capacity})" for node in world.web)
        text = f"no room for new spaces: every web node is at its archipel_capacity: {full}; add a machine or raise it"
        raise RegistryError([Problem(world.lock_path, text)]) from None


def entry(record: Record, place: Place, policy: Policy, root: str) -> Entry:
    """One space, complete and ready to render. Strings that people wrote stay untrusted."""
    data, slug = record.data, record.slug
    limits, decision = data.get("limits") or {}, data["decision"]
    theme, contact = data.get("theme") or {}, data["contact"]
    ring = data.get("ring", DEFAULT_RING)
    return {
        "slug": slug,
        "id": place.id,
        "name": data["name"],
        "status": data["status"],
        "contact": {"name": contact.get("name"), "email": contact["email"]},
        "decision": {"by": decision["by"], "on": decision["on"], "reason": decision.get("reason")},
        "office": data.get("office", policy.offices[0]),
        "office_pinned": data.get("office_pinned", policy.office_pinned),
        "ring": ring,
        "release": policy.releases[ring],
        "accounts": limits.get("accounts", policy.limits_default["accounts"]),
        "storage_gb": limits.get("storage_gb", policy.limits_default["storage_gb"]),
        "domains": [policy.host_name(slug), *data.get("domains", ())],
        "url": policy.url(slug),
        "locale": data.get("locale", policy.locale),
        "timezone": data.get("timezone", policy.timezone),
        "theme": {"color": theme.get("color"), "slogan": theme.get("slogan")},
        "closed_on": data.get("closed_on"),
        "hold": data.get("hold", False),
        "web": place.web,
        "db": place.db,
        "file": _file(record.path, root),
    }


def _file(path: str, root: str) -> str:
    return path[len(root) + 1 :] if path.startswith(root + os.sep) else path


def _skipped(faulty: Iterable[str], world: _rules.World) -> dict[str, list[str]]:
    """A space whose file is wrong is known on its nodes, so that it is no drift, and left alone."""
    skipped: dict[str, list[str]] = {node.name: [] for node in (*world.web, *world.db)}
    for slug in sorted(faulty):
        if place := world.lock.spaces.get(slug):
            for node in dict.fromkeys((place.web, place.db)):
                skipped.setdefault(node, []).append(slug)
    return skipped


def _report(
    registry: Registry,
    records: Sequence[Record],
    problems: Iterable[Problem],
    world: _rules.World,
    root: str,
) -> dict[str, t.Any]:
    by_status: dict[str, list[Record]] = {status: [] for status in _rules.STATUSES}
    for record in records:
        by_status[record.data["status"]].append(record)
    skipped: dict[str, list[str]] = {}
    for problem in problems:
        skipped.setdefault(problem.slug, []).append(str(problem))
    known = {*skipped, *(record.slug for record in registry.records)}
    return {
        "environment": world.policy.environment,
        "files": registry.files,
        "counts": {status: len(group) for status, group in by_status.items()},
        "requested": [_summary(record, root) for record in by_status["requested"]],
        "refused": [_summary(record, root) for record in by_status["refused"]],
        "closed": [record.slug for record in by_status["closed"]],
        "held": [record.slug for record in records if record.data.get("hold")],
        "skipped": skipped,
        # Placed, but their file is gone: nothing is deleted for that.
        "without_file": sorted(set(world.lock.spaces) - known),
    }


def _summary(record: Record, root: str) -> dict[str, t.Any]:
    data: Mapping[str, t.Any] = record.data
    return {
        "slug": record.slug,
        "name": data["name"],
        "decision": data.get("decision"),
        "file": _file(record.path, root),
    }
