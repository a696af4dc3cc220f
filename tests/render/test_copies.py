# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a copy of a space is given otherwise: no mail, nothing outside, a banner, nobody invited."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_config,
    _render_files,
    _render_nextcloud,
)
from tests.render.samples import ENVIRONMENT, ROOT, context, space

OF = {"space": "velo-ecole", "on": "2026-05-30", "until": "2026-06-29"}
POLICY = yaml.safe_load((ROOT / "group_vars/all/policy.yml").read_text(encoding="utf-8"))
RELAY = {"host": "relay.example", "from": "spaces@example.org", "user": "u", "password": "secret"}
GIVEN = context(
    mail_relay=RELAY,
    copies=POLICY["archipel_copies"],
    nextcloud_config={"has_internet_connection": True},
    applications={"enabled": ["calendar", "mail"], "disabled": ["survey_client"], "settings": {}},
)


def managed(**changes: t.Any) -> t.Any:
    return _render_config.list_managed(space(**changes), GIVEN)


def applied(**changes: t.Any) -> t.Any:
    return _render_nextcloud.render_applied(space(**changes), GIVEN)


def test_no_mail_leaves_a_copy():
    assert managed()["mail_smtpmode"] == "smtp"
    found = managed(copy_of=OF)
    assert found["mail_smtpmode"] == "null"
    assert not [key for key in found if key.startswith("mail_") and key != "mail_smtpmode"]
    assert "relay.example" not in _render_config.render_managed(space(copy_of=OF), GIVEN)


def test_a_copy_asks_nobody_outside():
    assert managed()["has_internet_connection"] is True
    found = managed(copy_of=OF)
    for key, value in POLICY["archipel_copies"]["config"].items():
        assert found[key] == value


def test_its_database_and_its_place_are_its_own():
    found = managed(copy_of=OF, slug="velo-essai", id=100004)
    assert (found["dbname"], found["dbuser"]) == ("space_velo-essai", "space-velo-essai")
    assert found["datadirectory"] == "/srv/spaces/velo-essai/data"


def test_applications_that_lead_elsewhere_are_off():
    apps = applied(copy_of=OF)["apps"]
    assert "mail" not in apps["enable"]
    assert {"mail", "user_ldap", "user_oidc", "webhook_listeners", "survey_client"} <= {
        *apps["disable"]
    }
    # One that is in both lists would be refused.
    assert not {*apps["enable"]} & {*apps["disable"]}
    assert len(apps["disable"]) == len({*apps["disable"]})
    assert applied()["apps"] == {
        "enable": ["calendar", "mail"],
        "disable": ["survey_client", "registration"],
    }


def test_everybody_sees_what_it_is():
    found = applied(copy_of=OF)["app_config"]["archipel"]
    assert found["copy_of"] == OF
    assert found["operator"] == applied()["app_config"]["archipel"]["operator"]
    assert "copy_of" not in applied()["app_config"]["archipel"]


def test_nobody_is_invited_into_it_or_made_its_administrator():
    assert applied()["admin"]["email"] == "bureau@velo-ecole.example"
    found = applied(copy_of=OF)
    assert (found["admin"], found["invite_by_mail"]) == (None, False)


@pytest.mark.parametrize("status", ["approved", "suspended", "closed"])
def test_its_vhost_says_so_for_the_firewall(status: str):
    wanted = _render_files.render_files([space(copy_of=OF, status=status)], GIVEN, ENVIRONMENT)
    (vhost,) = [one["content"] for one in wanted if one["kind"] == "vhost"]
    assert vhost.splitlines()[1] == "# copy of a space"
    (other,) = [
        one["content"]
        for one in _render_files.render_files([space(status=status)], GIVEN, ENVIRONMENT)
        if one["kind"] == "vhost"
    ]
    assert vhost.replace("# copy of a space\n", "") == other
