# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds for every space: the part of group_vars/all that the inventory needs. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _support, _variables
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy._upgrades import (
    RINGS,
    budget_problems,
    ring_problems,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _locales,
    _schema,
    _suffixes,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

DEFAULT_RING = "stable"
HTTPS = 443

SCHEMA = _schema.Schema(Path(__file__).with_name("policy.schema.json"))
# One variable at a time.
_EACH = _schema.Schema(Path(__file__).with_name("policy.schema.json"), complete=False)
# What the inventory itself needs of the policy.
NAMES = (
    "archipel_environment",
    "archipel_base_domain",
    "archipel_https_port",
    "archipel_limits_default",
    "archipel_limits_maximum",
    "archipel_reserved_slugs",
    "archipel_offices",
    "archipel_office_pinned",
    "archipel_office_suites",
    "archipel_office_rotations",
    "archipel_default_locale",
    "archipel_default_timezone",
    "archipel_default_phone_region",
    "archipel_release",
    "archipel_ring_releases",
    "archipel_releases",
    "archipel_contacts",
    "archipel_intake",
)

Values = Unchecked


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
    # Where contacts are kept: public (in the files) or vaulted.
    contacts: str = "public"
    # What the form has of the base domain's names; empty: there is no form.
    form: str = ""

    @classmethod
    def from_vars(cls, values: Values) -> Policy:
        """Build it from plain variables in which check() found nothing wrong."""
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
            contacts=values.get("archipel_contacts", "public"),
            form=values.get("archipel_intake", {}).get("host", "").partition(".")[0],
        )

    @property
    def port_suffix(self) -> str:
        """What an address ends with where people use another port than 443."""
        return "" if self.https_port == HTTPS else f":{self.https_port}"

    def host_name(self, slug: str) -> str:
        """The name under which a space answers."""
        return f"{slug}.{self.base_domain}"

    def url(self, name: str) -> str:
        """The address that people type, of a host name."""
        return f"https://{name}{self.port_suffix}"


def _context() -> _schema.Context:
    return _schema.Context(
        forbidden=_("found by the inventory itself; remove it"),
        known=_("the variables of docs/architecture.md"),
    )


# --- what somebody wrote -------------------------------------------------------------


def check_declared(
    variables: Iterable[_variables.Variable], evaluate: _variables.Evaluate
) -> list[Problem]:
    """Everything that is wrong with variables, each where it stands."""
    return [problem for one in variables for problem in _check_variable(one, evaluate)]


def _check_variable(
    variable: _variables.Variable, evaluate: _variables.Evaluate
) -> Iterator[Problem]:
    known = SCHEMA.root["properties"].get(variable.name, {})
    if known and (known.get("writeOnly") or variable.file == _variables.COMMAND_LINE):
        return  # a secret is not even looked at, and a command says everything in text
    for place in _twice(variable.node, ()):
        yield variable.problem(_("comes twice; remove one of the two"), *place)
    value = _variables.read_value(variable, evaluate if variable.shared else _nobody_knows)
    faults = [
        *_EACH.faults({variable.name: value.plain}, _context()),
        *_check_numbers(variable.name, value),
    ]
    if not faults and value.is_known(()):
        own = _own(variable.name, value.plain)
        faults = [_schema.Fault((variable.name,), text) for text in own]
    for fault in faults:
        inside = fault.place[1:]
        if value.is_known(inside):
            yield variable.problem(fault.text, *inside)


def _twice(node: yaml.Node | None, place: _schema.Place) -> Iterator[_schema.Place]:
    """Keys that one mapping has twice: YAML takes the last of them without a word."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str | int] = set()
    for key, below in node.value:
        inside = (*place, str(key.value))
        if inside[-1] in seen:
            yield inside
        seen.add(inside[-1])
        yield from _twice(below, inside)


def _nobody_knows(_text: str) -> t.NoReturn:
    """Evaluate no template: here nothing is known of a run.

    Raises:
        Unknown: always.

    """
    raise _variables.Unknown


def _check_numbers(name: str, value: _variables.Value) -> Iterator[_schema.Fault]:
    """A whole number is written as one: JSON Schema takes 50.0, and YAML reads 010 as 8."""
    for place, written in value.written.items():
        node = SCHEMA.node((name, *place))
        if node.get("type") == "integer":
            text = _(
                "found {found}; allowed: {allowed}, without a point or zeros before it",
                found=quoted(written),
                allowed=_(node["description"]),
            )
            yield _schema.Fault((name, *place), text)


def _own(name: str, value: t.Any) -> list[str]:
    """What no schema says of one variable."""
    rules: dict[str, Callable[[t.Any], t.Any]] = {
        "archipel_base_domain": _check_base_domain,
        "archipel_default_locale": _locales.check_locale,
        "archipel_default_timezone": _locales.check_timezone,
        "archipel_releases": _support.problems,
        "archipel_upgrade_rings": ring_problems,
        "archipel_upgrade_budget": budget_problems,
    }
    found = rules[name](value) if name in rules else []
    return [found] if isinstance(found, str) and found else list(found)


def _check_base_domain(domain: t.Any) -> str:
    """Return why no authority would sign for all names below a domain; empty if one would."""
    if not isinstance(domain, str) or not _suffixes.is_public(domain):
        return ""
    return _(
        "found {found}, below which anybody registers names (publicsuffix.org); allowed: a domain "
        "of your own, such as spaces.association.{domain}",
        found=quoted(domain),
        domain=domain,
    )


# --- what it comes to ----------------------------------------------------------------


def check(values: Values, where: str, declared: Sequence[_variables.Variable]) -> list[Problem]:
    """Everything that is wrong with the policy as a whole: what is missing, and what contradicts.

    Args:
        values: what the inventory needs, evaluated.
        where: the folder that people must look into where nobody has set a variable.
        declared: who has set what; the last of them counts.

    """
    faults = [*SCHEMA.faults(dict(values), _context())]
    for name, value in values.items():
        faults += [_schema.Fault((name,), text) for text in _own_if_text(name, value)]
    faults += [*_check_limits(values), *_check_releases(values), *_check_offices(values)]
    faults += _check_intake(values)
    owners = {one.name: one for one in declared if one.shared}
    return [_located(fault, where, owners) for fault in faults]


def _own_if_text(name: str, value: t.Any) -> list[str]:
    return _own(name, value) if isinstance(value, str) else []


def _located(
    fault: _schema.Fault, where: str, owners: Mapping[str, _variables.Variable]
) -> Problem:
    name, *inside = fault.place
    if owner := owners.get(str(name)):
        return owner.problem(fault.text, *inside)
    hint = _(". Is the link 00-baseline there?") if fault.missing else ""
    return Problem(where, fault.text + hint, key=".".join(map(str, fault.place)))


def _check_limits(values: Values) -> Iterator[_schema.Fault]:
    default, maximum = (values.get(f"archipel_limits_{end}") for end in ("default", "maximum"))
    for kind in ("accounts", "storage_gb"):
        value, most = (
            limits.get(kind) if isinstance(limits, dict) else None for limits in (default, maximum)
        )
        if type(value) is int and type(most) is int and value > most:
            text = _(
                "found {found}; allowed: at most archipel_limits_maximum, {most}",
                found=value,
                most=most,
            )
            yield _schema.Fault(("archipel_limits_default", kind), text)


def _check_releases(values: Values) -> Iterator[_schema.Fault]:
    catalogue, rings = (values.get(f"archipel_{end}") for end in ("releases", "ring_releases"))
    wanted: dict[_schema.Place, t.Any] = {("archipel_release",): values.get("archipel_release")}
    for ring, release in rings.items() if isinstance(rings, dict) else ():
        wanted["archipel_ring_releases", ring] = release
    if isinstance(catalogue, dict):
        for place, release in wanted.items():
            if isinstance(release, str) and release not in catalogue:
                text = _(
                    "unknown release {found}; allowed, from archipel_releases: {releases}.{hint}",
                    found=quoted(release),
                    releases=", ".join(catalogue) or _("none"),
                    hint=did_you_mean(release, catalogue),
                )
                yield _schema.Fault(place, text)


def _check_offices(values: Values) -> Iterator[_schema.Fault]:
    suites, offered = values.get("archipel_office_suites"), values.get("archipel_offices")
    if not isinstance(suites, dict) or not isinstance(offered, list):
        return
    for number, suite in enumerate(offered):
        if isinstance(suite, str) and suite not in suites:
            text = _(
                "unknown suite {found}; allowed, from archipel_office_suites: {suites}.{hint}",
                found=quoted(suite),
                suites=", ".join(suites) or _("none"),
                hint=did_you_mean(suite, suites),
            )
            yield _schema.Fault(("archipel_offices", number), text)


def _check_intake(values: Values) -> Iterator[_schema.Fault]:
    """The form's host is one that the node's certificate names."""
    intake, base = values.get("archipel_intake"), values.get("archipel_base_domain")
    host = intake.get("host") if isinstance(intake, dict) else None
    if not isinstance(host, str) or not isinstance(base, str):
        return
    if host.partition(".")[2] != base:
        text = _(
            "found {found}; allowed: a name right below {base}, such as demande.{base}",
            found=quoted(host),
            base=base,
        )
        yield _schema.Fault(("archipel_intake", "host"), text)
