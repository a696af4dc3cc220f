# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Run occ in a space of an environment, the way an operator does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tools import ROOT, inventory
from tools.lab import LabError

SECONDS = 300
# How the process of Ansible is told of a secret: a command line shows in lists of processes.
SECRET = "ARCHIPEL_SECRET"
FROM_ENVIRONMENT = f"{{{{ lookup('ansible.builtin.env', '{SECRET}') }}}}"


def run(environment: Path, slug: str, arguments: str, *, secret: str = "", **more: str) -> str:
    """Return what occ printed.

    Args:
        environment: the folder that ``ansible -i`` takes.
        slug: of the space.
        arguments: as one writes them in a shell.
        secret: what occ finds as OC_PASS; empty: nothing.
        more: environment variables of Ansible.

    Raises:
        LabError: the node could not be reached, or occ refused.

    """
    options: dict[str, Any] = {"args": arguments}
    if secret:
        options["environment"] = {"OC_PASS": FROM_ENVIRONMENT}
    command = ["ansible", "-i", str(environment), slug, "-m", "archipel.spaces.occ"]
    try:
        done = subprocess.run(
            [*command, "-a", json.dumps(options)],
            cwd=ROOT,
            env=_settings({SECRET: secret, **more}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{slug}: occ {arguments}: no answer in {SECONDS} s") from error
    result = _result(done.stdout)
    if done.returncode != 0 or "stdout" not in result:
        said = result.get("msg") or done.stderr.strip() or done.stdout.strip()
        raise LabError(f"{slug}: occ {arguments}: {said or f'exit code {done.returncode}'}")
    return str(result["stdout"])


def _settings(more: dict[str, str]) -> dict[str, str]:
    return {
        **inventory.settings(),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
        # Durations in between would not be JSON; an empty list is not taken.
        "ANSIBLE_CALLBACKS_ENABLED": "none",
        **more,
    }


def _result(output: str) -> dict[str, Any]:
    """Return what came of the one task on the one host; nothing if Ansible did not get there."""
    try:
        hosts = json.loads(output)["plays"][0]["tasks"][0]["hosts"]
        (result,) = hosts.values()
    except (ValueError, LookupError):
        return {}
    return dict(result)
