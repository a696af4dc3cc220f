# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an environment's inventory says, asked from Ansible itself."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import ROOT

SECONDS = 120


@dataclass(frozen=True)
class Inventory:
    """The spaces of an environment, of all its nodes."""

    # Approved, suspended and closed spaces, as the nodes get them.
    spaces: list[dict[str, Any]]
    # Counts, problems, and the requested and refused ones.
    report: dict[str, Any]


def settings() -> dict[str, str]:
    """Return the process environment in which Ansible uses this project's settings."""
    return {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def read(environment: Path) -> Inventory:
    """Run the inventory plugin as every playbook does."""
    listed = subprocess.run(
        ["ansible-inventory", "-i", str(environment), "--list"],
        cwd=ROOT,
        env=settings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=True,
    ).stdout
    data = json.loads(listed, object_hook=_plain)
    nodes = [data["_meta"]["hostvars"][name] for name in data["web"]["hosts"]]
    spaces = [space for variables in nodes for space in variables["archipel_spaces"]]
    return Inventory(spaces, nodes[0]["archipel_report"])


def _plain(value: dict[str, Any]) -> Any:
    """Unwrap what Ansible marks as text that must never be templated."""
    return value["__ansible_unsafe"] if value.keys() == {"__ansible_unsafe"} else value
