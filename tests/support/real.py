# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Two majors of the real Nextcloud that lie in artifacts/, for the scenario that upgrades, and one
of them for any other.

Unlike the demo's (tools/demo_release.py), they need no release of their major in the catalogue:
what runs them and what they bring is read in their archives.

    python -m tests.support.real scenarios NAME…   those that can be run, of these
    python -m tests.support.real write NAME        a catalogue into a scenario's environment
    python -m tests.support.real alone NAME        the newest alone, with what it brings itself
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

# Makes the collection importable.
import tests.conftest  # noqa: F401
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _release_code
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _code_signature,
    _release_source,
)
from tools import ROOT, artifacts, scenario
from tools.lab import LabError

POLICY = ROOT / "group_vars/all"
# What needs how many consecutive majors.
PARTS = {
    "content, conformance, backup and restore, export": 1,
    "the upgrade across a major, and the rollback of one that fails": 2,
}
SCENARIO = "real"
OVERLAY = "group_vars/all/zzz-real.yml"


# --- choosing ------------------------------------------------------------------------------


def choose(found: list[artifacts.Release]) -> list[artifacts.Release]:
    """Return the newest two consecutive majors, else the newest alone, else nothing. Pure."""
    for old, new in reversed(list(itertools.pairwise(found))):
        if new.major == old.major + 1:
            return [old, new]
    return found[-1:]


def left_out(majors: int) -> list[str]:
    """Return the parts of the scenario that so many majors do not suffice for. Pure."""
    return [part for part, needed in PARTS.items() if majors < needed]


# --- describing ----------------------------------------------------------------------------


def _policy(file: str) -> dict[str, Any]:
    return dict(yaml.safe_load((POLICY / file).read_text(encoding="utf-8")))


def catalogue(chosen: list[artifacts.Release], folder: Path) -> dict[str, Any]:
    """Return the releases as the catalogue describes them, without what does not lie there."""
    policy = yaml.safe_load((POLICY / "applications.yml").read_text(encoding="utf-8"))
    suites = [one["application"] for one in policy["archipel_office_suites"].values()]
    needed = {*policy["archipel_applications"]["enabled"], *suites}
    found = artifacts.applications(
        {*needed, policy["archipel_registration"]["application"]}, folder
    )
    entries = {}
    for release in chosen:
        trusted = functools.cache(functools.partial(_authority, release))
        here = artifacts.fitting(release.version, found, release.brings)
        entries[release.version] = {
            "version": release.version,
            "php": dict(release.php),
            "mariadb": dict(release.mariadb),
            "archive": {"sha256": _release_source.sha256_of(release.path)},
            "applications": {name: artifacts.entry(one, trusted) for name, one in here.items()},
            "without": sorted(needed - release.brings - set(here)),
        }
    return entries


def _authority(release: artifacts.Release) -> _code_signature.Authority:
    return _code_signature.authority_of(str(release.path))


def settings(folder: Path) -> dict[str, Any]:
    """Return what an environment is given: the older release for all, the newer for one ring."""
    chosen = choose(artifacts.newest(folder))
    return {
        "archipel_releases": catalogue(chosen, folder),
        "archipel_release": chosen[0].version,
        "archipel_ring_releases": {"canary": chosen[-1].version},
        # Run by the tests alone, at their own time.
        "backup_timers_enabled": False,
    }


def alone(folder: Path) -> dict[str, Any]:
    """Return what an environment is given where how it is upgraded does not matter: the newest.

    Raises:
        LabError: there is none.

    """
    chosen = choose(artifacts.newest(folder))[-1:]
    if not chosen:
        raise LabError(f"{folder} has no archive of a Nextcloud: CONTRIBUTING.md says which")
    (entries,) = catalogue(chosen, folder).values()
    # Nothing of the store: what is tried is tried with less, and sooner.
    lacking = sorted({*entries["without"], *entries["applications"]})
    version = chosen[0].version
    return {
        "archipel_releases": {version: {**entries, "applications": {}, "without": lacking}},
        "archipel_release": version,
        "archipel_ring_releases": {},
        "backup_timers_enabled": False,
    }


WRITTEN = {"write": settings, "alone": alone}


def describe(versions: list[str]) -> str:
    """Say which releases there are, and what is left out for want of others. Pure."""
    here = ", ".join(versions) or "none"
    lines = [f"real releases in {artifacts.FOLDER.name}/ that this scenario runs: {here}"]
    lines += [
        f"LEFT OUT for want of archives (CONTRIBUTING.md): {part}"
        for part in left_out(len(versions))
    ]
    return "\n".join(lines)


def versions(name: str) -> list[str]:
    """Return the ids of the releases that a scenario has, the older one first."""
    written = json.loads((scenario.environment(name) / OVERLAY).read_text(encoding="utf-8"))
    return sorted(written["archipel_releases"], key=_release_code.numbers)


def write(name: str, described: Callable[[Path], dict[str, Any]] = settings) -> Path:
    """Write the catalogue into the environment of a scenario."""
    path = scenario.environment(name) / OVERLAY
    path.write_text(json.dumps(described(artifacts.FOLDER), indent=2) + "\n", encoding="utf-8")
    return path


def runnable(names: list[str]) -> tuple[list[str], str]:
    """Return the scenarios of these that can be run, and what there is to say about that."""
    if SCENARIO not in names:
        return names, ""
    found = [release.version for release in choose(artifacts.newest(artifacts.FOLDER))]
    kept = [name for name in names if found or name != SCENARIO]
    return kept, f"scenario {SCENARIO}: {describe(found)}"


def main(command: str, *names: str) -> int:
    """Name the scenarios that can be run, or write the catalogue of one; return the status."""
    if command in WRITTEN:
        for name in names:
            print(write(name, WRITTEN[command]))
        return 0
    kept, said = runnable(list(names))
    if said:
        print(said, file=sys.stderr)
    if "LEFT OUT" in said and os.environ.get("STRICT"):
        print("STRICT is set, so that is a failure", file=sys.stderr)
        return 1
    print(*kept)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
