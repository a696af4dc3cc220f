# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The demo: a machine on this host, converged from inventories/demo, and its addresses.

Usage: ``python -m tools.demo up`` and ``python -m tools.demo clean``. Both may be run
again at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from tools import ROOT, inventory
from tools.lab import LabError
from tools.lab.machine import Machine

ENVIRONMENT = ROOT / "inventories/demo"
# Ignored by git; the inventory of the demo expects its keys here.
PRIVATE = ENVIRONMENT / "private"
MACHINE = Machine("archipel-demo", PRIVATE)
SSH_PORT = int(os.environ.get("ARCHIPEL_DEMO_SSH_PORT", "2222"))
HTTPS_PORT = int(os.environ.get("ARCHIPEL_DEMO_HTTPS_PORT", "8443"))
VARIABLES = ROOT / "build/demo/variables.json"


def main() -> int:
    """Do one of the two verbs."""
    verbs = {"up": up, "clean": clean}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        print(f"usage: python -m tools.demo {'|'.join(verbs)}", file=sys.stderr)
        return 2
    try:
        verbs[sys.argv[1]]()
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(
            f"demo: ansible-playbook ended with {error.returncode}, see above. "
            "Running 'make demo' again continues where it stopped.",
            file=sys.stderr,
        )
        return error.returncode
    return 0


def up() -> None:
    """Make the machine, converge it, and show what is there."""
    # Only here: clean must work without the Python packages.
    from tools import release, table  # noqa: PLC0415

    began = time.monotonic()
    if not MACHINE.exists():
        _refuse_busy_ports()
    print("1/3 A Debian machine in a container", flush=True)
    MACHINE.up("trixie", [f"{SSH_PORT}:22", f"{HTTPS_PORT}:443"])
    chosen = release.choose()
    print(f"2/3 Converging it. Nextcloud: {chosen.sentence}", flush=True)
    _converge({**chosen.variables, "archipel_https_port": HTTPS_PORT})
    print(f"3/3 Done in {time.monotonic() - began:.0f} s", flush=True)
    table.show(ENVIRONMENT, PRIVATE, MACHINE, HTTPS_PORT, chosen.sentence)


def clean() -> None:
    """Remove the machine, its keys, its authority and everything else the demo made."""
    existed = MACHINE.down()
    for leftover in (PRIVATE, VARIABLES.parent):
        shutil.rmtree(leftover, ignore_errors=True)
    print("The demo is removed." if existed else "There was no demo.")


def _converge(variables: dict[str, object]) -> None:
    """Run what an operator runs; values of this host are handed over in a file."""
    VARIABLES.parent.mkdir(parents=True, exist_ok=True)
    VARIABLES.write_text(json.dumps(variables), encoding="utf-8")
    command = ["ansible-playbook", "-i", _shown(ENVIRONMENT), "playbooks/site.yml"]
    subprocess.run(
        [*command, "--extra-vars", f"@{_shown(VARIABLES)}"],
        cwd=ROOT,
        env={**inventory.settings(), "ARCHIPEL_DEMO_SSH_PORT": str(SSH_PORT)},
        stdin=subprocess.DEVNULL,
        check=True,
    )


def _refuse_busy_ports() -> None:
    for port, variable in (
        (SSH_PORT, "ARCHIPEL_DEMO_SSH_PORT"),
        (HTTPS_PORT, "ARCHIPEL_DEMO_HTTPS_PORT"),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise LabError(
                    f"port {port} of this machine is taken. "
                    f"Choose another one: {variable}={port + 1000} make demo"
                ) from error


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
