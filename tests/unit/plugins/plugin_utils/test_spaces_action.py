# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which spaces reach a module, and what a play is told when it asks for something else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.action import (
    spaces_application_set,
    spaces_installations,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _action


def space(slug: str, **changes: Any) -> dict[str, Any]:
    """Return an entry of the inventory, as far as it is chosen by."""
    own = {"web": "node1", "ring": "stable", "status": "approved", "office": "collabora"}
    return {"slug": slug, "hold": False, **own, **changes}


class Recording(_action.SpacesAction[dict[str, Any]]):
    """Says what it was to render, and renders nothing."""

    module = "spaces_files"

    def desired(self, spaces: Any, context: Any, known: Any) -> dict[str, Any]:
        if context.get("wrong"):
            raise context["wrong"]
        return {"spaces": [one["slug"] for one in spaces], "known": known}


def action(kind: type, arguments: dict[str, Any], *, check: bool = True) -> Any:
    """Return an action of a task with these arguments; its module says what it was given."""
    made: Any = object.__new__(kind)
    made._task = SimpleNamespace(args=arguments, check_mode=check, async_val=0, diff=False)
    made._templar = None
    made._connection = made._play_context = made._loader = SimpleNamespace()
    made.sent = []
    return made


@pytest.fixture
def run(monkeypatch) -> Any:
    """Return a way to run the recording action, and what its module would be given."""
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})

    def once(**arguments: Any) -> dict[str, Any]:
        variables = arguments.pop("variables", {})
        check = arguments.pop("check", True)
        made = action(Recording, {"settings": {}, **arguments}, check=check)
        made.converge = lambda desired, _variables: {"desired": desired}
        return dict(made.run(None, variables))

    return once


SPACES = [space("amap"), space("velo", ring="canary"), space("cine", hold=True)]


def test_all_but_those_on_hold(run: Any):
    done = run(spaces=SPACES)
    assert done["desired"]["spaces"] == ["amap", "velo"]
    # Declarations that are one file for all name those too.
    assert [one["slug"] for one in done["desired"]["known"]] == ["amap", "velo", "cine"]
    assert done["known"] == 3


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"only": "amap"}, ["amap"]),
        ({"only": "ring_canary, amap"}, ["amap", "velo"]),
        ({"only": "on_node1"}, ["amap", "velo"]),
        ({"only": "cine"}, []),
        ({"exclude": ["amap"]}, ["velo"]),
        # A text is a list of one, and not one of letters.
        ({"exclude": "amap"}, ["velo"]),
        ({"only": "of-another-node"}, []),
    ],
)
def test_who_is_chosen(run: Any, options: dict[str, Any], chosen: list[str]):
    assert run(spaces=SPACES, **options)["desired"]["spaces"] == chosen


def test_a_space_whose_file_is_wrong_stays_declared(run: Any):
    done = run(spaces=SPACES[:1], skipped=[{"slug": "broken"}])
    assert done["desired"]["spaces"] == ["amap"]
    assert done["desired"]["known"][-1] == {"slug": "broken", "status": "suspended"}


@pytest.mark.parametrize("missing", ["spaces", "settings"])
def test_an_option_that_is_missing_is_named(monkeypatch, missing: str):
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    given: dict[str, Any] = {"spaces": [], "settings": {}}
    del given[missing]
    with pytest.raises(
        AnsibleActionFail, match=f"spaces_files: missing required arguments: {missing}"
    ):
        action(Recording, given).run(None, {})


@pytest.mark.parametrize("error", [KeyError("root"), ValueError("wrong"), TypeError("none")])
def test_what_cannot_be_rendered_is_said_with_its_module(run: Any, error: Exception):
    with pytest.raises(AnsibleActionFail, match=f"spaces_files: {type(error).__name__}"):
        run(spaces=SPACES, settings={"wrong": error})


def test_nothing_is_made_for_a_space_without_a_recorded_place(run: Any, tmp_path):
    lock = tmp_path / "placement.yml"
    lock.write_text("environment: lab\nnext_id: 70000\nspaces:\n")
    place = {"id": 70000, "web": "node1", "db": "node1", "office": {}}
    known = {"archipel_placement": {"path": str(lock), "pending": {"amap": place}}}
    with pytest.raises(AnsibleActionFail, match="amap: not in"):
        run(spaces=SPACES, variables=known, check=False)
    # A check run makes nothing.
    assert run(spaces=SPACES, variables=known)["desired"]["spaces"] == ["amap", "velo"]


def test_the_module_gets_one_packed_value(monkeypatch):
    made = action(Recording, {})
    monkeypatch.setattr(
        made, "_execute_module", lambda **given: made.sent.append(given) or {"changed": True}
    )
    assert made.converge({"spaces": ["amap"] * 1000}, {}) == {"changed": True}
    (sent,) = made.sent
    assert sent["module_name"] == "archipel.spaces.spaces_files"
    # A thousand spaces are no thousand times as long.
    assert len(sent["module_args"]["payload"]) < 500


class TestInstallations:
    """One module call has its time; the action calls again until no space is left."""

    @staticmethod
    def turns(monkeypatch, *answers: dict[str, Any]) -> tuple[Any, list[list[str]]]:
        made = action(spaces_installations.ActionModule, {})
        given: list[list[str]] = []
        left = [*answers]

        def converge(_self: Any, desired: dict[str, Any], _variables: Any) -> dict[str, Any]:
            given.append([item["space"] for item in desired["installations"]])
            own = {"spaces": {}, "failed_spaces": {}, "changed": True, "remaining": [], "begun": 1}
            return {**own, **left.pop(0)}

        monkeypatch.setattr(_action.SpacesAction, "converge", converge)
        return made, given

    def desired(self, *slugs: str) -> dict[str, Any]:
        return {"installations": [{"space": slug} for slug in slugs]}

    def test_until_none_is_left(self, monkeypatch):
        made, given = self.turns(monkeypatch, {"remaining": ["b", "c"]}, {"remaining": ["c"]}, {})
        made.converge(self.desired("a", "b", "c"), {"inventory_hostname": "node1"})
        assert given == [["a", "b", "c"], ["b", "c"], ["c"]]

    def test_a_turn_that_began_nothing_ends_it(self, monkeypatch):
        made, given = self.turns(
            monkeypatch, {"remaining": ["b"]}, {"remaining": ["b"], "begun": 0}
        )
        made.converge(self.desired("a", "b"), {})
        assert len(given) == 2

    def test_logos_are_brought_once_they_are_wanted(self, monkeypatch, tmp_path):
        picture = tmp_path / "logo.png"
        picture.write_bytes(b"picture")
        made, given = self.turns(monkeypatch, {"wanted_logos": ["b"]}, {})
        items = [{"space": "a"}, {"space": "b", "logo": {"path": str(picture)}}]
        made.converge({"installations": items}, {})
        assert given == [["a", "b"], ["b"]]


def test_an_application_set_that_is_wrong_names_each_problem():
    made = action(spaces_application_set.ActionModule, {})
    settings = {
        "applications": {"enabled": ["calendar"], "disabled": ["calendar"], "settings": {}},
        "office_suites": {},
        "offices": [],
    }
    with pytest.raises(ValueError, match=r"the application set is wrong\n.*calendar"):
        made.desired([], settings, [])
