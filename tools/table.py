# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The table at the end of the demo: what is there, and how to get in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools import ROOT, inventory, release
from tools.lab.machine import Machine

WIDTH = 132
COLOURS = {"approved": "green", "suspended": "yellow", "closed": "red"}


def show(environment: Path, private: Path, machine: Machine, port: int) -> None:
    """Print every association of an environment and where people find it."""
    listed = inventory.read(environment)
    # An address that is cut in two cannot be clicked: narrow terminals wrap whole lines.
    console = Console(width=max(Console().width, WIDTH))
    console.print(_table(listed, port))
    lacking = "".join(f"Not there: {line}\n" for line in release.left_out(machine))
    console.print(
        f"Nextcloud: {release.running(machine)}\n{lacking}"
        f"Certificate authority: {_shown(private / 'ca/ca.pem')} (import it in the browser, "
        "or accept its warning)\n"
        f"Node: ssh -F {_shown(machine.ssh_config)} {machine.name}\n"
        "Invitations of the first administrators: on the node, in "
        "/var/spool/archipel/invitations/\n"
        "Remove everything: make demo-clean",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _table(listed: inventory.Inventory, port: int) -> Table:
    table = Table()
    for heading in ("space", "status", "address", "release", "office", "accounts", "storage"):
        table.add_column(heading, no_wrap=heading != "space")
    for space in listed.spaces:
        table.add_row(*_row(space, port))
    for status in ("requested", "refused"):
        for entry in listed.report[status]:
            table.add_row(Text(entry["name"]), status, "nothing on any node")
    return table


def _row(space: dict[str, Any], port: int) -> list[str | Text]:
    """People's own words go in as text: rich would read brackets as markup."""
    return [
        Text(space["name"]),
        Text(space["status"], style=COLOURS[space["status"]]),
        Text(f"https://{space['domains'][0]}:{port}"),
        space["release"] or "",
        space["office"],
        str(space["accounts"]),
        f"{space['storage_gb']} GB",
    ]


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
