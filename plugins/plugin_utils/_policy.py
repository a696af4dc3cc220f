# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds for every space: the part of group_vars/all that the inventory needs. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.archipel.spaces.plugins.plugin_utils._placement import SUITE
from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import (
    Problem,
    RegistryError,
    did_you_mean,
    quoted,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RINGS = ("canary", "early", "stable")
DEFAULT_RING = "stable"
HTTPS = 443

_HOST_NAME = re.compile(
    r"(?=.{4,200}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_host_name(value: object) -> bool:
    return isinstance(value, str) and bool(_HOST_NAME.fullmatch(value))


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _is_port(value: object) -> bool:
    return type(value) is int and 0 < value < 65536


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_offices(value: object) -> bool:
    return (
        bool(value) and _is_texts(value) and all(map(SUITE.fullmatch, t.cast("list[str]", value)))
    )


def _is_limits(value: object) -> bool:
    known = isinstance(value, dict) and set(value) == {"accounts", "storage_gb"}
    return known and all(map(_is_count, t.cast("dict[str, object]", value).values()))


def _is_rotations(value: object) -> bool:
    return isinstance(value, dict) and all(
        type(number) is int and number >= 0 for number in value.values()
    )


def _is_rings(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


class _Kind(t.NamedTuple):
    allowed: str
    test: Callable[[object], bool]
    required: bool = True


_LIMITS = _Kind("a mapping of the whole numbers accounts and storage_gb", _is_limits)
_KINDS = {
    "archipel_environment": _Kind("a word such as production", _is_text),
    "archipel_base_domain": _Kind("a host name such as spaces.example.org", _is_host_name),
    "archipel_https_port": _Kind("a port number from 1 to 65535", _is_port),
    "archipel_limits_default": _LIMITS,
    "archipel_limits_maximum": _LIMITS,
    "archipel_reserved_slugs": _Kind("a list of words", _is_texts),
    "archipel_offices": _Kind("a list such as [collabora, onlyoffice]", _is_offices),
    "archipel_office_pinned": _Kind(
        "true or false", lambda value: isinstance(value, bool), required=False
    ),
    "archipel_office_suites": _Kind(
        "a mapping from a suite to what it is, as in group_vars/all/applications.yml",
        lambda value: isinstance(value, dict),
        required=False,
    ),
    "archipel_office_rotations": _Kind(
        "a mapping from a slug to a whole number", _is_rotations, required=False
    ),
    "archipel_default_locale": _Kind("a language code such as fr", _is_text),
    "archipel_default_timezone": _Kind("a time zone such as Europe/Paris", _is_text),
    "archipel_default_phone_region": _Kind(
        "two capital letters such as FR, or nothing", lambda value: isinstance(value, str), False
    ),
    "archipel_release": _Kind("the id of a release in archipel_releases", _is_text),
    "archipel_ring_releases": _Kind(
        "a mapping from a ring to the id of a release", _is_rings, required=False
    ),
    "archipel_releases": _Kind(
        "a mapping whose keys are the ids of releases", lambda value: isinstance(value, dict)
    ),
}
NAMES = tuple(_KINDS)


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
    # Country of telephone numbers without a country code; empty: they need one.
    phone_region: str
    # ring -> release
    releases: Mapping[str, str]

    @classmethod
    def from_vars(cls, values: Mapping[str, t.Any], where: str) -> Policy:
        """Build it from plain variables; `where` is the folder that people must look into."""
        problems = [Problem(where, text, key=key) for key, text in _check(values)]
        if problems:
            raise RegistryError(problems)
        rings = values.get("archipel_ring_releases", {})
        return cls(
            environment=values["archipel_environment"],
            base_domain=values["archipel_base_domain"],
            https_port=values["archipel_https_port"],
            limits_default=values["archipel_limits_default"],
            limits_maximum=values["archipel_limits_maximum"],
            reserved_slugs=frozenset(values["archipel_reserved_slugs"]),
            offices=tuple(values["archipel_offices"]),
            office_pinned=values.get("archipel_office_pinned", False),
            locale=values["archipel_default_locale"],
            timezone=values["archipel_default_timezone"],
            phone_region=values.get("archipel_default_phone_region", ""),
            releases={ring: rings.get(ring, values["archipel_release"]) for ring in RINGS},
        )

    @property
    def port_suffix(self) -> str:
        """What an address ends with where people use another port than 443."""
        return "" if self.https_port == HTTPS else f":{self.https_port}"

    def host_name(self, slug: str) -> str:
        """The name under which a space answers."""
        return f"{slug}.{self.base_domain}"

    def url(self, slug: str) -> str:
        """The address that people type."""
        return f"https://{self.host_name(slug)}{self.port_suffix}"


def _check(values: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    for name, kind in _KINDS.items():
        if name in values and not kind.test(values[name]):
            yield name, f"found {quoted(values[name])}; allowed: {kind.allowed}"
        elif name not in values and kind.required:
            yield name, f"missing; set it to {kind.allowed}. Is the link 00-baseline there?"
    yield from _check_limits(values)
    yield from _check_releases(values)


def _check_limits(values: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    default, maximum = (values.get(f"archipel_limits_{end}") for end in ("default", "maximum"))
    if not (_is_limits(default) and _is_limits(maximum)):
        return
    for kind, value in t.cast("dict[str, int]", default).items():
        most = t.cast("dict[str, int]", maximum)[kind]
        if value > most:
            text = f"found {value}; allowed: at most archipel_limits_maximum, {most}"
            yield f"archipel_limits_default.{kind}", text


def _check_releases(values: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    catalogue, rings = (values.get(f"archipel_{end}") for end in ("releases", "ring_releases"))
    wanted = {"archipel_release": values.get("archipel_release")}
    for ring, release in rings.items() if isinstance(rings, dict) else ():
        wanted[f"archipel_ring_releases.{ring}"] = release
        if ring not in RINGS:
            text = f"unknown ring; allowed: {', '.join(RINGS)}.{did_you_mean(ring, RINGS)}"
            yield f"archipel_ring_releases.{ring}", text
    if isinstance(catalogue, dict):
        for key, release in wanted.items():
            if isinstance(release, str) and release not in catalogue:
                allowed = f"allowed, from archipel_releases: {', '.join(catalogue) or 'none'}"
                hint = did_you_mean(release, catalogue)
                yield key, f'unknown release "{release}"; {allowed}.{hint}'
