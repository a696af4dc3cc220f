# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Private networks of this host that machines share, each machine at an address of its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from tools.lab import LabError
from tools.lab.host import podman, run

# Ours are told from others by it.
PREFIX = "archipel-"


def parse(wanted: str) -> tuple[str, str, str]:
    """Return name, subnet and address out of NAME=ADDRESS.

    Raises:
        LabError: it is not that.

    """
    name, _, address = wanted.partition("=")
    try:
        subnet = ipaddress.ip_network(f"{address}/24", strict=False)
    except ValueError as error:
        raise LabError(f"--network: found {wanted}; allowed: NAME=ADDRESS: {error}") from error
    if not name.startswith(PREFIX) or not subnet.is_private:
        raise LabError(
            f"--network: found {wanted}; allowed: a name that begins with {PREFIX}, and an address "
            "of a private network"
        )
    return name, str(subnet), address


def ensure(wanted: str) -> list[str]:
    """Make a network where it is not there, and return what joins a machine to it."""
    if not wanted:
        return []
    name, subnet, address = parse(wanted)
    if name not in _known():
        run([*podman(), "network", "create", "--disable-dns", f"--subnet={subnet}", name])
    return [f"--network={name}", f"--ip={address}"]


def remove_unused(names: Iterable[str]) -> None:
    """Remove those of our networks that no machine is in any more."""
    for name in names:
        if name.startswith(PREFIX) and name in _known() and not _members(name):
            run([*podman(), "network", "rm", name])


def _known() -> list[str]:
    return run([*podman(), "network", "ls", "--format", "{{.Name}}"]).split()


def _members(name: str) -> list[str]:
    listed = ["ps", "--all", f"--filter=network={name}", "--format", "{{.Names}}"]
    return run([*podman(), *listed]).split()
