# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which differences of a database bring a space back, and which a fleet for nothing."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_schema as schema,
)

NEW = frozenset({"oc_users", "oc_deck_boards"})
# As a real 35.0.0 said them of an upgraded instance that was well, and of tables of ours.
HARMLESS: list[schema.Finding] = [
    {"table": "oc_ex_translation", "type": "unexpected_table"},
    {"table": "oc_file_metadata", "type": "unexpected_table"},
    {"table": "oc_authtoken", "type": "modified_column", "name": "name", "changes": ["default"]},
    {"table": "oc_bookmarks", "type": "modified_column", "name": "url", "changes": ["type"]},
    {"table": "oc_activity", "type": "missing_index", "name": "activity_object"},
    {"table": "oc_users", "type": "unexpected_column", "name": "x"},
    # Not even a new space has it.
    {"table": "oc_federated_invites", "type": "missing_table"},
    # Later releases tell whose a table is.
    {"table": "oc_deck_boards", "type": "missing_table", "app": "deck", "enabled": False},
    {"table": "oc_x", "type": "missing_column", "name": "y", "app": "x", "enabled": False},
]


def test_what_an_application_that_is_off_left_brings_nobody_back():
    assert schema.faults(HARMLESS, NEW) == []


@pytest.mark.parametrize("attributed", [{}, {"app": None, "enabled": True}])
@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ({"table": "oc_users", "type": "missing_table"}, "missing table oc_users"),
        (
            {"table": "oc_users", "type": "missing_column", "name": "uid_lower"},
            "missing column oc_users.uid_lower",
        ),
    ],
)
def test_what_the_code_will_look_for_and_not_find_does(finding, said, attributed):
    assert schema.faults([*HARMLESS, {**finding, **attributed}], NEW) == [said]


def test_without_a_template_a_missing_table_counts():
    finding = {"table": "oc_any", "type": "missing_table"}
    assert schema.faults([finding], None) == ["missing table oc_any"]


def test_the_tables_of_a_template_are_those_it_makes(tmp_path):
    dump = tmp_path / "dump.sql"
    dump.write_text("SET x;\nCREATE TABLE `oc_users` (\n  `a` int\n);\n-- CREATE TABLE `no`\n")
    assert schema.tables_of(dump) == frozenset({"oc_users"})
    assert schema.tables_of(tmp_path / "none") is None


def test_a_release_that_does_not_compare_is_not_asked(tmp_path):
    assert not schema.is_there(str(tmp_path))
    (tmp_path / "core/Command/Db").mkdir(parents=True)
    (tmp_path / schema.CODE).touch()
    assert schema.is_there(str(tmp_path))


def test_a_finding_is_said_whole():
    finding = {
        "table": "oc_x",
        "type": "modified_column",
        "name": "y",
        "changes": ["type", "length"],
    }
    assert (
        schema.words({**finding, "app": "deck"}) == "modified column oc_x.y (type, length), of deck"
    )
