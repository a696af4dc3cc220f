# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space that is to get its Nextcloud, and the node it is on."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _apply, _occ
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._node import Node

ITEM = {
    "space": "amap",
    "id": 100004,
    "running": True,
    "release": "33.0.9",
    "url": "https://amap.example.org",
    "database": {
        "name": "space_amap",
        "user": "space-amap",
        "password": None,
        "address": "localhost:/s",
    },
    "applied": {"groups": ["members"]},
    "template": {"apps": {"enable": [], "disable": []}},
    "managed": ["dbname", "trusted_domains"],
    "logo": None,
}

DIGEST = _apply.digest(ITEM)

LOGO = b"a picture"

WITH_LOGO: dict[str, t.Any] = {
    **ITEM,
    "logo": {"path": "/elsewhere", "sha256": hashlib.sha256(LOGO).hexdigest()},
}

NAMES = [f"db:add-missing-{what}" for what in ("columns", "indices", "primary-keys")]

REFUSED = "invite administration: Connection could not be established with host 192.0.2.25:25"


class Rows:
    """A connection whose database has so many tables."""

    def __init__(self, tables):
        self.tables, self.executed = tables, []

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execute(self, sql, values=()):
        self.executed.append(sql)

    def fetchone(self):
        return (self.tables,)

    def close(self):
        return None


def node(tmp_path, tables=0):
    connection = Rows(tables)
    return (
        Node(
            root=str(tmp_path / "spaces"),
            releases=str(tmp_path / "releases"),
            php="php",
            spool=str(tmp_path),
            sandbox=[],
            seed_images="",
            database_socket="/s",
            database_ca="/ca",
            connect=lambda _: connection,
            database_error=KeyError,
        ),
        connection,
    )


class Occ:
    """Notes what is run in a space, and answers."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def __call__(self, _slug, _php, arguments, **options):
        self.calls += [list(arguments), *(list(one) for one in options.get("more", ()))]
        said = self.answers.get(arguments[0].partition(":")[2], "")
        return _occ.Outcome(0, said, "")
