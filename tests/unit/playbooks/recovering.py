# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node that is only pretended: what recover.yml asks of it is written down, in its order."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.unit.environment import ROOT, Environment

NODES = """\
web:
  hosts:
    node1: {ansible_host: 127.0.0.1, ansible_port: 1, archipel_capacity: 9}
    node2: {ansible_connection: local, ansible_become: false, archipel_capacity: 9}
db: {hosts: {node1: {}, node2: {}}}
nodes: {vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}}
"""
# A node with databases alone is lost.
BASES = """\
web:
  hosts:
    node2:
      ansible_connection: local
      ansible_become: false
      archipel_capacity: 9
      archipel_addresses: [10.0.0.2]
db:
  hosts:
    node2:
    node3:
      ansible_host: 127.0.0.1
      ansible_port: 1
      archipel_addresses: [10.0.0.3]
nodes: {vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}}
"""
# An edge in front of them.
FRONT = """\
web:
  vars: {ansible_become: false, archipel_capacity: 9}
  hosts:
    node1: {ansible_host: 127.0.0.1, ansible_port: 1, archipel_addresses: [10.0.0.1]}
    node2: {ansible_connection: local, archipel_addresses: [10.0.0.2]}
db: {hosts: {node1: {}, node2: {}}}
edge:
  vars: {ansible_connection: local, ansible_become: false}
  hosts: {edge1: {archipel_addresses: [10.0.0.3]}}
nodes: {vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}}
"""
# It is back.
BACK = NODES.replace(
    "ansible_host: 127.0.0.1, ansible_port: 1,", "ansible_connection: local, ansible_become: false,"
)
GB = 1 << 30

RECOVER = '''\
#!/usr/bin/python
"""What a node would do, in a file."""

import json, os
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule


def main():
    kinds = {"stage": "str", "lost": "str", "spaces": "list", "addresses": "list", "ports": "list"}
    spec = {name: {"type": kind} for name, kind in kinds.items()}
    module = AnsibleModule({**spec, "parallel": {"type": "int"}}, supports_check_mode=True)
    stage, path = module.params["stage"], Path(os.environ["ARCHIPEL_TEST_STATE"])
    state = json.loads(path.read_text())
    spaces = module.params["spaces"] or []
    slugs = [one["slug"] for one in spaces]
    state["log"].append([stage, *slugs])
    failed = {slug: why for slug, why in state["fail"].get(stage, {}).items() if slug in slugs}
    done = [one for one in spaces if one["slug"] not in failed]
    if stage == "claim":
        state["stays"] = [one["slug"] for one in spaces if one["stays"]]
        done = [one for one in done if one["slug"] not in state["claims"]]
        for one in done:
            place = {"web": one["web"], "db": one["db"]}
            claim = {"step": "fetch", "at": "2026-05-30T01:12", "place": place}
            state["claims"][one["slug"]] = claim
    if stage == "opened":
        for one in done:
            state["claims"].pop(one["slug"])
    path.write_text(json.dumps(state))
    if stage == "look":
        words = ("answers", "claims", "here", "backups", "unready")
        module.exit_json(changed=False, **{word: state[word] for word in words})
    changed = {one["slug"]: [stage] for one in done}
    module.exit_json(changed=bool(changed), spaces=changed, failed_spaces=failed)


main()
'''
STATUS = """\
#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"spaces": {"type": "list"}}, supports_check_mode=True)
room = {"memory_bytes": 8 << 30, "disk_bytes": 1 << 40, "disk_free_bytes": 1 << 39}
module.exit_json(changed=False, states={}, room=room, certificates={}, certificate_problems=[])
"""
# A role that only says which of its parts was called, for which spaces, and what else it was told.
ROLE = """\
- name: Say what was asked for
  ansible.builtin.shell:
    cmd: >-
      echo '["{part}", "{{{{ spaces_only }}}}",
      "{{{{ spaces_restored | default([]) | join(',') }}}}",
      "{{{{ spaces_databases_left | default([]) | join(',') }}}}"]' >> "$ARCHIPEL_TEST_LOG"
"""
# Slug → the node that it leads to, as the edge is told.
EDGE = """\
- name: Say what was asked for
  ansible.builtin.shell:
    cmd: >-
      echo '["names", "{{ edge_names.split() | select('search', '/[a-z-]{4,}/') | join(' ') }}"]'
      >> "$ARCHIPEL_TEST_LOG"
"""


class Pretended:
    """A collection whose modules and role for nodes only write down what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "collections"
        self.state_file, self.log_file = folder / "state.json", folder / "log"
        home = self.folder / "ansible_collections/archipel/spaces"
        (home / "plugins/modules").mkdir(parents=True)
        for path in (ROOT / "plugins").iterdir():
            if path.name != "modules":
                (home / "plugins" / path.name).symlink_to(path)
        for path in (ROOT / "plugins/modules").glob("*.py"):
            (home / "plugins/modules" / path.name).symlink_to(path)
        for name, text in (("spaces_recover", RECOVER), ("spaces_status", STATUS)):
            (home / f"plugins/modules/{name}.py").unlink()
            (home / f"plugins/modules/{name}.py").write_text(text)
        for name in ("galaxy.yml", "meta"):
            (home / name).symlink_to(ROOT / name)
        tasks = home / "roles/spaces/tasks"
        tasks.mkdir(parents=True)
        for part in ("main", "files", "databases"):
            (tasks / f"{part}.yml").write_text(ROLE.format(part=part))
        (home / "roles/edge/tasks").mkdir(parents=True)
        (home / "roles/edge/tasks/names.yml").write_text(EDGE)
        self.start()

    def start(self, **changes: t.Any) -> None:
        """Begin with a node that has nothing, and knows the backups of some spaces."""
        nothing = {"answers": [], "claims": {}, "here": [], "unready": "", "backups": {}}
        self.state_file.write_text(json.dumps({**nothing, "fail": {}, "log": [], **changes}))
        self.log_file.write_text("")

    @property
    def state(self) -> dict[str, t.Any]:
        return dict(json.loads(self.state_file.read_text()))

    def change(self, **changes: t.Any) -> None:
        """Change what the node is like."""
        self.state_file.write_text(json.dumps({**self.state, **changes}))

    def stages(self) -> list[list[str]]:
        """Return what was done on the node, beside looking."""
        return [one for one in self.state["log"] if one[0] != "look"]

    def role(self) -> list[list[str]]:
        """Return which parts of the role were called: part, spaces, restored, left."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]


def backup(gb: float) -> dict[str, t.Any]:
    return {
        "snapshot": "5" * 8,
        "at": "2026-05-30T01:12:00",
        "host": "node1",
        "bytes": int(gb * GB),
    }


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    found = Pretended(tmp_path / "pretended")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(found.folder))
    monkeypatch.setenv("ARCHIPEL_TEST_STATE", str(found.state_file))
    monkeypatch.setenv("ARCHIPEL_TEST_LOG", str(found.log_file))
    return found


def recover(environment: Environment, *options: str) -> tuple[int, str]:
    """Run the playbook with options; return its exit code, and all it said in one line."""
    path = str(ROOT / "playbooks/recover.yml")
    given = [part for option in options for part in ("-e", option)]
    done = environment.command("ansible-playbook", path, *given)
    return done.returncode, " ".join((done.stdout + done.stderr).split())
