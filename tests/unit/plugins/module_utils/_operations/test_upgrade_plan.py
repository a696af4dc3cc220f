# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is to be done about each space, decided by what is on the node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_plan
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_facts import (
    Asked,
    Found,
    Target,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_plan import (
    Decision,
)
from tests.unit.plugins.module_utils.planning import FREE, KEYS, TARGET

FOUND = Found("33.0.9", "33.0.9.1", installed=True, maintenance=False)
ASKED = Asked("11.8.2-MariaDB", 1 << 20, frozenset({"files"}))


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({}, "upgrade", ""),
        ({"release": "34.0.4", "version": "34.0.4.1"}, "done", ""),
        # Pointed at by hand, or by a run that died: its data say that it is not there yet.
        ({"release": "34.0.4", "version": "33.0.9.1"}, "upgrade", ""),
        # The same version from another build is another release.
        ({"release": "34.0.4-1", "version": "34.0.4.1"}, "upgrade", ""),
        ({"installed": False}, "none", "playbooks/site.yml installs it"),
        ({"release": ""}, "none", "playbooks/site.yml installs it"),
        ({"maintenance": True}, "refused", "occ maintenance:mode --off"),
        ({"version": "32.0.1.1"}, "refused", "majors are not skipped"),
        ({"version": "35.0.0.1"}, "refused", "playbooks/rollback.yml"),
        ({"version": "34.0.5.0"}, "refused", "going back is not an upgrade"),
        ({"version": "34.0.4.2"}, "refused", "going back is not an upgrade"),
    ],
)
def test_what_the_files_of_a_space_lead_to(changes, kind, said):
    decision = _upgrade_plan.judge_files(replace(FOUND, **changes), TARGET)
    assert decision.kind == kind
    assert said in decision.reason


def test_a_release_that_is_not_built_yet_is_judged_by_its_catalogue():
    target = Target("36.0.0", "36.0.0")
    assert "majors are not skipped" in _upgrade_plan.judge_files(FOUND, target).reason
    assert _upgrade_plan.judge_files(FOUND, Target("34.0.4", "34.0.4")).kind == "upgrade"
    there = replace(FOUND, release="34.0.4", version="34.0.4.1")
    assert _upgrade_plan.judge_files(there, Target("34.0.4", "34.0.4")).kind == "done"


@pytest.mark.parametrize(
    ("journal", "kind", "said"),
    [
        ({"direction": "forward", "step": "dump", "to": "34.0.4"}, "resume", "'dump'"),
        ({"direction": "back", "step": "load", "to": "34.0.3"}, "resume", "'load'"),
        ({"direction": "forward", "step": "dump", "to": "34.0.3"}, "refused", "release=34.0.3"),
        ({"direction": "undo", "step": "load", "to": "34.0.4"}, "refused", "rollback.yml"),
        ({"verb": "restore", "step": "load"}, "refused", "a restore of it was begun"),
    ],
)
def test_what_was_begun_comes_first(journal, kind, said):
    found = replace(FOUND, journal={"verb": "upgrade", **journal})
    decision = _upgrade_plan.judge_files(found, TARGET)
    assert decision.kind == kind
    assert said in decision.reason


@pytest.mark.parametrize(
    ("asked", "target", "said"),
    [
        ({}, {}, ""),
        ({"enabled": frozenset({"files", "talk"})}, {}, "talk: on in this space"),
        ({"enabled": frozenset({"files", "talk"})}, {"without": frozenset({"talk"})}, ""),
        ({"enabled": frozenset({"files", "talk"})}, {"holds": None}, ""),
        (
            {"enabled": KEYS | {"files"}, "factors": KEYS},
            {"without": KEYS},
            "somebody logs in with it, and release 34.0.4 goes without",
        ),
        ({"enabled": KEYS | {"files"}}, {"without": KEYS}, ""),
        (
            {"enabled": KEYS | {"files"}, "factors": KEYS},
            {"holds": KEYS | {"files"}, "without": KEYS},
            "",
        ),
        # Off already: whoever had it is locked out already, or was helped.
        ({"factors": KEYS}, {"without": KEYS}, ""),
        ({"mariadb": "10.5.1-MariaDB"}, {"mariadb": ("10.6", "11.8")}, "MariaDB 10.5.1"),
        ({"mariadb": "12.0.1-MariaDB"}, {"mariadb": ("10.6", "11.8")}, "MariaDB 12.0.1"),
        ({"mariadb": "11.8.9-MariaDB"}, {"mariadb": ("10.6", "11.8")}, ""),
        ({"error": "its database cannot be read: gone"}, {}, "cannot be read"),
    ],
)
def test_what_the_database_server_says(asked, target, said):
    first = Decision("upgrade", release="33.0.9", version="33.0.9.1")
    answers, wanted = replace(ASKED, **asked), replace(TARGET, **target)
    decision = _upgrade_plan.judge_answers(first, answers, wanted)
    assert decision.kind == ("refused" if said else "upgrade")
    assert said in decision.reason


def test_dumps_that_do_not_fit_are_refused_and_smaller_ones_go_on():
    sizes = {"a": 10 << 20, "b": 50 << 20, "c": 10 << 20}
    decisions = {slug: Decision("upgrade", size=size) for slug, size in sizes.items()}
    found = _upgrade_plan.without_room(sizes, decisions, FREE + (30 << 20))
    assert {slug: one.kind for slug, one in found.items()} == {
        "a": "upgrade",
        "b": "refused",
        "c": "upgrade",
    }
    assert "its dump needs up to 50 MB" in found["b"].reason
    assert "20 MB are left" in found["b"].reason


def test_a_space_that_stays_needs_no_room():
    decisions = {"a": Decision("done", size=1 << 40), "b": Decision("upgrade", size=1)}
    assert _upgrade_plan.without_room(decisions, decisions, FREE + 1)["b"].kind == "upgrade"


def test_pages_of_what_is_off_for_a_reason_are_not_opened_again():
    pages = ["/apps/files/", "/index.php/apps/polls/", "/apps/notes", "/settings/user", "/apps/x/y"]
    before, now = {"files", "polls", "notes", "x"}, {"files", "new"}
    assert _upgrade_plan.pages_left(pages, before, now) == ["/apps/files/", "/settings/user"]
    assert _upgrade_plan.pages_left(pages, set(), now) == pages
