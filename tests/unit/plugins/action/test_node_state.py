# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""node_state on the controller: what it refuses, what it sends, when it calls apt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.archipel.spaces.plugins.action import node_state
from ansible_collections.archipel.spaces.plugins.module_utils._core import _payloads
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import unpack
from tests.support.shapes import differences

# What the module says of a node on which all is as wanted.
CONTENT = {
    "changed": False,
    "changes": {},
    "groups": {},
    "unavailable": [],
    "due": {},
    "loaded": [],
    "diff": [],
}
EVERYTHING: dict[str, Any] = {
    "groups": ["archipel-db"],
    "packages": ["nginx"],
    "absent": ["/etc/nginx/sites-enabled/default"],
    "directories": [{"path": "/etc/archipel", "owner": "mysql", "mode": "1770"}],
    "files": [
        {"dest": "/etc/a", "content": "a\n"},
        {"dest": "/etc/key", "content": "hidden\n", "secret": True, "mode": "0600"},
    ],
    "links": [{"path": "/etc/localtime", "target": "/usr/share/zoneinfo/Etc/UTC"}],
    "sysusers": ["/etc/sysusers.d/a.conf"],
    "sysctls": {"net.core.somaxconn": 8192},
    "manager": {"DefaultLimitCORE": 0},
    "units": [{"name": "nginx.service", "state": "started", "newer": ["/etc/nginx"]}],
}


class Node:
    """What the node's modules answer, one after the other, and what they were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ActionBase, "run", lambda *_: {})
        self.answers: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any], bool]] = []

    def run(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        made: Any = object.__new__(node_state.ActionModule)
        made._task = SimpleNamespace(
            args=options, check_mode=check, async_val=0, diff=False, get_search_path=list
        )
        made._loader = DataLoader()
        made._templar = Templar(made._loader, {})
        made._connection = made._play_context = SimpleNamespace()

        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> Any:
            del task_vars
            given = unpack(module_args["payload"]) if "payload" in module_args else module_args
            self.asked.append((module_name, given, made._task.check_mode))
            return dict(self.answers.pop(0))

        made._execute_module = execute
        return dict(made.run(None, {}))


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(monkeypatch)


def test_what_is_sent_has_the_shape_that_its_type_says(node: Node):
    node.answers = [CONTENT]
    result = node.run(**EVERYTHING)
    ((name, sent, _check),) = node.asked
    assert name == "archipel.spaces.node_state"
    assert differences(sent, _payloads.NodeState) == []
    assert sent["directories"][0] == {
        "path": "/etc/archipel",
        "mode": 0o1770,
        "owner": "mysql",
        "group": "root",
    }
    assert [file["kind"] for file in sent["files"]] == ["file", "secret"]
    assert sent["sysctls"] == {"net.core.somaxconn": "8192"}
    assert sent["manager"] == {"DefaultLimitCORE": "0"}
    assert sent["units"][0]["then"] == "restart"
    assert sent["units"][0]["enabled"] is None
    assert result == CONTENT | {"pending": []}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"groups": ["Archipel DB"]}, 'groups has "Archipel DB"; allowed: small letters'),
        ({"packages": ["nginx=1.26"]}, 'packages has "nginx=1.26"; allowed: a name of Debian'),
        ({"packages": ["--purge"]}, 'packages has "--purge"; allowed: a name of Debian'),
        ({"sysctls": {"../secret": 1}}, 'sysctls has "../secret"; allowed: a name such as'),
        ({"units": [{"name": "nginx"}]}, 'units has "nginx"; allowed: a name with its suffix'),
        ({"units": [{"state": "started"}]}, "missing required arguments: name found in units"),
        (
            {"units": [{"name": "a.service", "state": "up"}]},
            "value of state must be one of: started, stopped, got: up found in units",
        ),
        (
            {"units": [{"name": "a.service", "stat": "started"}]},
            'unknown option "units.stat"; allowed: ',
        ),
        (
            {"directories": [{"path": "/a", "mode": "rwx"}]},
            '/a: mode is "rwx"; allowed: three or four octal digits in quotes',
        ),
        (
            {"files": [{"dest": "/a", "content": "", "mode": "0o644"}]},
            '/a: mode is "0o644"; allowed: three or four octal digits in quotes',
        ),
        ({"files": [{"dest": "/a"}]}, "one of the following is required: src, content"),
        ({"links": [{"path": "/a"}]}, "missing required arguments: target found in links"),
        ({"files": [{"dest": "/a", "src": "none.j2"}]}, "none.j2"),
    ],
)
def test_what_is_wrong_is_refused_before_the_node_is_asked(
    node: Node, options: dict[str, Any], said: str
):
    with pytest.raises(AnsibleError) as refusal:
        node.run(**options)
    assert said in str(refusal.value)
    assert node.asked == []


def test_all_that_is_wrong_is_said_at_once(node: Node):
    with pytest.raises(AnsibleActionFail) as refusal:
        node.run(groups=["A"], packages=["B"])
    assert str(refusal.value).count("archipel.spaces.node_state: ") == 2


MISSING = CONTENT | {"missing": ["nginx", "redis-server"], "index": True}
INSTALLED = {"changed": True, "diff": {"prepared": "nginx redis-server"}}


class TestPackages:
    def test_apt_is_not_begun_where_nothing_is_missing(self, node: Node):
        node.answers = [CONTENT]
        node.run(packages=["nginx"])
        assert [name for name, _given, _check in node.asked] == ["archipel.spaces.node_state"]

    def test_all_that_is_missing_is_one_transaction_and_the_rest_follows(self, node: Node):
        node.answers = [
            MISSING | {"changed": True, "changes": {"group a": ["created"]}},
            INSTALLED,
            CONTENT
            | {"changed": True, "changes": {"/etc/a": ["created"]}, "diff": [{"after": "a"}]},
        ]
        result = node.run(packages=["nginx", "redis-server"], index_age=60)
        assert node.asked[1] == (
            "ansible.builtin.apt",
            {
                "name": ["nginx", "redis-server"],
                "install_recommends": False,
                "update_cache": True,
                "cache_valid_time": 60,
                "policy_rc_d": 101,
            },
            False,
        )
        assert node.asked[2][1]["pending"] == []
        assert result["changed"]
        assert result["changes"] == {
            "group a": ["created"],
            "package nginx": ["installed"],
            "package redis-server": ["installed"],
            "/etc/a": ["created"],
        }
        assert result["diff"] == [{"prepared": "nginx redis-server"}, {"after": "a"}]
        assert result["pending"] == []
        assert not {"missing", "index"} & result.keys()

    def test_without_any_index_its_age_says_nothing(self, node: Node):
        node.answers = [MISSING | {"index": False}, INSTALLED, CONTENT]
        node.run(packages=["nginx"])
        assert node.asked[1][1]["cache_valid_time"] == 0

    def test_services_start_by_themselves_where_they_may(self, node: Node):
        node.answers = [MISSING, INSTALLED, CONTENT]
        node.run(packages=["nginx"], services=True)
        assert "policy_rc_d" not in node.asked[1][1]

    def test_check_mode_reads_the_index_and_installs_nothing(self, node: Node):
        node.answers = [MISSING, {"changed": True}, INSTALLED, CONTENT]
        result = node.run(packages=["nginx"], check=True)
        assert [(name, check) for name, _given, check in node.asked] == [
            ("archipel.spaces.node_state", True),
            ("ansible.builtin.apt", False),
            ("ansible.builtin.apt", True),
            ("archipel.spaces.node_state", True),
        ]
        assert set(node.asked[1][1]) == {"update_cache", "cache_valid_time"}
        assert node.asked[3][1]["pending"] == ["nginx", "redis-server"]
        assert result["pending"] == ["nginx", "redis-server"]
        assert result["changes"]["package nginx"] == ["installed"]

    @pytest.mark.parametrize(
        ("answers", "check"),
        [
            ([MISSING, {"failed": True, "msg": "No package matching 'ngnix'"}], False),
            ([MISSING, {"failed": True, "msg": "No package matching 'ngnix'"}], True),
            (
                [
                    MISSING,
                    {"changed": True},
                    {"failed": True, "msg": "No package matching 'ngnix'"},
                ],
                True,
            ),
        ],
        ids=["installing", "reading the index", "asking in check mode"],
    )
    def test_what_apt_refuses_is_told_and_nothing_follows(
        self, node: Node, answers: list[dict[str, Any]], check: bool
    ):
        node.answers = list(answers)
        result = node.run(packages=["ngnix"], check=check)
        assert (result["failed"], result["msg"]) == (True, "No package matching 'ngnix'")
        assert node.answers == []

    def test_a_name_that_others_provide_is_refused(self, node: Node):
        """It would be missing in each run, and nobody would be told."""
        node.answers = [MISSING, {"changed": False}, MISSING]
        with pytest.raises(AnsibleActionFail, match=r"not installed, though apt .* nginx, redis"):
            node.run(packages=["nginx"])


def test_a_pass_that_fails_is_told_as_it_is(node: Node):
    node.answers = [{"failed": True, "msg": "/etc/a: Read-only file system"}]
    assert node.run()["msg"] == "/etc/a: Read-only file system"


@pytest.fixture
def needle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Let a role have one template."""

    def write(text: str) -> None:
        path = tmp_path / "a.j2"
        path.write_text(text)
        monkeypatch.setattr(ActionBase, "_find_needle", lambda *_: str(path))

    return write


def test_a_template_is_rendered_with_its_own_variables(node: Node, needle: Callable[[str], None]):
    needle("[{{ interface }}]\n")
    node.answers = [CONTENT]
    node.run(files=[{"dest": "/etc/a", "src": "a.j2", "vars": {"interface": "fpm"}}])
    assert node.asked[0][1]["files"][0]["content"] == "[fpm]\n"
