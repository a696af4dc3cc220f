# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What recover.yml refuses, and in which order it does what; nodes are pretended."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from tests.unit.environment import ROOT, Environment
from tests.unit.playbooks.recovering import (
    BACK,
    BASES,
    FRONT,
    NODES,
    Pretended,
    backup,
    node,
    recover,
)

__all__ = ["node"]

SLUGS = ("large", "small", "unknown")
LOST = ("lost=node1",)
CONFIRMED = (*LOST, "confirm=node1")
ALLOWED = "allowed: one node, -e lost=<node> or -e returned=<node>"


@pytest.fixture
def placed(environment: Environment) -> Environment:
    """Three spaces on a node that is lost, and one on another."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
    environment.write("nodes.yml", NODES)
    for slug in SLUGS:
        environment.space(slug)
    lines = [f"{slug}: {{id: {70_001 + n}, web: node1, db: node1}}" for n, slug in enumerate(SLUGS)]
    environment.placement("velo-ecole: {id: 70000, web: node2, db: node2}", *lines)
    return environment


def spaces(environment: Environment) -> dict[str, t.Any]:
    return dict(yaml.safe_load(environment.lock.read_text())["spaces"])


def places(environment: Environment) -> dict[str, t.Any]:
    return {slug: (one["web"], one["db"]) for slug, one in spaces(environment).items()}


def kept(environment: Environment) -> dict[str, t.Any]:
    text = (environment.root.parent.parent / "build/lab/recover-node1.json").read_text()
    return t.cast("dict[str, t.Any]", json.loads(text))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], ALLOWED),
        (["lost=node1", "returned=node1"], ALLOWED),
        (["lost=node9"], "Nodes are node1, node2."),
        (["returned=node9"], "Nodes are node1, node2."),
        (["lost=node1", "confirm=node2"], "and with lost -e confirm=<the same>"),
        (["lost=all"], "Nodes are node1, node2."),
        (["lost=node1", "only=nobody"], "no space and no group is called nobody"),
        (["lost=node1", "confirm=node1", "batch=0"], "batch: found 0; allowed: a whole number"),
        # The other one does.
        (["lost=node2"], "node2 is not lost: Ansible reaches it"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    placed: Environment, node: Pretended, options: list[str], said: str
):
    before = placed.lock.read_text()
    code, found = recover(placed, *options)
    assert code != 0, found
    assert said in found
    assert placed.lock.read_text() == before
    assert (node.stages(), node.role()) == ([], [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answers": ["10.0.0.1 port 443"]}, "node2 reaches it at 10.0.0.1 port 443"),
        ({"unready": "it was made with another key"}, "node2 reads no backups: it was made with"),
    ],
)
def test_nothing_is_done_where_that_cannot_end_well(
    placed: Environment, node: Pretended, changes: dict[str, t.Any], said: str
):
    node.start(**changes)
    before = placed.lock.read_text()
    code, found = recover(placed, *CONFIRMED)
    assert code != 0
    assert said in found
    assert placed.lock.read_text() == before
    assert (node.stages(), node.role()) == ([], [])


def test_without_a_confirmation_it_only_says_what_would_be_done(
    placed: Environment, node: Pretended
):
    node.start(backups={"large": backup(9), "small": backup(1)})
    before = placed.lock.read_text()
    code, said = recover(placed, *LOST)
    assert code == 0, said
    assert "To be restored, 10.0 GB, in this order (2):" in said
    assert "small: node1 → node2; 1.00 GB, from the backup of 2026-05-30T01:12" in said
    assert "unknown: there is no backup of it in the repository" in said
    assert "-e confirm=node1 restores them" in said
    assert placed.lock.read_text() == before
    assert (node.stages(), node.role()) == ([], [])


def test_claimed_written_and_restored_in_this_order(placed: Environment, node: Pretended):
    node.start(backups={"large": backup(9), "small": backup(1)})
    code, said = recover(placed, *CONFIRMED, "batch=1")
    # One of them has no backup, and that is no good end.
    assert code != 0
    assert "1 spaces are not restored" in said
    assert node.stages() == [
        ["claim", "small", "large"],
        ["restore", "small"],
        ["opened", "small"],
        ["restore", "large"],
        ["opened", "large"],
    ]
    assert node.role() == [
        ["databases", "small,large", "small,large", "node1"],
        ["files", "small", "", ""],
        ["main", "small", "", ""],
        ["files", "large", "", ""],
        ["main", "large", "", ""],
    ]
    moved, stays = ("node2", "node2"), ("node1", "node1")
    assert places(placed) == {"velo-ecole": moved, "large": moved, "small": moved, "unknown": stays}
    assert [one["slug"] for one in kept(placed)["restored"]] == ["small", "large"]
    assert kept(placed)["left"] == [
        {"slug": "unknown", "why": "there is no backup of it in the repository"}
    ]
    assert "leave the node out of every run, --limit '!node1'" in said.lower()


def test_the_edge_is_told_after_each_batch(placed: Environment, node: Pretended):
    placed.write("nodes.yml", FRONT)
    node.start(backups={"large": backup(9), "small": backup(1)})
    code, said = recover(placed, *CONFIRMED, "batch=1")
    assert code != 0, said
    assert "1 spaces are not restored" in said
    told = [found for part, *(found) in node.role() if part == "names"]
    places = {"unknown": "node1", "velo-ecole": "node2"}
    # One that waits is down, and not unknown; at the end all is as the registry says.
    for found, large in zip(told, ("node1", "node2", "node2"), strict=True):
        expected = {**places, "small": "node2", "large": large}
        assert sorted(found[0].split()) == sorted(f"{n}/{slug}/fr" for slug, n in expected.items())


def test_the_edge_leads_to_no_node_that_lacks_the_space(placed: Environment, node: Pretended):
    """Not at the end of the run either: who comes is told that the node is down."""
    placed.write("nodes.yml", FRONT)
    why = {"restore": {"small": "the dump could not be loaded"}}
    node.start(backups={"large": backup(9), "small": backup(1)}, fail=why)
    code, said = recover(placed, *CONFIRMED)
    assert code != 0, said
    told = [found for part, *(found) in node.role() if part == "names"]
    led = {"unknown": "node1", "velo-ecole": "node2", "small": "node1", "large": "node2"}
    expected = sorted(f"{place}/{slug}/fr" for slug, place in led.items())
    assert [sorted(found[0].split()) for found in told] == [expected, expected]
    # Nor does any other run before it is restored: the registry says so, not this run.
    lost = {slug: place.get("lost") for slug, place in spaces(placed).items()}
    assert lost == {"velo-ecole": None, "unknown": None, "small": "node1", "large": None}
    done = placed.command("ansible", "edge1", "-m", "debug", "-a", "msg={{ edge_names }}")
    names = json.loads(done.stdout.partition("=> ")[2])["msg"].split()
    assert sorted(set(names) & set(expected)) == expected


def test_a_run_that_goes_on_leads_nobody_astray(placed: Environment, node: Pretended):
    """What an earlier run has claimed has its new node in placement.yml already."""
    placed.write("nodes.yml", FRONT)
    backups = {slug: backup(n) for n, slug in enumerate(SLUGS, 1)}
    node.start(backups=backups, fail={"restore": dict.fromkeys(SLUGS, "its disk is full")})
    assert recover(placed, *CONFIRMED)[0] != 0
    node.change(fail={}, log=[])
    node.log_file.write_text("")
    code, said = recover(placed, *CONFIRMED, "batch=1")
    assert code == 0, said
    told = [found for part, *(found) in node.role() if part == "names"]
    led = [sum("node1/" in one for one in found[0].split()) for found in told]
    assert led == [2, 1, 0, 0]
    assert not any("lost" in place for place in spaces(placed).values())


def test_what_failed_goes_on_with_the_same_words(placed: Environment, node: Pretended):
    backups = {slug: backup(1) for slug in SLUGS}
    node.start(backups=backups, fail={"restore": {"small": "the dump could not be loaded"}})
    code, said = recover(placed, *CONFIRMED)
    assert code != 0
    assert "small: the dump could not be loaded" in said
    assert list(node.state["claims"]) == ["small"]
    node.change(fail={}, log=[])
    node.log_file.write_text("")
    code, said = recover(placed, *CONFIRMED)
    assert code == 0, said
    # It is claimed already, and its line is written.
    assert node.stages() == [["claim", "small"], ["restore", "small"], ["opened", "small"]]
    assert [part for part, *_ in node.role()] == ["databases", "files", "main"]
    assert node.state["claims"] == {}
    node.change(log=[])
    code, said = recover(placed, *CONFIRMED)
    assert code == 0, said
    assert "No space is on node1." in said
    assert node.stages() == [["claim"]]


def test_what_is_not_claimed_keeps_its_line_and_is_not_restored(
    placed: Environment, node: Pretended
):
    backups = {slug: backup(1) for slug in SLUGS}
    node.start(backups=backups, fail={"claim": {"small": "holds an installation of it already"}})
    code, said = recover(placed, *CONFIRMED)
    assert code != 0
    assert "small: holds an installation of it already" in said
    assert places(placed)["small"] == ("node1", "node1")
    assert ["restore", "large", "unknown"] in node.stages()


def test_some_alone(placed: Environment, node: Pretended):
    node.start(backups={slug: backup(1) for slug in SLUGS})
    code, said = recover(placed, *CONFIRMED, "only=small")
    assert code == 0, said
    assert places(placed)["small"] == ("node2", "node2")
    assert places(placed)["large"] == ("node1", "node1")


def test_a_database_node_is_lost(placed: Environment, node: Pretended):
    placed.write("nodes.yml", BASES)
    for slug in SLUGS:
        (placed.registry / f"{slug}.yml").unlink()
    placed.placement("velo-ecole: {id: 70000, web: node2, db: node3}")
    node.start(backups={"velo-ecole": backup(1)}, here=["velo-ecole"])
    code, said = recover(placed, "lost=node3", "confirm=node3")
    assert code == 0, said
    assert places(placed) == {"velo-ecole": ("node2", "node2")}
    assert node.state["stays"] == ["velo-ecole"]
    assert node.role()[0] == ["databases", "velo-ecole", "velo-ecole", "node3"]
    # Its files were not lost.
    assert "is kept aside of velo-ecole" in said


def test_a_node_that_is_back_holds_down_what_lives_elsewhere(placed: Environment, node: Pretended):
    placed.write("nodes.yml", BACK)
    before = placed.lock.read_text()
    code, said = recover(placed, "returned=node1")
    assert code == 0, said
    assert node.stages() == [["fence", "velo-ecole"]]
    assert "Nothing was deleted." in said
    assert placed.lock.read_text() == before
    node.change(fail={"fence": {"velo-ecole": "it is not at a standstill"}})
    code, said = recover(placed, "returned=node1")
    assert code != 0
    assert "it is not at a standstill" in said
