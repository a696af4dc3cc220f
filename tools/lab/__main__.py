# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Command line of the lab: ``python3 -m tools.lab up NAME --state FOLDER``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tools.lab import LabError, disk, image
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine


def main() -> int:
    """Do what the command line asks and say in JSON whether anything changed."""
    arguments = _parser().parse_args()
    try:
        changed = arguments.act(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"changed": changed}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tools.lab", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument("name", help="name of the machine")
    machine.add_argument("--state", type=Path, required=True, help="folder for its keys")
    machine.add_argument("--virtual", action="store_true", help="with a kernel of its own")

    up = verbs.add_parser("up", parents=[machine], help="make or start a machine")
    up.add_argument("--suite", default="trixie", help="Debian suite (default: trixie)")
    up.add_argument(
        "--publish",
        action="append",
        default=[],
        metavar="[PORT]:INSIDE",
        help="loopback port of this host for a port of the machine; no PORT: any free one",
    )
    up.add_argument(
        "--disk",
        action="append",
        default=[],
        metavar="NAME=SIZE",
        help="an empty disk beside its own (virtual machines only)",
    )
    up.add_argument(
        "--network",
        default="",
        metavar="NAME=ADDRESS",
        help="a private network shared with other machines, and the address in it",
    )
    up.set_defaults(act=_up)
    verbs.add_parser("down", parents=[machine], help="remove it").set_defaults(act=_down)
    verbs.add_parser("reboot", parents=[machine], help="reboot it").set_defaults(act=_reboot)
    verbs.add_parser("clean", help="remove the images").set_defaults(act=_clean)
    return parser


def _machine(arguments: argparse.Namespace) -> Machine | VirtualMachine:
    kind = VirtualMachine if arguments.virtual else Machine
    return kind(arguments.name, arguments.state.resolve())


def _up(arguments: argparse.Namespace) -> bool:
    machine = _machine(arguments)
    if isinstance(machine, VirtualMachine):
        if arguments.network:
            raise LabError("--network: only a container joins one; leave --virtual out")
        return machine.up(arguments.suite, arguments.publish, arguments.disk)
    if arguments.disk:
        raise LabError("--disk: only a virtual machine has disks; add --virtual")
    return machine.up(arguments.suite, arguments.publish, network=arguments.network)


def _down(arguments: argparse.Namespace) -> bool:
    return _machine(arguments).down()


def _reboot(arguments: argparse.Namespace) -> bool:
    _machine(arguments).reboot()
    return True


def _clean(_arguments: argparse.Namespace) -> bool:
    return bool([*image.remove_all(), *disk.remove_all()])


if __name__ == "__main__":
    sys.exit(main())
