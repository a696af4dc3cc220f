# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Which Nextcloud the demo and the tests run: the real one wherever there is one.

The role nextcloud looks in artifacts/ first, then asks the vendor, and takes the
stand-in only when neither gives an archive. What a machine really has is asked from it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import yaml

from tools import ROOT
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

CATALOGUE = ROOT / "group_vars/all/releases.yml"
STANDIN = ROOT / "build/standin"


def variables() -> dict[str, Any]:
    """Pack a stand-in of every release, and return what tells the role to use it."""
    catalogue = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))["archipel_releases"]
    versions = sorted({release["version"] for release in catalogue.values()})
    subprocess.run(
        [
            sys.executable,
            ROOT / "tests/standin/build.py",
            *(f"--version={version}" for version in versions),
            f"--output={STANDIN}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return {
        "nextcloud_local_folders": [str(ROOT / "artifacts")],
        "nextcloud_standin_folder": str(STANDIN),
        # An archive that somebody put into artifacts/ was chosen by hand.
        "nextcloud_allow_unsigned_local": True,
        # A store that is down, or a wrong pin, does not stop somebody who has a first look.
        "nextcloud_leave_out_unavailable": True,
    }


def running(machine: Machine | VirtualMachine) -> str:
    """Say in one line which Nextcloud a machine has: from what its roles wrote down there."""
    return "; ".join(_sentence(manifest) for manifest in manifests(machine))


def manifests(machine: Machine | VirtualMachine) -> list[dict[str, Any]]:
    """Return what each release of a machine was built from, as its roles wrote it down there."""
    return _documents(machine.execute("sh", "-c", "cat /srv/nextcloud/releases/*.json"))


def lacking(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """Return why a release lacks applications, and which: reason → names."""
    reasons: dict[str, list[str]] = {}
    for name, why in sorted(manifest.get("left_out", {}).items()):
        reasons.setdefault(why, []).append(name)
    return reasons


def _documents(text: str) -> list[dict[str, Any]]:
    """Read JSON documents that stand one after the other."""
    decoder, found, rest = json.JSONDecoder(), [], text.lstrip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


def _sentence(manifest: dict[str, Any]) -> str:
    version, archive = manifest["version_string"], manifest["archive"]
    if manifest["standin"]:
        return (
            f"stand-in for {version} (a small program that answers like Nextcloud; put the "
            f"vendor's archive into artifacts/ for the real one)"
        )
    signature = "signature verified" if archive["signed"] else "signature not checked"
    return f"real release {version}, {signature}, from {archive['origin']}"
