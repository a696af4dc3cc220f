# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Associations that are requested or refused left no trace on the machine."""

from __future__ import annotations

from testinfra.host import Host

from tests.support.browser import Browser
from tests.support.layout import Layout
from tests.support.scenario import Scenario, Space


def test_no_user_and_no_group(node: Host, absent_slug: str):
    assert not node.user(Layout(absent_slug).user).exists
    assert not node.group(Layout(absent_slug).user).exists


def test_no_file_is_called_after_it_or_names_it(node: Host, absent_slug: str):
    places = "/etc /srv/spaces /srv/www /var/spool /var/lib /run /usr/local"
    assert node.check_output(f"find {places} -name '*{absent_slug}*' -print") == ""
    found = node.run(f"grep -rls --exclude-dir=mysql -e '{absent_slug}' {places}")
    assert found.stdout == ""


def test_no_database_and_no_account(scenario: Scenario, absent_slug: str):
    assert scenario.sql(f"SHOW DATABASES LIKE '%{absent_slug}%'") == []
    account = f"SELECT user FROM mysql.global_priv WHERE user LIKE '%{absent_slug}%'"
    assert scenario.sql(account) == []


def test_no_unit(node: Host, absent_slug: str):
    listed = node.check_output("systemctl list-units --all --plain --no-legend 'space-*'")
    assert absent_slug not in listed


def test_its_name_leads_nowhere(browser: Browser, spaces: dict[str, Space], absent_slug: str):
    base = spaces["velo-ecole"]["domains"][0].split(".", 1)[1]
    assert browser.get(f"{absent_slug}.{base}", "/status.php").status in {404, 421}
