# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What people open and programs ask for is compared with before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _apply,
    _occ,
    _probe,
    _probe_requests,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _upgrade_account,
    _upgrade_check,
    _upgrade_flag,
    _upgrade_steps,
)
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    UpgradeError,
)
from tests.unit.plugins.module_utils.upgrading import (
    BEFORE,
    Occ,
    Ready,
    Site,
    comparing,
    database,
    job,
    modern,
    read,
    settings,
    with_secret,
)

__all__ = ["database", "settings"]


def test_pages_are_opened_while_the_space_is_open_and_no_password_is_kept(
    settings, monkeypatch, database
):
    site = Site(monkeypatch, deck=404)
    monkeypatch.setattr(_occ, "Ready", Ready)
    one = with_secret(job(replace(settings, pages=["/apps/dashboard/"])))
    _upgrade_steps.prepare(one)
    before = {"/apps/dashboard/": 200, "/apps/deck/": 404, "/apps/files/": 200}
    assert (one.journal["probe"], one.journal["pages"]) == (["camille", "1700000000"], before)
    ((name, password),) = site.accounts
    hashed = hashlib.sha512(f"{password}it's".encode()).hexdigest()
    assert hashed in database.has(_upgrade_account.LEND)[0]
    assert (name, database.executed[-2][0]) == ("camille", _upgrade_account.FORGET)
    # What people do meanwhile is theirs: nothing is remembered, and nothing taken back.
    assert "remembered" not in one.journal
    assert password not in json.dumps(one.journal)
    assert "/apps/deck/ answers 404 before the upgrade" in read(one.log_path)


def test_what_programs_ask_for_is_noted_before_and_compared_after(settings, monkeypatch, database):
    """The upgrade and its rollback look at the same things, the restore point knows them."""
    Site(monkeypatch)
    monkeypatch.setattr(_occ, "Ready", Ready)
    asked, kinds = {"deck: boards": [200, 2], "client: status.php": [200, 1]}, []

    def ask(visit, wanted):
        kinds.append((list(wanted), dict(visit.things)))
        return asked

    monkeypatch.setattr(_probe_requests, "ask", ask)
    monkeypatch.setattr(_probe_requests, "things_of", lambda *_: {"link": "Ab3"})
    monkeypatch.setattr(_probe_requests, "things_left", lambda *_: {})
    one = with_secret(job(replace(settings, requests=["client", "deck", "talk"])))
    _upgrade_steps.prepare(one)
    # Talk is off.
    assert kinds == [(["client", "deck"], {"link": "Ab3"})]
    assert one.journal["requests"] == asked
    _upgrade_flag.raise_flag(one)
    asked = {**asked, "deck: boards": [500, 0]}
    with pytest.raises(_probe.ProbeError, match="requests: deck: boards answers 500, 200 before"):
        _upgrade_check.check(one)


@pytest.mark.parametrize(
    ("code", "problems", "said"),
    [
        (0, [], ""),
        (1, ["files/default_quota: it is stored under one type"], "imposed settings: files/def"),
        # It may have been so for years.
        (1, ["mail/x: no reader gets it, its stored type is not"], ""),
        (1, None, "occ archipel:check ended with 1: it broke"),
    ],
)
def test_every_imposed_setting_is_read_back(settings, monkeypatch, code, problems, said):
    modern(settings, "0.5.0")
    applied = {"app_config": {"files": {"default_quota": "1 GB"}}}
    monkeypatch.setattr(_apply, "resolve", lambda item, _node: {**item, "applied": applied})
    monkeypatch.setattr(_upgrade_check, "probe", lambda *_: None)
    printed = "" if problems is None else json.dumps({"problems": problems, "imposed": {}})
    occ = Occ(code, printed)
    monkeypatch.setattr(_occ, "run", occ)
    if said:
        with pytest.raises(UpgradeError, match=said):
            _upgrade_check.check(job(settings))
    else:
        _upgrade_check.check(job(settings))
    assert occ.calls == [("archipel:check", "--input={input}")]
    assert json.loads(occ.options[0]["stdin"]) == applied


def test_an_application_that_cannot_read_back_is_not_asked(settings, monkeypatch):
    modern(settings, "0.4.0")
    monkeypatch.setattr(_upgrade_check, "probe", lambda *_: None)
    monkeypatch.setattr(_occ, "run", lambda *_, **__: pytest.fail("it knows no such command"))
    _upgrade_check.check(job(settings))


@pytest.mark.parametrize(
    ("code", "findings", "said"),
    [
        (0, "[]", ""),
        (1, [{"table": "oc_gone", "type": "unexpected_table"}], ""),
        (1, [{"table": "oc_users", "type": "missing_table"}], "expects: missing table oc_users"),
        (1, "no JSON", "occ db:schema:check ended with 1: it broke"),
    ],
)
def test_a_release_that_compares_databases_is_asked(settings, monkeypatch, code, findings, said):
    comparing(settings)
    monkeypatch.setattr(_upgrade_check, "probe", lambda *_: None)
    monkeypatch.setattr(_upgrade_check, "read_back", lambda *_: None)
    printed = findings if isinstance(findings, str) else json.dumps(findings)
    occ = Occ(code, printed)
    monkeypatch.setattr(_occ, "run", occ)
    if said:
        with pytest.raises(UpgradeError, match=said):
            _upgrade_check.check(job(settings))
    else:
        _upgrade_check.check(job(settings))
    assert occ.calls == [("db:schema:check", "--output=json")]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({}, ""),
        ({"files": 500}, "^pages: /apps/files/ answers 500, 200 before$"),
        ({"files": 500, "deck": 401}, r"deck/ answers 401 \(the login\), 200 before; /apps/files"),
        ({"user": 599}, "/settings/user answers nothing within"),
        # It was so before.
        ({"notes": 500}, ""),
    ],
)
def test_a_page_that_no_longer_answers_is_a_failure_and_named(
    settings, monkeypatch, database, pages, said
):
    Site(monkeypatch, **pages)
    one = with_secret(job(settings, probe=["camille", "1700000000"], pages=BEFORE))
    _upgrade_flag.raise_flag(one)
    if said:
        with pytest.raises(_probe.ProbeError, match=said):
            _upgrade_check.check(one)
    else:
        _upgrade_check.check(one)
    # All that the account was sent since is taken back, whatever came of the check.
    assert one.journal["remembered"]["notices"] == {"oc_activity": 41}
    (values,) = database.has("DELETE FROM {0}.oc_activity WHERE activity_id > %s")
    assert values == (41,)


def test_a_first_visit_is_marked_while_pages_are_opened_and_never_left(
    settings, monkeypatch, database
):
    Site(monkeypatch)
    monkeypatch.setattr(_occ, "Ready", Ready)
    one = with_secret(job(replace(settings, first_visits={"deck": {"firstRun": "no"}})))
    one.journal["visits"] = [["deck", "firstRun", "no"]]
    _upgrade_steps.prepare(one)
    ways = [sql for sql, _ in database.executed]
    first, marked = ways.index(_upgrade_account.NEW), ways.index(_upgrade_account.VISITED)
    # What a run that was killed left is taken back before anything is taken for the account's own.
    assert first < marked < len(ways) - 1 - ways[::-1].index(_upgrade_account.NEW)
    assert one.journal["visits"] == []


def test_a_page_of_an_application_that_the_release_goes_without_is_not_missed(
    settings, monkeypatch, database
):
    Site(monkeypatch, old=404)
    journal = {"pages": {"/apps/old/": 200}, "enabled": ["files", "old"]}
    one = with_secret(job(settings, probe=["camille", "1"], **journal))
    _upgrade_flag.raise_flag(one)
    _upgrade_check.check(one)
