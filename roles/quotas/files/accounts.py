#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Report how many accounts each space of this node has of those it may have.

The number is the one that Nextcloud holds against the limit: all accounts but the disabled
ones. It is read from the databases, so that no space is woken: those of this node in one
connection, those of another node with each space's own account.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import _config
from _spaces_report import above, deliver, family, parser, projects, report

LIMIT = re.compile(r"^  'one-click-instance\.user-limit' => (\d+),$", re.MULTILINE)
IDENTIFIER = re.compile(r"[0-9A-Za-z_-]{1,64}")
SECONDS = 120


@dataclass(frozen=True)
class Space:
    """What a space's configuration says: where its accounts are, and how many it may have."""

    slug: str
    limit: int
    database: str
    # Account on a server on another node; none for this node's.
    distant: t.Mapping[str, str]


@dataclass(frozen=True)
class Accounts:
    """Enabled accounts, and how many may be."""

    used: int
    limit: int

    @property
    def percent(self) -> float:
        """How much of the limit is used."""
        return round(100 * self.used / self.limit, 2) if self.limit else 0.0


def space(slug: str, managed: str, state: str) -> Space | None:
    """Return what two files of configuration say; nothing of one not installed. Pure."""
    account, limit = _config.database(managed), LIMIT.search(managed)
    if limit is None or not _config.is_installed(state):
        return None
    if not IDENTIFIER.fullmatch(account.get("name", "")):
        return None
    distant = account if account.get("password") else {}
    return Space(slug, int(limit[1]), account["name"], distant)


def installed(root: Path) -> list[Space]:
    """Return the spaces of this node that have accounts."""
    found = []
    for slug in projects(root):
        try:
            texts = [
                (root / slug / "config" / name).read_text(encoding="utf-8")
                for name in ("managed.config.php", "config.php")
            ]
        except FileNotFoundError:
            continue
        found.append(space(slug, *texts))
    return [one for one in found if one is not None]


def statement(one: Space) -> str:
    """Return the question for one space. Slug and name are made of harmless letters. Pure."""
    return (
        f"SELECT '{one.slug}', (SELECT COUNT(*) FROM `{one.database}`.oc_users) - "
        f"(SELECT COUNT(*) FROM `{one.database}`.oc_preferences WHERE appid = 'core' "
        "AND configkey = 'enabled' AND configvalue = 'false');"
    )


def ask(command: t.Sequence[str], stdin: str) -> dict[str, int]:
    """Run a client; return slug → number, of those that were answered.

    What could not be read (a database that is just being made or removed) goes to the journal.
    """
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        print(f"<4>{command[0]}: no such program on this node", file=sys.stderr)
        return {}
    except subprocess.TimeoutExpired:
        print(f"<4>a database server has not answered for {SECONDS} seconds", file=sys.stderr)
        return {}
    if done.stderr:
        print(f"<4>{done.stderr.strip()}", file=sys.stderr)
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return {slug: int(number) for slug, number in rows}


def count(spaces: t.Sequence[Space], socket: str, authorities: str) -> dict[str, int]:
    """Return slug → number of enabled accounts."""
    words = ("--batch", "--raw", "--skip-column-names")
    here = [statement(one) for one in spaces if not one.distant]
    found: dict[str, int] = {}
    if here:
        # One that fails does not keep the others from being answered.
        command = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "--force"]
        found |= ask([*command, *words], "\n".join(here))
    for one in spaces:
        if one.distant:
            # The password is on no command line and in no file.
            command = ["mariadb", "--defaults-file=/dev/stdin", *words, "-e", statement(one)]
            found |= ask(command, _config.client_options(one.distant, authorities))
    return found


def read(root: Path, socket: str, authorities: str) -> dict[str, Accounts]:
    """Return slug → accounts, of the spaces that could be read."""
    spaces = installed(root)
    numbers = count(spaces, socket, authorities)
    return {
        one.slug: Accounts(numbers[one.slug], one.limit) for one in spaces if one.slug in numbers
    }


def metrics(spaces: t.Mapping[str, Accounts], percents: t.Sequence[int], now: float) -> str:
    """Return the report as Prometheus reads it. Pure."""
    each = [(f'{{space="{slug}"}}', accounts) for slug, accounts in spaces.items()]
    name = "archipel_space_accounts"
    return "".join(
        [
            family("archipel_accounts_timestamp_seconds", "When this was read.", [("", int(now))]),
            family(f"{name}_used", "Enabled accounts.", [(n, a.used) for n, a in each]),
            family(f"{name}_limit", "Accounts allowed.", [(n, a.limit) for n, a in each]),
            above(f"{name}_above", spaces, percents),
        ]
    )


def table(spaces: t.Mapping[str, Accounts]) -> str:
    """Return the report as people read it, the fullest space first. Pure."""
    rows = [f"{'space':26} {'accounts':>8} {'limit':>8} {'full':>7}"]
    for slug, one in sorted(spaces.items(), key=lambda pair: (-pair[1].percent, pair[0])):
        rows.append(f"{slug:26} {one.used:>8} {one.limit:>8} {one.percent:>6.1f}%")
    return "\n".join(rows)


def main() -> int:
    """Read once; write what was asked for, or print a table."""
    options = parser(__doc__)
    options.add_argument("--socket", default="/run/mysqld/mysqld.sock", help="MariaDB's")
    options.add_argument(
        "--authorities",
        default="/etc/ssl/certs/ca-certificates.crt",
        help="those that certificates of database servers elsewhere must come from",
    )
    arguments = options.parse_args()
    spaces = read(arguments.root, arguments.socket, arguments.authorities)
    now, percents = time.time(), sorted(arguments.percent)
    document = report(spaces, percents, now)
    deliver("accounts", arguments, document, metrics(spaces, percents, now), table(spaces))
    return 0


if __name__ == "__main__":
    sys.exit(main())
