# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Values have types from the inventory to the node: documents and roles agree with them."""

from __future__ import annotations

import re
import typing as t

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _space
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context
from tests.policy.tree import ROOT, load


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
