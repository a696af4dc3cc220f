# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A sandbox hides all spaces but one, wherever the operator has put them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[2] / "roles/spaces"
LOADER = DataLoader()
LOADER.set_basedir(str(ROLE))
CHOSEN = {"/srv/spaces": "spaces_root", "/srv/nextcloud": "spaces_releases"}
CHOSEN |= {"/etc/nginx/archipel": "spaces_vhost_directory"}


def hidden(root: str) -> list[str]:
    variables = LOADER.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    templar = Templar(LOADER, {**variables, "spaces_root": root})
    found: list[str] = templar.template(trust_as_template("{{ __spaces_hidden }}"))
    return found


@pytest.mark.parametrize("root", ["/srv/spaces", "/var/spaces", "/data/spaces", "/spaces"])
def test_whatever_holds_the_spaces_is_hidden(root: str):
    folders = [one.partition(":")[0] for one in hidden(root)]
    assert any(f"{root}/".startswith(f"{folder}/") for folder in folders)
    assert all(":ro" in one for one in hidden(root))
    assert len(folders) == len(set(folders))


def test_nothing_is_hidden_twice_where_the_spaces_are_by_default():
    """Each mount costs a space time when it wakes."""
    assert hidden("/srv/spaces") == [
        *(f"/{name}:ro" for name in ("srv", "run", "var", "root", "home", "media", "mnt", "opt")),
        "/etc/archipel:ro,mode=0755",
    ]


@pytest.mark.parametrize("path", sorted(ROLE.glob("templates/**/*.j2")), ids=lambda p: p.name)
def test_templates_go_where_the_variables_lead(path: Path):
    """A variable that only half of the templates follow would be worse than none."""
    text = path.read_text(encoding="utf-8")
    spelt = [place for place in CHOSEN if re.search(rf"{place}(?![\w-])", text)]
    assert {place: CHOSEN[place] for place in spelt} == {}
