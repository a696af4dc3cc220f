# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space whose storage can be filled in seconds, where the machine has no project quotas.

A small file system in memory is mounted over the space's data and its temporary files: it ends
where a project quota would end, and shows its size as one would. What it cannot show is who
enforces it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.support.browser import Answer, Browser
from tests.support.layout import Layout
from tests.support.scenario import Scenario

MIB = 1 << 20
SIZE = 48 * MIB
MEMBER = "remplisseur"
# Where a file fits by the look of it and then does not, Nextcloud says 413; where PHP cannot keep
# what arrives, 400, and 500 where it can and the file cannot be written.
MIDWAY = {400, 413, 500}
QUOTA = b"""<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop>
<d:quota-available-bytes/><d:quota-used-bytes/></d:prop></d:propfind>"""


@dataclass(frozen=True)
class Full:
    """A member of the space, and the requests of a client of theirs."""

    browser: Browser
    host: str
    account: tuple[str, str]

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request; underscores in header names stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.browser.request(
            method, self.host, path, account=self.account, body=body, headers=sent
        )

    def dav(self, method: str, name: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request about one of the member's files."""
        return self.request(method, f"/remote.php/dav/files/{MEMBER}/{name}", body, **headers)

    def put(self, name: str, size: int) -> int:
        """Store a file of some size; return the status."""
        return self.dav("PUT", name, b"x" * size).status

    def free(self) -> int:
        """Return what is left, as clients are told."""
        said = self.dav("PROPFIND", "", QUOTA, Depth="0", Content_Type="application/xml").text
        match = re.search(r"quota-available-bytes>(-?\d+)<", said)
        assert match is not None, said
        return int(match[1])

    def fill(self) -> None:
        """Store until nothing more is taken."""
        for size in (4 * MIB, 512 * 1024, 64 * 1024):
            number = 0
            while (status := self.put(f"fill-{size}-{number}", size)) in {201, 204}:
                number += 1
                assert number < 1000, "nothing stops it"
            assert status in {507, *MIDWAY}, f"{status} for {size} bytes"

    def as_member(self, password: str) -> Full:
        """Return the same client with another password."""
        return replace(self, account=(self.account[0], password))


@contextmanager
def small(scenario: Scenario, slug: str) -> Iterator[Full]:
    """Make a space small, with a member; undo it afterwards."""
    password = secrets.token_urlsafe(24)
    scenario.occ(slug, f"user:add --password-from-env {MEMBER}", OC_PASS=password)
    token = scenario.occ(
        slug,
        f"user:add-app-password --password-from-env {MEMBER}",
        NC_PASS=password,
        OC_PASS=password,
    ).split()[-1]
    home = Layout(slug).home
    mounted = f"""
    set -eu
    systemctl stop space-php@{slug}.service
    mkdir -p /run/small
    mount -t tmpfs -o size={SIZE},mode=0755 small /run/small
    for tree in data tmp; do
        cp -a {home}/$tree /run/small/
        mount --bind /run/small/$tree {home}/$tree
    done
    """
    undone = f"""
    systemctl stop space-php@{slug}.service
    umount --lazy {home}/data {home}/tmp /run/small
    """
    scenario.machine.execute("sh", "-c", mounted)
    host = scenario.spaces[slug]["domains"][0]
    client = Full(scenario.browser, host, (MEMBER, token))
    try:
        # Gives the member a home: the first question about one that is not there may fail.
        client.put("first", MIB)
        yield client
    finally:
        scenario.machine.execute("sh", "-c", undone)
        scenario.occ(slug, f"user:delete {MEMBER}")
        # Pages that were opened meanwhile left files here of which the database still knows.
        scenario.occ(slug, "files:scan-app-data")
