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

from tools import ROOT, inventory
from tools.lab import LabError
from tools.lab.machine import Machine

ENVIRONMENT = ROOT / "inventories/demo"
# Ignored by git; the inventory of the demo expects its keys here.
PRIVATE = ENVIRONMENT / ".private"
MACHINE = Machine("archipel-demo", PRIVATE)
SSH_PORT = int(os.environ.get("ARCHIPEL_DEMO_SSH_PORT", "2222"))
HTTPS_PORT = int(os.environ.get("ARCHIPEL_DEMO_HTTPS_PORT", "8443"))
# The last file of its folder, so that it wins; ignored by git.
VARIABLES = ENVIRONMENT / "group_vars/all/zz-local.yml"


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
    from tools import demo_release, release, table  # noqa: PLC0415

    began = time.monotonic()
    at_hand = demo_release.variables(os.environ.get("ARCHIPEL_DEMO_RELEASE", ""))
    if release_id := at_hand.get("archipel_release"):
        print(
            f"Nextcloud {release_id} lies in artifacts/, or was asked for: it is used", flush=True
        )
    if not MACHINE.exists():
        _refuse_busy_ports()
    print("1/3 A Debian node in a container", flush=True)
    MACHINE.up("trixie", [f"{SSH_PORT}:22", f"{HTTPS_PORT}:443"])
    print("2/3 Converging it: ansible-playbook -i inventories/demo playbooks/site.yml", flush=True)
    _remember({**release.variables(), **at_hand, "archipel_https_port": HTTPS_PORT})
    _converge()
    print(f"3/3 Done in {time.monotonic() - began:.0f} s", flush=True)
    table.show(ENVIRONMENT, PRIVATE, MACHINE, HTTPS_PORT)


def clean() -> None:
    """Remove the machine, its keys, its authority and everything else the demo made."""
    existed = MACHINE.down()
    shutil.rmtree(PRIVATE, ignore_errors=True)
    VARIABLES.unlink(missing_ok=True)
    print("The demo is removed." if existed else "There was no demo.")


def _remember(variables: dict[str, object]) -> None:
    """Write down what is of this host, so that later runs by hand see it too."""
    VARIABLES.write_text(json.dumps(variables, indent=2) + "\n", encoding="utf-8")


def _converge() -> None:
    subprocess.run(
        ["ansible-playbook", "-i", "inventories/demo", "playbooks/site.yml"],
        cwd=ROOT,
        env={
            **inventory.settings(),
            "ARCHIPEL_DEMO_SSH_PORT": str(SSH_PORT),
            # What is done is shown; what does not concern this machine is not.
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        },
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


if __name__ == "__main__":
    sys.exit(main())
