# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What only Nextcloud itself can be given."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_nextcloud
from tests.render.samples import HOSTILE, SETTINGS, SPACE


def test_what_nextcloud_is_given_carries_the_name_and_never_a_password():
    applied = _render_nextcloud.render_applied(SPACE, SETTINGS)
    assert applied["app_defaults"]["theming"]["name"] == HOSTILE
    assert applied["app_config"]["core"] == {
        "backgroundjobs_mode": "cron",
        "shareapi_allow_links": "yes",
    }
    assert applied["admin"] is not None
    assert "admin" not in applied["admin"]["groups"]
    assert "password" not in str(applied)


def test_every_space_is_given_the_same_applications_and_its_own_suite():
    applied = _render_nextcloud.render_applied(SPACE, SETTINGS)
    assert applied["apps"] == {"enable": ["calendar"], "disable": ["survey_client", "registration"]}
    assert list(applied["office"]["suites"]) == ["collabora", "onlyoffice"]
    assert (applied["office"]["default"], applied["office"]["pinned"]) == ("collabora", False)
    assert applied["app_config"]["archipel"]["storage"] == 40 * 1024**3


def test_visitors_may_ask_for_an_account_where_the_file_says_so():
    applied = _render_nextcloud.render_applied({**SPACE, "registration": True}, SETTINGS)
    assert applied["apps"]["enable"] == ["calendar", "registration"]
    assert applied["app_config"]["registration"] == {"approval": True}
    applied = _render_nextcloud.render_applied(SPACE, {**SETTINGS, "registration": {}})
    assert applied["apps"]["disable"] == ["survey_client"]


def test_a_space_s_own_choices_are_not_in_the_template_of_its_release():
    """Each space would otherwise make the template of the one before it useless."""
    rows = _render_nextcloud.list_installations([SPACE, {**SPACE, "registration": True}], SETTINGS)
    plain, wishing = (row["template"] for row in rows)
    assert plain == wishing == {"apps": _render_nextcloud.list_applications(SETTINGS)}
    assert rows[0]["applied"]["apps"] != rows[1]["applied"]["apps"]
