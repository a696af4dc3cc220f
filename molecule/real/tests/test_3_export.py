# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an association takes with it holds what its members made."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.associations import Associations
from tests.support.content import Contacts, TeamFolders
from tests.support.scenario import Scenario


@pytest.fixture(scope="module")
def archive(
    scenario: Scenario, full: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What is in the export of the space: name → content."""
    folder: Path = tmp_path_factory.mktemp("export")
    scenario.converge("export.yml", "-e", f"only={full}", "-e", f"export_folder={folder}")
    with tarfile.open(folder / f"{full}.tar.gz") as packed:
        return {
            member.name: packed.extractfile(member).read()  # type: ignore[union-attr]
            for member in packed
            if member.isreg()
        }


def test_every_file_is_in_it_under_its_name(
    associations: Associations, full: str, archive: dict[str, bytes]
):
    expected = {
        unquote(path).partition("/dav/")[2]: one["sha256"]
        for path, one in associations.kept(full)["Files"].items()
    }
    found = {name: hashlib.sha256(archive.get(name, b"")).hexdigest() for name in expected}
    assert found == expected


def test_calendars_and_contacts_are_in_formats_that_others_read(archive: dict[str, bytes]):
    texts = {name: data.decode() for name, data in archive.items() if name.startswith("c")}
    calendar = "".join(text for name, text in texts.items() if name.startswith("calendars/zoe/"))
    assert "SUMMARY:Assemblée générale – salle Éluard ☕" in calendar
    assert "EXDATE:20260915T170000Z" in calendar
    assert "BEGIN:VTODO" in calendar
    cards = "".join(text for name, text in texts.items() if name.startswith("contacts/zoe/"))
    assert [name for name in Contacts.people.values() if f"FN:{name}" not in cards] == []


def test_what_applications_keep_is_in_it(
    associations: Associations, full: str, archive: dict[str, bytes]
):
    texts = b"\n".join(archive.values()).decode("utf-8", "replace")
    kept = associations.kept(full)
    if "TeamFolders" in kept:
        (name,) = kept["TeamFolders"]
        wanted = f"group-folders/{TeamFolders.name}/{unquote(name).rpartition('/')[2]}"
        assert [one for one in archive if one.startswith("group-folders/")] == [wanted]
    if "Collectives" in kept:
        # The text of the page, and not only its name in the database.
        assert "# Clés & codes\n\nÀ l’été 🌻" in texts
    assert "Qui vient à la répétition ? 🎺" in archive["database.sql"].decode()
    assert "l’œuvre" in texts
