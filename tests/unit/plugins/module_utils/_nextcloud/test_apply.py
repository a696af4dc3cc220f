# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What Nextcloud is given: its desired state, and what becomes of its invitation."""

from __future__ import annotations

import json

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _apply,
    _installation,
    _node,
    _occ,
)
from tests.unit.plugins.module_utils.new_space import DIGEST, ITEM, NAMES, REFUSED, Occ, node


def test_the_digest_changes_with_the_wanted_state_and_the_release():
    assert _apply.digest({**ITEM, "url": "https://other"}) == DIGEST
    assert _apply.digest({**ITEM, "applied": {"groups": []}}) != DIGEST
    assert _apply.digest({**ITEM, "release": "34.0.1"}) != DIGEST


@pytest.mark.parametrize(("version", "loosened"), [("0.4.1", 1), ("0.5.0", 0), ("1.0.0", 0)])
def test_what_an_older_application_stored_under_one_type_is_mended(
    tmp_path, monkeypatch, version, loosened
):
    """A release keeps the application it was built with; spaces on it are mended all the same."""
    place, connection = node(tmp_path)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    (tmp_path / "releases").mkdir()
    manifest = {"applications": {"archipel": {"version": version}}}
    (tmp_path / "releases" / "33.0.9.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(_node, "occ", lambda *_, **__: '{"changes": ["set core/flag"]}')
    monkeypatch.setattr(_files, "write_file", lambda _: None)
    monkeypatch.setattr(_node, "own_version", _node.own_version.__wrapped__)
    told = {**ITEM, "applied": {"app_config": {"core": {"flag": True}}}}
    assert _apply.apply(told, place) == ["set core/flag"]
    assert [sql.split(" WHERE")[0] for sql in connection.executed] == [
        "UPDATE `space_amap`.`oc_appconfig` SET type = (type & 1) | 2"
    ] * loosened
    assert _apply.apply({**ITEM, "applied": {}}, place) == ["set core/flag"]
    assert len(connection.executed) == loosened


@pytest.mark.parametrize(
    ("errors", "why"),
    [
        ([REFUSED], REFUSED),
        ([REFUSED, "create group members: no"], ""),
        (["create group members: no"], ""),
        ([], ""),
    ],
)
def test_a_letter_that_no_relay_took_is_told_apart(errors, why):
    said = json.dumps({"changes": ["create group members"], "errors": errors})
    assert _apply.why_uninvited(f"a warning\n{said}\n") == why


@pytest.mark.parametrize("said", ["", "no JSON", "[]"])
def test_what_is_no_answer_excuses_nothing(said):
    assert _apply.why_uninvited(said) == ""


def test_a_space_opens_without_its_invitation_and_is_told_again(tmp_path, monkeypatch):
    place, _ = node(tmp_path)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    answer = json.dumps({"changes": ["create group members"], "errors": [REFUSED]})
    monkeypatch.setattr(_occ, "run", lambda *_, **__: _occ.Outcome(1, answer, REFUSED))
    done, why = _installation.carry_out(ITEM, {"apply": "Nextcloud's settings applied"}, place)
    assert (done, why) == (["Nextcloud's settings applied"], "")
    assert place.uninvited == {"amap": REFUSED}
    # Nothing says that it was told: the next run invites.
    assert not (tmp_path / "spaces" / "amap" / _layout.APPLIED).exists()
    assert json.loads(_apply.make_request(ITEM, place))["invite"] == "again"


def test_a_letter_that_a_relay_took_is_not_sent_again_by_a_run_that_died_afterwards(tmp_path):
    """It is noted in the space itself; one that was printed is lost."""
    place, _ = node(tmp_path)
    by_mail = {**ITEM, "applied": {"invite_by_mail": True}}
    assert json.loads(_apply.make_request(by_mail, place))["invite"] is True
    printed = {**ITEM, "applied": {"invite_by_mail": False}}
    assert json.loads(_apply.make_request(printed, place))["invite"] == "again"


def test_any_other_failure_keeps_it_closed(tmp_path, monkeypatch):
    place, _ = node(tmp_path)
    answer = json.dumps({"changes": [], "errors": ["create group members: no"]})
    monkeypatch.setattr(_occ, "run", lambda *_, **__: _occ.Outcome(1, answer, "no"))
    done, why = _installation.carry_out(ITEM, {"apply": ""}, place)
    assert (done, why, place.uninvited) == ([], "occ archipel:apply: no", {})


@pytest.mark.parametrize(
    ("changes", "completed"),
    [
        ([], []),
        (["set core/flag", "disable application polls", "create group members"], []),
        (["enable application polls"], NAMES),
    ],
)
def test_what_was_turned_on_gets_its_indices_in_a_process_of_its_own(
    tmp_path, monkeypatch, changes, completed
):
    place, _ = node(tmp_path)
    (tmp_path / "spaces" / "amap").mkdir(parents=True)
    occ = Occ(apply=json.dumps({"changes": changes}))
    monkeypatch.setattr(_occ, "run", occ)
    monkeypatch.setattr(_files, "write_file", lambda _: None)
    assert _apply.apply(ITEM, place) == changes
    assert [call[0] for call in occ.calls] == ["archipel:apply", *completed]
