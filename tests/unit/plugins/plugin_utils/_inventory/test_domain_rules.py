# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Host names of spaces: what is refused with what to do, and which of them is canonical."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible.inventory.manager import InventoryManager

from ansible_collections.archipel.spaces.plugins.filter.wopi_groups import wopi_groups
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _offices
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _names, _suffixes
from tests.unit.environment import Environment

# 254 characters, of labels that are right.
LONG = ".".join(["a" * 62] * 4) + ".ab"

WRONG: list[tuple[str, str]] = [
    ("vélo.example", 'found "vélo.example"; allowed: a host name .* Write "xn--vlo-bma.example".'),
    ("Velo.Example", 'found "Velo.Example"; allowed: .* Write "velo.example".'),
    ("straße.example", 'found "straße.example"; allowed: .* Write "xn--strae-oqa.example".'),
    ("*.velo.example", r'found "\*.velo.example"; allowed: .* Write each name by itself'),
    ("192.0.2.1", 'found "192.0.2.1"; allowed: .* write the name that leads to it.'),
    ("2001:db8::1", 'found "2001:.*"; allowed: .* write the name that leads to it.'),
    ("velo.example.", 'found "velo.example."; allowed: .* Write "velo.example".'),
    ("velo.example:8443", 'found "velo.example:8443"; allowed: .* Write "velo.example".'),
    ("https://velo.example/x", 'found "https://velo.*"; allowed: .* Write "velo.example".'),
    (LONG, 'found "aaa.*"; allowed: .* It has 254 characters, and a host name at most 253.'),
    ("xn--velo-abc0123456.example", "xn--velo-abc0123456 is the xn-- form of no name; allowed: "),
    ("spaces.example.org", 'found "spaces.example.org"; allowed: names outside spaces.example.org'),
    ("amap.spaces.example.org", "the name of a file is the name of its space"),
    ("co.uk", 'found "co.uk", below which anybody registers names .*; allowed: .*; name the '
              r"association's own host, such as cloud.association.co.uk"),
    ("github.io", 'found "github.io", below which anybody registers names'),
    ("xn--55qx5d.cn", 'found "xn--55qx5d.cn", below which anybody registers names'),
]  # fmt: skip


def own(inventory: InventoryManager, host: str, name: str) -> t.Any:
    found = inventory.get_host(host)
    assert found
    return found.vars[name]


@pytest.mark.parametrize(("domain", "said"), WRONG)
def test_what_is_no_name_of_an_association(environment: Environment, domain: str, said: str):
    """With file, line and what to do; as canonical name the same."""
    environment.space("velo-ecole", domains=["good.example", domain])
    (problem,) = environment.problems()
    assert problem.startswith("spaces/velo-ecole.yml:13: domains.1: ")
    assert re.search(said, problem), problem


@pytest.mark.parametrize(
    "value",
    ["velo", "velo..example", "user@velo.example", "http://", "a b.example", "ﬁ.example", 7],
)
def test_nothing_is_suggested_that_would_be_a_guess(value: t.Any):
    assert _names.suggest(value) == ""


@pytest.mark.parametrize(
    "domain", ["velo.example", "velo.asso.fr", "cloud.velo.co.uk", "a.github.io"]
)
def test_a_name_below_a_public_suffix_is_somebody_s(domain: str):
    assert not _suffixes.is_public(domain)


def test_another_space_s_own_domain_stays_with_it(environment: Environment):
    environment.placement("amap: {id: 70000, web: node1, db: node1}")
    environment.space("amap", domains=["a.example"])
    environment.space("velo-ecole", domains=["a.example"])
    (problem,) = environment.problems()
    assert problem.startswith('spaces/velo-ecole.yml:12: domains.0: the domain "a.example" is also')


class TestCanonical:
    """One of the names is the one in links; the others lead there, or are served beside it."""

    DOMAINS = ("cloud.velo.example", "velo.example")

    def entry(self, environment: Environment, **changes: t.Any) -> dict[str, t.Any]:
        environment.space("velo-ecole", domains=list(self.DOMAINS), **changes)
        found: dict[str, t.Any] = own(environment.load(), "velo-ecole", "space")
        return found

    def test_without_a_word_it_is_the_platform_s_and_all_are_served(self, environment: Environment):
        entry = self.entry(environment)
        assert entry["domains"] == ["velo-ecole.spaces.example.org", *self.DOMAINS]
        assert entry["redirect"] is False

    @pytest.mark.parametrize("redirect", [True, False])
    def test_it_comes_first_and_addresses_are_made_of_it(
        self, environment: Environment, redirect: bool
    ):
        environment.policy(archipel_https_port=8443)
        entry = self.entry(environment, canonical="velo.example", redirect=redirect)
        assert entry["domains"] == [
            "velo.example",
            "velo-ecole.spaces.example.org",
            "cloud.velo.example",
        ]
        assert entry["url"] == "https://velo.example:8443"
        assert entry["redirect"] is redirect

    def test_the_platform_s_own_may_be_named(self, environment: Environment):
        entry = self.entry(environment, canonical="velo-ecole.spaces.example.org", redirect=True)
        assert entry["domains"][0] == "velo-ecole.spaces.example.org"

    def test_office_servers_let_all_names_in_and_know_the_canonical_one_first(
        self, environment: Environment
    ):
        """A document that was opened under another name is still saved there."""
        entry = self.entry(environment, canonical="velo.example", redirect=True)
        served = {"collabora": {"shard": "c1", "host": "c1.example", "rotation": 0}}
        offices = _offices.Offices((_offices.Server("c1", "collabora", "office1"),))
        (one,) = _offices.list_served("office1", [{**entry, "office_servers": served}], offices)
        assert one["hosts"] == entry["domains"]
        (_, group) = json.loads(wopi_groups([one], "https://none.invalid:443"))["storage"]["wopi"][
            "alias_groups"
        ]["groups"]
        assert group["host"] == "https://velo.example:443"
        assert "https://velo-ecole.spaces.example.org:443" in group["aliases"]

    @pytest.mark.parametrize(
        ("canonical", "said"),
        [
            ("other.example", 'found "other.example"; allowed, the names of this space: '
                              "velo-ecole.spaces.example.org, cloud.velo.example, velo.example; "
                              "write one of these, or add it to domains"),
            ("amap.spaces.example.org", 'found "amap.spaces.example.org"; allowed, the names'),
            ("clod.velo.example", 'Did you mean "cloud.velo.example"?'),
            ("vélo.example", 'Write "xn--vlo-bma.example".'),
            ("velo.example:8443", 'Write "velo.example".'),
            (7, 'found "7"; allowed: one of the space\'s own names'),
        ],
    )  # fmt: skip
    def test_only_a_name_of_its_own(self, environment: Environment, canonical: t.Any, said: str):
        environment.space("velo-ecole", domains=list(self.DOMAINS), canonical=canonical)
        (problem,) = environment.problems()
        assert problem.startswith("spaces/velo-ecole.yml:15: canonical: ")
        assert said in problem

    def test_a_word_for_redirect_is_true_or_false(self, environment: Environment):
        environment.space("velo-ecole", redirect="cloud.velo.example")
        (problem,) = environment.problems()
        assert 'redirect: found "cloud.velo.example"; allowed: true (pages under' in problem

    def test_a_space_with_a_wrong_file_keeps_all_its_names(self, environment: Environment):
        environment.options(on_invalid="skip")
        environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
        environment.space("velo-ecole", domains=["velo.example"], canonical="other.example")
        environment.space("amap", domains=["velo.example"])
        skipped = own(environment.load(), "node1", "archipel_skipped")
        assert skipped[0]["domains"] == ["velo-ecole.spaces.example.org", "velo.example"]
