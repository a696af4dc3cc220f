#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Report how many accounts each space of this machine has of those it may have.

The number is the one that Nextcloud holds against the limit: all accounts but the disabled
ones. It is read from the databases, so that no space is woken: those of this machine in one
connection, those of another machine with each space's own account.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from _spaces_report import family, projects, write

REPORT, METRICS = "accounts.json", "archipel_accounts.prom"
# As Archipel writes them: one key on a line.
TEXT = re.compile(r"^  '(db(?:host|name|user|password))' => '((?:[^'\\]|\\.)*)',$", re.MULTILINE)
LIMIT = re.compile(r"^  'one-click-instance\.user-limit' => (\d+),$", re.MULTILINE)
INSTALLED = re.compile(r"^\s*'installed'\s*=>\s*true\s*,", re.MULTILINE)
IDENTIFIER = re.compile(r"[0-9A-Za-z_-]{1,64}")
SECONDS = 120


@dataclass(frozen=True)
class Space:
    """What a space's configuration says: where its accounts are, and how many it may have."""

    slug: str
    limit: int
    database: str
    # Host, user and password of a server on another machine; none for this machine's.
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
    values = {key: re.sub(r"\\(.)", r"\1", value) for key, value in TEXT.findall(managed)}
    limit = LIMIT.search(managed)
    if limit is None or not INSTALLED.search(state) or not IDENTIFIER.fullmatch(values["dbname"]):
        return None
    distant = values if values.get("dbpassword") else {}
    return Space(slug, int(limit[1]), values["dbname"], distant)


def installed(root: Path) -> list[Space]:
    """Return the spaces of this machine that have accounts."""
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


def options(distant: t.Mapping[str, str], authorities: str) -> str:
    """Return a client's file of options for a server on another machine. Pure."""
    host, _, port = distant["dbhost"].partition(":")
    lines = [
        "[client]",
        f"host={host}",
        f"port={port or 3306}",
        f"user={distant['dbuser']}",
        f'password="{distant["dbpassword"]}"',
        f"ssl-ca={authorities}",
        "ssl-verify-server-cert",
    ]
    return "\n".join(lines) + "\n"


def ask(command: t.Sequence[str], stdin: str) -> dict[str, int]:
    """Run a client; return slug → number, of those that were answered.

    What could not be read (a database that is just being made or removed) goes to the journal.
    """
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        print(f"<4>{command[0]}: no such program on this machine", file=sys.stderr)
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
            found |= ask(command, options(one.distant, authorities))
    return found


def read(root: Path, socket: str, authorities: str) -> dict[str, Accounts]:
    """Return slug → accounts, of the spaces that could be read."""
    spaces = installed(root)
    numbers = count(spaces, socket, authorities)
    return {
        one.slug: Accounts(numbers[one.slug], one.limit) for one in spaces if one.slug in numbers
    }


def report(
    spaces: t.Mapping[str, Accounts], percents: t.Sequence[int], now: float
) -> dict[str, t.Any]:
    """Return the report as programs read it. Pure."""
    return {
        "version": 1,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "spaces": {
            slug: {
                **asdict(accounts),
                "percent": accounts.percent,
                "above": [percent for percent in percents if accounts.percent >= percent],
            }
            for slug, accounts in spaces.items()
        },
    }


def metrics(spaces: t.Mapping[str, Accounts], percents: t.Sequence[int], now: float) -> str:
    """Return the report as Prometheus reads it. Pure."""
    each = [(f'{{space="{slug}"}}', accounts) for slug, accounts in spaces.items()]
    above = [
        (f'{{space="{slug}",percent="{percent}"}}', int(accounts.percent >= percent))
        for slug, accounts in spaces.items()
        for percent in percents
    ]
    name = "archipel_space_accounts"
    return "".join(
        [
            family("archipel_accounts_timestamp_seconds", "When this was read.", [("", int(now))]),
            family(f"{name}_used", "Enabled accounts.", [(n, a.used) for n, a in each]),
            family(f"{name}_limit", "Accounts allowed.", [(n, a.limit) for n, a in each]),
            family(f"{name}_above", "Whether a share of the limit is used.", above),
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("/srv/spaces"), help="the spaces' folder")
    parser.add_argument("--socket", default="/run/mysqld/mysqld.sock", help="MariaDB's")
    parser.add_argument(
        "--authorities",
        default="/etc/ssl/certs/ca-certificates.crt",
        help="those that certificates of database servers elsewhere must come from",
    )
    parser.add_argument("--report", type=Path, help=f"folder for {REPORT}")
    parser.add_argument("--metrics", type=Path, help=f"folder for {METRICS}")
    parser.add_argument(
        "--percent", type=int, action="append", default=[], help="warn from here on"
    )
    arguments = parser.parse_args()
    spaces = read(arguments.root, arguments.socket, arguments.authorities)
    now, percents = time.time(), sorted(arguments.percent)
    if arguments.report is None and arguments.metrics is None:
        print(table(spaces))
    if arguments.report is not None:
        text = json.dumps(report(spaces, percents, now), indent=1)
        write(arguments.report / REPORT, f"{text}\n")
    if arguments.metrics is not None:
        write(arguments.metrics / METRICS, metrics(spaces, percents, now))
    return 0


if __name__ == "__main__":
    sys.exit(main())
