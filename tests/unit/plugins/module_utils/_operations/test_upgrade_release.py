# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Nextcloud's own upgrade counts by what it left in the space."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _apply,
    _install,
    _occ,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_facts,
    _upgrade_release,
    _upgrade_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    UpgradeError,
)
from tests.unit.plugins.module_utils.upgrading import (
    Occ,
    comparing,
    job,
    modern,
    read,
    replace_journal,
    settings,
)

__all__ = ["settings"]


def test_a_space_is_pointed_at_a_release_by_a_link_of_its_own(settings):
    one = job(settings)
    _upgrade_release.point(one)
    assert os.readlink(f"{one.home}/release") == "../../releases/34.0.4"
    _upgrade_steps.return_release(replace_journal(one, direction="back", failed_at="check"))
    assert os.readlink(f"{one.home}/release") == "../../releases/33.0.9"


def test_a_release_that_is_not_here_is_not_pointed_at(settings):
    with pytest.raises(UpgradeError, match=r"release 34\.0\.9 is not on this node"):
        _upgrade_release.point(job(settings, to="34.0.9"))


def test_an_upgrade_that_was_cut_short_left_maintenance_mode_on(settings):
    one = job(settings)
    path = f"{one.home}/config/config.php"
    with open(path, "w", encoding="utf-8") as file:
        file.write("<?php\n$CONFIG = array (\n  'maintenance' => true,\n  'version' => '1',\n);\n")
    _upgrade_release.end_maintenance(one)
    assert read(path) == "<?php\n$CONFIG = array (\n  'version' => '1',\n);\n"
    kept = os.stat(path).st_ino
    _upgrade_release.end_maintenance(one)
    assert os.stat(path).st_ino == kept


def test_an_office_suite_that_is_switched_is_no_loss():
    suites = {"collabora": {"application": "richdocuments"}, "o": {"application": "onlyoffice"}}
    applied = {"apps": {"enable": [], "disable": ["survey"]}, "office": {"suites": suites}}
    assert _upgrade_release.switched_off(applied) == {"survey", "richdocuments", "onlyoffice"}
    assert _upgrade_release.switched_off({}) == set()


@pytest.mark.parametrize(
    ("code", "config", "said"),
    [
        (0, "  'version' => '34.0.4.1',\n", ""),
        (5, "  'version' => '33.0.9.1',\n  'maintenance' => true,\n", "ended with 5: it broke"),
        (0, "  'version' => '33.0.9.1',\n", "config.php is at 33.0.9.1, not at 34.0.4.1"),
        (0, "", "config.php is at no version"),
        (0, "  'version' => '34.0.4.1',\n  'maintenance' => true,\n", "left maintenance mode on"),
    ],
)
def test_an_upgrade_counts_by_what_it_left(settings, monkeypatch, code, config, said):
    one = job(settings)
    path = f"{one.home}/config/config.php"
    monkeypatch.setattr(_occ, "run", Occ(code, config=(path, f"<?php\n{config}")))
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    if said:
        with pytest.raises(UpgradeError, match=said):
            _upgrade_release.upgrade(one)
    else:
        _upgrade_release.upgrade(one)


@pytest.mark.parametrize(
    ("enabled", "lost"),
    [({"files", "deck"}, ""), ({"files"}, "switched off deck"), ({"deck", "files", "new"}, "")],
)
def test_what_the_upgrade_switched_off_for_good_is_a_failure(settings, monkeypatch, enabled, lost):
    one = job(settings)
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    monkeypatch.setattr(_apply, "apply", lambda *_: ["an application enabled"])
    monkeypatch.setattr(_occ, "run", Occ())
    monkeypatch.setattr(_install, "tidy", lambda *_: None)
    monkeypatch.setattr(_upgrade_facts, "enabled_now", lambda *_: frozenset(enabled))
    if lost:
        with pytest.raises(UpgradeError, match=lost):
            _upgrade_release.apply(one)
        # What the policy wants off is no loss.
        _upgrade_release.apply(
            replace(one, settings=replace(settings, disabled=frozenset({"deck"})))
        )
    else:
        _upgrade_release.apply(one)


ANSWER = {
    "changes": ["an application enabled"],
    "commands": [
        {"command": "db:add-missing-columns", "output": "Done."},
    ],
}


def upgraded(settings, monkeypatch, **answers):
    """Do the step `upgrade` with an occ that answers so."""
    one = job(settings, probe=["camille", "1700000000"])
    path = f"{one.home}/config/config.php"
    occ = Occ(config=(path, "<?php\n  'version' => '34.0.4.1',\n"), **answers)
    monkeypatch.setattr(_occ, "run", occ)
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    monkeypatch.setattr(_apply, "mark_applied", lambda *_: ["an application enabled"])
    _upgrade_release.upgrade(one)
    return one, occ


def test_what_follows_the_upgrade_is_one_more_process_in_its_sandbox(settings, monkeypatch):
    modern(settings)
    one, occ = upgraded(settings, monkeypatch, stdout=f"Update successful\n{json.dumps(ANSWER)}\n")
    ((follows,),) = [options["more"] for options in occ.options]
    assert follows[:2] == ["archipel:apply", "--input={input}"]
    words = [json.loads(part.partition("=")[2]) for part in follows[2:]]
    assert [each[0] for each in words[:3]] == [command for command, _ in _apply.MISSING]
    assert len(words) == 3
    assert one.journal["applied"]
    assert "an application enabled" in read(one.log_path)
    # The next step finds it done.
    monkeypatch.setattr(_install, "tidy", lambda *_: None)
    monkeypatch.setattr(_upgrade_facts, "enabled_now", lambda *_: frozenset({"files", "deck"}))
    _upgrade_release.apply(one)
    assert len(occ.calls) == 1


def test_an_application_that_is_turned_on_gets_its_indices_in_a_process_of_its_own(
    settings, monkeypatch
):
    """In the one that turns it on it has not named them yet."""
    modern(settings)
    answer = {**ANSWER, "changes": ["enable application polls", "create group members"]}
    _, occ = upgraded(settings, monkeypatch, stdout=f"Update successful\n{json.dumps(answer)}\n")
    assert len(occ.calls) == 2
    assert occ.calls[1] == _apply.MISSING[0]
    assert tuple(occ.options[1]["more"]) == _apply.MISSING[1:]


@pytest.mark.parametrize(
    ("compares", "left", "goes_on"),
    [
        (True, "  'version' => '34.0.4.1',\n", True),
        # The upgrade itself has failed.
        (True, "  'version' => '33.0.9.1',\n", False),
        (True, "  'version' => '34.0.4.1',\n  'maintenance' => true,\n", False),
        (False, "  'version' => '34.0.4.1',\n", False),
    ],
)
def test_an_upgrade_that_only_dislikes_the_database_in_the_end_has_succeeded(
    settings, monkeypatch, compares, left, goes_on
):
    one = job(settings)
    if compares:
        comparing(settings)
    occ = Occ(5, config=(f"{one.home}/config/config.php", f"<?php\n{left}"))
    monkeypatch.setattr(_occ, "run", occ)
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": {}})
    if goes_on:
        _upgrade_release.upgrade(one)
        # What would have followed in the same sandbox is to be done alone.
        assert "applied" not in one.journal
    else:
        with pytest.raises(UpgradeError, match="occ upgrade ended with 5"):
            _upgrade_release.upgrade(one)


def test_an_older_application_is_asked_alone(settings, monkeypatch):
    modern(settings, "0.3.0")
    one, occ = upgraded(settings, monkeypatch, stdout="Update successful")
    assert [options["more"] for options in occ.options] == [()]
    assert not one.journal.get("applied")
    monkeypatch.setattr(_apply, "apply", lambda *_: ["an application enabled"])
    _upgrade_release.apply_alone(one, {})
    assert [call[0] for call in occ.calls] == [
        "upgrade",
        "db:add-missing-columns",
    ]


def test_an_application_that_is_turned_off_is_asked_alone(settings, monkeypatch):
    modern(settings)
    one, _ = upgraded(
        settings, monkeypatch, code=1, stderr='Command "archipel:apply" is not defined.'
    )
    assert not one.journal.get("applied")


def test_a_failed_upgrade_is_not_taken_for_an_application_turned_off(settings, monkeypatch):
    modern(settings)
    stderr = "archipel: not defined\nocc-args: upgrade ended with 5\n"
    with pytest.raises(UpgradeError, match=r"occ upgrade ended with 5: archipel: not defined$"):
        upgraded(settings, monkeypatch, code=5, stderr=stderr)


def test_what_followed_and_failed_is_named(settings, monkeypatch):
    modern(settings)
    with pytest.raises(UpgradeError, match="occ archipel:apply ended with 2: no such app"):
        upgraded(settings, monkeypatch, code=2, stderr="no such app")
