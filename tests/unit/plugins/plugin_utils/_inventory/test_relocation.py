# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which spaces move.yml moves, what goes on, what is refused, what nodes do in each phase."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.filter import move
from tests.unit.plugins.plugin_utils._inventory.test_proposals import (
    MODEL,
    answer,
    node,
    report,
    space,
)

Result = dict[str, t.Any]
NODES = report(
    node("web1", None, None, "web"), node("web2", 3, None, "web"), node("db1", None, None, "db")
)
OBSERVED = {"web1": answer({"amap": 2, "velo": 1}), "web2": answer(), "db1": answer()}


def entry(slug: str, web: str = "web1", **changes: t.Any) -> Result:
    own = {"domains": [f"{slug}.example"], "release": "33", "db": "db1", **changes}
    return space(slug, web, **own)


def plan(*spaces: Result, journals: Result | None = None, **asked: t.Any) -> Result:
    given = list(spaces) or [entry("amap"), entry("velo")]
    said = asked.pop("said", NODES)
    observed = asked.pop("observed", OBSERVED)
    return move.plan(given, said, observed, MODEL, journals or {}, **asked)


def moves(found: Result) -> dict[str, tuple[str, str, str]]:
    return {
        one["slug"]: (one["web"]["from"], one["web"]["to"], one["begun"]) for one in found["moves"]
    }


class TestAPlan:
    def test_sends_what_was_named_where_it_was_told(self):
        found = plan(only=["amap"], to="web2")
        assert moves(found) == {"amap": ("web1", "web2", "")}
        (one,) = found["moves"]
        assert one["db"] == {"from": "db1", "to": "db1"}
        assert (one["host"], one["serves"], one["bytes"]) == ("amap.example", True, 2 << 30)

    def test_empties_a_node(self):
        assert set(moves(plan(drain="web1"))) == {"amap", "velo"}
        assert NODES["nodes"][0]["spaces"] is None, "the inventory stays as it is"

    def test_empties_a_node_as_far_as_there_is_room(self):
        spaces = [entry(f"s{number}") for number in range(5)]
        found = plan(*spaces, drain="web1")
        assert (len(found["moves"]), len(found["stuck"])) == (3, 2)
        assert "stays on web1" in "\n".join(move.table(found))

    def test_goes_on_with_what_was_begun(self):
        """It may have its new place in placement.yml by then."""
        journal = {"to": "web2", "step": "handing", "database": {"from": "db1", "to": "db1"}}
        for web in ("web1", "web2"):
            found = plan(
                entry("amap", web),
                entry("velo"),
                journals={"web1": {"amap": journal}},
                only=["amap", "velo"],
                to="web2",
            )
            assert moves(found) == {
                "amap": ("web1", "web2", "handing"),
                "velo": ("web1", "web2", ""),
            }
            assert found["moves"][0]["placed"]["web"] == web

    def test_what_is_kept_of_an_earlier_move_is_no_move(self):
        journal = {"to": "web1", "step": "kept", "database": {"from": "db1", "to": "db1"}}
        found = plan(journals={"web3": {"amap": journal}}, only=["amap"], to="web2")
        assert moves(found) == {"amap": ("web1", "web2", "")}

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({}, "allowed: -e only=<spaces> -e to=<web node>, or -e drain=<web node>"),
            ({"only": ["amap"]}, "allowed: -e only=<spaces> -e to=<web node>"),
            ({"to": "web2"}, "allowed: -e only=<spaces> -e to=<web node>"),
            ({"drain": "web1", "to": "web2"}, "drain=web1: takes neither only nor to"),
            ({"drain": "wbe1"}, 'found "wbe1"; allowed: a web node, web1, web2. Did you mean'),
            ({"drain": "db1"}, 'drain: found "db1"; allowed: a web node'),
            ({"only": ["amap"], "to": "web9"}, 'to: found "web9"; allowed: a web node'),
            ({"only": ["amap"], "to": "db1"}, 'to: found "db1"; allowed: a web node'),
        ],
    )
    def test_of_what_means_nothing_is_refused(self, asked: Result, said: str):
        with pytest.raises(AnsibleFilterError) as caught:
            plan(**asked)
        assert said in str(caught.value)
        assert "nothing was moved" in str(caught.value)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"hold": True}, "amap: on hold"),
            ({"status": "closed"}, "amap: closed"),
            ({"web": "web2"}, "amap: "),
        ],
    )
    def test_of_a_space_that_may_not_is_refused(self, changes: Result, said: str):
        with pytest.raises(AnsibleFilterError, match=said):
            plan(entry("amap", **changes), only=["amap"], to="web2")

    def test_a_copy_of_a_space_goes_with_its_database(self):
        both = report(node("web1", None, None), node("web2", None, None))
        copied = entry("amap", db="web1", copy_of={"space": "velo"})
        (one,) = plan(copied, said=both, only=["amap"], to="web2")["moves"]
        assert (one["web"]["to"], one["db"]["to"]) == ("web2", "web2")

    def test_a_copy_of_a_space_is_not_parted_from_its_database(self):
        """A purge works on one node alone; the space itself goes there all the same."""
        spaces = [entry("amap", db="web1", copy_of={"space": "velo"}), entry("velo", db="web1")]
        said = report(
            node("web1", None, None), node("web2", None, None, "web"), node("db1", 9, None, "db")
        )
        why = "a copy of a space, whose database would be on db1 and its files on web2"
        with pytest.raises(AnsibleFilterError, match=f"amap: {why}: it could not be purged"):
            plan(*spaces, said=said, only=["amap"], to="web2")
        found = plan(*spaces, said=said, drain="web1")
        assert moves(found) == {"velo": ("web1", "web2", "")}
        (line,) = [line for line in move.table(found) if "stays on web1" in line]
        assert why in line

    def test_of_a_space_that_is_being_upgraded_is_refused(self):
        observed = {**OBSERVED, "web1": answer({"amap": 1})}
        observed["web1"]["states"]["amap"]["pending"] = "its upgrade to 33 is under way"
        with pytest.raises(AnsibleFilterError, match="amap: something is under way: its upgrade"):
            plan(observed=observed, only=["amap"], to="web2")

    @pytest.mark.parametrize(
        ("silent", "said"), [("web1", "amap: web1 did"), ("web2", "to: web2 did")]
    )
    def test_with_a_node_that_does_not_answer_is_refused(self, silent: str, said: str):
        with pytest.raises(AnsibleFilterError, match=f"{said} not answer"):
            plan(observed={**OBSERVED, silent: {}}, only=["amap"], to="web2")

    def test_to_a_node_that_is_full_is_refused(self):
        full = [entry(f"s{number}", "web2") for number in range(3)]
        with pytest.raises(AnsibleFilterError, match=r"amap: .*web2"):
            plan(entry("amap"), *full, only=["amap"], to="web2")

    def test_to_two_nodes_is_refused(self):
        journal = {"to": "web2", "step": "copying", "database": {"from": "db1", "to": "db1"}}
        three = report(*NODES["nodes"], node("web3", None, None, "web"))
        with pytest.raises(AnsibleFilterError, match="its move from web1 to web2 was begun"):
            plan(
                said=three,
                observed={**OBSERVED, "web3": answer()},
                journals={"web1": {"amap": journal}},
                only=["amap"],
                to="web3",
            )


class TestParts:
    def test_are_of_a_size(self):
        assert move.batches([{"n": n} for n in range(5)], 2) == [
            [{"n": 0}, {"n": 1}],
            [{"n": 2}, {"n": 3}],
            [{"n": 4}],
        ]

    @pytest.mark.parametrize("size", [0, -1])
    def test_of_nothing_are_refused(self, size: int):
        with pytest.raises(AnsibleFilterError, match=f"move_parallel: found {size}; allowed: 1"):
            move.batches([], size)


class TestPhases:
    """What nodes are given, and what is known afterwards."""

    items = staticmethod(move.FilterModule().filters()["move_items"])
    noted = staticmethod(move.FilterModule().filters()["move_noted"])
    switches = staticmethod(move.FilterModule().filters()["move_switches"])

    def batch(self, **changes: t.Any) -> list[Result]:
        found = plan(only=["amap", "velo"], to="web2")["moves"]
        return [{**one, **changes} for one in found]

    def slugs(self, phase: str, name: str, states: Result, **changes: t.Any) -> list[str]:
        return [one["slug"] for one in self.items(self.batch(**changes), phase, name, states, {})]

    @pytest.mark.parametrize(
        ("phase", "name"),
        [("copy", "web2"), ("offer", "web1"), ("settle", "web2"), ("leave", "web1")],
    )
    def test_each_is_done_by_one_of_the_two_nodes(self, phase: str, name: str):
        other = {"web1": "web2", "web2": "web1"}[name]
        assert self.slugs(phase, name, {}) == ["amap", "velo"]
        assert self.slugs(phase, other, {}) == []
        assert self.slugs(phase, "db1", {}) == []

    def test_what_has_failed_takes_no_part_and_is_opened_again(self):
        states = {"amap": {"failed": "web2, copy: no room"}}
        assert self.slugs("close", "web1", states) == ["velo"]
        assert self.slugs("give_up", "web1", states) == ["amap"]
        assert set(self.switches(self.batch(), states)) == {"velo"}

    def test_what_has_its_new_place_is_neither_copied_nor_given_up(self):
        placed = {"placed": {"web": "web2", "db": "db1"}}
        states = {"amap": {"failed": "web2, check: 502"}}
        assert self.slugs("copy", "web2", {}, **placed) == []
        assert self.slugs("give_up", "web1", states, **placed) == []
        assert self.slugs("settle", "web2", {}, **placed) == ["amap", "velo"]
        assert self.switches(self.batch(**placed), {}) == {}

    def test_a_suspended_space_is_not_asked_whether_it_serves(self):
        assert self.slugs("check", "web2", {}, serves=False) == []

    def test_each_is_told_of_the_other_node(self):
        states = {"amap": {"public": "ssh-ed25519 B", "host_key": "ssh-ed25519 A"}}
        one = self.items(self.batch(), "copy", "web2", states, {"web1": ["10.0.0.1", "::1"]})[0]
        assert one["peer"] == {
            "name": "web1",
            "address": "10.0.0.1",
            "sources": ["10.0.0.1", "::1"],
            "host_key": "ssh-ed25519 A",
        }
        assert one["public"] == "ssh-ed25519 B"

    def test_what_came_of_it_is_noted(self):
        given = [{"slug": "amap"}, {"slug": "velo"}]
        result = {"spaces": {"amap": {"public": "k"}}, "failed_spaces": {"velo": "no room"}}
        assert self.noted(given, result, {"amap": {"host_key": "h"}}, "web2, prepare") == {
            "amap": {"host_key": "h", "public": "k"},
            "velo": {"failed": "web2, prepare: no room"},
        }

    @pytest.mark.parametrize(
        ("result", "said"),
        [({"msg": "sshd does not start"}, "sshd does not start"), ({}, "it did not answer")],
    )
    def test_a_node_that_fails_as_a_whole_fails_for_each(self, result: Result, said: str):
        found = self.noted([{"slug": "amap"}], result, {}, "web1, offer")
        assert found == {"amap": {"failed": f"web1, offer: {said}"}}

    def test_the_end_says_for_how_long_each_was_closed(self):
        states = {"amap": {"closed_seconds": 12.5}, "velo": {"failed": "web2, copy: \x1b[2J"}}
        said = move.described(self.batch(), states)
        assert said[0] == "amap: on web2, closed for 12.5 s"
        assert "\x1b" not in said[1]


class TestWhatIsKept:
    JOURNAL: t.ClassVar[Result] = {
        "to": "web2",
        "step": "kept",
        "database": {"from": "db1", "to": "db2"},
    }

    def kept(self, kind: str = "discard", slug: str = "amap", confirm: str = "", **journal: t.Any):
        found = {"web1": {"amap": {**self.JOURNAL, **journal}}}
        return move.kept([entry("amap", "web2")], found, kind, slug, confirm)

    def test_is_found(self):
        found = self.kept(confirm="amap")
        assert found["web"] == {"from": "web1", "to": "web2"}
        assert found["db"] == {"from": "db1", "to": "db2"}

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"kind": "forget"}, 'kept: found "forget"; allowed: discard, restore'),
            ({}, "removes what it left on web1, for good. Say it with -e confirm=amap"),
            ({"kind": "restore"}, "what was stored since does not come along. Say it with"),
            ({"confirm": "velo"}, "Say it with -e confirm=amap"),
            ({"slug": "velo"}, "velo: nothing of an earlier move of it is kept on any node"),
            ({"slug": ""}, "nothing of an earlier move of it is kept on any node"),
            (
                {"step": "handing", "confirm": "amap"},
                "is not finished; finish it with -e only",
            ),
            (
                {"kind": "restore", "step": "handing"},
                "is not finished; finish it with -e only",
            ),
        ],
    )
    def test_is_touched_only_when_that_is_said(self, asked: Result, said: str):
        with pytest.raises(AnsibleFilterError) as caught:
            self.kept(**asked)
        assert said in str(caught.value)

    def test_what_has_not_arrived_is_given_up_without_more_words(self):
        found = {"web1": {"amap": {**self.JOURNAL, "step": "copying"}}}
        one = move.kept([entry("amap", "web1")], found, "restore", "amap")
        assert one["begun"] == "copying"
