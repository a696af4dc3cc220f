# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What check.yml writes for name servers, and what dns.yml finds at resolvers."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.support.nameserver import serving
from tests.unit.environment import ROOT, Environment

NODES = """
web: {hosts: {node1: {archipel_public_addresses: [192.0.2.10, "2001:db8::10"]}}}
db: {hosts: {node1: {}}}
"""
THEIRS = "$ORIGIN velo.example.\n$TTL 300\ncloud CNAME velo-ecole.spaces.example.org.\n"


@pytest.fixture
def whole(environment: Environment) -> Environment:
    """An environment with the policy that the project ships, and a space with a domain."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.policy(
        archipel_release=None,
        archipel_releases=None,
        archipel_offices=None,
        certificates_provider="acme",
    )
    environment.write("nodes.yml", NODES)
    environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
    environment.space("velo-ecole", domains=["cloud.velo.example"])
    return environment


def play(environment: Environment, playbook: str, *options: str) -> tuple[int, str]:
    done = environment.command("ansible-playbook", str(ROOT / "playbooks" / playbook), *options)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def built(environment: Environment) -> Path:
    return environment.root.parent.parent / "build/lab"


def test_check_writes_the_records(whole: Environment):
    code, said = play(whole, "check.yml")
    assert code == 0, said
    assert "DNS records of 2 names, 1 of them of associations, in " in said
    folder = built(whole) / "dns-records"
    zone = (folder / "zone.txt").read_text(encoding="utf-8")
    assert "$ORIGIN spaces.example.org." in zone
    assert "3600 IN AAAA  2001:db8::10" in zone
    # With acme, whose directory nobody has changed.
    assert '3600 IN CAA   0 issuewild "letsencrypt.org"' in zone
    assert (folder / "associations/velo-ecole.fr.txt").is_file()
    assert "changed=0" in play(whole, "check.yml")[1].split("PLAY RECAP")[1]


def test_check_goes_on_where_a_node_has_no_address(whole: Environment):
    """It may be named by a host name that only operators know."""
    whole.write(
        "nodes.yml",
        NODES.replace('{archipel_public_addresses: [192.0.2.10, "2001:db8::10"]}', "{}"),
    )
    code, said = play(whole, "check.yml")
    assert code == 0, said
    assert "no address of node1 is known, so no records are written; set archipel_public" in said
    assert not (built(whole) / "dns-records").exists()


def test_check_says_which_address_is_none(whole: Environment):
    whole.write("nodes.yml", NODES.replace("192.0.2.10", "192.0.2.300"))
    code, said = play(whole, "check.yml")
    assert code != 0
    assert 'nodes.yml:2: archipel_public_addresses.0: found "192.0.2.300"; allowed: an IP' in said


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_what_leads_where_it_shall(whole: Environment, options: tuple[str, ...]):
    play(whole, "check.yml")
    zone = (built(whole) / "dns-records/zone.txt").read_text(encoding="utf-8")
    with serving(zone, THEIRS) as server:
        extra = json.dumps({"archipel_dns_resolvers": [server]})
        code, said = play(whole, "dns.yml", "-e", extra, *options)
    assert code == 0, said
    assert f"2 names: 2 ok. Asked: {server}." in said
    rows = json.loads((built(whole) / "dns.json").read_text(encoding="utf-8"))
    assert [(row["domain"], row["state"]) for row in rows] == [
        ("velo-ecole.spaces.example.org", "ok"),
        ("cloud.velo.example", "ok"),
    ]


def test_what_does_not_ends_with_an_error(whole: Environment, tmp_path: Path):
    """With a sentence for operators, one for the association, and a report."""
    zone = "$ORIGIN spaces.example.org.\n$TTL 60\n* A 192.0.2.10\n* AAAA 2001:db8::10\n"
    with serving(zone, THEIRS.replace("CNAME", "CNAME parked.example. ;")) as server:
        extra = json.dumps({"archipel_dns_resolvers": [server], "dns_file": f"{tmp_path}/x.json"})
        code, said = play(whole, "dns.yml", "-e", extra)
        only, said_of_none = play(whole, "dns.yml", "-e", extra, "-e", "only=nonsense")
    assert code == 2
    assert "2 names: 1 ok, 1 missing." in said
    assert "cloud.velo.example: leads nowhere; it must lead to 192.0.2.10, 2001:db8::10" in said
    assert "Demandez à la personne qui gère ce domaine" in said
    rows = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert {row["domain"]: row["state"] for row in rows}["cloud.velo.example"] == "missing"
    assert only == 2
    assert "nonsense" in said_of_none


def test_a_space_may_be_asked_for_alone(whole: Environment):
    whole.placement(
        "velo-ecole: {id: 70000, web: node1, db: node1}",
        "amap: {id: 70001, web: node1, db: node1}",
    )
    whole.space("amap")
    zone = "$ORIGIN spaces.example.org.\n$TTL 60\n* A 192.0.2.10\n* AAAA 2001:db8::10\n"
    with serving(zone) as server:
        extra = json.dumps({"archipel_dns_resolvers": [server]})
        code, said = play(whole, "dns.yml", "-e", extra, "-e", "only=amap")
    assert code == 0, said
    assert "1 names: 1 ok" in said


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"archipel_dns_resolvers": ["dns.example"]}, "archipel_dns_resolvers.0: found"),
        ({"archipel_dns_ttl": 10}, "archipel_dns_ttl: found"),
        ({"archipel_certificate_authorities": ["https://x"]}, "archipel_certificate_authorities.0"),
    ],
)
def test_the_policy_is_held_against_its_schema(
    environment: Environment, policy: dict[str, t.Any], said: str
):
    environment.policy(**policy)
    environment.space("velo-ecole")
    assert any(said in problem for problem in environment.problems())
