# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What --limit, --tags and -e only leave of a run, for every playbook."""

from __future__ import annotations

import pytest

from tests.policy.tree import load
from tests.unit.environment import ROOT, Environment

PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
# They look at all nodes together.
WITHOUT_LIMIT = {
    *("clone", "dns", "dormancy", "export", "intake", "invite", "letters", "moderate", "move"),
    *("placement", "promote", "purge", "recover", "restore", "rollback", "status", "upgrade"),
}
# They look at all spaces.
WITHOUT_SELECTION = {"check", "dormancy", "intake", "promote"}
# They make nothing for new spaces.
WITHOUT_RECORD = {
    *("check", "clone", "dns", "dormancy", "drift", "intake", "invite", "letters", "moderate"),
    *("move", "placement", "platform", "promote", "purge", "recover", "status"),
}
# Nobody listens there: the connection is refused at once.
NODES = """\
web: {hosts: {node1: {ansible_host: 127.0.0.1, ansible_port: 1}, node2: {ansible_host: 127.0.0.1}}}
db: {hosts: {node1: {}, node2: {}}}
"""


@pytest.fixture
def two(environment: Environment) -> Environment:
    environment.write("nodes.yml", NODES)
    environment.placement()
    return environment


def run(environment: Environment, playbook: str, *options: str) -> tuple[int, str]:
    path = str(ROOT / f"playbooks/{playbook}.yml")
    done = environment.command("ansible-playbook", path, *options)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("playbook", PLAYBOOKS)
class TestEveryPlaybook:
    def test_begins_with_the_preparation(self, playbook: str):
        first = load(ROOT / f"playbooks/{playbook}.yml")[0]
        if playbook == "site":
            assert first["ansible.builtin.import_playbook"] == "platform.yml"
            assert first["vars"]["prepare_records"] is True
            return
        if playbook != "prepare":
            assert first["ansible.builtin.import_playbook"] == "prepare.yml"
            given = first.get("vars", {})
            assert given.get("prepare_limit", True) is (playbook not in WITHOUT_LIMIT)
            assert given.get("prepare_only", True) is (playbook not in WITHOUT_SELECTION)
            assert given.get("prepare_records", True) is (playbook not in WITHOUT_RECORD)
            return
        assert first["tags"] == ["always"], "with --tags too"

    def test_says_nothing_to_localhost_alone_where_it_takes_a_limit(self, playbook: str):
        """Such a play has no hosts then, and what it would have said is not said."""
        plays = load(ROOT / f"playbooks/{playbook}.yml")
        alone = [play["name"] for play in plays if play.get("hosts") == "localhost"]
        assert alone == [] or playbook in WITHOUT_LIMIT

    def test_refuses_a_limit_that_names_spaces(self, two: Environment, playbook: str):
        refused(two, playbook, "velo-ecole")


@pytest.mark.parametrize(
    ("playbook", "text"),
    [
        ("purge", "nothing was purged. velo-ecol: names no space"),
        ("purge", 'Did you mean "velo-ecole"?'),
        ("restore", "velo-ecol: a restore takes one slug"),
        ("invite", "nobody was invited. velo-ecol: names no space"),
        ("invite", 'Did you mean "velo-ecole"?'),
        ("spaces", "no space and no group is called velo-ecol"),
    ],
)
def test_a_name_that_is_none_is_answered_by_who_knows_most(
    two: Environment, playbook: str, text: str
):
    """A purge knows spaces that were purged already, a restore those that are gone."""
    days = '{"archipel_grace_days": 30}'
    code, said = run(two, playbook, "-e", "only=velo-ecol", "-e", days)
    assert code != 0
    assert text in said


@pytest.mark.parametrize("limit", ["spaces", "node1,velo-ecole", "all:!amap"])
def test_refuses_a_limit_that_leaves_some_spaces(two: Environment, limit: str):
    two.space("amap")
    refused(two, "spaces", limit)


def refused(two: Environment, playbook: str, limit: str) -> None:
    code, said = run(two, playbook, "--limit", limit)
    assert code != 0
    assert f"--limit {limit} names spaces, and takes nodes" in said
    assert "-e only=" in said
    assert "spaces: {}" in two.lock.read_text()


@pytest.mark.parametrize("playbook", sorted(WITHOUT_LIMIT))
def test_refuses_any_limit_where_all_nodes_are_looked_at(two: Environment, playbook: str):
    code, said = run(two, playbook, "--limit", "node1")
    assert code != 0
    assert "this playbook takes no limit" in said
    assert "-e only=on_<node>" in said


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--limit", "node1"], "--limit node1 : ce playbook n’accepte pas de limite"),
        (["-e", "only=velo-ecole"], "only=velo-ecole : ce playbook n’accepte pas de sélection"),
    ],
)
def test_who_moderates_is_told_in_french(two: Environment, options: list[str], text: str):
    code, said = run(two, "dormancy", "-e", "archipel_language=fr", *options)
    assert code != 0
    assert text in said


def test_a_name_that_is_none_is_said_in_french(two: Environment):
    code, said = run(two, "spaces", "-e", "archipel_language=fr", "-e", "only=velo-ecol")
    assert code != 0
    assert "only=velo-ecol : aucun espace et aucun groupe ne s’appelle velo-ecol." in said


@pytest.mark.parametrize(
    ("playbook", "options"),
    [
        ("spaces", ["--limit", "node1"]),
        ("spaces", ["--limit", "all:!node2"]),
        ("spaces", ["--tags", "spaces"]),
        ("site", ["--limit", "web"]),
        ("backup", ["--limit", "node1"]),
    ],
)
def test_places_are_written_down_whatever_is_left_out(
    two: Environment, playbook: str, options: list[str]
):
    """Before a node is asked anything: none of these answers."""
    code, said = run(two, playbook, *options)
    assert "velo-ecole: {id: 70100, web: node1, db: node1}" in two.lock.read_text(), said
    assert code != 0, "none of these nodes answers"


def test_a_limit_is_said_with_the_selection_that_was_meant(two: Environment):
    _code, said = run(two, "spaces", "--limit", "velo-ecole:ring_canary")
    assert "Narrow the run to spaces with -e only=velo-ecole,ring_canary." in said


def test_facts_are_known_with_tags_that_run_none_of_the_roles():
    """Options of roles are checked all the same, and their defaults read facts."""
    first = next(play for play in load(ROOT / "playbooks/platform.yml") if "hosts" in play)
    assert first["hosts"].startswith("web:db:edge")
    learning = first["pre_tasks"][0]
    assert "archipel.spaces.node_facts" in learning
    assert learning["tags"] == ["always"]
