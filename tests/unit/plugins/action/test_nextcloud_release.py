# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is said where the archives of a release cannot be had."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.archipel.spaces.plugins.action import nextcloud_release
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _release_source as source,
)


@pytest.fixture
def action(tmp_path: Path) -> SimpleNamespace:
    """What the plugin reads of itself: its task's options."""
    given = {
        "local_folders": [str(tmp_path / "inventories/production/../../artifacts")],
        "cache_folder": str(tmp_path / "cache"),
        "key_fingerprint": "0" * 40,
        # Nobody listens there.
        "mirror_url": "http://127.0.0.1:1",
    }
    options = {"release": {"archive": {}}, "sources": given}
    return SimpleNamespace(options=options, _pinned=dict)


def test_folders_are_named_as_people_write_them(action: SimpleNamespace, tmp_path: Path):
    sources = nextcloud_release.ActionModule._sources(action)
    assert sources.local_folders == [str(tmp_path / "artifacts")]


def test_an_archive_that_cannot_be_had_is_said_once(
    action: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ansible appends what is behind an error to its text: nothing may be behind this one."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    sources = nextcloud_release.ActionModule._sources(action)
    wanted = {"id": "34.0.4", "version": "34.0.4"}
    with pytest.raises(AnsibleActionFail) as raised:
        nextcloud_release.ActionModule._gather(action, wanted, sources)
    said = str(raised.value)
    assert said.startswith("release 34.0.4: http://127.0.0.1:1/")
    assert said.count("cannot be reached") == 1
    assert f"into one of {tmp_path / 'artifacts'}, set nextcloud_mirror_url" in said
    assert raised.value.__cause__ is None
    assert isinstance(raised.value.__context__, source.SourceError)
