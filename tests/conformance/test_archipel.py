# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The archipel application: one document in, the space as described, one document out."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import pytest

from tests.conformance.client import Client
from tests.conformance.conftest import Occ, Outcome
from tests.support.moment import in_words

Apply = Callable[..., Outcome]

ADMIN = {
    "uid": "bureau",
    "display_name": "Bureau de l'Été",
    "email": "bureau@association.example",
    "language": "fr",
    "locale": "fr_FR",
    "groups": ["space-admins"],
    "subadmin_of": ["members"],
}
DESIRED = {
    "apps": {"enable": ["federation", "admin_audit"], "disable": ["weather_status"]},
    "app_config": {"files": {"default_quota": "40 GB"}, "core": {"backgroundjobs_mode": "cron"}},
    "groups": ["members", "space-admins"],
    "admin": ADMIN,
    "delegations": {"OCA\\Theming\\Settings\\Admin": ["space-admins"]},
    "remove_users": ["archipel-setup"],
    "invite": True,
}


@pytest.fixture
def apply(occ: Occ):
    def call(desired: object, *options: str) -> Outcome:
        text = desired if isinstance(desired, str) else json.dumps(desired)
        return occ("archipel:apply", *options, stdin=text)

    return call


@pytest.fixture
def clean(occ: Occ):
    """As after installing: no administrator, no groups, applications as they come."""
    yield
    for name in ("bureau", "one", "two"):
        occ("user:delete", name)
    for group in ("members", "space-admins"):
        occ("group:delete", group)
    occ("config:app:delete", "files", "default_quota")
    occ("app:disable", "admin_audit")


class TestCommandsAround:
    """Other commands of occ, in the process that applies."""

    def test_what_they_say_is_in_the_answer(self, apply: Apply):
        before, after = '--before=["db:add-missing-columns"]', '--after=["status", "--output=json"]'
        done = apply({"groups": []}, before, '--before=["db:add-missing-indices"]', after)
        assert done.code == 0, done
        assert [one["command"] for one in done.json["commands"]] == [
            "db:add-missing-columns",
            "db:add-missing-indices",
            "status",
        ]
        assert json.loads(done.json["commands"][-1]["output"])["installed"] is True

    def test_a_dry_run_runs_none(self, apply: Apply):
        done = apply({}, '--before=["db:add-missing-columns"]', "--dry-run")
        assert (done.code, done.json.get("commands")) == (0, None)

    def test_one_that_fails_is_named_and_nothing_is_applied(self, occ: Occ, apply: Apply):
        done = apply({"groups": ["late"]}, '--before=["user:info", "nobody-of-this-name"]')
        assert done.code == 1
        assert "user:info ended with 1" in done.err + done.out
        assert "late" not in occ("group:list", "--output=json").json

    @pytest.mark.parametrize("command", ["status", "[]", '["a", 1]', '{"a": "b"}'])
    def test_what_is_no_list_of_words_is_refused(self, apply: Apply, command: str):
        done = apply({}, f"--before={command}")
        assert done.code == 2
        assert "expected a JSON list of words" in done.err


class TestApply:
    def test_describes_then_does_then_rests(self, occ: Occ, apply: Apply, clean: None):
        planned = apply(DESIRED, "--dry-run").json
        assert planned["dry_run"] is True
        assert planned["changed"] is True
        assert "bureau" not in occ("user:list", "--output=json").json
        done = apply(DESIRED)
        assert done.code == 0, done
        assert done.json["changes"] == planned["changes"]
        assert done.json["errors"] == done.json["skipped"] == []
        again = apply(DESIRED)
        assert (again.code, again.json["changed"], again.json["invitation"]) == (0, False, None)

    def test_space_is_as_described(self, occ: Occ, apply: Apply, clean: None):
        apply(DESIRED)
        apps = occ("app:list", "--output=json").json
        assert {"federation", "admin_audit"} <= set(apps["enabled"])
        assert "weather_status" not in apps["enabled"]
        assert occ("config:app:get", "files", "default_quota").out.strip() == "40 GB"
        assert "archipel-setup" not in occ("user:list", "--output=json").json
        info = occ("user:info", "bureau", "--output=json").json
        assert info["display_name"] == ADMIN["display_name"]
        assert info["email"] == ADMIN["email"]
        assert info["groups"] == ["space-admins"]
        assert occ("user:setting", "bureau", "core", "lang").out.strip() == "fr"
        assert occ("archipel:status").json["admins"] == ["bureau"]

    def test_drift_is_repaired(self, occ: Occ, apply: Apply, clean: None):
        apply(DESIRED)
        occ("app:disable", "federation")
        occ("config:app:set", "files", "default_quota", "--value=1 GB")
        repaired = apply(DESIRED).json
        assert sorted(repaired["changes"]) == [
            "enable application federation",
            "set files/default_quota",
        ]

    def test_null_removes_a_setting_and_types_are_kept(self, occ: Occ, apply: Apply, clean: None):
        wanted = {"a_text": "é", "a_number": 7, "a_flag": True, "a_list": ["x", {"y": 1}]}
        assert apply({"app_config": {"archipel": wanted}}).json["changed"] is True
        assert apply({"app_config": {"archipel": wanted}}).json["changed"] is False
        assert occ("config:app:get", "archipel", "a_text").out.strip() == "é"
        gone = apply({"app_config": {"archipel": dict.fromkeys(wanted)}}).json
        assert len(gone["changes"]) == len(wanted)
        assert occ("config:app:get", "archipel", "a_number").code == 1

    def test_values_of_settings_are_never_shown(self, apply: Apply, clean: None):
        done = apply({"app_config": {"archipel": {"a_secret": "hunter2-hunter2"}}})
        assert "hunter2" not in done.out + done.err
        apply({"app_config": {"archipel": {"a_secret": None}}})

    def test_administrator_keeps_what_is_theirs(self, occ: Occ, apply: Apply, clean: None):
        """Name and language are given once; later they belong to the person."""
        apply(DESIRED)
        occ("user:setting", "bureau", "core", "lang", "br")
        assert apply(DESIRED).json["changed"] is False
        assert occ("user:setting", "bureau", "core", "lang").out.strip() == "br"

    def test_delegations_are_exact(self, apply: Apply, clean: None):
        apply(DESIRED)
        none = {**DESIRED, "delegations": {"OCA\\Theming\\Settings\\Admin": []}}
        assert apply(none).json["changes"] == [
            "revoke OCA\\Theming\\Settings\\Admin from space-admins"
        ]
        assert apply(none).json["changed"] is False

    def test_what_this_release_cannot_delegate_is_said(self, apply: Apply, clean: None):
        wanted = {
            "groups": ["members"],
            "delegations": {"OCA\\Nothing\\Settings\\Here": ["members"]},
        }
        answer = apply(wanted)
        assert answer.code == 0
        assert "OCA\\Nothing\\Settings\\Here" in answer.json["skipped"][0]

    def test_document_may_come_from_a_file(self, occ: Occ, apply: Apply):
        missing = occ("archipel:apply", "--input=/nonexistent/desired.json")
        assert missing.code == 2
        assert "/nonexistent/desired.json" in missing.err

    def test_space_administrator_counts_for_the_limit(self, occ: Occ, apply: Apply, clean: None):
        before = occ("archipel:status").json["accounts"]["used"]
        apply({**DESIRED, "remove_users": []})
        assert occ("archipel:status").json["accounts"] == {"used": before + 1, "limit": 8}


GIVEN = {"app_defaults": {"theming": {"slogan": "Together"}}}


class TestDefaults:
    """What is given, not imposed."""

    @pytest.fixture
    def slogan(self, occ: Occ):
        def read() -> str:
            return occ("config:app:get", "theming", "slogan").out.strip()

        yield read
        occ("config:app:delete", "theming", "slogan")
        occ("config:app:delete", "archipel", "given")

    def test_is_given_once_and_then_left_to_people(
        self, occ: Occ, apply: Apply, slogan: Callable[[], str]
    ):
        assert apply(GIVEN).json["changes"] == ["give theming/slogan"]
        occ("config:app:set", "theming", "slogan", "--value=Ours")
        assert apply(GIVEN).json["changed"] is False
        assert slogan() == "Ours"

    def test_a_new_word_of_the_registry_counts_again(
        self, occ: Occ, apply: Apply, slogan: Callable[[], str]
    ):
        apply(GIVEN)
        occ("config:app:set", "theming", "slogan", "--value=Ours")
        apply({"app_defaults": {"theming": {"slogan": "Stronger"}}})
        assert slogan() == "Stronger"

    def test_is_taken_back_unless_people_have_changed_it(
        self, occ: Occ, apply: Apply, slogan: Callable[[], str]
    ):
        nothing = {"app_defaults": {"theming": {"slogan": None}}}
        apply(GIVEN)
        assert apply(nothing).json["changes"] == ["take back theming/slogan"]
        apply(GIVEN)
        occ("config:app:set", "theming", "slogan", "--value=Ours")
        assert apply(nothing).json["changed"] is False
        assert slogan() == "Ours"


class TestLogo:
    def test_a_picture_that_is_not_there_is_an_error_and_nothing_is_remembered(
        self, occ: Occ, apply: Apply
    ):
        logo = {"logo": {"file": "/nonexistent/logo", "sha256": "0" * 64}}
        answer = apply(logo)
        assert answer.code == 1
        assert "give the logo" in answer.json["errors"][0]
        assert occ("config:app:get", "archipel", "logo").code == 1

    def test_no_logo_is_nothing_to_do(self, apply: Apply):
        assert apply({"logo": None}).json["changed"] is False


# Any two applications do: what matters is which of them is on.
SUITES = {
    "first": {"name": "First Suite", "application": "federation"},
    "second": {"name": "Second Suite", "application": "admin_audit"},
}
OFFICE = {"office": {"suites": SUITES, "default": "first", "pinned": False}}


class TestOffice:
    @pytest.fixture(autouse=True)
    def as_before(self, occ: Occ):
        yield
        occ("config:app:delete", "archipel", "office")
        occ("config:app:delete", "archipel", "office_policy")
        occ("config:app:delete", "archipel", "office_since")
        occ("app:disable", "admin_audit")
        occ("app:enable", "federation")

    def on(self, occ: Occ) -> set[str]:
        return {"federation", "admin_audit"} & set(occ("app:list", "--output=json").json["enabled"])

    def test_exactly_the_chosen_connector_is_on(self, occ: Occ, apply: Apply):
        occ("app:enable", "admin_audit")
        assert apply(OFFICE).json["changed"] is True
        assert self.on(occ) == {"federation"}
        assert apply(OFFICE).json["changed"] is False
        occ("config:app:set", "archipel", "office", "--value=second")
        assert apply(OFFICE).json["changes"] == [
            "disable application federation",
            "enable application admin_audit",
        ]
        assert self.on(occ) == {"admin_audit"}

    def test_a_pinned_suite_overrules_the_choice(self, occ: Occ, apply: Apply):
        occ("config:app:set", "archipel", "office", "--value=second")
        apply({"office": {**OFFICE["office"], "pinned": True}})
        assert self.on(occ) == {"federation"}

    def test_a_choice_that_is_gone_falls_back_to_the_default(self, occ: Occ, apply: Apply):
        occ("config:app:set", "archipel", "office", "--value=abacus")
        apply(OFFICE)
        assert self.on(occ) == {"federation"}

    def test_a_release_without_connectors_is_said(self, apply: Apply):
        answer = apply({"office": {"suites": {}, "default": "first"}})
        assert answer.code == 0
        assert "first" in answer.json["skipped"][0]

    def office(self, **how: str) -> dict[str, object]:
        """The suites, the first of which says whether documents are open in it."""
        suites = {**SUITES, "first": {**SUITES["first"], "open": how}}
        return {"office": {**OFFICE["office"], "suites": suites}}

    def test_a_change_waits_for_open_documents(self, occ: Occ, apply: Apply):
        apply(OFFICE)
        occ("config:app:set", "archipel", "office", "--value=second")
        waiting = apply(
            self.office(query="SELECT 3 FROM *PREFIX*appconfig WHERE {now} > 0 LIMIT 1")
        )
        assert waiting.code == 0
        assert waiting.json["skipped"] == ["office: first stays for now, 3 documents are open"]
        assert self.on(occ) == {"federation"}
        closed = apply(self.office(query="SELECT 0"))
        assert "disable application federation" in closed.json["changes"]
        assert self.on(occ) == {"admin_audit"}
        assert occ("config:app:get", "archipel", "office_since").code != 0

    @pytest.mark.parametrize(
        ("how", "soon", "late"),
        [
            ({"query": "SELECT 3"}, 3600, 90000),
            ({"url": "http://127.0.0.1:9/", "key": "a.b"}, 60, 700),
            ({"query": "SELECT nothing FROM nowhere"}, 60, 700),
        ],
        ids=["documents", "silent server", "no table"],
    )
    def test_nobody_waits_for_ever(
        self, occ: Occ, apply: Apply, how: dict[str, str], soon: int, late: int
    ):
        apply(OFFICE)
        occ("config:app:set", "archipel", "office", "--value=second")
        for ago, on in ((soon, "federation"), (late, "admin_audit")):
            since = str(int(time.time()) - ago)
            occ("config:app:set", "archipel", "office_since", f"--value={since}")
            apply(self.office(**how))
            assert self.on(occ) == {on}

    def test_a_hundred_switches_leave_a_healthy_space(self, occ: Occ, apply: Apply):
        for turn in range(100):
            suite = "second" if turn % 2 else "first"
            occ("config:app:set", "archipel", "office", f"--value={suite}")
            assert apply(OFFICE).code == 0
        assert self.on(occ) == {"admin_audit"}
        assert occ("status", "--output=json").json["needsDbUpgrade"] is False


PASSWORD = "A-g00d-passphrase!"
# Seconds that a link to a password works, in all releases that there are.
WEEK = 7 * 24 * 3600


def set_password(anonymous: Client, path: str) -> Any:
    """Do what the page behind an invitation does, in one session with its form."""
    page = anonymous.get(path)
    found = re.search(r'data-requesttoken="([^"]+)"', page.text)
    assert found
    return anonymous.request(
        "POST",
        path.replace("/lostpassword/reset/form/", "/lostpassword/set/"),
        urlencode({"password": PASSWORD, "proceed": "true"}).encode(),
        Cookie=page.cookies,
        requesttoken=found.group(1),
        Content_Type="application/x-www-form-urlencoded",
    ).json


class TestInvitation:
    def test_a_name_too_long_for_an_account_is_whole_in_the_letter(
        self, occ: Occ, apply: Apply, clean: None
    ):
        name = "É" * 63 + " de l'association"
        done = apply({**DESIRED, "admin": {**ADMIN, "display_name": name}})
        assert done.code == 0, done
        assert f"Bonjour {name}" in done.json["invitation"]["body"]
        info = occ("user:info", ADMIN["uid"], "--output=json").json
        assert (info["display_name"], info["email"]) == ("É" * 63, ADMIN["email"])

    def test_letter_is_in_the_administrators_language(self, apply: Apply, clean: None):
        letter = apply(DESIRED).json["invitation"]
        assert letter["to"] == ADMIN["email"]
        assert letter["link"] in letter["body"]
        assert "Bonjour Bureau de l'Été" in letter["body"]
        assert letter["subject"].startswith("Votre espace «\u00a0")

    def test_it_says_until_when_the_link_works(self, occ: Occ, apply: Apply, clean: None):
        zone = occ("config:system:get", "default_timezone").out.strip() or "UTC"
        begun = int(time.time())
        letter = apply(DESIRED).json["invitation"]
        assert begun + WEEK <= letter["until"] <= int(time.time()) + WEEK
        assert f"jusqu’au {in_words(letter['until'], zone, 'fr')}." in letter["body"]
        english = {**DESIRED, "admin": {**ADMIN, "language": "en"}, "invite": "again"}
        letter = apply(english).json["invitation"]
        assert f"once, until {in_words(letter['until'], zone, 'en')}." in letter["body"]

    def test_the_same_is_in_both_forms(self, apply: Apply, clean: None):
        letter = apply(DESIRED).json["invitation"]
        assert '<html lang="fr">' in letter["html"]
        for line in filter(None, letter["body"].splitlines()):
            if not line.endswith(":"):
                assert html.escape(line).replace("&#x27;", "&apos;") in letter["html"]
        assert "<" not in letter["body"]

    def test_it_is_from_the_operator(self, occ: Occ, apply: Apply, clean: None):
        operator = {"name": "Ops & <Co>", "url": "https://ops.example", "email": "a@ops.example"}
        wanted = {**DESIRED, "app_config": {"archipel": {"operator": operator}}}
        letter = apply(wanted).json["invitation"]
        occ("config:app:delete", "archipel", "operator")
        assert (letter["from_name"], letter["reply_to"]) == ("Ops & <Co>", "a@ops.example")
        assert letter["body"].endswith("\n\nOps & <Co>\nhttps://ops.example\na@ops.example\n")
        assert "Répondez à ce message" in letter["body"]
        assert "Ops &amp; &lt;Co&gt;" in letter["html"]

    def test_a_link_ends_when_somebody_logs_in(
        self, occ: Occ, apply: Apply, anonymous: Client, clean: None
    ):
        apply({**DESIRED, "invite": False})
        occ("user:resetpassword", "--password-from-env", "bureau", OC_PASS=PASSWORD)
        link = urlsplit(apply({**DESIRED, "invite": "again"}).json["invitation"]["link"])
        time.sleep(1.1)
        admin = replace(anonymous, account="bureau", password=PASSWORD)
        assert admin.ocs("/cloud/user").status == 200
        assert set_password(anonymous, link.path)["status"] == "error"

    def test_a_link_is_bound_to_the_address_it_went_to(
        self, occ: Occ, apply: Apply, anonymous: Client, clean: None
    ):
        link = urlsplit(apply(DESIRED).json["invitation"]["link"])
        occ("user:setting", "bureau", "settings", "email", "other@association.example")
        assert set_password(anonymous, link.path)["status"] == "error"

    def test_letter_to_nobody_in_particular_names_no_account(self, apply: Apply, clean: None):
        """The name of an account is no name of a person."""
        nameless = {key: value for key, value in ADMIN.items() if key != "display_name"}
        unnamed = {**DESIRED, "admin": nameless}
        letter = apply(unnamed).json["invitation"]
        assert letter["body"].startswith("Bonjour,\n")
        assert f": {ADMIN['uid']}" in letter["body"]

    def test_link_sets_the_password_once(self, apply: Apply, anonymous: Client, clean: None):
        link = urlsplit(apply(DESIRED).json["invitation"]["link"])
        assert anonymous.get(link.path).status == 200
        assert set_password(anonymous, link.path)["status"] == "success"
        admin = replace(anonymous, account="bureau", password=PASSWORD)
        assert admin.ocs("/cloud/user").status == 200
        assert set_password(anonymous, link.path)["status"] == "error"

    def test_wrong_link_does_not_set_a_password(self, apply: Apply, anonymous: Client, clean: None):
        link = urlsplit(apply(DESIRED).json["invitation"]["link"])
        token = link.path.split("/")[-2]
        wrong = link.path.replace(token, token[::-1])
        assert set_password(anonymous, wrong)["status"] == "error"

    def test_again_makes_a_new_one_and_never_makes_none(self, apply: Apply, clean: None):
        first = apply({**DESIRED, "invite": False}).json
        assert first["invitation"] is None
        second = apply({**DESIRED, "invite": "again"}).json["invitation"]
        third = apply({**DESIRED, "invite": "again"}).json["invitation"]
        assert second["link"] != third["link"]


class TestInvitationAgain:
    """occ archipel:invite."""

    ORDER: ClassVar = {"admin": ADMIN, "by_mail": False, "again": False}

    @pytest.fixture
    def invite(self, occ: Occ):
        def call(order: object, *options: str) -> Outcome:
            text = order if isinstance(order, str) else json.dumps(order)
            return occ("archipel:invite", *options, stdin=text)

        return call

    def test_a_dry_run_says_who_and_makes_no_link(
        self, apply: Apply, invite: Apply, anonymous: Client, clean: None
    ):
        link = urlsplit(apply(DESIRED).json["invitation"]["link"])
        planned = invite(self.ORDER, "--dry-run").json
        assert (planned["to"], planned["left"], planned["errors"]) == (ADMIN["email"], False, [])
        assert planned["changes"] == ["invite bureau"]
        assert planned["invitation"] is None
        assert set_password(anonymous, link.path)["status"] == "success"

    def test_the_new_link_works_and_the_old_one_no_longer(
        self, apply: Apply, invite: Apply, anonymous: Client, clean: None
    ):
        old = urlsplit(apply(DESIRED).json["invitation"]["link"])
        done = invite(self.ORDER)
        assert done.code == 0, done
        new = urlsplit(done.json["invitation"]["link"])
        assert set_password(anonymous, old.path)["status"] == "error"
        assert set_password(anonymous, new.path)["status"] == "success"

    def test_a_letter_that_no_relay_took_leaves_the_earlier_link(
        self, occ: Occ, apply: Apply, invite: Apply, anonymous: Client, clean: None
    ):
        old = urlsplit(apply(DESIRED).json["invitation"]["link"])
        relay = {"mail_smtpmode": "smtp", "mail_smtphost": "127.0.0.1", "mail_smtpport": "1"}
        before = {key: occ("config:system:get", key).out.strip() for key in relay}
        for key, value in relay.items():
            occ("config:system:set", key, f"--value={value}")
        refused = invite({**self.ORDER, "by_mail": True})
        for key, known in before.items():
            back = ("config:system:set", key, f"--value={known}")
            occ(*(back if known else ("config:system:delete", key)))
        assert refused.code == 1
        (why,) = refused.json["errors"]
        assert why.startswith(f"invite bureau: not accepted for {ADMIN['email']}: ")
        assert "127.0.0.1:1" in why
        assert set_password(anonymous, old.path)["status"] == "success"

    def test_who_has_logged_in_is_left_alone_unless_asked(
        self, apply: Apply, invite: Apply, anonymous: Client, clean: None
    ):
        link = urlsplit(apply(DESIRED).json["invitation"]["link"])
        assert set_password(anonymous, link.path)["status"] == "success"
        begun = int(time.time())
        admin = replace(anonymous, account="bureau", password=PASSWORD)
        assert admin.ocs("/cloud/user").status == 200
        left = invite(self.ORDER)
        assert (left.code, left.json["left"], left.json["invitation"]) == (0, True, None)
        assert begun <= left.json["last_login"] <= time.time()
        again = invite({**self.ORDER, "again": True}).json
        assert again["changes"] == ["invite bureau"]
        assert again["invitation"]["to"] == ADMIN["email"]

    def test_an_address_that_was_wrong_is_put_right_while_nobody_was_there(
        self, occ: Occ, apply: Apply, invite: Apply, clean: None
    ):
        apply(DESIRED)
        right = {**ADMIN, "email": "right@association.example", "display_name": "Right"}
        done = invite({**self.ORDER, "admin": right}).json
        assert done["errors"] == []
        assert done["invitation"]["to"] == "right@association.example"
        info = occ("user:info", "bureau", "--output=json").json
        assert (info["email"], info["display_name"]) == ("right@association.example", "Right")

    def test_an_account_in_use_is_handed_to_nobody_else(
        self, occ: Occ, apply: Apply, invite: Apply, anonymous: Client, clean: None
    ):
        apply({**DESIRED, "invite": False})
        occ("user:resetpassword", "--password-from-env", "bureau", OC_PASS=PASSWORD)
        admin = replace(anonymous, account="bureau", password=PASSWORD)
        assert admin.ocs("/cloud/user").status == 200
        other = {**ADMIN, "email": "other@association.example"}
        refused = invite({**self.ORDER, "admin": other, "again": True})
        assert refused.code == 1
        assert refused.json["invitation"] is None
        (why,) = refused.json["errors"]
        assert ADMIN["email"] in why
        assert "other@association.example" in why
        assert occ("user:info", "bureau", "--output=json").json["email"] == ADMIN["email"]

    @pytest.mark.parametrize("why", ["is disabled here", "there is no account bureau here"])
    def test_where_there_is_nobody_to_invite(
        self, occ: Occ, apply: Apply, invite: Apply, clean: None, why: str
    ):
        apply({**DESIRED, "invite": False})
        occ(*(("user:disable", "bureau") if "disabled" in why else ("user:delete", "bureau")))
        refused = invite(self.ORDER)
        assert refused.code == 1
        assert why in refused.json["errors"][0]

    @pytest.mark.parametrize(
        "order",
        ["{", {}, {**ORDER, "again": "yes"}, {**ORDER, "to": "x@y.example"}, {"admin": {"uid": 1}}],
    )
    def test_what_is_no_order_is_refused(self, invite: Apply, order: object):
        refused = invite(order)
        assert refused.code == 2
        assert "nothing was sent" in refused.err


REFUSED = {
    "not JSON": "{",
    "not an object": "[]",
    "unknown key": {"app": {}},
    "unknown key inside": {"apps": {"on": []}},
    "wrong type": {"groups": "members"},
    "bad application id": {"apps": {"enable": ["../x"]}},
    "enabled and disabled": {"apps": {"enable": ["federation"], "disable": ["federation"]}},
    "unknown application": {"apps": {"enable": ["no_such_app"]}, "groups": ["members"]},
    "part of Nextcloud": {"apps": {"disable": ["files"]}, "groups": ["members"]},
    "protected setting": {"app_config": {"files": {"enabled": "no"}}},
    "member of admin": {"groups": ["admin"], "admin": {**ADMIN, "groups": ["admin"]}},
    "group not listed": {"admin": ADMIN},
    "no mail address": {"groups": ["members"], "admin": {"uid": "bureau", "email": "nobody"}},
    "administrator removed": {**DESIRED, "remove_users": ["bureau"]},
    "nobody to invite": {"invite": True},
    "invite is a word": {**DESIRED, "invite": "maybe"},
    "delegation of a path": {"delegations": {"../../x": []}},
    "suite without application": {"office": {"suites": {"a": {"name": "A"}}, "default": "a"}},
    "unknown key of office": {"office": {"suites": {}, "default": "first", "pin": True}},
    "connector in the set too": {**OFFICE, "apps": {"enable": ["federation"]}},
    "open documents counted twice": {
        "office": {
            "suites": {"a": {"name": "A", "application": "b", "open": {"query": "x", "url": "y"}}},
            "default": "a",
        }
    },
    "logo without a digest": {"logo": {"file": "/logo"}},
    "logo by a relative path": {"logo": {"file": "../logo", "sha256": "0" * 64}},
    "imposed and given": {
        "app_config": {"theming": {"slogan": "a"}},
        "app_defaults": {"theming": {"slogan": "b"}},
    },
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_refused_documents_change_nothing(occ: Occ, apply: Apply, document: object):
    groups = occ("group:list", "--output=json").out
    answer = apply(document)
    assert answer.code == 2
    assert answer.out == ""
    assert "archipel:apply: " in answer.err
    assert "nothing was changed" in answer.err
    assert occ("group:list", "--output=json").out == groups


def test_all_problems_come_at_once(apply: Apply):
    answer = apply({"apps": {"enable": [1, "UP"]}, "invite": 3, "what": 1})
    assert answer.code == 2
    assert all(
        word in answer.err for word in ("apps.enable[0]", "apps.enable[1]", "invite", "what")
    )


def test_status_says_what_an_operator_wants_to_know(occ: Occ, anonymous: Client):
    status = occ("archipel:status")
    assert status.code == 0
    assert set(status.json) == {
        "version",
        "accounts",
        "storage",
        "office",
        "admins",
        "apps",
        "last_cron",
    }
    assert status.json["version"] == anonymous.get("/status.php").json["version"]
    assert status.json["apps"]["archipel"]
    assert status.json["apps"] == occ("app:list", "--output=json").json["enabled"]
