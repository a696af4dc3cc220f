# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Spaces on a file system with limits: what the tests of the scenario `quota` share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.sandbox import Programs
from tests.support.scenario import Scenario
from tools import ROOT

PLAYBOOK = ROOT / "molecule/quota/limits.yml"
TASK = (
    "archipel.spaces.spaces : files | Ensure units, sandbox, users, directories, vhosts, "
    "configurations and limits are as wanted"
)
# Fills up, grows, shrinks, and sits beside.
FULL, LARGE, NEIGHBOUR = "velo-ecole", "amap-du-val", "piege"

WRITE = """
path = f"/srv/spaces/{slug}/data/{name}"
os.makedirs(os.path.dirname(path), exist_ok=True)
def write():
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        file.write(b"x" * min(size, 1 << 20))
        file.flush()
        os.fsync(file.fileno())
answer = [attempt(write)]
"""
SHOWN = """
info = os.statvfs(f"/srv/spaces/{slug}/data")
print(json.dumps([*answer, info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize]))
"""


@dataclass(frozen=True)
class Limits:
    """A file system that holds the spaces, and how its kernel says no."""

    kind: str
    refusal: str
    scenario: Scenario
    programs: Programs

    def run(self, *options: str) -> dict[str, Any]:
        """Converge users, files and limits; return what the module found and did."""
        return self.scenario.attempt(PLAYBOOK, *options)[TASK]

    def written(self, slug: str, **values: Any) -> str:
        """Write a file as a space; return what the kernel said against it."""
        return str(self.programs.inside(slug, f"{WRITE}{SHOWN}", **values)[0])

    def number(self, slug: str) -> int:
        """Return a space's number: its user, its project."""
        return int(self.scenario.spaces[slug]["id"])


def give(scenario: Scenario, slug: str, storage_gb: int) -> None:
    """Write a space's storage into its file."""
    path = scenario.registry(slug)
    text = path.read_text(encoding="utf-8")
    limits = {**yaml.safe_load(text).get("limits", {}), "storage_gb": storage_gb}
    inner = ("limits:", "  accounts:", "  storage_gb:")
    kept = [line for line in text.splitlines() if not line.startswith(inner)]
    path.write_text("\n".join([*kept, f"limits: {json.dumps(limits)}", ""]), encoding="utf-8")
