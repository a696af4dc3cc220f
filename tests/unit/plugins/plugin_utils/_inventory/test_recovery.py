# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A node is lost: what comes where, in which order, what does not, and when nothing may be done."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.filter import recovery
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._proposals import GB
from tests.unit.plugins.plugin_utils._inventory.test_proposals import (
    MODEL,
    answer,
    node,
    report,
    space,
)

Result = dict[str, t.Any]
NODES = (node("a"), node("b"), node("c"))


def backup(gb: float | None = 1) -> Result:
    size = None if gb is None else int(gb * GB)
    return {"snapshot": "5" * 64, "at": "2026-05-30T01:12:00+00:00", "host": "a", "bytes": size}


def look(backups: dict[str, Result] | None = None, **changes: t.Any) -> Result:
    rest = {"answers": [], "claims": {}, "here": [], "unready": ""}
    return {**rest, "backups": backups or {}, **changes}


def claim(web: str, db: str = "", step: str = "load") -> Result:
    place = {"web": web, "db": db or web}
    return {"step": step, "snapshot": "5" * 64, "at": "2026-05-29T01:12:00+00:00", "place": place}


def plan(
    spaces: list[Result],
    found: dict[str, Result],
    *nodes: Result,
    lost: str = "a",
    observed: dict[str, Result] | None = None,
    placed: t.Sequence[Result] = (),
    **rest: t.Any,
) -> Result:
    known = nodes or NODES
    seen = {one["name"]: answer() for one in known if one["name"] != lost}
    said = report(*known, placed=list(placed))
    return recovery.plan(spaces, lost, said, {**seen, **(observed or {})}, found, MODEL, **rest)


def all_of(*slugs: str, **sizes: float | None) -> dict[str, Result]:
    backups = {slug: backup() for slug in slugs} | {s: backup(gb) for s, gb in sizes.items()}
    return {name: look(backups) for name in ("b", "c")}


def order(found: Result) -> list[str]:
    return [one["slug"] for one in found["items"]]


def left(found: Result) -> dict[str, str]:
    return {one["slug"]: one["why"] for one in found["left"]}


class TestWhatComesWhere:
    def test_all_spaces_go_to_the_others_evenly_with_their_databases(self):
        spaces = [space(f"s{n}") for n in range(4)]
        found = plan(spaces, all_of(*(one["slug"] for one in spaces)))
        places = [(one["web"], one["db"]) for one in found["items"]]
        assert sorted(places) == [("b", "b"), ("b", "b"), ("c", "c"), ("c", "c")]
        assert all(one["from"] == {"web": "a", "db": "a"} for one in found["items"])
        assert found["left"] == []

    def test_those_of_other_nodes_stay(self):
        spaces = [space("s0"), space("t0", "b"), space("t1", "c")]
        assert order(plan(spaces, all_of("s0", "t0", "t1"))) == ["s0"]

    def test_a_database_that_lives_stays_where_it_is(self):
        nodes = (node("a", None, None, "web"), node("b", None, None, "web"), node("d", 9, 9, "db"))
        found = plan([space("s0", db="d")], {"b": look({"s0": backup()})}, *nodes)
        (item,) = found["items"]
        assert (item["web"], item["db"], item["stays"]) == ("b", "d", False)

    def test_a_database_node_is_lost(self):
        """The files are where they are, and newer than the backup: they are kept aside."""
        nodes = (node("a", None, None, "db"), node("b", None, None, "web"), node("d", 9, 9, "db"))
        found = plan([space("s0", "b", db="a")], {"b": look({"s0": backup()}, here=["s0"])}, *nodes)
        (item,) = found["items"]
        assert (item["web"], item["db"], item["stays"]) == ("b", "d", True)

    def test_the_largest_come_last_and_the_suspended_after_them(self):
        spaces = [
            space("large"),
            space("small"),
            space("tiny", status="suspended"),
            space("promised", storage_gb=40),
            space("used"),
        ]
        sizes = all_of(large=90, small=0.5, tiny=0.1, promised=None, used=None)
        found = plan(spaces, sizes, known=[{"slug": "used", "usage": {"used_bytes": 2 * GB}}])
        assert order(found) == ["small", "used", "promised", "large", "tiny"]

    def test_only_those_that_are_asked_for(self):
        spaces = [space("s0"), space("s1")]
        found = plan(spaces, all_of("s0", "s1"), only=["s1"])
        assert order(found) == ["s1"]
        assert found["left"] == []

    def test_nothing_was_on_it(self):
        found = plan([space("t0", "b")], all_of("t0"))
        assert (found["items"], found["left"]) == ([], [])
        assert recovery.table(found) == ["No space is on a."]


class TestWhatIsLeft:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"hold": True}, "on hold: take the hold out of its file"),
            ({"status": "closed"}, "closed: nothing of it ran. Its backups are kept"),
        ],
    )
    def test_by_its_file(self, changes: Result, said: str):
        found = plan([space("s0", **changes), space("s1")], all_of("s0", "s1"))
        assert order(found) == ["s1"]
        assert said in left(found)["s0"]

    def test_without_a_backup(self):
        found = plan([space("s0"), space("s1")], all_of("s1"))
        assert order(found) == ["s1"]
        assert left(found) == {"s0": "there is no backup of it in the repository"}

    def test_without_room_the_small_ones_come_first(self):
        spaces = [space(f"s{n}") for n in range(3)]
        nodes = (node("a"), node("b", 1), node("c", 1))
        found = plan(spaces, all_of(s0=3, s1=1, s2=2), *nodes)
        assert order(found) == ["s1", "s2"]
        assert left(found) == {"s0": "no other node has room for it"}

    def test_a_file_that_is_wrong_or_gone(self):
        placed = [{"slug": "s9", "web": "a", "db": "a", "storage_gb": 40}]
        found = plan([space("s0")], all_of("s0", "s9"), placed=placed)
        assert left(found) == {"s9": "its file is wrong or gone"}

    def test_what_another_node_has_is_not_replaced(self):
        found = plan([space("s0")], {"b": look({"s0": backup()}, here=["s0"]), "c": look()})
        assert "b has an installation of it" in left(found)["s0"]

    def test_nodes_that_do_not_answer_or_read_no_backups_take_none(self):
        spaces = [space("s0"), space("s1")]
        looks = {"b": look({"s0": backup(), "s1": backup()}), "c": {"unreachable": True}}
        found = plan(spaces, looks, observed={"c": {}})
        assert {one["web"] for one in found["items"]} == {"b"}
        looks["c"] = look(unready="archipel-backup is not there")
        assert {one["web"] for one in plan(spaces, looks)["items"]} == {"b"}


class TestGoingOn:
    def test_what_was_claimed_stays_where_it_was_claimed(self):
        """Whether its line was written meanwhile or not."""
        looks = all_of("s0", "s1", "s2")
        looks["c"] = look(looks["b"]["backups"], claims={"s0": claim("c"), "s1": claim("c", "b")})
        found = plan([space("s0"), space("s1", "c", db="b"), space("s2")], looks)
        places = {one["slug"]: (one["web"], one["db"], one["goes_on"]) for one in found["items"]}
        # The third goes where less is.
        assert places == {
            "s0": ("c", "c", True),
            "s1": ("c", "b", True),
            "s2": ("b", "b", False),
        }
        assert "s0: a → c" in "\n".join(recovery.table(found))

    def test_what_is_restored_and_not_open_is_opened(self):
        looks = all_of("s0")
        looks["b"] = look(
            looks["c"]["backups"], claims={"s0": claim("b", step="open")}, here=["s0"]
        )
        (item,) = plan([space("s0", "b")], looks)["items"]
        assert (item["web"], item["goes_on"], item["stays"]) == ("b", True, False)

    def test_what_is_claimed_needs_its_backup_no_more(self):
        found = plan([space("s0")], {"b": look(claims={"s0": claim("b")}), "c": look()})
        assert order(found) == ["s0"]


class TestRefused:
    @pytest.mark.parametrize(
        ("lost", "said"),
        [
            ("e", 'lost: found "e"; allowed: a node, a, b, c.'),
            ("a\x1b[2J", "lost: found"),
        ],
    )
    def test_who_is_no_node(self, lost: str, said: str):
        with pytest.raises(AnsibleFilterError) as caught:
            plan([space("s0")], all_of("s0"), lost=lost)
        assert str(caught.value).startswith("nothing was restored. ")
        assert said in str(caught.value)
        assert "\x1b" not in str(caught.value)

    def test_a_node_that_ansible_reaches(self):
        with pytest.raises(AnsibleFilterError, match="a is not lost: Ansible reaches it"):
            plan([space("s0")], all_of("s0"), answers=True)

    def test_a_node_that_another_one_reaches(self):
        """The controller may be cut off where visitors are not."""
        looks = {**all_of("s0"), "c": look(answers=["10.0.0.1 port 443"])}
        said = "a is not lost: c reaches it at 10.0.0.1 port 443. Two nodes must never serve one"
        with pytest.raises(AnsibleFilterError, match=said):
            plan([space("s0")], looks)

    def test_nowhere_to_restore_to(self):
        for looks in ({"b": {}, "c": {"unreachable": True}}, {}):
            with pytest.raises(AnsibleFilterError, match="no other web node answers"):
                plan([space("s0")], looks)

    def test_nobody_reads_the_backups(self):
        looks = {"b": look(unready="wrong password"), "c": look(unready="wrong password")}
        with pytest.raises(AnsibleFilterError, match="b reads no backups: wrong password"):
            plan([space("s0")], looks)

    def test_two_nodes_that_claim_the_same(self):
        looks = {name: look(claims={"s0": claim(name)}) for name in ("b", "c")}
        said = r"s0 is claimed by b and by c: give one up, playbooks/restore\.yml -e only=s0"
        with pytest.raises(AnsibleFilterError, match=said):
            plan([space("s0")], looks)


def test_what_spaces_recover_takes_and_what_is_written():
    found = plan([space("s0"), space("s1")], all_of("s0", "s1"), node("a"), node("b"))
    items = [recovery.item(one) for one in found["items"]]
    assert items[0] == {"slug": "s0", "web": "b", "db": "b", "stays": False}
    assert recovery.item(space("t0", "c", db="d"))["db"] == "d"
    line = {"web": "b", "db": "b", "from": {"web": "a", "db": "a"}, "lost": "a"}
    assert recovery.moves(found, ["b"], []) == {"s0": line, "s1": line}
    assert recovery.moves(found, ["b"], ["s0"]) == {"s1": line}
    assert recovery.moves(found, [], []) == {}
    there = {"web": "b", "db": "b"}
    assert recovery.opened(found, ["s1"]) == {"s1": {**there, "from": there, "lost": ""}}


def test_what_an_earlier_run_has_written():
    """Until a space is open its line says with which node it was lost, whoever is killed."""
    spaces = [space("s0", "b", db="b", lost="a"), space("s1", "b", db="b", lost="a")]
    claim = {"step": "fetch", "at": "", "place": {"web": "b", "db": "b"}}
    looks = {"b": {**look({"s0": backup(), "s1": backup()}), "claims": {"s0": claim}}}
    found = plan(spaces, looks, node("a"), node("b"))
    there = {"web": "b", "db": "b"}
    assert recovery.moves(found, ["b"], []) == {"s0": {**there, "from": there, "lost": "a"}}
    # The other one was opened, and the run killed.
    assert recovery.opened(found, []) == {"s1": {**there, "from": there, "lost": ""}}
    # Of a node that does not answer nothing is known.
    looks = {"b": {}, "c": look({"s0": backup(), "s1": backup()})}
    assert recovery.opened(plan(spaces, looks, node("a"), node("b"), node("c")), []) == {}


def test_batches_keep_the_order_on_each_node():
    spaces = [space(f"s{n}") for n in range(5)]
    found = plan(spaces, all_of(*(one["slug"] for one in spaces)), node("a"), node("b"))
    assert recovery.batches(found, 2) == [{"b": ["s0", "s1"]}, {"b": ["s2", "s3"]}, {"b": ["s4"]}]
    assert recovery.batches({"items": []}, 2) == []
    for size in (0, -1):
        with pytest.raises(AnsibleFilterError, match=f"batch: found {size}; allowed: a whole"):
            recovery.batches(found, size)


def test_the_report_names_what_is_left_and_why():
    spaces = [space("s0"), space("s1"), space("s2"), space("s3", hold=True)]
    found = plan(spaces, all_of("s0", "s1", "s2", "s3"))
    said = recovery.report(found, ["s0"], {"s1": "the dump could not be loaded"})
    assert [one["slug"] for one in said["restored"]] == ["s0"]
    assert said["kept"] == []
    assert left(said) == {
        "s1": "the dump could not be loaded",
        "s2": "nothing is known of it: its node stopped answering",
        "s3": left(found)["s3"],
    }


def test_the_report_names_whose_state_from_before_is_kept():
    """That of a database that lives elsewhere, and files that were not lost."""
    nodes = (node("a", None, None, "web"), node("b", None, None, "web"), node("d", 9, 9, "db"))
    found = plan([space("s0", db="d")], {"b": look({"s0": backup()})}, *nodes)
    assert recovery.report(found, ["s0"], {})["kept"] == ["s0"]
    bases = (node("a", None, None, "db"), node("b"))
    found = plan([space("s0", "b", db="a")], {"b": look({"s0": backup()})}, *bases)
    assert recovery.report(found, ["s0"], {})["kept"] == ["s0"]
    assert recovery.report(found, [], {})["kept"] == []


def test_a_long_list_is_cut_for_people():
    spaces = [space(f"s{n}") for n in range(50)]
    lines = recovery.table(plan(spaces, all_of(*(one["slug"] for one in spaces))))
    assert lines[0] == "To be restored, 50.0 GB, in this order (50):"
    assert lines[-1] == "  … and 10 more, in the JSON"


def test_ten_thousand_spaces_on_fifty_nodes_take_seconds():
    names = [f"n{number}" for number in range(50)]
    nodes = [node(name) for name in names]
    spaces = [space(f"s{n}", names[n % 50]) for n in range(10_000)]
    backups = {one["slug"]: backup() for one in spaces}
    looks = {name: look(backups if name == "n1" else {}) for name in names[1:]}
    found = plan(spaces, looks, *nodes, lost="n0")
    assert len(found["items"]) == 200
