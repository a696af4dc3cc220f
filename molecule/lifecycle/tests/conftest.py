# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The scenario's machine, and an association with people and files in it."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.scenario import Scenario
from tools import release
from tools import scenario as scenarios

SCENARIO = Scenario(os.environ.get("ARCHIPEL_SCENARIO", "lifecycle"))
FILES = 30


def pytest_report_header() -> str:
    """Say which Nextcloud is under test, and keep it for the end of the run."""
    running = release.running(SCENARIO.machine)
    kept = scenarios.folder(SCENARIO.name) / "nextcloud"
    kept.write_text(f"{running}\n", encoding="utf-8")
    return f"scenario {SCENARIO.name}: {running}"


@dataclass(frozen=True)
class Association:
    """An association, its file, its space, and one of its members."""

    slug: str
    account: tuple[str, str]

    @property
    def host(self) -> str:
        """Where its space is."""
        return f"{self.slug}.archipel.localhost"

    def write(self, **changes: Any) -> None:
        """Change its file; a change to None removes the key."""
        path = SCENARIO.registry(self.slug)
        data = {**yaml.safe_load(path.read_text(encoding="utf-8")), **changes}
        # Dates are written as text in JSON, which is YAML.
        kept = {key: value for key, value in data.items() if value is not None}
        path.write_text(json.dumps(kept, default=str), encoding="utf-8")

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request as its member."""
        answer = SCENARIO.browser.request(method, self.host, path, account=self.account, body=body)
        return answer.status, answer.body

    def upload(self) -> None:
        """Put files of all sizes into it."""
        for number in range(FILES):
            status, _ = self.ask("PUT", self.path(number), secrets.token_bytes(1000 * number))
            assert status in {201, 204}

    def path(self, number: int) -> str:
        """Return where one of the files is."""
        return f"/remote.php/dav/files/{self.account[0]}/f{number}.bin"

    def files(self) -> str:
        """Return a checksum of all files, as its member gets them."""
        found = hashlib.sha256()
        for number in range(FILES):
            status, body = self.ask("GET", self.path(number))
            assert status == 200, f"f{number}.bin: {status}"
            found.update(body)
        return found.hexdigest()

    def stored(self) -> str:
        """Return a checksum of what is on the disk and in the tables that hold people's things."""
        data = f"/srv/spaces/{self.slug}/data/{self.account[0]}/files"
        sums = SCENARIO.node.check_output(f"cd {data} && sha256sum * | sha256sum")
        rows = [
            SCENARIO.sql(f"SELECT COUNT(*), MAX(fileid) FROM `space_{self.slug}`.oc_filecache"),
            SCENARIO.sql(f"SELECT uid FROM `space_{self.slug}`.oc_users ORDER BY uid"),
        ]
        return f"{sums} {rows}"


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Everything about the scenario."""
    return SCENARIO


@pytest.fixture(scope="session")
def node() -> Host:
    """The machine, through testinfra."""
    return SCENARIO.node


@pytest.fixture(scope="session")
def browser() -> Browser:
    """A visitor."""
    return SCENARIO.browser


def member(slug: str) -> Association:
    """Make an account in a space, as its administrators would, and take an app password."""
    password = secrets.token_urlsafe(24)
    SCENARIO.occ(slug, "user:add --password-from-env camille", OC_PASS=password)
    token = SCENARIO.occ(
        slug, "user:add-app-password --password-from-env camille", NC_PASS=password
    )
    return Association(slug, ("camille", token.split()[-1]))


@pytest.fixture(scope="session")
def velo() -> Association:
    """A living space with files in it."""
    found = member("velo-ecole")
    found.upload()
    return found
