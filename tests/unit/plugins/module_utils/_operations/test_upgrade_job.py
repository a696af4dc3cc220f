# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is known of a space on its way to another release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_job
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from tests.unit.plugins.module_utils.upgrading import ITEM, database, job, settings

__all__ = ["database", "settings"]


def test_a_distant_database_is_asked_where_it_is(settings, monkeypatch):
    """Not where its account calls from, which is a host of that account too."""
    monkeypatch.setattr(_database, "distant", lambda _path, values, _ca: values)
    account = {"user": "space-amap", "password": "x", "host": "10.0.0.1", "address": "10.0.0.2:33"}
    item = {**ITEM, "database": {**account, "name": "space_amap"}}
    asked: Any = _upgrade_job.Job(settings, item, {}).server
    assert (asked["host"], asked["port"], asked["user"]) == ("10.0.0.2", "33", "space-amap")


def test_what_could_not_be_written_is_not_believed(settings, monkeypatch):
    def full(*_arguments):
        raise OSError("No space left on device")

    one = job(settings)
    monkeypatch.setattr(_journal, "write", full)
    with pytest.raises(OSError, match="No space"):
        one.save(loading=True)
    assert "loading" not in one.journal


def test_a_log_that_cannot_be_written_ends_nothing(settings, tmp_path):
    (tmp_path / "file").touch()
    job(replace(settings, logs=f"{tmp_path}/file/logs")).log("words")
