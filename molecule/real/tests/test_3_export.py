# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an association takes with it holds what its members made."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.associations import Associations
from tests.support.content import Contacts
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
    kept = associations.kept(full)
    if "TeamFolders" in kept:
        in_folders = [name for name in archive if name.startswith("group-folders/")]
        # The text of the file under its own name.
        ((name, text),) = kept["TeamFolders"].items()
        assert [archive[one].decode() for one in in_folders] == [text]
        assert in_folders[0].endswith(unquote(name).rpartition("/")[2])
    if "Collectives" in kept:
        pages = [archive[one] for one in archive if one.startswith("applications/collectives/")]
        assert "# Clés & codes\n\nÀ l’été 🌻\n".encode() in pages
    rows = archive["database.sql"].decode("utf-8", "replace")
    for words in ("Qui vient à la répétition ? 🎺", "Quel goûter ? 🍰", "Équipe du jardin 🌻"):
        assert words in rows


@pytest.mark.parametrize(
    ("file", "column", "words"),
    [
        ("talk/comments", "message", "Qui vient à la répétition ? 🎺"),
        ("polls/polls", "title", "Quel goûter ? 🍰"),
        ("deck/boards", "title", "Fête de quartier 🎉"),
        ("deck/cards", "title", "Tâche n°2 – réserver 🪑"),
        ("deck/comments", "message", "C’est noté 👍"),
    ],
)
def test_what_they_keep_in_tables_is_in_files_that_spreadsheets_read(
    archive: dict[str, bytes], file: str, column: str, words: str
):
    rows = csv.DictReader(io.StringIO(archive[f"tables/{file}.csv"].decode(), newline=""))
    assert words in [row[column] for row in rows]
