# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""``-e variable=false`` is a text, and a text is true: whoever tests one says ``| bool``."""

from __future__ import annotations

import re
import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.policy.tree import ROOT, load, shown, under

BOOL = r"\s*\|\s*(default\([^)]*(\([^)]*\)|\[[^]]*\])*[^)]*\)\s*\|\s*)?bool\b"


def of_roles() -> set[str]:
    """Every variable of a role that is documented as true or false."""
    specs = (load(path) for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
    entries = (entry for spec in specs for entry in spec["argument_specs"].values())
    options = (item for entry in entries for item in (entry.get("options") or {}).items())
    return {name for name, option in options if option["type"] == "bool"}


NAMES = sorted(of_roles())
FILES = [
    path
    for path in under("roles", "playbooks", "group_vars")
    if path.suffix in {".yml", ".j2"} and path.name != "argument_specs.yml"
]


def used(name: str, line: str) -> t.Iterator[str]:
    """What follows each mention of a variable that is no assignment, comment or other word."""
    if line.lstrip().startswith("#"):
        return
    for match in re.finditer(rf"(?<![\w.'\"-]){name}\b", line):
        rest = line[match.end() :]
        if not re.match(r":(\s|$)", rest):
            yield rest


def test_there_are_some():
    assert len(NAMES) > 15
    assert len(FILES) > 100


@pytest.mark.parametrize("name", NAMES)
def test_is_made_a_truth_value_where_it_is_used(name: str):
    wrong = [
        f"{shown(path)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for rest in used(name, line)
        if not re.match(BOOL, rest)
    ]
    assert wrong == []


def test_so_is_what_a_playbook_is_given():
    """Variables of a run that have true or false as their default; not results of tasks."""
    mention = re.compile(r"\b([a-z]\w*) \| default\((?:true|false)\)(?! \| bool)")
    wrong = [
        (shown(path), name)
        for path in under("playbooks", "group_vars", suffix=".yml")
        for name in mention.findall(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("given", "expected"), [("false", ""), ("true", "/srv/nextcloud/seed-images")]
)
def test_a_text_from_the_command_line_is_what_it_says(given: str, expected: str):
    text = (ROOT / "roles/spaces/vars/main.yml").read_text(encoding="utf-8")
    found = [settings["seed_images"] for settings in _mappings(yaml.safe_load(text), "seed_images")]
    assert found
    templar = Templar(DataLoader(), variables={"spaces_install_from_seed_image": given})
    assert [templar.template(trust_as_template(one)) for one in found] == [expected] * len(found)


def _mappings(value: t.Any, key: str) -> t.Iterator[dict[str, t.Any]]:
    if isinstance(value, dict):
        if key in value:
            yield value
        for below in value.values():
            yield from _mappings(below, key)
