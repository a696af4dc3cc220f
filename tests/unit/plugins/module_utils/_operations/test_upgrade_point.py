# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is written down before an upgrade comes back as it was, or not at all."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_point
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.upgrading import database, job, read, settings

__all__ = ["database", "settings"]


def test_files_come_back_as_they_were_and_those_that_were_not_there_go(settings):
    one = job(settings, direction="back", failed_at="upgrade")
    os.makedirs(one.point)
    for path, text in (
        (f"{one.point}/config.php", "old"),
        (f"{one.home}/config/config.php", "new"),
        (f"{one.home}/.applied", "new"),
    ):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    _upgrade_point.files(one)
    assert read(f"{one.home}/config/config.php") == "old"
    assert not os.path.exists(f"{one.home}/.applied")


def test_half_a_dump_is_not_kept(settings, monkeypatch):
    def full(_server, _name, path):
        with open(path, "w", encoding="ascii") as file:
            file.write("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(_database, "dump", full)
    one = job(settings)
    for step in (_upgrade_point.dump, _upgrade_point.keep):
        with pytest.raises(OSError, match="No space"):
            step(one)
        assert os.listdir(one.folder) == []


def test_a_damaged_dump_is_not_taken_for_the_space(settings, monkeypatch):
    one = job(settings, direction="back", failed_at="upgrade")
    os.makedirs(one.point)
    with open(f"{one.point}/database.sql", "w", encoding="utf-8") as file:
        file.write("CREATE TABLE `x` (\n")
    with open(f"{one.point}/point.json", "w", encoding="utf-8") as file:
        described = {"release": "33.0.9", "to": "34.0.4", "version": "33.0.9.1", "at": 0}
        json.dump({**described, "sha256": "0"}, file)
    # The database is not emptied for it.
    monkeypatch.setattr(_database, "load", None)
    with pytest.raises(UpgradeError, match=r"database.sql is not what was written"):
        _upgrade_point.load(one)
    assert "loading" not in one.journal
