# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a registry must satisfy: the JSON Schema, in sentences, and the rules across files."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, ngettext
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    did_you_mean,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _clusters,
    _copies,
    _domain_rules,
    _office_rules,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._offices import Offices
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _contacts,
    _locales,
    _logo,
    _schema,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._contacts import Contacts

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import Contact
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._clusters import Role
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import (
        Lock,
        Node,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._policy._policy import Policy
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

STATUSES = ("requested", "approved", "refused", "suspended", "closed")
# Statuses whose spaces exist on a node.
LIVING = frozenset({"approved", "suspended", "closed"})

# --- one file: the schema ------------------------------------------------------------


# Problems of one file that are listed: thousands of them would hide those of all others.
MOST_LISTED = 20
SCHEMA = _schema.Schema(Path(__file__).with_name("space.schema.json"))


def check_schema(record: Record) -> list[Problem]:
    """What the schema finds wrong in one file, by line; how many more, where it is too much."""
    if SCHEMA.is_valid(record.data):
        return []
    status = record.data.get("status") if isinstance(record.data, dict) else None
    context = _schema.Context(
        condition=_("the status is {status}", status=status),
        forbidden=_(
            "not allowed with status {status}; remove it or change the status", status=status
        ),
    )
    faults = SCHEMA.faults(record.data, context)
    found = [
        record.problem(one.text + _domain_rules.suggest(record.data, one.place), *one.place)
        for one in faults
    ]
    found.sort(key=lambda problem: problem.line or 0)
    return [*found[:MOST_LISTED], *_count_others(record, found[MOST_LISTED:])]


def _count_others(record: Record, others: Sequence[Problem]) -> Iterator[Problem]:
    """Yield one problem in place of many, at the line of the first."""
    if others:
        text = ngettext(
            "{n} more problem of this file is not listed; mend these first",
            "{n} more problems of this file are not listed; mend these first",
            len(others),
        )
        yield Problem(record.path, text, others[0].line, slug=record.slug)


def exists(record: Record, context: RuleContext) -> bool:
    """Whether its space is, or shall be, on a node: not if it was purged."""
    status = record.data["status"]
    return status in LIVING and (status != "closed" or record.slug in context.lock.spaces)


# --- across files --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What the rules compare the files with."""

    policy: Policy
    lock: Lock
    lock_path: str
    web: Sequence[Node]
    db: Sequence[Node]
    # Names of the inventory that no space may take, and what each is.
    names: Mapping[str, str]
    today: datetime.date
    offices: Offices = field(default_factory=Offices)
    # Slug → when it was purged, from the ledger.
    purged: Mapping[str, str] = field(default_factory=dict)
    contacts: Contacts = field(default_factory=Contacts)
    # Database nodes that share their databases with others.
    roles: Mapping[str, Role] = field(default_factory=dict)

    @property
    def homes(self) -> tuple[list[str], list[str]]:
        """The names of the web nodes, and of those with databases."""
        return [node.name for node in self.web], [node.name for node in self.db]

    @property
    def primaries(self) -> list[Node]:
        """The nodes that databases may be on: a replica has those of its primary."""
        replicas = _clusters.list_replicas(self.roles)
        return [node for node in self.db if node.name not in replicas]


def reserve_names(rejected: Iterable[Record], context: RuleContext) -> dict[str, set[str]]:
    """The names that spaces with a wrong file keep: what it says, and said when it was right.

    A space that exists stays as it is on its node, and answers to these names. Where nothing
    can be read any more, the node knows them: no name is taken from a space that is there.
    """
    found: dict[str, set[str]] = {}
    for record in rejected:
        if record.slug in context.lock.spaces:
            found.setdefault(record.slug, set()).update(
                _domain_rules.list_claimed(record.data, context.policy)
            )
    return found


def check_all(
    records: Sequence[Record],
    context: RuleContext,
    reserved: _domain_rules.ReservedNames | None = None,
) -> Iterator[Problem]:
    """Yield every problem that one file alone cannot show.

    `reserved` are the names of spaces whose file is wrong.
    """
    for record in records:
        yield from _check_name(record, context)
        yield from _check_contact(record, context)
        yield from _check_choices(record, context.policy)
        yield from _check_limits(record, context.policy)
        yield from _check_dates(record, context.today)
        yield from _check_status(record, context)
        yield from _check_logo(record)
        yield from _copies.check(record)
    asking = [r for r in records if r.data["status"] == "requested" or exists(r, context)]
    yield from _domain_rules.check(
        records,
        asking,
        context.policy,
        context.lock.spaces,
        reserved or {},
        context.offices.list_hosts(context.policy),
    )


def _check_name(record: Record, context: RuleContext) -> Iterator[Problem]:
    slug = record.slug
    if slug in context.policy.reserved_slugs:
        text = _(
            'the slug "{slug}" is reserved; rename the file; archipel_reserved_slugs in the policy '
            "lists the reserved ones",
            slug=slug,
        )
        yield record.problem(text)
    elif slug == context.policy.form:
        # A file that is renamed makes another space.
        made = _("the form needs another host: this space exists")
        text = _(
            'the slug "{slug}" is the host of the form (archipel_intake); {remedy}',
            slug=slug,
            remedy=made if slug in context.lock.spaces else _("rename the file, or move the form"),
        )
        yield record.problem(text)
    elif kind := context.names.get(slug):
        text = _(
            'the slug "{slug}" is the name of {kind} of this inventory already; rename the file',
            slug=slug,
            kind=_(kind),
        )
        yield record.problem(text)


def _check_contact(record: Record, context: RuleContext) -> Iterator[Problem]:
    """One contact, in the place where the policy wants it."""
    contacts, vaulted = context.contacts, context.policy.contacts == _contacts.VAULTED
    inside, beside = "contact" in record.data, record.slug in contacts.known
    if inside and beside and find_contact(record, Contacts()) != _vaulted_contact(record, contacts):
        text = _("{file} has another contact of this space; keep one", file=shown(contacts.path))
        yield record.problem(text, "contact")
    elif inside and vaulted:
        text = _(
            "found in a file that may be public (archipel_contacts is vaulted); move all into "
            "{file}: `playbooks/intake.yml -e move=true`, see docs/intake.md",
            file=shown(contacts.path),
        )
        yield record.problem(text, "contact")
    # Nobody is written to about a copy.
    elif not (inside or beside or contacts.sealed or _copies.KEY in record.data):
        where = shown(contacts.path) if vaulted else ""
        yield record.problem(_no_contact(where), "contact")


def _no_contact(vaulted: str) -> str:
    """Return what to do without a contact; `vaulted` is the file that has them, or nothing."""
    if vaulted:
        return _(
            "{file} has no contact of this space; add one with `ansible-vault edit`", file=vaulted
        )
    return _(
        "missing; allowed: {allowed}. Add for instance `{example}`",
        allowed=_(SCHEMA.root["properties"]["contact"]["description"]),
        example="contact: {email: bureau@velo-ecole.example}",
    )


def find_contact(record: Record, contacts: Contacts) -> Contact:
    """Who is written to about a space; nobody, where the file that says it is sealed."""
    inside = record.data.get("contact")
    return _contact(inside) if inside else _vaulted_contact(record, contacts)


def _vaulted_contact(record: Record, contacts: Contacts) -> Contact:
    return _contact(contacts.known.get(record.slug, {}))


def _contact(found: Mapping[str, str]) -> Contact:
    return {"name": found.get("name"), "email": found.get("email", "")}


def _check_choices(record: Record, policy: Policy) -> Iterator[Problem]:
    office = record.data.get("office")
    if office is not None and office not in policy.offices:
        text = _(
            'found "{office}"; allowed, from archipel_offices in the policy: {offices}.{hint}',
            office=office,
            offices=", ".join(policy.offices),
            hint=did_you_mean(office, policy.offices),
        )
        yield record.problem(text, "office")
    for key, fault in (("locale", _locales.check_locale), ("timezone", _locales.check_timezone)):
        value = record.data.get(key)
        if value is not None and (text := fault(value)):
            yield record.problem(text, key)


def _check_logo(record: Record) -> Iterator[Problem]:
    name = record.data.get("theme", {}).get("logo")
    if name is not None and (text := _logo.check(Path(record.path).parent, record.slug, name)):
        yield record.problem(text, "theme", "logo")


def _check_limits(record: Record, policy: Policy) -> Iterator[Problem]:
    limits = record.data.get("limits")
    if not limits or "approved_by" in limits:
        return
    for kind, maximum in policy.limits_maximum.items():
        if limits.get(kind, 0) > maximum:
            text = _(
                "found {found}; allowed: at most {most}; lower it, or name in "
                "limits.approved_by who allowed more",
                found=limits[kind],
                most=maximum,
            )
            yield record.problem(text, "limits", kind)


def _check_dates(record: Record, today: datetime.date) -> Iterator[Problem]:
    # A day of tolerance: it may already be tomorrow where the file was written.
    latest = (today + datetime.timedelta(days=1)).isoformat()
    decided, closed = record.data.get("decision", {}).get("on"), record.data.get("closed_on")
    for place, date in ((("decision", "on"), decided), (("closed_on",), closed)):
        if date is not None and date > latest:
            text = _(
                "found {date}, which is in the future; allowed: up to today, {today}",
                date=date,
                today=today,
            )
            yield record.problem(text, *place)
    if decided and closed and closed < decided:
        text = _(
            "found {date}; allowed: not before decision.on, {decided}", date=closed, decided=decided
        )
        yield record.problem(text, "closed_on")


def _check_status(record: Record, context: RuleContext) -> Iterator[Problem]:
    status, place = record.data["status"], context.lock.spaces.get(record.slug)
    if place is not None and status not in LIVING:
        text = _(
            'found "{status}", but the space exists on {node} ({where}); allowed: approved, '
            "suspended or closed",
            status=status,
            node=place.web,
            where=f"{shown(context.lock_path)}:{context.lock.lines.get(record.slug)}",
        )
        yield record.problem(text, "status")
    elif place is None and status == "closed" and record.slug not in context.purged:
        text = _(
            'found "closed", but {file} knows no such space: nothing to close; allowed: '
            "requested, refused or approved; if that file was lost, take it from git",
            file=shown(context.lock_path),
        )
        yield record.problem(text, "status")


def check_lock(records: Sequence[Record], context: RuleContext) -> Iterator[Problem]:
    """The lock file against the environment and its nodes."""
    environment = context.lock.environment
    if environment not in {None, context.policy.environment}:
        text = _(
            'found "{found}", but archipel_environment is "{environment}"; two environments are '
            "mixed: take this one's placement.yml from git",
            found=environment,
            environment=context.policy.environment,
        )
        yield Problem(context.lock_path, text, key="environment")
    yield from _check_offices(records, context)
    yield from _check_homes(records, context)


def _check_offices(records: Sequence[Record], context: RuleContext) -> Iterator[Problem]:
    """The office servers of the lock file, and secrets that were changed."""
    slugs = {record.slug for record in records}
    alive = sorted(record.slug for record in records if exists(record, context))
    for slug, text in _office_rules.check_lock(context.lock, alive, context.offices):
        yield Problem(context.lock_path, text, context.lock.lines.get(slug), slug)
    for slug in sorted(set(context.offices.rotations) - slugs):
        hint = did_you_mean(slug, slugs)
        text = _("there is no file of a space {slug}.{hint}", slug=slug, hint=hint)
        yield Problem("group_vars/all", text, key="archipel_office_rotations")


def _check_homes(records: Sequence[Record], context: RuleContext) -> Iterator[Problem]:
    """Nodes that are gone while spaces live on them: one sentence each, however many do."""
    homes = {"web": {node.name for node in context.web}, "db": {node.name for node in context.db}}
    gone: dict[str, dict[str, list[str]]] = {}
    for record in records:
        place = context.lock.spaces.get(record.slug)
        if place is not None and record.data["status"] in LIVING:
            for role, node in (("web", place.web), ("db", place.db)):
                if node not in homes[role]:
                    gone.setdefault(node, {}).setdefault(role, []).append(record.slug)
    for node, roles in sorted(gone.items()):
        slugs = sorted({slug for found in roles.values() for slug in found})
        there = [
            _(
                "group {role} of the inventory has {nodes}",
                role=role,
                nodes=", ".join(sorted(homes[role])) or _("none"),
            )
            for role in roles
        ]
        text = _(
            "{gone}: {there}; bring the node back into nodes.yml, or restore its spaces "
            "elsewhere and change these lines to where they are now",
            gone=_gone(node, list(roles), slugs),
            there=", ".join(there),
        )
        key = slugs[0] if len(slugs) == 1 else ""
        yield Problem(context.lock_path, text, context.lock.lines.get(slugs[0]), key)


def _gone(node: str, roles: Sequence[str], slugs: Sequence[str]) -> str:
    words = {"roles": _(" and ").join(roles), "node": node}
    if len(slugs) == 1:
        return _('the {roles} node "{node}" is gone', **words)
    # Never of one space: the plural alone.
    return _(
        'the {roles} node "{node}" is gone, with {number} spaces ({slugs}, …)',
        number=len(slugs),
        slugs=", ".join(slugs[:3]),
        **words,
    )
