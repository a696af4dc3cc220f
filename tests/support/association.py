# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""An association with people and files in it, as scenarios about its life need one."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.layout import Layout
from tests.support.scenario import Scenario

FILES = 30


@dataclass(frozen=True)
class Association:
    """An association, its file, its space, and one of its members."""

    scenario: Scenario
    slug: str
    account: tuple[str, str]

    @property
    def host(self) -> str:
        """Where its space is."""
        return f"{self.slug}.archipel.localhost"

    def write(self, **changes: Any) -> None:
        """Change its file; a change to None removes the key."""
        path = self.scenario.registry(self.slug)
        data = {**_plain(yaml.safe_load(path.read_text(encoding="utf-8"))), **changes}
        # Dates are written as text in JSON, which is YAML.
        kept = {key: value for key, value in data.items() if value is not None}
        path.write_text(json.dumps(kept, default=str), encoding="utf-8")

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request as its member."""
        answer = self.scenario.browser.request(
            method, self.host, path, account=self.account, body=body
        )
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
        data = f"{Layout(self.slug).data}/{self.account[0]}/files"
        sums = self.scenario.node.check_output(f"cd {data} && sha256sum * | sha256sum")
        rows = [
            self.scenario.sql(
                f"SELECT COUNT(*), MAX(fileid) FROM `{Layout(self.slug).database}`.oc_filecache"
            ),
            self.scenario.sql(
                f"SELECT uid FROM `{Layout(self.slug).database}`.oc_users ORDER BY uid"
            ),
        ]
        return f"{sums} {rows}"


def _plain(value: Any) -> Any:
    """Return what a file of the registry holds: to YAML 1.1, the key `on` is true."""
    if not isinstance(value, dict):
        return value
    return {"on" if key is True else key: _plain(one) for key, one in value.items()}


def member(scenario: Scenario, slug: str, name: str = "camille") -> Association:
    """Make an account in a space, as its administrators would, and take an app password."""
    password = secrets.token_urlsafe(24)
    there = name in json.loads(scenario.occ(slug, "user:list --output=json"))
    verb = "user:resetpassword" if there else "user:add"
    scenario.occ(slug, f"{verb} --password-from-env {name}", OC_PASS=password)
    token = scenario.occ(
        slug, f"user:add-app-password --password-from-env {name}", NC_PASS=password
    )
    return Association(scenario, slug, (name, token.split()[-1]))
