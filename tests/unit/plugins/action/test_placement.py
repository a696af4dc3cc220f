# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The action that records placements, as a play uses it."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.unit.environment import Environment

OTHER = "velo-ecole: {id: 70000, web: node1, db: node1}"


@pytest.fixture
def many(environment: Environment) -> Environment:
    environment.space("amap")
    environment.write(
        "nodes.yml",
        "web: {hosts: {node1: {ansible_host: 192.0.2.1}, node2: {ansible_host: 192.0.2.2}}}\n"
        "db: {hosts: {node1: {}}}\n",
    )
    return environment


def record(
    environment: Environment, *options: str, hosts: str = "localhost", before: str = ""
) -> subprocess.CompletedProcess[str]:
    """A play that records; `before` is what a second operator writes in between."""
    tasks = [
        {
            "name": "Record",
            "archipel.spaces.placement": {"placement": "{{ archipel_placement }}"},
            "register": "done",
        },
        {"ansible.builtin.debug": {"var": "done.spaces"}},
    ]
    if before:
        copy = {"content": before, "dest": str(environment.lock), "mode": "0644"}
        meanwhile = {"ansible.builtin.copy": copy, "delegate_to": "localhost", "run_once": True}
        tasks.insert(0, meanwhile)
    play = [{"hosts": hosts, "gather_facts": False, "tasks": tasks}]
    path = environment.write(".private/play.yml", json.dumps(play))
    return environment.command("ansible-playbook", str(path), *options)


def outcome(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The diff, what changed and what was returned; not the time it took."""
    return [line for line in done.stdout.splitlines() if line.startswith(("+", "-", "@", "c", " "))]


def test_check_mode_says_what_a_run_then_records(many: Environment):
    check = record(many, "--check", "--diff")
    assert check.returncode == 0, check.stderr
    assert "spaces: {}" in many.lock.read_text()
    assert "changed=1" in check.stdout
    assert "+  amap: {id: 70000, web: node1, db: node1}" in check.stdout
    real = record(many, "--diff")
    assert outcome(real) == outcome(check)
    assert many.lock.read_text(encoding="utf-8").splitlines()[-3:] == [
        "spaces:",
        "  amap: {id: 70000, web: node1, db: node1}",
        "  velo-ecole: {id: 70001, web: node2, db: node1}",
    ]


def test_it_says_who_went_where(many: Environment):
    done = record(many)
    assert '"placed on node2 with id 70001, database on node1"' in done.stdout


def test_a_second_run_changes_nothing(many: Environment):
    record(many)
    before = many.tree()
    again = record(many)
    assert "changed=0" in again.stdout
    assert many.tree() == before


def test_it_runs_once_and_connects_to_no_node(many: Environment):
    """The addresses of these nodes lead nowhere."""
    done = record(many, hosts="web")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("changed: [") == 1


def test_it_adds_to_what_another_operator_added_meanwhile(environment: Environment):
    environment.placement()
    theirs = environment.placement("zoo: {id: 70050, web: node1, db: node1}").read_text()
    environment.placement()
    done = record(environment, before=theirs)
    assert done.returncode == 0, done.stdout
    assert "zoo: {id: 70050" in environment.lock.read_text()
    assert "velo-ecole: {id: 70100" in environment.lock.read_text()


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ("zoo: {id: 70100, web: node1, db: node1}", "planned for velo-ecole, is now that of zoo"),
        ("velo-ecole: {id: 70100, web: node7, db: node7}", "velo-ecole is now on node7"),
        ("<<<<<<< HEAD", "found a merge conflict"),
    ],
)
def test_it_refuses_what_contradicts(environment: Environment, theirs: str, reason: str):
    content = environment.placement(theirs, next_id=70_101).read_text().replace("  <", "<")
    environment.placement()
    done = record(environment, before=content)
    assert done.returncode != 0
    assert reason in done.stdout + done.stderr
    assert environment.lock.read_text() == content


def test_arguments_are_checked(environment: Environment):
    done = environment.command(
        "ansible", "localhost", "-m", "archipel.spaces.placement", "-a",
        json.dumps({"placement": {"path": "x", "environment": "lab", "pending": {"velo": 1}}}),
    )  # fmt: skip
    assert done.returncode != 0
    assert "placement.pending: allowed: {slug: {id, web, db, office}}" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "move", [1, {"web": "node2"}, {"web": "node2", "db": "node2", "from": {"web": "node1"}}]
)
def test_moves_are_checked(environment: Environment, move: object):
    placement = {"path": "x", "environment": "lab", "pending": {}}
    done = environment.command(
        "ansible", "localhost", "-m", "archipel.spaces.placement", "-a",
        json.dumps({"placement": placement, "moves": {"velo": move}}),
    )  # fmt: skip
    assert done.returncode != 0
    assert "placement.moves: allowed: {slug: {web, db, from" in done.stdout + done.stderr
