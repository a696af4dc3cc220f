# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a space's connectors are configured with."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.filter.office_tenants import office_tenants
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import ServedSpace
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _connectors
from tests.render.samples import space
from tests.unit.plugins.plugin_utils._inventory.test_offices import CATALOGUE, KEY


class TestConnectors:
    SPACE = space(
        slug="velo",
        url="https://velo.example",
        domains=["velo.example"],
        office_servers={
            "onlyoffice": {
                "shard": "o1",
                "host": "velo.o1.example",
                "url": "https://velo.o1.example",
                "addresses": ["192.0.2.1", "2001:db8::1"],
                "rotation": 2,
            }
        },
    )

    SERVED: t.ClassVar[ServedSpace] = {
        "slug": "velo",
        "hosts": ["velo.example"],
        "suite": "onlyoffice",
        "shard": "o1",
        "host": "x",
        "rotation": 0,
    }

    def test_the_secret_is_the_servers_and_in_no_setting(self):
        config: t.Any
        settings: t.Any
        config, settings = _connectors.configure(self.SPACE, CATALOGUE, KEY)
        [tenant] = office_tenants([{**self.SERVED, "rotation": 2}], "onlyoffice", KEY)
        [before] = office_tenants([{**self.SERVED, "rotation": 1}], "onlyoffice", KEY)
        assert config["onlyoffice"]["jwt_secret"] == tenant["secret"] != before["secret"]
        assert config["onlyoffice"]["DocumentServerUrl"] == "https://velo.o1.example/"
        assert settings["onlyoffice"]["jwt_secret"] is None
        assert tenant["secret"] not in str(settings)
        state: t.Any = _connectors.describe(self.SPACE, "onlyoffice", CATALOGUE["onlyoffice"])
        assert state["open"]["url"] == "https://velo.o1.example/info/info.json"
