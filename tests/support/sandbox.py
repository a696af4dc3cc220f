# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Small programs run on a machine: as a space inside its sandbox, as its user outside, as root."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _occ
from tests.support.layout import Layout
from tools import ROOT
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

QUOTACTL = (ROOT / "plugins/module_utils/_system/_quotactl.py").read_text(encoding="utf-8")
# The network's filters are its.
SLICE = "archipel-jobs-spaces.slice"
PRELUDE = """
import errno, json, os, sys

def attempt(act, *arguments):
    # The name of the error, or nothing.
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""
"""
# For those that ask for it: every import takes an emulated processor its time.
CALLS = f"""
import types
q = types.ModuleType("quotactl")
sys.modules["quotactl"] = q
exec({QUOTACTL!r}, q.__dict__)
"""


class Programs:
    """Runs Python on a machine; a program prints its answer as JSON, and knows `slug`."""

    def __init__(self, machine: Machine | VirtualMachine) -> None:
        self.machine = machine
        self._properties: list[str] = []

    def root(self, program: str, **values: Any) -> Any:
        """Run a program as root."""
        return self._run([], program, values)

    def outside(self, slug: str, program: str, **values: Any) -> Any:
        """Run a program as a space's user, as a shell opened with su would."""
        return self._run(
            ["runuser", "-u", Layout(slug).user, "--"], program, values | {"slug": slug}
        )

    def inside(self, slug: str, program: str, **values: Any) -> Any:
        """Run a program as a space, in the sandbox that its PHP, jobs and occ have."""
        options = [f"--property={line}" for line in self.properties(slug)]
        command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--slice={SLICE}"]
        command += [*options, "--"]
        return self._run(command, program, values | {"slug": slug})

    def properties(self, slug: str) -> list[str]:
        """Return the sandbox as it is on the machine, for one space."""
        if not self._properties:
            self._properties = self.machine.execute("cat", _occ.SANDBOX).splitlines()
        lines = (line.strip() for line in self._properties)
        return [line.replace("%i", slug) for line in lines if line and not line.startswith("#")]

    def _run(self, command: list[str], program: str, values: dict[str, Any]) -> Any:
        given = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        calls = CALLS if "q." in program else ""
        text = f"{PRELUDE}{calls}{given}{program}"
        said = self.machine.execute(*command, "python3", "-", stdin=text)
        return json.loads(said)
