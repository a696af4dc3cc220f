# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Who owns what, and texts of people that come out as they went in."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path

from testinfra.host import Host

from tests.support.layout import Layout
from tests.support.scenario import Scenario, Space


def test_the_user_has_the_recorded_id_and_no_shell(
    node: Host, spaces: dict[str, Space], approved_slug: str
):
    user = node.user(Layout(approved_slug).user)
    assert (user.uid, user.gid) == (spaces[approved_slug]["id"],) * 2
    assert user.shell in {"/usr/sbin/nologin", "/bin/false"}
    assert user.password in {"!", "!*", "*", "!!"}


def test_owners_and_modes(node: Host, approved_slug: str):
    root, user = Layout(approved_slug).home, Layout(approved_slug).user
    expected = {
        root: "root:root 755",
        f"{root}/config": f"root:{user} 1770",
        f"{root}/config/managed.config.php": f"root:{user} 640",
        f"{root}/config/config.php": f"{user}:{user} 640",
        f"{root}/data": f"{user}:{user} 750",
        f"{root}/tmp": f"{user}:{user} 700",
        f"{root}/sessions": f"{user}:{user} 700",
    }
    lines = node.check_output(f"stat --format='%n=%U:%G %a' {' '.join(expected)}").splitlines()
    assert dict(line.split("=") for line in lines) == expected


def test_each_space_points_to_its_release(node: Host, spaces: dict[str, Space], approved_slug: str):
    """Relative, so that a copy of /srv works elsewhere; its own, so that it moves alone."""
    link = node.file(Layout(approved_slug).release)
    assert link.is_symlink
    target = node.check_output("readlink /srv/spaces/%s/release", approved_slug)
    assert target == f"../../nextcloud/releases/{spaces[approved_slug]['release']}"


def test_nothing_of_a_release_can_be_written_by_others_than_root(node: Host):
    found = node.check_output(
        "find /srv/nextcloud/releases '(' ! -user root -o -perm /go=w ')' ! -type l -print -quit"
    )
    assert found == ""


def test_the_configuration_is_what_the_registry_says(
    node: Host, spaces: dict[str, Space], approved_slug: str
):
    script = (
        "class OC { public static $SERVERROOT = '/release'; }"
        "include $argv[1]; echo json_encode($CONFIG, JSON_UNESCAPED_UNICODE);"
    )
    path = Layout(approved_slug).managed_config
    config = json.loads(node.check_output("php -r %s -- %s", script, path))
    space = spaces[approved_slug]
    assert sorted(config["trusted_domains"]) == sorted(space["domains"])
    assert config["overwrite.cli.url"] == space["url"]
    assert config["datadirectory"] == Layout(approved_slug).data
    assert config["one-click-instance.user-limit"] == space["accounts"]
    assert config["appstoreenabled"] is False


def test_the_hostile_name_is_kept_to_the_letter(scenario: Scenario, spaces: dict[str, Space]):
    name = scenario.occ("piege", "config:app:get theming name").rstrip("\n")
    assert name == spaces["piege"]["name"]


def test_nothing_hostile_was_executed(scenario: Scenario, node: Host):
    """Neither on the node nor here, where the templates are rendered."""
    assert not node.file("/tmp/archipel-pwned").exists
    assert not node.file("/root/archipel-pwned").exists
    assert scenario.sql("SHOW DATABASES LIKE 'mysql'") == [["mysql"]]
    assert not Path("/tmp/archipel-pwned").exists()


def test_invitations_are_for_root_only(node: Host):
    spool = "/var/spool/archipel/invitations"
    lines = node.check_output(f"stat --format='%n %U:%G %a' {spool} {spool}/*").splitlines()
    assert lines[0] == f"{spool} root:root 700"
    assert [line for line in lines[1:] if not line.endswith(".eml root:root 600")] == []


def test_an_invitation_reaches_its_contact_and_opens_its_space(
    node: Host, spaces: dict[str, Space], approved_slug: str
):
    raw = node.file(Layout(approved_slug).invitation).content
    letter = email.message_from_bytes(raw, policy=email.policy.default)
    space = spaces[approved_slug]
    assert letter["To"].addresses[0].addr_spec == space["contact"]["email"]
    body = letter.get_body(preferencelist=("plain",))
    assert body is not None
    assert space["url"] in body.get_content()
