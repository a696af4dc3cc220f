# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Every unit that alerts has a page that says what to do, and every page is about one that does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.policy.tree import ROOT, load, under

PAGES = ROOT / "docs/alerts"
ALERT = re.compile(r"archipel-alert@(.+?)\.service(?:\.service)?(?:'|$)", re.MULTILINE)
PAGE = load(ROOT / "roles/common/defaults/main.yml")["common_alert_page"]


def entries(value: Any) -> Iterator[dict[str, Any]]:
    """Return what roles put where: every mapping with a destination and a source."""
    if isinstance(value, dict):
        if {"dest", "src"} <= value.keys():
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from entries(inner)


def units(template: Path) -> set[str]:
    """Return the units that a template becomes."""
    role = ROOT / "roles" / template.relative_to(ROOT / "roles").parts[0]
    source = str(template.relative_to(role / "templates"))
    placed = {
        Path(entry["dest"])
        for path in (role / "vars").glob("*.yml")
        for entry in entries(load(path))
        if entry["src"] == source
    } or {Path(source.removesuffix(".j2"))}
    # A file in nginx.service.d is part of nginx.service.
    return {
        path.parent.name.removesuffix(".d") if path.parent.name.endswith(".d") else path.name
        for path in placed
    }


def kinds() -> set[str]:
    """Return what alerts, as the program of alerts calls it."""
    found = set()
    for template in under("roles", suffix=".j2"):
        for named in ALERT.findall(template.read_text(encoding="utf-8")):
            names = units(template) if named == "%N" else {named}
            found |= {name.removesuffix(".service").partition("@")[0] for name in names}
    return found


KINDS = kinds()


def test_alerts_are_found():
    assert {"nginx", "space-php", "onlyoffice-converter", "archipel-backup"} <= KINDS


@pytest.mark.parametrize("ending", [".md", ".fr.md"])
def test_each_has_its_page_and_each_page_is_about_one(ending: str):
    pages = {path.name.removesuffix(".md") for path in PAGES.glob("*.md")} - {"README", "README.fr"}
    french = {name for name in pages if name.endswith(".fr")}
    told = {name.removesuffix(".fr") for name in french} if ending == ".fr.md" else pages - french
    assert told == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_text_of_an_alert_names_its_page(kind: str):
    page = ROOT / PAGE.replace("{unit}", kind)
    assert f"`{kind}`" in page.read_text(encoding="utf-8").splitlines()[0]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_page_begins_with_a_look_at_the_unit(kind: str):
    text = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    commands = re.findall(r"```console\n(.*?)```", text, re.DOTALL)[0]
    assert re.search(rf"^(systemctl status|journalctl -u) .*\b{kind}\b", commands, re.MULTILINE)
