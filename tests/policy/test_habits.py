# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the page about Ansible habits says of tags, limits and surveys is what playbooks do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.policy.tree import ROOT, load, under

PAGES = [ROOT / f"docs/operators/ansible{ending}.md" for ending in ("", ".fr")]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


def values(value: Any, key: str) -> Iterator[Any]:
    """Return what stands under a key, anywhere."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from values(inner, key)
    if isinstance(value, list):
        for inner in value:
            yield from values(inner, key)


def tags() -> set[str]:
    found = set()
    for path in under("playbooks", "roles", suffix=".yml"):
        if path.parent.name not in {"meta", "defaults", "vars"}:
            for listed in values(load(path), "tags"):
                found |= {listed} if isinstance(listed, str) else set(listed)
    return found


def table(page: Path, heading: str) -> list[list[str]]:
    """Return the cells of the table below a line of headings."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.parametrize(("page", "heading"), list(zip(PAGES, ("tag", "étiquette"), strict=True)))
def test_every_tag_is_in_the_table(page: Path, heading: str):
    assert {row[0].strip("`") for row in table(page, heading)} == tags()


@pytest.mark.parametrize("page", PAGES)
def test_the_playbooks_that_refuse_a_limit_are_named(page: Path):
    refusing = {
        path.name
        for path in PLAYBOOKS
        if any(wanted is False for wanted in values(load(path), "prepare_limit"))
    }
    row = next(row for row in table(page, "option") if row[0] == "`--limit node1`")
    assert set(re.findall(r"`([a-z]+\.yml)`", row[1])) == refusing


@pytest.mark.parametrize(
    ("page", "heading"), list(zip(PAGES, ("template", "modèle"), strict=True)), ids=["en", "fr"]
)
def test_surveys_ask_for_what_playbooks_read(page: Path, heading: str):
    known = {path.name: path.read_text(encoding="utf-8") for path in PLAYBOOKS}
    asked = {row[0].strip("`"): re.findall(r"`([a-z]+)`, ", row[1]) for row in table(page, heading)}
    choices = {"approve", "refuse", "ask", "suspend", "close", "node"}
    assert len(asked) > 8
    wrong = [
        f"{playbook}: {name}"
        for playbook, names in asked.items()
        for name in set(names) - choices
        if not re.search(rf"\b{name}\b", known[playbook])
    ]
    assert wrong == []
