# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The Document Server's packages for a machine: the vendor's where at hand, else stand-ins.

A package of the vendor in ``artifacts/`` (onlyoffice-documentserver_*.deb) is taken before the
stand-in. Usage: ``python -m tests.support.documentserver SCENARIO``, once machine and
environment are there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.standin import office
from tests.support import aptrepo
from tools import ROOT, scenario

BUILD = ROOT / "build/standin/onlyoffice"
ARTIFACTS = ROOT / "artifacts"
# Where the repository is on the machine.
PLACE = "/srv/onlyoffice-repository"
SUITE = "squeeze"
VERSIONS = ("9.0.4-1", "9.0.5-1")


def signer() -> aptrepo.Signer:
    """Return the key that signs the repository of the tests."""
    return aptrepo.kept(BUILD / "key")


def packages() -> list[Path]:
    """Return the packages in the order of upgrades: the vendor's own, else stand-ins."""
    vendor = sorted(ARTIFACTS.glob(f"{office.NAME}_*.deb"))
    return vendor or [office.build(version, BUILD) for version in VERSIONS]


def publish(name: str, count: int) -> None:
    """Put a repository with the first so many versions on a machine."""
    found = [*packages()[:count], office.build_fonts(BUILD)]
    machine = scenario.machine(name)
    aptrepo.publish(machine, PLACE, BUILD / "repository", found, signer(), SUITE)


def variables() -> dict[str, object]:
    """Return what the role is told of the repository."""
    key = BUILD / "key.asc"
    key.write_text(signer().public(), encoding="utf-8")
    return {
        "onlyoffice_repository_url": f"file:{PLACE}",
        "onlyoffice_repository_key": str(key),
        "onlyoffice_repository_key_fingerprint": signer().fingerprint(),
        "onlyoffice_contrib_url": "",
    }


def running(name: str) -> str:
    """Say which Document Server is installed on a machine."""
    query = ("dpkg-query", "--show", "--showformat=${Version} (${Description})", office.NAME)
    return f"{office.NAME} {scenario.machine(name).execute(*query).splitlines()[0]}"


def main() -> None:
    """Publish the older version, and tell the environment of it."""
    name = sys.argv[1]
    publish(name, 1)
    settings = scenario.environment(name) / "group_vars/all/zzz-repository.yml"
    settings.write_text(json.dumps(variables(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
