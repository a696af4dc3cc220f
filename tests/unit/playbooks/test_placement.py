# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What placement.yml shows and writes; no node is asked here."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.unit.environment import ROOT, Environment

DECIDED = {"by": "moderation", "on": "2024-05-30", "reason": "why"}
# Nobody listens there: the connection is refused at once.
NODES = """\
web:
  hosts:
    node1: {ansible_host: 127.0.0.1, ansible_port: 1, archipel_capacity: 2}
    node2: {ansible_host: 127.0.0.1, ansible_port: 1, archipel_capacity: 9}
db: {hosts: {node1: {}, node2: {}}}
"""
PLACED = [f"s{n}: {{id: {70_000 + n}, web: node1, db: node1}}" for n in range(3)]


@pytest.fixture
def crowded(environment: Environment) -> Environment:
    """Three spaces on a node that takes two, and a new one."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
    environment.write("nodes.yml", NODES)
    for n in range(3):
        environment.space(f"s{n}", status="suspended", decision=DECIDED)
    environment.placement(*PLACED)
    return environment


def placement(environment: Environment, *options: str) -> tuple[int, str]:
    path = str(ROOT / "playbooks/placement.yml")
    done = environment.command("ansible-playbook", path, *options)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def kept(environment: Environment) -> dict[str, t.Any]:
    text = (environment.root.parent.parent / "build/lab/placement.json").read_text()
    return t.cast("dict[str, t.Any]", json.loads(text))


def test_it_shows_and_proposes_and_writes_nothing(crowded: Environment):
    before = crowded.lock.read_text()
    code, said = placement(crowded, "-e", "ask=false")
    assert code == 0, said
    assert "node1 over: spaces 3 → 2 of 2" in said
    assert "s0: node1 → node2, database node1 → node2; GB used unknown, promised 40" in said
    assert "velo-ecole on node2, database on node2" in said
    assert [one["slug"] for one in kept(crowded)["proposals"]] == ["s0"]
    assert crowded.lock.read_text() == before


def test_nodes_that_do_not_answer_are_named(crowded: Environment):
    code, said = placement(crowded)
    assert code == 0, said
    assert [one["state"] for one in kept(crowded)["nodes"]] == ["silent", "silent"]
    assert kept(crowded)["proposals"] == []


def test_new_spaces_are_recorded_when_asked(crowded: Environment):
    code, said = placement(crowded, "-e", "ask=false", "-e", "write=true")
    assert code == 0, said
    lines = crowded.lock.read_text().splitlines()
    assert "  velo-ecole: {id: 70100, web: node2, db: node2}" in lines
    assert "  s0: {id: 70000, web: node1, db: node1}" in lines, "a proposal is not written"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["only=s0", "write=true"], "nothing was written. s0: its node said nothing of it"),
        (["only=s0", "to=node3"], 'nothing was planned. to: found "node3"; allowed: a web node'),
        (["to=node2"], "nothing was planned. to=node2: name the spaces that go there"),
        (["fill=node1"], None),
        (["only=s9"], "only=s9: no space and no group is called s9"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    crowded: Environment, options: list[str], expected: str | None
):
    before = crowded.lock.read_text()
    given = [part for option in ["ask=false", *options] for part in ("-e", option)]
    code, said = placement(crowded, *given)
    assert (code == 0) is (expected is None), said
    assert expected is None or expected in said
    assert crowded.lock.read_text() == before
