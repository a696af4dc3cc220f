# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the scenario office needs beside its environment: packages, connectors, names.

Usage: ``python -m tests.support.suites SCENARIO``, once machine and environment are there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from tests.standin import collabora, connectors
from tests.support import aptrepo, documentserver
from tests.support.layout import Units
from tests.support.scenario import Scenario
from tools import ROOT, inventory, release, scenario

BUILD = ROOT / "build/standin/collabora"
PLACE = "/srv/collabora-repository"
SUITE = "code"
DOMAIN = "archipel.test"
VERSIONS = ("25.04.1.1-1", "25.04.1.2-1")
# An address of the machine's own, which spaces may not reach unless they are let.
ADDRESS = "10.99.0.21"


def signer(name: str = "key") -> aptrepo.Signer:
    """Return a key that signs the repository of the tests."""
    return aptrepo.kept(BUILD / name)


def publish(name: str, version: str, key: aptrepo.Signer | None = None) -> None:
    """Put the repository on a machine, with one version."""
    found = collabora.build(version, BUILD)
    machine = scenario.machine(name)
    aptrepo.publish(machine, PLACE, BUILD / "repository", found, key or signer(), SUITE)


def variables() -> dict[str, object]:
    """Return what the role is told of the repository, and the release that has the connectors."""
    key = BUILD / "key.asc"
    key.write_text(signer().public(), encoding="utf-8")
    catalogue = yaml.safe_load(release.CATALOGUE.read_text(encoding="utf-8"))
    known = catalogue["archipel_releases"][catalogue["archipel_release"]]
    applications = connectors.build(ROOT / "build/standin/applications")
    # Of the others, none lies here: a stand-in is built without them.
    applications = {**(known.get("applications") or {}), **applications}
    named = f"{catalogue['archipel_release']}-office"
    return {
        "collabora_repository_url": f"file:{PLACE}",
        "collabora_repository_suite": SUITE,
        "collabora_repository_components": ["main"],
        "collabora_repository_key": str(key),
        "collabora_repository_key_fingerprint": signer().fingerprint(),
        "archipel_release": named,
        "archipel_releases": {named: {**known, "applications": applications}},
        "nextcloud_local_folders": [str(ROOT / "build/standin/applications")],
        **documentserver.variables(),
    }


def name_hosts(name: str) -> None:
    """Give the machine its address, and lead every name of the environment there."""
    found = inventory.read(scenario.environment(name)).spaces
    hosts = {host for space in found for host in space["domains"]}
    hosts |= {one["host"] for space in found for one in space["office_servers"].values()}
    lines = "".join(f"{ADDRESS} {host}\n" for host in sorted(hosts))
    script = f"ip address replace {ADDRESS}/32 dev lo; cat >> /etc/hosts <<'END'\n{lines}END\n"
    scenario.machine(name).execute("sh", "-c", script)


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Inside:
    """Requests from within the machine; no certificate is taken on trust."""

    scenario: Scenario

    def ask(self, url: str, *options: str) -> Reply:
        """Send one request."""
        command = ["curl", "--silent", "--max-time", "20", "--write-out", "\\n%{http_code}"]
        done = self.scenario.machine.execute(*command, *options, url)
        body, _, status = done.rpartition("\n")
        return Reply(int(status), body)

    def server(self, slug: str, suite: str) -> dict[str, Any]:
        """Where a space finds its server of a suite."""
        return dict(self.scenario.spaces[slug]["office_servers"][suite])

    def app(self, slug: str, path: str) -> Reply:
        """Ask an application in a space."""
        return self.ask(f"https://{slug}.{DOMAIN}/index.php/apps/{path}")

    def opened(self, slug: str, source: str = "") -> Reply:
        """Open a document of a space in Collabora Online, as the space says how."""
        opened = self.app(slug, "richdocuments/open").json
        wopi = source or f"https://{slug}.{DOMAIN}"
        path = f"{wopi}/index.php/apps/richdocuments/wopi/files/{opened['fileid']}"
        inner = quote(f"{path}?access_token={opened['access_token']}", safe="")
        return self.ask(f"https://{urlsplit(opened['urlsrc']).netloc}/cool/{inner}/ws")

    def accepts(self, slug: str, server: str = "") -> bool:
        """Tell whether a Document Server takes the token a space makes."""
        opened = self.app(slug, "onlyoffice/open").json
        url = server or opened["documentServerUrl"]
        body = json.dumps({"token": opened["token"]})
        reply = self.ask(f"{url}coauthoring/CommandService.ashx", "--data", body)
        return reply.status == 200 and reply.json["error"] == 0

    def jobs(self, slug: str) -> None:
        """Run the jobs of a space."""
        self.scenario.machine.execute("systemctl", "start", Units(slug).jobs)


def main() -> None:
    """Publish, tell the environment, name the hosts."""
    name = sys.argv[1]
    publish(name, VERSIONS[0])
    documentserver.publish(name, 1)
    folder = scenario.environment(name) / "group_vars/all"
    settings = json.dumps(variables(), indent=2) + "\n"
    (folder / "zzz-repositories.yml").write_text(settings, encoding="utf-8")
    name_hosts(name)


if __name__ == "__main__":
    main()
