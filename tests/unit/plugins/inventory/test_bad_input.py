# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bad input, as people meet it: the command fails, says where and what to do, changes nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _environment
from tests.unit.environment import ONE_NODE, ROOT, Environment

PLACED = "velo-ecole: {id: 70000, web: node1, db: node1}"
Break = Callable[[Environment], object]

CASES: dict[str, tuple[Break, str, str]] = {
    # what is wrong: (how, where it must say it is, what it must say)
    "invalid YAML": (
        lambda e: e.write("spaces/amap.yml", "name: AMAP\ncontact: {email: [\n"),
        "spaces/amap.yml:2: ",
        "not readable as YAML",
    ),
    "unknown key": (
        lambda e: e.space("velo-ecole", sotrage=40),
        "spaces/velo-ecole.yml:11: sotrage: ",
        "unknown key; allowed: name, status, contact",
    ),
    "bad slug": (
        lambda e: e.space("Vélo_École"),
        "spaces/Vélo_École.yml: ",
        "rename the file, for instance to velo-ecole.yml",
    ),
    "duplicate domain": (
        lambda e: [e.space(slug, domains=["a.example"]) for slug in ("amap", "cine")],
        "spaces/cine.yml:12: domains.0: ",
        "spaces/amap.yml; keep it in one file",
    ),
    "limit above the maximum": (
        lambda e: e.space("velo-ecole", limits={"accounts": 500}),
        "spaces/velo-ecole.yml:12: limits.accounts: ",
        "found 500; allowed: at most 200; lower it, or name in limits.approved_by",
    ),
    "missing decision": (
        lambda e: e.space("velo-ecole", decision=None),
        "spaces/velo-ecole.yml:1: decision: ",
        "missing (the status is approved); allowed: a mapping with by, on and reason",
    ),
    "unknown office": (
        lambda e: e.space("velo-ecole", office="onlyofice"),
        "spaces/velo-ecole.yml:11: office: ",
        'allowed, from archipel_offices in the policy: collabora, onlyoffice. Did you mean "only',
    ),
    "file not readable": (
        lambda e: (e.registry / "amap.yml").symlink_to("gone.yml"),
        "spaces/amap.yml: ",
        "cannot be read (No such file or directory); restore the file or remove it",
    ),
    "no file": (
        lambda e: (e.registry / "velo-ecole.yml").unlink(),
        "spaces: ",
        "no file in the registry; add <slug>.yml, or set `allow_empty: true` in spaces.yml",
    ),
    "no registry": (
        lambda e: shutil.rmtree(e.registry),
        "spaces: ",
        "the registry folder cannot be read (No such file or directory); create it",
    ),
    "placement lost": (
        lambda e: e.lock.unlink(),
        "placement.yml: ",
        "missing; it remembers the node and the number of each space; take its last version",
    ),
    "placement of another environment": (
        lambda e: e.placement(PLACED, environment="production"),
        "placement.yml: environment: ",
        "two environments are mixed: take this one's placement.yml from git",
    ),
    "a node missing": (
        lambda e: e.write("nodes.yml", "web: {hosts: {node1: {}}}\n"),
        "nodes.yml: db: ",
        "no node in the group db; name one there",
    ),
    "placement on a node that is gone": (
        lambda e: e.placement(PLACED.replace("web: node1", "web: node9")),
        "placement.yml:5: velo-ecole: ",
        'the web node "node9" is gone: group web of the inventory has node1; bring the node',
    ),
    "placement with a merge conflict": (
        lambda e: e.placement("<<<<<<< HEAD", PLACED).write_text(
            "environment: lab\nnext_id: 70001\nspaces:\n<<<<<<< HEAD\n"
        ),
        "placement.yml:4: ",
        "found a merge conflict; keep the lines of both sides",
    ),
    "policy missing": (
        lambda e: e.policy(archipel_base_domain=None),
        "group_vars/all: archipel_base_domain: ",
        "missing; allowed: a host name such as spaces.example.org",
    ),
    "a link that git made a text of": (
        lambda e: e.write("group_vars/all/00-baseline", "../../../../group_vars/all"),
        "group_vars/all/00-baseline: ",
        "git made this copy without symbolic links: clone it again on Linux",
    ),
    "a link to nowhere": (
        lambda e: (e.root / "group_vars/all/00-baseline").symlink_to("../gone"),
        "group_vars/all/00-baseline: ",
        "a link to ../gone, where nothing is; let it lead to group_vars/all of the project",
    ),
    "unknown release": (
        lambda e: e.policy(archipel_release="34.0.2"),
        "group_vars/all/policy.yml:15: archipel_release: ",
        'unknown release "34.0.2"; allowed, from archipel_releases: 33.0.9, 34.0.1',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(environment: Environment, case: str):
    """The command that every run begins with: what is refused here reaches no node."""
    breaks, place, text = CASES[case]
    breaks(environment)
    before = environment.tree()
    done = environment.command("ansible-inventory", "--list")
    assert done.returncode != 0
    assert done.stdout == ""
    places = [f"{home}/{place}" for home in (environment.root, environment.home)]
    told = [line for line in done.stderr.splitlines() if line.startswith(tuple(places))]
    assert len(told) == 1, "once, not in every message of Ansible's"
    assert text in told[0]
    assert told[0] in done.stderr.rstrip().splitlines()[-4:], "the last thing one reads"
    assert "nothing has been changed" in done.stderr
    assert "WARNING" not in done.stderr, "nothing of other plugins, which do not matter"
    assert environment.tree() == before


def test_a_playbook_touches_no_node(environment: Environment, tmp_path: Path):
    touched = tmp_path / "touched"
    environment.write(
        "nodes.yml", "web: {hosts: {node1: {ansible_connection: local}}}\ndb: {children: {web: }}\n"
    )
    touch = [{"ansible.builtin.raw": f"touch {touched}"}]
    play = environment.write(
        ".private/play.yml", json.dumps([{"hosts": "all", "gather_facts": False, "tasks": touch}])
    )
    assert environment.command("ansible-playbook", str(play)).returncode == 0
    assert touched.exists(), "the test can fail"
    touched.unlink()
    environment.space("velo-ecole", status="aproved")
    assert environment.command("ansible-playbook", str(play)).returncode != 0
    assert not touched.exists()


def test_a_folder_that_cannot_be_read_ends_the_run_too(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Ansible would go on to the next plugin, and to a run without spaces."""

    def denied(*_arguments: object) -> t.NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", "group_vars/all")

    monkeypatch.setattr(_environment, "check", denied)
    with pytest.raises(SystemExit) as end:
        environment.load()
    assert end.value.code == 4
    assert "Permission denied: 'group_vars/all'; nothing has been" in capsys.readouterr().err


class TestWithoutOurSettings:
    """ansible.cfg may be missing: run from elsewhere, or ignored in a folder others may write."""

    @staticmethod
    def run(environment: Environment, source: Path, *arguments: str) -> t.Any:
        return subprocess.run(
            ["ansible-inventory", "-i", str(environment.root / "nodes.yml"), "-i", str(source),
             *arguments],
            cwd=environment.root.parent,
            env={**os.environ, "ANSIBLE_CONFIG": "/nonexistent.cfg",
                 "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def test_no_node_has_a_list_of_spaces(self, environment: Environment):
        """Ansible then goes on with what it has; the roles refuse to run without the list."""
        good = self.run(environment, environment.root / "spaces.yml", "--host", "node1")
        assert "archipel_spaces" in good.stdout
        environment.space("velo-ecole", status="aproved")
        bad = self.run(environment, environment.root / "spaces.yml", "--host", "node1")
        assert 'status: found "aproved"' in bad.stderr
        assert "archipel_spaces" not in bad.stdout


class TestTwoEnvironments:
    @pytest.fixture
    @staticmethod
    def other(environment: Environment) -> Environment:
        made = Environment(environment.root.parent / "production")
        made.policy(archipel_environment="production")
        made.space("amap")
        return made

    def test_both_in_one_run(
        self, environment: Environment, other: Environment, capsys: pytest.CaptureFixture[str]
    ):
        with pytest.raises(SystemExit):
            other.load(environment)
        text = 'the environment "lab" is in this inventory already; give one environment at a time'
        assert text in capsys.readouterr().err

    def test_spaces_of_one_on_nodes_of_the_other(
        self, environment: Environment, other: Environment, capsys: pytest.CaptureFixture[str]
    ):
        (other.root / "spaces.yml").rename(other.root / "spaces.yaml")
        (environment.root / "nodes.yml").unlink()
        (environment.root / "nodes.yml").symlink_to(other.root / "nodes.yml")
        with pytest.raises(SystemExit):
            environment.load(_only(other, "nodes.yml"))
        text = 'the node node1 belongs to the environment "production"; give one environment'
        assert text in capsys.readouterr().err

    def test_nodes_of_a_folder_without_spaces_are_fine(self, environment: Environment):
        """Such as those that molecule makes."""
        nodes = environment.root.parent / "nodes"
        nodes.mkdir()
        (environment.root / "nodes.yml").rename(nodes / "nodes.yml")
        inventory = environment.load(_At(nodes))
        assert inventory.get_host("velo-ecole").vars["space"]["web"] == "node1"

    def test_nothing_of_the_first_stays(self, environment: Environment, other: Environment):
        """Without any_unparsed_is_failed Ansible goes on: with no list of spaces at all."""
        done = subprocess.run(
            ["ansible-inventory", "-i", str(environment.root), "-i", str(other.root), "--list"],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert "archipel_spaces" not in done.stdout
        assert "archipel_placement" not in done.stdout


class _At(Environment):
    """A source that is there already."""

    def __init__(self, root: Path) -> None:
        self.root = root


def _only(environment: Environment, name: str) -> Environment:
    return _At(environment.root / name)


class TestOptions:
    def test_unknown_option(self, environment: Environment):
        environment.options(on_invald="skip")
        (problem,) = environment.problems()
        assert problem.endswith('spaces.yml: on_invald: unknown option. Did you mean "on_invalid"?')

    def test_an_empty_registry_may_be_meant(self, environment: Environment):
        (environment.registry / "velo-ecole.yml").unlink()
        environment.options(allow_empty=True)
        inventory = environment.load()
        assert inventory.get_host("node1").vars["archipel_spaces"] == []

    def test_another_folder(self, environment: Environment):
        environment.placement(PLACED.replace("70000", "70009"))
        environment.home.rename(environment.root.parent.parent / "associations")
        environment.options(registry="../../associations")
        inventory = environment.load()
        space = inventory.get_host("velo-ecole").vars["space"]
        assert (space["id"], space["file"]) == (70_009, "spaces/velo-ecole.yml")

    def test_a_full_platform_takes_no_more(self, environment: Environment):
        environment.write("host_vars/node1.yml", "archipel_capacity: 1\n")
        assert environment.problems() == []
        environment.space("amap")
        (problem,) = environment.problems()
        assert "no room for new spaces" in problem
        assert "node1 (1); add a node or raise it" in problem

    def test_a_platform_that_has_promised_all_its_gb_takes_no_more(self, environment: Environment):
        environment.write(
            "host_vars/node1.yml", "archipel_capacity: {spaces: 9, storage_gb: 100}\n"
        )
        environment.space("amap")
        assert environment.problems() == []
        environment.space("cine", limits={"storage_gb": 21})
        (problem,) = environment.problems()
        assert "node1 (9 spaces, 100 GB); add a node or raise it; the first that fits" in problem
        assert problem.endswith("nowhere is velo-ecole, with 40 GB")

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("many", 'archipel_node_model: found "many"; allowed: a mapping of the whole numbers'),
            ("{awake_mib: 5}", "archipel_node_model.asleep_mib: missing"),
            (
                "{asleep_mib: 4, awake_mib: 0, database_mib: 1, awake_percent: 1, disk_percent: 1}",
                'archipel_node_model.awake_mib: found "0"; allowed: a whole number of MiB from 1',
            ),
            (
                "{asleep_mib: 4, awake_mib: 9, database_mib: 1, awake_percent: 1, disk_percent: 0}",
                'archipel_node_model.disk_percent: found "0"; allowed: a whole number of percent',
            ),
        ],
    )
    def test_models(self, environment: Environment, model: str, expected: str):
        environment.write("group_vars/all/model.yml", f"archipel_node_model: {model}\n")
        assert any(expected in one for one in environment.problems()), environment.problems()

    def test_ids_end(self, environment: Environment):
        environment.placement(PLACED, next_id=100_000)
        environment.space("amap")
        (problem,) = environment.problems()
        assert "no id is left for new spaces" in problem

    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            (
                "archipel_capacity: many",
                'host_vars/node1.yml:1: archipel_capacity: found "many"; allowed: a whole number',
            ),
            (
                "archipel_capacity: 5",
                "spaces.yml: archipel_capacity: set for some web nodes but not for node2",
            ),
            (
                "archipel_capacity: {spaces: 5, gb: 9}",
                "host_vars/node1.yml:1: archipel_capacity.gb: unknown key; allowed: spaces",
            ),
            (
                "archipel_capacity:\n  storage_gb: 1 TB",
                'host_vars/node1.yml:2: archipel_capacity.storage_gb: found "1 TB"; allowed: a',
            ),
            (
                "archipel_capacity: {}",
                "host_vars/node1.yml:1: archipel_capacity: found ",
            ),
            (
                'archipel_capacity: "{{ inventory_hostname }}"',
                'spaces.yml: archipel_capacity: found "node1" for node1; allowed: a whole number',
            ),
        ],
    )
    def test_capacities(self, environment: Environment, variables: str, expected: str):
        environment.write("nodes.yml", ONE_NODE.replace("node1: {}", "node1: {}, node2: {}", 1))
        environment.write("host_vars/node1.yml", f"{variables}\n")
        (problem,) = environment.problems()
        assert problem.startswith(expected)

    def test_nodes_whose_groups_would_be_one(self, environment: Environment):
        environment.write(
            "nodes.yml", "web: {hosts: {node-1: {}, node_1: {}}}\ndb: {hosts: {node-1: {}}}\n"
        )
        (problem,) = environment.problems()
        assert "the nodes node-1 and node_1 would share the group on_node_1" in problem

    @pytest.mark.parametrize(
        ("edge", "expected"),
        [
            (
                "edge1: {}",
                "spaces.yml: archipel_addresses: found no address of edge1 that other nodes reach",
            ),
            (
                "edge1: {ansible_host: 127.0.0.1}",
                "spaces.yml: archipel_addresses: found no address of edge1 that other nodes reach",
            ),
            (
                "node1: {}",
                "spaces.yml: edge: found node1 in the group edge, and in web or office, which have",
            ),
            ("edge1: {ansible_host: 192.0.2.9}", ""),
        ],
    )
    def test_an_edge(self, environment: Environment, edge: str, expected: str):
        nodes = ONE_NODE.replace("node1: {}", "node1: {ansible_host: 192.0.2.1}", 1)
        environment.write("nodes.yml", f"{nodes}edge: {{hosts: {{{edge}}}}}\n")
        problems = environment.problems()
        assert [one[: len(expected)] for one in problems] == ([expected] if expected else [])

    def test_an_edge_has_to_find_web_nodes(self, environment: Environment):
        nodes = f"{ONE_NODE}edge: {{hosts: {{edge1: {{ansible_host: 192.0.2.9}}}}}}\n"
        environment.write("nodes.yml", nodes)
        (problem,) = environment.problems()
        assert "archipel_addresses: found no address of node1" in problem
        environment.write("nodes.yml", ONE_NODE + "edge: {}\n")
        assert environment.problems() == []


@pytest.mark.parametrize(
    ("module", "package"),
    [("jsonschema_rs", "jsonschema-rs"), ("publicsuffixlist", "publicsuffixlist")],
)
def test_a_missing_package_is_named(environment: Environment, module: str, package: str):
    program = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"
        f"sys.argv = ['ansible-inventory', '-i', {str(environment.root)!r}, '--graph']\n"
        "from ansible.cli.inventory import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"{package} is missing; install it where Ansible runs: pip install" in done.stderr


@pytest.mark.parametrize("name", ["spaces.yml", "our-spaces.yml", "spaces.yaml"])
def test_its_configuration_may_be_called(environment: Environment, name: str):
    """Anything that sorts after nodes.yml: Ansible reads a folder in that order."""
    (environment.root / "spaces.yml").rename(environment.root / name)
    assert environment.load().get_host("velo-ecole") is not None
