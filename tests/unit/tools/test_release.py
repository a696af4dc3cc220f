# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the demo says of the Nextcloud it has, and of what is missing in it."""

from __future__ import annotations

import json
from typing import Any

from tools import release

MANIFEST: dict[str, Any] = {
    "id": "34.0.4",
    "version_string": "34.0.4",
    "standin": False,
    "archive": {"signed": True, "origin": "local file"},
}


class Machine:
    """A machine with these manifests."""

    def __init__(self, *manifests: dict[str, Any]) -> None:
        self.text = "\n".join(json.dumps(one, indent=2) for one in manifests)

    def execute(self, *_: str) -> str:
        return self.text


def test_what_is_missing_is_named_with_the_reason():
    left_out = {"polls": "HTTP 500", "deck": "HTTP 500", "notes": "expected aaaa"}
    assert release.lacking({**MANIFEST, "left_out": left_out}) == {
        "HTTP 500": ["deck", "polls"],
        "expected aaaa": ["notes"],
    }
    assert release.lacking({**MANIFEST, "left_out": {}}) == {}
    assert release.lacking(MANIFEST) == {}


def test_all_releases_of_a_machine_are_said():
    standin = {**MANIFEST, "version_string": "35.0.1", "standin": True}
    machine: Any = Machine(MANIFEST, standin)
    assert release.manifests(machine) == [MANIFEST, standin]
    said = release.running(machine)
    assert "real release 34.0.4, signature verified, from local file; stand-in for 35.0.1" in said
