# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""occ as the roles and playbooks use it: exit statuses and JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.conformance.client import Client
from tests.conformance.conftest import Occ, Outcome

# Nextcloud keeps applications' settings for some seconds in each process' memory.
SETTINGS_SECONDS = 15
STATUS_KEYS = {
    "installed",
    "version",
    "versionstring",
    "edition",
    "maintenance",
    "needsDbUpgrade",
    "productname",
    "extendedSupport",
}


def test_status_is_the_same_as_over_http(occ: Occ, anonymous: Client):
    status = occ("status", "--output=json")
    assert status.code == 0
    assert set(status.json) == STATUS_KEYS
    assert status.json == anonymous.get("/status.php").json
    assert status.json["installed"] is True


@pytest.mark.parametrize(
    "arguments", [["no:such-command"], ["status", "--no-such-option"], ["config:app:get", "core"]]
)
def test_wrong_use_fails(occ: Occ, arguments: list[str]):
    assert occ(*arguments).code == 1


class TestSystemConfiguration:
    @pytest.mark.parametrize(
        ("kind", "written", "read"),
        [("string", "a b", "a b"), ("integer", "7", 7), ("boolean", "true", True)],
    )
    def test_values_keep_their_type(self, occ: Occ, kind: str, written: str, read: object):
        name = "archipel.conformance"
        assert occ("config:system:set", name, f"--type={kind}", f"--value={written}").code == 0
        assert occ("config:system:get", name, "--output=json").json == read
        assert occ("config:system:delete", name).code == 0
        assert occ("config:system:get", name).code == 1

    def test_nested_values(self, occ: Occ):
        assert occ("config:system:set", "archipel.nested", "a", "b", "--value=c").code == 0
        assert occ("config:system:get", "archipel.nested", "--output=json").json == {
            "a": {"b": "c"}
        }
        assert occ("config:system:delete", "archipel.nested").code == 0

    def test_missing_value_has_a_default(self, occ: Occ):
        answer = occ("config:system:get", "archipel.none", "--default-value=x")
        assert (answer.code, answer.out.strip()) == (0, "x")

    def test_list_hides_secrets_unless_asked(self, occ: Occ):
        hidden = occ("config:list", "system", "--output=json").json["system"]
        shown = occ("config:list", "system", "--output=json", "--private").json["system"]
        assert hidden["secret"] == hidden["passwordsalt"] == "***REMOVED SENSITIVE VALUE***"
        assert len(shown["secret"]) >= 30
        assert shown["dbtype"] == "mysql"


class TestApplicationConfiguration:
    def test_set_get_delete(self, occ: Occ):
        key = ["files", "archipel_conformance"]
        assert occ("config:app:get", *key).code == 1
        assert occ("config:app:set", *key, "--value=40 GB").code == 0
        assert occ("config:app:set", *key, "--value=40 GB").code == 0
        assert occ("config:app:get", *key).out == "40 GB\n"
        assert occ("config:app:delete", *key).code == 0
        assert occ("config:app:get", *key).code == 1

    def test_import_many_from_standard_input(self, occ: Occ):
        wanted = {"apps": {"files": {"archipel_a": "1", "archipel_b": "é"}}}
        assert occ("config:import", stdin=json.dumps(wanted)).code == 0
        stored = occ("config:list", "files", "--output=json").json["apps"]["files"]
        assert {"archipel_a": "1", "archipel_b": "é"}.items() <= stored.items()
        for key in wanted["apps"]["files"]:
            occ("config:app:delete", "files", key)

    def test_import_of_nonsense_fails(self, occ: Occ):
        assert occ("config:import", stdin="{").code == 1


class TestApplications:
    def test_list(self, occ: Occ):
        apps = occ("app:list", "--output=json").json
        assert {"files", "dav", "settings", "theming", "archipel"} <= set(apps["enabled"])
        assert not set(apps["enabled"]) & set(apps["disabled"])

    def test_disable_and_enable(self, occ: Occ):
        assert occ("app:disable", "federation").code == 0
        assert "federation" in occ("app:list", "--output=json").json["disabled"]
        assert occ("app:enable", "federation").code == 0
        assert occ("app:enable", "federation").code == 0
        assert "federation" in occ("app:list", "--output=json").json["enabled"]

    def test_what_cannot_be(self, occ: Occ):
        assert occ("app:disable", "files").code == 2
        assert occ("app:enable", "no_such_app").code == 1


class TestAccounts:
    def test_life_of_an_account(self, occ: Occ, new_account: Callable[..., Client]):
        client = new_account("--display-name=Zoé", "--email=zoe@association.example")
        name = client.account
        assert occ("user:list", "--output=json").json[name] == "Zoé"
        info = occ("user:info", name, "--output=json").json
        assert info["user_id"] == name
        assert (info["display_name"], info["email"]) == ("Zoé", "zoe@association.example")
        assert info["enabled"] is True
        assert occ("user:disable", name).code == 0
        assert occ("user:info", name, "--output=json").json["enabled"] is False
        assert client.ocs("/cloud/user").status == 401
        assert occ("user:enable", name).code == 0
        assert client.ocs("/cloud/user").status == 200
        assert occ("user:delete", name).code == 0
        assert name not in occ("user:list", "--output=json").json

    def test_same_name_twice_and_no_name(self, occ: Occ, account: Client):
        again = occ("user:add", "--password-from-env", account.account, OC_PASS="x", NC_PASS="x")
        assert again.code == 1
        assert occ("user:info", "nobody-of-that-name").code == 1

    def test_setting(self, occ: Occ, account: Client):
        key = [account.account, "files", "quota"]
        assert occ("user:setting", *key, "10 GB").code == 0
        assert occ("user:setting", *key).out.strip() == "10 GB"

    def test_password_can_be_reset(self, occ: Occ, account: Client):
        new = {"OC_PASS": "An0ther-password!", "NC_PASS": "An0ther-password!"}
        reset = occ("user:resetpassword", "--password-from-env", account.account, **new)
        assert reset.code == 0
        assert account.ocs("/cloud/user").status == 401

    def test_groups(self, occ: Occ, account: Client):
        assert occ("group:add", "archipel-group").code == 0
        assert occ("group:add", "archipel-group").code == 1
        assert occ("group:adduser", "archipel-group", account.account).code == 0
        assert occ("group:list", "--output=json").json["archipel-group"] == [account.account]
        assert occ("group:adduser", "archipel-group", "nobody-of-that-name").code == 1
        assert occ("group:delete", "archipel-group").code == 0

    def test_limit_holds_for_enabled_accounts(self, occ: Occ, new_account: Callable[..., Client]):
        assert occ("config:system:get", "one-click-instance.user-limit").out.strip() == "8"
        used = occ("archipel:status").json["accounts"]["used"]
        clients = [new_account() for _ in range(8 - used)]
        refused = occ(
            "user:add",
            "--password-from-env",
            "one-more",
            OC_PASS="Zz9!zz9zz9zz9",
            NC_PASS="Zz9!zz9zz9zz9",
        )
        assert refused.code == 1
        assert "limit" in refused.out + refused.err
        occ("user:disable", clients[0].account)
        new_account()
        # Nor by taking turns: the disabled one stays so.
        assert occ("user:enable", clients[0].account).code != 0
        assert occ("user:info", clients[0].account, "--output=json").json["enabled"] is False


class TestMaintenance:
    @pytest.fixture
    def maintenance(self, occ: Occ):
        assert occ("maintenance:mode", "--on").code == 0
        yield
        assert occ("maintenance:mode", "--off").code == 0

    def test_maintenance_stops_serving_but_not_status(
        self, occ: Occ, anonymous: Client, shared_account: Client, maintenance: None
    ):
        assert anonymous.get("/status.php").json["maintenance"] is True
        assert anonymous.get("/login").status == 503
        assert shared_account.dav("PROPFIND", "", Depth="0").status == 503
        assert occ("status", "-e").code == 1
        assert occ("archipel:status").code == 1

    def test_serves_again_afterwards(self, occ: Occ, anonymous: Client):
        assert occ("status", "-e").code == 0
        assert anonymous.get("/login").status == 200


def test_the_repair_lets_people_in_again_and_leaves_the_key(occ: Occ):
    """What it leaves in config.php is taken out of a new space, whose copies do not have it."""
    assert occ("maintenance:repair", "--include-expensive").code == 0
    status = occ("status", "--output=json").json
    assert status["maintenance"] is False
    assert occ("config:system:get", "maintenance").out.strip() == "false"
    known = occ("config:app:get", "files", "mimetype_version").out.strip()
    assert known == status["version"]


def noticed(anonymous: Client, *, due: bool) -> bool:
    """Return whether the web side notices, in time, that an upgrade is due or done."""
    limit = time.monotonic() + SETTINGS_SECONDS
    while time.monotonic() < limit:
        answer = anonymous.get("/status.php")
        # Where it cannot write config.php, Nextcloud says nothing else meanwhile. Each process
        # of PHP notices for itself.
        said = answer.status == 503 or answer.json["needsDbUpgrade"]
        if due == said and anonymous.get("/login").status == (503 if due else 200):
            return True
        time.sleep(0.5)
    return False


class TestUpgrade:
    @pytest.fixture
    def older_application(self, occ: Occ):
        key = ["config:app:set", "federation", "installed_version"]
        # One that is off needs no upgrade.
        was_on = "federation" in occ("app:list", "--output=json").json["enabled"]
        occ("app:enable", "federation")
        before = occ("config:app:get", *key[1:]).out.strip()
        assert occ(*key, "--value=0.0.1").code == 0
        yield before
        occ("upgrade", "--no-interaction")
        if not was_on:
            occ("app:disable", "federation")

    def test_nothing_to_upgrade(self, occ: Occ):
        done = occ("upgrade", "--no-interaction")
        assert done.code == 0
        assert "latest" in done.out or "No upgrade required" in done.out

    def test_older_data_waits_for_the_upgrade(
        self, occ: Occ, anonymous: Client, cron: Callable[[], Outcome], older_application: str
    ):
        assert noticed(anonymous, due=True)
        assert anonymous.get("/login").status == 503
        assert occ("archipel:status").code == 1
        assert cron().code == 0
        assert occ("upgrade", "--no-interaction").code == 0
        assert noticed(anonymous, due=False)
        assert anonymous.get("/login").status == 200
        assert (
            occ("config:app:get", "federation", "installed_version").out.strip()
            == older_application
        )


def test_a_new_fingerprint_tells_clients_of_a_restore(occ: Occ):
    """They compare anew, instead of deleting what the backup did not have yet."""
    assert occ("maintenance:data-fingerprint").code == 0
    first = occ("config:system:get", "data-fingerprint").out.strip()
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")


def test_cron_leaves_its_mark(occ: Occ, cron: Callable[[], Outcome]):
    before = int(time.time())
    assert cron().code == 0
    assert int(occ("config:app:get", "core", "lastcron").out) >= before
    assert occ("config:app:get", "core", "backgroundjobs_mode").out.strip() == "cron"


@pytest.mark.parametrize("what", ["columns", "indices", "primary-keys"])
def test_database_repairs_run_and_leave_nothing(occ: Occ, what: str):
    assert occ(f"db:add-missing-{what}", "--no-interaction").code == 0
    left = occ(f"db:add-missing-{what}", "--dry-run")
    assert (left.code, "Adding" in left.out) == (0, False), left


def test_setup_checks_are_grouped_json(occ: Occ):
    checks = occ("setupchecks", "--output=json").json
    severities = {entry["severity"] for group in checks.values() for entry in group.values()}
    assert severities <= {"success", "info", "warning", "error"}
    assert "security" in checks
