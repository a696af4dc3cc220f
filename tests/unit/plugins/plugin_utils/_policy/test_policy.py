# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The policy that the inventory reads: what is missing or wrong is named."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _policy
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy._policy import Policy
from tests.unit.environment import POLICY


def problems(**changes: t.Any) -> list[str]:
    """What is wrong with a policy of which nobody knows where it stands."""
    values = {k: v for k, v in {**POLICY, **changes}.items() if v is not None}
    return [str(problem) for problem in _policy.check(values, "all", [])]


def build(**changes: t.Any) -> Policy:
    assert problems(**changes) == []
    return Policy.from_vars({**POLICY, **changes})


def test_addresses_leave_out_the_usual_port():
    assert build().url("a.example") == "https://a.example"
    assert build(archipel_https_port=8443).url("a.example") == "https://a.example:8443"


def test_the_form_may_have_any_name_right_below_the_base_domain():
    assert build().form == ""
    for name in ("www", "demande"):
        host = f"{name}.spaces.example.org"
        intake = {"host": host, "charter_url": "https://x.example"}
        assert problems(archipel_intake=intake) == []
        assert build(archipel_intake=intake).form == name


def test_rings_may_have_a_release_of_their_own():
    releases = build(archipel_ring_releases={"canary": "34.0.1"}).releases
    assert releases == {"canary": "34.0.1", "early": "33.0.9", "stable": "33.0.9"}


@pytest.mark.parametrize("name", sorted(POLICY))
def test_what_is_missing_is_asked_for(name: str):
    (problem,) = problems(**{name: None})
    assert problem.startswith(f"all: {name}: missing; allowed: ")
    assert f"Add for instance `{name}: " in problem
    assert problem.endswith("Is the link 00-baseline there?")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"archipel_base_domain": "Spaces"}, 'base_domain: found "Spaces"; allowed: a host'),
        ({"archipel_base_domain": "a b.example"}, "allowed: a host name"),
        ({"archipel_base_domain": "asso.fr"}, "below which anybody registers names"),
        ({"archipel_https_port": "443"}, 'archipel_https_port: found "443"; allowed: a port'),
        ({"archipel_https_port": 70000}, "allowed: a port number from 1 to 65535"),
        ({"archipel_offices": []}, 'archipel_offices: found "[]"; allowed: a list such as'),
        ({"archipel_offices": ["Libre Office"]}, "archipel_offices.0: found"),
        ({"archipel_offices": "collabora"}, "allowed: a list such as"),
        ({"archipel_limits_default": {"accounts": 5}}, "archipel_limits_default.storage_gb: "
                                                       "missing; allowed: a whole number of"),
        ({"archipel_limits_default": 5}, "allowed: a mapping of the whole numbers"),
        ({"archipel_limits_default": {"accounts": 500, "storage_gb": 40}},
         "archipel_limits_default.accounts: found 500; allowed: at most archipel_limits_maximum"),
        ({"archipel_reserved_slugs": [1]}, "archipel_reserved_slugs.0: found"),
        ({"archipel_office_pinned": "no"}, 'archipel_office_pinned: found "no"; allowed: true or'),
        ({"archipel_release": "33.0.8"},
         'archipel_release: unknown release "33.0.8"; allowed, from archipel_releases: '
         '33.0.9, 34.0.1. Did you mean "33.0.9"?'),
        ({"archipel_ring_releases": {"canary": "35"}}, 'releases.canary: unknown release "35"'),
        ({"archipel_ring_releases": {"canry": "34.0.1"}}, "archipel_ring_releases.canry: unknown "
                                                          "key; allowed: canary, early, stable. "
                                                          'Did you mean "canary"?'),
        ({"archipel_ring_releases": []}, "archipel_ring_releases: found"),
        ({"archipel_releases": {}}, "allowed, from archipel_releases: none"),
        ({"archipel_contacts": "secret"}, 'archipel_contacts: found "secret"; allowed: public'),
        ({"archipel_intake": {"host": "www.spaces.example.org"}}, "archipel_intake.charter_url: "
                                                                  "missing"),
        ({"archipel_intake": {"host": "www.example.org", "charter_url": "https://x.example"}},
         'archipel_intake.host: found "www.example.org"; allowed: a name right below spaces.'),
        ({"archipel_intake": {"host": "a.b.spaces.example.org",
                              "charter_url": "https://x.example"}},
         'archipel_intake.host: found "a.b.spaces.example.org"; allowed: a name right below'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, t.Any], expected: str):
    assert expected in "\n".join(problems(**changes))


def test_everything_comes_in_one_run():
    assert len(_policy.check({}, "all", [])) == len(POLICY)
    assert set(POLICY) <= set(_policy.NAMES)
