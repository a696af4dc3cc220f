# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a request for a certificate names."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.policy.tree import ROOT, load
from tests.unit.environment import Environment
from tests.unit.plugins.inventory.test_registry import seen

LONG = ".".join(["abcdefgh"] * 9)


@pytest.mark.parametrize(
    ("domains", "subject", "names"),
    [
        (["*.a.example", "a.example"], "*.a.example", ["DNS:*.a.example", "DNS:a.example"]),
        # As a subject it would be taken for a host name, which the authority may not sign.
        (["10.0.0.2"], "database", ["IP:10.0.0.2"]),
        (["fd00::2", "db.example"], "db.example", ["IP:fd00::2", "DNS:db.example"]),
        ([LONG], "database", [f"DNS:{LONG}"]),
    ],
)
def test_addresses_are_no_host_names(domains: list[str], subject: str, names: list[str]):
    tasks = load(ROOT / "roles/certificates/tasks/local_certificate.yml")
    (request,) = (
        task["community.crypto.openssl_csr"]
        for task in tasks
        if "community.crypto.openssl_csr" in task
    )
    variables = {
        "__certificates_domains": domains,
        "__certificates_request": {"name": "database"},
    }
    templar = Templar(DataLoader(), variables=variables)
    asked = {
        key: templar.template(trust_as_template(request[key]))
        for key in ("common_name", "subject_alt_name")
    }
    assert asked == {"common_name": subject, "subject_alt_name": names}


class TestOwnDomains:
    """They are apart: a new one is nothing to those who trust the authority's file of before."""

    WILDCARD = "*.spaces.example.org", "spaces.example.org"

    @pytest.fixture
    def policy(self, environment: Environment) -> Environment:
        (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
        environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
        return environment

    @staticmethod
    def requests(environment: Environment) -> dict[str, tuple[str, ...]]:
        """Return what the machine asks for, and check which certificate nginx shows."""
        inventory = environment.load()
        asked = seen(inventory, "node1", "certificates_requests")
        wanted = {one["name"]: tuple(one["domains"]) for one in asked}
        shown = seen(inventory, "node1", "spaces_domains_tls_certificate").split("/")[-2]
        assert "velo.example" not in wanted["wildcard"] or shown == "wildcard"
        assert "domains" not in wanted or shown == "domains"
        return wanted

    def test_no_space_has_one(self, policy: Environment):
        assert self.requests(policy) == {"wildcard": self.WILDCARD}

    def test_our_own_authority_signs_for_them_apart(self, policy: Environment):
        policy.space("velo-ecole", domains=["velo.example"])
        assert self.requests(policy) == {"wildcard": self.WILDCARD, "domains": ("velo.example",)}

    def test_who_buys_may_put_them_into_one_or_two(self, policy: Environment):
        policy.space("velo-ecole", domains=["velo.example"])
        policy.policy(certificates_provider="installed")
        assert self.requests(policy) == {"wildcard": (*self.WILDCARD, "velo.example")}
        (policy.root / ".private/tls/domains").mkdir(parents=True)
        assert self.requests(policy) == {"wildcard": self.WILDCARD, "domains": ("velo.example",)}

    def test_an_authority_that_is_asked_by_the_node_has_one_for_each(self, policy: Environment):
        policy.space("velo-ecole", domains=["velo.example"])
        policy.policy(certificates_provider="acme")
        inventory = policy.load()
        assert self.requests(policy) == {"wildcard": self.WILDCARD}
        assert seen(inventory, "node1", "spaces_domains_tls_names") == "/etc/archipel/names"
        assert seen(inventory, "node1", "certificates_acme_vhosts") == "/etc/nginx/archipel"
        assert seen(inventory, "node1", "certificates_acme_covered") == list(self.WILDCARD)

    def test_of_the_others_nginx_finds_none_by_name(self, policy: Environment):
        policy.space("velo-ecole", domains=["velo.example"])
        assert seen(policy.load(), "node1", "spaces_domains_tls_names") == ""

    def test_names_are_kept_in_theirs_while_a_space_has_no_file(self, policy: Environment):
        policy.space("velo-ecole")
        policy.placement(
            "velo-ecole: {id: 70001, web: node1, db: node1}",
            "amap: {id: 70002, web: node1, db: node1}",
        )
        assert seen(policy.load(), "node1", "certificates_names_kept") == ["domains"]
