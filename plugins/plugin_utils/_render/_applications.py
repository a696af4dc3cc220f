# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The application set of the policy: what is wrong with it, and what it asks of a space. Pure."""

from __future__ import annotations

import functools
import json
import re
import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    Office,
    Settings,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry, Suite
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _office_rules
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _connectors
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import (
    Applications,
    Registration,
)

Suites = t.Mapping[str, Suite]


class Asked(t.TypedDict):
    """Applications that a space's own file turns on or off, and application → key → value."""

    enable: list[str]
    disable: list[str]
    settings: dict[str, Settings]


ID = re.compile(r"[a-z][a-z0-9_]{1,63}")
KEYS = ("enabled", "disabled", "settings")
SUITE_KEYS = ("name", "application")
SUITE_MORE = ("role", "host", "connections", "settings", "config", "open")
# Nextcloud's own record of what is installed.
PROTECTED = frozenset({"enabled", "installed_version", "types"})
# Ours: it is how everything else gets into a space.
OWN = "archipel"


def check(policy: t.Any, suites: t.Any, offices: t.Sequence[str]) -> list[str]:
    """Return everything that is wrong with the application set, in sentences."""
    if not isinstance(policy, t.Mapping):
        return [f"archipel_applications: found {quoted(policy)}; allowed: a mapping"]
    problems = [
        f"archipel_applications.{key}: unknown key; allowed: {', '.join(KEYS)}."
        f"{did_you_mean(str(key), KEYS)}"
        for key in policy
        if key not in KEYS
    ]
    for key in ("enabled", "disabled"):
        problems += check_ids(policy.get(key, []), f"archipel_applications.{key}")
    if not problems:
        problems += check_lists(policy)
    problems += check_settings(policy.get("settings", {}))
    return problems + check_suites(suites, offices, policy)


def named(policy: Applications, suites: Suites, registration: Registration) -> list[str]:
    """Return the applications of which the policy says whether they are on."""
    connectors = (suite["application"] for suite in suites.values() if "application" in suite)
    listed = [*policy.get("enabled", ()), *policy.get("disabled", ())]
    asked = [registration["application"]] if registration.get("application") else []
    return sorted({*listed, *connectors, *asked})


def left_open(
    releases: t.Mapping[str, Unchecked],
    policy: Applications,
    suites: Suites,
    registration: Registration,
) -> dict[str, list[str]]:
    """Return what releases bring and the policy neither turns on nor off, as far as it is known.

    What a major version brings that this collection does not know yet is named by the nodes
    that have built it.
    """
    known, said = _shipped(), set(named(policy, suites, registration))
    found = {}
    for release, entry in releases.items():
        major = str(entry.get("version", "")).partition(".")[0]
        shipped = known.get(major, {"applications": [], "always": []})
        brought = {*shipped["applications"], *(entry.get("applications") or ())}
        if left := sorted(brought - said - set(shipped["always"]) - {OWN}):
            found[release] = left
    return found


@functools.cache
def _shipped() -> dict[str, dict[str, list[str]]]:
    text = Path(__file__).with_name("shipped.json").read_text(encoding="utf-8")
    content: dict[str, dict[str, list[str]]] = json.loads(text)
    return {major: shipped for major, shipped in content.items() if major.isdecimal()}


def check_ids(value: t.Any, where: str) -> list[str]:
    """Return what is wrong with a list of applications."""
    if not isinstance(value, list):
        return [f"{where}: found {quoted(value)}; allowed: a list of application ids"]
    problems = [
        f"{where}: found {quoted(one)}; allowed: an id such as calendar or files_sharing"
        for one in value
        if not isinstance(one, str) or not ID.fullmatch(one)
    ]
    twice = sorted({str(one) for one in value if value.count(one) > 1})
    return problems + [f"{where}: {one} comes twice; remove one of the two" for one in twice]


def check_lists(policy: Unchecked) -> list[str]:
    """Return what contradicts itself."""
    enabled, disabled = policy.get("enabled", []), policy.get("disabled", [])
    problems = [
        f"archipel_applications: {one} is both enabled and disabled; keep one of the two"
        for one in sorted(set(enabled) & set(disabled))
    ]
    if OWN in disabled:
        problems.append(f"archipel_applications.disabled: {OWN} converges the space; remove it")
    return problems


def check_settings(settings: t.Any) -> list[str]:
    """Return what is wrong with the settings of the applications."""
    where = "archipel_applications.settings"
    if not isinstance(settings, t.Mapping):
        return [f"{where}: found {quoted(settings)}; allowed: application -> key -> value"]
    problems = []
    for app, values in settings.items():
        if not isinstance(app, str) or not ID.fullmatch(app):
            problems.append(f"{where}: found {quoted(app)}; allowed: an application's id")
        elif not isinstance(values, t.Mapping):
            problems.append(f"{where}.{app}: found {quoted(values)}; allowed: key -> value")
        else:
            problems += [
                f"{where}.{app}.{key}: belongs to Nextcloud itself; "
                "use archipel_applications.enabled and disabled"
                for key in sorted(PROTECTED & set(values))
            ]
            problems += [
                f"{where}.{app}: found the key {quoted(key)}; allowed: a text of 1 to 64 characters"
                for key in values
                if not isinstance(key, str) or not 1 <= len(key) <= 64
            ]
    return problems


def check_suites(suites: t.Any, offices: t.Sequence[str], policy: Unchecked) -> list[str]:
    """Return what is wrong with the office suites."""
    where = "archipel_office_suites"
    if not isinstance(suites, t.Mapping):
        return [f"{where}: found {quoted(suites)}; allowed: suite -> {{name, application}}"]
    problems = [
        f"{where}: archipel_offices names {one}, which is not described here; "
        f"allowed: {', '.join(map(str, suites))}.{did_you_mean(one, suites)}"
        for one in offices
        if one not in suites
    ]
    lists = [policy.get(key) for key in ("enabled", "disabled")]
    taken = [one for some in lists if isinstance(some, list) for one in some]
    for suite, details in suites.items():
        allowed = {*SUITE_KEYS, *SUITE_MORE}
        if not isinstance(details, t.Mapping) or not set(SUITE_KEYS) <= set(details) <= allowed:
            problems.append(
                f"{where}.{suite}: found {quoted(details)}; allowed: name and application, and "
                f"also {', '.join(SUITE_MORE)}"
            )
        elif not ID.fullmatch(str(details["application"])):
            problems.append(
                f"{where}.{suite}.application: found {quoted(details['application'])}; "
                "allowed: an id such as richdocuments"
            )
        elif details["application"] in taken:
            problems.append(
                f"{where}.{suite}: {details['application']} is in archipel_applications too; "
                "remove it there, the choice of the suite decides about it"
            )
        else:
            problems += [
                f"{where}.{suite}.{text}" for text in _office_rules.check_suite(suite, details)
            ]
    return problems


def required(policy: Applications, suites: Suites, offices: t.Sequence[str]) -> list[str]:
    """Return the applications a release must hold."""
    connectors = [suites[office]["application"] for office in offices]
    return sorted({*policy.get("enabled", ()), *connectors})


def office(space: SpaceEntry, suites: Suites, offices: t.Sequence[str]) -> Office:
    """Return what `occ archipel:apply` is given about a space's office suites."""
    return {
        "suites": {one: _connectors.describe(space, one, suites[one]) for one in offices},
        "default": space["office"],
        "pinned": space["office_pinned"],
    }


def registration(space: SpaceEntry, policy: Registration) -> Asked:
    """Return what makes visitors able to ask a space for an account, or unable."""
    application = policy.get("application")
    if not application:
        return {"enable": [], "disable": [], "settings": {}}
    if not space["registration"]:
        return {"enable": [], "disable": [application], "settings": {}}
    return {
        "enable": [application],
        "disable": [],
        "settings": {application: dict(policy.get("settings", {}))},
    }


def list_asked(space: SpaceEntry, policy: Registration) -> list[str]:
    """Return the applications that a space's own file asks for, beside the set."""
    return list(registration(space, policy)["enable"])


def merge_settings(*settings: t.Mapping[str, t.Mapping[str, object]]) -> dict[str, Settings]:
    """Return settings of applications, key by key; later ones win."""
    result: dict[str, Settings] = {}
    for some in settings:
        for app, values in some.items():
            result.setdefault(app, {}).update(values)
    return result
