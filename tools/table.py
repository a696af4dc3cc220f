# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What stands at the end of the demo: what is there, what to click, and how to get in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools import ROOT, inventory, release
from tools.content.fill import Account, Told
from tools.demo_text import say
from tools.lab.machine import Machine

WIDTH = 132
COLOURS = {"approved": "green", "suspended": "yellow", "closed": "red"}
# What a manifest calls an archive that lay on this computer.
LOCAL = "local file"
INVITATIONS = "/var/spool/archipel/invitations/"
CLEAN, PASSWORD, TOUR = "make demo-clean", "make demo-password", "make demo-tour"


def show(
    listed: inventory.Inventory, told: Sequence[Told], private: Path, machine: Machine, port: int
) -> None:
    """Print every association of an environment and where people find it; then what to look at."""
    # An address that is cut in two cannot be clicked: narrow terminals wrap whole lines.
    console = Console(width=max(Console().width, WIDTH))
    console.print(_table(listed, port))
    lines = [
        *_releases(release.manifests(machine)),
        say("authority", path=_shown(private / "ca/ca.pem")),
        say("ssh", command=f"ssh -F {_shown(machine.ssh_config)} {machine.name}"),
        say("invitations", path=INVITATIONS),
        *_visit(listed, told, port),
        say("remove", command=CLEAN),
    ]
    _print(console, lines)


def show_accounts(told: Sequence[Told], port: int) -> None:
    """Print who can log in where, with new passwords."""
    _print(Console(), [line for one in told for line in _accounts(one, port)])


def _print(console: Console, lines: list[str]) -> None:
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


# --- the table --------------------------------------------------------------------------------


def _table(listed: inventory.Inventory, port: int) -> Table:
    table = Table()
    for heading in ("space", "status", "address", "release", "office", "accounts", "storage"):
        table.add_column(say(heading), no_wrap=heading != "space")
    for space in listed.spaces:
        table.add_row(*_row(space, port))
    for status in ("requested", "refused"):
        for entry in listed.report[status]:
            table.add_row(Text(entry["name"]), status, say("nothing"))
    return table


def _row(space: dict[str, Any], port: int) -> list[str | Text]:
    """People's own words go in as text: rich would read brackets as markup."""
    return [
        Text(space["name"]),
        Text(space["status"], style=COLOURS[space["status"]]),
        Text(_address(space["domains"][0], port)),
        space["release"] or "",
        space["office"],
        str(space["accounts"]),
        say("storage_gb", number=space["storage_gb"]),
    ]


# --- what to look at --------------------------------------------------------------------------


def _releases(manifests: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say which Nextcloud there is, and what is missing in it."""
    for manifest in manifests:
        version, archive = manifest["version_string"], manifest["archive"]
        if manifest["standin"]:
            yield say("standin_release", version=version)
        else:
            signature = say("signed" if archive["signed"] else "unsigned")
            origin = say("from_file" if archive["origin"] == LOCAL else "from_vendor")
            yield say("real_release", version=version, signature=signature, origin=origin)
        for why, names in release.lacking(manifest).items():
            reason = say("no_store") if manifest["standin"] else why
            yield say("absent", release=manifest["id"], names=", ".join(names), reason=reason)


def _visit(listed: inventory.Inventory, told: Sequence[Told], port: int) -> Iterator[str]:
    """Say what a visitor opens, and as whom."""
    if told:
        yield from ("", say("look"))
    for one in told:
        yield from _accounts(one, port)
        for kind, path in one.given.paths.items():
            address = _address(one.space.host, port) + path
            yield "    " + say("entry", what=say(kind), address=address)
        if one.given.missing:
            kinds = ", ".join(say(kind) for kind in one.given.missing)
            yield f"    {say('missing', kinds=kinds)}"
        if one.given.standin:
            yield f"    {say('standin')}"
    states = [space for space in listed.spaces if space["status"] in {"suspended", "closed"}]
    if states:
        yield f"  {say('states')}"
        yield from (f"    {_address(space['domains'][0], port)}" for space in states)
    if told:
        fresh = any(account.password for one in told for account in one.accounts)
        yield say("shown" if fresh else "not_shown", password=PASSWORD, tour=TOUR)


def _accounts(one: Told, port: int) -> Iterator[str]:
    what = f"{one.space.name} ({say('in_' + one.space.wanted['language'])})"
    yield "  " + say("entry", what=what, address=_address(one.space.host, port))
    yield from (f"    {_login(account)}" for account in one.accounts)


def _login(account: Account) -> str:
    part = say("administers" if account.administers else "member")
    key = "login" if account.password else "again"
    return say(
        key, account=account.account, password=account.password, name=account.name, part=part
    )


def _address(host: str, port: int) -> str:
    return f"https://{host}:{port}"


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
