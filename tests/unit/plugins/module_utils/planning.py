# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Spaces of a node and the server of their databases: for the tests of an upgrade's plan."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_plan
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_facts import (
    Target,
)

CODE = """<?php
$OC_Version = [34, 0, 4, 1];
$OC_VersionCanBeUpgradedFrom = [
    'nextcloud' => [
        '33.0' => true,
        '34.0' => true,
    ],
    'owncloud' => [
        '10.13' => true,
    ],
];
"""
TARGET = Target("34.0.4", "34.0.4.1", ("33.0", "34.0"), frozenset({"files", "deck"}))
KEYS = frozenset({"twofactor_webauthn"})
FREE = _upgrade_plan.ROOM


class Server:
    """A database server with spaces on it."""

    def __init__(self, *, broken=False, factors=None):
        self.broken, self.asked, self.rows = broken, [], []
        self.factors = factors or {}

    def __call__(self, database):
        if self.broken:
            raise ConnectionError("no server")
        return self

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execute(self, sql, values=()):
        self.asked.append(sql)
        if "VERSION" in sql:
            self.rows = [("11.8.2-MariaDB",)]
        elif "SUM(data_length)" in sql:
            self.rows = [(name, 4096) for name in values]
        elif "information_schema" in sql:
            self.rows = [(name,) for name in values if name in self.factors]
        elif "provider_id" in sql:
            self.rows = [(name, one) for name, some in self.factors.items() for one in some]
        else:
            self.rows = [(0, "files", "enabled", "yes", 4), (0, "deck", "enabled", "no", 4)]

    def fetchone(self):
        return self.rows[0]

    def fetchall(self):
        return self.rows

    def close(self):
        return None


def item(slug):
    return {"space": slug, "database": {"name": f"space_{slug}", "password": None}}


def space(root, slug, *, version, release):
    (root / slug / "config").mkdir(parents=True)
    text = f"<?php\n$CONFIG = array (\n  'installed' => true,\n  'version' => '{version}',\n);\n"
    (root / slug / "config/config.php").write_text(text)
    (root / slug / "release").symlink_to(f"../../releases/{release}")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(_journal, "FOLDER", str(tmp_path / "life"))
    monkeypatch.setattr(_journal.read, "__defaults__", (str(tmp_path / "life"),))
    space(tmp_path / "spaces", "old", version="33.0.9.1", release="33.0.9")
    space(tmp_path / "spaces", "new", version="34.0.4.1", release="34.0.4")
    return tmp_path / "spaces"


def made(root, slugs, server):
    return _upgrade_plan.make(
        [item(slug) for slug in slugs],
        TARGET,
        root=str(root),
        free=1 << 40,
        connect=server,
        error=ConnectionError,
    )
