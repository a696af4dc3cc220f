# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Options of tasks: each of its type, and none that nobody knows."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options

SPEC: dict[str, t.Any] = {
    "spaces": {"type": "raw", "required": True},
    "settings": {"type": "dict", "required": True},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "again": {"type": "bool", "default": False, "aliases": ["anew"]},
    "files": {"type": "list", "elements": "dict", "options": {"dest": {"required": True}}},
}
NEEDED: dict[str, t.Any] = {"spaces": [], "settings": {}}


def refused(**given: t.Any) -> list[str]:
    with pytest.raises(AnsibleActionFail) as refusal:
        _options.read("x", given, SPEC)
    return str(refusal.value).splitlines()


def test_what_was_left_out_has_its_default_and_what_was_given_its_type():
    options = _options.read("x", {**NEEDED, "exclude": "amap,velo", "anew": "yes"}, SPEC)
    assert (options["exclude"], options["again"]) == (["amap", "velo"], True)
    assert _options.read("x", NEEDED, SPEC)["exclude"] == []


def test_what_may_be_large_is_not_copied():
    spaces, settings = [{"slug": "amap"}], {"a": {"b": 1}}
    options = _options.read("x", {"spaces": spaces, "settings": settings}, SPEC)
    assert options["spaces"] is spaces
    assert options["settings"] is settings


def test_everything_unknown_is_said_at_once_at_any_depth():
    assert refused(**NEEDED, exclud=[], files=[{"dest": "/a"}, {"dst": "/b"}], zzz=1) == [
        'archipel.spaces.x: unknown option "exclud"; allowed: spaces, settings, exclude, again, '
        'files. Did you mean "exclude"?',
        'archipel.spaces.x: unknown option "zzz"; allowed: spaces, settings, exclude, again, '
        "files.",
        'archipel.spaces.x: unknown option "files.dst"; allowed: dest. Did you mean "dest"?',
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"settings": {}}, "missing required arguments: spaces"),
        ({**NEEDED, "settings": "x"}, "'settings'"),
        ({**NEEDED, "again": "perhaps"}, "'again'"),
        ({**NEEDED, "files": [{}]}, "missing required arguments: dest"),
    ],
)
def test_what_is_missing_or_of_another_type_is_named(given: dict[str, t.Any], said: str):
    (line,) = refused(**given)
    assert line.startswith("archipel.spaces.x: ")
    assert said in line
