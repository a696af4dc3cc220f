# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The filter that finds settings a program never reads."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.archipel.spaces.plugins.filter.unknown_keys import FilterModule

unknown_keys = FilterModule().filters()["unknown_keys"]
SHIPPED = {"server": {"port": 8000, "options": {}}, "log": {"level": None}}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({}, []),
        ({"server": {"port": 1}}, []),
        ({"server": {"prot": 1}, "lag": {}}, ["lag", "server.prot"]),
        ({"server": {"options": {"any": {"thing": 1}}}}, []),
        ({"log": {"level": {"deep": 1}}}, ["log.level"]),
        ({"log": "all"}, []),
    ],
)
def test_unknown_keys(configuration: dict[str, t.Any], expected: list[str]):
    assert unknown_keys(configuration, SHIPPED) == expected
