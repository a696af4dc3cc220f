# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Many spaces with files in them, and what must be as it was after each upgrade."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.support.association import member
from tests.support.layout import Layout
from tests.support.scenario import Scenario

OLD, NEW, ASLEEP = "33.0.9", "34.0.4", "asleep"
LEASE = "/run/archipel/upgrade-run.json"
JOURNALS = "/var/lib/archipel/life"
# Names are mail addresses in many an association; this one comes before all others.
ADDRESS, MEMBER = "a.dupont@asso.example", "camille"
# What people have, and no upgrade may change in number.
TABLES = (
    *("oc_users", "oc_groups", "oc_group_user", "oc_group_admin", "oc_filecache", "oc_storages"),
    *("oc_authtoken", "oc_preferences"),
    # What they are notified of: nobody hears of a check that left nothing.
    *("oc_activity", "oc_activity_mq", "oc_notifications"),
)
OTHERS = {
    # The check's own application password is there while an upgrade is under way.
    "oc_authtoken": " WHERE name <> 'archipel-upgrade'",
    # Nextcloud's own: a release makes anew what it needs of it.
    "oc_filecache": " WHERE path NOT LIKE 'appdata%'",
}
# Who opens pages for these tests; its own time of last login changes.
READER = "reader"
PAGES = ("/apps/dashboard/", "/apps/files/", "/apps/photos/", "/settings/user")
FILES = 5
SECONDS = 120
Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Fleet:
    """All spaces of the scenario."""

    scenario: Scenario

    @property
    def open(self) -> list[str]:
        """Return those that people reach."""
        return sorted(self.scenario.in_status("approved"))

    @property
    def all(self) -> list[str]:
        """Return those and the suspended one."""
        return sorted(self.scenario.spaces)

    def fill(self) -> None:
        """Put people and files into them, and suspend one."""
        asleep = self.scenario.registry(ASLEEP)
        text = asleep.read_text(encoding="utf-8")
        asleep.write_text(text.replace("status: approved", "status: suspended"), encoding="utf-8")
        self.scenario.converge("spaces.yml", "-e", f"only={ASLEEP}")
        # Nobody opens its pages: the storage that the first of them notes is noted here.
        self.scenario.occ(ASLEEP, "files:scan-app-data")
        assert self.scenario.browser
        with ThreadPoolExecutor(max_workers=3) as pool:
            list(pool.map(self._fill, [slug for slug in self.open if not self._is_full(slug)]))

    def _is_full(self, slug: str) -> bool:
        """Tell whether an earlier run on the same machine has done it."""
        files = f"{Layout(slug).data}/{MEMBER}/files"
        return bool(self.scenario.node.file(f"{files}/f{FILES - 1}.bin").exists)

    def _fill(self, slug: str) -> None:
        first, association = (member(self.scenario, slug, name) for name in (ADDRESS, MEMBER))
        status, _ = first.ask("PUT", first.path(0), b"the first account of all")
        assert status in {201, 204}
        self._let_read(slug)
        # A first visit leaves what later ones do not: the time of a login, a storage's name.
        assert set(self.pages(slug).values()) == {200}
        for number in range(FILES):
            body = f"{slug} {number}".encode() * 1000 * number
            status, _ = association.ask("PUT", association.path(number), body)
            assert status in {201, 204}

    def _let_read(self, slug: str) -> None:
        """Give a reader an account, and a password that is the same in each run of these tests."""
        member(self.scenario, slug, READER)
        config = self.scenario.node.check_output("cat %s", Layout(slug).config_file)
        secret = config.split("'secret' => '")[1].split("'")[0]
        hashed = hashlib.sha512(f"{password_of(slug)}{secret}".encode()).hexdigest()
        columns = "(uid, login_name, name, token, type, version)"
        values = f"('{READER}', '{READER}', '{READER}', '{hashed}', 1, 2)"
        self.scenario.sql(
            f"INSERT INTO `{Layout(slug).database}`.oc_authtoken {columns} VALUES {values}"
        )

    def pages(self, slug: str) -> dict[str, int]:
        """Return how the pages answer that people open once they have logged in."""
        account = (READER, password_of(slug))
        host = f"{slug}.archipel.localhost"
        return {
            page: self.scenario.browser.request("GET", host, page, account=account).status
            for page in PAGES
        }

    def belongings(self) -> dict[str, str]:
        """Return checksums of all files, and the number of rows of what people have."""
        loop = (
            "for s in {}; do echo $s $(cd /srv/spaces/$s/data && find . -path './appdata_*' -prune"
        )
        loop += " -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); done"
        sums = self.scenario.node.check_output(loop.format(" ".join(self.all))).splitlines()
        found = dict(line.split(" ", 1) for line in sums)
        queries = [
            f"SELECT '{slug}', '{table}', COUNT(*) FROM `{Layout(slug).database}`.{table}"
            + OTHERS.get(table, "")
            for slug in self.all
            for table in TABLES
        ]
        for slug, table, rows in self.scenario.sql(" UNION ALL ".join(queries)):
            found[slug] += f" {table}={rows}"
        logins = [
            f"SELECT '{slug}', GROUP_CONCAT(userid, '@', configvalue ORDER BY userid)"
            f" FROM `{Layout(slug).database}`.oc_preferences"
            f" WHERE configkey = 'lastLogin' AND userid <> '{READER}'"
            for slug in self.open
        ]
        for slug, seen in self.scenario.sql(" UNION ALL ".join(logins)):
            found[slug] += f" {seen}"
        return found

    def releases(self) -> dict[str, str]:
        """Return what each space runs, after its own link."""
        links = " ".join(Layout(slug).release for slug in self.all)
        targets = self.scenario.node.check_output(f"readlink {links}").split()
        return dict(zip(self.all, (target.rsplit("/", 1)[1] for target in targets), strict=True))

    def served(self) -> dict[str, str]:
        """Return the version that each space answers with; its state, where it does not serve.

        A space serves if the pages open that people open.
        """
        found = {}
        for slug in self.open:
            host = f"{slug}.archipel.localhost"
            answer = self.scenario.browser.get(host, "/status.php")
            said = answer.json() if answer.status == 200 else {}
            whole = said and not said["maintenance"] and not said["needsDbUpgrade"]
            login = self.scenario.browser.get(host, "/login").status
            pages = self.pages(slug)
            well = whole and {login, *pages.values()} == {200}
            found[slug] = said["versionstring"] if well else f"{answer.status} {pages}"
        return found

    def serve_as(self, expected: dict[str, str]) -> None:
        """Make sure that each space serves, on exactly one release, and that nothing is left."""
        releases = self.releases()
        assert {slug: releases[slug] for slug in self.open} == expected
        assert self.served() == expected
        tokens = [
            f"SELECT COUNT(*) FROM `{Layout(slug).database}`.oc_authtoken"
            " WHERE name = 'archipel-upgrade'"
            for slug in self.all
        ]
        assert {row[0] for row in self.scenario.sql(" UNION ALL ".join(tokens))} == {"0"}
        closed = "find /var/lib/archipel/closed /var/lib/archipel/life -type f 2>/dev/null"
        assert self.scenario.node.run(closed).stdout == ""

    # --- running --------------------------------------------------------------------------

    def upgrade(self, only: str = "", *options: str, release: str = NEW) -> Results:
        """Run an upgrade, which may fail."""
        # A run that was killed just now holds the node for a while.
        self.scenario.node.check_output(f"rm -f {LEASE}")
        return self.scenario.attempt("upgrade.yml", *arguments(release, only), *options)

    def start(self, only: str, *options: str) -> Future[Results]:
        """Begin an upgrade, and look what happens meanwhile."""
        pool = ThreadPoolExecutor(max_workers=1)
        self.scenario.node.check_output(f"rm -f {LEASE}")
        playbook = ("upgrade.yml", *arguments(NEW, only), *options)
        try:
            return pool.submit(self.scenario.attempt, *playbook)
        finally:
            pool.shutdown(wait=False)

    def kill_at(self, step: str) -> None:
        """Have the run killed that reaches this step."""
        self.scenario.node.check_output(
            f"mkdir -p /run/archipel; echo {step} > /run/archipel/kill-at"
        )

    def was_killed(self) -> bool:
        """Tell whether it was."""
        return not self.scenario.node.file("/run/archipel/kill-at").exists

    def journal(self, slug: str) -> dict[str, Any]:
        """Return what is under way with a space; nothing if nothing is."""
        found = self.scenario.node.run(f"cat {JOURNALS}/{slug}.json")
        return dict(json.loads(found.stdout)) if found.rc == 0 else {}

    def await_step(self, slug: str, step: str) -> None:
        """Wait until a space is in the middle of a step."""
        end = time.monotonic() + SECONDS
        while self.journal(slug).get("step") != step:
            assert time.monotonic() < end, f"{slug} never came to {step}"
            time.sleep(0.3)

    def set_app(self, slug: str, app: str, key: str, value: str | None) -> None:
        """Change a setting behind Nextcloud's back."""
        table = f"`{Layout(slug).database}`.oc_appconfig"
        gone = f"DELETE FROM {table} WHERE appid = '{app}' AND configkey = '{key}'"
        self.scenario.sql(gone)
        if value is not None:
            columns = "(appid, configkey, configvalue)"
            self.scenario.sql(f"INSERT INTO {table} {columns} VALUES ('{app}', '{key}', '{value}')")


def password_of(slug: str) -> str:
    """Return the application password of a space's reader."""
    return f"{READER}-of-{slug}".ljust(40, "x")


def arguments(release: str, only: str) -> list[str]:
    """Return the options of a run."""
    chosen = ["-e", f"only={only}"] if only else []
    return ["-e", f"release={release}", *chosen]


def told(results: Results, task: str = "Show the summary") -> str:
    """Return what a task said, as one text."""
    return json.dumps(results[task].get("msg"), ensure_ascii=False)
