# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds for every space: the part of group_vars/all that the inventory needs. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import Problem, RegistryError, did_you_mean, printable

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RINGS = ('canary', 'early', 'stable')
DEFAULT_RING = 'stable'

# Required: name -> (what is allowed, test).
_HOST_NAME = re.compile(r'([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?')


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_limits(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {'accounts', 'storage_gb'} and all(map(_is_count, value.values()))


def _is_rings(value: object) -> bool:
    return isinstance(value, dict) and all(_is_text(release) for release in value.values())


_LIMITS = 'a mapping of the whole numbers accounts and storage_gb'
_REQUIRED: dict[str, tuple[str, t.Callable[[t.Any], bool]]] = {
    'archipel_environment': ('a word such as production', _is_text),
    'archipel_base_domain': (
        'a host name in lower-case ASCII such as spaces.example.org',
        lambda value: isinstance(value, str) and bool(_HOST_NAME.fullmatch(value)),
    ),
    'archipel_https_port': ('a port number, 1 to 65535', lambda value: _is_count(value) and value < 65536),
    'archipel_limits_default': (_LIMITS, _is_limits),
    'archipel_limits_maximum': (_LIMITS, _is_limits),
    'archipel_reserved_slugs': ('a list of words', _is_texts),
    'archipel_offices': ('a list of words such as [collabora, onlyoffice]', lambda value: bool(value) and _is_texts(value)),
    'archipel_default_locale': ('a language code such as fr', _is_text),
    'archipel_default_timezone': ('a time zone such as Europe/Paris', _is_text),
}
_OPTIONAL: dict[str, tuple[str, t.Callable[[t.Any], bool]]] = {
    'archipel_release': ('the id of a release in archipel_releases', _is_text),
    'archipel_office_pinned': ('true or false', lambda value: isinstance(value, bool)),
    'archipel_ring_releases': (f'a mapping from a ring ({", ".join(RINGS)}) to a release', _is_rings),
    'archipel_releases': ('a mapping whose keys are the ids of the known releases', lambda value: isinstance(value, dict)),
}
NAMES = (*_REQUIRED, *_OPTIONAL)


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one environment, checked."""

    environment: str
    base_domain: str
    https_port: int
    limits_default: Mapping[str, int]
    limits_maximum: Mapping[str, int]
    reserved_slugs: frozenset[str]
    offices: tuple[str, ...]
    office_pinned: bool
    locale: str
    timezone: str
    # ring -> release
    releases: Mapping[str, str | None]

    @classmethod
    def from_vars(cls, values: Mapping[str, t.Any], where: str) -> Policy:
        """Build it from plain variables; `where` is the folder that people must look into."""
        problems = [Problem(where, text, key=key) for key, text in _check(values)]
        if problems:
            raise RegistryError(problems)
        rings = values.get('archipel_ring_releases') or {}
        return cls(
            environment=values['archipel_environment'],
            base_domain=values['archipel_base_domain'],
            https_port=values['archipel_https_port'],
            limits_default=values['archipel_limits_default'],
            limits_maximum=values['archipel_limits_maximum'],
            reserved_slugs=frozenset(values['archipel_reserved_slugs']),
            offices=tuple(values['archipel_offices']),
            office_pinned=values.get('archipel_office_pinned', False),
            locale=values['archipel_default_locale'],
            timezone=values['archipel_default_timezone'],
            releases={ring: rings.get(ring, values.get('archipel_release')) for ring in RINGS},
        )

    def host_name(self, slug: str) -> str:
        """The name under which a space answers."""
        return f'{slug}.{self.base_domain}'

    def url(self, slug: str) -> str:
        """The address that people type."""
        port = '' if self.https_port == 443 else f':{self.https_port}'
        return f'https://{self.host_name(slug)}{port}'


def _check(values: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    for name, (allowed, test) in _REQUIRED.items():
        if name not in values:
            yield name, f'missing; set it to {allowed}. Is group_vars/all/00-baseline there?'
        elif not test(values[name]):
            yield name, f'found {printable(values[name])}; allowed: {allowed}'
    for name, (allowed, test) in _OPTIONAL.items():
        if name in values and not test(values[name]):
            yield name, f'found {printable(values[name])}; allowed: {allowed}'
    yield from _check_limits(values.get('archipel_limits_default'), values.get('archipel_limits_maximum'))
    yield from _check_releases(values)


def _check_limits(default: t.Any, maximum: t.Any) -> Iterator[tuple[str, str]]:
    if not (_is_limits(default) and _is_limits(maximum)):
        return
    for kind, value in default.items():
        if value > maximum[kind]:
            yield f'archipel_limits_default.{kind}', f'found {value}; allowed: at most archipel_limits_maximum, {maximum[kind]}'


def _check_releases(values: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    catalogue = values.get('archipel_releases')
    wanted = {'archipel_release': values.get('archipel_release')}
    rings = values.get('archipel_ring_releases')
    if _is_rings(rings):
        for ring, release in t.cast('dict[str, str]', rings).items():
            if ring not in RINGS:
                yield f'archipel_ring_releases.{ring}', f'unknown ring; allowed: {", ".join(RINGS)}.{did_you_mean(ring, RINGS)}'
            wanted[f'archipel_ring_releases.{ring}'] = release
    if not isinstance(catalogue, dict):
        return
    for key, release in wanted.items():
        if _is_text(release) and release not in catalogue:
            known = ', '.join(catalogue) or 'none'
            yield key, f'unknown release "{release}"; allowed, from archipel_releases: {known}.{did_you_mean(str(release), catalogue)}'
