#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Report how many accounts each space of this node has of those it may have, its last use and jobs.

The number is the one that Nextcloud holds against the limit: all accounts but the disabled
ones. Somebody uses a space who logs in, or whose browser, program or telephone comes with a token
that an earlier login gave it. Its background jobs say themselves when they came to their end: a
timer that fired knows nothing of that. All is read from the databases, so that no space is woken:
those of this node in one connection, those of another node with each space's own account.
"""

from __future__ import annotations

import argparse
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
# A login name of Nextcloud. None of these letters means anything in SQL.
LOGIN = re.compile(r"[0-9A-Za-z_.@-]{1,64}")
# The application password with which the node itself looks whether a space works.
OWN_TOKEN = "archipel-upgrade"
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
    """Enabled accounts, how many may be, when somebody used one of them, and when jobs ran."""

    used: int
    limit: int
    # Seconds since 1970; 0: nobody ever did; None: it could not be read.
    last_use: int | None = None
    # When its background jobs came to their end; 0: they never did; None: it could not be read.
    last_jobs: int | None = None

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
        f"SELECT '{one.slug}', 'used', (SELECT COUNT(*) FROM `{one.database}`.oc_users) - "
        f"(SELECT COUNT(*) FROM `{one.database}`.oc_preferences WHERE appid = 'core' "
        "AND configkey = 'enabled' AND configvalue = 'false');"
    )


def question(one: Space, ignored: t.Sequence[str]) -> str:
    """Return the question when somebody used a space last. Pure.

    Args:
        one: the space.
        ignored: login names whose use is none: those of people who look after the platform.

    """
    names = ", ".join(f"'{name}'" for name in ignored)
    others = f" AND {{}} NOT IN ({names})" if names else ""
    settings, tokens = (f"`{one.database}`.{table}" for table in ("oc_preferences", "oc_authtoken"))
    return (
        f"SELECT '{one.slug}', 'last_use', GREATEST("
        f"(SELECT COALESCE(MAX(CAST(configvalue AS UNSIGNED)), 0) FROM {settings} "
        f"WHERE appid = 'login' AND configkey = 'lastLogin'{others.format('userid')}), "
        f"(SELECT COALESCE(MAX(last_activity), 0) FROM {tokens} "
        f"WHERE name <> '{OWN_TOKEN}'{others.format('uid')}));"
    )


def last_jobs(one: Space) -> str:
    """Return the question when a space's background jobs ended last. Pure."""
    return (
        f"SELECT '{one.slug}', 'last_jobs', "
        "(SELECT COALESCE(MAX(CAST(configvalue AS UNSIGNED)), 0) "
        f"FROM `{one.database}`.oc_appconfig WHERE appid = 'core' AND configkey = 'lastcron');"
    )


def ask(command: t.Sequence[str], stdin: str) -> dict[tuple[str, str], int]:
    """Run a client; return slug and what was asked → number, of those that were answered.

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
    return {(slug, what): int(number) for slug, what, number in rows}


def count(
    spaces: t.Sequence[Space], socket: str, authorities: str, ignored: t.Sequence[str]
) -> dict[tuple[str, str], int]:
    """Return slug and what was asked → number."""
    # One that fails does not keep the others from being answered.
    words = ("--force", "--batch", "--raw", "--skip-column-names")
    asked = {one.slug: [statement(one), question(one, ignored), last_jobs(one)] for one in spaces}
    here = [text for one in spaces if not one.distant for text in asked[one.slug]]
    found: dict[tuple[str, str], int] = {}
    if here:
        command = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root"]
        found |= ask([*command, *words], "\n".join(here))
    for one in spaces:
        if one.distant:
            # The password is on no command line and in no file.
            text = "".join(asked[one.slug])
            command = ["mariadb", "--defaults-file=/dev/stdin", *words, "-e", text]
            found |= ask(command, _config.client_options(one.distant, authorities))
    return found


def read(
    root: Path, socket: str, authorities: str, ignored: t.Sequence[str] = ()
) -> dict[str, Accounts]:
    """Return slug → accounts, of the spaces that could be read."""
    spaces = installed(root)
    numbers = count(spaces, socket, authorities, ignored)
    return {
        one.slug: Accounts(
            used,
            one.limit,
            numbers.get((one.slug, "last_use")),
            numbers.get((one.slug, "last_jobs")),
        )
        for one in spaces
        if (used := numbers.get((one.slug, "used"))) is not None
    }


def login_name(text: str) -> str:
    """Return a login name.

    Raises:
        ArgumentTypeError: it is none of letters, digits and few signs.

    """
    if not LOGIN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed: letters, digits and _ . @ -")
    return text


def metrics(spaces: t.Mapping[str, Accounts], percents: t.Sequence[int], now: float) -> str:
    """Return the report as Prometheus reads it. Pure."""
    each = [(f'{{space="{slug}"}}', accounts) for slug, accounts in spaces.items()]
    name = "archipel_space_accounts"
    return "".join(
        [
            family("archipel_accounts_timestamp_seconds", "When this was read.", [("", int(now))]),
            family(f"{name}_used", "Enabled accounts.", [(n, a.used) for n, a in each]),
            family(f"{name}_limit", "Accounts allowed.", [(n, a.limit) for n, a in each]),
            family(
                "archipel_space_last_use_timestamp_seconds",
                "When somebody used the space last; 0: nobody ever did.",
                [(n, a.last_use) for n, a in each if a.last_use is not None],
            ),
            family(
                "archipel_space_jobs_last_timestamp_seconds",
                "When background jobs came to their end; 0: they never did.",
                [(n, a.last_jobs) for n, a in each if a.last_jobs is not None],
            ),
            above(f"{name}_above", spaces, percents),
        ]
    )


def table(spaces: t.Mapping[str, Accounts]) -> str:
    """Return the report as people read it, the fullest space first. Pure."""
    rows = [f"{'space':26} {'accounts':>8} {'limit':>8} {'full':>7}  last use"]
    for slug, one in sorted(spaces.items(), key=lambda pair: (-pair[1].percent, pair[0])):
        rows.append(
            f"{slug:26} {one.used:>8} {one.limit:>8} {one.percent:>6.1f}%  {day(one.last_use)}"
        )
    return "\n".join(rows)


def day(at: int | None) -> str:
    """Return the day of a moment, as people read it. Pure."""
    if at is None:
        return "unknown"
    return time.strftime("%Y-%m-%d", time.gmtime(at)) if at else "never"


def main() -> int:
    """Read once; write what was asked for, or print a table."""
    options = parser(__doc__)
    options.add_argument("--socket", default="/run/mysqld/mysqld.sock", help="MariaDB's")
    options.add_argument(
        "--authorities",
        default="/etc/ssl/certs/ca-certificates.crt",
        help="those that certificates of database servers elsewhere must come from",
    )
    options.add_argument(
        "--ignore",
        type=login_name,
        action="append",
        default=[],
        help="an account whose logins are no use of a space",
    )
    arguments = options.parse_args()
    spaces = read(arguments.root, arguments.socket, arguments.authorities, arguments.ignore)
    now, percents = time.time(), sorted(arguments.percent)
    document = report(spaces, percents, now)
    deliver("accounts", arguments, document, metrics(spaces, percents, now), table(spaces))
    return 0


if __name__ == "__main__":
    sys.exit(main())
