# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The inventory as Ansible has it: hosts, groups, variables, and whom it trusts."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from unittest.mock import Mock

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, is_trusted_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _registry
from tests.unit.environment import ROOT, Environment

DECIDED = {"by": "moderation", "on": "2024-05-30", "reason": "why"}
TWO_NODES = """\
web: {hosts: {node-1: {ansible_host: 192.0.2.1}, node-2: {ansible_host: 192.0.2.2}}}
db: {hosts: {node-1: {}, db1: {}}}
office: {hosts: {office1: {}}}
"""

HOSTILE = "{{ lookup('pipe', 'id') }} '; DROP DATABASE x; -- \"$(id)`id` \u200f🚲\u00a0<script>"


def groups_of(inventory: InventoryManager, host: str) -> set[str]:
    return {group.name for group in inventory.get_host(host).groups}


def own(inventory: InventoryManager, host: str, name: str) -> t.Any:
    return inventory.get_host(host).vars[name]


def seen(inventory: InventoryManager, host: str, name: str) -> t.Any:
    """A variable as a task on that host has it."""
    loader = DataLoader()
    manager = VariableManager(loader=loader, inventory=inventory)
    variables = manager.get_vars(host=inventory.get_host(host))
    hostvars = HostVars(inventory, manager, loader)
    templar = Templar(loader=loader, variables={**variables, "hostvars": hostvars})
    return templar.template(variables[name])


SPARED = """
import gc, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
InventoryManager(DataLoader(), sources=[sys.argv[1]])
ours = "ansible_collections.archipel.spaces.plugins.filter."
print(gc.get_freeze_count() > 0, sorted(n.removeprefix(ours) for n in sys.modules if ours in n))
"""


def test_workers_find_filters_loaded_and_garbage_collection_spared():
    """Each task is a fork of the process that read the inventory."""
    command = [sys.executable, "-c", SPARED, str(ROOT / "inventories/demo")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = sorted(p.stem for p in (ROOT / "plugins/filter").glob("*.py") if p.stem != "__init__")
    assert done.stdout == f"True {ours}\n"


class TestDemo:
    """The environment that newcomers see first."""

    @pytest.fixture(scope="class")
    @staticmethod
    def demo() -> InventoryManager:
        return InventoryManager(DataLoader(), sources=[str(ROOT / "inventories" / "demo")])

    def test_spaces_that_exist_are_hosts(self, demo: InventoryManager):
        assert [host.name for host in demo.get_hosts("spaces")] == [
            "amap-du-val",
            "fanfare-des-lilas",
            "repair-cafe-brest",
            "velo-ecole",
            "theatre-du-quai",
        ]
        assert [host.name for host in demo.get_hosts("nodes")] == ["node1"]

    def test_groups(self, demo: InventoryManager):
        assert groups_of(demo, "velo-ecole") == {
            "all", "spaces", "status_approved", "ring_canary", "office_collabora", "on_node1",
        }  # fmt: skip

    def test_every_status_is_there(self, demo: InventoryManager):
        assert demo.groups["nodes"].vars["archipel_report"]["counts"] == {
            "requested": 1, "approved": 4, "refused": 1, "suspended": 1, "closed": 1,
        }  # fmt: skip

    def test_its_placement_is_recorded(self, demo: InventoryManager):
        assert demo.groups["nodes"].vars["archipel_placement"]["recorded"] is True

    def test_an_entry_is_complete(self, demo: InventoryManager):
        """docs/architecture.md names these keys; the roles rely on each."""
        entries = own(demo, "node1", "archipel_spaces")
        assert [entry["slug"] for entry in entries] == [
            "amap-du-val",
            "cine-club-ardeche",
            "fanfare-des-lilas",
            "repair-cafe-brest",
            "theatre-du-quai",
            "velo-ecole",
        ]
        contract = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
        example = yaml.safe_load(contract.split("```yaml\n")[1].split("```")[0].replace("…", "x"))
        # A copy of a space alone has this one, and the demo has none.
        del example["copy_of"], example["lost"]
        for entry in entries:
            assert list(entry) == list(example)
            assert set(entry["contact"]) == set(example["contact"])
            assert set(entry["decision"]) == {"by", "on", "reason"}
            assert set(entry["theme"]) == set(example["theme"])

    def test_a_space_leads_to_its_node(self, demo: InventoryManager):
        assert seen(demo, "velo-ecole", "ansible_host") == "127.0.0.1"
        for name in ("ansible_user", "ansible_port", "ansible_ssh_private_key_file"):
            assert seen(demo, "velo-ecole", name) == seen(demo, "node1", name)


def test_a_space_is_resolved_with_the_policy(environment: Environment):
    environment.policy(archipel_https_port=8443, archipel_ring_releases={"canary": "34.0.1"})
    environment.space("velo-ecole", ring="canary", limits={"accounts": 7}, domains=["velo.example"])
    inventory = environment.load()
    entry = own(inventory, "velo-ecole", "space")
    assert entry == own(inventory, "node1", "archipel_spaces")[0]
    assert entry == own(inventory, "node1", "archipel_databases")[0]
    assert entry == {
        "slug": "velo-ecole",
        "id": 70_000,
        "name": "Vélo-école",
        "status": "approved",
        "contact": {"name": None, "email": "bureau@velo-ecole.example"},
        "decision": {"by": "moderation", "on": "2024-05-30", "reason": None},
        "office": "collabora",
        "office_pinned": False,
        "ring": "canary",
        "release": "34.0.1",
        "accounts": 7,
        "storage_gb": 40,
        "domains": ["velo-ecole.spaces.example.org", "velo.example"],
        "url": "https://velo-ecole.spaces.example.org:8443",
        "redirect": False,
        "locale": "fr",
        "phone_region": "",
        "timezone": "Europe/Paris",
        "theme": {"color": None, "slogan": None, "logo": None},
        "registration": False,
        "closed_on": None,
        "dormancy": {"exempt": False, "since": None, "letters": 0},
        "hold": False,
        "web": "node1",
        "db": "node1",
        "file": "spaces/velo-ecole.yml",
        "office_servers": {},
    }


def test_statuses_decide_what_a_node_hears_of(environment: Environment):
    environment.space("amap", status="requested", decision=None)
    environment.space("cine", status="refused", decision=DECIDED)
    environment.space("quai", status="suspended", decision=DECIDED, hold=True)
    environment.space("zoo", status="closed", closed_on="2024-06-01")
    environment.placement("zoo: {id: 70000, web: node1, db: node1}")
    inventory = environment.load()
    entries = own(inventory, "node1", "archipel_spaces")
    assert [entry["slug"] for entry in entries] == ["quai", "velo-ecole", "zoo"]
    assert {host.name for host in inventory.get_hosts("spaces")} == {"quai", "velo-ecole"}
    report = seen(inventory, "node1", "archipel_report")
    assert [space["slug"] for space in report["requested"]] == ["amap"]
    assert report["refused"][0]["decision"] == DECIDED
    assert (report["closed"], report["held"], report["files"]) == (["zoo"], ["quai"], 5)


class TestNodes:
    @pytest.fixture
    @staticmethod
    def inventory(environment: Environment) -> InventoryManager:
        environment.write("nodes.yml", TWO_NODES)
        for slug in ("amap", "cine", "quai"):
            environment.space(slug)
        return environment.load()

    def test_each_hears_of_its_own_spaces(self, inventory: InventoryManager):
        def slugs(host: str, name: str) -> list[str]:
            return [entry["slug"] for entry in own(inventory, host, name)]

        assert slugs("node-1", "archipel_spaces") == ["amap", "quai"]
        assert slugs("node-2", "archipel_spaces") == ["cine", "velo-ecole"]
        assert slugs("node-1", "archipel_databases") == ["amap", "quai"]
        assert slugs("db1", "archipel_databases") == ["cine", "velo-ecole"]
        assert slugs("db1", "archipel_spaces") == slugs("office1", "archipel_spaces") == []

    def test_groups_have_valid_names(self, inventory: InventoryManager):
        assert {"on_node_1", "on_node_2"} <= set(inventory.groups)
        assert "on_node_1" in groups_of(inventory, "amap")
        assert all(name.isidentifier() for name in inventory.groups)

    def test_they_are_all_nodes(self, inventory: InventoryManager):
        names = {host.name for host in inventory.get_hosts("nodes")}
        assert names == {"node-1", "node-2", "db1", "office1"}

    def test_a_space_has_the_address_of_its_node(self, inventory: InventoryManager):
        assert seen(inventory, "cine", "ansible_host") == "192.0.2.2"

    def test_what_is_pending_can_be_read_from_anywhere(self, inventory: InventoryManager):
        for host in ("office1", "amap", "localhost"):
            placement = seen(inventory, host, "archipel_placement")
            assert placement["recorded"] is False
            assert placement["pending"]["amap"] == {
                "id": 70_000,
                "web": "node-1",
                "db": "node-1",
                "office": {},
            }


class TestConnection:
    def test_templates_are_evaluated_for_the_node(self, environment: Environment):
        environment.write(
            "nodes.yml",
            'web: {hosts: {node1: {ansible_host: "{{ inventory_hostname }}.example", '
            'ansible_user: "{{ who }}", who: root}}}\ndb: {hosts: {node1: {}}}\n',
        )
        inventory = environment.load()
        assert seen(inventory, "velo-ecole", "ansible_host") == "node1.example"
        assert seen(inventory, "velo-ecole", "ansible_user") == "root"

    def test_variables_of_its_groups_and_folders_count(self, environment: Environment):
        environment.write("group_vars/web.yml", "ansible_user: deploy\n")
        environment.write("group_vars/nodes.yml", "ansible_user: root\nansible_become: true\n")
        environment.write("host_vars/node1.yml", "ansible_port: 2222\n")
        inventory = environment.load()
        wanted = ("ansible_user", "ansible_become", "ansible_port", "ansible_host")
        assert [seen(inventory, "velo-ecole", name) for name in wanted] == [
            "deploy",
            True,
            2222,
            "node1",
        ]

    def test_what_all_hosts_have_does_not_win_over_the_node(self, environment: Environment):
        environment.write("group_vars/all/ssh.yml", "ansible_user: everybody\nansible_port: 22\n")
        environment.write("nodes.yml", "web: {hosts: {node1: {ansible_user: root}}}\ndb: "
                                       "{hosts: {node1: {}}}\n")  # fmt: skip
        inventory = environment.load()
        assert seen(inventory, "velo-ecole", "ansible_user") == "root"
        assert seen(inventory, "velo-ecole", "ansible_port") == 22


class TestPlacement:
    def test_a_node_that_is_gone_is_named_once(self, environment: Environment):
        """And not twice for each of its thousand spaces."""
        slugs = [f"amap-{number}" for number in range(9)]
        for slug in slugs:
            environment.space(slug)
        environment.placement(
            *(f"{s}: {{id: {70_000 + n}, web: old, db: old}}" for n, s in enumerate(slugs))
        )
        (problem,) = environment.problems()
        assert problem.startswith(
            'placement.yml:5: the web and db node "old" is gone, with 9 spaces (amap-0, amap-1, '
            "amap-2, …): group web of the inventory has node1, group db of the inventory has node1;"
        )

    def test_is_sticky(self, environment: Environment):
        environment.write("nodes.yml", TWO_NODES)
        environment.placement("velo-ecole: {id: 70042, web: node-2, db: db1}")
        inventory = environment.load()
        entry = own(inventory, "velo-ecole", "space")
        assert (entry["id"], entry["web"], entry["db"]) == (70_042, "node-2", "db1")
        assert seen(inventory, "node-1", "archipel_placement")["recorded"] is True

    def test_reading_writes_nothing(self, environment: Environment):
        before = environment.tree()
        environment.load()
        assert environment.tree() == before

    def test_a_space_whose_file_is_gone_is_reported_and_kept(self, environment: Environment):
        environment.placement("amap: {id: 70000, web: node1, db: node1}")
        inventory = environment.load()
        assert seen(inventory, "node1", "archipel_report")["without_file"] == ["amap"]
        assert own(inventory, "velo-ecole", "space")["id"] == 70_100

    def test_capacity(self, environment: Environment):
        environment.write("nodes.yml", "web: {hosts: {a1: {}, b1: {}}}\ndb: {hosts: {a1: {}}}\n")
        environment.write("host_vars/a1.yml", 'archipel_capacity: "{{ 1 }}"\n')
        environment.write("host_vars/b1.yml", "archipel_capacity: 9\n")
        for number in range(5):
            environment.space(f"s{number}")
        homes = [entry["web"] for entry in own(environment.load(), "a1", "archipel_databases")]
        assert sorted(homes) == ["a1", *["b1"] * 5]

    def test_what_nodes_take_and_what_is_only_known_by_the_lock_file(
        self, environment: Environment
    ):
        environment.write("nodes.yml", "web: {hosts: {a1: {}, b1: {}}}\ndb: {hosts: {b1: {}}}\n")
        environment.write("host_vars/a1.yml", "archipel_capacity: 0\n")
        environment.write("host_vars/b1.yml", "archipel_capacity: {storage_gb: 900}\n")
        environment.placement("amap: {id: 70000, web: a1, db: b1}")
        report = seen(environment.load(), "a1", "archipel_report")
        assert report["nodes"] == [
            {"name": "a1", "parts": ["web"], "spaces": 0, "storage_gb": None},
            {"name": "b1", "parts": ["web", "db"], "spaces": None, "storage_gb": 900},
        ]
        assert report["placed"] == [{"slug": "amap", "web": "a1", "db": "b1", "storage_gb": 40}]


class TestUntrusted:
    """Associations write text, not templates."""

    CHANGES: t.ClassVar[dict[str, t.Any]] = {
        "name": HOSTILE,
        "contact": {"name": HOSTILE, "email": "x@velo.example"},
        "decision": {"by": HOSTILE, "on": "2024-05-30", "reason": HOSTILE},
        "limits": {"storage_gb": 999, "approved_by": HOSTILE},
        "theme": {"slogan": HOSTILE},
    }

    def test_text_comes_out_as_it_went_in(self, environment: Environment):
        environment.space("velo-ecole", **self.CHANGES)
        inventory = environment.load()
        for entry in (
            seen(inventory, "node1", "archipel_spaces")[0],
            seen(inventory, "node1", "archipel_databases")[0],
            seen(inventory, "velo-ecole", "space"),
        ):
            assert entry["name"] == entry["contact"]["name"] == entry["theme"]["slogan"] == HOSTILE
            assert entry["decision"]["reason"] == entry["decision"]["by"] == HOSTILE

    def test_no_text_of_an_entry_is_trusted(self, environment: Environment):
        environment.space("velo-ecole", **self.CHANGES)

        def texts(value: t.Any) -> t.Iterator[str]:
            if isinstance(value, dict):
                value = list(value.values())
            if isinstance(value, list):
                for item in value:
                    yield from texts(item)
            elif isinstance(value, str):
                yield value

        found = list(texts(own(environment.load(), "node1", "archipel_spaces")))
        assert len(found) > 15
        assert [text for text in found if is_trusted_as_template(text)] == []

    def test_the_report_is_not_trusted_either(self, environment: Environment):
        environment.space("amap", status="requested", name=HOSTILE, decision=None)
        report = seen(environment.load(), "localhost", "archipel_report")
        assert report["requested"][0]["name"] == HOSTILE

    def test_a_playbook_prints_it_literally(self, environment: Environment):
        environment.space("velo-ecole", **self.CHANGES)
        environment.write("nodes.yml", "web: {hosts: {node1: {ansible_connection: local}}}\n"
                                       "db: {hosts: {node1: {}}}\n")  # fmt: skip
        done = environment.command(
            "ansible", "velo-ecole", "-m", "ansible.builtin.debug", "-a", "msg={{ space.name }}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.split(" => ")[1])["msg"] == HOSTILE

    def test_the_listing_marks_it_for_who_reads_it_again(self, environment: Environment):
        environment.space("velo-ecole", **self.CHANGES)
        listing = json.loads(environment.command("ansible-inventory", "--list").stdout)
        space = listing["_meta"]["hostvars"]["velo-ecole"]["space"]
        assert space["name"] == {"__ansible_unsafe": HOSTILE}


class TestPolicy:
    def test_is_evaluated_like_everywhere(self, environment: Environment):
        environment.write("group_vars/all/zz.yml", "town: lyon\narchipel_base_domain: "
                                                   "\"{{ town }}.example\"\n")  # fmt: skip
        entry = own(environment.load(), "velo-ecole", "space")
        assert entry["url"] == "https://velo-ecole.lyon.example"

    def test_extra_variables_win(self, environment: Environment):
        done = environment.command(
            "ansible-inventory", "--host", "velo-ecole", "-e", "archipel_base_domain=extra.example"
        )
        assert json.loads(done.stdout)["space"]["url"] == "https://velo-ecole.extra.example"

    def test_what_cannot_be_evaluated_is_named(self, environment: Environment):
        environment.write("group_vars/all/zz.yml", 'archipel_base_domain: "{{ nowhere }}"\n')
        (problem,) = environment.problems()
        assert problem.startswith("group_vars/all: archipel_base_domain: cannot be evaluated: ")
        assert "nowhere" in problem

    def test_the_baseline_suffices_with_two_more_lines(self, environment: Environment):
        text = "archipel_environment: lab\narchipel_base_domain: a.example\n"
        environment.write("group_vars/all/policy.yml", text)
        (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
        entry = own(environment.load(), "velo-ecole", "space")
        assert (entry["accounts"], entry["storage_gb"], entry["office"]) == (50, 40, "collabora")

    def test_a_node_knows_the_names_outside_the_base_domain(self, environment: Environment):
        environment.space("velo-ecole", domains=["velo.example"])
        environment.space("amap")
        assert own(environment.load(), "node1", "archipel_domains") == ["velo.example"]


class TestSkip:
    def test_a_wrong_file_leaves_the_others_in_peace(self, environment: Environment):
        environment.options(on_invalid="skip")
        environment.placement("amap: {id: 70000, web: node1, db: node1}")
        environment.write("spaces/amap.yml", "name: [\n")
        environment.space("cine", office="word")
        inventory = environment.load()
        assert [e["slug"] for e in own(inventory, "node1", "archipel_spaces")] == ["velo-ecole"]
        assert own(inventory, "node1", "archipel_skipped") == [
            {
                "slug": "amap",
                "id": 70_000,
                "web": "node1",
                "db": "node1",
                "domains": ["amap.spaces.example.org"],
            }
        ]
        report = seen(inventory, "node1", "archipel_report")
        assert set(report["skipped"]) == {"amap", "cine"}
        assert "amap.yml:1: not readable as YAML" in report["skipped"]["amap"][0]
        assert report["without_file"] == []
        assert "cine" not in seen(inventory, "node1", "archipel_placement")["pending"]

    def test_a_newcomer_cannot_take_a_working_space_down(self, environment: Environment):
        environment.options(on_invalid="skip")
        environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
        environment.space("velo-ecole", domains=["velo.example"])
        environment.space("thief", domains=["velo.example"])
        inventory = environment.load()
        assert [e["slug"] for e in own(inventory, "node1", "archipel_spaces")] == ["velo-ecole"]
        assert list(seen(inventory, "node1", "archipel_report")["skipped"]) == ["thief"]

    @pytest.mark.parametrize(
        "changes",
        [
            # The schema, then a rule across files.
            {"ring": "slow"},
            {"status": "aproved"},
            {"contact": None},
            {"timezone": "Mars/Olympus"},
            {"limits": {"accounts": 9999}},
            {"domains": ["velo.example", "NOT a name", 7, "x.spaces.example.org"]},
        ],
    )
    def test_a_space_whose_file_is_wrong_keeps_its_names(
        self, environment: Environment, changes: dict[str, t.Any]
    ):
        environment.options(on_invalid="skip")
        environment.placement("amap: {id: 70000, web: node1, db: node1}")
        environment.space("amap", **{"domains": ["velo.example"], **changes})
        environment.space("thief", domains=["velo.example"])
        inventory = environment.load()
        assert [e["slug"] for e in own(inventory, "node1", "archipel_spaces")] == ["velo-ecole"]
        (skipped,) = own(inventory, "node1", "archipel_skipped")
        assert skipped["domains"] == ["amap.spaces.example.org", "velo.example"]
        # It goes on answering, with a certificate.
        assert own(inventory, "node1", "archipel_domains") == ["velo.example"]
        told = seen(inventory, "node1", "archipel_report")["skipped"]
        assert set(told) == {"amap", "thief"}
        (sentence,) = told["thief"]
        assert 'the domain "velo.example" is also that of ' in sentence

    def test_a_file_that_cannot_be_read_keeps_what_an_earlier_run_knew(
        self, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(_registry, "_RACY_NS", -1)
        cache = str(environment.root / ".private" / "cache")
        environment.options(
            on_invalid="skip",
            cache=True,
            cache_plugin="ansible.builtin.jsonfile",
            cache_connection=cache,
        )
        environment.placement("amap: {id: 70000, web: node1, db: node1}")
        environment.space("amap", domains=["velo.example"])
        environment.load()
        environment.write("spaces/amap.yml", "name: [\n")
        environment.space("thief", domains=["velo.example"])
        for _run in range(2):
            inventory = environment.load()
            assert own(inventory, "node1", "archipel_domains") == ["velo.example"]
            told = seen(inventory, "node1", "archipel_report")["skipped"]
            assert "amap, whose file is wrong and whose names stay as they are" in told["thief"][0]

    def test_a_newcomer_whose_file_is_wrong_holds_nothing(self, environment: Environment):
        environment.options(on_invalid="skip")
        environment.space("amap", domains=["velo.example"], ring="slow")
        environment.space("cine", domains=["velo.example"])
        inventory = environment.load()
        names = [e["slug"] for e in own(inventory, "node1", "archipel_spaces")]
        assert names == ["cine", "velo-ecole"]

    def test_a_name_cannot_be_moved_away_while_its_file_is_wrong(self, environment: Environment):
        environment.options(on_invalid="skip")
        environment.placement(
            "amap: {id: 70000, web: node1, db: node1}", "cine: {id: 70001, web: node1, db: node1}"
        )
        environment.space("amap", domains=["velo.example"], ring="slow")
        environment.space("cine", domains=["velo.example"])
        report = seen(environment.load(), "node1", "archipel_report")
        assert set(report["skipped"]) == {"amap", "cine"}

    def test_what_is_no_matter_of_one_file_still_fails(self, environment: Environment):
        environment.options(on_invalid="skip")
        environment.placement("velo-ecole: {id: 70000, web: old, db: node1}")
        assert len(environment.problems()) == 1


class TestConstructed:
    def test_groups_and_variables_of_ones_own(self, environment: Environment):
        environment.options(
            strict=True,
            compose={"gigabytes": "space.storage_gb"},
            groups={"large": "space.storage_gb > 100"},
            keyed_groups=[{"key": "space.locale", "prefix": "locale"}],
        )
        environment.space("velo-ecole", limits={"storage_gb": 150}, locale="pt_BR")
        environment.space("amap")
        inventory = environment.load()
        assert own(inventory, "velo-ecole", "gigabytes") == 150
        assert {"large", "locale_pt_BR"} <= groups_of(inventory, "velo-ecole")
        assert "large" not in groups_of(inventory, "amap")

    def test_what_an_association_writes_is_no_template(self, environment: Environment):
        environment.options(compose={"title": "space.name"}, keyed_groups=[{"key": "space.name"}])
        environment.space("velo-ecole", name=HOSTILE)
        inventory = environment.load()
        assert own(inventory, "velo-ecole", "title") == HOSTILE
        assert not any("uid" in name for name in inventory.groups)

    def test_a_name_cannot_make_a_space_a_node(self, environment: Environment):
        environment.options(keyed_groups=[{"key": "space.name", "separator": ""}])
        environment.space("velo-ecole", name="web")
        (problem,) = environment.problems()
        assert "puts the space velo-ecole into web, a group of nodes" in problem


class TestCache:
    @pytest.fixture
    @staticmethod
    def cached(environment: Environment) -> Environment:
        environment.options(
            cache=True,
            cache_plugin="ansible.builtin.jsonfile",
            cache_connection=str(environment.root / ".private" / "cache"),
        )
        return environment

    @staticmethod
    def stored(environment: Environment) -> list[dict[str, t.Any]]:
        files = (environment.root / ".private" / "cache").glob("*")
        return [json.loads(json.loads(path.read_text())["__payload__"]) for path in files]

    def test_an_edited_file_is_seen_with_a_warm_cache(self, cached: Environment):
        assert own(cached.load(), "velo-ecole", "space")["name"] == "Vélo-école"
        cached.space("velo-ecole", name="Vélo-encre")
        assert own(cached.load(), "velo-ecole", "space")["name"] == "Vélo-encre"

    def test_policy_and_placement_are_never_cached(self, cached: Environment):
        cached.load()
        cached.policy(archipel_base_domain="other.example")
        cached.placement("velo-ecole: {id: 70007, web: node1, db: node1}")
        entry = own(cached.load(), "velo-ecole", "space")
        assert (entry["url"], entry["id"]) == ("https://velo-ecole.other.example", 70_007)

    def test_a_warm_cache_gives_the_same(
        self, cached: Environment, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(_registry, "_RACY_NS", -1)
        cold = own(cached.load(), "node1", "archipel_spaces")
        monkeypatch.setattr(_registry, "_bytes", None)
        assert own(cached.load(), "node1", "archipel_spaces") == cold

    @pytest.mark.parametrize("keep", [0, 1, 60, -2])
    def test_a_cache_that_was_left_half_written_is_made_anew(
        self, cached: Environment, monkeypatch: pytest.MonkeyPatch, keep: int
    ):
        monkeypatch.setattr(_registry, "_RACY_NS", -1)
        entries = own(cached.load(), "node1", "archipel_spaces")
        before = self.stored(cached)
        (file,) = (cached.root / ".private" / "cache").glob("*")
        file.write_bytes(file.read_bytes()[:keep])
        assert own(cached.load(), "node1", "archipel_spaces") == entries
        assert self.stored(cached) == before

    @pytest.mark.parametrize(("mode", "of_file"), [(0o777, 0o600), (0o720, 0o600), (0o700, 0o622)])
    def test_a_cache_that_others_may_write_is_not_believed(
        self,
        cached: Environment,
        monkeypatch: pytest.MonkeyPatch,
        mode: int,
        of_file: int,
        capsys: pytest.CaptureFixture[str],
    ):
        monkeypatch.setattr(_registry, "_RACY_NS", -1)
        cached.load()
        folder = cached.root / ".private" / "cache"
        (file,) = folder.glob("*")
        file.chmod(of_file)
        folder.chmod(mode)
        reader = Mock(wraps=_registry._bytes)
        monkeypatch.setattr(_registry, "_bytes", reader)
        cached.load()
        assert reader.call_count == 1
        assert "others may write in it" in capsys.readouterr().err

    def test_flush_cache_reads_again(self, cached: Environment, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(_registry, "_RACY_NS", -1)
        cached.load()
        reader = Mock(wraps=_registry._bytes)
        monkeypatch.setattr(_registry, "_bytes", reader)
        cached.load(flush=True)
        assert reader.call_count == 1
        cached.load()
        assert reader.call_count == 1


class TestCommands:
    def test_nodes_may_be_listed_in_the_old_way(self, environment: Environment):
        """As every other project of Ansible's has them."""
        (environment.root / "nodes.yml").unlink()
        environment.write("hosts.ini", "[web]\nnode1\n[db]\nnode1\n")
        done = environment.command("ansible-inventory", "--graph", "spaces")
        assert "velo-ecole" in done.stdout, done.stderr

    def test_ping_reaches_a_space_through_its_node(self, environment: Environment):
        environment.write(
            "nodes.yml",
            "web: {hosts: {node1: {ansible_connection: local, ansible_python_interpreter: "
            '"{{ ansible_playbook_python }}"}}}\ndb: {hosts: {node1: {}}}\n',
        )
        done = environment.command("ansible", "velo-ecole", "-m", "ansible.builtin.ping")
        assert done.returncode == 0, done.stderr
        assert "velo-ecole | SUCCESS" in done.stdout

    def test_host_prints_the_space(self, environment: Environment):
        done = environment.command("ansible-inventory", "--host", "velo-ecole")
        assert json.loads(done.stdout)["space"]["slug"] == "velo-ecole"

    def test_graph_shows_the_groups(self, environment: Environment):
        done = environment.command("ansible-inventory", "--graph", "spaces")
        assert "  |--@on_node1:\n  |  |--velo-ecole" in done.stdout

    def test_the_registry_and_the_lock_are_no_inventories(self, environment: Environment):
        """They lie elsewhere, and keys in a folder that Ansible passes over."""
        environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
        environment.write(".private/hosts.yml", "stray: {hosts: {stranger: {}}}\n")
        done = environment.command("ansible-inventory", "--graph")
        assert done.returncode == 0
        assert "stranger" not in done.stdout
        assert "WARNING" not in done.stderr, done.stderr
