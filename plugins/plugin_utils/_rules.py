# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a registry must satisfy: the JSON Schema, said in sentences, and the rules across files."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import typing as t
import zoneinfo
from dataclasses import dataclass

import jsonschema_rs

from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import Problem, did_you_mean, display_path, printable

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._placement import Lock, Node, Place
    from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import Policy
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import Record

SCHEMA_PATH = os.path.join(os.path.dirname(__file__), 'space.schema.json')
# Statuses whose spaces exist on a node.
LIVING = frozenset({'approved', 'suspended', 'closed'})
STATUSES = ('requested', 'approved', 'refused', 'suspended', 'closed')


# --- one file: the schema ------------------------------------------------------------


@functools.cache
def schema_text() -> str:
    """The schema as it is published."""
    with open(SCHEMA_PATH, encoding='utf-8') as file:
        return file.read()


@functools.cache
def schema_version() -> str:
    """Changes with the schema: what was checked with another one must be checked again."""
    return hashlib.sha256(schema_text().encode()).hexdigest()[:16]


@functools.cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(schema_text()), validate_formats=True)


def check_schema(record: Record) -> list[Problem]:
    """Everything the schema finds wrong in one file."""
    validator = _validator()
    if validator.is_valid(record.data):
        return []
    problems = [problem for error in validator.iter_errors(record.data) for problem in _sentences(record, error)]
    return list(dict.fromkeys(problems))


def _sentences(record: Record, error: jsonschema_rs.ValidationError) -> Iterator[Problem]:
    place, kind = error.instance_path, error.kind.name
    node = _schema_at(error.schema_path[:-1])
    if kind in {'additionalProperties', 'required'}:
        keys = error.kind.value
        for key in [keys] if isinstance(keys, str) else keys:
            text = _missing(record, error, key) if kind == 'required' else _unknown(node, key)
            yield record.problem(text, *place, key)
    elif kind == 'falseSchema':
        status = record.data.get('status')
        yield record.problem(f'not allowed with status {status}; remove it, or set the status it belongs to', *place)
    else:
        found = 'nothing' if error.instance is None else printable(error.instance)
        if kind == 'uniqueItems':
            found = 'the same item twice'
        allowed = node.get('description', error.message)
        enum = node.get('enum', [])
        hint = did_you_mean(error.instance, enum) if isinstance(error.instance, str) else _type_hint(node, error.instance)
        yield record.problem(f'found {found}; allowed: {allowed}.{hint}', *place)


def _type_hint(node: Mapping[str, t.Any], found: object) -> str:
    if node.get('type') == 'string' and isinstance(found, (int, float)):
        return f' Put it in quotes to make it a text: "{found}"'
    return ''


def _unknown(node: Mapping[str, t.Any], key: str) -> str:
    known = list(node['properties'])
    return f'unknown key; allowed: {", ".join(known)}.{did_you_mean(key, known)}'


def _missing(record: Record, error: jsonschema_rs.ValidationError, key: str) -> str:
    keys = [step for step in (*error.instance_path, key) if isinstance(step, str)]
    node = json.loads(schema_text())
    for step in keys:
        node = node['properties'][step]
    why = f' (status is {record.data.get("status")})' if 'then' in error.schema_path else ''
    example = json.dumps(node['examples'][0], ensure_ascii=False)
    return f'missing{why}; allowed: {node["description"]}. Add for instance {key}: {example}'


def _schema_at(path: Sequence[str | int]) -> dict[str, t.Any]:
    node = json.loads(schema_text())
    for step in path:
        node = node[step]
    return t.cast('dict[str, t.Any]', node) if isinstance(node, dict) else {}


# --- across files --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """What the rules compare the files with."""

    policy: Policy
    lock: Lock
    lock_path: str
    web: Sequence[Node]
    db: Sequence[Node]
    # Names of the inventory that no space may take, and what each is.
    names: Mapping[str, str]
    today: datetime.date


def check_all(records: Iterable[Record], world: World) -> Iterator[Problem]:
    """Every problem that one file alone cannot show."""
    records = list(records)
    for record in records:
        yield from _check_name(record, world)
        yield from _check_choices(record, world.policy)
        yield from _check_limits(record, world.policy)
        yield from _check_dates(record, world.today)
        yield from _check_placed(record, world)
    yield from _check_domains(records, world)


def _check_name(record: Record, world: World) -> Iterator[Problem]:
    if record.slug in world.policy.reserved_slugs:
        remedy = 'rename the file; the reserved ones are in the policy, archipel_reserved_slugs'
        yield record.problem(f'the slug "{record.slug}" is reserved; {remedy}')
    elif kind := world.names.get(record.slug):
        yield record.problem(f'the slug "{record.slug}" is already the name of {kind} in the inventory; rename the file')


def _check_choices(record: Record, policy: Policy) -> Iterator[Problem]:
    office = record.data.get('office')
    if office is not None and office not in policy.offices:
        allowed = ', '.join(policy.offices)
        hint = did_you_mean(office, policy.offices)
        yield record.problem(f'found "{office}"; allowed, from archipel_offices in the policy: {allowed}.{hint}', 'office')
    timezone = record.data.get('timezone')
    if timezone is not None and not _is_timezone(timezone):
        yield record.problem(f'unknown time zone "{timezone}"; allowed: a name such as Europe/Paris', 'timezone')


@functools.cache
def _is_timezone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def _check_limits(record: Record, policy: Policy) -> Iterator[Problem]:
    limits = record.data.get('limits')
    if not limits or 'approved_by' in limits:
        return
    for kind, maximum in policy.limits_maximum.items():
        if limits.get(kind, 0) > maximum:
            remedy = 'lower it, or name in limits.approved_by who allowed more'
            yield record.problem(f'found {limits[kind]}; allowed: at most {maximum}; {remedy}', 'limits', kind)


def _check_dates(record: Record, today: datetime.date) -> Iterator[Problem]:
    # A day of tolerance: it may already be tomorrow where the file was written.
    latest = (today + datetime.timedelta(days=1)).isoformat()
    decided, closed = record.data.get('decision', {}).get('on'), record.data.get('closed_on')
    for place, date in ((('decision', 'on'), decided), (('closed_on',), closed)):
        if date is not None and date > latest:
            yield record.problem(f'found {date}, which is in the future; allowed: at most today, {today}', *place)
    if decided and closed and closed < decided:
        yield record.problem(f'found {closed}, before decision.on ({decided}); allowed: the same day or later', 'closed_on')


def _check_placed(record: Record, world: World) -> Iterator[Problem]:
    status, place = record.data['status'], world.lock.spaces.get(record.slug)
    if place is None:
        return
    if status not in LIVING:
        text = f'found "{status}", but the space exists on {place.web} ({display_path(world.lock_path)}'
        text += f':{world.lock.lines.get(record.slug)}); allowed: approved, suspended or closed'
        yield record.problem(text, 'status')


def check_lock(records: Iterable[Record], world: World) -> Iterator[Problem]:
    """The lock file against the environment and its machines."""
    environment = world.lock.environment
    if environment not in {None, world.policy.environment}:
        text = (
            f'found "{environment}", but archipel_environment is "{world.policy.environment}"; the files of two '
            'environments are mixed: restore the placement.yml of this one from git'
        )
        yield Problem(world.lock_path, text, key='environment')
    homes = {'web': {node.name for node in world.web}, 'db': {node.name for node in world.db}}
    for record in records:
        place = world.lock.spaces.get(record.slug)
        if place is not None and record.data['status'] in LIVING:
            yield from _check_homes(record.slug, place, homes, world)


def _check_homes(slug: str, place: Place, homes: Mapping[str, set[str]], world: World) -> Iterator[Problem]:
    for role in ('web', 'db'):
        node = getattr(place, role)
        if node not in homes[role]:
            allowed = ', '.join(sorted(homes[role])) or 'none'
            text = (
                f'{role} node "{node}" is not in group {role} of the inventory (there: {allowed}); '
                'bring the machine back into nodes.yml, or move the space away with playbooks/move.yml first'
            )
            yield Problem(world.lock_path, text, world.lock.lines.get(slug), slug)


class _Claim(t.NamedTuple):
    record: Record
    index: int


def _check_domains(records: Iterable[Record], world: World) -> Iterator[Problem]:
    """Each host name belongs to one space.

    The newcomer is to blame: a placed space keeps its name when a new file claims it.
    """
    base, suffix = world.policy.base_domain, f'.{world.policy.base_domain}'
    claims: dict[str, list[_Claim]] = {}
    for record in records:
        for index, domain in enumerate(record.data.get('domains', ())):
            if domain == base or domain.endswith(suffix):
                text = f'found "{domain}"; allowed: names outside {base}, where spaces get their name from their file'
                yield record.problem(text, 'domains', index)
            elif record.data['status'] != 'refused':
                claims.setdefault(domain, []).append(_Claim(record, index))
    for domain, claimants in claims.items():
        if len(claimants) > 1:
            yield from _disputed(domain, claimants, world)


def _disputed(domain: str, claimants: Sequence[_Claim], world: World) -> Iterator[Problem]:
    placed = [claim for claim in claimants if claim.record.slug in world.lock.spaces]
    owner = placed[0] if len(placed) == 1 else None
    for claim in claimants:
        if claim is owner:
            continue
        others = ', '.join(display_path(other.record.path) for other in claimants if other is not claim)
        text = f'the domain "{domain}" is also claimed by {others}; keep it in one file'
        yield claim.record.problem(text, 'domains', claim.index)
