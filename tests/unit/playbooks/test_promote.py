# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What promote.yml refuses, and in which order it does what; servers are pretended."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.unit.environment import ROOT, Environment
from tests.unit.playbooks.recovering import Pretended

LOCAL = "ansible_connection: local, ansible_become: false"
NODES = f"""\
web:
  hosts:
    web1: {{{LOCAL}, archipel_addresses: [10.0.0.1], ansible_remote_tmp: "%(tmp)s/web1"}}
db:
  vars: {{archipel_database_cluster: main, archipel_master_key: {"m" * 40}}}
  hosts:
    db1: {{%(db1)s, archipel_addresses: [10.0.0.2], ansible_remote_tmp: "%(tmp)s/db1"}}
    db2: {{{LOCAL}, archipel_addresses: [10.0.0.3], ansible_remote_tmp: "%(tmp)s/db2"}}
nodes: {{vars: {{ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"}}}}
"""
GONE = "ansible_host: 127.0.0.1, ansible_port: 1"
# What a server of each node would say and do.
MODULE = """\
#!/usr/bin/python
import json, os
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule


def main():
    kinds = {"phase": "str", "primary": "str", "port": "int", "position": "str"}
    kinds |= {"wait_seconds": "int", "replicas": "list", "addresses": "list"}
    spec = {name: {"type": kind} for name, kind in kinds.items()}
    spec["password"] = {"type": "str", "no_log": True}
    module = AnsibleModule(spec, supports_check_mode=True)
    node, phase = Path(module._remote_tmp).name, module.params["phase"]
    path = Path(os.environ["ARCHIPEL_TEST_STATE"])
    state = json.loads(path.read_text())
    if phase == "ask":
        module.exit_json(changed=False, answers=state["answers"])
    if phase != "look":
        words = {"position": module.params["position"] or "", "from": module.params["replicas"]}
        state["log"].append([node, phase, words["position"], words["from"] or []])
        if phase in state["fail"]:
            path.write_text(json.dumps(state))
            module.fail_json(msg=state["fail"][phase])
        state[node]["read_only"] = phase == "retire"
        if phase == "promote":
            state[node]["follows"] = None
        path.write_text(json.dumps(state))
    module.exit_json(changed=phase != "look", state=state[node], position="0-1-9", steps=[])


main()
"""
ROLE = """\
- name: Say what was asked for
  ansible.builtin.shell:
    cmd: >-
      echo '["{{ inventory_hostname }}", "begins",
      "{{ mariadb_replication_primary or 'primary' }}"]'
      >> "$ARCHIPEL_TEST_LOG"
"""
FOLLOWS = {
    "host": "10.0.0.2",
    "receives": "Yes",
    "applies": "Yes",
    "error": "",
    "received": "0-1-9",
    "lag": 0,
}


class Servers(Pretended):
    """Two servers of a cluster."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        home = self.folder / "ansible_collections/archipel/spaces"
        module = home / "plugins/modules/database_replication.py"
        module.unlink()
        module.write_text(MODULE)
        (home / "roles/mariadb/tasks").mkdir(parents=True)
        (home / "roles/mariadb/tasks/replication_role.yml").write_text(ROLE)

    def start(self, **changes: t.Any) -> None:
        """Begin with a cluster that works, but for some changes."""
        servers = {
            "db1": {"read_only": False, "position": "0-1-9", "databases": 1, "follows": None},
            "db2": {"read_only": True, "position": "0-1-9", "databases": 1, "follows": FOLLOWS},
        }
        super().start(**{**servers, "answers": [], **changes})

    def phases(self) -> list[tuple[str, str]]:
        """Return what the servers did, beside looking."""
        return [(node, phase) for node, phase, *_ in self.state["log"]]


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers(tmp_path / "pretended")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(found.folder))
    monkeypatch.setenv("ARCHIPEL_TEST_STATE", str(found.state_file))
    monkeypatch.setenv("ARCHIPEL_TEST_LOG", str(found.log_file))
    return found


@pytest.fixture
def pair(environment: Environment, tmp_path: Path) -> Environment:
    """One space, on a web node, with its database on the first of two nodes."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
    write(environment, tmp_path, LOCAL)
    environment.placement("velo-ecole: {id: 70000, web: web1, db: db1}")
    return environment


def write(environment: Environment, tmp_path: Path, db1: str) -> None:
    """Say how the first database node is reached."""
    environment.write("nodes.yml", NODES % {"tmp": tmp_path, "db1": db1})


def promote(environment: Environment, *options: str) -> tuple[int, str]:
    """Run the playbook with options; return its exit code, and all it said in one line."""
    given = [part for option in options for part in ("-e", option)]
    done = environment.command("ansible-playbook", str(ROOT / "playbooks/promote.yml"), *given)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def place(environment: Environment) -> str:
    found = yaml.safe_load(environment.lock.read_text())["spaces"]["velo-ecole"]
    return f"{found['web']} {found['db']}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "allowed: -e to=<database node>"),
        (["to=db2", "confirm=db1"], "to=db2, confirm=db1: allowed"),
        (["to=db9"], 'found "db9"; allowed: a node of a cluster, db1, db2'),
        (["to=db1"], "db1 is the primary already"),
        (["to=db2", "lost=db1", "confirm=db2"], "db1 is not lost: Ansible reaches it"),
        (["to=db2", "only=velo-ecole"], "this playbook takes no selection"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    pair: Environment, servers: Servers, options: list[str], said: str
):
    code, found = promote(pair, *options)
    assert code != 0
    assert said in found
    assert (servers.phases(), servers.role(), place(pair)) == ([], [], "web1 db1")


def test_without_a_confirmation_it_only_says_what_would_be_done(
    pair: Environment, servers: Servers
):
    code, said = promote(pair, "to=db2")
    assert code == 0, said
    assert "db2 becomes the primary in place of db1" in said
    assert "Nothing was done. -e confirm=db2 does it." in said
    assert (servers.phases(), servers.role(), place(pair)) == ([], [], "web1 db1")


def test_the_old_one_is_written_off_before_the_new_one_takes_writes(
    pair: Environment, servers: Servers
):
    code, said = promote(pair, "to=db2", "confirm=db2")
    assert code == 0, said
    # Nothing less than the position of the old one will do.
    assert servers.state["log"] == [
        ["db1", "retire", "", []],
        ["db2", "promote", "0-1-9", ["10.0.0.2"]],
    ]
    assert servers.role() == [
        ["db1", "begins", "10.0.0.3"],
        ["db2", "begins", "primary"],
        ["databases", "", "", ""],
        ["main", "velo-ecole", "", ""],
    ]
    assert place(pair) == "web1 db2"
    assert "db2 is the primary; 1 spaces have their databases there." in said
    assert "They could not write for" in said


def test_where_the_new_one_cannot_the_old_one_goes_on(pair: Environment, servers: Servers):
    servers.start(fail={"promote": "it has not all that the primary had"})
    code, said = promote(pair, "to=db2", "confirm=db2")
    assert code != 0
    assert "db2 is not the primary: it has not all that the primary had" in said
    assert servers.phases() == [("db1", "retire"), ("db2", "promote"), ("db1", "primary")]
    assert servers.role()[-1] == ["db1", "begins", "primary"]
    assert place(pair) == "web1 db1"


def test_where_the_old_one_does_not_stop_nothing_is_promoted(pair: Environment, servers: Servers):
    servers.start(fail={"retire": "MariaDB does not answer"})
    code, said = promote(pair, "to=db2", "confirm=db2")
    assert code != 0
    assert "db1 still takes writes" in said
    assert servers.phases() == [("db1", "retire")]
    assert place(pair) == "web1 db1"


def test_one_that_is_lost_is_not_waited_for(pair: Environment, servers: Servers, tmp_path: Path):
    write(pair, tmp_path, GONE)
    code, said = promote(pair, "to=db2", "confirm=db2")
    assert code != 0
    assert "db1 does not answer, so nobody knows whether db2 has all" in said
    code, said = promote(pair, "to=db2", "lost=db1", "confirm=db2")
    assert code == 0, said
    assert servers.state["log"] == [["db2", "promote", "", ["10.0.0.2"]]]
    assert place(pair) == "web1 db2"
    assert ["main", "velo-ecole", "", ""] in servers.role()
    assert "db1 must not serve before it follows" in said


def test_one_that_a_web_node_reaches_is_not_lost(
    pair: Environment, servers: Servers, tmp_path: Path
):
    write(pair, tmp_path, GONE)
    servers.start(answers=["10.0.0.2 port 3306"])
    code, said = promote(pair, "to=db2", "lost=db1", "confirm=db2")
    assert code != 0
    assert "db1 is not lost: web1 reaches it at 10.0.0.2 port 3306" in said
    assert (servers.phases(), place(pair)) == ([], "web1 db1")


def test_a_run_that_was_cut_short_goes_on(pair: Environment, servers: Servers):
    done = {"read_only": False, "position": "0-1-9", "databases": 1, "follows": None}
    servers.start(db1={**done, "read_only": True}, db2=done)
    code, said = promote(pair, "to=db2", "confirm=db2")
    assert code == 0, said
    assert servers.phases() == [("db2", "promote")]
    assert place(pair) == "web1 db2"


def test_without_a_database_nothing_says_who_is_the_primary(pair: Environment, servers: Servers):
    (pair.registry / "velo-ecole.yml").unlink()
    pair.placement("gone: {id: 70000, web: web1, db: web1}")
    pair.write("spaces.yml", "plugin: archipel.spaces.registry\nallow_empty: true\n")
    code, said = promote(pair, "to=db2", "confirm=db2")
    assert code != 0
    assert "No space has its database on db1" in said
    assert servers.phases() == []


def test_a_space_on_hold_is_named(pair: Environment, servers: Servers):
    pair.space("velo-ecole", hold=True)
    code, said = promote(pair, "to=db2", "confirm=db2")
    assert code == 0, said
    assert place(pair) == "web1 db2"
    assert "velo-ecole still name db1" in said


def test_a_primary_with_a_replica_is_not_restored(pair: Environment, servers: Servers):
    path = str(ROOT / "playbooks/recover.yml")
    done = pair.command("ansible-playbook", path, "-e", "lost=db1")
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "playbooks/promote.yml -e to=db2 -e lost=db1" in said
    assert servers.phases() == []


def test_check_mode_does_nothing(pair: Environment, servers: Servers):
    done = pair.command(
        "ansible-playbook", str(ROOT / "playbooks/promote.yml"), "--check",
        *("-e", "to=db2", "-e", "confirm=db2"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert (servers.phases(), place(pair)) == ([], "web1 db1")
    assert json.loads(servers.state_file.read_text())["db2"]["read_only"]
