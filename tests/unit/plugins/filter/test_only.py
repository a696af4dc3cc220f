# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The filter that narrows a run."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.archipel.spaces.plugins.filter.only import FilterModule
from tests.unit.environment import Environment

REPORT = {
    "requested": [{"slug": "amap"}],
    "refused": [{"slug": "promo"}],
    "closed": ["cine"],
    "skipped": {"broken": ["…"]},
}
GROUPS = {
    "all": ["node-1", "node2", "velo", "quai", "zoo"],
    "web": ["node-1", "node2"],
    "spaces": ["velo", "quai", "zoo"],
    "ring_early": [],
    "on_node2": ["zoo"],
    "large": ["velo"],
}
only = FilterModule().filters()["only"]


def space(slug: str, status: str = "approved", **changes: str) -> dict[str, t.Any]:
    entry = {"slug": slug, "status": status, "ring": "stable", "office": "collabora"}
    return {**entry, "web": "node-1", **changes}


SPACES = [
    space("cine", "closed"),
    space("quai", "suspended", office="onlyoffice"),
    space("velo", ring="canary"),
]


def pick(words: t.Any) -> list[str]:
    context = {"groups": GROUPS, "archipel_report": REPORT}
    return [entry["slug"] for entry in only(context, SPACES, words)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["cine", "quai", "velo"]),
        (" , ", ["cine", "quai", "velo"]),
        ([], ["cine", "quai", "velo"]),
        ("velo", ["velo"]),
        ("velo, quai", ["quai", "velo"]),
        (["velo", "quai"], ["quai", "velo"]),
        ("ring_canary,status_suspended", ["quai", "velo"]),
        ("office_onlyoffice", ["quai"]),
        ("status_closed", ["cine"]),
        ("on_node_1", ["cine", "quai", "velo"]),
        # a group that the inventory file composes
        ("large", ["velo"]),
        ("spaces", ["quai", "velo"]),
        # of another node, or nobody at the moment
        ("zoo", []),
        ("on_node2", []),
        ("ring_early", []),
    ],
)
def test_words_choose(words: t.Any, expected: list[str]):
    assert pick(words) == expected


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("veol", 'only: "veol" names no space and no group of spaces. Did you mean "velo"?'),
        ("velo,ring_canry", 'Did you mean "ring_early"?'),
        ("web", 'only: "web" names no space and no group of spaces.'),
        ("amap", 'only: "amap" is requested: it has no space'),
        ("promo", 'only: "promo" is refused: it has no space'),
        ("broken", 'only: "broken" is left as it is until its file is right'),
    ],
)
def test_words_that_name_nothing_are_refused(words: str, reason: str):
    with pytest.raises(AnsibleFilterError) as caught:
        pick(words)
    assert reason in str(caught.value)


def test_without_an_inventory_the_list_itself_is_asked():
    assert [entry["slug"] for entry in only({}, SPACES, "velo")] == ["velo"]
    with pytest.raises(AnsibleFilterError):
        only({}, SPACES, "zoo")


def test_in_a_play(environment: Environment):
    """Of all nodes, a word may name a space of one."""
    environment.write("nodes.yml", "web: {hosts: {node1: {}, node2: {}}}\ndb: {children: {web: }}")
    environment.space("amap")
    expression = (
        "{{ archipel_spaces | archipel.spaces.only('velo-ecole') | map(attribute='slug') }}"
    )
    done = environment.command(
        "ansible", "nodes", "-m", "ansible.builtin.debug", "-a", f"msg={expression}"
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count('"velo-ecole"') == 1
