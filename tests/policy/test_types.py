# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Values have types from the inventory to the node: documents and roles agree with them."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _space
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context
from tests.policy.tree import ROOT, load, shown, under


def keys(kind: t.Any) -> set[str]:
    """Return the keys of a typed dictionary."""
    return set(t.get_type_hints(kind))


def listing() -> dict[str, t.Any]:
    """Return the entry of archipel_spaces that docs/architecture.md shows."""
    document = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    block = (
        document.split("One entry of `archipel_spaces`")[1].split("```yaml\n")[1].split("```")[0]
    )
    # YAML 1.1 takes the word "on" for true.
    text = block.replace("[:port]", "").replace(" on:", ' "on":')
    entry: dict[str, t.Any] = yaml.safe_load(text)
    return entry


def test_the_document_shows_an_entry_as_its_type_has_it():
    assert set(listing()) == keys(_space.SpaceEntry)


@pytest.mark.parametrize(
    ("key", "kind"),
    [("contact", _space.Contact), ("decision", _space.Decision), ("theme", _space.Theme)],
)
def test_what_is_in_an_entry_is_shown_in_the_same_way(key: str, kind: t.Any):
    assert set(listing()[key]) == keys(kind)


def test_an_office_server_is_shown_with_all_it_has():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    (shown_keys,) = re.findall(r"suite → \{([^}]*)\}", text)
    assert set(shown_keys.split(", ")) == keys(_space.OfficeServer)


def test_the_role_gives_renderers_what_they_are_said_to_get():
    given = load(ROOT / "roles/spaces/vars/main.yml")["__spaces_settings"]
    # How often a database's password was changed is nobody's to say yet.
    assert set(given) == keys(Context) - {"rotation"}


ANY = re.compile(r"\b(?:dict|Mapping)\[str, (?:t\.)?Any\]")
# What is a map of anything has a name, and stands where values come in that nobody has checked
# yet. Ansible's own values end in action plugins, filters and modules.
EDGES = {
    "module_utils/_core/_json.py": "what files and programs say, and what Ansible takes and gives",
    "module_utils/_core/_journal.py": "a journal, as its file has it",
    "module_utils/_inspect/_status.py": "what a space's own application answers",
    "module_utils/_nextcloud/_repair.py": "a note of a repair, as its file has it",
    "module_utils/_operations/_backup.py": "what a backup says of itself, for people",
    "module_utils/_operations/_backup_record.py": "a record of backups, as its file has it",
    "module_utils/_operations/_upgrade_job.py": "the journal of an upgrade, as its file has it",
    "module_utils/_operations/_upgrade_schema.py": "what Nextcloud answers about its database",
    "plugin_utils/_core/_unchecked.py": "what people wrote, and what Ansible takes and gives",
}


def maps_of_anything(path: Path) -> list[str]:
    """Return the lines of a file that have one, but for those that give it a name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if ANY.search(line) and not re.match(r"[A-Z]\w* = ", line)]


@pytest.mark.parametrize(
    "path", under("plugins/module_utils", "plugins/plugin_utils", suffix=".py"), ids=shown
)
def test_no_map_of_anything_is_without_a_name(path: Path):
    assert maps_of_anything(path) == []


def test_maps_of_anything_are_at_the_edges_alone():
    folder = ROOT / "plugins"
    found = {
        str(path.relative_to(folder))
        for path in under("plugins/module_utils", "plugins/plugin_utils", suffix=".py")
        if ANY.search(path.read_text(encoding="utf-8"))
    }
    assert found == set(EDGES)


def test_a_map_of_anything_would_be_found(tmp_path: Path):
    path = tmp_path / "x.py"
    path.write_text("Json = t.Mapping[str, t.Any]\ndef f(a: dict[str, Any]) -> None: ...\n")
    assert maps_of_anything(path) == ["def f(a: dict[str, Any]) -> None: ..."]
