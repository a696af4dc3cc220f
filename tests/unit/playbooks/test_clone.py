# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What clone.yml refuses, and in which order it does what; nodes are pretended."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.environment import ROOT, Environment
from tests.unit.playbooks.recovering import ROLE, Pretended

NODES = """\
web:
  hosts:
    node1: {ansible_connection: local, ansible_become: false, archipel_capacity: 3}
    node2: {ansible_connection: local, ansible_become: false, archipel_capacity: 9}
db: {hosts: {node1: {}, node2: {}}}
nodes: {vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}}
"""
CLONE = '''\
#!/usr/bin/python
"""What a node would do, in a file: with whether the registry knows of the copy already."""

import json, os
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule


def main():
    spec = {name: {"type": "str"} for name in ("stage", "source", "space")}
    module = AnsibleModule(spec, supports_check_mode=True)
    stage, space = module.params["stage"], module.params["space"]
    path = Path(os.environ["ARCHIPEL_TEST_STATE"])
    state = json.loads(path.read_text())
    known = os.path.exists(os.path.join(os.environ["ARCHIPEL_TEST_SPACES"], space + ".yml"))
    state["log"].append([stage, module.params["source"], space, known, module.check_mode])
    path.write_text(json.dumps(state))
    if why := state["fail"].get(stage):
        module.fail_json(msg=why)
    module.exit_json(changed=stage != "look", spaces={space: [stage]}, begun=False)


main()
'''
ASKED = ("only=velo-ecole", "into=velo-essai", "by=nadia")
CONSENT = "consent=mail"


class Node(Pretended):
    """Nodes of which copies are made."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        home = self.folder / "ansible_collections/archipel/spaces"
        (home / "plugins/modules/spaces_clone.py").unlink()
        (home / "plugins/modules/spaces_clone.py").write_text(CLONE)
        for part in ("check", "network"):
            (home / f"roles/spaces/tasks/{part}.yml").write_text(ROLE.format(part=part))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Environment) -> Node:
    found = Node(tmp_path / "pretended")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(found.folder))
    monkeypatch.setenv("ARCHIPEL_TEST_STATE", str(found.state_file))
    monkeypatch.setenv("ARCHIPEL_TEST_LOG", str(found.log_file))
    monkeypatch.setenv("ARCHIPEL_TEST_SPACES", str(environment.registry))
    return found


@pytest.fixture
def placed(environment: Environment) -> Environment:
    """Two spaces on one node, and another node that is emptier."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
    environment.write("nodes.yml", NODES)
    environment.space("cine")
    environment.placement(
        "cine: {id: 70001, web: node1, db: node1}",
        "velo-ecole: {id: 70000, web: node1, db: node1}",
    )
    return environment


def clone(environment: Environment, *options: str) -> tuple[int, str]:
    """Run the playbook with options; return its exit code, and all it said in one line."""
    words = [word for one in options for word in ([one] if one[0] == "-" else ["-e", one])]
    done = environment.command("ansible-playbook", str(ROOT / "playbooks/clone.yml"), *words)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_it_is_claimed_written_made_and_opened_in_this_order(placed: Environment, node: Node):
    code, said = clone(placed, *ASKED, CONSENT)
    assert code == 0, said
    # No run that came in between would make an empty space: the node knows first.
    of = ["velo-ecole", "velo-essai"]
    assert node.state["log"] == [
        ["look", *of, False, False],
        ["claim", *of, False, False],
        ["run", *of, True, False],
    ]
    lock = yaml.safe_load(placed.lock.read_text())["spaces"]["velo-essai"]
    # Beside its space, whichever node is emptier.
    assert (lock["web"], lock["db"]) == ("node1", "node1")
    parts = [part for part, only, *_ in node.role() if only == "velo-essai" and part != "check"]
    assert parts[:3] == ["databases", "files", "network"]
    assert "main" in parts[3:]
    assert "velo-essai.spaces.example.org is a copy of velo-ecole" in said
    data = yaml.safe_load((placed.registry / "velo-essai.yml").read_text())
    assert data["copy_of"]["consent"] == "mail"


def test_check_mode_changes_nothing(placed: Environment, node: Node):
    before = placed.tree()
    code, said = clone(placed, *ASKED, CONSENT, "--check")
    assert code == 0, said
    assert "A copy can be made. Nothing was done." in said
    assert placed.tree() == before
    assert [(one[0], one[4]) for one in node.state["log"]] == [("look", True), ("claim", True)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "only: found"),
        ([*ASKED], "consent: missing; it is other people's data"),
        (["only=nobody", "into=velo-essai", CONSENT], "only: nobody has no file"),
        (["only=velo-ecole,cine", "into=velo-essai", CONSENT], "allowed: one space"),
        (["only=velo-ecole", "into=cine", CONSENT], "into: there is a file of a space cine"),
        (["only=velo-ecole", "into=www", CONSENT], "into: www is a name that no space may have"),
        (["only=velo-ecole", "into=web", CONSENT], "into: web is a name that no space may have"),
        ([*ASKED, CONSENT, "until=2020-01-01"], 'until: found "2020-01-01"'),
        ([*ASKED, CONSENT, "--limit=node1"], "this playbook takes no limit"),
    ],
)
def test_what_is_refused_before_anything_is_touched(
    placed: Environment, node: Node, options: list[str], said: str
):
    before = placed.tree()
    code, found = clone(placed, *options)
    assert code != 0, found
    assert said in found
    assert placed.tree() == before
    assert node.state["log"] == []


def test_a_full_node(placed: Environment, node: Node):
    lines = placed.lock.read_text()
    placed.lock.write_text(lines + "  zz-troisieme: {id: 70002, web: node1, db: node1}\n")
    placed.space("zz-troisieme")
    code, found = clone(placed, *ASKED, CONSENT)
    assert code != 0, found
    assert "node1 has no room for a copy of velo-ecole: spaces of archipel_capacity" in found
    assert not (placed.registry / "velo-essai.yml").exists()
    assert node.state["log"] == []


@pytest.mark.parametrize("stage", ["look", "claim"])
def test_a_node_that_refuses_leaves_the_registry_alone(placed: Environment, node: Node, stage: str):
    before = placed.tree()
    node.change(fail={stage: "no room there"})
    code, found = clone(placed, *ASKED, CONSENT)
    assert code != 0, found
    assert "no room there" in found
    assert placed.tree() == before


def test_a_run_that_was_cut_short_goes_on_with_the_same_words(placed: Environment, node: Node):
    node.change(fail={"run": "the disk is full"})
    code, found = clone(placed, *ASKED, CONSENT)
    assert code != 0, found
    written = (placed.registry / "velo-essai.yml").read_text()
    # What would open it was not reached.
    assert "main" not in [part for part, *_ in node.role()]
    node.change(fail={})
    code, found = clone(placed, *ASKED)
    assert code == 0, found
    assert (placed.registry / "velo-essai.yml").read_text() == written
    assert [one[0] for one in node.state["log"]] == ["look", "claim", "run"] * 2


def test_what_is_refused_is_said_in_french(
    placed: Environment, node: Node, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LANGUAGE", "fr")
    _code, found = clone(placed, *ASKED)
    assert "aucune copie n’est faite" in found or "aucune copie n'est faite" in found
