# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The demo: a machine on this host, converged from inventories/demo, with associations at work.

Usage: ``python -m tools.demo up``, ``password`` (new ones for its accounts), ``tour FOLDER``
(pictures of it) and ``clean``. All may be run again at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

from tools import ROOT, inventory
from tools.lab import LabError
from tools.lab.machine import Machine

if t.TYPE_CHECKING:
    from tools.demo_content import Node

ENVIRONMENT = ROOT / "inventories/demo"
# Ignored by git; the inventory of the demo expects its keys here.
PRIVATE = ENVIRONMENT / ".private"
AUTHORITY = PRIVATE / "ca/ca.pem"
MACHINE = Machine("archipel-demo", PRIVATE)
# Where a new machine is reached on this host.
SSH_PORT = int(os.environ.get("ARCHIPEL_DEMO_SSH_PORT", "2222"))
HTTPS_PORT = int(os.environ.get("ARCHIPEL_DEMO_HTTPS_PORT", "8443"))
# The last file of its folder, so that it wins; ignored by git.
VARIABLES = ENVIRONMENT / "group_vars/all/zz-local.yml"
PLAYBOOK = ["ansible-playbook", "-i", "inventories/demo", "playbooks/site.yml"]


def main() -> int:
    """Do one of the verbs."""
    verbs: dict[str, Callable[..., None]] = {
        "up": up,
        "password": password,
        "tour": tour,
        "clean": clean,
    }
    verb, *arguments = sys.argv[1:] or [""]
    if verb not in verbs or len(arguments) != (verb == "tour"):
        usage = "|".join("tour FOLDER" if name == "tour" else name for name in verbs)
        print(f"usage: python -m tools.demo {usage}", file=sys.stderr)
        return 2
    try:
        verbs[verb](*arguments)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(
            f"demo: {error.cmd[0]} ended with {error.returncode}, see above. "
            "Running 'make demo' again continues where it stopped.",
            file=sys.stderr,
        )
        return error.returncode
    return 0


# Only within these: clean must work without the Python packages.
# ruff: noqa: PLC0415


def up() -> None:
    """Make the machine, converge it, fill some of its spaces, and show what is there.

    Raises:
        LabError: this host cannot, or a space did not take its content.

    """
    from tools import demo_content, demo_release, release, table
    from tools.demo_text import say

    began = time.monotonic()
    at_hand = demo_release.variables(os.environ.get("ARCHIPEL_DEMO_RELEASE", ""))
    if release_id := at_hand.get("archipel_release"):
        print(say("used", release=release_id), flush=True)
    if not MACHINE.exists():
        _refuse_busy_ports()
    print(say("node"), flush=True)
    MACHINE.up("trixie", [f"{SSH_PORT}:22", f"{HTTPS_PORT}:443"])
    node = _node()
    print(say("converge", command=" ".join(PLAYBOOK)), flush=True)
    _remember({**release.variables(), **at_hand, "archipel_https_port": node.https})
    _converge(node)
    listed = inventory.read(ENVIRONMENT)
    spaces, failed = demo_content.choose(listed.spaces)
    print(say("content", names=", ".join(one.name for one in spaces) or "–"), flush=True)
    print("".join(f"    {why}\n" for why in failed), end="", flush=True)
    told, failed = demo_content.fill_all(spaces, node.browser(AUTHORITY), node)
    print(say("done", seconds=f"{time.monotonic() - began:.0f}"), flush=True)
    table.show(listed, told, PRIVATE, MACHINE, node.https)
    _refuse_what_failed(failed)


def password() -> None:
    """Give the accounts of the demo new passwords, and show them.

    Raises:
        LabError: there is no demo, or an account did not get its password.

    """
    from tools import demo_content, table

    node = _find_node()
    spaces, _ = demo_content.choose(inventory.read(ENVIRONMENT).spaces)
    told, failed = demo_content.fill_all(spaces, node.browser(AUTHORITY), node, renew=True)
    table.show_accounts(told, node.https)
    _refuse_what_failed(failed)


def tour(folder: str) -> None:
    """Take pictures of the demo, in both languages.

    Raises:
        LabError: there is no demo, no browser, or no picture could be taken.

    """
    from tools import pictures

    pictures.take_all(_find_node(), inventory.read(ENVIRONMENT).spaces, AUTHORITY, Path(folder))


def clean() -> None:
    """Remove the machine, its keys, its authority and everything else the demo made."""
    existed = MACHINE.down()
    shutil.rmtree(PRIVATE, ignore_errors=True)
    VARIABLES.unlink(missing_ok=True)
    print("The demo is removed." if existed else "There was no demo.")


def _remember(variables: dict[str, object]) -> None:
    """Write down what is of this host, so that later runs by hand see it too."""
    VARIABLES.write_text(json.dumps(variables, indent=2) + "\n", encoding="utf-8")


def _node() -> Node:
    """Return how the machine is reached: it keeps the ports that it was made with."""
    from tools.demo_content import Node

    return Node(ENVIRONMENT, https=MACHINE.port(443), ssh=MACHINE.port(22))


def _find_node() -> Node:
    """Return how the machine is reached that was made before.

    Raises:
        LabError: there is none, or it does not answer.

    """
    if not MACHINE.exists():
        raise LabError("there is no demo on this host. Make it: make demo")
    if not MACHINE.answers():
        raise LabError(f"{MACHINE.container} does not answer. Start it again: make demo")
    return _node()


def _converge(node: Node) -> None:
    subprocess.run(
        PLAYBOOK,
        cwd=ROOT,
        env={
            **inventory.settings(),
            "ARCHIPEL_DEMO_SSH_PORT": str(node.ssh),
            # What is done is shown; what does not concern this machine is not.
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        },
        stdin=subprocess.DEVNULL,
        check=True,
    )


def _refuse_what_failed(failed: list[str]) -> None:
    """End a run that did not put all content into its spaces.

    Raises:
        LabError: there is one that refused.

    """
    if failed:
        raise LabError(
            "\n".join([*failed, "Running 'make demo' again continues where it stopped."])
        )


def _refuse_busy_ports() -> None:
    """Refuse to make a machine whose ports something else has.

    Raises:
        LabError: one of them is taken.

    """
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
