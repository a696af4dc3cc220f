# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an operator may set otherwise: records compared, HTTP/3, a router in between, no issuer."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.acme import ADDRESS, ANY, BASE, Authority, Certificates
from tests.support.registry import Registry
from tests.support.scenario import Scenario
from tools.lab.host import until

OWN = "cloud.velo-ecole.example"
# Of the router: the world reaches the first node by it, and the first node itself does not.
OUTSIDE = "10.89.78.50"
HIDDEN = "behind.velo-ecole.example"
HAS_HTTP3 = os.environ.get("ARCHIPEL_LAB_SUITE") != "bookworm"


class Settings:
    """A file of variables of the tests' own, in the environment."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.path = scenario.environment / "group_vars/all/zzzz-settings.yml"

    def platform(self, tags: str, **variables: Any) -> list[str]:
        """Converge the platform with these variables; return the tasks that changed something."""
        self.path.write_text(json.dumps(variables), encoding="utf-8")
        changes = self.scenario.converge("platform.yml", "--tags", tags)
        return [change.task for change in changes]


@pytest.fixture(scope="module")
def settings(scenario: Scenario) -> Iterator[Settings]:
    found = Settings(scenario)
    yield found
    found.path.unlink(missing_ok=True)


class TestRecords:
    """playbooks/dns.yml asks the scenario's BIND from the controller."""

    ONLY = ("-e", json.dumps({"archipel_dns_resolvers": [ADDRESS], "only": "velo-ecole"}))
    ALL = ("-e", json.dumps({"archipel_dns_resolvers": [ADDRESS]}))

    def test_that_are_right_are_found_so(
        self, scenario: Scenario, authority: Authority, first: Certificates, registry: Registry
    ):
        registry.give("velo-ecole", OWN)
        authority.lead(OWN, first.address)
        compared = scenario.attempt("dns.yml", *self.ONLY)["Ask the resolvers"]
        assert compared["problems"] == []
        assert compared["resolvers"] == [ADDRESS]

    def test_that_lead_to_another_node_are_named(
        self, scenario: Scenario, authority: Authority, second: Certificates
    ):
        """BIND's wildcard leads to the first node, and one space is on the second."""
        said = scenario.refusal("dns.yml", *self.ALL)
        assert f"amap-du-val.{BASE}" in said
        assert second.address in said
        authority.run(
            "nsupdate -l",
            stdin=f"update add amap-du-val.{BASE}. 1 A {second.address}\nsend\n",
        )
        assert f"amap-du-val.{BASE}" not in json.dumps(scenario.attempt("dns.yml", *self.ALL))

    def test_of_an_own_domain_are_said_in_the_words_of_its_association(
        self, scenario: Scenario, authority: Authority, first: Certificates
    ):
        authority.lead(OWN, "")
        said = scenario.attempt("dns.yml", *self.ONLY)
        assert said["Ask the resolvers"]["problems"] != []
        told = json.dumps(said["Say what associations have to do, in their language"])
        assert OWN in told
        authority.lead(OWN, first.address)

    def test_are_the_zone_that_check_writes(self, scenario: Scenario, authority: Authority):
        """BIND takes the fragment as it is, and answers as the registry wants it."""
        scenario.converge("check.yml")
        build = scenario.environment.parent / f"build/molecule-{scenario.name}/dns-records"
        zone = (build / "zone.txt").read_text(encoding="utf-8")
        head = "$TTL 60\n@ IN SOA ns.test. root.test. 2 3600 600 86400 60\n@ IN NS ns.test.\n"
        authority.run(f"cat > /tmp/zone; named-checkzone {BASE} /tmp/zone", stdin=head + zone)


def test_http3_is_spoken_where_it_is_wanted(
    authority: Authority, first: Certificates, settings: Settings
):
    """Debian 12's nginx has none: there the node goes on without."""

    def ask(name: str, address: str) -> str:
        return authority.run(
            "curl --http3-only -sk -o /dev/null -w '%{http_version} %{http_code}' -m 20 "
            f"--resolve {name}:443:{address} https://{name}/login || :"
        )

    known = f"velo-ecole.{BASE}"
    assert not ask(known, first.address).startswith("3")
    settings.platform("nginx", nginx_http3_enabled=True)
    listens = ":443" in first.host.check_output("ss -lun")
    assert listens is HAS_HTTP3
    if HAS_HTTP3:
        assert ask(known, first.address) == "3 200"
        # Whom nobody knows is refused in the handshake here as well.
        assert ask("stranger.example", first.address).endswith("000")
    assert settings.platform("nginx", nginx_http3_enabled=True) == []
    settings.platform("nginx")
    assert not ask(known, first.address).startswith("3")


class TestARouterThatLeadsNobodyBackIn:
    """The world comes in by its address; the node that it leads to cannot go out and in again."""

    @pytest.fixture(scope="class", autouse=True)
    def router(self, authority: Authority, first: Certificates) -> Iterator[None]:
        units = textwrap.dedent(f"""
            ip address add {OUTSIDE}/32 dev lo
            systemd-run --quiet --unit=router --socket-property=ListenStream={OUTSIDE}:80 \\
                /usr/lib/systemd/systemd-socket-proxyd {first.address}:80
        """)
        authority.run(units)
        first.host.check_output(f"ip route add unreachable {OUTSIDE}/32")
        authority.lead(HIDDEN, OUTSIDE)
        yield
        first.host.check_output(f"ip route del unreachable {OUTSIDE}/32")
        authority.run(f"systemctl stop router.socket; ip address del {OUTSIDE}/32 dev lo")

    def test_seems_to_lead_elsewhere(self, first: Certificates, registry: Registry):
        registry.give("velo-ecole", OWN, HIDDEN)
        registry.converge()
        until(300, "a pass to know the name", lambda: HIDDEN in first.report())
        first.settle()
        assert f"{HIDDEN} does not lead to this platform: {OUTSIDE}" in first.problem(HIDDEN)

    def test_is_known_by_its_addresses(
        self, authority: Authority, first: Certificates, settings: Settings
    ):
        settings.platform("certificates", certificates_acme_addresses=[OUTSIDE])
        first.forget()
        assert first.run() == "success"
        shown = authority.shown(HIDDEN, first.address)
        assert (shown["names"], shown["trusted"]) == ({HIDDEN}, True)

    def test_excuses_nobody_elses_domain(
        self, authority: Authority, first: Certificates, settings: Settings
    ):
        """What leads there is asked for all the same: a name this node does not serve is not."""
        authority.lead(HIDDEN, "10.89.78.99")
        first.let_end(HIDDEN)
        first.forget()
        first.run()
        assert f"{HIDDEN} does not lead to this platform" in first.problem(HIDDEN)


class TestNoNodeOrdersTheWildcard:
    """It lies on the controller, as with `installed`; own domains go on as before."""

    def test_and_none_has_the_secret_of_the_dns(
        self,
        scenario: Scenario,
        authority: Authority,
        first: Certificates,
        second: Certificates,
        settings: Settings,
        registry: Registry,
    ):
        folder = scenario.environment / ".private/tls/wildcard"
        folder.mkdir(parents=True)
        for name in ("fullchain.pem", "privkey.pem"):
            text = first.host.check_output(f"cat /etc/archipel/tls/wildcard/{name}")
            (folder / name).write_text(f"{text}\n", encoding="utf-8")
        path = scenario.environment / "group_vars/all/zzz-secret.yml"
        secret = json.loads(path.read_text())["certificates_acme_dns_environment"][
            "RFC2136_TSIG_SECRET"
        ]
        assert first.host.run("grep -rlF -e %s /etc", secret).stdout != ""
        before = authority.shown(ANY, first.address)
        settings.platform("certificates", certificates_acme_issuer="controller")
        for node in (first, second):
            assert authority.shown(ANY, node.address) == before
            assert node.host.run("grep -rlF -e %s /etc /var/lib/archipel", secret).stdout == ""
        assert settings.platform("certificates", certificates_acme_issuer="controller") == []
        assert registry.converge() == []

    def test_and_own_domains_are_ordered_still(
        self, authority: Authority, first: Certificates, second: Certificates
    ):
        before = authority.shown(OWN, first.address)
        first.let_end(OWN)
        first.forget()
        first.run()
        after = authority.shown(OWN, first.address)
        assert after["trusted"]
        assert after["serial"] != before["serial"]
        # Nobody comes to fetch any more.
        assert not first.host.file("/etc/archipel/handover/.ssh/authorized_keys").exists
        assert second.run() == "success"
