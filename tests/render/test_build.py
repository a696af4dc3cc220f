# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The build for review: what it holds, and which folder it may write."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _secrets
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _build
from tests.render.samples import ENVIRONMENT, KEY, SETTINGS, space


def test_the_build_holds_statements_quotas_and_no_secret():
    distant = space(db="db1")
    documents = _build.render_documents([distant], [distant], SETTINGS, ENVIRONMENT)
    secret = _secrets.derive(KEY, "database", "velo-ecole")
    assert not any(secret in text for text in documents.values())
    assert "CREATE DATABASE `space_velo-ecole`" in documents["database/velo-ecole.sql"]
    assert (
        r"ON `space\_velo-ecole`.* TO 'space-velo-ecole'@'192.0.2.10'"
        in documents["database/velo-ecole.sql"]
    )
    assert documents["quota.txt"] == f"100003 0 {40 * 1024**2} 0 {40 * 1024**3 // 16384}\n"


def test_the_build_folder_ends_up_holding_exactly_the_documents(tmp_path):
    first = _build.write(tmp_path / "b", {"vhost/a.conf": "x"}, check=False)
    assert list(map(str, first)) == ["vhost/a.conf"]
    assert _build.write(tmp_path / "b", {"vhost/a.conf": "x"}, check=False) == []
    changed = _build.write(tmp_path / "b", {"vhost/b.conf": "y"}, check=False)
    assert changed == [("vhost/a.conf", "x", None), ("vhost/b.conf", "", "y")]
    assert list(map(str, changed)) == ["vhost/a.conf removed", "vhost/b.conf"]
    assert not (tmp_path / "b" / "vhost" / "a.conf").exists()


def test_a_folder_with_other_things_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(_build.ForeignDirectoryError, match="not from here"):
        _build.write(tmp_path, {"vhost/a.conf": "x"}, check=False)
    assert (tmp_path / "thesis.odt").exists()
