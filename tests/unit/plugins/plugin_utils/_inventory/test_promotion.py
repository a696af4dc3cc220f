# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether another node may become the primary of its cluster."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.filter import promotion

ROLE = {"cluster": "main", "primary": "db1", "replicas": ["db2", "db3"]}
ROLES: dict[str, t.Any] = {"db1": ROLE, "db2": ROLE, "db3": ROLE, "db4": {}}
ADDRESSES = {"db1": "10.0.0.1", "db2": "10.0.0.2", "db3": "10.0.0.3"}
PRIMARY = {"read_only": False, "position": "0-1-9", "databases": 3, "follows": None}


def replica(position: str = "0-1-9", **changes: t.Any) -> dict[str, t.Any]:
    """Return the state of a replica that follows, but for some changes."""
    follows = {
        "host": "10.0.0.1",
        "receives": "Yes",
        "applies": "Yes",
        "error": "",
        "received": position,
        "lag": 0,
    }
    found = {"read_only": True, "position": position, "databases": 3}
    return {**found, "follows": {**follows, **changes}}


def plan(
    to: str = "db2",
    lost: str = "",
    asked: dict[str, t.Any] | None = None,
    roles: dict[str, t.Any] | None = None,
    **states: t.Any,
) -> dict[str, t.Any]:
    """Plan with a cluster that works, but for some states."""
    known = {"db1": PRIMARY, "db2": replica(), "db3": replica(), **states}
    looks = {name: {"state": state} if state else {} for name, state in known.items()}
    return promotion.plan(roles or ROLES, to, lost, looks, ADDRESSES, asked or {"web1": {}})


def test_a_replica_takes_the_place_of_the_primary():
    found = plan()
    assert found == {
        "from": "db1",
        "to": "db2",
        "lost": False,
        "others": ["db3"],
        "promoted": False,
        "notes": [],
    }
    said = promotion.table(found, 7)
    assert said == [
        "db2 becomes the primary in place of db1, which takes no more writes first; 7 spaces."
    ]


def test_one_that_is_lost_is_told_of():
    found = plan(lost="db1", db1=None, db2=replica(receives="Connecting", error="cannot connect"))
    assert found["lost"]
    (note,) = found["notes"]
    assert "db2 has all up to 0-1-9" in note


def test_a_silent_replica_is_named_and_hinders_nobody():
    assert plan(db3=None)["notes"] == [
        "db3: no answer; follows once it is there and platform.yml has run."
    ]


def test_a_run_that_was_cut_short_goes_on():
    found = plan(db1={**PRIMARY, "read_only": True}, db2=PRIMARY)
    assert found["promoted"]
    assert (
        promotion.table(found, 2)[0] == "db2 was promoted already; 2 spaces are told where it is."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "db9"}, 'found "db9"; allowed: a node of a cluster, db1, db2, db3'),
        ({"to": "db4"}, 'found "db4"; allowed: a node of a cluster'),
        ({"to": "db1"}, "db1 is the primary already"),
        ({"lost": "db3"}, 'lost: found "db3"; allowed: the primary, db1, or nothing'),
        ({"roles": {"db1": {}}}, "no database node has archipel_database_cluster"),
        ({"db1": None}, "db1 does not answer, so nobody knows whether db2 has all"),
        ({"lost": "db1"}, "db1 is not lost: Ansible reaches it"),
        (
            {"lost": "db1", "db1": None, "asked": {"web1": {"answers": ["10.0.0.1 port 3306"]}}},
            "db1 is not lost: web1 reaches it at 10.0.0.1 port 3306",
        ),
        ({"db2": None}, "db2 does not answer"),
        ({"db2": {**replica(), "follows": None}}, "db2 has no copy yet"),
        ({"db2": replica(host="10.0.0.3")}, "db2 follows 10.0.0.3, and not db1"),
        ({"db2": replica(applies="No", error="1032")}, "does not apply what it receives: 1032"),
        ({"db2": replica(applies="No")}, "does not apply what it receives: it was stopped"),
        ({"db2": replica(receives="No")}, "db2 does not reach db1: No"),
        (
            {"lost": "db1", "db1": None, "db3": replica("1-7-2,0-1-11")},
            "db3 has received more than db2: say -e to=db3",
        ),
    ],
)
def test_what_may_not_be_is_refused(options: dict[str, t.Any], said: str):
    with pytest.raises(AnsibleFilterError) as error:
        plan(**options)
    assert str(error.value).startswith("nothing was promoted. ")
    assert said in str(error.value)


def test_the_lines_of_all_its_databases_change_and_no_others():
    spaces = [
        {"slug": "a", "web": "web1", "db": "db1", "name": "A"},
        {"slug": "b", "web": "web2", "db": "db1"},
        {"slug": "c", "web": "web1", "db": "web1"},
    ]
    placed = [{"slug": "gone", "web": "web1", "db": "db1", "storage_gb": 5}]
    found = promotion.moves(plan(), spaces, placed)
    assert sorted(found) == ["a", "b", "gone"]
    assert found["b"] == {"web": "web2", "db": "db2", "from": {"web": "web2", "db": "db1"}}
    assert promotion.moves({"from": "db2", "to": "db1"}, spaces, placed) == {}


def test_the_filters_have_their_names():
    assert set(promotion.FilterModule().filters()) == {
        "promotion_plan",
        "promotion_moves",
        "promotion_table",
    }
