# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the policy imposes is read back by whoever reads it, in every release."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.client import Client
from tests.conformance.conftest import Occ, Outcome

POLICY = Path(__file__).resolve().parents[2] / "group_vars" / "all"
READERS = ["string", "int", "float", "bool", "array"]
SHARING = ("files_sharing", "outgoing_server2server_share_enabled")
PAGES = ["/index.php/apps/files/"]

Settings = dict[str, dict[str, Any]]
Apply = Callable[[Settings], Outcome]


def policy() -> dict[str, Any]:
    """The policy as it stands in the project, templates and all."""
    values: dict[str, Any] = {}
    for file in sorted(POLICY.glob("*.yml")):
        values |= yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return values


def imposed() -> Settings:
    """Every setting that may be imposed on a space: of all suites, and with registration."""
    given = policy()
    settings: Settings = {}
    groups = [
        given["archipel_applications"]["settings"],
        given["spaces_applied_state"]["app_config"],
        {given["archipel_registration"]["application"]: given["archipel_registration"]["settings"]},
        *(
            {one["application"]: one["settings"]}
            for one in given["archipel_office_suites"].values()
        ),
    ]
    for group in groups:
        for application, values in group.items():
            settings[application] = settings.get(application, {}) | values
    return settings


@pytest.fixture(scope="module")
def apply(occ: Occ) -> Apply:
    return lambda settings: occ("archipel:apply", stdin=json.dumps({"app_config": settings}))


@pytest.fixture(scope="module")
def policy_applied(apply: Apply) -> Iterator[Settings]:
    """The whole policy is in force; afterwards the instance has none of it but the jobs' mode."""
    settings = imposed()
    assert apply(settings).code == 0
    yield settings
    apply({app: dict.fromkeys(values) for app, values in settings.items() if app != "core"})


def read_back(occ: Occ, settings: Settings) -> Outcome:
    return occ("archipel:check", "--input=-", stdin=json.dumps({"app_config": settings}))


def test_any_reader_gets_every_imposed_setting(occ: Occ, policy_applied: Settings):
    done = read_back(occ, policy_applied)
    assert (done.code, done.json["problems"]) == (0, []), done
    imposed = {
        f"{application}/{key}"
        for application, values in policy_applied.items()
        for key, value in values.items()
        if value is not None
    }
    assert imposed
    assert {
        name: readers for name, readers in done.json["imposed"].items() if name in imposed
    } == dict.fromkeys(imposed, READERS)


def test_everything_that_is_set_can_be_read(occ: Occ, policy_applied: Settings):
    done = occ("archipel:check")
    assert (done.code, done.json) == (0, {"problems": [], "imposed": {}}), done


@pytest.mark.parametrize("kind", ["string", "boolean"])
def test_a_setting_that_is_stored_under_one_type_is_seen_and_mended(
    occ: Occ, apply: Apply, policy_applied: Settings, kind: str
):
    """As an earlier version of the application stored it."""
    application, key = SHARING
    occ("config:app:delete", application, key)
    set_it = ("config:app:set", "--no-interaction", application, key)
    assert occ(*set_it, "--value=no", f"--type={kind}").code == 0
    seen = read_back(occ, policy_applied)
    assert seen.code == 1
    assert any(problem.startswith(f"{application}/{key}: ") for problem in seen.json["problems"])
    assert apply(policy_applied).json["changes"] == [f"set {application}/{key}"]
    assert read_back(occ, policy_applied).code == 0
    assert apply(policy_applied).json["changed"] is False


def test_a_value_of_another_kind_takes_the_place_of_the_one_before(
    occ: Occ, apply: Apply, policy_applied: Settings
):
    for value, stored in ((True, "1"), (7, "7"), (["a"], '["a"]'), ("text", "text")):
        assert apply({"archipel": {"a_setting": value}}).code == 0
        assert occ("config:app:get", "archipel", "a_setting").out.strip() in (stored, "true")
        assert read_back(occ, {"archipel": {"a_setting": value}}).code == 0
    apply({"archipel": {"a_setting": None}})


def test_pages_open_with_the_policy_in_force(policy_applied: Settings, account: Client):
    answers = {page: account.get(page, OCS_APIRequest="true").status for page in PAGES}
    assert answers == dict.fromkeys(PAGES, 200)


@pytest.mark.real
def test_every_application_of_the_menu_opens(occ: Occ, policy_applied: Settings, account: Client):
    menu = account.ocs("/core/navigation/apps").json["ocs"]["data"]
    pages = {entry["id"]: entry["href"] for entry in menu}
    assert {"files", "dashboard"} <= set(pages)
    answers = {name: account.get(page).status for name, page in pages.items()}
    assert answers == dict.fromkeys(pages, 200)


def test_a_document_that_is_none_is_refused(occ: Occ):
    done = occ("archipel:check", "--input=-", stdin="[]")
    assert done.code == 2
    assert "archipel:check: desired state" in done.err
