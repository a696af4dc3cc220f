# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What an association's administrator may do over HTTP, and what not however they try."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conformance.client import Answer, Client
from tests.conformance.conftest import Occ, Outcome

pytestmark = pytest.mark.real

PASSWORD = "A-g00d-passphrase!"
FORM = "application/x-www-form-urlencoded"
SUITES = {
    "first": {"name": "First <Suite>", "application": "federation"},
    "second": {"name": "Second Suite", "application": "admin_audit"},
}
DESIRED: dict[str, Any] = {
    "app_config": {
        "archipel": {
            "storage": 1024**3,
            "operator": {
                "name": "Operator & Co",
                "url": "https://operator.example",
                "email": "help@operator.example",
                "help_url": "https://operator.example/help",
            },
        }
    },
    "office": {"suites": SUITES, "default": "first", "pinned": False},
    "groups": ["members", "space-admins"],
    "admin": {
        "uid": "bureau",
        "email": "bureau@association.example",
        "language": "fr",
        "groups": ["members", "space-admins"],
        "subadmin_of": ["members"],
    },
    "delegations": {
        f"OCA\\{page}": ["space-admins"]
        for page in (
            "Archipel\\Settings\\MySpace",
            "Settings\\Settings\\Admin\\Sharing",
            "Settings\\Settings\\Admin\\Users",
            "Theming\\Settings\\Admin",
        )
    },
}
OFFICE = "/ocs/v2.php/apps/archipel/api/v1/office?format=json"


@dataclass(frozen=True)
class Person:
    """Somebody who knows their way around the programming interface."""

    client: Client

    def ocs(self, method: str, path: str, **values: str) -> Answer:
        return self.client.request(
            method,
            f"/ocs/v2.php{path}{'&' if '?' in path else '?'}format=json",
            urlencode(
                {name.replace("_in_", "[]"): value for name, value in values.items()}
            ).encode(),
            OCS_APIRequest="true",
            Content_Type=FORM,
        )

    def page(self, path: str) -> int:
        return self.client.get(path, OCS_APIRequest="true").status


def code(answer: Answer) -> int:
    """Return what OCS says itself; some refusals are an HTTP status alone."""
    try:
        return int(answer.json["ocs"]["meta"]["statuscode"])
    except ValueError:
        return answer.status


@pytest.fixture(scope="module")
def administrator(occ: Occ, anonymous: Client) -> Iterator[Person]:
    before = occ("app:list", "--output=json").json["enabled"]
    done = occ("archipel:apply", stdin=json.dumps(DESIRED))
    assert done.code == 0, done
    reset = occ(
        "user:resetpassword", "--password-from-env", "bureau", OC_PASS=PASSWORD, NC_PASS=PASSWORD
    )
    assert reset.code == 0, reset
    yield Person(replace(anonymous, account="bureau", password=PASSWORD))
    for name in occ("user:list", "--output=json").json:
        if name == "bureau" or name.startswith("rights-"):
            occ("user:delete", name)
    for group in ("members", "space-admins", "rights-group"):
        occ("group:delete", group)
    keys = (
        "office",
        "office_policy",
        "office_since",
        "storage",
        "operator",
        "former_administrators",
    )
    for key in keys:
        occ("config:app:delete", "archipel", key)
    occ("app:disable", "admin_audit")
    occ("app:enable" if "federation" in before else "app:disable", "federation")


@pytest.fixture
def member(administrator: Person) -> str:
    """Somebody the administrator has just made an account for."""
    name = f"rights-{time.monotonic_ns()}"
    made = administrator.ocs(
        "POST", "/cloud/users", userid=name, password=PASSWORD, groups_in_="members"
    )
    assert code(made) == 200, made.text
    return name


@pytest.fixture(autouse=True)
def no_more_accounts_than_needed(occ: Occ, administrator: Person) -> Iterator[None]:
    yield
    for name in occ("user:list", "--output=json").json:
        if name.startswith("rights-"):
            occ("user:delete", name)


class TestMay:
    def test_add_change_disable_and_remove_an_account(
        self, occ: Occ, administrator: Person, member: str
    ):
        name = administrator.ocs("PUT", f"/cloud/users/{member}", key="displayname", value="Zoé")
        assert code(name) == 200
        assert occ("user:info", member, "--output=json").json["display_name"] == "Zoé"
        assert code(administrator.ocs("PUT", f"/cloud/users/{member}/disable")) == 200
        assert occ("user:info", member, "--output=json").json["enabled"] is False
        assert code(administrator.ocs("PUT", f"/cloud/users/{member}/enable")) == 200
        assert code(administrator.ocs("DELETE", f"/cloud/users/{member}")) == 200
        assert member not in occ("user:list", "--output=json").json

    def test_change_the_theme(self, occ: Occ, administrator: Person):
        page = administrator.client.get("/index.php/settings/admin/theming")
        token = re.search(r'data-requesttoken="([^"]+)"', page.text)
        assert token
        answer = administrator.client.request(
            "POST",
            "/index.php/apps/theming/ajax/updateStylesheet",
            urlencode({"setting": "slogan", "value": "Ensemble"}).encode(),
            Cookie=page.cookies,
            requesttoken=token.group(1),
            Content_Type=FORM,
        )
        assert answer.status == 200
        assert occ("config:app:get", "theming", "slogan").out.strip() == "Ensemble"
        occ("config:app:delete", "theming", "slogan")

    @pytest.mark.parametrize("page", ["archipel", "sharing", "theming"])
    def test_open_their_settings(self, administrator: Person, page: str):
        assert administrator.page(f"/index.php/settings/admin/{page}") == 200


class TestMayNot:
    @pytest.mark.parametrize(
        ("method", "path", "values"),
        [
            ("GET", "/cloud/apps", {}),
            ("POST", "/cloud/apps/federation", {}),
            ("DELETE", "/cloud/apps/archipel", {}),
            ("POST", "/cloud/users/{self}/groups", {"groupid": "admin"}),
            ("POST", "/cloud/users/{member}/groups", {"groupid": "admin"}),
            ("POST", "/cloud/users/{member}/subadmins", {"groupid": "admin"}),
            ("POST", "/cloud/groups", {"groupid": "admin"}),
            ("DELETE", "/cloud/groups/admin", {}),
            (
                "POST",
                "/cloud/users",
                {"userid": "rights-root", "password": PASSWORD, "groups_in_": "admin"},
            ),
            (
                "POST",
                "/apps/provisioning_api/api/v1/config/apps/files/default_quota",
                {"value": "none"},
            ),
            (
                "POST",
                "/apps/provisioning_api/api/v1/config/apps/archipel/office",
                {"value": "second"},
            ),
            ("POST", "/apps/provisioning_api/api/v1/config/apps/archipel/storage", {"value": "9"}),
            ("POST", "/apps/provisioning_api/api/v1/config/apps/core/enabled", {"value": "no"}),
            ("DELETE", "/apps/provisioning_api/api/v1/config/apps/archipel/office_policy", {}),
            ("GET", "/apps/serverinfo/api/v1/info", {}),
            ("POST", "/apps/appstore/api/v1/apps/enable", {"appIds_in_": "federation"}),
            ("POST", "/apps/appstore/api/v1/apps/disable", {"appIds_in_": "archipel"}),
        ],
    )
    def test_reach_the_server_by_its_interface(
        self,
        occ: Occ,
        administrator: Person,
        member: str,
        method: str,
        path: str,
        values: dict[str, str],
    ):
        enabled = occ("app:list", "--output=json").json["enabled"]
        answer = administrator.ocs(method, path.format(self="bureau", member=member), **values)
        assert code(answer) not in (100, 200), answer.text
        assert occ("app:list", "--output=json").json["enabled"] == enabled
        assert occ("group:list", "--output=json").json["admin"] == []

    @pytest.mark.parametrize(
        "path",
        [
            "/index.php/settings/apps",
            "/index.php/settings/apps/list",
            "/index.php/settings/apps/installed",
            "/index.php/settings/admin/overview",
            "/index.php/settings/admin/server",
            "/index.php/settings/admin/security",
            "/index.php/settings/admin/logging",
            "/index.php/settings/admin/richdocuments",
        ],
    )
    def test_open_pages_about_the_server(self, administrator: Person, path: str):
        assert administrator.page(path) in (403, 404)

    def test_see_who_may_do_what_of_the_servers_administration(self, administrator: Person):
        """In 32 the right to manage accounts opens the page, and an empty part of it."""
        answer = administrator.client.get("/index.php/settings/admin/admindelegation")
        assert answer.status in (200, 403, 404)
        assert "available-groups" not in answer.text
        assert "authorized-groups" not in answer.text

    @pytest.mark.parametrize("verb", ["enable", "disable", "update", "uninstall", "force"])
    def test_manage_applications_by_the_old_page(self, occ: Occ, administrator: Person, verb: str):
        enabled = occ("app:list", "--output=json").json["enabled"]
        for method in ("GET", "POST"):
            answer = administrator.client.request(
                method,
                f"/index.php/settings/apps/{verb}/federation",
                b"" if method == "POST" else None,
                OCS_APIRequest="true",
            )
            assert answer.status in (403, 404, 405), answer.text
        assert occ("app:list", "--output=json").json["enabled"] == enabled

    def test_mail_and_delegation_stay_the_operators(self, administrator: Person):
        for path in ("/index.php/settings/admin/mailsettings", "/apps/settings/delegation"):
            answer = administrator.client.request("POST", path, b"", OCS_APIRequest="true")
            assert answer.status >= 400

    def test_a_member_may_not_even_do_what_an_administrator_may(
        self, administrator: Person, member: str
    ):
        person = Person(replace(administrator.client, account=member))
        assert person.page("/index.php/settings/admin/archipel") == 403
        assert code(person.ocs("PUT", OFFICE.removeprefix("/ocs/v2.php"), suite="second")) == 403
        assert code(person.ocs("POST", "/cloud/users", userid="rights-x", password=PASSWORD)) != 200


class TestAdministrators:
    def test_who_joins_them_looks_after_the_members(self, occ: Occ, member: str):
        assert member not in occ("archipel:status").json["admins"]
        occ("group:adduser", "space-admins", member)
        assert member in occ("archipel:status").json["admins"]
        occ("group:removeuser", "space-admins", member)
        assert member not in occ("archipel:status").json["admins"]


class TestFormerAdministrators:
    """Administrators take the right from one another; one of them always stays."""

    API = "/apps/archipel/api/v1/administrators"

    @pytest.fixture
    def president(self, occ: Occ, member: str) -> Iterator[str]:
        occ("group:adduser", "space-admins", member)
        yield member
        occ("user:enable", member)
        occ("group:removeuser", "space-admins", member)
        occ("group:adduser", "space-admins", "bureau")

    def uids(self, person: Person) -> set[str]:
        answer = person.ocs("GET", self.API)
        return {one["uid"] for one in answer.json["ocs"]["data"]}

    def test_the_page_lists_them_with_labels_and_no_form_for_oneself(
        self, administrator: Person, president: str
    ):
        page = administrator.client.get("/index.php/settings/admin/archipel").text
        section = page[page.index('id="archipel-administrators"') :].split("</section>")[0]
        assert f"({president})" in section
        assert section.count("<form") == 1
        controls = re.findall(r'<input type="checkbox"[^>]* id="([^"]+)"', section)
        assert len(controls) == 2
        assert all(f'<label for="{control}">' in section for control in controls)
        assert "Retirer ce droit" in section

    @pytest.mark.parametrize("confirm", ["", "bureau", "somebody"])
    def test_without_a_confirmation_nothing_changes(
        self, administrator: Person, president: str, confirm: str
    ):
        refused = administrator.ocs("DELETE", f"{self.API}/{president}", confirm=confirm)
        assert code(refused) == 403
        assert self.uids(administrator) == {"bureau", president}

    def test_the_right_is_taken_and_an_ordinary_account_is_left(
        self, occ: Occ, administrator: Person, president: str
    ):
        done = administrator.ocs("DELETE", f"{self.API}/{president}", confirm=president)
        assert code(done) == 200, done.text
        assert self.uids(administrator) == {"bureau"}
        assert president not in occ("archipel:status").json["admins"]
        about = occ("user:info", president, "--output=json").json
        assert (about["enabled"], about["groups"]) == (True, ["members"])
        # From here on the page of accounts can do the rest.
        assert code(administrator.ocs("PUT", f"/cloud/users/{president}/disable")) == 200

    def test_the_account_is_disabled_with_it(self, occ: Occ, administrator: Person, president: str):
        done = administrator.ocs(
            "DELETE", f"{self.API}/{president}", confirm=president, disable="1"
        )
        assert code(done) == 200, done.text
        assert occ("user:info", president, "--output=json").json["enabled"] is False

    def test_nobody_takes_it_from_themselves_so_one_always_stays(
        self, administrator: Person, occ: Occ
    ):
        refused = administrator.ocs("DELETE", f"{self.API}/bureau", confirm="bureau")
        assert code(refused) == 403
        assert "bureau" in occ("archipel:status").json["admins"]

    def test_the_first_one_too_and_no_run_gives_it_back(
        self, occ: Occ, administrator: Person, anonymous: Client, president: str
    ):
        occ("user:resetpassword", "--password-from-env", president, OC_PASS=PASSWORD)
        successor = Person(replace(anonymous, account=president, password=PASSWORD))
        done = successor.ocs("DELETE", f"{self.API}/bureau", confirm="bureau")
        assert code(done) == 200, done.text
        said = occ("archipel:apply", stdin=json.dumps(DESIRED)).json
        assert any("bureau no longer administers" in one for one in said["skipped"])
        assert "bureau" not in occ("archipel:status").json["admins"]
        assert code(administrator.ocs("GET", self.API)) == 403

    def test_who_is_made_one_again_is_one(self, occ: Occ, administrator: Person, president: str):
        administrator.ocs("DELETE", f"{self.API}/{president}", confirm=president)
        occ("group:adduser", "space-admins", president)
        assert president in occ("archipel:status").json["admins"]
        assert self.uids(administrator) == {"bureau", president}

    def test_without_any_administrator_the_operator_s_word_counts_again(
        self, occ: Occ, administrator: Person
    ):
        occ("group:removeuser", "space-admins", "bureau")
        assert occ("archipel:status").json["admins"] == []
        assert occ("archipel:apply", stdin=json.dumps(DESIRED)).code == 0
        assert occ("archipel:status").json["admins"] == ["bureau"]

    def test_the_page_of_accounts_lets_them_manage_one_another(
        self, occ: Occ, administrator: Person, president: str
    ):
        """Newer releases keep group administrators from it: these have "Users" delegated."""
        done = administrator.ocs("PUT", f"/cloud/users/{president}/disable")
        assert code(done) == 200, done.text
        assert code(administrator.ocs("DELETE", f"/cloud/users/{president}")) == 200
        assert president not in occ("archipel:status").json["admins"]

    def test_members_cannot(self, occ: Occ, administrator: Person, anonymous: Client, member: str):
        occ("user:resetpassword", "--password-from-env", member, OC_PASS=PASSWORD)
        person = Person(replace(anonymous, account=member, password=PASSWORD))
        assert code(person.ocs("GET", self.API)) == 403
        assert code(person.ocs("DELETE", f"{self.API}/bureau", confirm="bureau")) == 403

    def test_a_plain_form_in_a_session_does_it_and_a_foreign_one_does_not(
        self, administrator: Person, president: str
    ):
        def send(*, whole: bool) -> Answer:
            page = administrator.client.get("/index.php/settings/admin/archipel")
            token = re.search(r'name="requesttoken" value="([^"]+)"', page.text)
            assert token
            values = {"uid": president, "confirm": president}
            return administrator.client.request(
                "POST",
                "/index.php/apps/archipel/administrators",
                urlencode(values | ({"requesttoken": token.group(1)} if whole else {})).encode(),
                Cookie=page.cookies,
                Content_Type=FORM,
            )

        assert send(whole=False).status == 412
        assert president in self.uids(administrator)
        sent = send(whole=True)
        assert sent.status == 303
        assert sent.headers["Location"].endswith("?administrator=removed#archipel-administrators")
        assert self.uids(administrator) == {"bureau"}


class TestLimit:
    def test_a_disabled_account_is_not_enabled_past_the_limit(
        self, occ: Occ, administrator: Person, member: str
    ):
        assert code(administrator.ocs("PUT", f"/cloud/users/{member}/disable")) == 200
        accounts = occ("archipel:status").json["accounts"]
        for number in range(accounts["limit"] - accounts["used"]):
            made = administrator.ocs(
                "POST",
                "/cloud/users",
                userid=f"rights-{number}",
                password=PASSWORD,
                groups_in_="members",
            )
            assert code(made) == 200, made.text
        one_more = administrator.ocs(
            "POST", "/cloud/users", userid="rights-more", password=PASSWORD, groups_in_="members"
        )
        assert code(one_more) != 200
        refused = administrator.ocs("PUT", f"/cloud/users/{member}/enable")
        assert code(refused) not in (100, 200), refused.text
        assert occ("user:info", member, "--output=json").json["enabled"] is False
        assert occ("archipel:status").json["accounts"]["used"] == accounts["limit"]


class TestMySpace:
    @pytest.fixture
    def page(self, administrator: Person) -> str:
        return administrator.client.get("/index.php/settings/admin/archipel").text

    def test_shows_limits_release_office_and_help(self, page: str, occ: Occ):
        accounts = occ("archipel:status").json["accounts"]
        assert f"{accounts['used']} sur {accounts['limit']}" in page
        assert re.search(r"\d\u00a0[KMG]?o sur 1\u00a0Go", page)
        assert "Nextcloud " in page
        assert "First &lt;Suite&gt;" in page
        assert "Operator &amp; Co" in page
        assert 'href="https://operator.example/help"' in page
        assert 'href="mailto:help@operator.example"' in page

    def test_is_in_english_too(self, occ: Occ, administrator: Person):
        occ("user:setting", "bureau", "core", "lang", "en")
        page = administrator.client.get("/index.php/settings/admin/archipel").text
        occ("user:setting", "bureau", "core", "lang", "fr")
        assert "Everybody in this space edits documents with:" in page
        assert re.search(r"\d [KMG]?B of 1 GB", page)

    def test_every_control_has_its_label(self, page: str):
        form = page[page.index('<form method="post"') : page.index("</form>")]
        controls = re.findall(r'<input type="radio"[^>]* id="([^"]+)"', form)
        assert controls
        assert all(f'<label for="{control}">' in form for control in controls)
        assert "<legend>" in form

    def test_french_leaves_nothing_untranslated(self, page: str):
        section = page[page.index('id="archipel-my-space"') :]
        for word in ("Storage", "Accounts", "Help", "Use this suite", "Everybody"):
            assert word not in section


class TestOffice:
    """What the page says of the suites that there are."""

    @pytest.fixture
    def page(self, occ: Occ, administrator: Person) -> Iterator[Callable[[dict[str, Any]], str]]:
        def shown(suites: dict[str, Any]) -> str:
            desired = {**DESIRED, "office": {**DESIRED["office"], "suites": suites}}
            assert occ("archipel:apply", stdin=json.dumps(desired)).code == 0
            # What occ has set, the web side may read from its memory for some seconds.
            time.sleep(4)
            text = administrator.client.get("/index.php/settings/admin/archipel").text
            return text[text.index('id="archipel-office"') :].split("</section>")[0]

        yield shown
        occ("archipel:apply", stdin=json.dumps(DESIRED))

    def test_where_there_is_one_suite_nothing_can_be_chosen(
        self, page: Callable[[dict[str, Any]], str]
    ):
        section = page({"first": SUITES["first"]})
        assert "First &lt;Suite&gt;" in section
        assert "Utiliser cette suite" not in section
        assert "<form" not in section
        assert "radio" not in section

    @pytest.mark.parametrize("count", [1, 2])
    def test_a_suite_without_a_server_is_not_said_to_be_in_use(
        self, page: Callable[[dict[str, Any]], str], count: int
    ):
        suites = {name: {**suite, "served": False} for name, suite in SUITES.items()}
        section = page(dict(list(suites.items())[:count]))
        assert "en service" not in section
        assert "Aucun serveur de cette suite" in section

    def test_a_suite_with_a_server_is_in_use(self, page: Callable[[dict[str, Any]], str]):
        section = page({name: {**suite, "served": True} for name, suite in SUITES.items()})
        assert section.count("en service") == 1
        assert "sans serveur" not in section
        assert "Aucun serveur" not in section


class TestSwitch:
    @pytest.fixture(autouse=True)
    def as_before(self, occ: Occ, administrator: Person) -> Iterator[None]:
        yield
        occ("config:app:delete", "archipel", "office")
        occ("archipel:apply", stdin=json.dumps(DESIRED))

    def test_is_stored_at_once_and_done_by_the_next_job(
        self, administrator: Person, cron: Callable[[], Outcome]
    ):
        chosen = administrator.ocs("PUT", OFFICE.removeprefix("/ocs/v2.php"), suite="second")
        assert chosen.json["ocs"]["data"]["chosen"] == "second"
        assert chosen.json["ocs"]["data"]["enabled"] == "first"
        page = administrator.client.get("/index.php/settings/admin/archipel").text
        assert "ici une minute" in page
        assert cron().code == 0
        until = time.monotonic() + 30
        state: dict[str, Any] = {}
        while state.get("enabled") != "second" and time.monotonic() < until:
            answer = administrator.client.get(OFFICE, OCS_APIRequest="true")
            state = answer.json["ocs"]["data"]
            time.sleep(1)
        assert state["enabled"] == "second"
        page = administrator.client.get("/index.php/settings/admin/archipel").text
        assert "ici une minute" not in page

    def test_waits_while_documents_are_open_and_says_so(
        self, occ: Occ, administrator: Person, cron: Callable[[], Outcome]
    ):
        def counted_by(query: str) -> None:
            suites = {**SUITES, "first": {**SUITES["first"], "open": {"query": query}}}
            desired = {**DESIRED, "office": {**DESIRED["office"], "suites": suites}}
            assert occ("archipel:apply", stdin=json.dumps(desired)).code == 0

        counted_by("SELECT 2")
        chosen = administrator.ocs("PUT", OFFICE.removeprefix("/ocs/v2.php"), suite="second")
        state = chosen.json["ocs"]["data"]
        assert (state["waits"], state["open"], state["enabled"]) == (True, 2, "first")
        assert cron().code == 0
        page = administrator.client.get("/index.php/settings/admin/archipel").text
        assert "Documents en cours de modification dans la suite en service\u00a0: 2." in page
        state = administrator.client.get(OFFICE, OCS_APIRequest="true").json["ocs"]["data"]
        assert state["enabled"] == "first"
        counted_by("SELECT 0")
        # What occ has set, the web side may read from its memory for some seconds.
        until = time.monotonic() + 30
        while state["enabled"] != "second" and time.monotonic() < until:
            state = administrator.client.get(OFFICE, OCS_APIRequest="true").json["ocs"]["data"]
            time.sleep(1)
        assert (state["enabled"], state["waits"]) == ("second", False)

    def test_works_as_a_plain_form_in_a_session(self, administrator: Person):
        page = administrator.client.get("/index.php/settings/admin/archipel")
        found = re.search(r'name="requesttoken" value="([^"]+)"', page.text)
        action = re.search(r'<form method="post" action="([^"]+)"', page.text)
        assert found and action
        sent = administrator.client.request(
            "POST",
            action.group(1),
            urlencode({"suite": "second", "requesttoken": found.group(1)}).encode(),
            Cookie=page.cookies,
            Content_Type=FORM,
        )
        assert sent.status == 303
        assert sent.headers["Location"].endswith("/settings/admin/archipel#archipel-office")
        state = administrator.client.get(OFFICE, OCS_APIRequest="true").json["ocs"]["data"]
        assert state["chosen"] == "second"

    def test_a_foreign_form_is_refused(self, administrator: Person):
        page = administrator.client.get("/index.php/settings/admin/archipel")
        sent = administrator.client.request(
            "POST",
            "/index.php/apps/archipel/office",
            urlencode({"suite": "second"}).encode(),
            Cookie=page.cookies,
            Content_Type=FORM,
        )
        assert sent.status == 412
        state = administrator.client.get(OFFICE, OCS_APIRequest="true").json["ocs"]["data"]
        assert state["chosen"] == "first"

    def test_an_unknown_suite_is_refused(self, administrator: Person):
        refused = administrator.ocs("PUT", OFFICE.removeprefix("/ocs/v2.php"), suite="abacus")
        assert code(refused) == 403
        state = administrator.client.get(OFFICE, OCS_APIRequest="true").json["ocs"]["data"]
        assert state["chosen"] == "first"

    def test_a_pinned_suite_cannot_be_changed(self, occ: Occ, administrator: Person):
        pinned = {**DESIRED, "office": {**DESIRED["office"], "pinned": True}}
        assert occ("archipel:apply", stdin=json.dumps(pinned)).code == 0
        refused = administrator.ocs("PUT", OFFICE.removeprefix("/ocs/v2.php"), suite="second")
        assert code(refused) == 403
        page = administrator.client.get("/index.php/settings/admin/archipel").text
        assert "<fieldset disabled>" in page
        assert "hébergeur a choisi" in page


class TestWarnings:
    """At 80 and 95 %, once per crossing. The job is asked to run by its own name."""

    JOB = "OCA\\Archipel\\BackgroundJob\\WarnWhenFull"

    @pytest.fixture
    def warn(self, occ: Occ) -> Iterator[Callable[[], dict[str, str]]]:
        jobs = occ("background-job:list", "--class", self.JOB, "--output=json").json
        number = str(jobs[0]["id"])

        def run() -> dict[str, str]:
            assert occ("background-job:execute", number, "--force-execute").code == 0
            settings = occ("config:list", "archipel", "--output=json").json["apps"]["archipel"]
            return {key: str(value) for key, value in settings.items() if "warned" in key}

        yield run
        for what in ("accounts", "storage"):
            occ("config:app:delete", "archipel", f"warned_{what}")

    def test_accounts_are_counted(
        self, occ: Occ, administrator: Person, warn: Callable[[], dict[str, str]]
    ):
        assert warn() == {}
        accounts = occ("archipel:status").json["accounts"]
        for number in range(accounts["limit"] - 1 - accounts["used"]):
            administrator.ocs(
                "POST",
                "/cloud/users",
                userid=f"rights-{number}",
                password=PASSWORD,
                groups_in_="members",
            )
        # Seven of eight.
        assert warn() == {"warned_accounts": "80"}
        administrator.ocs(
            "POST", "/cloud/users", userid="rights-last", password=PASSWORD, groups_in_="members"
        )
        assert warn() == {"warned_accounts": "95"}
        for number in range(3):
            occ("user:delete", f"rights-{number}")
        assert warn() == {"warned_accounts": "0"}

    def test_storage_is_counted(
        self, occ: Occ, administrator: Person, warn: Callable[[], dict[str, str]]
    ):
        administrator.client.dav("PUT", "big.bin", b"x" * 900_000)
        used = occ("archipel:status").json["storage"]["used"]
        assert used >= 900_000
        small = {"app_config": {"archipel": {"storage": int(used / 0.9)}}}
        assert occ("archipel:apply", stdin=json.dumps(small)).code == 0
        try:
            assert warn()["warned_storage"] == "80"
        finally:
            administrator.client.dav("DELETE", "big.bin")
            occ("archipel:apply", stdin=json.dumps({"app_config": DESIRED["app_config"]}))
