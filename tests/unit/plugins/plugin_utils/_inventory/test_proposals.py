# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What placement.yml says of nodes and proposes, and what it refuses."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.filter import placement
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._proposals import GB, MIB

MODEL = {
    "asleep_mib": 4,
    "awake_mib": 40,
    "database_mib": 10,
    "awake_percent": 10,
    "disk_percent": 85,
}
READY = {"open": False, "pending": None, "backup": {"at": "x"}}
Result = dict[str, t.Any]


def node(name: str, spaces: int | None = None, gb: int | None = None, *parts: str) -> Result:
    return {
        "name": name,
        "parts": list(parts or ("web", "db")),
        "spaces": spaces,
        "storage_gb": gb,
    }


def space(slug: str, web: str = "a", **changes: t.Any) -> Result:
    rest = {"status": "approved", "hold": False, "storage_gb": 40, "id": 70_000, "db": web}
    return {"slug": slug, "web": web, **rest, **changes}


def answer(used: dict[str, float] | None = None, disk: int = 1000, free: int = 900) -> Result:
    usage = {slug: {"used_bytes": gb * GB} for slug, gb in (used or {}).items()}
    return {
        "states": {slug: {**READY, "usage": one} for slug, one in usage.items()},
        "room": {"memory_bytes": 8192 * MIB, "disk_bytes": disk * GB, "disk_free_bytes": free * GB},
    }


def report(*nodes: Result, **changes: t.Any) -> Result:
    return {"nodes": list(nodes), "placed": [], "new": [], **changes}


def plan(
    spaces: list[Result], said: Result, observed: dict[str, Result] | None = None, **asked: t.Any
) -> Result:
    return placement.plan(spaces, said, observed, MODEL, **asked)


def states(found: Result) -> dict[str, str]:
    return {one["name"]: one["state"] for one in found["nodes"]}


class TestANode:
    def test_says_how_much_it_holds(self):
        spaces = [space("s0", storage_gb=10), space("s1")]
        observed = {"a": answer({"s0": 2, "s1": 3.25}), "b": answer()}
        found = plan(spaces, report(node("a", 5, 500), node("b", 5, 500)), observed)
        assert found["nodes"][0] == {
            "name": "a",
            "parts": ["web", "db"],
            "state": "ok",
            "over": [],
            "spaces": {"now": 2, "after": 2, "most": 5},
            "databases": {"now": 2, "after": 2},
            "promised_gb": {"now": 50, "after": 50, "most": 500},
            "used_gb": 5.25,
            "disk_gb": 1000.0,
            "disk_free_gb": 900.0,
            "memory_mib": {"model": 36, "after": 36, "node": 8192},
        }

    def test_is_in_a_state(self):
        nodes = [node("new", 9), node("ok", 9), node("full", 2), node("over", 1), node("old", 0)]
        spaces = [space(f"{one['name']}{n}", one["name"]) for one in nodes[1:] for n in range(2)]
        observed = {one["name"]: answer() for one in nodes} | {"ok": {"unreachable": True}}
        found = states(plan(spaces, report(*nodes), observed))
        assert found == {
            "new": "new",
            "ok": "silent",
            "full": "full",
            "over": "over",
            "old": "draining",
        }
        assert states(plan(spaces, report(*nodes)))["ok"] == "ok", "nobody asked it"

    def test_is_over_where_its_disk_is_nearly_full(self):
        """Of 100 GB 95 are taken, 15 of them by others than spaces: 70 are theirs, and 80 used."""
        spaces = [space("s0"), space("s1")]
        observed = {"a": answer({"s0": 60, "s1": 20}, 100, 5), "b": answer()}
        found = plan(spaces, report(node("a"), node("b")), observed)
        assert found["nodes"][0]["over"] == ["used_gb"]
        assert [one["slug"] for one in found["proposals"]] == ["s1"]

    def test_holds_what_only_the_lock_file_knows(self):
        placed = [{"slug": "gone", "web": "a", "db": "b", "storage_gb": 40}]
        found = plan([], report(node("a", 0), node("b", 9), placed=placed))
        assert found["nodes"][0]["promised_gb"]["now"] == 40
        assert found["stuck"] == [{"slug": "gone", "node": "a", "why": "its file is wrong or gone"}]

    @pytest.mark.parametrize(
        ("changes", "state", "expected"),
        [
            ({"hold": True}, {}, "on hold: every run leaves it as it is"),
            ({"status": "closed"}, {}, "closed: it leaves when it is purged"),
            ({}, {"pending": "upgrade"}, "something is under way: upgrade"),
        ],
    )
    def test_keeps_spaces_that_cannot_move(self, changes: Result, state: Result, expected: str):
        observed = {"a": answer({"s0": 1}), "b": answer()}
        observed["a"]["states"]["s0"] |= state
        found = plan([space("s0", **changes)], report(node("a", 0), node("b", 9)), observed)
        assert (found["proposals"], found["stuck"][0]["why"]) == ([], expected)

    def test_that_does_not_answer_gives_and_takes_nothing(self):
        observed = {"a": answer(), "b": {"unreachable": True}, "c": answer()}
        nodes = report(node("a", 0), node("b", 9), node("c", 9))
        found = plan([space("s0"), space("s1", "b")], nodes, observed)
        assert [one["web"]["to"] for one in found["proposals"]] == ["c"]
        lost = plan([space("s1", "b")], report(node("b", 0), node("c", 9)), observed)
        assert lost["stuck"][0]["why"] == "b did not answer"


class TestAsked:
    NODES = report(node("web1", 9), node("web2", 9), node("old", 0), node("db1", None, None, "db"))

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"to": "web2"}, "to=web2: name the spaces that go there, -e only=…"),
            ({"only": ["s0"], "fill": "web2"}, "fill=web2: takes no selection"),
            ({"only": ["s0"], "to": "web2", "fill": "web2"}, "allowed: one of them"),
            ({"only": ["s0"], "to": "wbe2"}, 'to: found "wbe2"; allowed: a web node, web1, web2'),
            ({"only": ["s0"], "to": "wbe2"}, 'Did you mean "web2"?'),
            ({"only": ["s0"], "to": "db1"}, 'to: found "db1"; allowed: a web node'),
            ({"only": ["s0"], "to": "old"}, "to: old takes no spaces"),
            ({"only": ["s0"], "to": "web2"}, "to: web2 did not answer; mend that first"),
            ({"fill": "old"}, "fill: old takes no spaces"),
            ({"fill": "\x1b[2J"}, r'fill: found "\x1b[2J"'),
        ],
    )
    def test_for_what_means_nothing(self, asked: Result, expected: str):
        observed = {"web1": answer(), "web2": {}, "old": answer(), "db1": answer()}
        with pytest.raises(AnsibleFilterError) as caught:
            plan([space("s0", "web1")], self.NODES, observed, **asked)
        assert "nothing was planned" in str(caught.value)
        assert expected in str(caught.value)

    def test_a_space_goes_where_it_was_sent(self):
        found = plan([space("s0", "web1")], self.NODES, None, only=["s0"], to="web2")
        assert [(one["slug"], one["web"]["to"]) for one in found["proposals"]] == [("s0", "web2")]

    def test_a_node_is_filled(self):
        spaces = [space(f"s{n}", "web1") for n in range(4)]
        found = plan(spaces, self.NODES, None, fill="web2")
        assert [one["slug"] for one in found["proposals"]] == ["s0", "s1"]
        assert found["nodes"][1]["spaces"] == {"now": 0, "after": 2, "most": 9}


class TestWriting:
    SPACES: t.ClassVar[list[Result]] = [space("s0", status="suspended", id=70_007), space("s1")]
    NODES = report(node("a", 0), node("b", 9))

    def found(self, only: list[str] | None, **state: t.Any) -> Result:
        observed = {"a": answer({"s0": 1, "s1": 1}), "b": answer()}
        observed["a"]["states"]["s0"] |= state
        return plan(copy.deepcopy(self.SPACES), self.NODES, observed, only=only)

    def test_of_nothing_where_none_is_named(self):
        assert placement.writes(self.found(None)) == {}

    def test_of_a_space_at_rest(self):
        assert placement.writes(self.found(["s0"]), ["s0"]) == {
            "s0": {"id": 70_007, "web": "b", "db": "b", "from": {"web": "a", "db": "a"}}
        }

    @pytest.mark.parametrize(
        ("only", "state", "expected"),
        [
            (["s1"], {}, "s1: its status is approved; allowed: suspended"),
            (["s0"], {"open": True}, "s0: it is still open; run playbooks/spaces.yml first"),
            (["s0"], {"backup": None}, "s0: it has no backup"),
            (["s0"], {"pending": "restore"}, "s0: something is under way: restore"),
            (["s0", "s1"], {}, "s1: its status"),
        ],
    )
    def test_is_refused(self, only: list[str], state: Result, expected: str):
        with pytest.raises(AnsibleFilterError) as caught:
            placement.writes(self.found(only, **state), only)
        assert str(caught.value).startswith("nothing was written. ")
        assert expected in str(caught.value)

    def test_is_refused_where_nobody_asked_the_nodes(self):
        found = plan(copy.deepcopy(self.SPACES), self.NODES, None, only=["s0"])
        with pytest.raises(AnsibleFilterError, match="s0: its node said nothing of it"):
            placement.writes(found, ["s0"])


class TestATable:
    def test_for_people(self):
        new = [{"slug": "neu", "web": "b", "db": "b", "id": 70_009}]
        spaces = [space("s0", status="suspended"), space("s1", hold=True), space("s2", "b")]
        observed = {"a": answer({"s0": 1.5}), "b": answer()}
        found = plan(spaces, report(node("a", 0), node("b", 9, 900), new=new), observed)
        assert placement.table(found) == [
            "node  state     spaces      databases  GB promised     GB used  disk             "
            "memory (model)",
            "a     draining  2 → 1 of 0  2 → 1      80 → 40         1.5      10 % of 1000 GB  "
            "36 MiB of 8192",
            "b     ok        1 → 2 of 9  1 → 2      40 → 80 of 900  0.0      10 % of 1000 GB  "
            "18 MiB of 8192",
            "Proposed, 1.5 GB to copy (1):",
            "  s0: a → b, database a → b; GB used 1.5, promised 40; the node is being emptied",
            "Cannot move (1):",
            "  s1 on a: on hold: every run leaves it as it is",
            "New (1):",
            "  neu on b, database on b",
        ]

    def test_says_what_a_node_has_too_much_of(self):
        found = plan([space("s0"), space("s1")], report(node("a", 1, 40), node("b", 9, 90)))
        assert "over: spaces, GB promised" in placement.table(found)[1]
        why = "a holds more than it may: spaces, GB promised"
        assert [one["why"] for one in found["proposals"]] == [why]

    def test_is_not_without_end(self):
        spaces = [space(f"s{n:03}") for n in range(100)]
        lines = placement.table(plan(spaces, report(node("a", 0), node("b"))))
        assert lines[-1] == "  … and 70 more, in the JSON"
        assert len(lines) == 3 + 1 + 30 + 1
        assert "GB used unknown" in lines[4]

    def test_of_a_database_that_moves_alone(self):
        nodes = report(node("w", None, None, "web"), node("old", 0), node("d", None, None, "db"))
        (line,) = [
            one
            for one in placement.table(plan([space("s0", "w", db="old")], nodes))
            if one.startswith("  s0")
        ]
        assert line.startswith("  s0: stays on w, database old → d; ")
